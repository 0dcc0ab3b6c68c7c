package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"kopir/gateway/failpoint"
)

// The migrations only add: tables, columns with a default, indexes. So a bridge
// of the version before goes on working while the next one is rolled out, and
// comes back without a step down.
//
//go:embed migrations/*.sql
var embedded embed.FS

// Migrations are the files of the schema, by their numbers. It is a variable so
// that a test can be the next version of this program.
var Migrations = func() fs.FS {
	folder, err := fs.Sub(embedded, "migrations")
	if err != nil {
		panic(err) // the name above
	}
	return folder
}()

// Schema is how far a database is.
type Schema struct {
	Have  int64 `json:"have"`  // the last migration of the database
	Known int64 `json:"known"` // the last one of this program
}

// provider runs migrations, on a shared database one process at a time.
func (s *Store) provider() (*goose.Provider, error) {
	var more []goose.ProviderOption
	if s.d.shared {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 120)) // looks every second
		if err != nil {
			return nil, fmt.Errorf("store: migrations: %w", err)
		}
		more = append(more, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(s.d.goose, s.write, Migrations, more...)
	if err != nil {
		return nil, fmt.Errorf("store: migrations: %w", err)
	}
	return p, nil
}

// migrate brings the schema up to date. One that is newer than this program
// stays as it is.
func (s *Store) migrate(ctx context.Context) error {
	p, err := s.provider()
	if err != nil {
		return err
	}
	have, known, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("store: migrations: %w", err)
	}
	if have >= known {
		return nil
	}
	for {
		err := persist(func() error { _, err := p.UpByOne(ctx); return err })
		switch {
		case errors.Is(err, goose.ErrNoNextVersion):
			return nil
		case err != nil:
			return fmt.Errorf("store: migrations: %w", err)
		}
		failpoint.Here(failpoint.MigrationDone)
	}
}

// persist does a migration again that waited for a bridge at work while that
// waited for it, and was chosen by the server to give way.
func persist(do func() error) (err error) {
	for range 10 {
		if err = do(); err == nil || !crossed(err) {
			break
		}
	}
	return err
}

// Migrate brings the schema of a database to a version, forward or backward,
// and says where it is. Backward drops what the later migrations added, with
// what was written there: no bridge of a later version may run. Negative: leave
// it as it is.
func Migrate(ctx context.Context, open Opener, version int64) (was Schema, err error) {
	s, err := open()
	if err != nil {
		return was, err
	}
	defer func() { err = errors.Join(err, s.closeDB()) }()
	p, err := s.provider()
	if err != nil {
		return was, err
	}
	if was.Have, was.Known, err = p.GetVersions(ctx); err != nil {
		return was, fmt.Errorf("store: migrations: %w", err)
	}
	switch {
	case version < 0 || version == was.Have:
	case version > was.Known:
		return was, fmt.Errorf("store: this program knows migrations up to %d", was.Known)
	case was.Have > was.Known:
		return was, fmt.Errorf("store: the database is at %d and this program knows how to go back from %d only: use the newer one", was.Have, was.Known)
	case version < was.Have:
		err = persist(func() error { _, err := p.DownTo(ctx, version); return err })
	default:
		err = persist(func() error { _, err := p.UpTo(ctx, version); return err })
	}
	if err != nil {
		return was, fmt.Errorf("store: migrations: %w", err)
	}
	return was, nil
}

// OpenAt opens a database and brings its schema up to date.
func OpenAt(ctx context.Context, open Opener) (*Store, error) {
	s, err := open()
	if err != nil {
		return nil, err
	}
	return s.start(ctx)
}

// Opener names a database without touching its schema: SQLite or Postgres.
type Opener func() (*Store, error)

// SQLite is the database in a file.
func SQLite(path string) Opener { return func() (*Store, error) { return sqliteStore(path) } }

// Postgres is the database at an address.
func Postgres(dsn string) Opener { return func() (*Store, error) { return postgresStore(dsn) } }
