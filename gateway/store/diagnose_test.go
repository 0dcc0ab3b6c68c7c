package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"kopir/gateway"
)

// What ails a database is told with what to do, and without what the error
// holds of values and addresses.
func TestDiagnose(t *testing.T) {
	for code, want := range map[string]string{
		"53100": "disk", "53200": "out of memory", "53300": "no connection left", "53000": "lacks resources", "25006": "standby",
		"57P03": "going down or coming up", "28P01": "does not let us in", "42501": "lacks a right", "XX000": "XX000",
	} {
		err := fmt.Errorf("store: commit: %w", &pgconn.PgError{Code: code, Message: "password=secret", Detail: "(900101300123)"})
		say, remedy := Diagnose(err)
		if !strings.Contains(say, want) || remedy == "" || strings.Contains(say+remedy, "secret") || strings.Contains(say+remedy, "9001") {
			t.Errorf("%s: %q, %q", code, say, remedy)
		}
	}
	if say, remedy := Diagnose(errors.New("dial tcp 10.0.0.1: connection refused")); strings.Contains(say+remedy, "10.0.0.1") || remedy == "" {
		t.Errorf("%q, %q", say, remedy)
	}
}

// A database that SQLite may not let grow keeps what it has, takes nothing by
// halves, and goes on when it may grow again.
func TestFullDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kopir.db")
	s, err := OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	pages := func(n int) {
		t.Helper()
		if err := s.writer.write(t.Context(), func(tx *tx) error {
			row, err := tx.row(fmt.Sprintf("PRAGMA max_page_count = %d", n))
			if err != nil {
				return err
			}
			var got int
			return row.Scan(&got)
		}); err != nil {
			t.Fatal(err)
		}
	}
	commit(t, s, gateway.Change{Application: application("N-1", t0), Deliveries: []gateway.Delivery{delivery("d-1", "N-1", gateway.ToPortal, t0)}})
	pages(1) // no more than there are
	big := delivery("d-2", "N-2", gateway.ToPortal, t0)
	big.Body = make([]byte, 4<<20)
	err = s.Commit(t.Context(), gateway.Change{Application: application("N-2", t0), Deliveries: []gateway.Delivery{big}})
	if say, _ := Diagnose(err); err == nil || !strings.Contains(say, "disk of the store is full") {
		t.Fatalf("%v: %q", err, say)
	}
	if !s.Full() {
		t.Error("it is full, and nobody can know")
	}
	if _, err := s.Application(t.Context(), "N-2"); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("half of it is there: %v", err)
	}
	if ids, _ := claim(t, s, gateway.ToPortal, t0); len(ids) != 1 {
		t.Errorf("work on what was taken: %v", ids)
	}
	pages(1 << 30)
	commit(t, s, gateway.Change{Application: application("N-2", t0), Deliveries: []gateway.Delivery{big}})
	if n, err := s.Size(t.Context()); s.Full() || n < 4<<20 || err != nil {
		t.Errorf("%d bytes, %v; full: %v", n, err, s.Full())
	}
	if a, err := s.Audit(t.Context()); err != nil || len(a.Faults) > 0 {
		t.Errorf("%+v %v", a, err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// TestFullServer: a server that finds no room on its disk is full for us until
// it takes a write.
func TestFullServer(t *testing.T) {
	s := openEmptyPostgres(t, needPostgres(t))
	if n, err := s.Size(t.Context()); n < 1<<20 || err != nil || s.Full() {
		t.Fatalf("%d bytes, %v; full: %v", n, err, s.Full())
	}
	do := func(q string) {
		t.Helper()
		if _, err := s.write.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	do(`CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$`)
	do(`CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON marks FOR EACH ROW EXECUTE FUNCTION no_room()`)
	if err := s.Ping(t.Context()); err == nil || !s.Full() {
		t.Errorf("%v; full: %v", err, s.Full())
	}
	do(`DROP TRIGGER no_room ON marks`)
	if err := s.Ping(t.Context()); err != nil || s.Full() {
		t.Errorf("%v; full: %v", err, s.Full())
	}
}
