package mio

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"kopir/mappings"
)

// one reads a column of the row with a key, as text without padding.
func (m *DB) one(ctx context.Context, in asker, t *table, column string, key cell) (text string, there bool, err error) {
	c, err := t.column(column)
	if err != nil {
		return "", false, err
	}
	err = m.each(ctx, in, m.d.selectBy(t, []*mappings.Column{c}, key), t.Name, func(scan func(...any) error) error {
		var v sql.NullString
		there = true
		err := scan(&v)
		text = unpad(v)
		return err
	})
	return text, there, err
}

// unpad is text as it was before a CHAR column padded it.
func unpad(v sql.NullString) string { return strings.TrimRight(v.String, " ") }

// translate gives the value of one column in the row of a table that has
// another in a second column: the id of a code, or the code of an id.
func (m *DB) translate(ctx context.Context, in asker, name, from, to, value string) (string, error) {
	t, err := m.table(ctx, name)
	if err != nil {
		return "", err
	}
	key, err := m.cell(t, from, datum{kind: "any", text: value})
	if err != nil {
		return "", err
	}
	text, there, err := m.one(ctx, in, t, to, key)
	if err == nil && !there {
		err = fmt.Errorf("mio: %s has no row with this %s: add it there", t.Name, from)
	}
	return text, err
}

// localCode is the code of a status as the mapping writes it.
func (m *DB) localCode(ctx context.Context, in asker, l *mappings.Local, raw string) (string, error) {
	by, ok := l.Lookup("", l.Status.Column)
	if !ok || raw == "" {
		return raw, nil
	}
	return m.translate(ctx, in, by.Table, by.ID, by.Code, raw)
}
