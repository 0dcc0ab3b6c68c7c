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

// Denied tries what the bridge will do, on no row, and takes it back. A file has
// one right for all its tables, and opening it asked for that.
func (l live) Denied(name string, a mappings.Access) ([]string, error) {
	if l.m.makes() {
		return nil, nil
	}
	t, err := l.m.readTable(l.ctx, name)
	if err != nil {
		return nil, err
	}
	list := func(names []string) string {
		var out []string
		for _, n := range names {
			out = append(out, l.m.d.quote(n))
		}
		return strings.Join(out, ", ")
	}
	var set []string
	for _, n := range a.Update {
		set = append(set, l.m.d.quote(n)+" = "+l.m.d.quote(n))
	}
	var denied []string
	for _, try := range []struct {
		right, text string
		names       []string
	}{
		{"SELECT", "SELECT " + list(a.Read) + " FROM " + t.sql + " WHERE 1 = 0", a.Read},
		{"INSERT", "INSERT INTO " + t.sql + " (" + list(a.Insert) + ") SELECT " + list(a.Insert) + " FROM " + t.sql + " WHERE 1 = 0", a.Insert},
		{"UPDATE", "UPDATE " + t.sql + " SET " + strings.Join(set, ", ") + " WHERE 1 = 0", a.Update},
	} {
		if len(try.names) == 0 {
			continue
		}
		switch err := l.try(try.text, t.Name); {
		case classOf(err) == Denied:
			denied = append(denied, try.right)
		case err != nil:
			return nil, err
		}
	}
	return denied, nil
}

func (l live) try(text, table string) error {
	tx, err := l.m.db.BeginTx(l.ctx, nil)
	if err != nil {
		return l.m.d.fault("reach", "", err)
	}
	defer tx.Rollback()
	return l.m.exec(l.ctx, tx, l.m.d.statement(text), table)
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
// The error is that of a database that does not answer.
func Inspect(ctx context.Context, o Options, set *mappings.Set) ([]mappings.Fault, error) {
	o.readOnly = true
	if o.Driver == sqlite.Name {
		if _, err := os.Stat(o.Path); err != nil {
			o.Path, o.readOnly = ":memory:", false // nothing is there yet
		}
	}
	m, err := Open(o, set)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if err := m.Ping(ctx); err != nil {
		return nil, err
	}
	found, err := set.CheckSchema(live{m, ctx})
	if err != nil || !m.makes() {
		return found, err
	}
	own := map[string]bool{} // files of descriptions
	for _, s := range set.Services() {
		own[s.File()] = !s.Local.Foreign()
	}
	return slices.DeleteFunc(found, func(f mappings.Fault) bool { return f.Code == "no-table" && own[f.File] }), nil
}
