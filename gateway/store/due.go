package store

import (
	"context"
	"fmt"
	"time"

	"kopir/gateway"
)

// tellAt is when something must be said about a due time: its warning, then
// its end; nought when nothing is left to say.
func tellAt(d *gateway.Due) int64 {
	switch {
	case !d.DoneAt.IsZero():
		return 0
	case d.WarnedAt.IsZero() && !d.WarnAt.IsZero():
		return micros(d.WarnAt)
	case d.OverdueAt.IsZero():
		return micros(d.DueAt)
	}
	return 0
}

func (t *tx) putDue(d *gateway.Due) error {
	body, err := toJSON(d)
	if err != nil {
		return err
	}
	if _, err := t.exec(`INSERT INTO dues (application, step, started_at, due_at, tell_at, body) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (application, step, started_at) DO UPDATE SET due_at = excluded.due_at, tell_at = excluded.tell_at, body = excluded.body`,
		d.Application, d.Step, micros(d.StartedAt), micros(d.DueAt), tellAt(d), body); err != nil {
		return fmt.Errorf("store: due: %w", err)
	}
	t.part(journalDue, dueID(d.Application, int64(d.Step), micros(d.StartedAt)), "", []byte(body))
	return nil
}

// Dues lists the due times of one application in the order of their start.
func (s *Store) Dues(ctx context.Context, number string) ([]gateway.Due, error) {
	return bodies[gateway.Due](ctx, s, "dues", `SELECT body FROM dues WHERE application = ? ORDER BY started_at, step`, number)
}

// Ripe gives open due times of which something must be said by now.
func (s *Store) Ripe(ctx context.Context, at time.Time, limit int) ([]gateway.Due, error) {
	return bodies[gateway.Due](ctx, s, "dues", `SELECT body FROM dues WHERE tell_at > 0 AND tell_at <= ? ORDER BY tell_at, application, step LIMIT ?`, micros(at), limit)
}

func (t *tx) putHold(h *gateway.Hold) error {
	meta := *h
	meta.Document = nil
	body, err := toJSON(&meta)
	if err != nil {
		return err
	}
	if _, err := t.exec(`INSERT INTO holds (application, next_at, document, body) VALUES (?, ?, ?, ?)
		ON CONFLICT (application) DO UPDATE SET next_at = excluded.next_at, body = excluded.body`,
		h.Application, micros(h.NextAt), blob(h.Document), body); err != nil {
		return fmt.Errorf("store: hold: %w", err)
	}
	return nil
}

// HeldBefore gives held applications whose next question has come.
func (s *Store) HeldBefore(ctx context.Context, at time.Time, limit int) ([]gateway.Hold, error) {
	rows, err := s.query(ctx, `SELECT body, document FROM holds WHERE next_at <= ? ORDER BY next_at, application LIMIT ?`, micros(at), limit)
	if err != nil {
		return nil, fmt.Errorf("store: holds: %w", err)
	}
	defer rows.Close()
	var all []gateway.Hold
	for rows.Next() {
		var body string
		var document []byte
		if err := rows.Scan(&body, &document); err != nil {
			return nil, fmt.Errorf("store: holds: %w", err)
		}
		var h gateway.Hold
		if err := fromJSON(body, &h); err != nil {
			return nil, err
		}
		h.Document = document
		all = append(all, h)
	}
	return all, rows.Err()
}
