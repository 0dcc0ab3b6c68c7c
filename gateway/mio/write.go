package mio

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"kopir/gateway"
	"kopir/mappings"
)

// writer is one application on its way into the tables of its service, within
// one transaction.
type writer struct {
	m   *DB
	tx  *sql.Tx
	s   *mappings.Service
	row gateway.LocalRow
	// code is the local code of the row's state.
	code string
	ids  map[string]string // of entities by their names; of the row itself by ""
}

// Write puts a row into the tables of its service, or a new status on it. What
// is there already stays: only the key is asked for, and a duplicate key means
// that another try of ours was faster.
func (m *DB) Write(ctx context.Context, row gateway.LocalRow) error {
	s, ok := m.set().Edition(row.Service, row.Edition)
	if !ok {
		return ours(fmt.Errorf("mio: the description of %s, edition %q, is not loaded", row.Service, row.Edition))
	}
	status, ok := s.Status(string(row.State))
	if !ok {
		return ours(fmt.Errorf("mio: %s has no local code for %s", s.ID, row.State))
	}
	for again := false; ; again = true {
		err := m.transact(ctx, &writer{m: m, s: s, row: row, code: status.Local})
		switch class := classOf(err); {
		case class == Duplicate && !again:
			continue
		case class == Duplicate, class == Refused:
			return refused(err) // not of the key: another value that must be unique
		case class == Missing:
			m.forget()
		}
		return passing(err)
	}
}

// ours is a fault of the description: the same row will not do.
func ours(err error) error {
	return &gateway.SendError{Permanent: true, Cause: gateway.CauseOurs, Err: err}
}

// refused is a row that the table does not take.
func refused(err error) error {
	return &gateway.SendError{Permanent: true, Cause: gateway.CauseRefused, Code: codeOf(err), Err: err}
}

// passing tells a database that is away from one that cannot take this row now.
func passing(err error) error {
	var said *gateway.SendError
	if err == nil || errors.As(err, &said) {
		return err
	}
	cause := gateway.CauseFault
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		cause = gateway.CauseTimeout
	case classOf(err) == Lost:
		cause = gateway.CauseUnreachable
	}
	return &gateway.SendError{Cause: cause, Code: codeOf(err), Err: err}
}

// writeSteps bounds a transaction by the budget of so many statements.
const writeSteps = 4

func (m *DB) transact(ctx context.Context, w *writer) error {
	ctx, cancel := context.WithTimeout(ctx, writeSteps*m.budget)
	defer cancel()
	if m.d.Name == sqlite.Name {
		select {
		case m.turn <- struct{}{}:
			defer func() { <-m.turn }()
		case <-ctx.Done():
			return m.d.fault("reach", "", ctx.Err())
		}
	}
	tx, err := m.db.BeginTx(ctx, nil)
	if err != nil {
		return m.d.fault("reach", "", err)
	}
	defer tx.Rollback()
	w.tx, w.ids = tx, map[string]string{}
	switch {
	case w.row.Corrects:
		err = w.correct(ctx)
	case len(w.row.Fields) > 0:
		err = w.insert(ctx)
	default:
		err = w.update(ctx)
	}
	if err != nil {
		return err
	}
	return m.d.fault("commit", w.s.Local.Table, tx.Commit())
}

// cells are the values of a new row of a table.
type cells struct {
	w      *writer
	t      *table
	entity string
	list   []cell
	err    error
}

func (w *writer) cells(ctx context.Context, table, entity string) *cells {
	t, err := w.m.table(ctx, table)
	return &cells{w: w, t: t, entity: entity, err: err}
}

// add puts a value into a column; an empty name is a column that the mapping
// leaves out.
func (c *cells) add(ctx context.Context, column string, v datum) {
	if column == "" || c.err != nil {
		return
	}
	if l, ok := c.w.s.Local.Lookup(c.entity, column); ok {
		v.text, c.err = c.w.m.translate(ctx, c.w.tx, l.Table, l.Code, l.ID, v.text)
		v.kind = "any"
	}
	if c.err != nil {
		return
	}
	var one cell
	if one, c.err = c.w.m.cell(c.t, column, v); c.err == nil {
		c.list = append(c.list, one)
	}
}

// cell binds a value to a column of a table.
func (m *DB) cell(t *table, column string, v datum) (cell, error) {
	c, err := t.column(column)
	if err != nil {
		return cell{}, err
	}
	value, err := m.d.bind(c, v, m.zone)
	if err != nil {
		return cell{}, ours(fmt.Errorf("mio: %s: %w", t.Name, err))
	}
	return cell{c, value}, nil
}

// put makes the row.
func (c *cells) put(ctx context.Context) error {
	if c.err != nil {
		return c.err
	}
	return c.w.m.exec(ctx, c.w.tx, c.w.m.d.insert(c.t, c.list), c.t.Name)
}

// constants are those of the mapping for this table.
func (c *cells) constants(ctx context.Context) {
	for _, k := range c.w.s.Local.Constants {
		if k.Entity == c.entity {
			c.add(ctx, k.Column, datum{kind: "any", text: k.Value})
		}
	}
}

func (c *cells) field(ctx context.Context, field *mappings.Field, known bool, f gateway.Field) {
	if !known && c.err == nil {
		c.err = ours(fmt.Errorf("mio: %s has no field %s any more", c.w.s.ID, f.Name))
	}
	if c.err == nil {
		c.add(ctx, f.Column, datum{kind: field.Type, text: f.Value, yes: field.Yes, no: field.No})
	}
}

