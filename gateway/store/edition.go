package store

import (
	"context"
	"fmt"
	"slices"

	"kopir/gateway"
)

// running are the applications that are not ended or have something on its way.
const running = `(SELECT number, service, edition FROM applications WHERE state NOT IN ('completed', 'refused')
	UNION SELECT a.number, a.service, a.edition FROM applications a JOIN outbox o ON o.application = a.number WHERE o.state IN ('queued', 'dead')) AS running`

// Running tells the editions of services that applications still need.
func (s *Store) Running(ctx context.Context) ([]gateway.RunningEdition, error) {
	rows, err := s.query(ctx, `SELECT service, edition, COUNT(*) FROM `+running+` GROUP BY service, edition ORDER BY service, edition`)
	if err != nil {
		return nil, fmt.Errorf("store: running editions: %w", err)
	}
	defer rows.Close()
	var all []gateway.RunningEdition
	old := false
	for rows.Next() {
		var r gateway.RunningEdition
		if err := rows.Scan(&r.Service, &r.Edition, &r.Applications); err != nil {
			return nil, fmt.Errorf("store: running editions: %w", err)
		}
		if r.Edition == "" {
			old = true
			continue
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: running editions: %w", err)
	}
	if !old {
		return all, nil
	}
	// Written before the column was there: their bodies tell.
	apps, err := bodies[gateway.Application](ctx, s, "running editions",
		`SELECT a.body FROM applications a JOIN `+running+` ON running.number = a.number WHERE a.edition = ''`)
	if err != nil {
		return nil, err
	}
	for _, a := range apps {
		i := slices.IndexFunc(all, func(r gateway.RunningEdition) bool { return r.Service == a.Service && r.Edition == a.Edition })
		if i < 0 {
			i = len(all)
			all = append(all, gateway.RunningEdition{Service: a.Service, Edition: a.Edition})
		}
		all[i].Applications++
	}
	return all, nil
}
