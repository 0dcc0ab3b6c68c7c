package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"kopir/gateway"
)

// Spend uses up a nonce of a key; ErrDuplicate says that it was used before.
func (s *Store) Spend(ctx context.Context, key, nonce string, until time.Time) error {
	return s.writer.write(ctx, func(t *tx) error {
		return t.later("nonce", gateway.ErrDuplicate, `INSERT INTO nonces (signer, nonce, until_at) VALUES (?, ?, ?) ON CONFLICT (signer, nonce) DO NOTHING`, key, nonce, micros(until))
	})
}

// ForgetSpent drops nonces whose time is over.
func (s *Store) ForgetSpent(ctx context.Context, at time.Time) error {
	return s.writer.write(ctx, func(t *tx) error {
		return t.later("nonces", nil, `DELETE FROM nonces WHERE until_at < ?`, micros(at))
	})
}

// listing is a delivery that is to have a place in its receiver's list.
type listing struct{ receiver, id string }

// list gives what a group has written the next places in the lists of the
// receivers. The head of the journal is locked, so places become visible in their order,
// and nobody waits for two lists at once.
func (t *tx) list(all []listing) error {
	for _, l := range all {
		name := "notices/" + l.receiver
		err := t.later("notices", nil, `INSERT INTO sequences (name, next) VALUES (?, 0) ON CONFLICT (name) DO NOTHING`, name)
		if err == nil {
			err = t.later("notices", nil, `UPDATE sequences SET next = next + 1 WHERE name = ?`, name)
		}
		if err == nil {
			err = t.later("notices", nil, `UPDATE outbox SET place = (SELECT next FROM sequences WHERE name = ?) WHERE id = ?`, name, l.id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Noticed lists what a partner was told, from after a place on.
func (s *Store) Noticed(ctx context.Context, receiver string, after int64, limit int) (all []gateway.Delivery, err error) {
	rows, err := s.query(ctx, `SELECT place, body, payload FROM outbox WHERE receiver = ? AND place > 0 AND place > ? ORDER BY place LIMIT ?`, receiver, after, min(max(limit, 1), maxPage))
	if err != nil {
		return nil, fmt.Errorf("store: notices: %w", err)
	}
	defer func(rows *sql.Rows) { err = errors.Join(err, rows.Close()) }(rows)
	for rows.Next() {
		var d gateway.Delivery
		var place int64
		var body string
		var payload []byte
		if err := rows.Scan(&place, &body, &payload); err != nil {
			return nil, fmt.Errorf("store: notices: %w", err)
		}
		if err := fromJSON(body, &d); err != nil {
			return nil, err
		}
		d.Place, d.Body = place, payload
		all = append(all, d)
	}
	return all, rows.Err()
}
