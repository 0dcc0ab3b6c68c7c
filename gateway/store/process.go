package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"kopir/gateway"
)

const (
	// silentAfter is how long a process may be silent until the others take over
	// what it had claimed: several beats, and longer than a pause of its runtime.
	silentAfter = 30 * time.Second
	// drowsyAfter is when a process that was not heard of does nothing more that
	// others would see: before they take over, with time to end what it began.
	drowsyAfter = silentAfter - 5*time.Second
	// maxSkew is how far a machine's clock may be from the database's. Leases are
	// reckoned by the machines' clocks and outlast a send by more than this.
	maxSkew = time.Minute
	// silentAgain is for how long it is looked at what a process that fell silent
	// had claimed: a transaction of its may be committed late.
	silentAgain = time.Minute
)

// Beat says that this process lives, and gives free what processes that fell
// silent had claimed: how many deliveries. On SQLite, which has one bridge, it
// does nothing.
func (s *Store) Beat(ctx context.Context) (freed int64, err error) {
	if !s.d.shared {
		return 0, nil
	}
	var now, silent int64
	began := time.Now()
	err = s.writer.write(ctx, func(t *tx) error {
		row, err := t.row(`UPDATE processes SET seen_at = {now} WHERE id = ? RETURNING seen_at`, s.writer.process)
		if err == nil {
			err = row.Scan(&now)
		}
		if err != nil {
			return fmt.Errorf("store: beat: %w", err)
		}
		// All that waits is read only where somebody fell silent lately, or it is not known.
		freed, silent = 0, now-silentAfter.Microseconds()
		last := min(s.freed.Load(), silent) // the clock may have been set back
		search := last == 0
		if !search {
			row, err := t.row(`SELECT EXISTS (SELECT 1 FROM processes WHERE seen_at > ? AND seen_at <= ?)`, last-silentAgain.Microseconds(), silent)
			if err == nil {
				err = row.Scan(&search)
			}
			if err != nil {
				return fmt.Errorf("store: beat: %w", err)
			}
		}
		if search {
			freed, err = t.release(now+gateway.QuietAfter.Microseconds(), `NOT EXISTS (SELECT 1 FROM processes p WHERE p.id = outbox.process AND p.seen_at > ?)`, silent)
		}
		if err != nil {
			return fmt.Errorf("store: beat: %w", err)
		}
		return nil
	})
	if err == nil {
		s.freed.Store(silent)
		s.skew.Store(time.Now().UnixMicro() - now)
		s.beaten.Store(&began)
	}
	return freed, err
}

// errDrowsy: others have taken over, or are about to.
var errDrowsy = errors.New("store: this process was not heard of for too long; others do what it had under way")

// Awake is an error when the last Beat is so long ago that other processes may
// have taken over what this one has under way: it was stopped, or its database
// was away. Both clocks count: that of the day goes on while a machine sleeps,
// the other cannot be set.
func (s *Store) Awake() error {
	last := s.beaten.Load()
	if !s.d.shared || last == nil {
		return nil
	}
	now := time.Now()
	if max(now.Sub(*last), now.Round(0).Sub(last.Round(0))) > drowsyAfter {
		return errDrowsy
	}
	return nil
}

// Skew is how far this machine's clock is ahead of the database's, as of the
// last Beat.
func (s *Store) Skew() time.Duration { return time.Duration(s.skew.Load()) * time.Microsecond }

// ClockFault is set while the clocks differ too much to reckon leases by.
func (s *Store) ClockFault() error {
	if skew := s.Skew(); skew.Abs() > maxSkew {
		return fmt.Errorf("store: this machine's clock is %s from the database's: nothing is claimed until they agree", skew.Round(time.Second))
	}
	return nil
}

