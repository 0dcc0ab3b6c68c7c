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
	for _, n := range g.ask {
		asked += n
	}
	return sent, twice, asked
}

type exchange struct{ raw, answer string }

// calamity is a bridge in a process of its own that works while its store is
// copied, goes on for a while, and is lost with all that came since.
type calamity struct {
	t      *testing.T
	p      *play
	g      *gate
	m      *syncMaker
	config string
	bridge *process

	first, while, later []exchange // before the copy, during it, after it
	each                int        // notices of one message
}

// newCalamity starts a bridge on a configuration of the play; its gateway takes
// some notices and lets others wait.
func newCalamity(t *testing.T, p *play, config string) (c *calamity, shut chan struct{}) {
	opened := make(chan struct{})
	close(opened)
	c = &calamity{t: t, p: p, g: &gate{open: opened, sent: map[string]int{}, ask: map[string]int{}}, m: newSyncMaker(t, p), config: config}
	p.tap.through(func(next http.Handler) http.Handler { c.g.next = next; return c.g })
	c.start()
	c.first = c.apply(6)
	waitFor(t, "the first are told", func() bool { sent, _, _ := c.g.counts(); return sent >= 6 })
	shut = make(chan struct{})
	c.g.mu.Lock()
	c.g.open = shut // from here on notices wait
	c.g.mu.Unlock()
	c.first = append(c.first, c.apply(20)...)
	return c, shut
}

func (c *calamity) start() {
	c.t.Helper()
	c.bridge = serveProcess(c.t, c.config)
	c.p.sim.SetBridge(sim.Bridge{AsyncURL: c.bridge.base + "/shep/async", SyncURL: c.bridge.base + "/shep/sync", Notify: true})
}

func (c *calamity) apply(n int) (all []exchange) {
	for range n {
		raw := c.m.message(nil)
		status, answer := post(c.t, c.bridge.base+"/shep/sync", raw)
		if status != 200 || !strings.Contains(answer, "SendMessageResponse") {
			c.t.Fatalf("%d %s", status, answer)
		}
		all = append(all, exchange{string(raw), answer})
	}
	return all
}

// copied makes a copy while messages come in.
func (c *calamity) copied(copy func()) {
	var load sync.WaitGroup
	enough := make(chan struct{})
	load.Go(func() {
		for {
			select {
			case <-enough:
				return
			default:
				c.while = append(c.while, c.apply(1)...)
			}
		}
	})
	copy()
	close(enough)
	load.Wait()
}

// goOn lets out what the copy has waiting, and more comes.
func (c *calamity) goOn(shut chan struct{}, st *store.Store) {
	close(shut)
	c.later = c.apply(10)
	c.settled(st)
	sent, _, _ := c.g.counts()
	c.each = sent / (len(c.first) + len(c.while) + len(c.later))
}

// again starts a bridge on what was restored: it knows every message of before
// the copy, sends nothing twice, gives no number twice.
func (c *calamity) again(lost, restored *store.Store) {
	t := c.t
	t.Helper()
	before, _, askedBefore := c.g.counts()
	c.start()
	c.known(c.first)
	for _, x := range c.later {
		status, answer := post(t, c.bridge.base+"/shep/sync", []byte(x.raw)) // unknown to the copy
		if status != 200 || answer == x.answer {
			t.Fatalf("%d %s", status, answer)
		}
	}
	c.settled(restored)
	after, twice, asked := c.g.counts()
	if twice != 0 || asked == askedBefore {
		t.Errorf("%d of %d messages were sent twice; %d were asked about", twice, after, asked-askedBefore)
	}
	// New notices are those of the messages that came after the copy, no others.
	if most := before + c.each*(len(c.while)+len(c.later)); c.each == 0 || after < before+c.each*len(c.later) || after > most {
		t.Errorf("%d messages were sent before, %d in all; %d at most", before, after, most)
	}
	// No number of the old bridge was given to another.
	old := messagesOf(t, lost)
	for number, message := range messagesOf(t, restored) {
		if was, ok := old[number]; ok && was != message {
			t.Errorf("%s was given twice", number)
		}
	}
	c.intact()
}

