package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"kopir/gateway"
	"kopir/mappings"
	"kopir/signature/verdict"
)

// scripted is a bridge that does what a test says; a method without a script
// panics by the nil interface inside.
type scripted struct {
	gateway.Doors
	receive      func(context.Context, gateway.Incoming) gateway.Reply
	applications func(gateway.Filter, string, int) (gateway.Page, error)
	asked        gateway.DueFilter // last
	by           []gateway.DueKey
	application  func(string) (*gateway.Application, error)
	take         func(string, gateway.Actor) (*gateway.Application, error)
	decide       func(string, gateway.Actor, gateway.Decision) (*gateway.Application, error)
	submit       func(gateway.Submission, gateway.Actor) (*gateway.Application, error)
	admit        func(gateway.Call) (*gateway.Admission, error)
	notices      func(*gateway.Admission, string, int) (gateway.NoticePage, error)
	doubted      []verdict.Reason
	mu           sync.Mutex
	defects      []string // stacks
}

func (d *scripted) Defect(_ any, stack []byte, _ ...zap.Field) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.defects = append(d.defects, string(stack))
}

func (d *scripted) Panics() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return uint64(len(d.defects))
}

func (d *scripted) Doubt(r verdict.Reason) { d.doubted = append(d.doubted, r) }

func (d *scripted) Admit(_ context.Context, c gateway.Call) (*gateway.Admission, error) {
	return d.admit(c)
}
func (d *scripted) Notices(_ context.Context, by *gateway.Admission, after string, limit int) (gateway.NoticePage, error) {
	return d.notices(by, after, limit)
}

func (d *scripted) Receive(ctx context.Context, in gateway.Incoming) gateway.Reply {
	return d.receive(ctx, in)
}
func (d *scripted) Applications(_ context.Context, f gateway.Filter, cursor string, limit int) (gateway.Page, error) {
	return d.applications(f, cursor, limit)
}
func (d *scripted) Application(_ context.Context, n string) (*gateway.Application, error) {
	return d.application(n)
}
func (d *scripted) Take(_ context.Context, n string, a gateway.Actor) (*gateway.Application, error) {
	return d.take(n, a)
}
func (d *scripted) Decide(_ context.Context, n string, a gateway.Actor, x gateway.Decision) (*gateway.Application, error) {
	return d.decide(n, a, x)
}
func (d *scripted) Submit(_ context.Context, s gateway.Submission, a gateway.Actor) (*gateway.Application, error) {
	return d.submit(s, a)
}

// memory is Replays without a disk; the store's own tests hold the real one
// against the same rules.
type memory struct {
	mu sync.Mutex
	m  map[string]*remembered
}

type remembered struct {
	digest, answer []byte
	done           bool
}

func (m *memory) Begin(_ context.Context, owner, key string, digest []byte, _ time.Time, _ time.Duration) (string, []byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch r := m.m[owner+" "+key]; {
	case r == nil:
		m.m[owner+" "+key] = &remembered{digest: digest}
		return "new", nil, nil
	case !bytes.Equal(r.digest, digest):
		return "other", nil, nil
	case r.done:
		return "done", r.answer, nil
	default:
		return "busy", nil, nil
	}
}

func (m *memory) Finish(_ context.Context, owner, key, _ string, answer []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.m[owner+" "+key].answer, m.m[owner+" "+key].done = answer, true
	return nil
}

func (m *memory) Forget(_ context.Context, owner, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.m, owner+" "+key)
	return nil
}

// bench is a server over a scripted bridge, with its keys and its log.
type bench struct {
	*Server
	t     *testing.T
	doors *scripted
	keys  map[Role]string
	logs  *observer.ObservedLogs
	spec  spec
}

var testTexts = sync.OnceValue(func() *mappings.Texts {
	set, _ := mappings.Builtin()
	return set.Texts
})

