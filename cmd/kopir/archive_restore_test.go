package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
)

// TestArchiveAfterRestore: files of the archive are younger than the store that
// was brought back. What was archived since is in both and is archived again;
// what was erased since is named, and can be erased again.
func TestArchiveAfterRestore(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		archiveAfterRestore(t, func(p *play) string {
			p.rewrite(t, "kopir.yaml", "live.yaml", "store: {path: data/kopir.db}", "store: {path: data/live.db}")
			return filepath.Join(p.dir, "live.yaml")
		}, func(p *play, config string) (restore func()) {
			backup := filepath.Join(p.dir, "backup.db")
			must(t, exitPassed, "store", "backup", "-config", config, "-o", backup)
			return func() {
				for _, name := range []string{"live.db", "live.db-wal", "live.db-shm"} {
					if err := os.Remove(filepath.Join(p.dir, "data", name)); err != nil && !os.IsNotExist(err) {
						t.Fatal(err)
					}
				}
				restored(t, config, backup)
			}
		})
	})
	t.Run("postgres", func(t *testing.T) {
		dump, restore := pgProgram(t, "pg_dump"), pgProgram(t, "pg_restore")
		archiveAfterRestore(t, func(p *play) string { return onPostgres(t, p) }, func(p *play, config string) func() {
			file, dsn := filepath.Join(t.TempDir(), "kopir.dump"), filepath.Join(p.dir, "store.dsn")
			pgRun(t, dump, "-Fc", "-f", file, strings.TrimSpace(string(readAll(t, dsn))))
			return func() {
				again := emptyPostgres(t)
				pgRun(t, restore, "--exit-on-error", "--no-owner", "-d", again, file)
				asleep(t, again)
				if err := os.WriteFile(dsn, []byte(again+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				restored(t, config)
			}
		})
	})
}

func restored(t *testing.T, config string, more ...string) {
	t.Helper()
	if said := must(t, exitPassed, append([]string{"store", "restore", "-config", config}, more...)...); strings.Count(said, "erase it again") != 1 {
		t.Error(said)
	}
}

func archiveAfterRestore(t *testing.T, configure func(*play) string, backup func(*play, string) func()) {
	p, end := testPlay(t)
	defer end()
	config := configure(p)
	if err := os.WriteFile(config, append(readAll(t, config), "\nretention: {archive_after: 1y, folder: archive}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n, stop := startNode(t, config, l)
	m := newSyncMaker(t, p)
	var numbers []string
	for range 3 {
		if status, body := post(t, reachable(l)+"/shep/sync", m.message(nil)); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
	}
	page, err := n.store.Applications(t.Context(), gateway.Filter{}, "", 10)
	if err != nil || len(page.Applications) != 3 {
		t.Fatal(page, err)
	}
	why := gateway.Text{RU: "нет", KK: "жоқ"}
	for _, a := range page.Applications {
		numbers = append(numbers, a.Number)
		if _, err := n.bridge.Decide(t.Context(), a.Number, gateway.Actor{Name: "specialist"}, gateway.Decision{State: gateway.Refused, Ground: &gateway.Ground{Text: why}}); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "every delivery is made", func() bool {
		open, err := n.store.OpenDeliveries(t.Context())
		return err == nil && len(open) == 0
	})
	now := time.Now()
	before, since, erased := numbers[0], numbers[1], numbers[2]
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	k := n.keeper()
	do(k.archive(t.Context(), before, "test", now))
	do(k.archive(t.Context(), erased, "test", now))
	restore := backup(p, config)
	do(k.archive(t.Context(), since, "test", now))
	do(k.erase(t.Context(), erased, "test", "request 17 of the office", now))
	stop()
	restore()

	if said := must(t, exitFailed, "journal", "verify", "-config", config); strings.Count(said, "fault: archive of "+erased) != 1 || strings.Count(said, "fault") != 1 {
		t.Error(said)
	}
	must(t, exitPassed, "journal", "erase", "-config", config, "-reason", "request 17 of the office, again", erased)
	trust := filepath.Join(p.dir, "trust")
	export := func(number string) string {
		file := filepath.Join(t.TempDir(), "bundle.asice")
		must(t, exitPassed, "journal", "export", "-config", config, "-o", file, number)
		return must(t, exitPassed, "journal", "verify", "-trust", trust, "-lang", "en", file)
	}
	st, materials, loaded, err := openConfigured(t.Context(), config)
	do(err)
	defer materials.close()
	defer st.Close()
	state := func(number string, want gateway.RemovalKind) {
		t.Helper()
		a, err := st.Application(t.Context(), number)
		if err != nil || (a.Removed == nil) != (want == "") || want != "" && a.Removed.What != want {
			t.Errorf("%s: %+v %v", number, a, err)
		}
	}
	state(before, gateway.Archived)
	state(since, "")
	state(erased, gateway.Erased)
	export(since)
	seals, err := loaded.sealer(st, materials, n.log)
	do(err)
	do(keeper{seals, loaded}.archive(t.Context(), since, "test", now))
	state(since, gateway.Archived)
	for _, number := range []string{before, since} {
		if said := export(number); !strings.Contains(said, number) {
			t.Error(said)
		}
	}
	if said := must(t, exitPassed, "journal", "verify", "-config", config); !strings.Contains(said, "2 archived files") {
		t.Error(said)
	}
}
