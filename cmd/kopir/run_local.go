package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"

	"kopir/mappings"
)

// localRow reads the status code of an application where the local body would
// read it: in its own table.
func (p *play) localRow(ctx context.Context, s *mappings.Service, number string) (status string, err error) {
	// Names come from the mapping, which lets plain identifiers through only.
	q := fmt.Sprintf("SELECT %s FROM %s WHERE %s = ?", s.Local.Status.Column, s.Local.Table, s.Local.Key)
	err = p.askLocal(ctx, &status, q, number)
	return status, err
}

// localRows counts the rows of a service in the local database.
func (p *play) localRows(ctx context.Context, s *mappings.Service) (n int, err error) {
	err = p.askLocal(ctx, &n, "SELECT COUNT(*) FROM "+s.Local.Table)
	return n, err
}

// askLocal opens the local database as somebody else would: by its file.
func (p *play) askLocal(ctx context.Context, into any, q string, args ...any) error {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: p.loaded.path(p.loaded.Local.Path)}).EscapedPath()+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	defer db.Close()
	return db.QueryRowContext(ctx, q, args...).Scan(into)
}
