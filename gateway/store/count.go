package store

import (
	"context"
	"fmt"
	"time"

	"kopir/gateway"
)

// Open is how much waits on one route in one state.
type Open struct {
	Route  gateway.Route
	State  gateway.DeliveryState // Queued or Dead
	Count  int64
	Oldest time.Time
}

// OpenDeliveries counts what is queued and what waits for a person.
func (s *Store) OpenDeliveries(ctx context.Context) ([]Open, error) {
	rows, err := s.query(ctx, `SELECT route, state, COUNT(*), MIN(created_at) FROM outbox WHERE state IN ('queued', 'dead') GROUP BY route, state`)
	if err != nil {
		return nil, fmt.Errorf("store: count deliveries: %w", err)
	}
	defer rows.Close()
	var out []Open
	for rows.Next() {
		var o Open
		var oldest int64
		if err := rows.Scan(&o.Route, &o.State, &o.Count, &oldest); err != nil {
			return nil, fmt.Errorf("store: count deliveries: %w", err)
		}
		o.Oldest = moment(oldest)
		out = append(out, o)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: count deliveries: %w", err)
	}
	return out, nil
}

// HeldCount is how many applications wait for an answer about revocation.
func (s *Store) HeldCount(ctx context.Context) (n int64, err error) {
	if err := s.row(ctx, `SELECT COUNT(*) FROM holds`).Scan(&n); err != nil {
		return 0, fmt.Errorf("store: count held: %w", err)
	}
	return n, nil
}
