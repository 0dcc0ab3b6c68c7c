package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kopir/gateway/journal"
	"kopir/gateway/server"
	"kopir/gateway/soap"
	"kopir/gateway/store"
)

// livePlay is a running bridge whose configuration a test edits.
type livePlay struct {
	*play
	t     *testing.T
	maker *syncMaker
	wrote time.Time
}

func newLivePlay(t *testing.T) *livePlay {
	t.Helper()
	p, err := newPlay(t.Context(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.end(); err != nil {
			t.Error(err)
		}
	})
	p.start(t.Context())
	l := &livePlay{play: p, t: t, maker: newSyncMaker(t, p), wrote: time.Now()}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(l.log())
		}
	})
	return l
}

func (l *livePlay) log() string { return string(readAll(l.t, filepath.Join(l.dir, "kopir.log"))) }

// write puts a file in its place in one piece, with a time of its own: two
// within one tick of the file system's clock would look alike.
func (l *livePlay) write(name, text string) {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	l.wrote = l.wrote.Add(time.Second)
	for _, err := range []error{os.WriteFile(path+".new", []byte(text), 0o600), os.Chtimes(path+".new", l.wrote, l.wrote), os.Rename(path+".new", path)} {
		if err != nil {
			l.t.Fatal(err)
		}
	}
}

// edit changes the configuration.
func (l *livePlay) edit(from, to string) {
	l.t.Helper()
	text := string(readAll(l.t, filepath.Join(l.dir, "kopir.yaml")))
	if strings.Count(text, from) != 1 {
		l.t.Fatalf("%q stands %d times in\n%s", from, strings.Count(text, from), text)
	}
	l.write("kopir.yaml", strings.Replace(text, from, to, 1))
}

// look lets the bridge look at its files as often as it takes.
func (l *livePlay) look() {
	for range 2 {
		l.node.look(l.t.Context())
	}
}

// told counts lines of the log.
func (l *livePlay) told(what string) int { return strings.Count(l.log(), what) }

// sent sends an application in a sender's name and says whether it is taken.
func (l *livePlay) sent(sender, password string) bool {
	l.t.Helper()
	status, answer := post(l.t, l.bridge+"/shep/sync", l.maker.message(func(r *soap.SyncSendMessageRequest) {
		r.RequestInfo.Sender = soap.SenderInfo{SenderID: sender, Password: soap.Secret(password)}
	}))
	switch {
	case status == 200 && strings.Contains(answer, "SendMessageResponse"):
		return true
	case status != 500 || !strings.Contains(answer, "unknown_sender"):
		l.t.Errorf("%d %s", status, answer)
	}
	return false
}

