package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/sim"
	"kopir/gateway/soap"
	"kopir/gateway/store"
	"kopir/signature/xmltree"
)

// TestServeProcess is `kopir serve` for the tests that kill it; by itself it
// is nothing.
func TestServeProcess(t *testing.T) {
	config := os.Getenv("KOPIR_TEST_SERVE")
	if config == "" {
		return
	}
	os.Exit(run(context.Background(), []string{"serve", "-config", config}, stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Getenv}))
}

// process is a bridge in a process of its own.
type process struct {
	cmd  *exec.Cmd
	base string // address of its doors
	log  chan struct{}
}

// serveProcess starts a bridge and waits until it serves.
func serveProcess(t *testing.T, config string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0], "-test.run=^TestServeProcess$"), log: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "KOPIR_TEST_SERVE="+config)
	out, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	serving, said := make(chan string, 1), &noteBook{}
	go func() {
		defer close(p.log)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			said.Write(append(lines.Bytes(), '\n'))
			var line struct{ Msg, Address string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
				serving <- line.Address
			}
		}
		close(serving)
	}()
	select {
	case address, ok := <-serving:
		if !ok {
			t.Fatalf("the bridge did not start\n%s", said.String())
		}
		p.base = "http://" + address
	case <-time.After(time.Minute):
		t.Fatal("the bridge does not serve")
	}
	return p
}

// kill ends it as the machine's end would.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.log
	p.cmd.Wait()
}

// gate counts what is sent to the gateway by the ids of the messages, and holds
// it back while it is shut.
type gate struct {
	next http.Handler
	mu   sync.Mutex
	open chan struct{}
	sent map[string]int // sendMessage that was answered
	ask  map[string]int // getMessageStatus
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == sim.AsyncPath && r.Method == http.MethodPost {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the bridge was killed
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		g.mu.Lock()
		open := g.open
		g.mu.Unlock()
		select {
		case <-open:
		case <-r.Context().Done():
			return
		}
		if doc, err := xmltree.Parse(body, xmltree.DefaultLimits()); err == nil {
			if m, err := soap.Read(doc); err == nil && (m.Operation == soap.AsyncSendMessage || m.Operation == soap.AsyncGetMessageStatus) {
				g.mu.Lock()
				if m.Operation == soap.AsyncSendMessage {
					g.sent[m.MessageID()]++
				} else {
					g.ask[m.MessageID()]++
				}
				g.mu.Unlock()
			}
		}
	}
	g.next.ServeHTTP(w, r)
}

func (g *gate) counts() (sent, twice, asked int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, n := range g.sent {
		sent++
		if n > 1 {
			twice++
		}
	}
	return sent, twice, len(g.ask)
}

