package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"kopir/gateway/failpoint"
)

// maxGroup bounds how many writes share one transaction: enough that the flush
// is not what limits, few enough that nobody waits long for it.
const maxGroup = 128

// writer makes all writes on one connection. Writes that wait while another
// transaction is being flushed share the next one (group commit) and are
// answered after the common commit. One that fails takes nothing with it: each
// stands in a savepoint of its own; on PostgreSQL at the second attempt, as at
// the first the whole group goes in a few round trips.
type writer struct {
	d    dialect
	db   *sql.DB
	jobs chan *job
	done chan struct{}

	patience patience

	mu     sync.RWMutex // guards closed against senders
	closed bool

	conn  *sql.Conn
	stmts map[string]*sql.Stmt // by text, prepared on conn

	texts  map[string]string // statements as the database writes them
	plains map[string]bool   // whether they are plain insertions
	queue  []queued          // for the next round trip
	mine   int               // where in queue the statements of the job under way begin
	wrote  bool              // something that is worth a commit
	common *lines            // of the jobs that run together

	full atomic.Bool // the last write found no room on the disk

	process    string            // of this one among those on a shared database
	commits    int64             // how many of its transactions were committed
	keys       map[string][]byte // of owners in the journal; holds nothing that was not written
	proofs     map[string]bool   // shared ones that are known to be there
	records    []recording       // of the transaction under way
	listed     []listing         // by it
	ended      []string          // by it
	committing func()            // for tests: called before each commit
}

type job struct {
	since time.Time
	long  bool // goes through whole tables
	do    func(*tx) error
	about about // what is read of them is read for the whole group at once
	err   error
	done  chan struct{}
}

// tx is what a job writes through.
type tx struct {
	ctx    context.Context
	w      *writer
	record recording   // what the journal keeps of it
	listed []listing   // deliveries that want a place
	ended  []string    // applications of deliveries that need not go any more
	before []recording // of a job that is about several applications, those that are complete
	again  bool        // it was tried before
	*lines
}

var errClosed = errors.New("store: closed")

func newWriter(d dialect, db *sql.DB, p patience) *writer {
	w := &writer{d: d, db: db, patience: p, jobs: make(chan *job, 4*maxGroup), done: make(chan struct{}), process: uuid.NewString(), texts: map[string]string{}, plains: map[string]bool{}, keys: map[string][]byte{}, proofs: map[string]bool{}, committing: func() {}}
	go w.run()
	return w
}

// forget drops what is at hand and may not have been written.
func (w *writer) forget() {
	clear(w.keys)
	clear(w.proofs)
}

// write runs do in a transaction and returns when it is on disk, or with the
// reason why nothing of it is. A caller that goes away does not stop a write
// that was taken: it settles either way.
func (w *writer) write(ctx context.Context, do func(*tx) error, lines ...string) error {
	return w.take(ctx, &job{do: do, about: about{lines: lines}})
}

// writeLong is write for what goes through whole tables and may take minutes.
func (w *writer) writeLong(ctx context.Context, do func(*tx) error) error {
	return w.take(ctx, &job{do: do, long: true})
}

func (w *writer) take(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j.since, j.done = time.Now(), make(chan struct{})
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
		if w.late(first) {
			continue
		}
		group := []*job{first}
	more:
		for len(group) < maxGroup {
			select {
			case j, open := <-w.jobs:
				if !open {
					break more
				}
				if !w.late(j) {
					group = append(group, j)
				}
			default:
				break more
			}
		}
		w.commit(group)
		w.noteRoom(group)
		for _, j := range group {
			close(j.done)
		}
	}
}

// commit writes a group. What goes wrong with the transaction as a whole goes
// wrong for each.
func (w *writer) commit(group []*job) {
	ctx, cancel := w.within(group)
	defer cancel()
	err := w.connect(ctx)
	if err != nil {
		err = fmt.Errorf("store: connect: %w", err)
	} else if err = w.transact(ctx, group, !w.d.shared); err != nil && w.d.shared && w.conn != nil && ctx.Err() == nil && !errors.Is(err, ErrCut) {
		// One of them failed, and none was written, nor the keys that were made:
		// each for itself.
		w.forget()
		err = w.transact(ctx, group, true)
	}
	if err == nil {
		return
	}
	w.forget()
	for _, j := range group {
		if j.err == nil {
			j.err = err
		}
	}
}

