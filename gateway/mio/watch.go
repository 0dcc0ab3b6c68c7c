package mio

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"kopir/gateway"
)

// place is where a reader has come to: the last row's time of change, as the
// database compares it, and its key. Rows that changed at one moment are told
// apart by their keys.
type place struct {
	At  string `json:"at"`
	Key string `json:"key"`
}

// Changes gives rows of the table of a description, by its name, whose time of change lies after the cursor, oldest first.
// Rows without a time of change are not seen. A local system may write the
// time in any notation of ISO 8601; it must not set it back.
func (m *DB) Changes(ctx context.Context, service, cursor string, limit int) ([]gateway.LocalChange, string, error) {
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
	l := s.Local
	table, e1 := m.name(l.Table)
	key, e2 := m.name(l.Key)
	column, e3 := m.name(l.Status.Column)
	changed, e4 := m.name(l.Status.Changed)
	if err := errors.Join(e1, e2, e3, e4); err != nil {
		return nil, "", err
	}
	reason := "''"
	if l.Status.Reason != "" {
		var err error
		if reason, err = m.name(l.Status.Reason); err != nil {
			return nil, "", err
		}
	}
	at := m.d.moment(changed)
	rows, err := m.db.QueryContext(ctx, "SELECT "+key+", "+column+", "+reason+", "+at+" FROM "+table+
		" WHERE "+at+" > ? OR "+at+" = ? AND "+key+" > ? ORDER BY "+at+", "+key+" LIMIT ?", from.At, from.At, from.Key, limit)
	if err != nil {
		return nil, "", fmt.Errorf("mio: watch %s: %w", l.Table, err)
	}
	defer rows.Close()
	var all []gateway.LocalChange
	for rows.Next() {
		var code, why sql.NullString
		var number, moment string
		if err := rows.Scan(&number, &code, &why, &moment); err != nil {
			return nil, "", fmt.Errorf("mio: watch %s: %w", l.Table, err)
		}
		c := gateway.LocalChange{Service: service, Number: number, Code: code.String, Reason: gateway.Text{RU: why.String, KK: why.String}}
		if t, err := time.Parse("2006-01-02 15:04:05.000", moment); err == nil {
			c.At = t
		}
		all = append(all, c)
		from = place{moment, number}
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("mio: watch %s: %w", l.Table, err)
	}
	if len(all) == 0 {
		return nil, cursor, nil
	}
	next, err := json.Marshal(from)
	return all, string(next), err
}
