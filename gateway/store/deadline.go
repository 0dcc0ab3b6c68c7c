package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"kopir/gateway"
)

// Pace is how long the last of a step took in an office, in seconds of office hours.
func (s *Store) Pace(ctx context.Context, service, office string, step, limit int) ([]int64, error) {
	all, err := oneColumn[int64](ctx, s, `SELECT took FROM dues WHERE service = ? AND office = ? AND step = ? AND done_at > 0 ORDER BY done_at DESC LIMIT ?`, service, office, step, limit)
	if err != nil {
		return nil, fmt.Errorf("store: pace: %w", err)
	}
	return all, nil
}

// dueKeys are the columns by which open terms are counted.
var dueKeys = []gateway.DueKey{gateway.ByOffice, gateway.ByService, gateway.ByStep}

// Deadlines counts the open terms. Everything that it reads is in one index.
func (s *Store) Deadlines(ctx context.Context, f gateway.DueFilter, by []gateway.DueKey) ([]gateway.DueGroup, error) {
	w, now := dueWhere(f), micros(f.Now)
	var columns, keys []string
	for _, k := range dueKeys {
		switch {
		case slices.Contains(by, k):
			columns, keys = append(columns, string(k)), append(keys, string(k))
		case k == gateway.ByStep:
			columns = append(columns, "0")
		default:
			columns = append(columns, "''")
		}
	}
	q := `SELECT ` + strings.Join(columns, ", ") + `, COUNT(*),
		COALESCE(SUM(CASE WHEN resume_at = 0 AND warned_at > 0 AND due_at > ? THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN due_at <= ? THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN resume_at > 0 THEN 1 ELSE 0 END), 0),
		COALESCE(MIN(CASE WHEN resume_at = 0 THEN due_at END), 0) FROM dues` + w.String()
	if len(keys) > 0 {
		list := strings.Join(keys, ", ")
		q += " GROUP BY " + list + " ORDER BY " + list
	}
	rows, err := s.query(ctx, q, append([]any{now, now}, w.args...)...)
	if err != nil {
		return nil, fmt.Errorf("store: deadlines: %w", err)
	}
	defer rows.Close()
	var all []gateway.DueGroup
	for rows.Next() {
		var g gateway.DueGroup
		var next int64
		if err := rows.Scan(&g.Office, &g.Service, &g.Step, &g.Open, &g.Warned, &g.Overdue, &g.Suspended, &next); err != nil {
			return nil, fmt.Errorf("store: deadlines: %w", err)
		}
		g.Next = moment(next)
		all = append(all, g)
	}
	return all, rows.Err()
}

func dueWhere(f gateway.DueFilter) where {
	var w where
	w.and("done_at = 0")
	if f.Service != "" {
		w.and("service = ?", f.Service)
	}
	if f.Office != "" {
		w.and("office = ?", f.Office)
	}
	switch {
	case f.Overdue == nil:
	case *f.Overdue:
		w.and("due_at <= ?", micros(f.Now))
	default:
		w.and("due_at > ?", micros(f.Now))
	}
	return w
}

// OpenDues lists open terms, the next to end first; those that stand still come
// last, as nobody knows when they end.
func (s *Store) OpenDues(ctx context.Context, f gateway.DueFilter, after string, limit int) (gateway.DuePage, error) {
	limit = min(max(limit, 1), maxPage)
	w := dueWhere(f)
	if after != "" {
		at, key, err := parseCursor(after)
		if err != nil {
			return gateway.DuePage{}, err
		}
		w.and("(due_at, application) > (?, ?)", at, key)
	}
	all, _, err := listDues(s.query(ctx, `SELECT `+dueColumns+` FROM dues`+w.String()+` ORDER BY due_at, application LIMIT ?`, append(w.args, limit+1)...))
	page := gateway.DuePage{Dues: all}
	if err == nil && len(all) > limit {
		page.Dues = all[:limit]
		last := &all[limit-1]
		page.Next = cursor(endsAt(last), last.Application)
	}
	return page, err
}
