package mio

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"kopir/mappings"
)

// table is a table or view as the catalog has it. Its spelling there is the one
// that goes into SQL: a mapping may write names in any case.
type table struct {
	mappings.Table
	sql string // quoted, with its schema
}

// column finds a column that a statement needs.
func (t *table) column(name string) (*mappings.Column, error) {
	c, ok := t.Column(name)
	if !ok {
		return nil, &Fault{Op: "look at", Table: t.Name, Class: Missing, Where: name}
	}
	return c, nil
}

// columns finds several; empty names give none.
func (t *table) columns(names ...string) ([]*mappings.Column, error) {
	var out []*mappings.Column
	for _, n := range names {
		if n == "" {
			continue
		}
		c, err := t.column(n)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// split takes the name of a table in a mapping apart.
func split(name string) (schema, bare string, err error) {
	schema, bare, qualified := strings.Cut(name, ".")
	if !qualified {
		schema, bare = "", name
	}
	if !plainName.MatchString(bare) || qualified && !plainName.MatchString(schema) {
		return "", "", fmt.Errorf("mio: %q is not a plain name", name)
	}
	return schema, bare, nil
}

// table gives a table of a mapping, read from the catalog once until something
// turns out to be missing.
func (m *DB) table(ctx context.Context, name string) (*table, error) {
	if t, ok := m.known(name); ok {
		return t, nil
	}
	t, err := m.readTable(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case t == nil:
		return nil, &Fault{Op: "look at", Table: name, Class: Missing}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tables[name] = t
	return t, nil
}

func (m *DB) known(name string) (*table, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.tables[name]
	return t, ok
}

// forget lets the catalog be read again: somebody changed the tables.
func (m *DB) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.tables)
}

// readTable reads a table from the catalog; nil: there is none.
func (m *DB) readTable(ctx context.Context, name string) (*table, error) {
	schema, bare, err := split(name)
	if err != nil {
		return nil, err
	}
	if schema == "" {
		schema = m.schema
	}
	var t *table
	err = m.each(ctx, m.db, m.d.catalog(m.d.columns, schema, bare), name, func(scan func(...any) error) error {
		var in, called, column, kind string
		var view, noRollback, nullable, filled, narrow sql.NullBool
		if err := scan(&in, &called, &view, &noRollback, &column, &kind, &nullable, &filled, &narrow); err != nil {
			return err
		}
		if t == nil {
			t = &table{sql: m.d.quote(in) + "." + m.d.quote(called)}
			t.Name, t.View, t.NoRollback = in+"."+called, view.Bool, noRollback.Bool
			schema, bare = in, called
		}
		if schema == in && bare == called { // another that differs by case only is not meant
			c := m.d.describe(column, kind)
			c.Nullable, c.Filled, c.Narrow = nullable.Bool, filled.Bool, narrow.Bool && c.Kind == mappings.TextKind
			t.Columns = append(t.Columns, c)
		}
		return nil
	})
	if err != nil || t == nil {
		return nil, err
	}
	return t, m.each(ctx, m.db, m.d.catalog(m.d.unique, schema, bare), name, func(scan func(...any) error) error {
		var column string
		if err := scan(&column); err != nil {
			return err
		}
		if c, ok := t.Column(column); ok {
			c.Unique = true
		}
		return nil
	})
}

// catalog fills in a query of the catalog.
func (d *Dialect) catalog(query, schema, bare string) *statement {
	s := d.statement("")
	for {
		before, after, found := strings.Cut(query, "{")
		s.text.WriteString(before)
		if !found {
			return s
		}
		name, rest, _ := strings.Cut(after, "}")
		s.args = append(s.args, map[string]any{"table": bare, "schema": schema}[name])
		s.text.WriteString(d.param(len(s.args), mappings.TextKind))
		query = rest
	}
}

// describe reads the name of a type: VARCHAR2(120 BYTE), numeric(10,2),
// timestamp(3) without time zone.
func (d *Dialect) describe(column, native string) mappings.Column {
	c := mappings.Column{Name: column, Type: native, Kind: mappings.OtherKind}
	name := strings.ToLower(native)
	var inside string
	if before, after, ok := strings.Cut(name, "("); ok {
		var rest string
		inside, rest, _ = strings.Cut(after, ")")
		name = strings.TrimSpace(before) + rest
	}
	name = strings.TrimSuffix(strings.TrimSpace(name), " unsigned")
	if kind, ok := d.kinds[name]; ok {
		c.Kind = kind
	} else if kind, ok := kinds[name]; ok {
		c.Kind = kind
	}
	size, scale, hasScale := strings.Cut(strings.TrimSuffix(inside, " byte"), ",")
	n, err := strconv.Atoi(strings.TrimSpace(size))
	switch {
	case err != nil:
	case c.Kind == mappings.TextKind:
		c.Length, c.Bytes, c.Fixed = n, strings.HasSuffix(inside, " byte"), fixedTypes[name]
	case c.Kind == mappings.DecimalKind && (!hasScale || strings.TrimSpace(scale) == "0"):
		c.Kind = mappings.IntKind
	}
	return c
}
