package mio

import (
	"context"
	"errors"
	"fmt"

	"kopir/gateway"
)

// maxRaces bounds how often a status is set anew because the local system
// changed it meanwhile.
const maxRaces = 3

// update sets the status of the row that is there. It is compared again
// afterwards: a trigger or a view may have let it fall.
func (w *writer) update(ctx context.Context) error {
	l := &w.s.Local
	for try := 0; ; try++ {
		c := w.cells(ctx, l.Table, "")
		if c.err != nil {
			return c.err
		}
		key, err := w.m.cell(c.t, l.Key, datum{kind: "code", text: w.row.Number})
		if err != nil {
			return err
		}
		raw, there, err := w.m.one(ctx, w.tx, c.t, l.Status.Column, key)
		if err != nil {
			return err
		}
		if !there {
			return fmt.Errorf("mio: %s has no row %s: was it deleted?", l.Table, w.row.Number)
		}
		now, err := w.m.localCode(ctx, w.tx, l, raw)
		if err != nil {
			return err
		}
		switch {
		case now == w.code && try > 0:
			return nil // as we set it
		case now == w.code:
			return w.result(ctx, c, key)
		}
		if s, ok := w.s.StatusByLocal(now); ok && gateway.State(s.State).Final() && !w.row.State.Final() {
			return nil // the local system was faster and has ended it
		}
		if try == maxRaces {
			return &Fault{Op: "set the status in", Table: c.t.Name, Class: Other, Cause: errors.New("the table does not keep it")}
		}
		if err := w.set(ctx, c, key, raw); err != nil {
			return err
		}
	}
}

// result writes what was issued beside a status that is there; one that was
// written before is written again as it was.
func (w *writer) result(ctx context.Context, c *cells, key cell) error {
	c.issued(ctx, w.row.Issued)
	if c.err != nil || len(c.list) == 0 {
		return c.err
	}
	return w.m.exec(ctx, w.tx, w.m.d.update(c.t, c.list, []cell{key}), c.t.Name)
}

// issued puts a result into its columns.
func (c *cells) issued(ctx context.Context, i *gateway.Issued) {
	if i == nil {
		return
	}
	signature, beside := i.Signature()
	for _, column := range c.w.s.Local.Result.Columns() {
		v, there := datum{kind: "string"}, true
		switch column.What {
		case "document":
			v.bytes = i.Document.Content
		case "signature":
			v.bytes, there = signature.Content, beside
		case "paper":
			if there = i.Paper != nil; there {
				v.bytes = i.Paper.Content
			}
		case "name":
			v.text = i.Document.Name
		case "sha256":
			v.text = i.Document.SHA256
		case "address":
			v.text, there = i.Address, i.Address != ""
		}
		if column.Bytes() {
			v.kind = "bytes"
		}
		if there {
			c.add(ctx, column.Column, v)
		}
	}
}

// set writes the status where it is still as it was read.
func (w *writer) set(ctx context.Context, c *cells, key cell, was string) error {
	l := &w.s.Local
	c.add(ctx, l.Status.Column, datum{kind: "code", text: w.code})
	c.add(ctx, l.Status.Changed, moment(w.row.At))
	if w.row.State == gateway.Refused {
		c.add(ctx, l.Status.Reason, datum{kind: "string", text: w.row.Reason.RU})
	}
	c.issued(ctx, w.row.Issued)
	if c.err != nil {
		return c.err
	}
	where := []cell{key}
	if was != "" {
		still, err := w.m.cell(c.t, l.Status.Column, datum{kind: "any", text: was})
		if err != nil {
			return err
		}
		where = append(where, still)
	}
	return w.m.exec(ctx, w.tx, w.m.d.update(c.t, c.list, where), c.t.Name)
}