func setup(t *testing.T, change ...func(*Options)) *bench {
	t.Helper()
	b := &bench{t: t, doors: &scripted{}, keys: map[Role]string{}, spec: loadSpec(t)}
	keys := NewKeys()
	for _, role := range []Role{Reader, Specialist, Official, Admin} {
		key, hash := NewKey()
		b.keys[role] = key
		if err := keys.Add(hash, Principal{Name: "test-" + role.String(), Role: role}); err != nil {
			t.Fatal(err)
		}
	}
	core, logs := observer.New(zap.DebugLevel)
	b.logs = logs
	o := Options{
		Doors: b.doors, Texts: testTexts, Keys: keys, Replays: &memory{m: map[string]*remembered{}}, Bundles: &weighed{},
		Services: func() []Service { return nil },
		Log:      zap.New(core), Clock: func() time.Time { return time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC) },
		Limits: Limits{Body: 1 << 16, Request: time.Second, Concurrent: 2, Wait: 10 * time.Millisecond},
	}
	for _, f := range change {
		f(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	b.Server = s
	return b
}

// call makes a request and, when op names an operation of the REST door, holds
// the answer against the OpenAPI document.
func (b *bench) call(op string, r *http.Request) *httptest.ResponseRecorder {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, r)
	if op != "" {
		for _, bad := range b.spec.answer(op, w.Code, w.Header().Get("Content-Type"), w.Body.Bytes()) {
			b.t.Error(bad)
		}
	}
	return w
}

func (b *bench) request(role Role, method, path, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, apiRoot+path, strings.NewReader(body))
	if role != NoRole {
		r.Header.Set("Authorization", "Bearer "+b.keys[role])
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func (b *bench) problem(w *httptest.ResponseRecorder) Problem {
	b.t.Helper()
	var p Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		b.t.Fatalf("%v in %s", err, w.Body)
	}
	if strings.HasPrefix(p.Title, "[") {
		b.t.Errorf("problem %s has no text", p.Code)
	}
	for _, f := range p.Faults {
		if strings.HasPrefix(f.Message, "[") || strings.Contains(f.Message, "{") {
			b.t.Errorf("rule %s has no text or an unfilled one: %q", f.Rule, f.Message)
		}
	}
	return p
}

func someApplication(version int64) *gateway.Application {
	return &gateway.Application{Number: "T-1", Service: "s", Edition: "e", Channel: gateway.Portal, State: gateway.InProgress, Version: version,
		Result: &gateway.Document{Name: "r.xml", MediaType: "application/xml", Content: []byte("<secret/>"), SHA256: strings.Repeat("0", 64)}}
}

func TestEveryProblemHasAStatusAndATextInEveryLanguage(t *testing.T) {
	codes := []string{codeBadRequest, codeBadJSON, codeBadInput, codeUnauthenticated, codeForbidden, codeNoRoute, codeRequestSignature, codeMethod, codeMediaType, codeEncoding, codeOverloaded, codeIdempotencyBody, codeIdempotencyBusy}
	for _, c := range gateway.Codes() {
		codes = append(codes, string(c))
	}
	for _, c := range codes {
		if statusOf[c] == 0 {
			t.Errorf("%s has no HTTP status", c)
		}
		text := testTexts().Text("problem." + c)
		for _, lang := range languages {
			if s := text.In(lang); s == "" || strings.HasPrefix(s, "[") {
				t.Errorf("problem.%s has no text in %s", c, lang)
			}
		}
		if text.En == text.Ru || text.Kk == text.Ru {
			t.Errorf("problem.%s: two languages have one sentence", c)
		}
	}
	for c := range statusOf {
		if !testTexts().Has("problem." + c) {
			t.Errorf("problem.%s has no text", c)
		}
	}
}

func TestKeysAndRoles(t *testing.T) {
	b := setup(t)
	b.doors.applications = func(gateway.Filter, string, int) (gateway.Page, error) { return gateway.Page{}, nil }
	b.doors.take = func(string, gateway.Actor) (*gateway.Application, error) { return someApplication(2), nil }
	const list, take = "GET /applications", "POST /applications/:number/take"
	if w := b.call(list, b.request(NoRole, "GET", "/applications", "")); w.Code != 401 || w.Header().Get("WWW-Authenticate") == "" {
		t.Errorf("no key: %d", w.Code)
	}
	if w := b.call(list, b.request(NoRole, "GET", "/applications", "", "Authorization", "Bearer kopir_wrong")); w.Code != 401 {
		t.Errorf("wrong key: %d", w.Code)
	}
	// A hash of somebody's own word in the configuration lets nobody in.
	if err := b.Server.keys.Add(HashKey("hello"), Principal{Name: "weak", Role: Admin}); err != nil {
		t.Fatal(err)
	}
	if w := b.call(list, b.request(NoRole, "GET", "/applications", "", "Authorization", "Bearer hello")); w.Code != 401 {
		t.Errorf("a key that was not made by NewKey: %d", w.Code)
	}
	if w := b.call(list, b.request(NoRole, "GET", "/applications", "", "Authorization", "Basic "+b.keys[Admin])); w.Code != 401 {
		t.Errorf("another scheme: %d", w.Code)
	}
	if w := b.call(list, b.request(Reader, "GET", "/applications", "")); w.Code != 200 || strings.TrimSpace(w.Body.String()) != `{"applications":[]}` {
		t.Errorf("reader lists: %d %s", w.Code, w.Body)
	}
	w := b.call(take, b.request(Reader, "POST", "/applications/T-1/take", ""))
	if p := b.problem(w); w.Code != 403 || p.Code != codeForbidden || !strings.Contains(p.Title, "specialist") {
		t.Errorf("reader takes: %d %+v", w.Code, p)
	}
	if w := b.call(take, b.request(Specialist, "POST", "/applications/T-1/take", "")); w.Code != 200 || w.Header().Get("ETag") != `"v2"` || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("specialist takes: %d %s %s", w.Code, w.Header(), w.Body)
	}
	for _, e := range b.logs.All() {
		for _, key := range b.keys {
			if strings.Contains(fmt.Sprint(e.ContextMap()), key) {
				t.Error("a key stands in the log")
			}
		}
	}
}

