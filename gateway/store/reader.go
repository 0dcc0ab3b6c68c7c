package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"

	"kopir/gateway"
)

// Reader looks into the store of a bridge, which may be running, and changes
// nothing.
type Reader struct{ s *Store }

// ReadSQLite opens a database file for reading. Its schema must be this
// version's.
func ReadSQLite(ctx context.Context, path string) (*Reader, error) {
	db, err := sql.Open(sqlite.driver, "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=ro&_pragma=busy_timeout(10000)&_pragma=query_only(1)")
	if err != nil {
		return nil, fmt.Errorf("store: open %s: %w", path, err)
	}
	if err := db.PingContext(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("store: open %s: %w", path, err)
	}
	return &Reader{&Store{d: sqlite, read: db}}, nil
}

// Close closes it.
func (r *Reader) Close() error { return r.s.read.Close() }

// Running tells the editions of services that applications still need.
func (r *Reader) Running(ctx context.Context) ([]gateway.RunningEdition, error) {
	return r.s.Running(ctx)
}
