package main

import (
	"bytes"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"kopir/gateway"
	"kopir/gateway/sim"
)

// traceStub is a collector: it keeps what it is sent over HTTP.
type traceStub struct {
	mu    sync.Mutex
	raw   []byte
	spans []*spans.Span
}

func (c *traceStub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var got collector.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" || proto.Unmarshal(body, &got) != nil {
		http.Error(w, "not OTLP", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw = append(c.raw, body...)
	for _, of := range got.ResourceSpans {
		for _, scope := range of.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
}

func textOf(s *spans.Span, key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

// parents keeps the traceparent headers of what the bridge sends, by span.
type parents struct {
	next http.Handler
	mu   sync.Mutex
	seen map[string]string // trace by span
}

func (p *parents) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f := strings.Split(r.Header.Get("Traceparent"), "-"); len(f) == 4 {
		p.mu.Lock()
		p.seen[f[2]] = f[1]
		p.mu.Unlock()
	}
	p.next.ServeHTTP(w, r)
}

// through leads what the simulator gets from now on by another handler first.
func (t *tap) through(by func(next http.Handler) http.Handler) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next = by(t.next)
}

// TestTrace: a collector is told of one application in one trace, from its
// receipt to the last notice, by two bridges after each other; what goes out names
// the span, a caller's own trace is linked to, and nothing of a person is told.
func TestTrace(t *testing.T) {
	p, end := testPlay(t)
	defer end()
	out := &parents{seen: map[string]string{}}
	p.tap.through(func(next http.Handler) http.Handler { out.next = next; return out })
	stub := &traceStub{}
	server := httptest.NewServer(stub)
	defer server.Close()
	config := filepath.Join(p.dir, "traced.yaml")
	text := strings.Replace(string(readAll(t, filepath.Join(p.dir, "kopir.yaml"))), "store: {path: data/kopir.db}", "store: {path: data/traced.db}\ntraces: {otlp: \""+server.URL+"/v1/traces\"}", 1)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func() (*node, string, func()) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		n, stop := startNode(t, config, l)
		p.sim.SetBridge(sim.Bridge{AsyncURL: reachable(l) + "/shep/async", SyncURL: reachable(l) + "/shep/sync", Notify: true})
		return n, reachable(l), stop
	}
	settled := func(n *node) {
		waitFor(t, "every delivery is made", func() bool {
			open, err := n.store.OpenDeliveries(t.Context())
			return err == nil && len(open) == 0
		})
	}

	n, door, stop := start()
	r, err := http.NewRequestWithContext(t.Context(), "POST", door+"/shep/sync", bytes.NewReader(newSyncMaker(t, p).message(nil)))
	if err != nil {
		t.Fatal(err)
	}
	const callers = "4bf92f3577b34da6a3ce929d0e0e4736"
	r.Header.Set("Traceparent", "00-"+callers+"-00f067aa0ba902b7-01")
	answer, err := p.client.Do(r)
	if err != nil || answer.StatusCode != 200 {
		t.Fatal(answer, err)
	}
	answer.Body.Close()
	settled(n)
	page, err := n.store.Applications(t.Context(), gateway.Filter{}, "", 1)
	if err != nil || len(page.Applications) != 1 {
		t.Fatal(page, err)
	}
	app := page.Applications[0]
	stop()

	n, _, stop = start()
	who := gateway.Actor{Name: "specialist"}
	if _, err := n.bridge.Take(t.Context(), app.Number, who); err != nil {
		t.Fatal(err)
	}
	ground := &gateway.Ground{Text: gateway.Text{RU: "TEST", KK: "TEST"}}
	if _, err := n.bridge.Decide(t.Context(), app.Number, who, gateway.Decision{State: gateway.Refused, Ground: ground}); err != nil {
		t.Fatal(err)
	}
	settled(n)
	stop()

	id := strings.Split(app.Trace, "-")[1]
	stub.mu.Lock()
	defer stub.mu.Unlock()
	byID, count := map[string]*spans.Span{}, map[string]int{}
	var ours []*spans.Span
	for _, s := range stub.spans {
		if hex.EncodeToString(s.TraceId) != id {
			continue
		}
		ours = append(ours, s)
		count[s.Name]++
		byID[hex.EncodeToString(s.SpanId)] = s
		if s.EndTimeUnixNano < s.StartTimeUnixNano || s.StartTimeUnixNano == 0 {
			t.Errorf("%s: from %d to %d", s.Name, s.StartTimeUnixNano, s.EndTimeUnixNano)
		}
	}
	for name, least := range map[string]int{"receive": 1, "read": 1, "verify system": 1, "verify person": 1, "map": 1, "commit": 3, "local row": 3, "status change": 2, "notification": 3} {
		if count[name] < least || name == "receive" && count[name] > 1 {
			t.Errorf("%d spans %q in the trace of the application; all are %v", count[name], name, count)
		}
	}
	// One tree: every span leads to the receipt.
	for _, s := range ours {
		path := s.Name
		for at := s; at.Name != "receive"; path = at.Name + " < " + path {
			if at = byID[hex.EncodeToString(at.ParentSpanId)]; at == nil {
				t.Errorf("the parent of %s is not told", path)
				break
			}
		}
	}
	// Authorities are asked where somebody needs the answer; the seal of the
	// journal belongs to no application.
	parents := map[string]string{}
	for _, s := range stub.spans {
		if s.Name == "authority question" {
			at := slices.IndexFunc(stub.spans, func(p *spans.Span) bool { return bytes.Equal(p.SpanId, s.ParentSpanId) })
			if at < 0 {
				t.Errorf("the parent of a question by %s is not told", textOf(s, "kopir.kind"))
				continue
			}
			parents[textOf(s, "kopir.kind")] += stub.spans[at].Name + " " + textOf(s, "kopir.outcome") + ";"
		}
	}
	if !strings.Contains(parents["ocsp"], "verify person answered;") || !strings.Contains(parents["tsa"], "checkpoint answered;") {
		t.Errorf("authorities were asked in %v", parents)
	}
	root := ours[slices.IndexFunc(ours, func(s *spans.Span) bool { return s.Name == "receive" })]
	if len(root.ParentSpanId) != 0 || len(root.Links) != 1 || hex.EncodeToString(root.Links[0].TraceId) != callers || textOf(root, "kopir.outcome") != "accepted" {
		t.Errorf("the receipt: %v", root)
	}
	// The last notice follows from the decision.
	last := slices.IndexFunc(ours, func(s *spans.Span) bool {
		parent := byID[hex.EncodeToString(s.ParentSpanId)]
		return s.Name == "notification" && parent != nil && parent.Name == "status change" && textOf(parent, "kopir.to") == string(gateway.Refused)
	})
	if last < 0 {
		t.Errorf("no notice follows from the decision: %v", ours)
	}
	out.mu.Lock()
	defer out.mu.Unlock()
	told := 0
	for _, s := range ours {
		if out.seen[hex.EncodeToString(s.SpanId)] == id {
			told++
		}
	}
	if told < count["notification"] {
		t.Errorf("%d spans were named by traceparent, of %v", told, count)
	}
	for _, secret := range []string{string(app.Applicant.IIN), app.Applicant.Name, strings.Fields(app.Applicant.Name)[0], "TEST"} {
		if secret == "" || bytes.Contains(stub.raw, []byte(secret)) {
			t.Errorf("%q was told to the collector", secret)
		}
	}
}

// TestTraceWithoutCollector: nobody waits for a collector that is away.
func TestTraceWithoutCollector(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	var book noteBook
	l := &loaded{config: defaultConfig()}
	l.Traces.OTLP = s.URL
	log, err := newLog(l, &book)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{log: log, traces: newTraces(l, log)}
	for range 3 {
		_, span := n.tracer().Start(t.Context(), "receive")
		span.End()
		if err := n.traces.ForceFlush(t.Context()); err != nil {
			t.Error(err)
		}
	}
	n.stopTraces()
	if got := strings.Count(book.String(), "traces are lost"); got != 1 || !strings.Contains(book.String(), "404") {
		t.Errorf("told %d times: %s", got, book.String())
	}
}
