package mio

import (
	"slices"
	"strings"

	"kopir/mappings"
)

// attempt is what the bridge will do with columns of a table, tried on no row.
type attempt struct {
	right   string
	columns []string
	text    func(d *Dialect, table string, columns []string) string
}

func attempts(a mappings.Access) []attempt {
	return []attempt{
		{"SELECT", a.Read, func(d *Dialect, table string, columns []string) string {
			return "SELECT " + d.list(columns) + " FROM " + table + " WHERE 1 = 0"
		}},
		{"INSERT", a.Insert, func(d *Dialect, table string, columns []string) string {
			return "INSERT INTO " + table + " (" + d.list(columns) + ") SELECT " + strings.Join(slices.Repeat([]string{"NULL"}, len(columns)), ", ") + d.nowhere + " WHERE 1 = 0"
		}},
		{"UPDATE", a.Update, func(d *Dialect, table string, columns []string) string {
			var set []string
			for _, c := range columns {
				set = append(set, d.quote(c)+" = NULL")
			}
			return "UPDATE " + table + " SET " + strings.Join(set, ", ") + " WHERE 1 = 0"
		}},
	}
}

func (d *Dialect) list(names []string) string {
	var out []string
	for _, n := range names {
		out = append(out, d.quote(n))
	}
	return strings.Join(out, ", ")
}

// Denied tries what the bridge will do, and takes it back. A file has one right
// for all its tables, and opening it asked for that.
func (l live) Denied(name string, a mappings.Access) ([]mappings.Denial, error) {
	if l.m.makes() {
		return nil, nil
	}
	t, err := l.m.readTable(l.ctx, name)
	if err != nil {
		return nil, err
	}
	if l.m.d.usage != "" {
		schema, _, _ := strings.Cut(t.Name, ".")
		var may bool
		if err := l.read(l.m.d.catalog(l.m.d.usage, schema, ""), t.Name, &may); err != nil {
			return nil, err
		}
		if !may {
			grant, err := l.grant("USAGE", nil, "SCHEMA "+l.m.d.quote(schema))
			return []mappings.Denial{{Right: "USAGE", Grant: grant}}, err
		}
	}
	var denied []mappings.Denial
	for _, try := range attempts(a) {
		if len(try.columns) == 0 {
			continue
		}
		switch err := l.try(try.text(l.m.d, t.sql, try.columns), t.Name); {
		case classOf(err) == Denied:
		case err != nil:
			return nil, err
		default:
			continue
		}
		one, err := l.denial(t, try)
		if err != nil {
			return nil, err
		}
		denied = append(denied, one)
	}
	return denied, nil
}

// denial finds out of which columns a right is missing.
func (l live) denial(t *table, try attempt) (mappings.Denial, error) {
	one := mappings.Denial{Right: try.right}
	for _, c := range try.columns {
		// Another error than a missing right is of the row that would lack its other columns.
		if classOf(l.try(try.text(l.m.d, t.sql, []string{c}), t.Name)) == Denied {
			one.Columns = append(one.Columns, c)
		}
	}
	if len(one.Columns) == len(try.columns) || !slices.Contains(l.m.d.byColumn, try.right) {
		one.Columns = nil
	}
	var err error
	one.Grant, err = l.grant(try.right, one.Columns, t.sql)
	return one, err
}

// Hidden says whether a table, or with a name a column of it, may be there and is
// not shown for want of rights.
func (l live) Hidden(name, column string) (*mappings.Denial, error) {
	schema, bare, err := split(name)
	if err != nil || l.m.makes() {
		return nil, nil // a name that is not plain is told elsewhere
	}
	if schema == "" {
		schema = l.m.schema
	}
	table := l.m.d.quote(bare)
	if schema != "" {
		table = l.m.d.quote(schema) + "." + table
	}
	what, columns, right := "1", []string(nil), "SELECT, INSERT, UPDATE"
	if column != "" {
		what, columns, right = l.m.d.quote(column), []string{column}, "SELECT"
	}
	switch err := l.try("SELECT "+what+" FROM "+table+" WHERE 1 = 0", name); classOf(err) {
	case Denied:
		grant, err := l.grant(right, columns, table)
		return &mappings.Denial{Right: right, Columns: columns, Grant: grant}, err
	case Lost:
		return nil, err
	}
	return nil, nil
}

// grant is the sentence that gives the bridge's user a right.
func (l live) grant(right string, columns []string, on string) (string, error) {
	var user string
	if err := l.read(l.m.d.statement(l.m.d.user), "", &user); err != nil {
		return "", err
	}
	if len(columns) > 0 {
		right += " (" + l.m.d.list(columns) + ")"
	}
	return "GRANT " + right + " ON " + on + " TO " + user, nil
}

// read reads one value.
func (l live) read(s *statement, table string, into any) error {
	return l.m.each(l.ctx, l.m.db, s, table, func(scan func(...any) error) error { return scan(into) })
}

func (l live) try(text, table string) error {
	tx, err := l.m.db.BeginTx(l.ctx, nil)
	if err != nil {
		return l.m.d.fault("reach", "", err)
	}
	defer tx.Rollback()
	return l.m.exec(l.ctx, tx, l.m.d.statement(text), table)
}
