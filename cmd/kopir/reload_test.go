package main

import (
	"bytes"
	"context"
	"crypto/sha1"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"kopir/gateway/journal"
	"kopir/gateway/store"
	"kopir/signature/sigtest"
)

// noteBook is a log that tests read while it is written.
type noteBook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (n *noteBook) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.b.Write(p)
}

func (n *noteBook) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.b.String()
}

// waitFor waits until something holds.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not seen: %s", what)
}

// watchFiles lets a bridge look at its files often, until the test ends.
func watchFiles(t *testing.T, n *node) {
	var watching sync.WaitGroup
	watching.Go(func() { n.watch(t.Context(), 20*time.Millisecond) })
	t.Cleanup(watching.Wait)
}

// TestReloadWithoutRestart: a running bridge takes over a new key and a new
// bundle, keeps the old key's certificate, and refuses what is broken or older.
func TestReloadWithoutRestart(t *testing.T) {
	s := newSite(t)
	at := func(name string) string { return filepath.Join(s.dir, name) }
	pin := strings.TrimSpace(must(t, exitPassed, "trust", "key", at("operator.pem")))
	s.write("root.cer", s.authority.Root())
	must(t, exitPassed, "trust", "add", "-sign", at("operator.pem"), "-out", at("1.trust"), at("trust/authority.pem"))
	stranger, err := sigtest.NewAuthority("stranger", sigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.write("stranger.cer", stranger.Root())
	must(t, exitPassed, "trust", "add", "-bundle", at("1.trust"), "-sign", at("operator.pem"), "-out", at("2.trust"), "-candidate", at("stranger.cer"))
	one, two := readAll(t, at("1.trust")), readAll(t, at("2.trust"))
	s.write("in-use.trust", one)
	s.edit("trust: [trust]", "trust_bundle:\n  file: in-use.trust\n  keys: [\""+pin+"\"]")
	s.edit("# known: [known]", "known: [stranger.cer]")
	s.edit("status_service: PEP_STATUS", "status_service: PEP_STATUS\n    certificates: [stranger.cer, stranger.cer]")
	s.edit(`ocsp: ["`, `# ocsp: ["`)
	s.edit(`  delta: ["`, `  # delta: ["`)

	n, book := openNode(t, at("kopir.yaml"))
	listener := listen(t)
	serveNode(t, n, book, listener)
	watchFiles(t, n)
	metrics := func() string {
		r, err := http.Get("http://" + listener.Addr().String() + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if text := metrics(); !strings.Contains(text, "kopir_trust_bundle_issue 1") || !strings.Contains(text, `kopir_certificate_expires_seconds{kind="root"`) || strings.Contains(text, "previous key") {
		t.Fatal(text)
	} else if strings.Count(text, `kopir_certificate_expires_seconds{kind="sender certificate",sender="PEP",sha256="`) != 1 {
		t.Error("the end of a partner's pinned certificate is not told once")
	}

	// What is believed stands in the last record of a configuration, and a candidate does not.
	recorded := func(what string, content []byte) bool {
		var parts []journal.Part
		if err := n.store.Journal(t.Context(), 0, "", func(l store.Link) error {
			r, err := journal.Read(l.Body)
			if err == nil && r.Kind == journal.Configuration {
				parts = r.Parts
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(parts, func(p journal.Part) bool { return p.What == what && p.Digest == journal.Sum(content) })
	}
	root, strange := n.m.trust.Roots()[0].Raw, n.opened().known[0].Raw
	for what, content := range map[string][]byte{"trust-bundle": one, "root": root, "intermediate": n.m.trust.Authorities()[0].Raw, "known": strange, "sender-certificate": strange} {
		if !recorded(what, content) {
			t.Errorf("%s is not in the journal", what)
		}
	}

	first := n.m.keys.Signing(time.Now())
	s.key("keys/bridge.p12", sigtest.Profile{Kind: sigtest.System, BIN: sigtest.BIN(1), CommonName: "SUCCESSOR"}, "Qwerty12")
	waitFor(t, "the new key signs", func() bool { return n.m.keys.Signing(time.Now()).Certificate.Subject.CN == "SUCCESSOR" })
	if _, err := n.m.trust.ByThumbprint(thumb(first.Certificate.Raw)); err != nil {
		t.Errorf("the old certificate is not known any more: %v", err)
	}
	if text := metrics(); !strings.Contains(text, `kind="previous key"`) {
		t.Error(text)
	}

	s.write("in-use.trust", two)
	waitFor(t, "the next issue is in use", func() bool { return strings.Contains(metrics(), "kopir_trust_bundle_issue 2") })
	if text := metrics(); !strings.Contains(text, "kopir_trust_candidate_chains_total") || !strings.Contains(text, `kind="candidate"`) {
		t.Error(text)
	}
	waitFor(t, "the next issue is recorded", func() bool { return recorded("trust-bundle", two) })
	if !recorded("root", root) || recorded("root", strange) {
		t.Error("the journal says that a candidate is believed, or that a root is not")
	}
	s.write("in-use.trust", one)
	waitFor(t, "the older issue is refused", func() bool { return strings.Contains(book.String(), "lower than one that was already accepted") })
	s.write("in-use.trust", two[:len(two)-5])
	s.write("keys/bridge.p12", []byte("not a key"))
	waitFor(t, "the damaged key is refused", func() bool { return strings.Contains(book.String(), "key.p12") })
	if !strings.Contains(metrics(), "kopir_trust_bundle_issue 2") || n.m.keys.Signing(time.Now()).Certificate.Subject.CN != "SUCCESSOR" {
		t.Error("what was broken was taken over")
	}
	// The older issue is refused after a restart too.
	s.key("keys/bridge.p12", sigtest.Profile{Kind: sigtest.System, BIN: sigtest.BIN(1), CommonName: "SUCCESSOR"}, "Qwerty12")
	s.write("in-use.trust", one)
	if _, faults := n.conf().open(time.Now()); len(faults) == 0 || faults[0].Key != "trust_bundle.file" {
		t.Errorf("%+v", faults)
	}
}

// TestHangUp: SIGHUP makes a running bridge open its keys again, and go on.
func TestHangUp(t *testing.T) {
	s := newSite(t)
	s.edit(`ocsp: ["`, `# ocsp: ["`)
	s.edit(`  delta: ["`, `  # delta: ["`)
	var book noteBook
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"serve", "-config", filepath.Join(s.dir, "kopir.yaml")}, stdio{in: strings.NewReader(""), out: io.Discard, err: &book, env: func(string) string { return "" }})
	}()
	waitFor(t, "serving", func() bool { return strings.Contains(book.String(), `"serving"`) || len(done) > 0 })
	self, err := os.FindProcess(os.Getpid())
	if err != nil || len(done) > 0 {
		t.Fatal(err, book.String())
	}
	if err := self.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "reloaded", func() bool { return strings.Contains(book.String(), "keys and trust reloaded") })
	stop()
	if code := <-done; code != exitPassed {
		t.Errorf("status %d: %s", code, book.String())
	}
}

// TestNextKey: check names both keys, and the next one signs from its turn.
func TestNextKey(t *testing.T) {
	s := newSite(t)
	s.key("keys/next.p12", sigtest.Profile{Kind: sigtest.System, BIN: sigtest.BIN(1), CommonName: "NEXT"}, "Qwerty12")
	future := time.Now().Add(48 * time.Hour).Format(time.RFC3339)
	s.edit("  password_file: keys/bridge.password", "  password_file: keys/bridge.password\n  next: {p12: keys/next.p12, password_file: keys/bridge.password, from: \""+future+"\"}")
	out := must(t, exitPassed, "check", "-config", filepath.Join(s.dir, "kopir.yaml"))
	if !strings.Contains(out, "BRIDGE, signing") || !strings.Contains(out, "NEXT, next") {
		t.Error(out)
	}
	s.edit(future, time.Now().Add(-time.Minute).Format(time.RFC3339))
	out = must(t, exitPassed, "check", "-config", filepath.Join(s.dir, "kopir.yaml"))
	if !strings.Contains(out, "NEXT, signing") || !strings.Contains(out, "BRIDGE, previous") {
		t.Error(out)
	}
	s.edit("from: \"", "from: \"soon ")
	if out = must(t, exitFailed, "check", "-config", filepath.Join(s.dir, "kopir.yaml")); !strings.Contains(out, "key.next.from") {
		t.Error(out)
	}
}

// TestEndingsAreMentioned at 60, 30, 14 and 3 days.
func TestEndingsAreMentioned(t *testing.T) {
	a, err := sigtest.NewAuthority("", sigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	noon, day := sigtest.Noon(), 24*time.Hour
	c, err := a.Issue(sigtest.Profile{Kind: sigtest.System, BIN: sigtest.BIN(1), CommonName: "ENDS", NotAfter: noon.Add(100 * day)})
	if err != nil {
		t.Fatal(err)
	}
	k, err := c.Key()
	if err != nil {
		t.Fatal(err)
	}
	for left, want := range map[int]int{100: 0, 61: 0, 60: 60, 31: 60, 30: 30, 14: 14, 4: 14, 3: 3, 0: 3, -1: 3} {
		e := newEnding("key", k.Certificate, noon.Add(time.Duration(100-left)*day))
		if e.days != left || e.within != want {
			t.Errorf("%d days left: %d, mentioned at %d, want %d", left, e.days, e.within, want)
		}
	}
	s := newSite(t)
	s.key("keys/bridge.p12", sigtest.Profile{Kind: sigtest.System, BIN: sigtest.BIN(1), CommonName: "BRIDGE", NotAfter: time.Now().Add(29 * day)}, "Qwerty12")
	if out := must(t, exitPassed, "check", "-config", filepath.Join(s.dir, "kopir.yaml")); !strings.Contains(out, "note: ") || !strings.Contains(out, "ends in 28 days") {
		t.Error(out)
	}
}

func readAll(t *testing.T, path string) []byte {
	t.Helper()
	b, err := readFile(path, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func thumb(der []byte) []byte {
	sum := sha1.Sum(der)
	return sum[:]
}
