package signer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"kopir/signature"
	"kopir/signature/cms"
	"kopir/signature/nuc"
	"kopir/signature/revocation"
	"kopir/signature/sigtest"
)

const password = "Qwerty12-секрет"

// algorithms are those that every address is tried with.
var algorithms = []sigtest.Algorithm{sigtest.RSA, sigtest.GOST2004, sigtest.GOST2015}

// town is a door, an authority with its responder, its lists and its time
// stamps, and people with key files.
type town struct {
	*testing.T
	authority *sigtest.Authority
	trust     *nuc.Trust
	checker   *revocation.Checker
	url       string
	log       *bytes.Buffer
	asked     *questions
	tsa       *sigtest.Credential
}

// questions counts what came to the authority's addresses.
type questions struct {
	sync.Mutex
	paths []string
}

func (q *questions) count(path string) (n int) {
	q.Lock()
	defer q.Unlock()
	for _, p := range q.paths {
		if p == path {
			n++
		}
	}
	return n
}

// options change the town before its door opens.
type options struct {
	algorithm   sigtest.Algorithm
	addresses   bool // OCSP and lists are served and configured
	stamps      bool // and time stamps
	ocspTrouble func(w http.ResponseWriter) bool
	ocsp        sigtest.OCSPOptions
	limits      Limits
	rootless    bool // the door trusts nobody
}

