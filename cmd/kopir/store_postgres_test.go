package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
	said, err := os.CreateTemp("", "said")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(said.Name())
	defer said.Close()
	c := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...) // also at the cleanup
	c.Stdout, c.Stderr, c.Dir = said, said, os.TempDir()
	if err := c.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, readAll(t, said.Name()))
	}
}

// use points the configuration at a database.
func (c *calamity) use(dsn string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.p.dir, "store.dsn"), []byte(dsn+"\n"), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// prepare calls `kopir store restore` for a database that was brought back while
// the bridges that are written down in it are taken for living, and after.
func (c *calamity) prepare(dsn string) {
	t := c.t
	t.Helper()
	c.use(dsn)
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

// database is a connection beside the bridge's own.
func database(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
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
	r, err := database(t, dsn).ExecContext(t.Context(), "UPDATE processes SET seen_at = (EXTRACT(EPOCH FROM "+at+") * 1000000)::BIGINT")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.RowsAffected(); n == 0 || err != nil {
		t.Fatal("the copy is of no store that was in use", err)
	}
}

// wholly starts a bridge on a store that was brought back to its last commit: it
// knows every message, and nobody is told anything anew.
func (c *calamity) wholly(dsn string, restored *store.Store) {
	t := c.t
	t.Helper()
	c.use(dsn)
	asleep(t, dsn)
	must(t, exitPassed, "store", "restore", "-config", c.config)
	before, _, _ := c.g.counts()
	c.start()
	c.known(slices.Concat(c.first, c.while, c.later))
	c.settled(restored)
	if after, twice, _ := c.g.counts(); after != before || twice != 0 {
		t.Errorf("%d messages were sent anew, %d twice", after-before, twice)
	}
	c.intact()
}

// recovering says whether a server is still bringing a copy forward: it can be
// read then, and not written.
func recovering(t *testing.T, dsn string) (yes bool) {
	t.Helper()
	if err := database(t, dsn).QueryRowContext(t.Context(), "SELECT pg_is_in_recovery()").Scan(&yes); err != nil {
		t.Fatal(err)
	}
	return yes
}

// archiving keeps the server's WAL in a folder; what it gives waits until all
// that was written is there, and ends it.
func archiving(t *testing.T, dsn, folder string) (whole func()) {
	t.Helper()
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	archive := pgProgram(t, "pg_receivewal")
	slot := func(do string) { pgRun(t, archive, "-d", dsn, "-S", "kopir_archive", do) } // the server keeps what was not fetched
	slot("--create-slot")
	receive := exec.CommandContext(ctx, archive, "-d", dsn, "-S", "kopir_archive", "-D", folder, "--no-sync")
	receive.Stderr = os.Stderr
	if err := receive.Start(); err != nil {
		t.Fatal(err)
	}
	end := sync.OnceFunc(func() { stop(); receive.Wait(); slot("--drop-slot") })
	t.Cleanup(end)
	waitFor(t, "WAL arrives", func() bool { got, _ := filepath.Glob(filepath.Join(folder, "0*")); return len(got) > 0 })
	return func() {
		t.Helper()
		var last string
		if err := database(t, dsn).QueryRowContext(ctx, "SELECT pg_walfile_name(pg_switch_wal())").Scan(&last); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the last WAL is archived", func() bool { _, err := os.Stat(filepath.Join(folder, last)); return err == nil })
		end()
	}
}

// TestBackupAndRestorePostgres: as TestBackupAndRestore, by pg_dump into another
// database, and by pg_basebackup as another server; with the WAL since, nothing
// is lost.
func TestBackupAndRestorePostgres(t *testing.T) {
	dump, restore, base, control := pgProgram(t, "pg_dump"), pgProgram(t, "pg_restore"), pgProgram(t, "pg_basebackup"), pgProgram(t, "pg_ctl")
	p, end := testPlay(t)
	defer end()
	onPostgres(t, p)
	p.rewrite(t, "shared.yaml", "live.yaml")
	dsn := strings.TrimSpace(string(readAll(t, filepath.Join(p.dir, "store.dsn"))))
	open := func(t *testing.T, dsn string) *store.Store {
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
	data, wal := filepath.Join(folder, "data"), filepath.Join(folder, "wal")
	archived := archiving(t, dsn, wal)
	c.copied(func() {
		pgRun(t, dump, "-Fc", "-f", file, dsn)
		pgRun(t, base, "-d", dsn, "-D", data, "-X", "stream", "-c", "fast", "--no-sync")
	})
	lost := open(t, dsn)
	c.goOn(shut, lost)
	archived()
	if said := must(t, exitFailed, "store", "restore", "-config", c.config); !strings.Contains(said, "stop them") {
		t.Error(said)
	}

	t.Run("pg_dump", func(t *testing.T) {
		c.bridge.kill()
		again := emptyPostgres(t)
		pgRun(t, restore, "--exit-on-error", "--no-owner", "-d", again, file)
		c.t = t
		c.prepare(again)
		c.again(lost, open(t, again))
		c.bridge.kill()
	})
	as := func(args ...string) { pgRun(t, args[0], args[1:]...) }
	if os.Getuid() == 0 { // the server refuses to run as root
		as = func(args ...string) { pgRun(t, "runuser", append([]string{"-u", "postgres", "--"}, args...)...) }
	}
	old := filepath.Join(folder, "old")
	pgRun(t, "cp", "-a", data, old)
	if os.Getuid() == 0 {
		pgRun(t, "chown", "-R", "postgres", folder)
	}
	serve := func(t *testing.T, data, options string) (string, *store.Store) {
		t.Helper()
		as(control, "-D", data, "-w", "-l", filepath.Join(folder, "log"), "-o", fmt.Sprintf("-c listen_addresses='' -k %s -c fsync=off %s", folder, options), "start")
		t.Cleanup(func() { as(control, "-D", data, "-m", "immediate", "stop") })
		again := fmt.Sprintf("host=%s user=kopir %s", folder, dsn[strings.Index(dsn, "dbname="):])
		waitFor(t, "the server has recovered", func() bool { return !recovering(t, again) })
		return again, open(t, again)
	}
	t.Run("pg_basebackup", func(t *testing.T) {
		c.bridge.kill()
		c.t = t
		again, restored := serve(t, data, "")
		c.prepare(again)
		c.again(lost, restored)
		c.bridge.kill()
	})
	t.Run("archived WAL", func(t *testing.T) {
		c.bridge.kill()
		c.t = t
		if err := os.WriteFile(filepath.Join(old, "recovery.signal"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		again, restored := serve(t, old, fmt.Sprintf("-c restore_command='cp %s/%%f %%p'", wal))
		c.wholly(again, restored)
		c.bridge.kill()
	})
}