func (l *livePlay) get(path, key string) (int, string) {
	l.t.Helper()
	r, err := http.NewRequestWithContext(l.t.Context(), "GET", l.bridge+path, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		l.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

const officials = "\nofficials:"

// added is a sender of the portal's organisation for the end of the list.
func (l *livePlay) added(id, more string) string {
	return fmt.Sprintf("\n  - {id: %s, channel: portal, status_service: %s, bins: [%q]%s}", id, l.maker.portal.Services[0], l.maker.portal.BIN, more) + officials
}

// TestReloadSenders: while the portal's messages come, a sender is added and
// removed by nothing but its line in the file, and so is a key of the REST door.
// No message of the portal is refused meanwhile. The journal says each time by
// the file's digest on what the bridge runs.
func TestReloadSenders(t *testing.T) {
	l := newLivePlay(t)
	watching, stop := context.WithCancel(t.Context())
	var others sync.WaitGroup
	others.Go(func() { l.node.watch(watching, 20*time.Millisecond) })
	var taken atomic.Int64
	others.Go(func() {
		for watching.Err() == nil {
			if !l.sent(l.maker.portal.Sender, l.maker.portal.Password) {
				t.Error("a message of the portal was refused")
			}
			taken.Add(1)
		}
	})
	defer others.Wait()
	defer stop()
	waitFor(t, "traffic", func() bool { return taken.Load() > 2 })

	var digests []string
	edit := func(from, to string) {
		t.Helper()
		l.edit(from, to)
		digests = append(digests, fmt.Sprintf("%x", sha256.Sum256(readAll(t, filepath.Join(l.dir, "kopir.yaml")))))
		waitFor(t, "configuration reloaded", func() bool { return l.told(`"msg":"configuration reloaded"`) == len(digests) })
	}
	if l.sent("NEW", "first-secret") {
		t.Error("an unknown sender is taken")
	}
	l.write("keys/new.password", "first-secret\n")
	edit(officials, l.added("NEW", ", password_file: keys/new.password"))
	if !l.sent("NEW", "first-secret") || l.sent("NEW", "second-secret") {
		t.Error("the new sender is not taken with its password alone")
	}
	status, _ := l.get("/api/v1/applications", l.key)
	key, hash := server.NewKey()
	edit("log: {level", "  - {name: office-2027, role: reader, sha256: "+hash+"}\nlog: {level")
	both, _ := l.get("/api/v1/applications", l.key)
	second, _ := l.get("/api/v1/applications", key)
	edit("{name: specialist,", "{name: clerk,")
	edit("sha256: "+server.HashKey(l.key), "sha256: "+server.HashKey("kopir_nobody"))
	revoked, _ := l.get("/api/v1/applications", l.key)
	if status != 200 || both != 200 || second != 200 || revoked != 401 {
		t.Errorf("keys: %d, with a second one %d and %d, revoked %d", status, both, second, revoked)
	}
	edit(l.added("NEW", ", password_file: keys/new.password"), officials)
	if l.sent("NEW", "first-secret") {
		t.Error("a removed sender is taken")
	}
	before := taken.Load()
	waitFor(t, "traffic", func() bool { return taken.Load() > before+2 })

	var recorded []string
	secret := false
	if err := l.node.store.Journal(t.Context(), 0, "", func(link store.Link) error {
		r, err := journal.Read(link.Body)
		if err == nil && r.Kind == journal.Configuration {
			recorded = append(recorded, r.Parts[0].Digest.String())
			secret = secret || strings.Contains(string(link.Body), "first-secret")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if len(recorded) != 1+len(digests) || strings.Join(recorded[1:], " ") != strings.Join(digests, " ") || secret {
		t.Errorf("recorded %q (with a secret: %t), want the start and %q", recorded, secret, digests)
	}
	if strings.Contains(l.log(), hash) {
		t.Error("the log has the hash of a key")
	}
}

// TestReloadPasswords: a partner changes its password while both are good, by
// files alone.
func TestReloadPasswords(t *testing.T) {
	l := newLivePlay(t)
	l.write("keys/new.password", "one\n")
	l.edit(officials, l.added("NEW", ", password_file: keys/new.password"))
	l.look()
	if !l.sent("NEW", "one") || l.sent("NEW", "two") {
		t.Fatal("before the change")
	}
	l.write("keys/former.password", "one\n")
	l.write("keys/new.password", "two\n")
	l.edit("keys/new.password}", "keys/new.password, former_password_file: keys/former.password}")
	l.look()
	if !l.sent("NEW", "one") || !l.sent("NEW", "two") || l.sent("NEW", "three") {
		t.Error("both are not good during the change")
	}
	if n := l.told(`"password":"former"`); n != 1 {
		t.Errorf("that the former one is still in use is told %d times", n)
	}
	l.edit(", former_password_file: keys/former.password", "")
	l.look()
	if l.sent("NEW", "one") || !l.sent("NEW", "two") {
		t.Error("the former one is good after the change")
	}
	l.write("keys/new.password", "three\n") // the file alone
	l.look()
	if l.sent("NEW", "two") || !l.sent("NEW", "three") {
		t.Error("another password in the same file is not seen")
	}
	if n := l.told(`"msg":"configuration reloaded"`); n != 4 {
		t.Errorf("%d reloads", n)
	}
}

// TestReloadRefuses: what is broken changes nothing and is told once, with its
// place; the metric and /readyz say so until it is mended, and be it in a file
// that it names.
func TestReloadRefuses(t *testing.T) {
	l := newLivePlay(t)
	good := string(readAll(t, filepath.Join(l.dir, "kopir.yaml")))
	const refusal = "the configuration is not reloaded"
	stands := func(failed bool) {
		t.Helper()
		_, metrics := l.get("/metrics", "")
		code, ready := l.get("/readyz", "")
		var parts struct{ Parts []server.Part }
		if err := json.Unmarshal([]byte(ready), &parts); err != nil {
			t.Fatal(err)
		}
		state := server.Health("missing")
		for _, p := range parts.Parts {
			if p.Name == "configuration" {
				state = p.State
			}
		}
		want, health := `kopir_reload_failed{what="configuration"} 0`, server.Well
		if failed {
			want, health = `kopir_reload_failed{what="configuration"} 1`, server.Warning
		}
		if !strings.Contains(metrics, want) || state != health || code != 200 {
			t.Errorf("no %q, or /readyz says %d, %s", want, code, state)
		}
		if !l.sent(l.maker.portal.Sender, l.maker.portal.Password) || l.sent("NEW", "one") == failed {
			t.Errorf("failed: %t, and the senders are others", failed)
		}
	}
	l.edit(officials, l.added("NEW", "")+" [unfinished")
	l.node.look(t.Context())
	if n := l.told(refusal); n != 0 {
		t.Error("a file that may not be written to its end is read")
	}
	for range 5 {
		l.look()
	}
	if n := l.told(refusal); n != 1 {
		t.Errorf("told %d times", n)
	}
	stands(true)
	l.write("kopir.yaml", strings.Replace(good, officials, l.added("NEW", ", chanel: csc"), 1))
	for range 3 {
		l.look()
	}
	if n := l.told(refusal); n != 2 || !strings.Contains(l.log(), `unknown key; did you mean \"channel\"?`) {
		t.Errorf("told %d times", n)
	}
	// A fault of what it names goes away without another touch of the configuration.
	l.write("kopir.yaml", strings.Replace(good, officials, l.added("NEW", ", password_file: keys/new.password"), 1))
	for range 3 {
		l.look()
	}
	if n := l.told(refusal); n != 3 || !strings.Contains(l.log(), "put the secret into this file") {
		t.Errorf("told %d times", n)
	}
	stands(true)
	l.write("keys/new.password", "one\n")
	l.look()
	if n := l.told(refusal); n != 3 {
		t.Errorf("told %d times", n)
	}
	stands(false)
	// Keys are taken over beside a configuration that is broken.
	l.write("kopir.yaml", good+"\nnonsense")
	key := string(readAll(t, filepath.Join(l.dir, "keys/bridge.p12")))
	l.write("keys/bridge.p12", key)
	l.look()
	if l.told(refusal) != 4 || l.told(`"msg":"keys and trust reloaded"`) != 1 || !l.sent("NEW", "one") {
		t.Errorf("%d refusals, keys reloaded %d times", l.told(refusal), l.told(`"msg":"keys and trust reloaded"`))
	}
}

// TestReloadPartner: a partner that signs its requests is let out and in again.
func TestReloadPartner(t *testing.T) {
	l := newLivePlay(t)
	f := newPhone(t, l.play)
	list := func() int {
		status, _, _ := f.send(f.request("GET", "/applications", "", nil))
		return status
	}
	if status := list(); status != 200 {
		t.Fatal(status)
	}
	_, rest, _ := strings.Cut(string(readAll(t, filepath.Join(l.dir, "kopir.yaml"))), "  - {id: MPEP")
	line, _, _ := strings.Cut("  - {id: MPEP"+rest, "\n")
	l.edit(line, "  # "+line)
	l.look()
	f.refused("removed", f.request("GET", "/applications", "", nil), 401, "unauthenticated", "")
	l.edit("  # "+line, line)
	l.look()
	if status := list(); status != 200 {
		t.Errorf("again: %d", status)
	}
}

// TestReloadServices: which services are offered follows the configuration,
// and so does the folder of descriptions; where a running application needs one
// that would go, nothing changes, be it a sender.
func TestReloadServices(t *testing.T) {
	l := newLivePlay(t)
	offered := func() int {
		t.Helper()
		_, body := l.get("/api/v1/services", l.key)
		var list struct {
			Services []server.Service `json:"services"`
		}
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatal(err)
		}
		return len(list.Services)
	}
	all := offered()
	l.edit("\nkey: {", "\nservices: [almaty-unemployed-certificate]\nkey: {")
	l.look()
	if n := offered(); all < 2 || n != 1 {
		t.Errorf("%d services of %d are offered", n, all)
	}
	if !l.sent(l.maker.portal.Sender, l.maker.portal.Password) {
		t.Error("the service that stays takes nothing")
	}
	good := string(readAll(t, filepath.Join(l.dir, "kopir.yaml")))
	l.write("keys/new.password", "one\n")
	text := strings.Replace(good, officials, l.added("NEW", ", password_file: keys/new.password"), 1)
	l.write("kopir.yaml", strings.Replace(text, "services: [almaty-unemployed-certificate]", "services: [karaganda-targeted-social-assistance]", 1))
	l.look()
	if !strings.Contains(l.log(), "1 applications of almaty-unemployed-certificate were filed under the edition") {
		t.Error("it is not told that an application needs the service")
	}
	if offered() != 1 || l.sent("NEW", "one") {
		t.Error("half of a configuration is in force")
	}
	l.write("kopir.yaml", strings.Replace(text, "mappings: mappings", "mappings: others", 1))
	l.look()
	if l.told("the configuration is not reloaded") != 2 {
		t.Error("a folder that is not there was taken")
	}
	if l.told(`"msg":"keys and trust reloaded"`) != 0 {
		t.Error("keys that have not changed were opened again")
	}
	l.write("kopir.yaml", text)
	l.look()
	if !l.sent("NEW", "one") || l.told(`"msg":"service descriptions reloaded"`) != 1 {
		t.Error("the mended configuration is not in force")
	}
}

// TestReloadPolling: messages are fetched from when the configuration says so.
func TestReloadPolling(t *testing.T) {
	l := newLivePlay(t)
	asked := func() int { return l.tap.count("POST " + strings.TrimPrefix(l.sim.Addresses().Async, l.simulator)) }
	before := asked()
	l.edit("\nregistries:", "\n  poll: [{service_id: "+l.maker.service+", every: 10ms}]\nregistries:")
	l.look()
	waitFor(t, "questions for messages", func() bool { return asked() > before+3 })
}

// TestReloadNamesWhatWaits: what takes effect at a start alone stays as it is
// and is named, at every reload; the rest of the file is in force.
func TestReloadNamesWhatWaits(t *testing.T) {
	l := newLivePlay(t)
	l.edit("limits: {drain_notice: 0s}", "limits: {drain_notice: 1s, body: 1KB}")
	l.edit("store: {path: data/kopir.db}", "store: {path: data/other.db}")
	l.edit("level: info, format: json", "level: debug, format: console")
	l.look()
	if !strings.Contains(l.log(), `"keys":["store","limits.drain_notice","log.format"]`) || !strings.Contains(l.log(), `"changed":["limits","log"]`) {
		t.Error("what waits, or what has changed, is not named")
	}
	if status, answer := post(t, l.bridge+"/shep/sync", l.maker.message(nil)); status == 200 {
		t.Errorf("the new limit is not in force: %d %s", status, answer)
	}
	if _, err := os.Stat(filepath.Join(l.dir, "data/other.db")); err == nil {
		t.Error("another store was opened")
	}
	l.get("/healthz", "")
	waitFor(t, "lines at debug", func() bool { return l.told(`"level":"debug"`) > 0 })
	if c := l.node.conf(); c.Store.Path != "data/kopir.db" || c.Log.Format != "json" || c.Limits.Body != 1<<10 {
		t.Errorf("%+v %+v %+v", c.Store, c.Log, c.Limits)
	}
	l.node.reload(t.Context())
	if n := l.told("takes effect at the next start"); n != 2 {
		t.Errorf("told %d times", n)
	}
	readme := string(readAll(t, "../../README.md"))
	c := defaultConfig()
	for _, s := range c.atStart() {
		if !strings.Contains(readme, "`"+s.key+"`") {
			t.Errorf("README does not say that %s takes effect at the next start", s.key)
		}
	}
}