func TestKeyHashes(t *testing.T) {
	key, hash := NewKey()
	if !IsHash(hash) || HashKey(key) != hash || len(key) < 40 || strings.Contains(hash, key) {
		t.Errorf("%s %s", key, hash)
	}
	k := NewKeys()
	if err := k.Add(hash, Principal{Name: "a", Role: Reader}); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"same key twice": k.Add(hash, Principal{Name: "b", Role: Reader}),
		"no role":        k.Add(HashKey("x"), Principal{Name: "b"}),
		"no name":        k.Add(HashKey("x"), Principal{Role: Reader}),
		"no hash":        k.Add("abc", Principal{Name: "b", Role: Reader}),
	} {
		if err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// TestBadInput is the table of what the REST door refuses before the bridge is
// asked: the scripted bridge has no script and would panic.
func TestBadInput(t *testing.T) {
	b := setup(t)
	for _, c := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		code                     string
		faults                   []string // pointer or parameter and rule
	}{
		{"no route", "GET", "/nothing", "", nil, 404, codeNoRoute, nil},
		{"method", "DELETE", "/applications", "", nil, 405, codeMethod, nil},
		{"every wrong parameter at once", "GET", "/applications?state=done&limit=0&overdue=maybe&received_from=today&colour=red&service=a&service=b&channel=fax", "", nil, 400, codeBadInput,
			[]string{"state one_of", "limit page_size", "overdue true_or_false", "received_from rfc3339", "colour unknown_parameter", "service repeated_parameter", "channel one_of"}},
		{"not JSON", "POST", "/history", "iin", nil, 400, codeBadJSON, nil},
		{"not an object", "POST", "/history", `["iin"]`, nil, 400, codeBadJSON, nil},
		{"two objects", "POST", "/history", `{"iin":"900101300007"}{}`, nil, 400, codeBadJSON, nil},
		{"not UTF-8", "POST", "/history", "{\"iin\":\"\xff\"}", nil, 400, codeBadJSON, nil},
		{"wrong media type", "POST", "/history", `{}`, []string{"Content-Type", "text/plain"}, 415, codeMediaType, nil},
		{"unknown and repeated members", "POST", "/history", `{"inn":"1","iin":"900101300007","iin":"900101300007","limit":"ten"}`, nil, 422, codeBadInput,
			[]string{"/inn unknown_member", "/iin repeated_member", "/limit wrong_type"}},
		{"not a number of twelve digits", "POST", "/history", `{"iin":"90010130000","limit":5000}`, nil, 422, codeBadInput, []string{"/iin twelve_digits", "/limit page_size"}},
		{"too large", "POST", "/history", `{"iin":"` + strings.Repeat("9", 1<<16) + `"}`, nil, 413, codeTooLarge, nil},
		{"extension without everything", "POST", "/applications/T-1/extension", `{}`, nil, 422, codeBadInput, []string{"/days working_days", "/reason/ru required", "/reason/kk required"}},
		{"decision without a result", "POST", "/applications/T-1/decision", `{}`, nil, 422, codeBadInput, []string{"/result required"}},
		{"decision with an empty result", "POST", "/applications/T-1/decision", `{"result":{}}`, nil, 422, codeBadInput, []string{"/result/name required", "/result/media_type media_type", "/result/content required"}},
		{"result that is not base64", "POST", "/applications/T-1/decision", `{"result":{"name":"a","media_type":"text/xml","content":"<a/>"}}`, nil, 422, codeBadInput, []string{"/result wrong_type"}},
		{"empty XML result", "POST", "/applications/T-1/decision", "", []string{"Content-Type", "application/xml"}, 422, codeBadInput, []string{" required"}},
		{"refusal without a ground", "POST", "/applications/T-1/refusal", `{}`, nil, 422, codeBadInput, []string{"/ground required"}},
		{"refusal with a ground in one language", "POST", "/applications/T-1/refusal", `{"ground":{"text":{"ru":"a"}}}`, nil, 422, codeBadInput, []string{"/ground/text/kk required"}},
		{"version that is none", "POST", "/applications/T-1/take", "", []string{"If-Match", "3"}, 422, codeBadInput, []string{"If-Match etag"}},
		{"handover to nobody", "POST", "/applications/T-1/handover", `{"to":{"iin":"1"}}`, nil, 422, codeBadInput, []string{"/to/name required", "/to/iin twelve_digits"}},
		{"idempotency key with spaces", "POST", "/applications/T-1/take", "", []string{"Idempotency-Key", "a b"}, 422, codeBadInput, []string{"Idempotency-Key idempotency_key"}},
		{"application through a partner's channel", "POST", "/applications", `{"service": "x", "channel": "portal", "document": "PGEvPg=="}`, nil, 422, codeBadInput, []string{"/channel one_of"}},
		{"application without everything", "POST", "/applications", `{}`, nil, 422, codeBadInput, []string{"/service required", "/document required"}},
		{"delivery of an unknown route", "GET", "/deliveries?route=fax&state=lost", "", nil, 400, codeBadInput, []string{"route one_of", "state one_of"}},
		{"drop without a reason", "POST", "/deliveries/1/drop", `{}`, nil, 422, codeBadInput, []string{"/reason required"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, lang := range languages {
				r := b.request(Admin, c.method, c.path, c.body, append(c.headers, "Accept-Language", lang)...)
				w := b.call("", r)
				p := b.problem(w)
				if w.Code != c.status || p.Code != c.code || p.Status != c.status || w.Header().Get("Content-Language") != lang || w.Header().Get("Content-Type") != "application/problem+json" {
					t.Fatalf("%s: %d %s", lang, w.Code, w.Body)
				}
				var got []string
				for _, f := range p.Faults {
					got = append(got, f.Pointer+f.Name+" "+f.Rule)
				}
				for _, want := range c.faults {
					if !strings.Contains("\n"+strings.Join(got, "\n")+"\n", "\n"+want+"\n") {
						t.Errorf("%s: no %q in %q", lang, want, got)
					}
				}
				if len(got) != len(c.faults) {
					t.Errorf("%s: faults %q, want %q", lang, got, c.faults)
				}
				if bad := b.spec.validate(map[string]any{"$ref": "#/components/schemas/Problem"}, anyJSON(t, w.Body.Bytes()), c.name); bad != nil {
					t.Error(bad)
				}
			}
		})
	}
	if n := b.logs.FilterMessage("panic").Len(); n != 0 {
		t.Errorf("%d requests reached the bridge", n)
	}
}