// TestBackupAndRestore: a store that was copied under load and brought back
// after the bridge was killed knows every message of before the copy, answers
// it with the same bytes, and sends nothing a second time that went out since.
func TestBackupAndRestore(t *testing.T) {
	p, err := newPlay(t.Context(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.end(); err != nil {
			t.Error(err)
		}
	}()
	opened := make(chan struct{})
	close(opened)
	g := &gate{next: p.tap.next, open: opened, sent: map[string]int{}, ask: map[string]int{}}
	p.tap.next = g
	shut := make(chan struct{})
	at := func(name string) string { return filepath.Join(p.dir, name) }
	text := strings.Replace(string(readAll(t, at("kopir.yaml"))), "store: {path: data/kopir.db}", "store: {path: data/live.db}", 1)
	text = strings.Replace(text, "listen: "+strings.TrimPrefix(p.bridge, "http://"), "listen: 127.0.0.1:0", 1)
	if err := os.WriteFile(at("live.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func() *process {
		one := serveProcess(t, at("live.yaml"))
		p.sim.SetBridge(sim.Bridge{AsyncURL: one.base + "/shep/async", SyncURL: one.base + "/shep/sync", Notify: true})
		return one
	}
	bridge := start()

	type exchange struct{ raw, answer string }
	m := newSyncMaker(t, p)
	apply := func(bridge *process, n int) (all []exchange) {
		for range n {
			raw := m.message(nil)
			status, answer := post(t, bridge.base+"/shep/sync", raw)
			if status != 200 || !strings.Contains(answer, "SendMessageResponse") {
				t.Fatalf("%d %s", status, answer)
			}
			all = append(all, exchange{string(raw), answer})
		}
		return all
	}
	first := apply(bridge, 6)
	waitFor(t, "the first are told", func() bool { sent, _, _ := g.counts(); return sent >= 6 })
	g.mu.Lock()
	g.open = shut // from here on notices wait
	g.mu.Unlock()
	first = append(first, apply(bridge, 20)...)

	// The copy is made while messages come in.
	var load sync.WaitGroup
	var while []exchange
	enough := make(chan struct{})
	load.Go(func() {
		for {
			select {
			case <-enough:
				return
			default:
				while = append(while, apply(bridge, 1)...)
			}
		}
	})
	said := must(t, exitPassed, "store", "backup", "-config", at("live.yaml"), "-o", at("backup.db"))
	close(enough)
	load.Wait()
	if !strings.Contains(said, "intact: records 1 to ") {
		t.Error(said)
	}
	if again := must(t, exitFailed, "store", "backup", "-config", at("live.yaml"), "-o", at("backup.db")); !strings.Contains(again, "is there already") {
		t.Error(again)
	}
	if rest, err := filepath.Glob(at("backup.db?*")); err != nil || len(rest) > 0 {
		t.Error(rest, err)
	}
	if i, err := os.Stat(at("backup.db")); err != nil || i.Mode().Perm() != 0o600 {
		t.Error(i.Mode(), err)
	}

	// What the copy has waiting goes out after it; more comes; then the machine is gone.
	close(shut)
	later := apply(bridge, 10)
	allSent(t, at("data/live.db"))
	before, _, _ := g.counts()
	must(t, exitFailed, "store", "restore", "-config", at("live.yaml"), at("backup.db"))
	bridge.kill()
	if in := must(t, exitFailed, "store", "restore", "-config", at("live.yaml"), at("backup.db")); !strings.Contains(in, "move it away") {
		t.Error(in)
	}
	if err := os.Mkdir(at("lost"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"live.db", "live.db-wal", "live.db-shm"} {
		if err := os.Rename(at("data/"+name), at("lost/"+name)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	broken := at("broken.db")
	spoilt, err := os.ReadFile(at("backup.db"))
	if err != nil {
		t.Fatal(err)
	}
	clear(spoilt[len(spoilt)/2 : len(spoilt)/2+4096])
	if err := os.WriteFile(broken, spoilt, 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, exitFailed, "store", "restore", "-config", at("live.yaml"), broken)
	must(t, exitFailed, "store", "restore", "-config", at("live.yaml"))
	if said = must(t, exitPassed, "store", "restore", "-config", at("live.yaml"), at("backup.db")); !strings.Contains(said, "asked about first") || strings.Contains(said, " 0 deliveries") {
		t.Error(said)
	}

	bridge = start()
	for _, x := range first {
		if status, answer := post(t, bridge.base+"/shep/sync", []byte(x.raw)); status != 200 || answer != x.answer {
			t.Fatalf("%d: another answer to a message of before the copy:\n%s\nand not\n%s", status, answer, x.answer)
		}
	}
	for _, x := range later {
		status, answer := post(t, bridge.base+"/shep/sync", []byte(x.raw)) // unknown to the copy
		if status != 200 || answer == x.answer {
			t.Fatalf("%d %s", status, answer)
		}
	}
	lost := mustOpen(t, at("lost/live.db"))
	defer lost.Close()
	allSent(t, at("data/live.db"))
	restored := mustOpen(t, at("data/live.db"))
	defer restored.Close()
	after, twice, asked := g.counts()
	if twice != 0 || asked == 0 {
		t.Errorf("%d of %d messages were sent twice; %d were asked about", twice, after, asked)
	}
	// New notices are those of the messages that came after the copy, no others.
	each := before / (len(first) + len(while) + len(later))
	if most := before + each*(len(while)+len(later)); each == 0 || after < before+each*len(later) || after > most {
		t.Errorf("%d messages were sent before, %d in all; %d at most", before, after, most)
	}
	// No number of the old bridge was given to another.
	old := messagesOf(t, lost)
	for number, message := range messagesOf(t, restored) {
		if was, ok := old[number]; ok && was != message {
			t.Errorf("%s was given twice", number)
		}
	}
	if said := must(t, exitPassed, "journal", "verify", "-config", at("live.yaml")); !strings.Contains(said, "intact") {
		t.Error(said)
	}
}

// allSent waits until nothing waits in the outbox of a bridge that runs.
func allSent(t *testing.T, path string) {
	t.Helper()
	s := mustOpen(t, path)
	defer s.Close()
	waitFor(t, "nothing waits in the outbox", func() bool {
		open, err := s.OpenDeliveries(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(open) == 0
	})
}

func mustOpen(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := store.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// messagesOf are the ids of the messages that became applications, by number.
func messagesOf(t *testing.T, s *store.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for cursor := ""; ; {
		page, err := s.Applications(t.Context(), gateway.Filter{}, cursor, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.Applications {
			all[a.Number] = a.MessageID
		}
		if cursor = page.Next; cursor == "" {
			return all
		}
	}
}
