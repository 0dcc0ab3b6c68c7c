package store

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kopir/gateway"
)

func needPostgres(t *testing.T) string {
	t.Helper()
	dsn := os.Getenv("KOPIR_POSTGRES")
	if dsn == "" {
		t.Skip("PostgreSQL is not here: KOPIR_POSTGRES names no database")
	}
	return dsn
}

func openSecond(t *testing.T, dsn string) *Store {
	t.Helper()
	s, err := OpenPostgres(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func lead(t *testing.T, s *Store, ttl time.Duration) bool {
	t.Helper()
	leads, err := s.Lead(t.Context(), "loops", ttl)
	if err != nil {
		t.Fatal(err)
	}
	return leads
}

// TestOneLeads: two processes, one leader, until its time ends or it resigns.
func TestOneLeads(t *testing.T) {
	dsn := needPostgres(t)
	a, b := openEmptyPostgres(t, dsn), openSecond(t, dsn)
	if !lead(t, a, time.Hour) || lead(t, b, time.Hour) || !lead(t, a, time.Hour) {
		t.Fatal("not one leader")
	}
	if err := b.Resign(t.Context(), "loops"); err != nil || lead(t, b, time.Hour) {
		t.Fatal("who does not lead resigned for the leader", err)
	}
	if err := a.Resign(t.Context(), "loops"); err != nil || !lead(t, b, time.Microsecond) {
		t.Fatal("not handed over", err)
	}
	if !lead(t, a, time.Hour) || lead(t, b, time.Hour) {
		t.Fatal("not taken over")
	}
}

// TestSilentProcess: what a process had claimed when it fell silent goes to the
// others, and what it would still settle changes nothing.
func TestSilentProcess(t *testing.T) {
	dsn := needPostgres(t)
	a, b := openEmptyPostgres(t, dsn), openSecond(t, dsn)
	commit(t, a, gateway.Change{Deliveries: []gateway.Delivery{delivery("a1", "A", gateway.ToPortal, t0)}})
	_, cut := claim(t, a, gateway.ToPortal, t0)
	if freed, err := b.Beat(t.Context()); freed != 0 || err != nil {
		t.Fatalf("taken from the living: %d %v", freed, err)
	}
	if _, err := a.write.ExecContext(t.Context(), `UPDATE processes SET seen_at = seen_at - 31000000 WHERE id = $1`, a.writer.process); err != nil {
		t.Fatal(err)
	}
	if freed, err := b.Beat(t.Context()); freed != 1 || err != nil {
		t.Fatalf("freed %d, %v", freed, err)
	}
	if ids, again := claim(t, b, gateway.ToPortal, t0); len(ids) != 1 || !again[0].Unsure {
		t.Fatalf("%v", ids)
	}
	cut[0].State = gateway.Done
	if err := a.Commit(t.Context(), gateway.Change{Deliveries: cut}); !errors.Is(err, gateway.ErrLease) {
		t.Errorf("settled without its lease: %v", err)
	}
}

// TestClocksApart: leases are reckoned by the machines' clocks.
func TestClocksApart(t *testing.T) {
	s := openEmptyPostgres(t, needPostgres(t))
	if skew := s.Skew(); skew.Abs() > maxSkew {
		t.Fatalf("this machine's own server: %s", skew)
	}
	s.skew.Store((2 * time.Minute).Microseconds())
	if _, err := s.Claim(t.Context(), gateway.Lane{Route: gateway.ToPortal}, t0, time.Minute, 1); err == nil || !strings.Contains(err.Error(), "clock") {
		t.Errorf("claimed: %v", err)
	}
	if s.ClockFault() == nil {
		t.Error("nothing is claimed, and nobody can ask why")
	}
	if _, err := s.Beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Claim(t.Context(), gateway.Lane{Route: gateway.ToPortal}, t0, time.Minute, 1); err != nil || s.ClockFault() != nil {
		t.Error(err, s.ClockFault())
	}
}

// wire is a way to the server that can be cut.
type wire struct {
	net.Listener
	target string
	cut    atomic.Int32 // what happens to the next bytes of a client: 0 pass, 1 lost, 2 pass but their answer is lost
	mu     sync.Mutex
	open   []net.Conn
}

const (
	pass = iota
	loseQuestion
	loseAnswer
)

func newWire(t *testing.T, dsn string) (*wire, string) {
	t.Helper()
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	if !filepath.IsAbs(c.Host) {
		t.Skip("the PostgreSQL server is not reached by a socket")
	}
	dir, err := os.MkdirTemp("", "wire") // the name of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: l, target: filepath.Join(c.Host, fmt.Sprintf(".s.PGSQL.%d", c.Port))}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("unix", w.target)
			if err != nil {
				from.Close()
				continue
			}
			w.mu.Lock()
			w.open = append(w.open, from, to)
			w.mu.Unlock()
			wg.Go(func() { w.ask(from, to) })
			wg.Go(func() { defer from.Close(); io.Copy(from, to) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		w.mu.Lock()
		for _, c := range w.open {
			c.Close()
		}
		w.mu.Unlock()
		wg.Wait()
		os.RemoveAll(dir)
	})
	return w, fmt.Sprintf("host=%s port=5432 user=%s dbname=%s", dir, c.User, c.Database)
}

func (w *wire) ask(from, to net.Conn) {
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		switch w.cut.Swap(pass) {
		case loseQuestion:
			from.Close()
			return
		case loseAnswer:
			from.Close() // so that the answer finds nobody
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// TestOneLineOfTwoNodes: two processes that add to the history of one
// application at once take no place twice, and neither is told of the other.
func TestOneLineOfTwoNodes(t *testing.T) {
	dsn := needPostgres(t)
	a, b := openEmptyPostgres(t, dsn), openSecond(t, dsn)
	commit(t, a, gateway.Change{Application: application("N-1", t0)})
	const each = 40
	var wg sync.WaitGroup
	for _, s := range []*Store{a, b} {
		for range 4 {
			wg.Go(func() {
				for range each / 4 {
					if err := s.Commit(t.Context(), gateway.Change{Events: []gateway.Event{{Application: "N-1", At: t0, Kind: gateway.EventNote}}}); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	ev, err := a.Events(t.Context(), "N-1")
	if err != nil || len(ev) != 2*each || ev[len(ev)-1].Seq != 2*each {
		t.Errorf("%d events: %v", len(ev), err)
	}
}

// TestCutDuringCommit: a commit whose question or answer got lost settles, each
// write is there once or not at all, and the caller was told which. KOPIR_CUTS
// is how many; 10,000 take some minutes.
func TestCutDuringCommit(t *testing.T) {
	dsn := needPostgres(t)
	direct := openEmptyPostgres(t, dsn)
	w, through := newWire(t, dsn)
	s := openSecond(t, through)
	cuts := 60
	if n, err := strconv.Atoi(os.Getenv("KOPIR_CUTS")); err == nil {
		cuts = n
	}
	var armed int32
	s.writer.committing = func() { w.cut.Store(armed) }
	for i := range cuts {
		armed = pass
		warm := fmt.Sprintf("warm%d", i) // so that the statements are prepared, and the next commit is one message
		if err := s.Commit(t.Context(), gateway.Change{Message: message(warm, "PORTAL", warm, "")}); err != nil {
			t.Fatal(err)
		}
		armed = int32(i % 3)
		key := fmt.Sprintf("k%d", i)
		err := s.Commit(t.Context(), gateway.Change{Message: message(key, "PORTAL", key, "")})
		_, found := direct.Message(t.Context(), "PORTAL", key)
		written := found == nil
		if written != (err == nil) || written != (armed != loseQuestion) {
			t.Fatalf("cut %d of kind %d: written %v, told %v", i, armed, written, err)
		}
		if errors.Is(err, gateway.ErrUnsettled) {
			t.Fatal(err)
		}
	}
	// The writes that were lost can be made again.
	armed = pass
	for i := range cuts {
		key := fmt.Sprintf("k%d", i)
		if err := s.Commit(t.Context(), gateway.Change{Message: message(key, "PORTAL", key, "")}); err != nil != (i%3 != loseQuestion) {
			t.Errorf("again %d: %v", i, err)
		}
	}
}
