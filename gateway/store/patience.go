package store

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// patience is how long the writer waits for a PostgreSQL server whose disk
// hangs, or where somebody else holds a lock, before those who wait for it are
// told to come again. Together it is less than a caller waits.
type patience struct {
	turn      time.Duration // until a write is begun
	lock      time.Duration // for one lock
	statement time.Duration // for one statement
	// idle is how long the server lets a transaction of ours rest, which otherwise
	// is microseconds: a process that was stopped in one holds up every other.
	idle   time.Duration
	group  time.Duration // for a group of writes, with the answer to its commit
	settle time.Duration // to find out what became of a commit without answer
	try    time.Duration // for one such question
}

var usualPatience = patience{turn: 10 * time.Second, lock: 5 * time.Second, statement: 10 * time.Second, idle: 2 * time.Second,
	group: 15 * time.Second, settle: 25 * time.Second, try: 5 * time.Second}

// longWork bounds a write that goes through whole tables.
const longWork = 10 * time.Minute

// errLate is what comes of a write that had no turn.
type errLate time.Duration

func (e errLate) Error() string {
	return fmt.Sprintf("store: nothing was written for %s; this was not begun", time.Duration(e).Round(time.Second))
}

// late answers a write that waited for its turn for too long.
func (w *writer) late(j *job) bool {
	waited := time.Since(j.since)
	if w.patience.turn == 0 || waited <= w.patience.turn {
		return false
	}
	j.err = errLate(waited)
	close(j.done)
	return true
}

// within is the time of a group.
func (w *writer) within(group []*job) (context.Context, context.CancelFunc) {
	if w.patience.group == 0 { // an embedded database is not waited for
		return context.Background(), func() {}
	}
	limit := w.patience.group
	for _, j := range group {
		if j.long {
			limit = longWork
		}
	}
	return context.WithTimeout(context.Background(), limit)
}

// bound makes the server keep to our patience, on the writer's connection.
func (w *writer) bound(ctx context.Context) error {
	for name, limit := range map[string]time.Duration{"lock_timeout": w.patience.lock, "statement_timeout": w.patience.statement, "idle_in_transaction_session_timeout": w.patience.idle} {
		if _, err := w.conn.ExecContext(ctx, `SELECT set_config($1, $2, false)`, name, strconv.FormatInt(limit.Milliseconds(), 10)+"ms"); err != nil {
			return err
		}
	}
	return nil
}