func anyJSON(t *testing.T, b []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestRefusalsOfTheBridgeBecomeProblems(t *testing.T) {
	b := setup(t)
	ground := &gateway.Ground{Code: "x", Text: gateway.Text{RU: "Отказ", KK: "Бас тарту"}, Faults: []gateway.FieldFault{{Field: "iin", Path: "applicant/iin", Rule: "iin", Text: gateway.Text{RU: "Нет", KK: "Жоқ", EN: "None"}}}}
	for _, code := range gateway.Codes() {
		b.doors.take = func(string, gateway.Actor) (*gateway.Application, error) {
			return nil, fmt.Errorf("wrapped: %w", &gateway.Error{Code: code, Say: "Say.", Ground: ground, Cause: fmt.Errorf("the secret cause")})
		}
		w := b.call("", b.request(Specialist, "POST", "/applications/T-1/take", "", "Accept-Language", "kk"))
		p := b.problem(w)
		if w.Code != statusOf[string(code)] || p.Code != string(code) || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %d %s", code, w.Code, w.Body)
		}
		last := p.Faults[len(p.Faults)-1]
		if last.Message != "Жоқ" || last.Pointer != "applicant/iin" {
			t.Errorf("%s: faults %+v", code, p.Faults)
		}
		w = b.call("", b.request(Specialist, "POST", "/applications/T-1/take", "", "Accept-Language", "en"))
		if p := b.problem(w); p.Faults[len(p.Faults)-1].Message != "None" {
			t.Errorf("%s in English: %+v", code, p.Faults)
		}
		if (code == gateway.TryLater) != (w.Header().Get("Retry-After") != "") {
			t.Errorf("%s: Retry-After %q", code, w.Header().Get("Retry-After"))
		}
	}
	b.doors.take = func(string, gateway.Actor) (*gateway.Application, error) { return nil, io.ErrUnexpectedEOF }
	w := b.call("", b.request(Specialist, "POST", "/applications/T-1/take", ""))
	if p := b.problem(w); w.Code != 500 || p.Code != codeInternal || strings.Contains(w.Body.String(), "EOF") {
		t.Errorf("an error that nobody decided: %d %s", w.Code, w.Body)
	}
	if b.logs.FilterFieldKey("cause").Len() == 0 {
		t.Error("the cause is not in the log")
	}
}