func newTown(t *testing.T, o options) *town {
	t.Helper()
	authority, err := sigtest.NewAuthority("", sigtest.Options{Algorithm: o.algorithm})
	if err != nil {
		t.Fatal(err)
	}
	tn := &town{T: t, authority: authority, trust: nuc.NewTrust(), log: &bytes.Buffer{}, asked: &questions{}}
	if !o.rootless {
		if err := tn.trust.AddRoot(tn.certificate(authority.Root())); err != nil {
			t.Fatal(err)
		}
	}
	issuing := tn.certificate(authority.Issuing())
	tn.trust.AddIntermediate(issuing)
	tn.tsa, err = authority.Issue(sigtest.Profile{Kind: sigtest.Timestamps, CommonName: "TIME-STAMPING AUTHORITY"})
	if err != nil {
		t.Fatal(err)
	}
	world := httptest.NewServer(tn.world(o))
	t.Cleanup(world.Close)
	ro := revocation.Options{Now: sigtest.Noon}
	if o.addresses {
		ro.Sources = []revocation.Source{{Issuer: issuing, OCSP: []string{world.URL + "/ocsp"}, CRL: []string{world.URL + "/crl"}}}
	}
	tn.checker = revocation.NewChecker(ro)
	so := Options{Trust: tn.trust, Revocation: tn.checker, Clock: sigtest.Noon, Limits: o.limits, Log: zap.New(zapcore.NewCore(
		zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.Lock(zapcore.AddSync(tn.log)), zapcore.DebugLevel))}
	if o.stamps {
		if so.Authority, err = NewAuthority(map[string]string{PolicyGOST2015: world.URL + "/tsp", PolicyGOST: world.URL + "/tsp"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	s, err := New(so)
	if err != nil {
		t.Fatal(err)
	}
	door := httptest.NewServer(s.Handler())
	t.Cleanup(door.Close)
	tn.url = door.URL
	return tn
}

// world is the authority's addresses.
func (tn *town) world(o options) http.Handler {
	mux := http.NewServeMux()
	count := func(h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			tn.asked.Lock()
			tn.asked.paths = append(tn.asked.paths, r.URL.Path)
			tn.asked.Unlock()
			h(w, r)
		}
	}
	mux.HandleFunc("/ocsp", count(func(w http.ResponseWriter, r *http.Request) {
		if o.ocspTrouble != nil && o.ocspTrouble(w) {
			return
		}
		body, _ := io.ReadAll(r.Body)
		answer, err := tn.authority.OCSP(body, sigtest.Noon(), o.ocsp)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Write(answer)
	}))
	mux.HandleFunc("/crl", count(func(w http.ResponseWriter, r *http.Request) {
		list, err := tn.authority.CRL(sigtest.Noon().Add(-time.Hour), sigtest.Noon().Add(24*time.Hour))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Write(list)
	}))
	mux.HandleFunc("/tsp", count(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		request, err := cms.ParseRequest(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		key, err := tn.tsa.Key()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		policy := request.Policy
		if policy == "" {
			policy = policies[PolicyGOST2015]
		}
		token, err := signature.SignTimestamp(cms.TSTInfo{
			Policy: policy, Imprint: request.Imprint, Serial: request.Nonce, Time: sigtest.Noon().Add(-time.Second), Nonce: request.Nonce,
		}, key)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Write(cms.MarshalGranted(token))
	}))
	return mux
}

func (tn *town) certificate(der []byte) *nuc.Certificate {
	tn.Helper()
	c, err := nuc.ParseCertificate(der)
	if err != nil {
		tn.Fatal(err)
	}
	return c
}

// object is a JSON object.
type object = map[string]any

func (tn *town) issue(p sigtest.Profile) *sigtest.Credential {
	tn.Helper()
	if p.Kind == 0 {
		p.Kind = sigtest.Person
	}
	if p.IIN == "" {
		p.IIN = sigtest.IIN(7)
	}
	if p.Surname == "" {
		p.Surname, p.GivenName, p.Patronymic = "Тестов", "Тест", "Тестович"
	}
	c, err := tn.authority.Issue(p)
	if err != nil {
		tn.Fatal(err)
	}
	return c
}

// signer is a key of a request.
func (tn *town) signer(c *sigtest.Credential) object {
	tn.Helper()
	p12, err := c.PKCS12(password)
	if err != nil {
		tn.Fatal(err)
	}
	return object{"key": b64(p12), "password": password, "keyAlias": nil}
}

// crl hands the checker a stored list.
func (tn *town) crl(this, next time.Time) {
	tn.Helper()
	der, err := tn.authority.CRL(this, next)
	if err != nil {
		tn.Fatal(err)
	}
	l, err := revocation.ParseCRL(der)
	if err != nil {
		tn.Fatal(err)
	}
	tn.checker.AddCRL(l)
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// reply is an answer as clients see it.
type reply struct {
	code    int
	verdict string
	body    object
}

// post sends a request and checks the form that every answer has.
func (tn *town) post(path string, request any) reply {
	tn.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		tn.Fatal(err)
	}
	return tn.send(path, "application/json", body)
}

func (tn *town) send(path, media string, body []byte) reply {
	tn.Helper()
	res, err := http.Post(tn.url+path, media, bytes.NewReader(body))
	if err != nil {
		tn.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		tn.Fatal(err)
	}
	r := reply{code: res.StatusCode, verdict: res.Header.Get("X-Kopir-Verdict")}
	if err := json.Unmarshal(raw, &r.body); err != nil {
		tn.Fatalf("%s: not JSON: %s", path, raw)
	}
	if r.body["status"] != float64(res.StatusCode) {
		tn.Errorf("%s: status %v beside HTTP %d", path, r.body["status"], res.StatusCode)
	}
	if message, _ := r.body["message"].(string); (message == "OK") != (res.StatusCode == http.StatusOK) || message == "" {
		tn.Errorf("%s: HTTP %d with the message %q", path, res.StatusCode, message)
	}
	return r
}

// do is post where success is due.
func (tn *town) do(path string, request any) reply {
	tn.Helper()
	r := tn.post(path, request)
	if r.code != http.StatusOK {
		tn.Fatalf("%s: %v", path, r.body)
	}
	return r
}

func (r reply) valid() bool { return r.body["valid"] == true }

func (r reply) message() string { s, _ := r.body["message"].(string); return s }

func (r reply) text(name string) string { s, _ := r.body[name].(string); return s }

// signers are the certificates of a Verification.
func (r reply) signers(t testing.TB) []object {
	t.Helper()
	list, ok := r.body["signers"].([]any)
	if !ok {
		t.Fatalf("signers is %v", r.body["signers"])
	}
	var out []object
	for _, one := range list {
		out = append(out, one.(object))
	}
	return out
}

// revocations are those of a certificate.
func revocations(t testing.TB, c object) []object {
	t.Helper()
	list, ok := c["revocations"].([]any)
	if !ok {
		t.Fatalf("revocations is %v", c["revocations"])
	}
	var out []object
	for _, one := range list {
		out = append(out, one.(object))
	}
	return out
}

// verdictIs checks valid and the reason beside it.
func (tn *town) verdictIs(r reply, valid bool, verdict string) {
	tn.Helper()
	if r.code != http.StatusOK || r.valid() != valid || r.verdict != verdict {
		tn.Errorf("HTTP %d, valid %v, %q; due: %v, %q\n%v", r.code, r.body["valid"], r.verdict, valid, verdict, r.body["message"])
	}
}

// each runs a test with every kind of key.
func each(t *testing.T, o options, f func(tn *town)) {
	for _, a := range algorithms {
		t.Run(strings.ToUpper(a.String()), func(t *testing.T) {
			o := o
			o.algorithm = a
			f(newTown(t, o))
		})
	}
}
