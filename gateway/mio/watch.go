package mio

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"kopir/gateway"
	"kopir/mappings"
)

// place is where a reader of marks has come to: the last row's time of change,
// as the database compares it, and its key. Rows that changed at one moment are
// told apart by their keys.
type place struct {
	At  string `json:"at"`
	Key string `json:"key"`
}

// Changed gives the rows whose time of change lies after the cursor, oldest
// first. It is a hint: a row whose time was not set, was set back, or was
// committed late is not among them.
func (m *DB) Changed(ctx context.Context, service, cursor string, limit int) ([]gateway.LocalChange, string, error) {
	s, ok := m.set().Service(service)
	if !ok || s.Local.Status.Changed == "" {
		return nil, cursor, nil
	}
	var from place
	if cursor != "" {
		if err := json.Unmarshal([]byte(cursor), &from); err != nil {
			return nil, "", fmt.Errorf("mio: the mark of %s does not read: %w", service, err)
		}
	}
	l := &s.Local
	t, err := m.table(ctx, l.Table)
	if err != nil {
		return nil, "", err
	}
	columns, err := t.columns(l.Key, l.Status.Changed)
	if err != nil {
		return nil, "", err
	}
	key, mark := columns[0], columns[1]
	var changed []gateway.LocalChange
	err = m.each(ctx, m.db, m.d.after(t, key, mark, &from, limit), l.Table, func(scan func(...any) error) error {
		var number sql.NullString
		var at any
		if err := scan(&number, &at); err != nil {
			return err
		}
		from = place{m.d.read(mark, at), number.String}
		changed = append(changed, gateway.LocalChange{Number: unpad(number), Mark: from.At})
		return nil
	})
	if err != nil || len(changed) == 0 {
		return nil, cursor, m.seen(err)
	}
	next, err := json.Marshal(from)
	return changed, string(next), err
}

// read is a time as it came, in the notation in which it is compared again.
func (d *Dialect) read(c *mappings.Column, v any) string {
	switch v := v.(type) {
	case time.Time:
		format := d.datetime
		if c.Kind == mappings.InstantKind {
			v, format = v.UTC(), d.instant
		}
		if c.Type != "datetime" { // which takes no more than three digits
			format = strings.Replace(format, ".000", ".000000", 1)
		}
		return v.Format(format)
	case []byte:
		return string(v)
	case string:
		return v
	}
	return fmt.Sprint(v)
}

// seen lets the catalog be read again where something was missing.
func (m *DB) seen(err error) error {
	if classOf(err) == Missing {
		m.forget()
	}
	return err
}

// Statuses gives the status of rows as they are now; numbers without a row are
// left out.
func (m *DB) Statuses(ctx context.Context, service string, numbers []string) ([]gateway.LocalStatus, error) {
	s, ok := m.set().Service(service)
	if !ok || len(numbers) == 0 {
		return nil, nil
	}
	all, err := m.statuses(ctx, s, numbers)
	return all, m.seen(err)
}

func (m *DB) statuses(ctx context.Context, s *mappings.Service, numbers []string) ([]gateway.LocalStatus, error) {
	l := &s.Local
	t, err := m.table(ctx, l.Table)
	if err != nil {
		return nil, err
	}
	var keys []cell
	for _, n := range numbers {
		key, err := m.cell(t, l.Key, datum{kind: "code", text: n})
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	columns, err := t.columns(l.Key, l.Status.Column, l.Status.Reason)
	if err != nil {
		return nil, err
	}
	var all []gateway.LocalStatus
	err = m.each(ctx, m.db, m.d.selectAny(t, columns, keys), l.Table, func(scan func(...any) error) error {
		var number, code, why sql.NullString
		into := []any{&number, &code, &why}
		if err := scan(into[:len(columns)]...); err != nil {
			return err
		}
		reason := unpad(why)
		all = append(all, gateway.LocalStatus{Number: unpad(number), Code: unpad(code), Reason: gateway.Text{RU: reason, KK: reason}})
		return nil
	})
	if err != nil {
		return nil, err
	}
	codes := map[string]string{} // by what the column has
	for i := range all {
		raw := all[i].Code
		if _, ok := codes[raw]; !ok {
			if codes[raw], err = m.localCode(ctx, m.db, l, raw); err != nil {
				return nil, err
			}
		}
		all[i].Code = codes[raw]
	}
	return all, nil
}
