// Package store keeps what the bridge must not lose in an SQL database:
// messages with their replies, applications, their history and due times, the
// outbox, verdicts.
//
// Rules it keeps: a Change is written whole or not at all and acknowledged
// only after it was flushed to disk; one SQL text serves SQLite and PostgreSQL
// (dialect.go has the exceptions); values travel as parameters; nothing that
// was written as evidence is ever updated or deleted.
//
// What is erased leaves nothing behind in an SQLite file (secure_delete).
//
// SQLite runs in WAL mode with synchronous=FULL, which flushes at every commit
// (sqlite.org/pragma.html#pragma_synchronous).
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"kopir/gateway"
)

// Store is a gateway.Store over SQL. Close ends its writer.
type Store struct {
	d      dialect
	read   *sql.DB
	write  *sql.DB
	writer *writer
	moved  func(file string) (io.ReadCloser, error) // opens files with records of the journal
	waits  patience                                 // of the writer; zero: no limits
	skew   atomic.Int64                             // microseconds that this machine's clock is ahead
	beaten atomic.Pointer[time.Time]                // when the last Beat began
	freed  atomic.Int64                             // whose beat is older, by the database's clock, was looked at
}

var _ gateway.Store = (*Store)(nil)

// OpenSQLite opens or makes a database file and brings its schema up to date.
func OpenSQLite(ctx context.Context, path string) (*Store, error) { return OpenAt(ctx, SQLite(path)) }

func sqliteStore(path string) (*Store, error) {
	// Names of files may hold what means something in a URI.
	dsn := func(more string) string {
		return "file:" + (&url.URL{Path: path}).EscapedPath() +
			"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)" + more
	}
	s := &Store{d: sqlite}
	var err error
	if s.write, err = sql.Open(sqlite.driver, dsn("&_pragma=secure_delete(1)")); err != nil {
		return nil, fmt.Errorf("store: open %s: %w", path, err)
	}
	s.write.SetMaxOpenConns(1) // SQLite has one writer; waiting for it here keeps the order
	if s.read, err = sql.Open(sqlite.driver, dsn("&_pragma=query_only(1)")); err != nil {
		s.write.Close()
		return nil, fmt.Errorf("store: open %s: %w", path, err)
	}
	s.read.SetMaxOpenConns(max(4, runtime.NumCPU()))
	s.read.SetMaxIdleConns(max(4, runtime.NumCPU()))
	return s, nil
}

// silentServer is how long a PostgreSQL server may give no sign of life until
// its connection counts as cut.
const silentServer = 20 * time.Second

// maxConnections of one bridge to a PostgreSQL server: one writes, the others read.
const maxConnections = 10

// OpenPostgres opens a PostgreSQL database (15 or newer) by its URL or keyword
// string, and brings its schema up to date. Several bridges may use it at once.
func OpenPostgres(ctx context.Context, dsn string) (*Store, error) { return OpenAt(ctx, Postgres(dsn)) }

func postgresStore(dsn string) (*Store, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("store: the address of the database does not read") // the cause may hold its password
	}
	config.DialFunc = (&net.Dialer{Timeout: silentServer, Control: boundSilence,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: silentServer / 2, Interval: silentServer / 8, Count: 4}}).DialContext
	// Whoever reads is answered by the values that are asked for: a plan for any
	// values, made while a table was small, may read the whole of it when it has
	// grown. Set here, as a pooler may refuse what comes with the connecting.
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, `SELECT set_config('plan_cache_mode', 'force_custom_plan', false) FROM pg_settings WHERE name = 'plan_cache_mode'`) // a server that is too old is told of elsewhere
		return err
	}))
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(maxConnections) // one that is made anew costs the server more than many a statement
	db.SetConnMaxIdleTime(5 * time.Minute)
	return &Store{d: postgres, read: db, write: db, waits: usualPatience}, nil
}

func (s *Store) start(ctx context.Context) (*Store, error) {
	if err := s.migrate(ctx); err != nil {
		s.closeDB()
		return nil, err
	}
	s.writer = newWriter(s.d, s.write, s.waits)
	if _, err := s.Beat(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.fill(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close waits for the writes under way and closes the database.
func (s *Store) Close() error {
	s.writer.close()
	return s.closeDB()
}

func (s *Store) closeDB() error {
	err := s.write.Close()
	if s.read != nil && s.read != s.write {
		err = errors.Join(err, s.read.Close())
	}
	return err
}

// Clock is what time the database's machine has; zero with an embedded one,
// which has ours.
func (s *Store) Clock(ctx context.Context) (time.Time, error) {
	if !s.d.shared {
		return time.Time{}, nil
	}
	var at int64
	if err := s.row(ctx, "SELECT {now}").Scan(&at); err != nil {
		return time.Time{}, fmt.Errorf("store: clock: %w", err)
	}
	return moment(at), nil
}

// Ping says whether the database answers and can be written.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.read.PingContext(ctx); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return s.SetMark(ctx, "ping", "")
}

func (s *Store) query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	return s.read.QueryContext(ctx, s.d.text(q), args...)
}

func (s *Store) row(ctx context.Context, q string, args ...any) *sql.Row {
	return s.read.QueryRowContext(ctx, s.d.text(q), args...)
}

// oneColumn reads what a query has in its only one.
func oneColumn[T any](ctx context.Context, s *Store, q string, args ...any) (all []T, err error) {
	rows, err := s.query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var one T
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// found turns the driver's word for "no such row" into the bridge's.
func found(err error, what string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("store: %s: %w", what, gateway.ErrNotFound)
	default:
		return fmt.Errorf("store: %s: %w", what, err)
	}
}
