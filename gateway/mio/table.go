package mio

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"kopir/mappings"
)

// column is one column that a description needs.
type column struct {
	name, kind string
	key        bool
}

// tables are the tables and columns that a service needs, in order.
func tables(s *mappings.Service) map[string][]column {
	l := s.Local
	main := []column{{name: l.Key, key: true}}
	add := func(name, kind string) {
		if name != "" && !slices.ContainsFunc(main, func(c column) bool { return c.name == name }) {
			main = append(main, column{name: name, kind: kind})
		}
	}
	for _, f := range s.Request.Fields {
		add(f.Column, f.Type)
	}
	for _, v := range l.System {
		add(v.Column, "string")
	}
	add(l.Status.Column, "string")
	add(l.Status.Changed, "string")
	add(l.Status.Reason, "string")
	all := map[string][]column{l.Table: main}
	for _, g := range s.Request.Groups {
		own := []column{{name: g.Key}, {name: g.Number, kind: "int"}}
		for _, f := range g.Fields {
			own = append(own, column{name: f.Column, kind: f.Type})
		}
		all[g.Table] = own
	}
	if f := l.Files; f != nil {
		all[f.Table] = []column{{name: f.Key}, {name: f.Kind}, {name: f.Name}, {name: f.Type}, {name: f.SHA256}, {name: f.Content, kind: "blob"}}
	}
	return all
}

// Check says every table and column of the descriptions that is not there.
func (m *DB) Check(ctx context.Context) error {
	found, err := m.set().CheckSchema(m.live(ctx))
	if err != nil {
		return fmt.Errorf("mio: %w", err)
	}
	var faults []error
	for _, f := range found {
		faults = append(faults, fmt.Errorf("mio: %w", f))
	}
	return errors.Join(faults...)
}

// live tells the columns of a table as it is now.
func (m *DB) live(ctx context.Context) mappings.Columns {
	return func(table string) ([]string, bool, error) {
		have, err := m.d.columns(ctx, m.db, table)
		return have, len(have) > 0, err
	}
}

// InspectSQLite compares a database file with the descriptions and changes
// nothing. A table that is not there is no fault: OpenSQLite makes it.
func InspectSQLite(ctx context.Context, path string, set *mappings.Set) ([]mappings.Fault, error) {
	db, err := sql.Open(sqlite.driver, "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, fmt.Errorf("mio: open %s: %w", path, err)
	}
	defer db.Close()
	live := (&DB{d: sqlite, db: db}).live(ctx)
	made := map[string][]string{}
	for _, s := range set.Services() {
		for table, columns := range tables(s) {
			for _, c := range columns {
				made[table] = append(made[table], c.name)
			}
		}
	}
	return set.CheckSchema(func(table string) ([]string, bool, error) {
		have, found, err := live(table)
		if err == nil && !found {
			return made[table], true, nil
		}
		return have, found, err
	})
}

// create makes the tables that are missing, all in one transaction: each of
// its own would wait for the disk.
func (m *DB) create(ctx context.Context) error {
	tx, err := m.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("mio: %w", err)
	}
	defer tx.Rollback()
	// Editions of a service share tables: those get the columns of all.
	all := map[string][]column{}
	for _, s := range m.set().Services() {
		for table, columns := range tables(s) {
			for _, c := range columns {
				if !slices.ContainsFunc(all[table], func(have column) bool { return strings.EqualFold(have.name, c.name) }) {
					all[table] = append(all[table], c)
				}
			}
		}
	}
	for table, columns := range all {
		name, err := m.name(table)
		if err != nil {
			return err
		}
		var parts []string
		for _, c := range columns {
			q, err := m.name(c.name)
			if err != nil {
				return err
			}
			kind := "TEXT"
			if t, ok := m.d.types[c.kind]; ok {
				kind = t
			}
			if c.kind == "blob" {
				kind = "BLOB"
			}
			if c.key {
				kind += " NOT NULL PRIMARY KEY"
			}
			parts = append(parts, q+" "+kind)
		}
		if _, err := tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS "+name+" ("+strings.Join(parts, ", ")+")"); err != nil {
			return fmt.Errorf("mio: make %s: %w", table, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("mio: make tables: %w", err)
	}
	return nil
}