func TestIdempotencyKey(t *testing.T) {
	b := setup(t)
	calls := 0
	b.doors.take = func(string, gateway.Actor) (*gateway.Application, error) {
		calls++
		return someApplication(int64(calls)), nil
	}
	const op = "POST /applications/:number/take"
	post := func(role Role, path, body string) *httptest.ResponseRecorder {
		return b.call(op, b.request(role, "POST", path, body, "Idempotency-Key", "k1"))
	}
	first := post(Specialist, "/applications/T-1/take", "")
	again := post(Specialist, "/applications/T-1/take", "")
	if calls != 1 || !bytes.Equal(first.Body.Bytes(), again.Body.Bytes()) || again.Code != first.Code || again.Header().Get("ETag") != first.Header().Get("ETag") || again.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("the same request: %d calls, %d %s", calls, again.Code, again.Body)
	}
	if w := post(Specialist, "/applications/T-2/take", ""); w.Code != 422 || b.problem(w).Code != codeIdempotencyBody || calls != 1 {
		t.Errorf("another path: %d, %d calls", w.Code, calls)
	}
	if w := post(Specialist, "/applications/T-1/take", `{"actor":{"name":"A"}}`); w.Code != 422 || calls != 1 {
		t.Errorf("another body: %d, %d calls", w.Code, calls)
	}
	if w := post(Official, "/applications/T-1/take", ""); w.Code != 200 || calls != 2 {
		t.Errorf("another owner: %d, %d calls", w.Code, calls)
	}
	// While the first is at work, the same key is busy.
	b.doors.take = func(string, gateway.Actor) (*gateway.Application, error) {
		w := b.call(op, b.request(Specialist, "POST", "/applications/T-3/take", "", "Idempotency-Key", "k2"))
		if w.Code != 409 || b.problem(w).Code != codeIdempotencyBusy {
			t.Errorf("at the same time: %d", w.Code)
		}
		return nil, &gateway.Error{Code: gateway.TryLater}
	}
	if w := b.call(op, b.request(Specialist, "POST", "/applications/T-3/take", "", "Idempotency-Key", "k2")); w.Code != 503 {
		t.Errorf("try later: %d", w.Code)
	}
	b.doors.take = func(string, gateway.Actor) (*gateway.Application, error) { return someApplication(9), nil }
	if w := b.call(op, b.request(Specialist, "POST", "/applications/T-3/take", "", "Idempotency-Key", "k2")); w.Code != 200 {
		t.Errorf("after a failure of ours the key must be free: %d", w.Code)
	}
}

// TestAboutOf: an answer is about the application of its path, or the one that was made.
func TestAboutOf(t *testing.T) {
	for _, a := range []struct{ path, made, about string }{
		{"T-1", "", "T-1"}, {"", apiRoot + "/applications/T%2F2", "T/2"}, {"", "", ""}, {"", "/elsewhere/T-3", ""},
	} {
		c, _ := gin.CreateTestContext(httptest.NewRecorder())
		if a.path != "" {
			c.Params = gin.Params{{Key: "number", Value: a.path}}
		}
		c.Header("Location", a.made)
		if got := about(c); got != a.about {
			t.Errorf("%+v: %q", a, got)
		}
	}
}

