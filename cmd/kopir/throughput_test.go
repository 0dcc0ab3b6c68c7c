package main

import (
	"bytes"
	"cmp"
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
			p, err := newPlayWith(b.Context(), keys, b.TempDir(), "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer p.end()
			n, stop := startNode(b, onPostgres(b, p), p.listener)
			defer stop()
			m, address := newSyncMaker(b, p), p.bridge+"/shep/sync"
			messages := make([][]byte, b.N)
			for i := range messages {
				messages[i] = m.message(nil)
			}
			warm := func() {
				for range m.documents { // one of each citizen: what is asked about them is known from here on
					if status, body := post(b, address, m.message(nil)); status != 200 {
						b.Fatalf("%d %s", status, body)
					}
				}
				drained(b, n)
			}
			warm()
			p.tap.mu.Lock()
			p.tap.next = newParrot(p.tap.next)
			p.tap.mu.Unlock()
			warm()
			before := p.tap.total()
			warm()
			sent := float64(p.tap.total()-before) / float64(len(m.documents)) // messages to peers an application
			ceiling := bareRate(b, m.key, sent)

			busy := processorTime(b)
			b.ResetTimer()
			took := flood(b, address, messages)
			accepted := b.Elapsed()
			drained(b, n)
			b.StopTimer()
			busy = processorTime(b) - busy
			done := float64(b.N) / b.Elapsed().Seconds()
			slices.SortFunc(took, func(x, y time.Duration) int { return cmp.Compare(x, y) })
			b.ReportMetric(float64(b.N)/accepted.Seconds(), "accepted/s")
			b.ReportMetric(done, "done/s")
			b.ReportMetric(ceiling, "ceiling/s")
			b.ReportMetric(done/ceiling, "of-ceiling")
			b.ReportMetric(sent, "sent/application")
			b.ReportMetric(busy.Seconds()*1000/float64(b.N), "cpu-ms/application")
			b.ReportMetric(float64(took[b.N/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[min(b.N-1, b.N*99/100)].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(len(messages[0])), "bytes/message")
		})
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
// made, of the document and around it, and one verified, of the answer. One
// flush is shared by those who wait for it together.
func bareRate(b *testing.B, key *keystore.Key, sent float64) float64 {
	digest := make([]byte, len(key.Algorithm.Digest.Sum(nil)))
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
	crypto := (2+sent)*verify + (1+2*sent)*sign
	return 1 / (crypto/float64(runtime.GOMAXPROCS(0)) + flushTime(b)/floodClients)
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

// drained waits until nothing is on its way.
func drained(t testing.TB, n *node) {
	t.Helper()
	for {
		open, err := n.store.OpenDeliveries(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(open) == 0 {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// flood posts messages and gives how long each answer took.
func flood(t testing.TB, address string, messages [][]byte) []time.Duration {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: floodClients}}
	took := make([]time.Duration, len(messages))
	var at atomic.Int64
	var wg sync.WaitGroup
	for range floodClients {
		wg.Go(func() {
			for {
				i := int(at.Add(1)) - 1
				if i >= len(messages) {
					return
				}
				began := time.Now()
				r, err := client.Post(address, "text/xml; charset=utf-8", bytes.NewReader(messages[i]))
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(r.Body)
				r.Body.Close()
				if err != nil || r.StatusCode != 200 || !bytes.Contains(body, []byte("SendMessageResponse")) {
					t.Errorf("%d %v %s", r.StatusCode, err, body)
					return
				}
				took[i] = time.Since(began)
			}
		})
	}
	wg.Wait()
	return took
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
