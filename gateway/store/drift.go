package store

import (
	"context"
	"fmt"

	"kopir/gateway"
)

func (t *tx) putDrift(d *gateway.Drift) error {
	return t.later("drift", nil, `INSERT INTO drifts (service, partner, kind, path, first_at, last_at, times, message) VALUES (?, ?, ?, ?, ?, ?, 1, ?)
		ON CONFLICT (service, partner, kind, path) DO UPDATE SET last_at = excluded.last_at, times = drifts.times + 1`,
		d.Service, d.Partner, string(d.Kind), d.Path, micros(d.LastAt), micros(d.LastAt), d.Message)
}

// Drifts lists what was found, by service, partner, kind and path.
func (s *Store) Drifts(ctx context.Context) ([]gateway.Drift, error) {
	rows, err := s.query(ctx, `SELECT service, partner, kind, path, first_at, last_at, times, message FROM drifts ORDER BY service, partner, kind, path`)
	if err != nil {
		return nil, fmt.Errorf("store: drifts: %w", err)
	}
	defer rows.Close()
	var all []gateway.Drift
	for rows.Next() {
		var d gateway.Drift
		var first, last int64
		if err := rows.Scan(&d.Service, &d.Partner, &d.Kind, &d.Path, &first, &last, &d.Times, &d.Message); err != nil {
			return nil, fmt.Errorf("store: drifts: %w", err)
		}
		d.FirstAt, d.LastAt = moment(first), moment(last)
		all = append(all, d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: drifts: %w", err)
	}
	return all, nil
}
