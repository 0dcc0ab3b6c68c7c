package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kopir/gateway"
	"kopir/gateway/server"
	"kopir/gateway/signer"
)

// TestJournal: a bridge that took an application and was asked about it has a
// chain that verifies in its store and as an archive, sealed by its key and a
// time stamp; any change is found.
func TestJournal(t *testing.T) {
	p, err := newPlay(t.Context(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := false
	defer func() {
		if !ended {
			p.end()
		}
	}()
	p.start(t.Context())
	m := newSyncMaker(t, p)
	for range 3 {
		if status, body := post(t, p.bridge+"/shep/sync", m.message(nil)); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
	}
	page, err := p.node.store.Applications(t.Context(), gateway.Filter{}, "", 10)
	if err != nil || len(page.Applications) != 3 {
		t.Fatal(page, err)
	}
	number := page.Applications[0].Number
	d := &restDesk{t, p, p.key}
	for _, path := range []string{"/applications/" + number, "/applications?state=received&number=900101300123"} {
		d.want(d.call("GET", path, ""), 200, "")
	}
	d.want(d.call("GET", "/applications/900101300123", ""), 404, "not_found")
	waitFor(t, "every delivery is made", func() bool {
		open, err := p.node.store.OpenDeliveries(t.Context())
		return err == nil && len(open) == 0
	})
	if err := p.node.checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	config, archive := filepath.Join(p.dir, "kopir.yaml"), filepath.Join(p.dir, "archive.jsonl")
	live := must(t, exitPassed, "journal", "verify", "-config", config)
	for _, want := range []string{"intact: records 1 to ", "by a time stamp", " 0 are older than the journal", "signed by "} {
		if !strings.Contains(live, want) {
			t.Errorf("no %q in\n%s", want, live)
		}
	}
	must(t, exitPassed, "journal", "export", "-config", config, "-out", archive)
	text := readAll(t, archive)
	for _, want := range []string{`"kind":"configuration"`, `"kind":"access"`, `"who":"specialist"`, `"owner":"lists"`, `"note":"GET /applications number=?&state=received"`, `"owner":"` + number + `"`, `"checkpoint":"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in the archive", want)
		}
	}
	if strings.Contains(string(text), "900101300123") {
		t.Error("the archive holds a number that somebody looked for")
	}
	for _, person := range []string{"citizen", "citizen2", "citizen3"} {
		c, err := p.sim.Credential(person)
		if err != nil {
			t.Fatal(err)
		}
		k, err := c.Key()
		if err != nil {
			t.Fatal(err)
		}
		if iin := k.Certificate.Subject.IIN; strings.Contains(string(text), iin) {
			t.Error("the archive holds the IIN of a person")
		}
	}
	trust := filepath.Join(p.dir, "trust")
	var found journalFinding
	if err := json.Unmarshal([]byte(must(t, exitPassed, "journal", "verify", "-json", "-trust", trust, archive)), &found); err != nil {
		t.Fatal(err)
	}
	if found.Outcome != "intact" || !found.Stamped || found.Sealed == 0 || found.First != 1 || len(found.Signers) != 1 {
		t.Errorf("%+v", found)
	}
	// Another organisation's key, another trust, a changed byte, a cut.
	must(t, exitFailed, "journal", "verify", "-trust", trust, "-bin", "000040000001", archive)
	must(t, exitFailed, "journal", "verify", archive)
	bad := filepath.Join(p.dir, "bad.jsonl")
	for name, change := range map[string]func(string) string{
		"changed": func(s string) string { return strings.Replace(s, "specialist", "spacialist", 1) },
		"cut":     func(s string) string { return s[:len(s)/2] },
		"empty":   func(string) string { return "" },
	} {
		if err := os.WriteFile(bad, []byte(change(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := must(t, exitFailed, "journal", "verify", "-trust", trust, bad); !strings.Contains(out, "broken") || !strings.Contains(out, "first fault: record ") {
			t.Errorf("%s: %s", name, out)
		}
	}
	if err := p.end(); err != nil {
		t.Error(err)
	}
	ended = true
}

// TestSilentTimeStamps: checkpoints that a silent authority did not stamp are told
// by metrics and /readyz and counted by verify; when it is back, the end is stamped
// though nothing was added.
func TestSilentTimeStamps(t *testing.T) {
	p, end := testPlay(t) // its bridge does not run: nobody else makes checkpoints
	defer end()
	l := *p.node.conf()
	l.Journal.Checkpoint = 1
	n := &node{store: p.node.store, stamper: p.node.stamper, began: p.node.began, log: p.node.log}
	n.wired.Store(&wiring{l: &l})
	unstamped := func() bool {
		t.Helper()
		if age, err := n.checkpointAge(t.Context()); err != nil || age != 0 {
			t.Errorf("unsigned for %s, %v", age, err)
		}
		age, err := n.stampAge(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if c := n.journalCondition(t.Context()); (age > 0) != (c.Health == server.Warning && strings.Contains(c.Say, "no time stamp")) {
			t.Errorf("unstamped for %s: %+v", age, c)
		}
		return age > 0
	}
	silent := p.node.sealer()
	var err error
	if silent.stamper, err = signer.NewAuthority(map[string]string{"": "http://127.0.0.1:1/"}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := silent.checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	verify := func() string {
		return must(t, exitPassed, "journal", "verify", "-config", filepath.Join(p.dir, "kopir.yaml"))
	}
	if out := verify(); !unstamped() || !strings.Contains(out, "1 of the checkpoints bear no time stamp") {
		t.Error(out)
	}
	before, _, err := n.store.LastCheckpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.node.checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if last, _, err := n.store.LastCheckpoint(t.Context()); err != nil || last != before {
		t.Errorf("%d %v", last, err)
	}
	if out := verify(); unstamped() || strings.Contains(out, "bear no time stamp") || !strings.Contains(out, "by a time stamp") {
		t.Error(out)
	}
	n.stamper = nil // where none is configured, none is missed
	if unstamped() {
		t.Error("a stamp is missed that nobody asked for")
	}
}
