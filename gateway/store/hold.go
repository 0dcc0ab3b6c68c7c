package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"kopir/gateway"
)

func (t *tx) putHold(h *gateway.Hold) error {
	meta := *h
	meta.Document = nil
	body, err := toJSON(&meta)
	if err != nil {
		return err
	}
	return t.later("hold", nil, `INSERT INTO holds (application, next_at, document, body) VALUES (?, ?, ?, ?)
		ON CONFLICT (application) DO UPDATE SET next_at = excluded.next_at, body = excluded.body`,
		h.Application, micros(h.NextAt), blob(h.Document), body)
}

// unreadRest is how long a hold that does not read lets others go before it.
const unreadRest = time.Hour

// HeldBefore gives held applications whose next question has come. The error
// beside the others names those that do not read; they rest.
func (s *Store) HeldBefore(ctx context.Context, at time.Time, limit int) ([]gateway.Hold, error) {
	rows, err := s.query(ctx, `SELECT application, body, document FROM holds WHERE next_at <= ? ORDER BY next_at, application LIMIT ?`, micros(at), limit)
	if err != nil {
		return nil, fmt.Errorf("store: holds: %w", err)
	}
	defer rows.Close()
	var all []gateway.Hold
	var unread []any
	var faults []error
	for rows.Next() {
		var number, body string
		var document []byte
		if err := rows.Scan(&number, &body, &document); err != nil {
			return nil, fmt.Errorf("store: holds: %w", err)
		}
		var h gateway.Hold
		if err := fromJSON(body, &h); err != nil {
			faults = append(faults, fmt.Errorf("store: hold of %s: %w", number, err))
			unread = append(unread, number)
			continue
		}
		h.Document = document
		all = append(all, h)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: holds: %w", err)
	}
	if len(unread) > 0 {
		rows.Close()
		faults = append(faults, s.writer.write(ctx, func(t *tx) error {
			_, err := t.exec(`UPDATE holds SET next_at = ? WHERE application IN (?`+strings.Repeat(", ?", len(unread)-1)+`)`, append([]any{micros(at.Add(unreadRest))}, unread...)...)
			return err
		}))
	}
	return all, errors.Join(faults...)
}
