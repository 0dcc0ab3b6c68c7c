package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"time"

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

// Kept is one message as it was received.
type Kept struct {
	ID      string
	Channel string // of its application; empty where it became none
	At      time.Time
	Raw     []byte
}

// Messages hands on every message of a service whose content was kept, oldest first.
func (r *Reader) Messages(ctx context.Context, service string, each func(Kept) error) error {
	rows, err := r.s.query(ctx, `SELECT m.id, COALESCE(a.channel, ''), m.at, m.raw FROM messages m LEFT JOIN applications a ON a.number = m.application WHERE m.service = ? AND m.keeping <> 3 ORDER BY m.at, m.id`, service)
	if err != nil {
		return fmt.Errorf("store: messages: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var k Kept
		var at int64
		if err := rows.Scan(&k.ID, &k.Channel, &at, &k.Raw); err != nil {
			return fmt.Errorf("store: messages: %w", err)
		}
		k.At = moment(at)
		if err := each(k); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("store: messages: %w", err)
	}
	return nil
}
