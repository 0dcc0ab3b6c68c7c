//go:build unix

package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"kopir/gateway"
)

// openImpatient opens a store on PostgreSQL that waits for little.
func openImpatient(t *testing.T, dsn string, p patience) *Store {
	t.Helper()
	s, err := postgresStore(dsn)
	if err != nil {
		t.Fatal(err)
	}
	s.waits = p
	if s, err = s.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// generous is long enough for a busy machine where a limit is not what is tried.
const generous = 20 * time.Second

func written(t *testing.T, s *Store, key string) bool {
	t.Helper()
	_, err := s.Message(t.Context(), "PORTAL", key)
	if err != nil && !errors.Is(err, gateway.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

func put(t *testing.T, s *Store, key string) error {
	return s.Commit(t.Context(), gateway.Change{Message: message(key, "PORTAL", key, "")})
}

// putAtLast writes one as its sender would: again, when it is told to come again.
// A busy machine may be slower than a short limit.
func putAtLast(t *testing.T, s *Store, key string) error {
	t.Helper()
	for end := time.Now().Add(generous); ; {
		err := put(t, s, key)
		if err == nil || errors.Is(err, gateway.ErrDuplicate) || time.Now().After(end) {
			return err
		}
	}
}

// TestLockOfAnother: a lock that another session holds ends the wait of a write,
// not that of its neighbours; when it is gone the same write goes.
func TestLockOfAnother(t *testing.T) {
	dsn := needPostgres(t)
	direct := openEmptyPostgres(t, dsn)
	s := openImpatient(t, dsn, patience{lock: 200 * time.Millisecond, statement: generous, idle: generous, group: 2 * generous, turn: 3 * generous, settle: generous, try: generous})
	commit(t, s, gateway.Change{Application: application("N-1", t0)})
	other, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(context.Background())
	hold := func(q string) (release func()) {
		t.Helper()
		tx, err := other.Begin(t.Context())
		if err == nil {
			_, err = tx.Exec(t.Context(), q)
		}
		if err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for what, q := range map[string]string{
		"the end of the chain": `SELECT 1 FROM journal_head FOR UPDATE`,
		"a table":              `LOCK TABLE messages IN ACCESS EXCLUSIVE MODE`,
		"what the mark is in":  `SELECT 1 FROM processes FOR UPDATE`,
	} {
		release := hold(q)
		err := put(t, s, what)
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != "55P03" {
			t.Errorf("%s: %v", what, err)
		}
		if say, remedy := Diagnose(err); !strings.Contains(say, "lock") || remedy == "" {
			t.Errorf("%s: %s; %s", what, say, remedy)
		}
		release()
		if written(t, direct, what) {
			t.Errorf("%s: written, and told that not", what)
		}
		if err := put(t, s, what); err != nil || !written(t, direct, what) {
			t.Errorf("%s: again: %v", what, err)
		}
	}
	// One application that somebody holds does not stop the others.
	release := hold(`SELECT 1 FROM applications WHERE number = 'N-1' FOR UPDATE`)
	begun, hold2, told := make(chan struct{}), make(chan struct{}), make(chan error, 3)
	go func() { // so that the two come into one group
		told <- s.writer.write(t.Context(), func(*tx) error { once(begun); <-hold2; return nil })
	}()
	<-begun
	note := gateway.Change{Events: []gateway.Event{{Application: "N-1", At: t0, Kind: gateway.EventNote}}}
	go func() { told <- s.Commit(t.Context(), note) }()
	go func() { told <- put(t, s, "neighbour") }()
	for end := time.Now().Add(generous); len(s.writer.jobs) < 2 && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	close(hold2)
	failed := 0
	for range 3 {
		if err := <-told; err != nil {
			failed++
		}
	}
	if failed != 1 || !written(t, direct, "neighbour") {
		t.Errorf("%d of three failed, where one application is held", failed)
	}
	release()
	if err := s.Commit(t.Context(), note); err != nil {
		t.Errorf("when it is free: %v", err)
	}
}

func once(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}

// backend is the server's process of the writer's connection.
func backend(t *testing.T, s *Store) (pid int) {
	t.Helper()
	if err := s.writer.write(t.Context(), func(tx *tx) error {
		row, err := tx.row("SELECT pg_backend_pid()")
		if err == nil {
			err = row.Scan(&pid)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return pid
}

// freezer stops a process of the server and wakes it again, at the end at the latest.
func freezer(t *testing.T, pid int) (freeze, wake func()) {
	t.Helper()
	if err := syscall.Kill(pid, 0); err != nil {
		t.Skipf("the server's processes are not ours to stop: %v", err)
	}
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGCONT) })
	send := func(sig syscall.Signal) func() {
		return func() {
			if err := syscall.Kill(pid, sig); err != nil {
				t.Error(err)
			}
		}
	}
	return send(syscall.SIGSTOP), send(syscall.SIGCONT)
}

// TestFrozenServer: a server whose process hangs in the middle of a transaction,
// or at its commit, holds nobody up for good. What became of a commit is told
// when it is known, else the sender is to ask again; and a mark that comes late
// is not taken for that of the next commit.
func TestFrozenServer(t *testing.T) {
	dsn := needPostgres(t)
	direct := openEmptyPostgres(t, dsn)
	short := patience{lock: 300 * time.Millisecond, statement: generous, idle: generous, group: time.Second, turn: generous, settle: time.Second, try: 500 * time.Millisecond}

	t.Run("in the middle", func(t *testing.T) {
		s := openImpatient(t, dsn, short)
		if err := putAtLast(t, s, "warm"); err != nil {
			t.Fatal(err)
		}
		freeze, wake := freezer(t, backend(t, s))
		err := s.writer.write(t.Context(), func(tx *tx) error {
			freeze()
			return tx.insertMessage(message("middle", "PORTAL", "middle", ""))
		})
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, gateway.ErrUnsettled) {
			t.Errorf("%v", err)
		}
		if err := putAtLast(t, s, "after"); err != nil { // by another process of the server
			t.Errorf("after it: %v", err)
		}
		wake()
		if written(t, direct, "middle") {
			t.Error("written, and told that not")
		}
		if err := putAtLast(t, s, "middle"); err != nil {
			t.Error(err)
		}
	})

	t.Run("at its commit", func(t *testing.T) {
		w, through := newWire(t, dsn)
		s := openImpatient(t, through, short)
		for i := range 3 {
			if err := putAtLast(t, s, fmt.Sprint("warmer", i)); err != nil {
				t.Fatal(err)
			}
		}
		freeze, wake := freezer(t, backend(t, s))
		armed := true
		s.writer.committing = func() {
			if armed {
				armed = false
				freeze()
			}
		}
		err := put(t, s, "commit")
		if !errors.Is(err, gateway.ErrUnsettled) {
			t.Fatalf("%v", err)
		}
		wake() // the commit lay in its socket
		for end := time.Now().Add(generous); !written(t, direct, "commit"); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the frozen server did not commit")
			}
		}
		if err := putAtLast(t, s, "commit"); !errors.Is(err, gateway.ErrDuplicate) {
			t.Errorf("again: %v", err)
		}
		// The mark of that commit came to stand after the question about it. One
		// that is lost now must not be taken for it.
		s.writer.committing = func() { w.cut.Store(loseQuestion); s.writer.committing = func() {} }
		if err := put(t, s, "lost"); err == nil || errors.Is(err, gateway.ErrUnsettled) || written(t, direct, "lost") {
			t.Errorf("a lost commit: %v", err)
		}
		if err := putAtLast(t, s, "lost"); err != nil && !errors.Is(err, gateway.ErrDuplicate) || !written(t, direct, "lost") {
			t.Errorf("again: %v", err)
		}
	})

	t.Run("no turn", func(t *testing.T) {
		s := openImpatient(t, dsn, patience{lock: generous, statement: generous, idle: generous, group: generous, turn: 50 * time.Millisecond, settle: generous, try: generous})
		begun, hold, first := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			first <- s.writer.write(t.Context(), func(*tx) error { once(begun); <-hold; return nil })
		}()
		<-begun
		j, waiting := make(chan error, 1), make(chan struct{})
		go func() { close(waiting); j <- put(t, s, "turn") }()
		<-waiting
		for end := time.Now().Add(generous); len(s.writer.jobs) == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		}
		time.Sleep(60 * time.Millisecond) // more than its turn: what is tried is that it is told, not when
		close(hold)
		var late errLate
		if err := <-j; !errors.As(err, &late) || written(t, direct, "turn") {
			t.Errorf("%v", err)
		}
		if err := <-first; err != nil {
			t.Error(err)
		}
	})

	t.Run("a bridge that stops", func(t *testing.T) {
		s := openImpatient(t, dsn, patience{lock: generous, statement: generous, idle: 200 * time.Millisecond, group: 2 * generous, turn: generous, settle: generous, try: generous})
		held, goOn, told := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			told <- s.writer.write(t.Context(), func(tx *tx) error {
				if _, _, err := tx.head(); err != nil { // what every other waits for
					return err
				}
				once(held)
				<-goOn
				return tx.insertMessage(message("stopped", "PORTAL", "stopped", ""))
			})
		}()
		<-held
		if err := put(t, direct, "another's"); err != nil {
			t.Errorf("held up by a bridge that stopped: %v", err)
		}
		close(goOn)
		if err := <-told; err == nil || written(t, direct, "stopped") {
			t.Errorf("%v", err)
		}
		if err := putAtLast(t, s, "stopped"); err != nil {
			t.Error(err)
		}
	})
}
