package mio

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"kopir/mappings"
)

// maxCodes bounds a code list: what has more is no list to choose from.
const maxCodes = 100_000

// Codes reads a code list of a service from its table, in the order of its
// codes. A title that is missing in one language is that of the other.
func (m *DB) Codes(ctx context.Context, service, list string) ([]mappings.Code, error) {
	s, ok := m.set().Service(service)
	if !ok {
		return nil, fmt.Errorf("mio: the description of %s is not loaded", service)
	}
	i := slices.IndexFunc(s.Local.Codes, func(c mappings.LocalCodes) bool { return c.Name == list })
	if i < 0 {
		return nil, fmt.Errorf("mio: %s reads no code list %s", service, list)
	}
	codes, err := m.codes(ctx, &s.Local.Codes[i])
	return codes, m.seen(err)
}

func (m *DB) codes(ctx context.Context, l *mappings.LocalCodes) ([]mappings.Code, error) {
	t, err := m.table(ctx, l.Table)
	if err != nil {
		return nil, err
	}
	columns, err := t.columns(l.Code, l.TitleRu, l.TitleKk)
	if err != nil {
		return nil, err
	}
	var codes []mappings.Code
	q := m.d.statement(m.d.atMost("SELECT "+m.d.names(columns)+" FROM "+t.sql+" ORDER BY "+m.d.quote(columns[0].Name), maxCodes+1))
	err = m.each(ctx, m.db, q, t.Name, func(scan func(...any) error) error {
		var code, ru, kk sql.NullString
		if err := scan(&code, &ru, &kk); err != nil {
			return err
		}
		c := mappings.Code{Value: unpad(code), Ru: strings.TrimSpace(ru.String), Kk: strings.TrimSpace(kk.String)}
		if c.Value == "" {
			return nil
		}
		if c.Ru == "" {
			c.Ru = c.Kk
		}
		if c.Kk == "" {
			c.Kk = c.Ru
		}
		codes = append(codes, c)
		return nil
	})
	if len(codes) > maxCodes {
		return nil, fmt.Errorf("mio: %s has more than %d codes", t.Name, maxCodes)
	}
	return codes, err
}
