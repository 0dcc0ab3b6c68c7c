package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"kopir/gateway"
	"kopir/gateway/journal"
)

// fillBatch is how many rows are filled in one transaction.
const fillBatch = 500

// fill gives rows from before a migration the columns that it added. A fill
// that was cut off goes on at the next start.
func (s *Store) fill(ctx context.Context) error {
	for _, part := range []struct {
		once     string // the mark of what is done once and for all
		unfilled string
		fill     func(*tx, string) error
	}{
		{"", `SELECT number, body FROM applications WHERE due_at < 0 AND number > ? ORDER BY number LIMIT ?`, fillApplication},
		{"", `SELECT application, body FROM dues WHERE done_at < 0 AND application > ? ORDER BY application LIMIT ?`, fillDue},
		{"", `SELECT application, body FROM dues WHERE done_at = 0 AND tell_at = 0 AND overdue_at = 0 AND resume_at = 0 AND application > ? ORDER BY application LIMIT ?`, fillDue},
		{bareMark, `SELECT d.application, d.body FROM dues d JOIN applications a ON a.number = d.application
			WHERE a.removed <> '' AND d.body LIKE '%"moved":%' AND d.application > ? ORDER BY d.application LIMIT ?`, fillBare},
	} {
		if part.once != "" {
			done, err := s.Mark(ctx, part.once)
			if err != nil {
				return fmt.Errorf("store: fill: %w", err)
			}
			if done != "" {
				continue
			}
		}
		for after := ""; ; {
			keys, bodies, err := s.pairs(ctx, part.unfilled, after, fillBatch)
			if err != nil {
				return fmt.Errorf("store: fill: %w", err)
			}
			if len(keys) == 0 {
				break
			}
			after = keys[len(keys)-1]
			if len(keys) == fillBatch { // what the last one has more of comes with the next
				for len(keys) > 1 && keys[len(keys)-1] == after {
					keys, bodies = keys[:len(keys)-1], bodies[:len(bodies)-1]
				}
				after = keys[len(keys)-1]
			}
			err = s.writer.write(ctx, func(t *tx) error {
				for _, body := range bodies {
					if err := part.fill(t, body); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return fmt.Errorf("store: fill: %w", err)
			}
		}
		if part.once != "" {
			if err := s.SetMark(ctx, part.once, "done"); err != nil {
				return fmt.Errorf("store: fill: %w", err)
			}
		}
	}
	return nil
}

// bareMark says that no term of what was removed names anybody: a version before
// left them as they were.
const bareMark = "dues/bare"

func fillBare(t *tx, body string) error {
	var d gateway.Due
	if err := fromJSON(body, &d); err != nil {
		return err
	}
	return t.bareDue(&d)
}

// pairs reads rows that are two texts.
func (s *Store) pairs(ctx context.Context, q string, args ...any) (keys, bodies []string, err error) {
	rows, err := s.query(ctx, q, args...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var key, body string
		if err := rows.Scan(&key, &body); err != nil {
			return nil, nil, err
		}
		keys, bodies = append(keys, key), append(bodies, body)
	}
	return keys, bodies, rows.Err()
}

func fillApplication(t *tx, body string) error {
	var a gateway.Application
	if err := fromJSON(body, &a); err != nil {
		return err
	}
	due, usual, slow := terms(&a)
	_, err := t.exec(`UPDATE applications SET due_at = ?, usual_at = ?, slow_at = ? WHERE number = ?`, due, usual, slow, a.Number)
	return err
}

// fillDue writes a term again with what its application knows.
func fillDue(t *tx, body string) error {
	var d gateway.Due
	if err := fromJSON(body, &d); err != nil {
		return err
	}
	row, err := t.row(`SELECT body FROM applications WHERE number = ?`, d.Application)
	if err != nil {
		return err
	}
	var of string
	switch err := row.Scan(&of); {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return err
	default:
		var a gateway.Application
		if err := fromJSON(of, &a); err != nil {
			return err
		}
		d.Service, d.Channel, d.Office = a.Service, a.Channel, a.Office
	}
	if err := t.recordAs(journal.Change, d.Application, ""); err != nil {
		return err
	}
	return t.putDue(&d)
}
