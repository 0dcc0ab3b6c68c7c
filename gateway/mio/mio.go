// Package mio writes applications into the local executive body's own
// database and reads back the status that its systems set there.
//
// One door for PostgreSQL, MariaDB and MySQL, SQLite, SQL Server and Oracle:
// what differs between them is data (dialect.go), and what their tables look
// like is asked of their catalogs (catalog.go), so that a mapping may write names
// in any case and values arrive in the types that the columns have (bind.go).
//
// Rules it keeps: names of tables and columns come from the mapping alone, are
// plain, are found in the catalog and quoted as it spells them; values travel
// as parameters; the application's number is the key, so that a repeated write
// makes no second row, also when the answer to a commit was lost; a row, its
// children and files are written together or not at all; a status that ends an
// application is never written over by one that does not. The bridge changes
// nothing there but its own rows. Errors name no value.
package mio

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
	"time"

	"kopir/gateway"
	"kopir/mappings"
)

// DB is a gateway.LocalDB.
type DB struct {
	d        *Dialect
	db       *sql.DB
	services atomic.Pointer[mappings.Set]
	schema   string
	zone     *time.Location
	budget   time.Duration // of one statement
	notify   string
	// turn is held by who writes into a file: SQLite's own way of waiting is to
	// sleep and look again.
	turn chan struct{}

	mu     sync.Mutex
	tables map[string]*table // by their names in mappings
}

var _ gateway.LocalDB = (*DB)(nil)

// set is the descriptions as they are now.
func (m *DB) set() *mappings.Set { return m.services.Load() }

// Use takes over descriptions: in a file, tables that are missing are made;
// what is there must fit, or nothing changes but for the new tables. A server
// that does not answer now is not asked.
func (m *DB) Use(ctx context.Context, set *mappings.Set) error {
	if err := m.create(ctx, set); err != nil {
		return err
	}
	if err := m.check(ctx, set); err != nil && classOf(err) != Lost {
		return err
	}
	m.forget()
	m.services.Store(set)
	return nil
}

// Close closes the database.
func (m *DB) Close() error { return m.db.Close() }

// Ping says whether the database answers.
func (m *DB) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, m.budget)
	defer cancel()
	return m.d.fault("reach", "", m.db.PingContext(ctx))
}

// asker is a database or a transaction in it.
type asker interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// exec runs a statement within the budget.
func (m *DB) exec(ctx context.Context, in asker, s *statement, table string) error {
	ctx, cancel := context.WithTimeout(ctx, m.budget)
	defer cancel()
	_, err := in.ExecContext(ctx, s.text.String(), s.args...)
	return m.d.fault("write", table, err)
}

// each runs a selection within the budget and hands over its rows.
func (m *DB) each(ctx context.Context, in asker, s *statement, table string, row func(scan func(...any) error) error) error {
	ctx, cancel := context.WithTimeout(ctx, m.budget)
	defer cancel()
	rows, err := in.QueryContext(ctx, s.text.String(), s.args...)
	if err != nil {
		return m.d.fault("read", table, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return m.d.fault("read", table, err)
		}
	}
	return m.d.fault("read", table, rows.Err())
}
