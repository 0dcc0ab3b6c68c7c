package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/sim"
	"kopir/signature/keystore"
)

// BenchmarkThroughput drives the whole path over PostgreSQL: 64 clients post
// applications that were signed beforehand, by the portal around and by the
// citizen inside; each is verified, answered under signature, written to the
// local database and told to the partners under signature. The peers answer
// with what they said before, so that what is measured is the bridge, its
// database and the callers.
//
// done/s counts what was wholly done, deliveries included. ceiling/s is what
// the bare arithmetic of the same signatures and the flushes would allow on
// these processors, measured before; of-ceiling is their ratio.
// The server must flush as in earnest: KOPIR_FSYNC=on .ci/with-postgres.
func BenchmarkThroughput(b *testing.B) {
	for _, keys := range []sim.Keys{sim.KeysGOST, sim.KeysRSA} {
		b.Run(string(keys), func(b *testing.B) {
			r := newRig(b, keys)
			defer r.stop()
			messages := r.messages(b.N)
			before := r.tap.total()
			r.warm()
			sent := float64(r.tap.total()-before) / float64(len(r.documents)) // messages to peers an application
			ceiling := bareRate(b, r.syncMaker.key, sent, r.digested())

			busy := processorTime(b)
			b.ResetTimer()
			took := flood(b, r.address, messages)
			accepted := b.Elapsed()
			r.drained()
			b.StopTimer()
			busy = processorTime(b) - busy
			done := float64(b.N) / b.Elapsed().Seconds()
			b.ReportMetric(float64(b.N)/accepted.Seconds(), "accepted/s")
			b.ReportMetric(done, "done/s")
			b.ReportMetric(ceiling, "ceiling/s")
			b.ReportMetric(done/ceiling, "of-ceiling")
			b.ReportMetric(sent, "sent/application")
			b.ReportMetric(float64(len(messages[0])), "bytes/message")
			reportEach(b, busy, took)
		})
	}
}

// BenchmarkLatency lets 100 applications a second arrive by the clock, whether or
// not those before are answered, over the same way as BenchmarkThroughput. The
// time of each is counted from when it was to arrive, so that waiting shows.
func BenchmarkLatency(b *testing.B) {
	const pause = time.Second / 100
	for _, keys := range []sim.Keys{sim.KeysGOST, sim.KeysRSA} {
		b.Run(string(keys), func(b *testing.B) {
			r := newRig(b, keys)
			defer r.stop()
			messages := r.messages(b.N)
			client, took := floodClient(), make([]time.Duration, b.N)
			busy := processorTime(b)
			b.ResetTimer()
			var way sync.WaitGroup
			began := time.Now()
			for i := range messages {
				due := began.Add(time.Duration(i) * pause)
				time.Sleep(time.Until(due))
				way.Go(func() {
					applied(b, client, r.address, messages[i])
					took[i] = time.Since(due)
				})
			}
			way.Wait()
			r.drained()
			b.StopTimer()
			reportEach(b, processorTime(b)-busy, took)
		})
	}
}

// reportEach reports what one application costs this process, and how long its
// answer took.
func reportEach(b *testing.B, busy time.Duration, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(busy.Seconds()*1000/float64(b.N), "cpu-ms/application")
	b.ReportMetric(took[b.N/2].Seconds()*1000, "p50-ms")
	b.ReportMetric(took[b.N*99/100].Seconds()*1000, "p99-ms")
}

// rig is a bridge on PostgreSQL whose peers answer with what they said before.
type rig struct {
	*play
	*syncMaker
	b       *testing.B
	n       *node
	address string
	stop    func()
}

func newRig(b *testing.B, keys sim.Keys) *rig {
	p, err := newPlayWith(b.Context(), keys, b.TempDir(), "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	n, stop := startNode(b, onPostgres(b, p), p.listener)
	r := &rig{play: p, syncMaker: newSyncMaker(b, p), b: b, n: n, address: p.bridge + "/shep/sync", stop: func() { stop(); p.end() }}
	r.warm()
	p.tap.through(func(next http.Handler) http.Handler { return newParrot(next) })
	r.warm()
	return r
}

// warm lets each of the citizens apply: what is asked about them is known from
// here on.
func (r *rig) warm() {
	for range r.documents {
		if status, body := post(r.b, r.address, r.message(nil)); status != 200 {
			r.b.Fatalf("%d %s", status, body)
		}
	}
	r.drained()
}

func (r *rig) messages(n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = r.message(nil)
	}
	return all
}

// drained waits until nothing is on its way. The bridge is asked often, and the
// database, which has other work to do, when that says so.
func (r *rig) drained() {
	idle := func() bool {
		return !slices.ContainsFunc(r.n.bridge.Lanes(), func(l gateway.LaneState) bool { return l.Busy > 0 })
	}
	for ; ; time.Sleep(5 * time.Millisecond) {
		if !idle() {
			continue
		}
		open, err := r.n.store.OpenDeliveries(r.b.Context())
		if err != nil {
			r.b.Fatal(err)
		}
		if len(open) == 0 {
			return
		}
	}
}

