package mio

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"kopir/mappings"
)

// live is a database as mappings.CheckSchema asks it.
type live struct {
	m   *DB
	ctx context.Context
}

func (l live) Table(name string) (*mappings.Table, error) {
	t, err := l.m.readTable(l.ctx, name)
	if err != nil || t == nil {
		return nil, err
	}
	return &t.Table, nil
}

// Check says everything in which the database does not fit the descriptions.
func (m *DB) Check(ctx context.Context) error { return m.check(ctx, m.set()) }

func (m *DB) check(ctx context.Context, set *mappings.Set) error {
	found, err := set.CheckSchema(live{m, ctx})
	if err != nil {
		return err
	}
	var faults []error
	for _, f := range found {
		faults = append(faults, fmt.Errorf("mio: %w", f))
	}
	return errors.Join(faults...)
}

// Inspect compares a database with the descriptions, at their places, and
// changes nothing; tables that OpenFile makes are no fault when they are missing.
// The notes tell of tables out of which changed rows are read without an index.
// The error is that of a database that does not answer.
func Inspect(ctx context.Context, o Options, set *mappings.Set) (faults []mappings.Fault, notes []string, err error) {
	o.readOnly = true
	if o.Driver == sqlite.Name {
		if _, err := os.Stat(o.Path); err != nil {
			o.Path, o.readOnly = ":memory:", false // nothing is there yet
		}
	}
	m, err := Open(o, set)
	if err != nil {
		return nil, nil, err
	}
	defer m.Close()
	if err := m.Ping(ctx); err != nil {
		return nil, nil, err
	}
	if faults, err = set.CheckSchema(live{m, ctx}); err != nil {
		return nil, nil, err
	}
	if !m.makes() {
		notes, err = m.unindexed(ctx, set)
		return faults, notes, err
	}
	own := map[string]bool{} // files of descriptions
	for _, s := range set.Services() {
		own[s.File()] = !s.Local.Foreign()
	}
	return slices.DeleteFunc(faults, func(f mappings.Fault) bool { return f.Code == "no-table" && own[f.File] }), nil, nil
}

// unindexed tells of tables out of which changed rows are read without an index.
// A file gets its index when it is opened; what a view reads by is not known here.
func (m *DB) unindexed(ctx context.Context, set *mappings.Set) (notes []string, err error) {
	for _, s := range set.Services() {
		l := &s.Local
		if m.d.led == "" || l.Status.Changed == "" {
			continue
		}
		t, err := m.readTable(ctx, l.Table)
		if err != nil {
			return nil, err
		}
		if t == nil || t.View {
			continue
		}
		schema, bare, _ := strings.Cut(t.Name, ".")
		indexed := false
		err = m.each(ctx, m.db, m.d.catalog(m.d.led, schema, bare), t.Name, func(scan func(...any) error) error {
			var column string
			err := scan(&column)
			indexed = indexed || strings.EqualFold(column, l.Status.Changed)
			return err
		})
		if err != nil {
			return nil, err
		}
		note := fmt.Sprintf("%s has no index on (%s, %s): it is read whole every two seconds, in search of rows that changed", t.Name, l.Status.Changed, l.Key)
		if !indexed && !slices.Contains(notes, note) {
			notes = append(notes, note)
		}
	}
	return notes, nil
}
