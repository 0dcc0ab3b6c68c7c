package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Reserve takes n consecutive numbers of a sequence; the first is 1.
func (s *Store) Reserve(ctx context.Context, sequence string, n int64) (int64, error) {
	if n < 1 {
		return 0, fmt.Errorf("store: reserve %d numbers", n)
	}
	var next int64
	err := s.writer.write(ctx, func(t *tx) error {
		if _, err := t.exec(`INSERT INTO sequences (name, next) VALUES (?, 1) ON CONFLICT (name) DO NOTHING`, sequence); err != nil {
			return fmt.Errorf("store: sequence: %w", err)
		}
		row, err := t.row(`UPDATE sequences SET next = next + ? WHERE name = ? RETURNING next`, n, sequence)
		if err == nil {
			err = row.Scan(&next)
		}
		if err != nil {
			return fmt.Errorf("store: sequence: %w", err)
		}
		return nil
	})
	return next - n, err
}

// Mark is where a reader of something outside has come to; empty at first.
func (s *Store) Mark(ctx context.Context, name string) (string, error) {
	var value string
	err := s.row(ctx, `SELECT value FROM marks WHERE name = ?`, name).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("store: mark: %w", err)
	}
	return value, nil
}

// SetMark moves it.
func (s *Store) SetMark(ctx context.Context, name, value string) error {
	return s.writer.write(ctx, func(t *tx) error {
		if _, err := t.exec(`INSERT INTO marks (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value); err != nil {
			return fmt.Errorf("store: mark: %w", err)
		}
		return nil
	})
}

// Begin claims owner's idempotency key for a request with this digest. The
// state is "new" (go on, and call Finish or Forget), "done" (answer holds what
// Finish was given), "busy" (claimed by a request that has not ended) or
// "other" (the key stood for another digest). A claim older than its lease is
// taken over, and so is that of a process that is gone.
func (s *Store) Begin(ctx context.Context, owner, key string, digest []byte, now time.Time, lease time.Duration) (state string, answer []byte, err error) {
	err = s.writer.write(ctx, func(t *tx) error {
		state, answer = "", nil
		n, err := t.exec(`INSERT INTO replays (owner, replay_key, digest, claimed_to, process) VALUES (?, ?, ?, ?, ?) ON CONFLICT (owner, replay_key) DO NOTHING`,
			owner, key, blob(digest), micros(now.Add(lease)), t.w.process)
		if err != nil {
			return fmt.Errorf("store: idempotency key: %w", err)
		}
		if n == 1 {
			state = "new"
			return nil
		}
		var kept []byte
		var to int64
		var process string
		row, err := t.row(`SELECT digest, claimed_to, answer, process FROM replays WHERE owner = ? AND replay_key = ?`, owner, key)
		if err == nil {
			err = row.Scan(&kept, &to, &answer, &process)
		}
		var lives bool
		if err == nil {
			lives, err = t.lives(process)
		}
		if err != nil {
			return fmt.Errorf("store: idempotency key: %w", err)
		}
		switch {
		case !bytes.Equal(kept, digest):
			state, answer = "other", nil
		case answer != nil:
			state = "done"
		case to > micros(now) && lives:
			state = "busy"
		default:
			state = "new"
			if _, err := t.exec(`UPDATE replays SET claimed_to = ?, process = ? WHERE owner = ? AND replay_key = ?`, micros(now.Add(lease)), t.w.process, owner, key); err != nil {
				return fmt.Errorf("store: idempotency key: %w", err)
			}
		}
		return nil
	})
	return state, answer, err
}

// lives says whether a process may still be at work: this one, or on a shared
// database one that was heard of. Of one without a name nobody knows.
func (t *tx) lives(process string) (lives bool, err error) {
	if process == "" || process == t.w.process {
		return true, nil
	}
	if !t.w.d.shared {
		return false, nil // there is one bridge at a time
	}
	row, err := t.row(`SELECT EXISTS (SELECT 1 FROM processes WHERE id = ? AND seen_at > {now} - ?)`, process, silentAfter.Microseconds())
	if err == nil {
		err = row.Scan(&lives)
	}
	return lives, err
}

// Finish keeps the answer to a claimed key, and which application it is about;
// empty: nobody says, it may be about several.
func (s *Store) Finish(ctx context.Context, owner, key, about string, answer []byte) error {
	return s.writer.write(ctx, func(t *tx) error {
		if _, err := t.exec(`UPDATE replays SET answer = ?, application = ? WHERE owner = ? AND replay_key = ? AND answer IS NULL`, blob(answer), orNull(about), owner, key); err != nil {
			return fmt.Errorf("store: idempotency key: %w", err)
		}
		return nil
	})
}

// Forget gives a claimed key free again.
func (s *Store) Forget(ctx context.Context, owner, key string) error {
	return s.writer.write(ctx, func(t *tx) error {
		if _, err := t.exec(`DELETE FROM replays WHERE owner = ? AND replay_key = ? AND answer IS NULL`, owner, key); err != nil {
			return fmt.Errorf("store: idempotency key: %w", err)
		}
		return nil
	})
}
