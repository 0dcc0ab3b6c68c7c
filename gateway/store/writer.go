package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
)

// maxGroup bounds how many writes share one transaction: enough that the flush
// is not what limits, few enough that nobody waits long for it.
const maxGroup = 64

// writer makes all writes on one connection. Writes that wait while another
// transaction is being flushed share the next one (group commit): each stands
// in a savepoint of its own, so that one that fails takes nothing with it, and
// all are answered after the common commit.
type writer struct {
	d    dialect
	db   *sql.DB
	jobs chan *job
	done chan struct{}

	mu     sync.RWMutex // guards closed against senders
	closed bool

	conn  *sql.Conn
	stmts map[string]*sql.Stmt // by text, prepared on conn

	process    string            // of this one among those on a shared database
	commits    int64             // how many of its transactions were committed
	keys       map[string][]byte // of owners in the journal; holds nothing that was not written
	records    []recording       // of the transaction under way
	committing func()            // for tests: called before each commit
}

type job struct {
	ctx  context.Context
	do   func(*tx) error
	err  error
	done chan struct{}
}

// tx is what a job writes through.
type tx struct {
	ctx    context.Context
	w      *writer
	record recording   // what the journal keeps of it
	before []recording // of a job that is about several applications, those that are complete
}

var errClosed = errors.New("store: closed")

func newWriter(d dialect, db *sql.DB) *writer {
	w := &writer{d: d, db: db, jobs: make(chan *job, 4*maxGroup), done: make(chan struct{}), process: uuid.NewString(), keys: map[string][]byte{}, committing: func() {}}
	go w.run()
	return w
}

// write runs do in a transaction and returns when it is on disk, or with the
// reason why nothing of it is. A caller that goes away does not stop a write
// that was taken: it settles either way.
func (w *writer) write(ctx context.Context, do func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{ctx: context.WithoutCancel(ctx), do: do, done: make(chan struct{})}
	w.mu.RLock()
	if w.closed {
		w.mu.RUnlock()
		return errClosed
	}
	select {
	case w.jobs <- j:
		w.mu.RUnlock()
	case <-ctx.Done():
		w.mu.RUnlock()
		return ctx.Err()
	}
	<-j.done
	return j.err
}

func (w *writer) close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.jobs)
	}
	w.mu.Unlock()
	<-w.done
}

func (w *writer) run() {
	defer close(w.done)
	defer w.drop()
	for first := range w.jobs {
		group := []*job{first}
	more:
		for len(group) < maxGroup {
			select {
			case j, open := <-w.jobs:
				if !open {
					break more
				}
				group = append(group, j)
			default:
				break more
			}
		}
		w.commit(group)
		for _, j := range group {
			close(j.done)
		}
	}
}

// commit writes a group. What goes wrong with the transaction as a whole goes
// wrong for each.
func (w *writer) commit(group []*job) {
	fail := func(err error) {
		clear(w.keys)
		for _, j := range group {
			if j.err == nil {
				j.err = err
			}
		}
	}
	ctx := context.Background()
	if err := w.connect(ctx); err != nil {
		fail(fmt.Errorf("store: connect: %w", err))
		return
	}
	if err := w.exec(ctx, w.d.begin); err != nil {
		w.drop() // the connection may be the fault; the next group takes a new one
		fail(fmt.Errorf("store: begin: %w", err))
		return
	}
	w.records = w.records[:0]
	for _, j := range group {
		if err := w.one(j); err != nil {
			w.abandon(ctx)
			fail(err)
			return
		}
	}
	if err := w.chain(&tx{ctx: ctx, w: w}); err != nil {
		w.abandon(ctx)
		fail(err)
		return
	}
	if err := w.count(ctx); err != nil {
		w.drop() // the next connection writes the process down again
		fail(fmt.Errorf("store: count: %w", err))
		return
	}
	w.committing()
	err := w.exec(ctx, "COMMIT")
	if err != nil && w.d.shared && !refusedBy(err) {
		err = w.settle(err)
	} else if err != nil {
		w.abandon(ctx)
	}
	if err != nil {
		fail(fmt.Errorf("store: commit: %w", err))
		return
	}
	w.commits++
}

// one runs a job in its savepoint. Its own error stays with the job; the error
// returned is one of the transaction.
func (w *writer) one(j *job) error {
	ctx := context.Background()
	if err := w.exec(ctx, "SAVEPOINT one"); err != nil {
		return fmt.Errorf("store: savepoint: %w", err)
	}
	for try := 1; ; try++ {
		t := &tx{ctx: j.ctx, w: w}
		if j.err = j.do(t); j.err == nil {
			w.records = append(w.records, t.records()...)
			break
		}
		clear(w.keys)
		if err := w.exec(ctx, "ROLLBACK TO SAVEPOINT one"); err != nil {
			return fmt.Errorf("store: rollback to savepoint: %w", err)
		}
		if try == maxTries || !crossed(j.err) {
			break
		}
	}
	if err := w.exec(ctx, "RELEASE SAVEPOINT one"); err != nil {
		return fmt.Errorf("store: release savepoint: %w", err)
	}
	return nil
}

func (w *writer) abandon(ctx context.Context) {
	if err := w.exec(ctx, "ROLLBACK"); err != nil {
		w.drop()
	}
}

func (w *writer) connect(ctx context.Context) (err error) {
	if w.conn != nil {
		return nil
	}
	w.stmts = map[string]*sql.Stmt{}
	if w.conn, err = w.db.Conn(ctx); err != nil {
		w.conn = nil
		return err
	}
	if err = w.enrol(ctx); err != nil {
		w.drop()
	}
	return err
}

// maxTries is how often a write is tried that crossed another node's.
const maxTries = 3

// crossed says that two nodes waited for each other, and the server chose ours
// to give way (SQLSTATE class 40).
func crossed(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && strings.HasPrefix(pg.Code, "40")
}

// refusedBy says that the server itself answered, so that nothing was written.
func refusedBy(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && !strings.HasPrefix(pg.Code, "57P") // 57P01 to 57P03: it is going down
}

// drop gives the connection back; what was prepared on it goes with it.
func (w *writer) drop() {
	for _, s := range w.stmts {
		s.Close()
	}
	if w.conn != nil {
		w.conn.Close()
	}
	w.conn, w.stmts = nil, nil
}

func (w *writer) exec(ctx context.Context, q string) error {
	s, err := w.stmt(ctx, q)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(ctx)
	return err
}

func (w *writer) stmt(ctx context.Context, q string) (*sql.Stmt, error) {
	if s, ok := w.stmts[q]; ok {
		return s, nil
	}
	s, err := w.conn.PrepareContext(ctx, w.d.text(q))
	if err == nil {
		w.stmts[q] = s
	}
	return s, err
}

// exec runs a statement and says how many rows it touched.
func (t *tx) exec(q string, args ...any) (int64, error) {
	s, err := t.w.stmt(t.ctx, q)
	if err != nil {
		return 0, err
	}
	r, err := s.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (t *tx) query(q string, args ...any) (*sql.Rows, error) {
	s, err := t.w.stmt(t.ctx, q)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(t.ctx, args...)
}

func (t *tx) row(q string, args ...any) (*sql.Row, error) {
	s, err := t.w.stmt(t.ctx, q)
	if err != nil {
		return nil, err
	}
	return s.QueryRowContext(t.ctx, args...), nil
}
