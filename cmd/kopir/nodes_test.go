package main

import (
	"context"
	"database/sql"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kopir/gateway"
)

// emptyPostgres makes a database of its own on the server of the tests, and
// gives its address.
func emptyPostgres(t testing.TB) string {
	t.Helper()
	dsn := os.Getenv("KOPIR_POSTGRES")
	if dsn == "" {
		t.Skip("PostgreSQL is not here: KOPIR_POSTGRES names no database")
	}
	server, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	name := "kopir_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if _, err := server.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := server.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return strings.ReplaceAll(dsn, "dbname=kopir", "dbname="+name)
}

// onPostgres writes the configuration of a play anew, with its store in a
// PostgreSQL database.
func onPostgres(t testing.TB, p *play) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(p.dir, "kopir.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	sqlite := "store: {path: data/kopir.db}"
	if !strings.Contains(string(b), sqlite) {
		t.Fatalf("no %q in %s", sqlite, b)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "store.dsn"), []byte(emptyPostgres(t)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(p.dir, "shared.yaml")
	if err := os.WriteFile(path, []byte(strings.Replace(string(b), sqlite, "store: {driver: postgres, dsn_file: store.dsn}", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// openNode makes a bridge as a configuration says, which does not serve yet; its
// log is the book.
func openNode(t testing.TB, config string) (n *node, book *noteBook) {
	t.Helper()
	c, faults := loadConfig(config)
	if len(faults) > 0 {
		t.Fatal(faults[0].format(config))
	}
	m, faults := c.open(time.Now())
	if len(faults) > 0 {
		t.Fatal(faults[0].format(config))
	}
	book = &noteBook{}
	log, err := newLog(c, book)
	if err != nil {
		t.Fatal(err)
	}
	if n, err = newNode(t.Context(), c, m, log); err != nil {
		t.Fatal(err)
	}
	return n, book
}

// startNode runs one more bridge on a configuration; stop drains and ends it.
func startNode(t testing.TB, config string, l net.Listener) (n *node, stop func()) {
	t.Helper()
	n, book := openNode(t, config)
	return n, serveNode(t, n, book, l)
}

// serveNode runs a bridge that was opened; stop drains and ends it.
func serveNode(t testing.TB, n *node, book *noteBook, l net.Listener) (stop func()) {
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- n.run(ctx, l) }()
	stop = func() {
		if end == nil {
			return
		}
		end()
		end = nil
		if err := cleanEnd(<-done); err != nil {
			t.Error(err)
		}
		if err := n.close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(book.String())
		}
	}
	t.Cleanup(stop)
	return stop
}

// listen takes an address of this machine that is free.
func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestTwoNodes: two bridges on one PostgreSQL take applications at once; either
// answers a repetition with the stored bytes; when the one that leads goes, the
// other does its work; every application has one number, one row, one notice.
func TestTwoNodes(t *testing.T) {
	p, end := testPlay(t)
	defer end()
	config := onPostgres(t, p)
	beside, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, stopFirst := startNode(t, config, beside)
	second, stopSecond := startNode(t, config, p.listener)
	defer stopSecond()
	doors := []string{reachable(beside) + "/shep/sync", p.bridge + "/shep/sync"}

	m := newSyncMaker(t, p)
	const all = 24
	answers := map[string]bool{}
	for i := range all {
		if i == all/2 {
			stopFirst()
			doors = doors[1:]
		}
		raw := m.message(nil)
		status, first := post(t, doors[i%len(doors)], raw)
		if status != 200 || !strings.Contains(first, "SendMessageResponse") {
			t.Fatalf("%d %s", status, first)
		}
		if _, again := post(t, doors[(i+1)%len(doors)], raw); again != first {
			t.Fatalf("the other node answers the repetition with\n%s\nand not\n%s", again, first)
		}
		answers[first] = true
	}
	if len(answers) != all {
		t.Errorf("%d answers to %d messages", len(answers), all)
	}
	numbers := map[string]bool{}
	waitFor(t, "every notice is delivered", func() bool {
		open, err := second.store.OpenDeliveries(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(open) == 0
	})
	page, err := second.store.Applications(t.Context(), gateway.Filter{}, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range page.Applications {
		numbers[a.Number] = true
	}
	rows := 0
	local, err := sql.Open("sqlite", "file:"+filepath.Join(p.dir, "data", "mio.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	if err := local.QueryRow("SELECT COUNT(*) FROM unemployed_certificate").Scan(&rows); err != nil {
		t.Fatal(err)
	}
	sent, err := second.store.Deliveries(t.Context(), gateway.DeliveryFilter{Route: gateway.ToPortal}, "", 200)
	if err != nil {
		t.Fatal(err)
	}
	notices := map[string]int{}
	for _, d := range sent.Deliveries {
		notices[d.Application]++
	}
	if len(numbers) != all || rows != all || len(notices) != all {
		t.Errorf("%d numbers, %d rows, notices about %d, of %d applications", len(numbers), rows, len(notices), all)
	}
	for number, n := range notices {
		if n != 1 {
			t.Errorf("%d notices about %s", n, number)
		}
	}
}
