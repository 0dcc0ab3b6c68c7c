package main

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
)

// TestJournalInFiles: records that have come of age lie in files that verify by
// themselves and with the store; bundles find theirs in them; what is changed in
// one, or taken away, is named.
func TestJournalInFiles(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		journalInFiles(t, func(p *play) string {
			p.rewrite(t, "kopir.yaml", "live.yaml", "store: {path: data/kopir.db}", "store: {path: data/live.db}")
			return filepath.Join(p.dir, "live.yaml")
		})
	})
	t.Run("postgres", func(t *testing.T) {
		journalInFiles(t, func(p *play) string { return onPostgres(t, p) })
	})
}

func journalInFiles(t *testing.T, configure func(*play) string) {
	p, end := testPlay(t)
	defer end()
	config := configure(p)
	if err := os.WriteFile(config, append(readAll(t, config), "\nretention: {journal_after: 1y, folder: archive}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n, stop := startNode(t, config, listener)
	m := newSyncMaker(t, p)
	take := func() string {
		t.Helper()
		if status, body := post(t, reachable(listener)+"/shep/sync", m.message(nil)); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		waitFor(t, "every delivery is made", func() bool {
			open, err := n.store.OpenDeliveries(t.Context())
			return err == nil && len(open) == 0
		})
		page, err := n.store.Applications(t.Context(), gateway.Filter{}, "", 1)
		if err != nil {
			t.Fatal(err)
		}
		return page.Applications[0].Number
	}
	files := func() []string {
		t.Helper()
		all, err := filepath.Glob(filepath.Join(p.dir, "archive", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	k, year := n.keeper(), 365*24*time.Hour
	round := func(at time.Time, want int) {
		t.Helper()
		if err := n.checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := k.round(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		if got := files(); len(got) != want {
			t.Fatalf("%v; want %d files", got, want)
		}
	}
	one := take()
	round(time.Now(), 0)
	round(time.Now().Add(year+segmentSpan-time.Hour), 0) // a file a month
	round(time.Now().Add(year+segmentSpan+time.Hour), 1)
	round(time.Now().Add(year+segmentSpan+time.Hour), 2) // what was recorded of that
	two := take()
	why := gateway.Text{RU: "нет", KK: "жоқ"} // goes on in the store
	if _, err := n.bridge.Decide(t.Context(), one, gateway.Actor{Name: "specialist"}, gateway.Decision{State: gateway.Refused, Ground: &gateway.Ground{Text: why}}); err != nil {
		t.Fatal(err)
	}
	trust := filepath.Join(p.dir, "trust")
	verify := func(status int) string { t.Helper(); return must(t, status, "journal", "verify", "-config", config) }
	if said := verify(exitPassed); !strings.Contains(said, "intact: records 1 to ") || !strings.Contains(said, " 0 are older than the journal") {
		t.Error(said)
	}
	for _, number := range []string{one, two} {
		path := filepath.Join(t.TempDir(), "bundle.asice")
		must(t, exitPassed, "journal", "export", "-config", config, "-o", path, number)
		if said := must(t, exitPassed, "journal", "verify", "-trust", trust, "-lang", "en", path); !strings.Contains(said, number) {
			t.Error(said)
		}
	}
	var found journalFinding
	parts := files()
	if err := json.Unmarshal([]byte(must(t, exitPassed, append([]string{"journal", "verify", "-json", "-trust", trust}, parts...)...)), &found); err != nil {
		t.Fatal(err)
	}
	if found.First != 1 || found.Sealed != found.Last || !found.Stamped {
		t.Errorf("%+v", found)
	}
	whole := filepath.Join(t.TempDir(), "whole.jsonl")
	must(t, exitPassed, "journal", "export", "-config", config, "-out", whole)
	must(t, exitPassed, "journal", "verify", "-trust", trust, whole)
	stop()

	text := readAll(t, parts[0])
	for what, bad := range map[string][]byte{
		"changed":  bytes.Replace(text, []byte(`"kind":"change"`), []byte(`"kind":"access"`), 1),
		"cut off":  text[:len(text)-10],
		"longer":   append(bytes.Clone(text), '\n'),
		"the next": readAll(t, parts[1]),
		"gone":     nil,
	} {
		if bad == nil {
			err = os.Remove(parts[0])
		} else {
			err = os.WriteFile(parts[0], bad, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		outcome, word := "broken", ""
		if bad == nil { // another bridge may have it: nothing is proven to be changed
			outcome, word = "incomplete", filepath.Base(parts[0])+" is not in "+filepath.Dir(parts[0])+" (retention.folder); bridges that work on one store must share that folder"
		}
		if said := verify(exitFailed); !strings.HasPrefix(said, outcome) || !strings.Contains(said, "first fault: record ") || !strings.Contains(said, word) {
			t.Errorf("%s: %s", what, said)
		}
		if err := os.WriteFile(parts[0], text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first, second := filepath.Base(parts[0])+" is not in ", filepath.Base(parts[1])+" is not in "
	if err := os.Remove(parts[0]); err != nil { // and what comes after it is not hidden
		t.Fatal(err)
	}
	next := readAll(t, parts[1])
	if err := os.WriteFile(parts[1], bytes.Replace(next, []byte(`"kind":"`), []byte(`"kind":"_`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if said := verify(exitFailed); !strings.HasPrefix(said, "broken") || !strings.Contains(said, first) || strings.Contains(said, second) {
		t.Error(said)
	}
	if err := os.Remove(parts[1]); err != nil {
		t.Fatal(err)
	}
	if said := verify(exitFailed); !strings.HasPrefix(said, "incomplete: records 1 to ") || !strings.Contains(said, first) || !strings.Contains(said, second) || !strings.Contains(said, "\nup to record ") {
		t.Error(said)
	}
	for i, b := range [][]byte{text, next} {
		if err := os.WriteFile(parts[i], b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	verify(exitPassed)
}
