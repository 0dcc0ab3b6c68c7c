package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"kopir/gateway/journal"
)

// BackupSQLite writes what an SQLite store holds at one moment into another
// file, while a bridge goes on working on the first. The copy is whole and on
// disk when it returns.
func BackupSQLite(ctx context.Context, path, to string) (err error) {
	if err := reserve(to); err != nil {
		return err
	}
	s, err := sqliteStore(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.closeDB()) }()
	// A reader of a WAL holds up no writer.
	if _, err := s.write.ExecContext(ctx, "VACUUM INTO ?", to); err != nil {
		return fmt.Errorf("store: copy: %w", err)
	}
	return flushed(to)
}

// reserve makes an empty file, which only this user can read, where there is none.
func reserve(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func flushed(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Whole lets the database itself look for damage in its file. PostgreSQL does
// that with checksums of its own.
func (s *Store) Whole(ctx context.Context) error {
	if s.d.shared {
		return nil
	}
	var found string
	if err := s.row(ctx, "PRAGMA integrity_check(1)").Scan(&found); err != nil {
		return fmt.Errorf("store: the file is damaged: %w", err)
	}
	if found != "ok" {
		return fmt.Errorf("store: the file is damaged: %s", found)
	}
	return nil
}

// Others counts the bridges that work on the same PostgreSQL database beside
// this one.
func (s *Store) Others(ctx context.Context) (n int, err error) {
	if !s.d.shared {
		return 0, nil
	}
	err = s.row(ctx, `SELECT COUNT(*) FROM processes WHERE id <> ? AND seen_at > {now} - ?`, s.writer.process, silentAfter.Microseconds()).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("store: processes: %w", err)
	}
	return n, nil
}

// Resume prepares a store that is older than what was done since: every
// delivery that waits may have been sent (unsure, so that who can be asked is
// asked first), and numbers may have been given, of which skip are left out of
// each sequence. The journal says that it was done, by whom and when. It gives
// how many deliveries wait.
func (s *Store) Resume(ctx context.Context, skip int64, who string) (waiting int64, err error) {
	if skip < 0 {
		return 0, fmt.Errorf("store: leave out %d numbers", skip)
	}
	err = s.writer.writeLong(ctx, func(t *tx) error {
		// The mark of a try of which nobody knows what came of it, see Claim.
		if waiting, err = t.exec(`UPDATE outbox SET lease = -1 WHERE state IN ('queued', 'dead')`); err != nil {
			return fmt.Errorf("store: resume: %w", err)
		}
		if _, err = t.exec(`UPDATE sequences SET next = next + ?`, skip); err != nil {
			return fmt.Errorf("store: resume: %w", err)
		}
		t.record = recording{kind: journal.Configuration, who: who, parts: []journal.Part{
			{What: "restored", ID: time.Now().UTC().Format(time.RFC3339), Note: strconv.FormatInt(waiting, 10) + " deliveries unsure, " + strconv.FormatInt(skip, 10) + " numbers left out"},
		}}
		return nil
	})
	return waiting, err
}
