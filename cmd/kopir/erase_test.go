package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"kopir/gateway"
	"kopir/gateway/bundle"
	"kopir/signature/verdict"
)

// personal are the words of the play's citizen that must be nowhere once his
// application is erased.
var personal = []string{"900101300017", "ТЕСТОВ"}

// leftIn names the files of the bridge's store in which a word still stands.
func (p *play) leftIn(t *testing.T, word string) (all []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, "data", "kopir.db*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err != nil {
			t.Fatal(err)
		} else if bytes.Contains(b, []byte(word)) {
			all = append(all, filepath.Base(f))
		}
	}
	return all
}

// keeperOf archives and erases by hand.
func (p *play) keeperOf(r retentionConfig) keeper {
	l := *p.node.conf()
	l.Retention = r
	return keeper{sealer{p.node.store, p.materials, p.node.stamper, zap.NewNop()}, &l}
}

// TestErase: of an erased application nothing of a person is left in the files
// of the store, the chain verifies and says what happened, and who repeats the
// message gets the same answer.
func TestErase(t *testing.T) {
	p, _ := settledPlay(t)
	config := filepath.Join(p.dir, "kopir.yaml")
	raw := newSyncMaker(t, p).message(nil)
	status, reply := post(t, p.bridge+"/shep/sync", raw)
	if status != 200 {
		t.Fatalf("%d %s", status, reply)
	}
	page, err := p.node.store.Applications(t.Context(), gateway.Filter{States: []gateway.State{gateway.Received}}, "", 10)
	if err != nil || len(page.Applications) != 1 {
		t.Fatal(page, err)
	}
	number := page.Applications[0].Number
	must(t, exitFailed, "journal", "erase", "-config", config, "-reason", "too early", number)
	why := gateway.Text{RU: "нет", KK: "жоқ"}
	if _, err := p.node.bridge.Decide(t.Context(), number, gateway.Actor{Name: "specialist"}, gateway.Decision{State: gateway.Refused, Ground: &gateway.Ground{Text: why}}); err != nil {
		t.Fatal(err)
	}
	settled := func() {
		t.Helper()
		waitFor(t, "every delivery is made", func() bool {
			open, err := p.node.store.OpenDeliveries(t.Context())
			return err == nil && len(open) == 0
		})
	}
	settled()
	person := string(page.Applications[0].Applicant.IIN)
	personal := []string{person, page.Applications[0].Applicant.Name}
	for _, word := range personal {
		if len(p.leftIn(t, word)) == 0 {
			t.Fatalf("%q is not in the store to begin with", word)
		}
	}
	before := p.bundleFile(t, number)
	must(t, exitUsage, "journal", "erase", "-config", config, number)
	must(t, exitFailed, "journal", "erase", "-config", config, "-reason", "test", "UC-1999-000001")
	must(t, exitPassed, "journal", "erase", "-config", config, "-reason", "request 17 of the office", number)
	must(t, exitFailed, "journal", "erase", "-config", config, "-reason", "again", number)
	for _, word := range personal {
		if files := p.leftIn(t, word); len(files) > 0 {
			b := readAll(t, filepath.Join(p.dir, "data", files[0]))
			at := bytes.Index(b, []byte(word))
			t.Errorf("%q is left in %v: %q", word, files, b[max(0, at-60):min(len(b), at+60)])
		}
	}
	if out := must(t, exitPassed, "journal", "verify", "-config", config); !strings.Contains(out, "intact") || strings.Contains(out, " 0 are erased") {
		t.Error(out)
	}
	trust := filepath.Join(p.dir, "trust")
	out := must(t, exitPassed, "journal", "verify", "-trust", trust, "-lang", "en", p.bundleFile(t, number))
	if !strings.Contains(out, "erased at") || !strings.Contains(out, "request 17 of the office") {
		t.Error(out)
	}
	must(t, exitPassed, "journal", "verify", "-trust", trust, before) // what was handed out before stays evidence

	if status, body := post(t, p.bridge+"/shep/sync", raw); status != 200 || string(body) != string(reply) {
		t.Errorf("the same message got another answer: %d %s", status, body)
	}
	a, err := p.node.store.Application(t.Context(), number)
	if err != nil || a.Removed == nil || a.Removed.What != gateway.Erased || a.State != gateway.Refused || a.Applicant != (gateway.Party{}) {
		t.Errorf("%+v %v", a, err)
	}
	if _, err := p.node.store.ForgetReplies(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if status, body := post(t, p.bridge+"/shep/sync", raw); status == 200 || !strings.Contains(string(body), "is not kept any more") {
		t.Errorf("after the time of replies: %d %s", status, body)
	}
}

// TestRetention: what has been over for long goes into sealed files and later
// altogether; what is open stays.
func TestRetention(t *testing.T) {
	p, number := settledPlay(t)
	config := filepath.Join(p.dir, "kopir.yaml")
	if status, body := post(t, p.bridge+"/shep/sync", newSyncMaker(t, p).message(nil)); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	waitFor(t, "every delivery is made", func() bool {
		open, err := p.node.store.OpenDeliveries(t.Context())
		return err == nil && len(open) == 0
	})
	page, err := p.node.store.Applications(t.Context(), gateway.Filter{States: []gateway.State{gateway.Received}}, "", 10)
	if err != nil || len(page.Applications) != 1 {
		t.Fatal(page, err)
	}
	open := page.Applications[0].Number
	src := readAll(t, config)
	if err := os.WriteFile(config, append(src, "\nretention: {archive_after: 1y, folder: archive, erase_after: 5y}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	year := 365 * 24 * time.Hour
	k := p.keeperOf(retentionConfig{ArchiveAfter: age(year), Folder: "archive", EraseAfter: age(5 * year), Replies: defaultReplies})
	if err := k.round(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if a, err := p.node.store.Application(t.Context(), number); err != nil || a.Removed != nil {
		t.Fatalf("too early: %+v %v", a, err)
	}
	if err := k.round(t.Context(), time.Now().Add(2*year)); err != nil {
		t.Fatal(err)
	}
	file := k.archived(number)
	sealed := readAll(t, file)
	for _, word := range personal {
		if bytes.Contains(sealed, []byte(word)) {
			t.Errorf("%q is in the archived file", word)
		}
	}
	if out := must(t, exitPassed, "journal", "verify", "-config", config); !strings.Contains(out, "1 archived files") {
		t.Error(out)
	}
	again := readAll(t, p.bundleFile(t, number))
	if r := bundle.Verify(again, bundle.Options{Trust: p.roots(t)}); r.Outcome != verdict.Passed || r.State != "completed" || r.Owner != number {
		t.Errorf("%+v", r)
	}
	if err := os.WriteFile(file, sealed[1:], 0o600); err != nil {
		t.Fatal(err)
	}
	if out := must(t, exitFailed, "journal", "verify", "-config", config); !strings.Contains(out, "archive of "+number) {
		t.Error(out)
	}
	if err := os.Remove(file); err != nil { // as it is on a bridge with a folder of its own
		t.Fatal(err)
	}
	if out := must(t, exitFailed, "journal", "verify", "-config", config); !strings.HasPrefix(out, "incomplete") || !strings.Contains(out, filepath.Base(file)+" is not in "+filepath.Dir(file)) || !strings.Contains(out, "must share") {
		t.Error(out)
	}
	var said *gateway.Error
	if _, err := (bundles{k}).Bundle(t.Context(), number); !errors.As(err, &said) || said.Code != gateway.TryLater || !strings.Contains(said.Say, filepath.Base(file)) || !strings.Contains(said.Say, "must share") {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(file, sealed, 0o600); err != nil {
		t.Fatal(err)
	}
	secret, err := p.node.store.Secret(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.round(t.Context(), time.Now().Add(6*year)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the archived file is still there: %v", err)
	}
	if _, err := p.node.store.Secret(t.Context(), number); !errors.Is(err, gateway.ErrRemoved) {
		t.Errorf("the key is still there: %v", err)
	}
	if _, err := gateway.Unseal(secret[1:], archivePurpose, sealed); err == nil {
		t.Error("the archived file opens under another key")
	}
	must(t, exitPassed, "journal", "verify", "-config", config)
	a, err := p.node.store.Application(t.Context(), open)
	if err != nil || a.Removed != nil || a.Applicant.IIN == "" {
		t.Errorf("the open application: %+v %v", a, err)
	}
	if err := k.erase(t.Context(), open, "test", "test", time.Now()); !errors.Is(err, gateway.ErrOpen) {
		t.Errorf("an open application was erased: %v", err)
	}
}
