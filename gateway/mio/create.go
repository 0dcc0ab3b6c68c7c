package mio

import (
	"context"
	"slices"
	"strings"

	"kopir/mappings"
)

// makes says whether the bridge makes tables here: only in a file of its own.
func (m *DB) makes() bool { return m.d == &sqlite }

// sqliteTypes of the columns that the bridge makes, by the type of the field;
// all others are text.
var sqliteTypes = map[string]string{"int": "INTEGER", "bool": "INTEGER", "number": "INTEGER", "bytes": "BLOB"}

// newColumn is a column to be made; kind is key or what sqliteTypes knows.
type newColumn struct{ name, kind string }

// newTables are the tables of a service with their columns.
func newTables(s *mappings.Service) map[string][]newColumn {
	l := &s.Local
	main := []newColumn{{l.Key, "key"}}
	for _, f := range s.ApplicationFields() {
		main = append(main, newColumn{f.Column, f.Type})
	}
	for _, v := range l.System {
		main = append(main, newColumn{v.Column, ""})
	}
	for _, c := range l.Result.Columns() {
		kind := ""
		if c.Bytes() {
			kind = "bytes"
		}
		main = append(main, newColumn{c.Column, kind})
	}
	all := map[string][]newColumn{l.Table: append(main, newColumn{l.Status.Column, ""}, newColumn{l.Status.Changed, ""}, newColumn{l.Status.Reason, ""})}
	for _, g := range s.Request.Groups {
		own := []newColumn{{g.Key, ""}, {g.Number, "number"}}
		for _, f := range g.Fields {
			own = append(own, newColumn{f.Column, f.Type})
		}
		all[g.Table] = own
	}
	if f := l.Files; f != nil {
		all[f.Table] = []newColumn{{f.Key, ""}, {f.Kind, ""}, {f.Name, ""}, {f.Type, ""}, {f.SHA256, ""}, {f.Content, "bytes"}}
	}
	return all
}

// create makes the tables that are missing, all in one transaction: each of
// its own would wait for the disk. Editions of a service share tables: those get
// the columns of all.
func (m *DB) create(ctx context.Context, set *mappings.Set) error {
	if !m.makes() {
		return nil
	}
	all, indexes := map[string][]newColumn{}, map[string]bool{}
	for _, s := range set.Services() {
		if s.Local.Foreign() {
			continue
		}
		if l := &s.Local; l.Status.Changed != "" {
			text, err := newIndexText(l.Table, l.Status.Changed, l.Key)
			if err != nil {
				return err
			}
			indexes[text] = true
		}
		for table, columns := range newTables(s) {
			for _, c := range columns {
				if c.name != "" && !slices.ContainsFunc(all[table], func(have newColumn) bool { return strings.EqualFold(have.name, c.name) }) {
					all[table] = append(all[table], c)
				}
			}
		}
	}
	tx, err := m.db.BeginTx(ctx, nil)
	if err != nil {
		return m.d.fault("reach", "", err)
	}
	defer tx.Rollback()
	for table, columns := range all {
		text, err := newTableText(table, columns)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return m.d.fault("make", table, err)
		}
	}
	for text := range indexes {
		_, err := tx.ExecContext(ctx, text)
		if err = m.d.fault("make an index", "", err); err != nil && classOf(err) != Missing { // a column that an older table lacks: Check tells
			return err
		}
	}
	return m.d.fault("make tables", "", tx.Commit())
}

func newTableText(table string, columns []newColumn) (string, error) {
	in, bare, err := newName(table)
	if err != nil {
		return "", err
	}
	var parts []string
	for _, c := range columns {
		if _, _, err := split(c.name); err != nil {
			return "", err
		}
		kind := sqliteTypes[c.kind]
		switch {
		case c.kind == "key":
			kind = "TEXT NOT NULL PRIMARY KEY"
		case kind == "":
			kind = "TEXT"
		}
		parts = append(parts, sqlite.quote(c.name)+" "+kind)
	}
	return "CREATE TABLE IF NOT EXISTS " + in + sqlite.quote(bare) + " (" + strings.Join(parts, ", ") + ")", nil
}

// newIndexText is the index by which rows that changed are found, as after asks
// for them.
func newIndexText(table, mark, key string) (string, error) {
	in, bare, err := newName(table)
	if err != nil {
		return "", err
	}
	return "CREATE INDEX IF NOT EXISTS " + in + sqlite.quote(bare+"_"+mark) + " ON " + sqlite.quote(bare) + " (" + sqlite.comparable(mark) + ", " + sqlite.quote(key) + ")", nil
}

// newName takes the name of a table apart: its schema, quoted and with the point
// behind it, and its bare name.
func newName(table string) (in, bare string, err error) {
	if in, bare, err = split(table); in != "" {
		in = sqlite.quote(in) + "."
	}
	return in, bare, err
}
