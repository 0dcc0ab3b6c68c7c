package revocation_test

import (
	"bytes"
	"context"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"kopir/signature/der"
	"kopir/signature/nuc"
	"kopir/signature/revocation"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

func TestOCSPGoodThenRevoked(t *testing.T) {
	w := newWorld(t)
	w.use(revocation.Options{}, ocsp())
	cred, c := w.person(1)
	a := w.ask(c)
	if a.Status != revocation.Good || a.Check().Outcome != verdict.Passed || len(a.Proofs) != 1 || a.Proofs[0].Kind != verdict.ProofOCSP {
		t.Fatalf("%+v", a)
	}
	revokedAt := w.clock().Add(time.Hour)
	w.ca.Revoke(cred, revokedAt, 1)
	w.advance(2 * time.Hour)
	if a = w.ask(c); a.Status != revocation.Revoked || !a.RevokedAt.Equal(revokedAt) || a.Why != "keyCompromise" || a.Check().Reason != verdict.Revoked {
		t.Fatalf("%+v", a)
	}
	// The same evidence says that it was good before.
	if a = w.askAt(c, revokedAt.Add(-time.Minute)); a.Status != revocation.Good || !a.RevokedAt.Equal(revokedAt) {
		t.Fatalf("%+v", a)
	}
}

// TestOCSPRefusals: an answer with one thing wrong is no answer.
func TestOCSPRefusals(t *testing.T) {
	w := newWorld(t)
	stranger, err := sigtest.NewAuthority("stranger", sigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	person, c := w.person(1)
	w.ca.Revoke(person, w.clock().Add(-time.Hour), 1)
	wait := func(rw http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(5 * time.Second):
		}
	}
	elsewhere := newWorld(t)
	for _, x := range []struct {
		name    string
		options sigtest.OCSPOptions
		replace http.HandlerFunc
		detail  string
	}{
		{"try later", sigtest.OCSPOptions{Status: sigtest.OCSPTryLater}, nil, "tryLater"},
		{"internal error", sigtest.OCSPOptions{Status: sigtest.OCSPInternal}, nil, "internalError"},
		{"no nonce", sigtest.OCSPOptions{NoNonce: true, Good: true}, nil, "nonce"},
		{"another nonce", sigtest.OCSPOptions{Nonce: []byte("replayed"), Good: true}, nil, "nonce"},
		{"another certificate", sigtest.OCSPOptions{Serial: big.NewInt(7), Good: true}, nil, "not about"},
		{"signed by the subject", sigtest.OCSPOptions{Signer: person, Good: true}, nil, "no such purpose"},
		{"another authority's responder", sigtest.OCSPOptions{Signer: stranger.Responder(), Good: true}, nil, "not appointed"},
		{"without the responder's certificate", sigtest.OCSPOptions{NoCert: true, Good: true}, nil, "neither"},
		{"from the future", sigtest.OCSPOptions{ThisUpdate: w.clock().Add(time.Hour), Good: true}, nil, "future"},
		{"too old", sigtest.OCSPOptions{ThisUpdate: w.clock().Add(-25 * time.Hour), Good: true}, nil, "ended"},
		{"past its nextUpdate", sigtest.OCSPOptions{ThisUpdate: w.clock().Add(-2 * time.Hour), NextUpdate: w.clock().Add(-time.Hour), Good: true}, nil, "ended"},
		{"HTTP error", sigtest.OCSPOptions{}, func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "down", http.StatusServiceUnavailable) }, "503"},
		{"garbage", sigtest.OCSPOptions{}, func(rw http.ResponseWriter, _ *http.Request) { rw.Write([]byte("<html>ok</html>")) }, "OCSP response"},
		{"empty", sigtest.OCSPOptions{}, func(http.ResponseWriter, *http.Request) {}, "OCSP response"},
		{"endless", sigtest.OCSPOptions{}, func(rw http.ResponseWriter, _ *http.Request) { rw.Write(make([]byte, revocation.MaxOCSP+1)) }, "more than"},
		{"redirect", sigtest.OCSPOptions{}, func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, elsewhere.server.URL+"/ocsp", http.StatusTemporaryRedirect)
		}, "307"},
		{"silence", sigtest.OCSPOptions{}, wait, "in time"},
	} {
		t.Run(x.name, func(t *testing.T) {
			w.use(revocation.Options{}, ocsp())
			w.set(func() { w.ocsp, w.replace = x.options, x.replace })
			a := w.ask(c)
			if a.Status != revocation.Unknown || a.Check().Outcome != verdict.Undetermined || a.Reason == verdict.None {
				t.Fatalf("%+v", a)
			}
			if !strings.Contains(a.Detail, x.detail) {
				t.Errorf("detail %q", a.Detail)
			}
		})
	}
	if n := elsewhere.requests("/ocsp"); n != 0 {
		t.Errorf("a redirect was followed %d times", n)
	}
}

