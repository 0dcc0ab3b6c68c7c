package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	sqlitedriver "modernc.org/sqlite"
)

// Size is how many bytes the database takes.
func (s *Store) Size(ctx context.Context) (n int64, err error) {
	if err := s.row(ctx, s.d.size).Scan(&n); err != nil {
		return 0, fmt.Errorf("store: size: %w", err)
	}
	return n, nil
}

// Full says whether the database had no room on its disk for a write, and has
// taken none since.
func (s *Store) Full() bool { return s.writer.full.Load() }

// noteRoom keeps whether there was room for a group.
func (w *writer) noteRoom(group []*job) {
	written := false
	for _, j := range group {
		if noRoom(j.err) {
			w.full.Store(true)
			return
		}
		written = written || j.err == nil && w.wrote
	}
	if written {
		w.full.Store(false)
	}
}

// noRoom says that a write failed because the database's disk is full.
func noRoom(err error) bool {
	var pg *pgconn.PgError
	var lite *sqlitedriver.Error
	return errors.As(err, &pg) && pg.Code == "53100" || errors.As(err, &lite) && lite.Code()&0xff == 13
}
