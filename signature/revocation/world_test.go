package revocation_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"kopir/signature/nuc"
	"kopir/signature/revocation"
	"kopir/signature/sigtest"
)

// world is an authority with a responder and published lists behind real HTTP.
type world struct {
	t       testing.TB
	ca      *sigtest.Authority
	root    *nuc.Certificate
	issuer  *nuc.Certificate
	server  *httptest.Server
	checker *revocation.Checker

	mu      sync.Mutex
	now     time.Time
	ocsp    sigtest.OCSPOptions
	replace http.HandlerFunc // instead of everything; nil: the authority answers
	asked   map[string]int   // requests by path
	base    []byte
	delta   []byte
}

func newWorld(t testing.TB) *world {
	t.Helper()
	ca, err := sigtest.NewAuthority("revocation", sigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, ca: ca, now: sigtest.Noon(), asked: map[string]int{}}
	w.root, w.issuer = w.parse(ca.Root()), w.parse(ca.Issuing())
	w.server = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.server.Close)
	return w
}

func (w *world) parse(raw []byte) *nuc.Certificate {
	w.t.Helper()
	c, err := nuc.ParseCertificate(raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// set changes the world under its lock.
func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *world) requests(path string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked[path]
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	w.mu.Lock()
	w.asked[r.URL.Path]++
	replace := w.replace
	w.mu.Unlock()
	if replace != nil {
		r.Body = io.NopCloser(bytes.NewReader(body))
		replace(rw, r)
		return
	}
	w.honest(rw, r, body)
}

// honest answers as the authority does.
func (w *world) honest(rw http.ResponseWriter, r *http.Request, body []byte) {
	w.mu.Lock()
	options, now, base, delta := w.ocsp, w.now, w.base, w.delta
	w.mu.Unlock()
	switch r.URL.Path {
	case "/ocsp":
		if r.Header.Get("Content-Type") != "application/ocsp-request" {
			http.Error(rw, "content type", http.StatusUnsupportedMediaType)
			return
		}
		answer, err := w.ca.OCSP(body, now, options)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		rw.Write(answer)
	case "/base.crl":
		rw.Write(base)
	case "/delta.crl":
		rw.Write(delta)
	default:
		http.NotFound(rw, r)
	}
}

// use makes the checker. Budgets are short, because tests wait for them.
func (w *world) use(o revocation.Options, source revocation.Source) {
	o.Now, o.Budget, o.Timeout = w.clock, 2*time.Second, time.Second
	if o.Pause == 0 {
		o.Pause = time.Nanosecond
	}
	for _, list := range [][]string{source.OCSP, source.CRL, source.Delta} {
		for i, path := range list {
			if path[0] == '/' {
				list[i] = w.server.URL + path
			}
		}
	}
	o.Sources = []revocation.Source{source}
	w.checker = revocation.NewChecker(o)
}

func ocsp() revocation.Source { return revocation.Source{OCSP: []string{"/ocsp"}} }

func (w *world) person(n int) (*sigtest.Credential, *nuc.Certificate) {
	w.t.Helper()
	c, err := w.ca.Issue(sigtest.Profile{Kind: sigtest.Person, IIN: sigtest.IIN(n), Surname: "ТЕСТОВ", GivenName: "ТЕСТ"})
	if err != nil {
		w.t.Fatal(err)
	}
	return c, w.parse(c.DER)
}

func (w *world) ask(c *nuc.Certificate) revocation.Answer { return w.askAt(c, w.clock()) }

func (w *world) askAt(c *nuc.Certificate, at time.Time) revocation.Answer {
	return w.checker.Ask(context.Background(), c, w.issuer, at)
}

func (w *world) crl(this, next time.Time) []byte {
	w.t.Helper()
	raw, err := w.ca.CRL(this, next)
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

func (w *world) deltaCRL(base, this, next time.Time) []byte {
	w.t.Helper()
	raw, err := w.ca.DeltaCRL(base, this, next)
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

func parseCRL(t testing.TB, raw []byte) *revocation.CRL {
	t.Helper()
	l, err := revocation.ParseCRL(raw)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

const day = 24 * time.Hour