// insert makes the row with everything that belongs to it, or nothing where it
// is there already.
func (w *writer) insert(ctx context.Context) error {
	l := &w.s.Local
	main := w.cells(ctx, l.Table, "")
	if main.err != nil {
		return main.err
	}
	key, err := w.m.cell(main.t, l.Key, datum{kind: "code", text: w.row.Number})
	if err != nil {
		return err
	}
	if _, there, err := w.m.one(ctx, w.tx, main.t, l.Key, key); err != nil || there {
		return err // with its children and files
	}
	for i := range l.Entities {
		if err := w.entity(ctx, &l.Entities[i]); err != nil {
			return err
		}
	}
	main.add(ctx, l.Key, datum{kind: "code", text: w.row.Number})
	for _, f := range w.row.Fields {
		if field, ok := w.s.Field(f.Name); !ok || field.Entity == "" {
			main.field(ctx, field, ok, f)
		}
	}
	for _, e := range l.Entities {
		if id, ok := w.ids[e.Name]; ok {
			main.add(ctx, e.Column, datum{kind: "any", text: id})
		}
	}
	w.system(ctx, main)
	main.constants(ctx)
	main.add(ctx, l.Status.Column, datum{kind: "code", text: w.code})
	main.add(ctx, l.Status.Changed, moment(w.row.At))
	if err := main.put(ctx); err != nil {
		return err
	}
	if l.ID != "" {
		if w.ids[""], _, err = w.m.one(ctx, w.tx, main.t, l.ID, key); err != nil {
			return err
		}
	}
	if err := w.groups(ctx); err != nil {
		return err
	}
	return w.files(ctx)
}

// system puts what the bridge knows beside the document.
func (w *writer) system(ctx context.Context, c *cells) {
	for _, v := range w.s.Local.System {
		text := w.row.System[v.Value]
		if text == "" {
			continue
		}
		d := datum{kind: "string", text: text}
		if at, err := time.Parse(time.RFC3339, text); err == nil && v.Value == "received_at" {
			d.kind, d.at = "time", at
		}
		c.add(ctx, v.Column, d)
	}
}

// entity finds the row that applications share, or makes it. Without a value
// for its key there is none.
func (w *writer) entity(ctx context.Context, e *mappings.Entity) error {
	c := w.cells(ctx, e.Table, e.Name)
	var key *gateway.Field
	var kind string
	for i := range w.row.Fields {
		f := &w.row.Fields[i]
		field, ok := w.s.Field(f.Name)
		if !ok || field.Entity != e.Name {
			continue
		}
		c.field(ctx, field, ok, *f)
		if strings.EqualFold(f.Column, e.Key) {
			key, kind = f, field.Type
		}
	}
	if key == nil || c.err != nil {
		return c.err
	}
	by, err := w.m.cell(c.t, e.Key, datum{kind: kind, text: key.Value})
	if err != nil {
		return err
	}
	for made := false; ; made = true {
		id, there, err := w.m.one(ctx, w.tx, c.t, e.ID, by)
		switch {
		case err != nil:
			return err
		case there:
			w.ids[e.Name] = id
			return nil
		case made:
			return &Fault{Op: "find what was written into", Table: c.t.Name}
		}
		c.constants(ctx)
		if err := c.put(ctx); err != nil {
			return err
		}
	}
}

// owner is the key of a child row.
func (w *writer) owner(keyIs string) datum {
	if mappings.KeyedByID(keyIs) {
		return datum{kind: "any", text: w.ids[""]}
	}
	return datum{kind: "code", text: w.row.Number}
}

// groups writes what repeats in the document into the tables of the groups.
func (w *writer) groups(ctx context.Context) error {
	for _, r := range w.row.Groups {
		g, ok := w.s.Group(r.Group)
		if !ok {
			return ours(fmt.Errorf("mio: %s has no group %s any more", w.s.ID, r.Group))
		}
		c := w.cells(ctx, g.Table, g.Name)
		c.add(ctx, g.Key, w.owner(g.KeyIs))
		c.add(ctx, g.Number, datum{kind: "number", text: fmt.Sprint(r.Number)})
		for _, f := range r.Fields {
			field, ok := g.Field(f.Name)
			c.field(ctx, field, ok, f)
		}
		c.constants(ctx)
		if err := c.put(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) files(ctx context.Context) error {
	l := w.s.Local.Files
	if l == nil {
		return nil
	}
	for _, f := range w.row.Files {
		c := w.cells(ctx, l.Table, mappings.FilesName)
		c.add(ctx, l.Key, w.owner(l.KeyIs))
		for _, v := range [][2]string{{l.Kind, f.Kind}, {l.Name, f.Name}, {l.Type, f.MediaType}, {l.SHA256, f.SHA256}} {
			c.add(ctx, v[0], datum{kind: "string", text: v[1]})
		}
		c.add(ctx, l.Content, datum{kind: "bytes", bytes: f.Content})
		c.constants(ctx)
		if err := c.put(ctx); err != nil {
			return err
		}
	}
	return nil
}

// correct replaces values of the row that is there.
func (w *writer) correct(ctx context.Context) error {
	l := &w.s.Local
	c := w.cells(ctx, l.Table, "")
	for _, f := range w.row.Fields {
		field, ok := w.s.Field(f.Name)
		c.field(ctx, field, ok, f)
	}
	if c.err != nil {
		return c.err
	}
	key, err := w.m.cell(c.t, l.Key, datum{kind: "code", text: w.row.Number})
	if err != nil {
		return err
	}
	if _, there, err := w.m.one(ctx, w.tx, c.t, l.Key, key); err != nil || !there {
		return cmp.Or(err, fmt.Errorf("mio: %s has no row %s: was it deleted?", l.Table, w.row.Number))
	}
	return w.m.exec(ctx, w.tx, w.m.d.update(c.t, c.list, []cell{key}), c.t.Name)
}