// TestUnissuedIsUnknown: "revoked 1970-01-01, on hold" is how the national
// responder says that it never issued the number.
func TestUnissuedIsUnknown(t *testing.T) {
	w := newWorld(t)
	w.use(revocation.Options{}, ocsp())
	other, err := sigtest.NewAuthority("revocation", sigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	// The same authority in another run: a certificate of its that this one does not know.
	var c *nuc.Certificate
	for range 3 {
		cred, err := other.Issue(sigtest.Profile{Kind: sigtest.Person, IIN: sigtest.IIN(5), Surname: "ТЕСТОВ", GivenName: "ТЕСТ"})
		if err != nil {
			t.Fatal(err)
		}
		c = w.parse(cred.DER)
	}
	a := w.ask(c)
	if a.Status != revocation.Unknown || strings.Contains(a.Detail, "1970") || a.RevokedAt.Unix() == 0 {
		t.Fatalf("%+v", a)
	}
	// The silence of a list does not outweigh it.
	w.checker.AddCRL(parseCRL(t, w.crl(w.clock().Add(-time.Hour), w.clock().Add(day))))
	if a = w.ask(c); a.Status != revocation.Unknown {
		t.Fatalf("%+v", a)
	}
}

func TestHoldAndRelease(t *testing.T) {
	w := newWorld(t)
	w.use(revocation.Options{CacheFor: time.Nanosecond}, ocsp())
	cred, c := w.person(1)
	w.ca.Revoke(cred, w.clock(), sigtest.ReasonHold)
	w.advance(time.Minute)
	if a := w.ask(c); a.Status != revocation.Revoked || a.Why != "certificateHold" {
		t.Fatalf("%+v", a)
	}
	held := parseCRL(t, w.crl(w.clock(), w.clock().Add(180*day)))
	if err := w.ca.Release(cred, w.clock().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.advance(2 * time.Hour)
	if a := w.ask(c); a.Status != revocation.Good {
		t.Fatalf("%+v", a)
	}
	// A list that still holds it, and is current, is outweighed by the newer answer.
	w.checker.AddCRL(held)
	if a := w.ask(c); a.Status != revocation.Good {
		t.Fatalf("%+v", a)
	}
}

func TestOCSPIsRememberedAndAskedOnce(t *testing.T) {
	w := newWorld(t)
	w.use(revocation.Options{CacheFor: time.Minute}, ocsp())
	_, c := w.person(1)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if a := w.ask(c); a.Status != revocation.Good {
				t.Errorf("%+v", a)
			}
		})
	}
	wg.Wait()
	first := w.requests("/ocsp")
	if first < 1 || first > 3 { // those who came between an answer and its being remembered
		t.Errorf("%d requests for sixteen questions", first)
	}
	w.ask(c)
	if n := w.requests("/ocsp"); n != first {
		t.Errorf("a remembered answer was asked for again")
	}
	w.advance(2 * time.Minute)
	w.ask(c)
	if n := w.requests("/ocsp"); n != first+1 {
		t.Errorf("%d requests after the answer was forgotten", n-first)
	}
	w.checker.Forget()
	w.ask(c)
	if n := w.requests("/ocsp"); n != first+2 {
		t.Errorf("%d requests after Forget", n-first)
	}
}

// TestOutageDoesNotProlongGood: what was good stays good for CacheFor and no longer.
func TestOutageDoesNotProlongGood(t *testing.T) {
	w := newWorld(t)
	w.use(revocation.Options{CacheFor: time.Minute}, ocsp())
	_, c := w.person(1)
	if a := w.ask(c); a.Status != revocation.Good {
		t.Fatalf("%+v", a)
	}
	w.set(func() { w.ocsp = sigtest.OCSPOptions{Status: sigtest.OCSPTryLater} })
	w.advance(2 * time.Minute)
	if a := w.ask(c); a.Status != revocation.Unknown || a.Reason != verdict.TryLater {
		t.Fatalf("%+v", a)
	}
}

func TestFailedAddressRests(t *testing.T) {
	w := newWorld(t)
	w.use(revocation.Options{Pause: time.Minute}, revocation.Source{OCSP: []string{"/gone", "/ocsp"}})
	_, one := w.person(1)
	_, two := w.person(2)
	for _, c := range []*nuc.Certificate{one, two} {
		if a := w.ask(c); a.Status != revocation.Good {
			t.Fatalf("%+v", a)
		}
	}
	if n := w.requests("/gone"); n != 1 {
		t.Errorf("the address that failed was asked %d times", n)
	}
	w.advance(2 * time.Minute)
	w.checker.Forget()
	w.ask(one)
	if n := w.requests("/gone"); n != 2 {
		t.Errorf("the address that failed was asked %d times after its rest", n)
	}
}