func TestIfMatch(t *testing.T) {
	b := setup(t)
	b.doors.application = func(string) (*gateway.Application, error) { return someApplication(3), nil }
	b.doors.take = func(string, gateway.Actor) (*gateway.Application, error) { return someApplication(4), nil }
	const op = "POST /applications/:number/take"
	if w := b.call(op, b.request(Specialist, "POST", "/applications/T-1/take", "", "If-Match", `"v2"`)); w.Code != 412 {
		t.Errorf("an old version: %d", w.Code)
	}
	if w := b.call(op, b.request(Specialist, "POST", "/applications/T-1/take", "", "If-Match", `"v3"`)); w.Code != 200 {
		t.Errorf("the version it is at: %d", w.Code)
	}
	var got gateway.Decision
	b.doors.decide = func(_ string, _ gateway.Actor, d gateway.Decision) (*gateway.Application, error) {
		got = d
		return someApplication(4), nil
	}
	r := b.request(Specialist, "POST", "/applications/T-1/decision?name=a.xml", "<result/>", "If-Match", `"v3"`, "Content-Type", "application/xml")
	if w := b.call("POST /applications/:number/decision", r); w.Code != 200 || got.Version != 3 || got.Result.Name != "a.xml" || string(got.Result.Content) != "<result/>" {
		t.Errorf("decision: %d %+v", w.Code, got)
	}
	if w := b.call("GET /applications/:number", b.request(Reader, "GET", "/applications/T-1", "", "If-None-Match", `"v3"`)); w.Code != 304 || w.Body.Len() != 0 {
		t.Errorf("If-None-Match: %d", w.Code)
	}
}

func TestAKeyOfAnOfficeSeesThatOfficeOnly(t *testing.T) {
	key, hash := NewKey()
	b := setup(t, func(o *Options) {
		if err := o.Keys.Add(hash, Principal{Name: "medeu", Role: Admin, Office: "medeu"}); err != nil {
			t.Fatal(err)
		}
	})
	var asked gateway.Filter
	b.doors.applications = func(f gateway.Filter, _ string, _ int) (gateway.Page, error) {
		asked = f
		return gateway.Page{}, nil
	}
	b.doors.application = func(number string) (*gateway.Application, error) {
		a := someApplication(1)
		a.Office = number
		return a, nil
	}
	for _, c := range []struct {
		op, path, body string
		status         int
	}{
		{"GET /applications", "/applications", "", 200},
		{"GET /applications", "/applications?office=medeu", "", 200},
		{"GET /applications", "/applications?office=auezov", "", 400},
		{"POST /history", "/history", `{"iin":"900101300017"}`, 200},
		{"GET /applications/:number", "/applications/medeu", "", 200},
		{"GET /applications/:number", "/applications/auezov", "", 404},
		{"POST /applications/:number/take", "/applications/auezov/take", "{}", 404},
		{"GET /deliveries", "/deliveries", "", 403},
	} {
		method, _, _ := strings.Cut(c.op, " ")
		asked = gateway.Filter{}
		w := b.call(c.op, b.request(NoRole, method, c.path, c.body, "Authorization", "Bearer "+key))
		if w.Code != c.status || w.Code == 200 && !strings.Contains(c.op, ":") && asked.Office != "medeu" {
			t.Errorf("%s: %d, asked %+v", c.path, w.Code, asked)
		}
		if w.Code >= 400 {
			b.problem(w)
		}
	}
}

func TestSOAPDoorAnswersEverything(t *testing.T) {
	b := setup(t)
	b.doors.receive = func(_ context.Context, in gateway.Incoming) gateway.Reply {
		if string(in.Raw) == "boom" {
			panic("the secret of the panic")
		}
		return gateway.Reply{Bytes: append([]byte("<answer/>"), in.Raw...), Status: 200}
	}
	post := func(path, body string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", path, strings.NewReader(body))
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return b.call("", r)
	}
	for _, contentType := range []string{"", "text/xml; charset=utf-8", "application/soap+xml", "text/plain", "nonsense"} {
		if w := post("/shep/sync", "x", "Content-Type", contentType); w.Code != 200 || w.Body.String() != "<answer/>x" {
			t.Errorf("content type %q: %d", contentType, w.Code)
		}
	}
	if w := post("/shep/sync", "x", "Content-Encoding", "gzip"); w.Code != 500 || !strings.Contains(w.Body.String(), "<errorCode>malformed</errorCode>") ||
		!strings.Contains(w.Body.String(), "<errorData>"+testTexts().Text("problem."+codeEncoding).En) {
		t.Errorf("a compressed body: %d %s", w.Code, w.Body)
	}
	for name, c := range map[string]struct {
		body, code, fault string
		status            int
	}{
		"too large": {strings.Repeat("x", 1<<16+1), "too_large", "Client", 500},
		"panic":     {"boom", "try_later", "Server", 500},
	} {
		for _, path := range []string{"/shep/sync", "/shep/async"} {
			w := post(path, c.body)
			s := w.Body.String()
			if w.Code != c.status || !strings.Contains(s, "<errorCode>"+c.code+"</errorCode>") || !strings.Contains(s, c.fault+"</faultcode>") || strings.Contains(s, "secret") || strings.Contains(s, "{limit}") {
				t.Errorf("%s at %s: %d %s", name, path, w.Code, s)
			}
			if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/xml") {
				t.Errorf("%s: %s", name, w.Header())
			}
		}
	}
	if all := b.doors.defects; len(all) != 2 || !strings.Contains(all[0], "server_test.go") {
		t.Errorf("%d defects told", len(all))
	}
	lines := map[zapcore.Level]int{}
	for _, e := range b.logs.FilterMessage("request").All() {
		lines[e.Level]++
	}
	// What the bridge answered has its line from there; what was too large is
	// the sender's fault, what broke is ours.
	if lines[zap.DebugLevel] != 5 || lines[zap.WarnLevel] != 3 || lines[zap.ErrorLevel] != 2 {
		t.Errorf("log lines of 10 requests: %v", lines)
	}
}