// transact runs a group in one transaction, its jobs together or each alone in
// a savepoint: over a network those would cost a round trip a job, and few jobs
// fail. The connection is gone (nil) when
// the error is the connection's; then it is known that nothing was written,
// or the error says that it is not known.
func (w *writer) transact(ctx context.Context, group []*job, alone bool) error {
	w.queue, w.wrote, w.records, w.common = nil, false, w.records[:0], &lines{}
	w.listed, w.ended = w.listed[:0], w.ended[:0]
	t := &tx{ctx: ctx, w: w, lines: w.common}
	err := w.control(ctx, w.d.begin)
	if err == nil && w.d.shared {
		var all about
		for _, j := range group {
			all.lines, all.other = append(all.lines, j.about.lines...), append(all.other, j.about.other...)
			if j.long {
				w.queue = append(w.queue, queued{what: "patience", q: "SET LOCAL statement_timeout = 0"})
			}
		}
		if !alone {
			err = t.foresee(all)
		}
	}
	run := w.together
	if alone {
		run = w.one
	}
	for i := 0; i < len(group) && err == nil; i++ {
		group[i].err = nil
		err = run(ctx, group[i])
	}
	if err != nil || !w.wrote && len(w.records) == 0 { // who only looked is owed no flush
		w.abandon()
		return err
	}
	failpoint.Here(failpoint.CommitWritten)
	if err = t.follow(w.ended); err == nil {
		err = w.chain(t)
	}
	if err == nil {
		err = w.count(ctx)
	}
	if err == nil { // settle must find the mark before anything can be committed
		err = w.flush(ctx)
	}
	if err != nil {
		w.abandon()
		return err
	}
	w.committing()
	failpoint.Here(failpoint.CommitChained)
	if err = w.control(ctx, "COMMIT"); err == nil {
		err = w.flush(ctx)
	}
	if err != nil && w.d.shared && !refusedBy(err) {
		err = w.settle(err)
	} else if err != nil {
		w.abandon()
	}
	if err == nil {
		failpoint.Here(failpoint.CommitDone)
		w.commits++
	}
	return err
}

// together runs a job among the others: its error is the transaction's.
func (w *writer) together(ctx context.Context, j *job) error {
	t := &tx{ctx: ctx, w: w, lines: w.common}
	if err := j.do(t); err != nil {
		return err
	}
	w.keep(t)
	return nil
}

// keep takes over what a job that went well wants done before the commit.
func (w *writer) keep(t *tx) {
	w.records, w.listed, w.ended = append(w.records, t.records()...), append(w.listed, t.listed...), append(w.ended, t.ended...)
}

// one runs a job in its savepoint. Its own error stays with the job; the error
// returned is one of the transaction.
func (w *writer) one(ctx context.Context, j *job) error {
	if err := w.control(ctx, "SAVEPOINT one"); err != nil {
		return err
	}
	for try := 1; ; try++ {
		w.mine = len(w.queue)
		t := &tx{ctx: ctx, w: w, again: try > 1, lines: &lines{}}
		if j.err = nil; w.d.shared {
			j.err = t.foresee(j.about)
		}
		if j.err == nil {
			j.err = j.do(t)
		}
		if j.err == nil {
			j.err = w.flush(ctx)
		}
		if j.err == nil {
			w.keep(t)
			break
		}
		w.forget()
		w.queue = w.queue[:min(w.mine, len(w.queue))]
		if err := w.control(ctx, "ROLLBACK TO SAVEPOINT one"); err != nil {
			return err
		}
		if err := w.flush(ctx); err != nil {
			return err
		}
		if try == maxTries || !crossed(j.err) {
			break
		}
	}
	return w.control(ctx, "RELEASE SAVEPOINT one")
}

func (w *writer) abandon() {
	if w.d.shared && len(w.queue) > 0 && w.queue[0].q == w.d.begin {
		w.queue = nil // nothing was begun yet
		return
	}
	w.queue = nil
	ctx, cancel := context.Background(), func() {}
	if w.patience.try > 0 { // the time of the group may be over
		ctx, cancel = context.WithTimeout(ctx, w.patience.try)
	}
	defer cancel()
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

// crossed says that a write met another node's and can be tried again at once:
// the two waited for each other and the server chose ours to give way (SQLSTATE
// class 40), or both put something at the same place of a line, or gave a key
// to the same owner.
func crossed(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return errors.Is(err, errOwned)
	}
	return strings.HasPrefix(pg.Code, "40") || pg.Code == "23505" && (pg.ConstraintName == "events_pkey" || pg.ConstraintName == "outbox_order")
}

// refusedBy says that the server itself answered, so that nothing was written.
func refusedBy(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && !strings.HasPrefix(pg.Code, "57P") // 57P01 to 57P03: it is going down
}

// drop closes the connection: what is set on it is for the writer alone.
func (w *writer) drop() {
	for _, s := range w.stmts {
		s.Close()
	}
	if w.conn != nil {
		if w.d.shared {
			w.conn.Raw(func(any) error { return driver.ErrBadConn })
		}
		w.conn.Close()
	}
	w.conn, w.stmts, w.queue = nil, nil, nil
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
	s, err := w.conn.PrepareContext(ctx, w.text(q))
	if err == nil {
		w.stmts[q] = s
	}
	return s, err
}

// prepare is for a statement whose outcome the job waits for.
func (t *tx) prepare(q string) (*sql.Stmt, error) {
	if !strings.HasPrefix(q, "SELECT") {
		t.w.wrote = true
	}
	if err := t.w.flush(t.ctx); err != nil {
		return nil, err
	}
	return t.w.stmt(t.ctx, q)
}

// exec runs a statement and says how many rows it touched.
func (t *tx) exec(q string, args ...any) (int64, error) {
	s, err := t.prepare(q)
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
	s, err := t.prepare(q)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(t.ctx, args...)
}

func (t *tx) row(q string, args ...any) (*sql.Row, error) {
	s, err := t.prepare(q)
	if err != nil {
		return nil, err
	}
	return s.QueryRowContext(t.ctx, args...), nil
}
