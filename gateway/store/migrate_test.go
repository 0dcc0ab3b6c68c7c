package store

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"kopir/gateway"
)

// TestMigrationsOnlyAdd: the bridge of the version before must go on working on
// the newer schema.
func TestMigrationsOnlyAdd(t *testing.T) {
	breaks := regexp.MustCompile(`(?i)\b(drop\s+(table|column|constraint)|rename|alter\s+column|set\s+not\s+null|truncate|delete\s+from)\b`)
	column := regexp.MustCompile(`(?i)add\s+column[^,;]*`)
	names, err := fs.Glob(Migrations, "*.sql")
	if err != nil || len(names) < 3 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		b, err := fs.ReadFile(Migrations, name)
		if err != nil {
			t.Fatal(err)
		}
		up, down, found := strings.Cut(string(b), "-- +goose Down")
		if !found || strings.TrimSpace(down) == "" {
			t.Errorf("%s: there is no way back", name)
		}
		if bad := breaks.FindString(up); bad != "" {
			t.Errorf("%s: %q breaks the version before", name, bad)
		}
		for _, c := range column.FindAllString(up, -1) {
			if u := strings.ToUpper(c); strings.Contains(u, "NOT NULL") && !strings.Contains(u, "DEFAULT") {
				t.Errorf("%s: %q: the version before does not fill it", name, c)
			}
		}
	}
}

// TestForwardAndBackward: every migration can be undone and done again, and
// what does not belong to it stays.
func TestForwardAndBackward(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bridge.db")
	databases := map[string]Opener{"sqlite": SQLite(path)}
	reopen := map[string]func() (*Store, error){"sqlite": func() (*Store, error) { return OpenSQLite(t.Context(), path) }}
	if dsn := os.Getenv("KOPIR_POSTGRES"); dsn != "" {
		databases["postgres"] = Postgres(dsn)
		reopen["postgres"] = func() (*Store, error) { return openEmptyPostgres(t, dsn), nil }
	}
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			s, err := reopen[name]()
			if err != nil {
				t.Fatal(err)
			}
			commit(t, s, gateway.Change{Message: message("1", "PORTAL", "k", ""), Application: application("N-1", t0)})
			s.Close()
			was, err := Migrate(t.Context(), open, -1)
			if err != nil || was.Have != was.Known || was.Have < 3 {
				t.Fatalf("%+v %v", was, err)
			}
			for v := was.Known - 1; v >= 1; v-- {
				if _, err := Migrate(t.Context(), open, v); err != nil {
					t.Fatalf("back to %d: %v", v, err)
				}
			}
			if s, err = open(); err != nil {
				t.Fatal(err)
			}
			if a, err := s.Application(t.Context(), "N-1"); err != nil || a.Number != "N-1" {
				t.Errorf("%+v %v", a, err)
			}
			s.closeDB()
			if at, err := Migrate(t.Context(), open, was.Known); err != nil || at.Have != 1 {
				t.Fatalf("forward again: %+v %v", at, err)
			}
			if _, err := Migrate(t.Context(), open, was.Known+1); err == nil {
				t.Error("a migration that nobody wrote was taken for done")
			}
		})
	}
}

// TestNewerSchema: a bridge runs on a schema that the next version has made, and
// leaves it as it is.
func TestNewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bridge.db")
	s := openAt(t, path)
	tamper(t, s, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99000, 1)`)
	tamper(t, s, `ALTER TABLE outbox ADD COLUMN of_the_next TEXT NOT NULL DEFAULT ''`)
	s.Close()
	s = openAt(t, path)
	commit(t, s, gateway.Change{Application: application("N-1", t0), Deliveries: []gateway.Delivery{delivery("a1", "N-1", gateway.ToPortal, t0)}})
	if ids, _ := claim(t, s, gateway.ToPortal, t0); len(ids) != 1 {
		t.Error(ids)
	}
	s.Close()
	if was, err := Migrate(t.Context(), SQLite(path), 1); err == nil || was.Have != 99000 {
		t.Errorf("an older program went back from what it does not know: %+v %v", was, err)
	}
}