func TestWorkOnARequestHasAnEnd(t *testing.T) {
	b := setup(t, func(o *Options) { o.Limits.Request = 20 * time.Millisecond })
	b.doors.receive = func(ctx context.Context, _ gateway.Incoming) gateway.Reply {
		<-ctx.Done()
		return gateway.Reply{Bytes: []byte("<late/>"), Status: 500, Code: gateway.TryLater, RetryAfter: 1500 * time.Millisecond}
	}
	w := b.call("", httptest.NewRequest("POST", "/shep/sync", strings.NewReader("x")))
	if w.Code != 500 || w.Header().Get("Retry-After") != "2" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestOverloadIsToldAtOnce(t *testing.T) {
	b := setup(t)
	at, release := make(chan bool, 2), make(chan bool)
	b.doors.receive = func(context.Context, gateway.Incoming) gateway.Reply {
		at <- true
		<-release
		return gateway.Reply{Bytes: []byte("<a/>"), Status: 200}
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { b.call("", httptest.NewRequest("POST", "/shep/sync", strings.NewReader("x"))) })
	}
	<-at
	<-at
	w := b.call("", httptest.NewRequest("POST", "/shep/sync", strings.NewReader("x")))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "<errorCode>try_later</errorCode>") {
		t.Errorf("SOAP: %d %s", w.Code, w.Body)
	}
	// The other doors have places of their own.
	b.doors.applications = func(gateway.Filter, string, int) (gateway.Page, error) { return gateway.Page{}, nil }
	if w := b.call("GET /applications", b.request(Reader, "GET", "/applications", "")); w.Code != 200 {
		t.Errorf("REST beside: %d %s", w.Code, w.Body)
	}
	for range cap(b.slots) {
		b.slots <- struct{}{}
	}
	w = b.call("GET /applications", b.request(Reader, "GET", "/applications", ""))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || b.problem(w).Code != codeOverloaded {
		t.Errorf("REST: %d %s", w.Code, w.Body)
	}
	if w := b.call("", httptest.NewRequest("GET", "/healthz", nil)); w.Code != 200 {
		t.Errorf("a busy bridge is alive: %d", w.Code)
	}
	close(release)
	wg.Wait()
}

