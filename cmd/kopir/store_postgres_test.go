package main

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"kopir/gateway/store"
)

// pgProgram finds one of PostgreSQL's programs.
func pgProgram(t *testing.T, name string) string {
	t.Helper()
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); len(found) > 0 {
		return found[len(found)-1]
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not here (Debian package: postgresql)", name)
	}
	return path
}

// pgRun runs one. Its output goes to a file: a server that it starts keeps it open.
func pgRun(t *testing.T, name string, args ...string) {
	t.Helper()
	said, err := os.CreateTemp(t.TempDir(), "said")
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Stdout, c.Stderr, c.Dir = said, said, os.TempDir()
	if err := c.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, readAll(t, said.Name()))
	}
}

// prepare calls `kopir store restore` for a database that was brought back while
// the bridges that are written down in it are taken for living, and after.
func (c *calamity) prepare(dsn string) {
	t := c.t
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.p.dir, "store.dsn"), []byte(dsn+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, exitFailed, "store", "restore", "-config", c.config, "a file")
	seen(t, dsn, "clock_timestamp()")
	if said := must(t, exitFailed, "store", "restore", "-config", c.config); !strings.Contains(said, "stop them") {
		t.Error(said)
	}
	asleep(t, dsn)
	if said := must(t, exitPassed, "store", "restore", "-config", c.config); !strings.Contains(said, "asked about first") || strings.Contains(said, " 0 deliveries") {
		t.Error(said)
	}
}

// asleep: a copy that is restored is older than the half minute for which a
// bridge counts as living.
func asleep(t *testing.T, dsn string) {
	t.Helper()
	seen(t, dsn, "clock_timestamp() - interval '1 hour'")
}

// seen writes down when the bridges of a store were heard of.
func seen(t *testing.T, dsn, at string) {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r, err := db.ExecContext(t.Context(), "UPDATE processes SET seen_at = (EXTRACT(EPOCH FROM "+at+") * 1000000)::BIGINT")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.RowsAffected(); n == 0 || err != nil {
		t.Fatal("the copy is of no store that was in use", err)
	}
}

// TestBackupAndRestorePostgres: as TestBackupAndRestore, by pg_dump into another
// database, and by pg_basebackup as another server.
func TestBackupAndRestorePostgres(t *testing.T) {
	dump, restore, base, control := pgProgram(t, "pg_dump"), pgProgram(t, "pg_restore"), pgProgram(t, "pg_basebackup"), pgProgram(t, "pg_ctl")
	p, end := testPlay(t)
	defer end()
	onPostgres(t, p)
	p.rewrite(t, "shared.yaml", "live.yaml")
	dsn := strings.TrimSpace(string(readAll(t, filepath.Join(p.dir, "store.dsn"))))
	open := func(dsn string) *store.Store {
		st, err := store.OpenPostgres(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		return st
	}
	c, shut := newCalamity(t, p, filepath.Join(p.dir, "live.yaml"))
	file := filepath.Join(t.TempDir(), "kopir.dump")
	folder, err := os.MkdirTemp("", "base") // the server's own user must reach it, and the name of a socket be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	data := filepath.Join(folder, "data")
	c.copied(func() {
		pgRun(t, dump, "-Fc", "-f", file, dsn)
		pgRun(t, base, "-d", dsn, "-D", data, "-X", "stream", "-c", "fast", "--no-sync")
	})
	lost := open(dsn)
	c.goOn(shut, lost)
	if said := must(t, exitFailed, "store", "restore", "-config", c.config); !strings.Contains(said, "stop them") {
		t.Error(said)
	}

	t.Run("pg_dump", func(t *testing.T) {
		c.bridge.kill()
		again := emptyPostgres(t)
		pgRun(t, restore, "--exit-on-error", "--no-owner", "-d", again, file)
		c.t = t
		c.prepare(again)
		restored, err := store.OpenPostgres(t.Context(), again)
		if err != nil {
			t.Fatal(err)
		}
		defer restored.Close()
		c.again(lost, restored)
		c.bridge.kill()
	})
	t.Run("pg_basebackup", func(t *testing.T) {
		c.bridge.kill()
		as := func(args ...string) { pgRun(t, args[0], args[1:]...) }
		if os.Getuid() == 0 { // the server refuses to run as root
			pgRun(t, "chown", "-R", "postgres", folder)
			as = func(args ...string) { pgRun(t, "runuser", append([]string{"-u", "postgres", "--"}, args...)...) }
		}
		as(control, "-D", data, "-w", "-l", filepath.Join(folder, "log"), "-o", fmt.Sprintf("-c listen_addresses='' -k %s -c fsync=off", folder), "start")
		defer as(control, "-D", data, "-m", "immediate", "stop")
		at := strings.Index(dsn, "dbname=")
		again := fmt.Sprintf("host=%s user=kopir %s", folder, dsn[at:])
		c.t = t
		c.prepare(again)
		restored, err := store.OpenPostgres(t.Context(), again)
		if err != nil {
			t.Fatal(err)
		}
		defer restored.Close()
		c.again(lost, restored)
		c.bridge.kill()
	})
}
