package store

import (
	"context"
	"fmt"

	"kopir/gateway"
)

// putPickup keeps what the register of results is searched by.
func (t *tx) putPickup(a *gateway.Application) error {
	p := a.Pickup
	if p == nil {
		return nil
	}
	return t.later("pickup", nil, `INSERT INTO pickups (application, state, place, office, service, ready_at, until_at) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (application) DO UPDATE SET state = excluded.state, place = excluded.place, office = excluded.office`,
		a.Number, string(p.State), p.Place, a.Office, a.Service, micros(p.ReadyAt), micros(p.Until))
}

// Pickups lists applications whose result is handed over in person, the
// longest waiting first.
func (s *Store) Pickups(ctx context.Context, f gateway.PickupFilter, after string, limit int) (gateway.Page, error) {
	limit = min(max(limit, 1), maxPage)
	var w where
	in(&w, "p.state", f.States)
	for _, one := range [][2]string{{"p.place = ?", f.Place}, {"p.office = ?", f.Office}, {"p.service = ?", f.Service}} {
		if one[1] != "" {
			w.and(one[0], one[1])
		}
	}
	if !f.LateAt.IsZero() {
		w.and("p.state = ?", string(gateway.PickupWaiting))
		w.and("p.until_at < ?", micros(f.LateAt))
	}
	if after != "" {
		at, number, err := parseCursor(after)
		if err != nil {
			return gateway.Page{}, err
		}
		w.and("(p.ready_at, p.application) > (?, ?)", at, number)
	}
	rows, err := s.query(ctx, `SELECT p.ready_at, p.application, a.body FROM pickups p JOIN applications a ON a.number = p.application`+w.String()+` ORDER BY p.ready_at, p.application LIMIT ?`, append(w.args, limit+1)...)
	if err != nil {
		return gateway.Page{}, fmt.Errorf("store: pickups: %w", err)
	}
	return applicationPage(rows, limit)
}