// known: each message gets the bytes that it was answered with.
func (c *calamity) known(all []exchange) {
	c.t.Helper()
	for _, x := range all {
		if status, answer := post(c.t, c.bridge.base+"/shep/sync", []byte(x.raw)); status != 200 || answer != x.answer {
			c.t.Fatalf("%d: another answer:\n%s\nand not\n%s", status, answer, x.answer)
		}
	}
}

// intact: the journal of what was restored has no break.
func (c *calamity) intact() {
	c.t.Helper()
	if said := must(c.t, exitPassed, "journal", "verify", "-config", c.config); !strings.Contains(said, "intact") {
		c.t.Error(said)
	}
}

// settled waits until nothing waits in the outbox of a bridge that runs.
func (c *calamity) settled(s *store.Store) {
	c.t.Helper()
	waitFor(c.t, "nothing waits in the outbox", func() bool {
		open, err := s.OpenDeliveries(c.t.Context())
		if err != nil {
			c.t.Fatal(err)
		}
		return len(open) == 0
	})
}

// TestBackupAndRestore: a store that was copied under load and brought back
// after the bridge was killed knows every message of before the copy, answers
// it with the same bytes, and sends nothing a second time that went out since.
func TestBackupAndRestore(t *testing.T) {
	p, end := testPlay(t)
	defer end()
	at := func(name string) string { return filepath.Join(p.dir, name) }
	p.rewrite(t, "kopir.yaml", "live.yaml", "store: {path: data/kopir.db}", "store: {path: data/live.db}")
	c, shut := newCalamity(t, p, at("live.yaml"))
	var said string
	c.copied(func() { said = must(t, exitPassed, "store", "backup", "-config", c.config, "-o", at("backup.db")) })
	if !strings.Contains(said, "intact: records 1 to ") {
		t.Error(said)
	}
	if again := must(t, exitFailed, "store", "backup", "-config", c.config, "-o", at("backup.db")); !strings.Contains(again, "is there already") {
		t.Error(again)
	}
	if rest, err := filepath.Glob(at("backup.db?*")); err != nil || len(rest) > 0 {
		t.Error(rest, err)
	}
	if i, err := os.Stat(at("backup.db")); err != nil || i.Mode().Perm() != 0o600 {
		t.Error(i.Mode(), err)
	}
	live := mustOpen(t, at("data/live.db"))
	c.goOn(shut, live)
	if err := live.Close(); err != nil {
		t.Fatal(err)
	}
	must(t, exitFailed, "store", "restore", "-config", c.config, at("backup.db"))
	c.bridge.kill()
	if in := must(t, exitFailed, "store", "restore", "-config", c.config, at("backup.db")); !strings.Contains(in, "move it away") {
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
	must(t, exitFailed, "store", "restore", "-config", c.config, broken)
	must(t, exitFailed, "store", "restore", "-config", c.config)
	if said = must(t, exitPassed, "store", "restore", "-config", c.config, at("backup.db")); !strings.Contains(said, "asked about first") || strings.Contains(said, " 0 deliveries") {
		t.Error(said)
	}
	lost, restored := mustOpen(t, at("lost/live.db")), mustOpen(t, at("data/live.db"))
	defer lost.Close()
	defer restored.Close()
	c.again(lost, restored)
}

// rewrite writes a configuration of the play for one that listens where there
// is place, with other words.
func (p *play) rewrite(t *testing.T, from, to string, pairs ...string) {
	t.Helper()
	text := string(readAll(t, filepath.Join(p.dir, from)))
	for i, pair := 0, append(pairs, "listen: "+strings.TrimPrefix(p.bridge, "http://"), "listen: 127.0.0.1:0"); i < len(pair); i += 2 {
		if !strings.Contains(text, pair[i]) {
			t.Fatalf("no %q in %s", pair[i], from)
		}
		text = strings.Replace(text, pair[i], pair[i+1], 1)
	}
	if err := os.WriteFile(filepath.Join(p.dir, to), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
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