func TestContractCarriesTheRequestsOwnAddress(t *testing.T) {
	b := setup(t, func(o *Options) { o.Proxies = []string{"192.0.2.0/24"} })
	for name, c := range map[string]struct {
		path, host, remote string
		headers            []string
		want               string
		status             int
	}{
		"plain":             {"/shep/sync?wsdl", "kopir.test:8080", "198.51.100.1:5", nil, "http://kopir.test:8080/shep/sync", 200},
		"upper case":        {"/shep/sync?WSDL", "kopir.test", "198.51.100.1:5", nil, "http://kopir.test/shep/sync", 200},
		"stranger's header": {"/shep/sync?wsdl", "kopir.test", "198.51.100.1:5", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil.test"}, "http://kopir.test/shep/sync", 200},
		"proxy's header":    {"/shep/sync?wsdl", "inner", "192.0.2.7:5", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "kopir.test, inner"}, "https://kopir.test/shep/sync", 200},
		"markup as host":    {"/shep/sync?wsdl", "\"><x", "198.51.100.1:5", nil, "http://127.0.0.1:1/shep/sync", 200},
		"by name":           {"/shep/async?wsdl=SyncChannel.wsdl", "kopir.test", "198.51.100.1:5", nil, "http://kopir.test/shep/async", 200},
		"without suffix":    {"/shep/async?wsdl=AsyncChannelClient", "kopir.test", "198.51.100.1:5", nil, "changeMassageStatusNotification", 200},
		"no such":           {"/shep/sync?xsd=../../etc/passwd", "kopir.test", "198.51.100.1:5", nil, "no such document", 404},
		"a schema":          {"/shep/sync?xsd=shep-common.xsd", "kopir.test", "198.51.100.1:5", nil, "http://bip.bee.kz/common/v10/Types", 200},
		"nothing asked":     {"/shep/sync", "kopir.test", "198.51.100.1:5", nil, "POST a message", 405},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		path, query, _ := strings.Cut(c.path, "?")
		r.URL.Path, r.URL.RawQuery, r.Host, r.RemoteAddr = path, query, c.host, c.remote
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1})))
		for i := 0; i+1 < len(c.headers); i += 2 {
			r.Header.Set(c.headers[i], c.headers[i+1])
		}
		if w := b.call("", r); w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestReadyTellsWhatIsNotReady(t *testing.T) {
	down := false
	b := setup(t, func(o *Options) {
		o.Readiness = []Readiness{{"store", func(context.Context) Condition { return Condition{} }}, {"gateway", func(context.Context) Condition {
			if down {
				return Condition{Health: Failing, Say: "it does not answer", Remedy: "look there", Cause: fmt.Errorf("refused at 10.0.0.1")}
			}
			return Condition{Health: Warning, Say: "it is slow"}
		}}, {"outbox", func(context.Context) Condition { panic("nobody thought of this") }}}
	})
	if w := b.call("", httptest.NewRequest("GET", "/readyz", nil)); w.Code != 200 || !strings.Contains(w.Body.String(), `{"name":"gateway","ready":true,"state":"warn","since":"`) {
		t.Errorf("ready: %d %s", w.Code, w.Body)
	} else if s := w.Body.String(); !strings.Contains(s, `{"name":"outbox","ready":true,"state":"warn"`) || strings.Contains(s, "nobody thought") {
		t.Errorf("a defect of a check: %s", s)
	}
	down = true
	w := b.call("", httptest.NewRequest("GET", "/readyz", nil))
	if w.Code != 503 || !strings.Contains(w.Body.String(), `{"name":"gateway","ready":false,"state":"bad","since":"`) || !strings.Contains(w.Body.String(), `{"name":"store","ready":true,"state":"ok","since":"`) || strings.Contains(w.Body.String(), "10.0.0.1") || !strings.Contains(w.Body.String(), `"remedy":"look there"`) || w.Header().Get("Retry-After") == "" {
		t.Errorf("not ready: %d %s", w.Code, w.Body)
	}
	if w := b.call("", httptest.NewRequest("GET", "/healthz", nil)); w.Code != 200 {
		t.Errorf("not ready is still alive: %d", w.Code)
	}
	w = b.call("", httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`kopir_requests_total{route="/readyz",status="503"} 1`, "kopir_requests_in_flight 1", "kopir_panics_total 2", "go_goroutines"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

func TestServeDrains(t *testing.T) {
	b := setup(t, func(o *Options) { o.Limits.Request = 10 * time.Second })
	at, release := make(chan bool), make(chan bool)
	b.doors.receive = func(context.Context, gateway.Incoming) gateway.Reply {
		close(at)
		<-release
		return gateway.Reply{Bytes: []byte("<late/>"), Status: 200}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- b.Serve(ctx, l, 1<<16, 5*time.Second, 5*time.Second) }()
	answered := make(chan string, 1)
	go func() {
		r, err := http.Post("http://"+l.Addr().String()+"/shep/sync", "text/xml", strings.NewReader("x"))
		if err != nil {
			answered <- err.Error()
			return
		}
		defer r.Body.Close()
		body, _ := io.ReadAll(r.Body)
		answered <- string(body)
	}()
	<-at
	stop()
	for !b.draining.Load() {
		time.Sleep(time.Millisecond)
	}
	close(release)
	if got := <-answered; got != "<late/>" {
		t.Errorf("the request at work got %q", got)
	}
	if err := <-served; err != nil && err != http.ErrServerClosed {
		t.Errorf("serve: %v", err)
	}
}