// Lead makes this process the one that does what only one may do, for ttl from
// now on by the database's clock; false while another is.
func (s *Store) Lead(ctx context.Context, name string, ttl time.Duration) (leads bool, err error) {
	if !s.d.shared {
		return true, nil
	}
	err = s.writer.write(ctx, func(t *tx) error {
		n, err := t.exec(`INSERT INTO leaders (name, process, until_at) VALUES (?, ?, {now} + ?)
			ON CONFLICT (name) DO UPDATE SET process = excluded.process, until_at = excluded.until_at
			WHERE leaders.process = excluded.process OR leaders.until_at <= {now}`, name, s.writer.process, ttl.Microseconds())
		leads = n == 1
		if err != nil {
			return fmt.Errorf("store: lead: %w", err)
		}
		return nil
	})
	return leads, err
}

// Resign lets another lead at once.
func (s *Store) Resign(ctx context.Context, name string) error {
	if !s.d.shared {
		return nil
	}
	return s.writer.write(ctx, func(t *tx) error {
		if _, err := t.exec(`DELETE FROM leaders WHERE name = ? AND process = ?`, name, s.writer.process); err != nil {
			return fmt.Errorf("store: resign: %w", err)
		}
		return nil
	})
}

// enrol writes this process down, so that its commits can be counted.
func (w *writer) enrol(ctx context.Context) error {
	if !w.d.shared {
		return nil
	}
	if err := w.bound(ctx); err != nil {
		return err
	}
	for _, q := range []string{
		// Who sends no beat for a day is gone.
		`DELETE FROM processes WHERE seen_at < {now} - 86400000000 AND id <> ?`,
		`INSERT INTO processes (id, seen_at, commits) VALUES (?, {now}, 0) ON CONFLICT (id) DO NOTHING`,
	} {
		if _, err := w.conn.ExecContext(ctx, w.d.text(q), w.process); err != nil {
			return err
		}
	}
	// What is acknowledged must be flushed, whatever the server's default is; and
	// signed messages are long and compress slowly by the server's own method. A plan
	// is kept for as long as the connection: one that was made while a table was
	// small must not read the whole of it when it has grown.
	for _, q := range []string{
		`SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`,
		`SELECT set_config('default_toast_compression', 'lz4', false) FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY(enumvals)`,
		`SELECT set_config('enable_seqscan', 'off', false), set_config('jit', 'off', false)`, // which would compile what that makes look dear
		`SELECT set_config('plan_cache_mode', 'auto', false)`,                                // its statements are few, and planned once
	} {
		if _, err := w.conn.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// count makes the transaction leave its mark, by which settle finds out whether
// it was committed.
func (w *writer) count(ctx context.Context) error {
	if !w.d.shared {
		return nil
	}
	return w.put(ctx, queued{what: "count", q: `INSERT INTO processes (id, seen_at, commits) VALUES (?, {now}, ?) ON CONFLICT (id) DO UPDATE SET commits = excluded.commits`,
		args: []any{w.process, w.commits + 1}})
}

const settlePause = 200 * time.Millisecond

// settle finds out what became of a transaction whose commit got no answer. It
// reads the mark under a lock, so that it waits for a transaction that the
// server is still finishing.
func (w *writer) settle(cause error) error {
	var last error
	for end := time.Now().Add(w.patience.settle); time.Now().Before(end); time.Sleep(settlePause) {
		w.drop()
		var commits int64
		if commits, last = w.counted(); last != nil {
			continue
		}
		if commits == w.commits+1 {
			return nil
		}
		return fmt.Errorf("store: %w, and nothing of it was written: %w", ErrCut, cause)
	}
	w.commits++ // its mark may still come to stand there, and must not be taken for that of the next
	return fmt.Errorf("store: %w, and whether it was written could not be found out (%w): %w", ErrCut, last, gateway.ErrUnsettled)
}

// ErrCut: nobody answered to a commit.
var ErrCut = errors.New("the commit was cut off")

func (w *writer) counted() (commits int64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), w.patience.try)
	defer cancel()
	if err := w.connect(ctx); err != nil {
		return 0, err
	}
	err = w.conn.QueryRowContext(ctx, w.d.text(`SELECT commits FROM processes WHERE id = ? FOR UPDATE`), w.process).Scan(&commits)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, errors.New("this process is not written down")
	}
	return commits, err
}