// processorTime is what this process has used: the bridge, those who call it and
// the peers. PostgreSQL's comes on top.
func processorTime(t testing.TB) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// floodClients post at once.
const floodClients = 64

// bareRate is how many applications a second the arithmetic of their signatures
// allows: two verified and one made at the door; for each message to a peer two
// made, of the document and around it, and one verified, of the answer; and the
// digests of so many bytes. Nothing is known of the key before (gost.Expect), as
// with a citizen's. One flush is shared by those who wait for it together.
func bareRate(b *testing.B, key *keystore.Key, sent, bytes float64) float64 {
	block := make([]byte, 8<<10)
	digest := key.Algorithm.Digest.Sum(block)
	value, err := key.Sign(digest)
	if err != nil {
		b.Fatal(err)
	}
	each := func(do func() error) float64 { // seconds of one processor
		const times = 200
		began := time.Now()
		var wg sync.WaitGroup
		for range runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				for range times {
					if err := do(); err != nil {
						b.Error(err)
					}
				}
			})
		}
		wg.Wait()
		return time.Since(began).Seconds() / times
	}
	sign := each(func() error { _, err := key.Sign(digest); return err })
	verify := each(func() error { return key.Algorithm.Verify(key.Certificate.PublicKey, digest, value) })
	sum := each(func() error { key.Algorithm.Digest.Sum(block); return nil }) / float64(len(block))
	crypto := (2+sent)*verify + (1+2*sent)*sign + bytes*sum
	return 1 / (crypto/float64(runtime.GOMAXPROCS(0)) + flushTime(b)/floodClients)
}

// digested is how many bytes of one application are signed: each document, and
// the Body around it as if it were no longer.
func (r *rig) digested() float64 {
	page, err := r.n.store.Deliveries(r.b.Context(), gateway.DeliveryFilter{}, "", 100)
	if err != nil {
		r.b.Fatal(err)
	}
	notices, applications := 0, map[string]bool{}
	for _, d := range page.Deliveries {
		applications[d.Application] = true
		if d.Partner != "" {
			notices += len(d.Body)
		}
	}
	return 2 * (float64(len(r.documents[0])) + float64(notices)/float64(len(applications)))
}

// flushTime is how long 8 KB take to the disk.
func flushTime(b *testing.B) float64 {
	f, err := os.Create(filepath.Join(b.TempDir(), "flush"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	const times = 100
	began, page := time.Now(), make([]byte, 8<<10)
	for range times {
		if _, err := f.WriteAt(page, 0); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(began).Seconds() / times
}

// total counts what was posted to the simulator.
func (t *tap) total() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for what, times := range t.seen {
		if strings.HasPrefix(what, "POST ") {
			n += times
		}
	}
	return n
}

// flood posts messages and gives how long each answer took.
func flood(t testing.TB, address string, messages [][]byte) []time.Duration {
	client := floodClient()
	took := make([]time.Duration, len(messages))
	var at atomic.Int64
	var wg sync.WaitGroup
	for range floodClients {
		wg.Go(func() {
			for i := int(at.Add(1)) - 1; i < len(messages); i = int(at.Add(1)) - 1 {
				began := time.Now()
				applied(t, client, address, messages[i])
				took[i] = time.Since(began)
			}
		})
	}
	wg.Wait()
	return took
}

func floodClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: floodClients}}
}

// applied posts a message that must be taken.
func applied(t testing.TB, client *http.Client, address string, message []byte) {
	r, err := client.Post(address, "text/xml; charset=utf-8", bytes.NewReader(message))
	if err != nil {
		t.Error(err)
		return
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != 200 || !bytes.Contains(body, []byte("SendMessageResponse")) {
		t.Errorf("%d %v %s", r.StatusCode, err, body)
	}
}

// parrot answers as its simulator answered first: what the peers do is not to
// be measured. Answers are told apart by address and citizen.
type parrot struct {
	next http.Handler
	mu   sync.Mutex
	said map[string]*httptest.ResponseRecorder
}

func newParrot(next http.Handler) *parrot {
	return &parrot{next: next, said: map[string]*httptest.ResponseRecorder{}}
}

var iinIn = regexp.MustCompile(`iin>[0-9]{12}<`)

func (p *parrot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || strings.Contains(r.URL.Path, "ocsp") {
		p.next.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	key := r.URL.Path + " " + string(iinIn.Find(body))
	p.mu.Lock()
	said := p.said[key]
	p.mu.Unlock()
	if said == nil {
		said = httptest.NewRecorder()
		r.Body = io.NopCloser(bytes.NewReader(body))
		p.next.ServeHTTP(said, r)
		p.mu.Lock()
		p.said[key] = said
		p.mu.Unlock()
	}
	for name, values := range said.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(said.Code)
	w.Write(said.Body.Bytes())
}