// TestStoredAnswer: an answer on file covers its day and no other, and bytes
// behind it are refused.
func TestStoredAnswer(t *testing.T) {
	w := newWorld(t)
	_, c := w.person(1)
	request, err := revocation.NewOCSPRequest(c, w.issuer, nil)
	if err != nil {
		t.Fatal(err)
	}
	produced := w.clock()
	raw, err := w.ca.OCSP(request, produced, sigtest.OCSPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := revocation.ParseOCSP(raw)
	if err != nil {
		t.Fatal(err)
	}
	w.use(revocation.Options{}, revocation.Source{})
	w.checker.AddOCSP(r)
	w.set(func() { w.now = produced.AddDate(0, 3, 0) })
	for _, x := range []struct {
		at   time.Time
		want revocation.Status
	}{
		{produced, revocation.Good},
		{produced.Add(day), revocation.Good},
		{produced.Add(day + time.Second), revocation.Unknown},
		{produced.Add(-day), revocation.Good}, // later evidence on a certificate that was still valid
	} {
		if a := w.askAt(c, x.at); a.Status != x.want {
			t.Errorf("at %s: %+v", x.at, a)
		}
	}
	trust := nuc.NewTrust()
	if err := trust.AddRoot(w.root); err != nil {
		t.Fatal(err)
	}
	trust.AddIntermediate(w.issuer)
	if o, reason := verdict.Sum(revocation.JudgeOCSP(context.Background(), r, trust, nil, produced)); o != verdict.Passed {
		t.Errorf("%v %v", o, reason)
	}
	if o, reason := verdict.Sum(revocation.JudgeOCSP(context.Background(), r, trust, nil, produced.Add(2*day))); o != verdict.Undetermined || reason != verdict.TryLater {
		t.Errorf("%v %v", o, reason)
	}
	if o, _ := verdict.Sum(revocation.JudgeOCSP(context.Background(), r, nuc.NewTrust(), nil, produced)); o != verdict.Failed {
		t.Errorf("an answer of strangers: %v", o)
	}
	var fault *der.Error
	if _, err := revocation.ParseOCSP(append(bytes.Clone(raw), 0)); !errors.As(err, &fault) {
		t.Errorf("bytes behind it: %v", err)
	}
	for n := 0; n < len(raw); n += 11 {
		bad := bytes.Clone(raw)
		bad[n] ^= 0x04
		parsed, err := revocation.ParseOCSP(bad)
		if err != nil {
			continue
		}
		checks := revocation.JudgeOCSP(context.Background(), parsed, trust, nil, produced)
		if o, _ := verdict.Sum(checks); o == verdict.Passed {
			t.Errorf("byte %d changed, and it passed: %+v", n, checks)
		}
	}
}

// TestBudget: a responder that hangs holds the question no longer than the caller allows.
func TestBudget(t *testing.T) {
	w := newWorld(t)
	_, c := w.person(1)
	w.set(func() {
		w.replace = func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Second):
			}
		}
	})
	w.use(revocation.Options{}, ocsp())
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	a := w.checker.Ask(ctx, c, w.issuer, w.clock())
	if took := time.Since(start); took > time.Second || a.Status != revocation.Unknown {
		t.Errorf("%v %+v", took, a)
	}
}

// TestTwoAuthoritiesOneConfiguration: the addresses of two authorities stand
// in one list. Each certificate finds its own, and none makes the other's
// address rest.
func TestTwoAuthoritiesOneConfiguration(t *testing.T) {
	one := newWorld(t)
	ca, err := sigtest.NewAuthority("second", sigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	two := newWorld(t)
	two.ca, two.root, two.issuer = ca, two.parse(ca.Root()), two.parse(ca.Issuing())
	for _, w := range []*world{one, two} {
		made := w.crl(w.clock(), w.clock().Add(180*day))
		w.set(func() { w.base = made })
	}
	_, first := one.person(1)
	_, second := two.person(1)
	for _, path := range []string{"/ocsp", "/base.crl"} {
		urls := []string{one.server.URL + path, two.server.URL + path}
		source := revocation.Source{OCSP: urls}
		if path != "/ocsp" {
			source = revocation.Source{CRL: urls}
		}
		one.use(revocation.Options{Pause: time.Hour, CacheFor: time.Nanosecond}, source)
		for range 2 {
			for _, x := range []struct {
				leaf, issuer *nuc.Certificate
			}{{second, two.issuer}, {first, one.issuer}} {
				if a := one.checker.Ask(context.Background(), x.leaf, x.issuer, one.clock()); a.Status != revocation.Good {
					t.Errorf("%s: %+v", path, a)
				}
			}
			one.advance(time.Minute)
			two.advance(time.Minute)
		}
	}
}
