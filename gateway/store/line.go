package store

import (
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// history is the line of an application's events; the others are its
// deliveries by route.
const history = ""

type line struct{ name, application string }

// lines are what a transaction knows of the owners that it writes about: how
// far their lines have come.
type lines struct {
	ends map[line]int64
	read map[string]bool // owners of whom all is known that there is
}

// begins says of an owner that nothing is kept of it yet.
func (l *lines) begins(owner string) {
	if l.read == nil {
		l.ends, l.read = map[line]int64{}, map[string]bool{}
	}
	l.read[owner] = true
}

// place gives the next place in a line; the first is 1.
func (t *tx) place(name, application string) (int64, error) {
	if !t.read[application] && t.w.d.shared {
		if err := t.foresee(about{lines: []string{application}}); err != nil {
			return 0, err
		}
	}
	if !t.read[application] {
		rows, err := t.query(`SELECT '' AS line, COALESCE(MAX(seq), 0) FROM events WHERE application = ?
			UNION ALL SELECT route, MAX(seq) FROM outbox WHERE application = ? GROUP BY route`, application, application)
		if err != nil {
			return 0, fmt.Errorf("store: lines: %w", err)
		}
		defer rows.Close()
		t.begins(application)
		for rows.Next() {
			at := line{application: application}
			var end int64
			if err := rows.Scan(&at.name, &end); err != nil {
				return 0, fmt.Errorf("store: lines: %w", err)
			}
			t.ends[at] = end
		}
		if err := rows.Err(); err != nil {
			return 0, fmt.Errorf("store: lines: %w", err)
		}
	}
	at := line{name, application}
	t.ends[at]++
	return t.ends[at], nil
}

// foresee reads what is kept of some owners in one round trip, and locks their
// applications: what another node writes of them comes before or after, never
// at the same place of a line. It is for PostgreSQL.
func (t *tx) foresee(a about) error {
	owners, all := distinct(a.lines), distinct(append(a.other, a.lines...))
	if len(all) == 0 {
		return nil
	}
	t.w.ask("lock", func(pgx.Rows) error { return nil }, `SELECT 1 FROM applications WHERE number = ANY(?) ORDER BY number FOR NO KEY UPDATE`, all)
	if len(owners) > 0 {
		t.askLines(owners)
	}
	t.w.ask("journal keys", func(r pgx.Rows) error {
		var owner string
		var key []byte
		err := r.Scan(&owner, &key)
		t.w.keys[owner] = key
		return err
	}, `SELECT owner, secret FROM journal_keys WHERE owner = ANY(?)`, slices.DeleteFunc(slices.Clone(all), func(o string) bool { return t.w.keys[o] != nil }))
	return t.w.flush(t.ctx)
}

func (t *tx) askLines(owners []string) {
	for _, owner := range owners {
		t.begins(owner)
	}
	t.w.ask("lines", func(r pgx.Rows) error {
		var at line
		var end int64
		err := r.Scan(&at.application, &at.name, &end)
		t.ends[at] = end
		return err
	}, `SELECT application, '' AS line, MAX(seq) FROM events WHERE application = ANY(?) GROUP BY application
		UNION ALL SELECT application, route, MAX(seq) FROM outbox WHERE application = ANY(?) GROUP BY application, route`, owners, owners)
}

func distinct(owners []string) []string {
	owners = slices.Clone(owners)
	slices.Sort(owners)
	return slices.Compact(owners)
}
