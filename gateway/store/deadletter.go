package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kopir/gateway"
	"kopir/gateway/journal"
)

// DeadGroups counts dead letters by lane, cause and code.
func (s *Store) DeadGroups(ctx context.Context) (all []gateway.DeadGroup, err error) {
	// What waits behind is counted from its own side: behind most dead letters waits nothing.
	rows, err := s.query(ctx, `SELECT g.route, g.lane, g.cause, g.code, g.n, g.oldest, g.newest, COALESCE(b.n, 0) FROM
		(SELECT route, lane, cause, code, COUNT(*) AS n, MIN(failed_at) AS oldest, MAX(failed_at) AS newest FROM outbox WHERE state = 'dead' GROUP BY route, lane, cause, code) g
		LEFT JOIN (SELECT d.route, d.lane, d.cause, d.code, COUNT(*) AS n FROM outbox w JOIN outbox d ON d.application = w.application AND d.route = w.route AND d.state = 'dead' AND d.seq < w.seq
			WHERE w.blocked = 1 AND w.state = 'queued' GROUP BY d.route, d.lane, d.cause, d.code) b
		ON b.route = g.route AND b.lane = g.lane AND b.cause = g.cause AND b.code = g.code
		ORDER BY g.n DESC, g.route, g.lane, g.cause, g.code`)
	if err != nil {
		return nil, fmt.Errorf("store: dead groups: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var g gateway.DeadGroup
		var oldest, newest int64
		if err := rows.Scan(&g.Route, &g.Lane, &g.Cause, &g.Code, &g.Count, &oldest, &newest, &g.Behind); err != nil {
			return nil, fmt.Errorf("store: dead groups: %w", err)
		}
		if g.Cause == "" {
			g.Cause = gateway.CauseUnknown
		}
		g.Oldest, g.Newest = moment(oldest), moment(newest)
		all = append(all, g)
	}
	return all, rows.Err()
}

// ofGroup selects a group's dead letters that died by a time.
func ofGroup(w *where, g *gateway.DeadGroup, by time.Time) {
	w.and("o.state = 'dead' AND o.route = ? AND o.lane = ? AND o.code = ? AND o.failed_at <= ?", string(g.Route), g.Lane, g.Code, micros(by))
	if g.Cause == gateway.CauseUnknown {
		w.and("o.cause IN ('', ?)", string(g.Cause)) // from before there were causes
	} else {
		w.and("o.cause = ?", string(g.Cause))
	}
}

// SettleDead lets do settle dead letters of a group, each with its line in the
// history, in the name of who.
func (s *Store) SettleDead(ctx context.Context, g gateway.DeadGroup, by time.Time, limit int, who string, do func(*gateway.Delivery) gateway.Event) (all []gateway.Delivery, err error) {
	err = s.writer.write(ctx, func(t *tx) error {
		var w where
		ofGroup(&w, &g, by)
		rows, err := t.query(`SELECT `+deliveryColumns+` FROM outbox o`+w.String()+` ORDER BY o.failed_at, o.id LIMIT ? {skip}`, append(w.args, limit)...)
		if err != nil {
			return err
		}
		if all, err = scanDeliveries(rows); err != nil {
			return err
		}
		if t.w.d.shared {
			var owners []string
			for _, d := range all {
				owners = append(owners, d.Application)
			}
			if err := t.foresee(about{lines: owners}); err != nil {
				return err
			}
		}
		for i := range all {
			d := &all[i]
			e := do(d)
			if err := t.recordAs(journal.Change, d.Application, who); err != nil {
				return err
			}
			if e.Application != "" {
				if err := t.insertEvent(&e); err != nil {
					return err
				}
			}
			if err := t.putDelivery(d); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: settle dead letters: %w", err)
	}
	return all, nil
}
