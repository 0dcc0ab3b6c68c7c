package mio

import (
	"fmt"
	"strings"

	"kopir/mappings"
)

// cell is a column with the value for it, as the driver takes it.
type cell struct {
	column *mappings.Column
	value  any
}

// statement is one SQL text and its parameters. The text is made of names that
// the catalog gave and of nothing else.
type statement struct {
	d    *Dialect
	text strings.Builder
	args []any
}

func (d *Dialect) statement(text string) *statement {
	s := &statement{d: d}
	s.text.WriteString(text)
	return s
}

// param writes a parameter.
func (s *statement) param(c cell) {
	s.args = append(s.args, c.value)
	s.text.WriteString(s.d.param(len(s.args), c.column.Kind))
}

// equal writes conditions or assignments: column = parameter.
func (s *statement) equal(between string, cells ...cell) {
	for i, c := range cells {
		if i > 0 {
			s.text.WriteString(between)
		}
		s.text.WriteString(s.d.quote(c.column.Name) + " = ")
		s.param(c)
	}
}

// names lists columns.
func (d *Dialect) names(columns []*mappings.Column) string {
	var out []string
	for _, c := range columns {
		out = append(out, d.quote(c.Name))
	}
	return strings.Join(out, ", ")
}

// insert makes a new row.
func (d *Dialect) insert(t *table, cells []cell) *statement {
	var columns []*mappings.Column
	for _, c := range cells {
		columns = append(columns, c.column)
	}
	s := d.statement("INSERT INTO " + t.sql + " (" + d.names(columns) + ") VALUES (")
	for i, c := range cells {
		if i > 0 {
			s.text.WriteString(", ")
		}
		s.param(c)
	}
	s.text.WriteString(")")
	return s
}

// selectBy reads columns of the row with a key.
func (d *Dialect) selectBy(t *table, columns []*mappings.Column, key cell) *statement {
	s := d.statement("SELECT " + d.names(columns) + " FROM " + t.sql + " WHERE ")
	s.equal("", key)
	return s
}

// selectAny reads columns of the rows with one of several keys.
func (d *Dialect) selectAny(t *table, columns []*mappings.Column, keys []cell) *statement {
	s := d.statement("SELECT " + d.names(columns) + " FROM " + t.sql + " WHERE " + d.quote(keys[0].column.Name) + " IN (")
	for i, k := range keys {
		if i > 0 {
			s.text.WriteString(", ")
		}
		s.param(k)
	}
	s.text.WriteString(")")
	return s
}

// update sets cells where all conditions hold.
func (d *Dialect) update(t *table, set, where []cell) *statement {
	s := d.statement("UPDATE " + t.sql + " SET ")
	s.equal(", ", set...)
	s.text.WriteString(" WHERE ")
	s.equal(" AND ", where...)
	return s
}

// comparable is a column with times, as they are compared.
func (d *Dialect) comparable(mark string) string {
	if d.moment == "" {
		return d.quote(mark)
	}
	return strings.ReplaceAll(d.moment, "#", d.quote(mark))
}

// after reads key and mark of the rows behind a place, in order: those whose
// mark is later, and those of the same mark with a greater key.
func (d *Dialect) after(t *table, key, mark *mappings.Column, from *place, limit int) *statement {
	k, m := d.quote(key.Name), d.comparable(mark.Name)
	s := d.statement(fmt.Sprintf("SELECT %s, %s FROM %s WHERE ", k, m, t.sql))
	if from.At == "" {
		s.text.WriteString(m + " IS NOT NULL")
	} else {
		at, last := cell{mark, from.At}, cell{key, from.Key}
		s.text.WriteString(m + " >= ") // by which an index is bound; an OR alone bounds none
		s.param(at)
		s.text.WriteString(" AND (" + m + " > ")
		s.param(at)
		s.text.WriteString(" OR " + k + " > ")
		s.param(last)
		s.text.WriteString(")")
	}
	s.text.WriteString(" ORDER BY " + m + ", " + k)
	whole := d.atMost(s.text.String(), limit)
	s.text.Reset()
	s.text.WriteString(whole)
	return s
}
