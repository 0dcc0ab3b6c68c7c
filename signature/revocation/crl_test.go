package revocation_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/signature/der"
	"kopir/signature/nuc"
	"kopir/signature/revocation"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

func TestStoredList(t *testing.T) {
	w := newWorld(t)
	revokedCred, revoked := w.person(1)
	_, good := w.person(2)
	made := w.clock()
	w.ca.Revoke(revokedCred, made.Add(-time.Hour), 4)
	ends := made.Add(30 * day)
	l := parseCRL(t, w.crl(made, ends))
	if l.Len() != 1 || l.Delta || l.Number == nil || !l.NextUpdate.Equal(ends) {
		t.Fatalf("%s with %d entries", l, l.Len())
	}
	w.use(revocation.Options{}, revocation.Source{})
	if a := w.ask(good); a.Status != revocation.Unknown {
		t.Fatalf("without evidence: %+v", a)
	}
	w.checker.AddCRL(l)
	w.set(func() { w.now = made.AddDate(2, 0, 0) }) // judged long after
	for _, x := range []struct {
		name   string
		cert   *nuc.Certificate
		at     time.Time
		want   revocation.Status
		reason verdict.Reason
	}{
		{"revoked, current list", revoked, made.Add(day), revocation.Revoked, verdict.Revoked},
		{"revoked, stale list", revoked, ends.Add(day), revocation.Revoked, verdict.Revoked},
		{"revoked later", revoked, made.Add(-2 * time.Hour), revocation.Good, verdict.None},
		{"good, current list", good, made.Add(day), revocation.Good, verdict.None},
		{"good, last second", good, ends, revocation.Good, verdict.None},
		{"good, stale list", good, ends.Add(time.Second), revocation.Unknown, verdict.TryLater},
		{"good, list made later", good, made.Add(-day), revocation.Good, verdict.None},
	} {
		a := w.askAt(x.cert, x.at)
		if a.Status != x.want || a.Reason != x.reason {
			t.Errorf("%s: %+v", x.name, a)
		}
	}
	// Other files take the place of those that were read before.
	w.checker.UseStored(nil, nil)
	if a := w.askAt(revoked, made.Add(day)); a.Status != revocation.Unknown {
		t.Errorf("the list was taken away: %+v", a)
	}
	w.checker.UseStored([]*revocation.CRL{l}, nil)
	if a := w.askAt(revoked, made.Add(day)); a.Status != revocation.Revoked {
		t.Errorf("the list is there again: %+v", a)
	}
	// A list made after the certificate's end is silent about it whatever happened.
	late := revocation.NewChecker(revocation.Options{Now: w.clock})
	after := good.NotAfter.Add(day)
	late.AddCRL(parseCRL(t, w.crl(after, after.Add(30*day))))
	if a := late.Ask(context.Background(), good, w.issuer, made); a.Status != revocation.Unknown || a.Reason != verdict.NoPOE {
		t.Errorf("list made after the end: %+v", a)
	}
}

func TestDeltaOverBase(t *testing.T) {
	w := newWorld(t)
	newlyCred, newly := w.person(1)
	heldCred, held := w.person(2)
	_, good := w.person(3)
	base := w.clock()
	w.ca.Revoke(heldCred, base.Add(-time.Hour), sigtest.ReasonHold)
	full := w.crl(base, base.Add(180*day))
	later := base.Add(3 * day)
	w.ca.Revoke(newlyCred, base.Add(day), 1)
	if err := w.ca.Release(heldCred, base.Add(2*day)); err != nil {
		t.Fatal(err)
	}
	delta := parseCRL(t, w.deltaCRL(base, later, later.Add(30*day)))
	if !delta.Delta || delta.Number.Cmp(delta.BaseNumber) >= 0 {
		t.Fatalf("%s over base %s: the authority of the tests should count deltas apart", delta, delta.BaseNumber)
	}
	w.set(func() { w.now = later.Add(day) })
	ask := func(lists ...*revocation.CRL) (a, b, c revocation.Status) {
		w.use(revocation.Options{}, revocation.Source{})
		for _, l := range lists {
			w.checker.AddCRL(l)
		}
		return w.ask(newly).Status, w.ask(held).Status, w.ask(good).Status
	}
	if a, b, c := ask(parseCRL(t, full)); a != revocation.Good || b != revocation.Revoked || c != revocation.Good {
		t.Errorf("base alone: %v %v %v", a, b, c)
	}
	if a, b, c := ask(parseCRL(t, full), delta); a != revocation.Revoked || b != revocation.Good || c != revocation.Good {
		t.Errorf("base and delta: %v %v %v", a, b, c)
	}
	if a, b, c := ask(delta); a != revocation.Unknown || b != revocation.Unknown || c != revocation.Unknown {
		t.Errorf("delta alone: %v %v %v", a, b, c)
	}
	// A delta for a newer base than the one at hand says nothing over it.
	early := base.Add(-30 * day)
	if a, _, c := ask(parseCRL(t, w.crl(early, early.Add(180*day))), delta); a != revocation.Good || c != revocation.Good {
		t.Errorf("delta for a newer base: %v %v", a, c)
	}
}

// signer is an authority of the standard library, for lists that the
// authority of the tests does not make.
type signer struct {
	key  *rsa.PrivateKey
	cert *x509.Certificate
	nuc  *nuc.Certificate
}

func newSigner(t testing.TB, usage x509.KeyUsage) signer {
	t.Helper()
	key, err := sigtest.PoolKey(7)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Lists"}, BasicConstraintsValid: true, IsCA: true, KeyUsage: usage,
		NotBefore: sigtest.Noon().Add(-day), NotAfter: sigtest.Noon().Add(day * 365),
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := nuc.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return signer{key, cert, parsed}
}

func (s signer) list(t testing.TB, l x509.RevocationList) []byte {
	t.Helper()
	if l.Number == nil {
		l.Number = big.NewInt(1)
	}
	l.ThisUpdate, l.NextUpdate = sigtest.Noon(), sigtest.Noon().Add(30*day)
	issuer := *s.cert
	issuer.KeyUsage |= x509.KeyUsageCRLSign // what x509 asks before it signs; the parsed certificate decides
	raw, err := x509.CreateRevocationList(rand.Reader, &l, &issuer, s.key)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func extension(t testing.TB, oid asn1.ObjectIdentifier, critical bool, value any) pkix.Extension {
	t.Helper()
	raw, err := asn1.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: oid, Critical: critical, Value: raw}
}

// scope is an issuing distribution point.
type scope struct {
	OnlyUsers   bool           `asn1:"tag:1,optional"`
	OnlyCAs     bool           `asn1:"tag:2,optional"`
	SomeReasons asn1.BitString `asn1:"tag:3,optional"`
	Indirect    bool           `asn1:"tag:4,optional"`
	OnlyAttrs   bool           `asn1:"tag:5,optional"`
}

var oidScope = asn1.ObjectIdentifier{2, 5, 29, 28}

// TestListsThatCannotBeUsed: each is rightly signed and still no evidence.
func TestListsThatCannotBeUsed(t *testing.T) {
	s := newSigner(t, x509.KeyUsageCertSign|x509.KeyUsageCRLSign)
	leaf := leafOf(t, s)
	ask := func(t *testing.T, issuer signer, raw []byte) revocation.Answer {
		c := revocation.NewChecker(revocation.Options{Now: func() time.Time { return sigtest.Noon().Add(time.Hour) }})
		c.AddCRL(parseCRL(t, raw))
		return c.Ask(context.Background(), leaf, issuer.nuc, sigtest.Noon().Add(time.Hour))
	}
	with := func(x ...pkix.Extension) []byte { return s.list(t, x509.RevocationList{ExtraExtensions: x}) }
	if a := ask(t, s, with()); a.Status != revocation.Good {
		t.Fatalf("a plain list: %+v", a)
	}
	if a := ask(t, s, with(extension(t, oidScope, true, scope{OnlyUsers: true}))); a.Status != revocation.Good {
		t.Fatalf("a list of users: %+v", a)
	}
	noCRLSign := newSigner(t, x509.KeyUsageCertSign)
	for _, x := range []struct {
		name   string
		issuer signer
		raw    []byte
		detail string
	}{
		{"indirect", s, with(extension(t, oidScope, true, scope{Indirect: true})), "indirect"},
		{"some reasons", s, with(extension(t, oidScope, true, scope{SomeReasons: asn1.BitString{Bytes: []byte{0x40}, BitLength: 2}})), "reasons"},
		{"authorities only", s, with(extension(t, oidScope, true, scope{OnlyCAs: true})), "authorities only"},
		{"attribute certificates only", s, with(extension(t, oidScope, true, scope{OnlyAttrs: true})), "attribute"},
		{"unknown critical extension", s, with(extension(t, asn1.ObjectIdentifier{1, 2, 3}, true, 5)), "1.2.3"},
		{"unknown critical extension of an entry", s, s.list(t, x509.RevocationList{RevokedCertificateEntries: []x509.RevocationListEntry{
			{SerialNumber: big.NewInt(99), RevocationTime: sigtest.Noon(), ExtraExtensions: []pkix.Extension{extension(t, asn1.ObjectIdentifier{1, 2, 3}, true, 5)}},
		}}), "1.2.3"},
		{"issuer may not sign lists", noCRLSign, noCRLSign.list(t, x509.RevocationList{}), "key usage"},
	} {
		t.Run(x.name, func(t *testing.T) {
			a := ask(t, x.issuer, x.raw)
			if a.Status != revocation.Unknown || !strings.Contains(a.Detail, x.detail) {
				t.Errorf("%+v", a)
			}
		})
	}
	altered := with()
	altered[len(altered)-1] ^= 1
	if a := ask(t, s, altered); a.Status != revocation.Unknown || a.Reason != verdict.SigCryptoFailure {
		t.Errorf("altered: %+v", a)
	}
}

func leafOf(t testing.TB, s signer) *nuc.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(42), Subject: pkix.Name{CommonName: "Leaf"}, NotBefore: s.cert.NotBefore, NotAfter: s.cert.NotAfter}
	raw, err := x509.CreateCertificate(rand.Reader, template, s.cert, &s.key.PublicKey, s.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := nuc.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestListFaultsSayWhere(t *testing.T) {
	w := newWorld(t)
	raw := w.crl(w.clock(), w.clock().Add(day))
	for n := range len(raw) - 1 {
		var fault *der.Error
		if _, err := revocation.ParseCRL(raw[:n]); !errors.As(err, &fault) || fault.Object != "CRL" {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	var fault *der.Error
	if _, err := revocation.ParseCRL(append(bytes.Clone(raw), 0)); !errors.As(err, &fault) || fault.Offset != len(raw) {
		t.Fatalf("a byte behind it: %v", err)
	}
}

func published() revocation.Source {
	return revocation.Source{CRL: []string{"/base.crl"}, Delta: []string{"/delta.crl"}}
}

// TestPublishedLists: fetched, kept on disk, used again after a restart, and
// never replaced by something broken, foreign or older.
func TestPublishedLists(t *testing.T) {
	w := newWorld(t)
	cred, c := w.person(1)
	folder := filepath.Join(t.TempDir(), "lists")
	options := revocation.Options{Folder: folder, Refresh: time.Minute}
	base := w.clock()
	w.set(func() {
		w.base, w.delta = w.crl(base, base.Add(180*day)), w.deltaCRL(base, base, base.Add(180*day))
	})
	w.use(options, published())
	if a := w.ask(c); a.Status != revocation.Good {
		t.Fatalf("%+v", a)
	}
	if n := w.requests("/base.crl"); n != 1 {
		t.Errorf("%d requests", n)
	}
	w.ask(c)
	if n := w.requests("/base.crl"); n != 1 {
		t.Errorf("a fresh list was fetched again")
	}

	// A newer delta is taken over when it is due.
	w.ca.Revoke(cred, base.Add(time.Hour), 1)
	w.advance(2 * time.Hour)
	newDelta := w.deltaCRL(base, w.clock(), base.Add(180*day))
	w.set(func() { w.delta = newDelta })
	if a := w.ask(c); a.Status != revocation.Revoked {
		t.Fatalf("%+v", a)
	}

	// The old one comes back: kept is the newer.
	w.advance(2 * time.Minute)
	oldDelta := w.deltaCRL(base, base, base.Add(180*day))
	w.set(func() { w.delta = oldDelta })
	if a := w.ask(c); a.Status != revocation.Revoked {
		t.Fatalf("an older delta was taken: %+v", a)
	}
	for name, handler := range map[string]http.HandlerFunc{
		"garbage": func(rw http.ResponseWriter, _ *http.Request) { rw.Write([]byte("<html>")) },
		"cut off": func(rw http.ResponseWriter, _ *http.Request) { rw.Write(newDelta[:len(newDelta)-20]) },
		"down":    func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "down", 500) },
	} {
		w.set(func() { w.replace = handler })
		w.advance(2 * time.Minute)
		if a := w.ask(c); a.Status != revocation.Revoked {
			t.Fatalf("%s: %+v", name, a)
		}
	}

	// A restart during the outage: what is on disk still answers.
	w.use(options, published())
	if a := w.ask(c); a.Status != revocation.Revoked {
		t.Fatalf("after a restart: %+v", a)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%v %v", files, err)
	}
	// A file damaged on disk is not believed.
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		raw[len(raw)/2] ^= 0x10
		if err := os.WriteFile(f, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w.use(options, published())
	if a := w.ask(c); a.Status != revocation.Unknown {
		t.Fatalf("damaged files: %+v", a)
	}
}

// TestSilenceOfOldListsEnds: a base lives for half a year; its silence is
// believed for a day after the last fetch.
func TestSilenceOfOldListsEnds(t *testing.T) {
	w := newWorld(t)
	_, c := w.person(1)
	base := w.clock()
	w.set(func() { w.base = w.crl(base, base.Add(180*day)) })
	w.use(revocation.Options{Refresh: time.Hour}, revocation.Source{CRL: []string{"/base.crl"}})
	if a := w.ask(c); a.Status != revocation.Good {
		t.Fatalf("%+v", a)
	}
	w.set(func() { w.replace = func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "down", 500) } })
	w.advance(20 * time.Hour)
	if a := w.ask(c); a.Status != revocation.Good {
		t.Fatalf("within a day: %+v", a)
	}
	w.advance(10 * time.Hour)
	if a := w.ask(c); a.Status != revocation.Unknown || a.Reason != verdict.TryLater {
		t.Fatalf("after a day: %+v", a)
	}
}

// TestListsStandInForTheResponder: OCSP down, the lists answer.
func TestListsStandInForTheResponder(t *testing.T) {
	w := newWorld(t)
	_, c := w.person(1)
	base := w.clock()
	w.set(func() {
		w.base = w.crl(base, base.Add(180*day))
		w.ocsp = sigtest.OCSPOptions{Status: sigtest.OCSPInternal}
	})
	w.use(revocation.Options{}, revocation.Source{OCSP: []string{"/ocsp"}, CRL: []string{"/base.crl"}})
	if a := w.ask(c); a.Status != revocation.Good || !strings.Contains(a.Source, "CRL") {
		t.Fatalf("%+v", a)
	}
}

// TestRun keeps the lists fresh without being asked, and ends with its context.
func TestRun(t *testing.T) {
	w := newWorld(t)
	base := w.clock()
	w.set(func() { w.base = w.crl(base, base.Add(180*day)) })
	source := revocation.Source{Issuer: w.issuer, CRL: []string{"/base.crl"}}
	w.use(revocation.Options{Refresh: 10 * time.Millisecond}, source)
	ctx, cancel := context.WithCancel(context.Background())
	reported := make(chan error, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.checker.Run(ctx, func(_ string, err error) {
			select {
			case reported <- err:
			default:
			}
		})
	}()
	wait := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(5 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal(what)
			}
		}
	}
	wait("no second fetch", func() bool { return w.requests("/base.crl") >= 2 })
	w.set(func() { w.replace = func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "down", 500) } })
	wait("no report", func() bool { return len(reported) > 0 })
	cancel()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("Run did not end")
	}
}

func TestJudgeCRL(t *testing.T) {
	w := newWorld(t)
	made := w.clock()
	raw := w.crl(made, made.Add(30*day))
	l := parseCRL(t, raw)
	trust := nuc.NewTrust()
	if err := trust.AddRoot(w.root); err != nil {
		t.Fatal(err)
	}
	trust.AddIntermediate(w.issuer)
	altered := bytes.Clone(raw)
	altered[len(altered)-1] ^= 1
	for _, x := range []struct {
		name    string
		list    *revocation.CRL
		trust   *nuc.Trust
		at      time.Time
		outcome verdict.Outcome
		reason  verdict.Reason
	}{
		{"current", l, trust, made.Add(day), verdict.Passed, verdict.None},
		{"stale", l, trust, made.Add(31 * day), verdict.Undetermined, verdict.TryLater},
		{"not yet made", l, trust, made.Add(-day), verdict.Undetermined, verdict.TryLater},
		{"stranger's", l, nuc.NewTrust(), made.Add(day), verdict.Failed, verdict.NoSigningCertificate},
		{"altered", parseCRL(t, altered), trust, made.Add(day), verdict.Failed, verdict.SigCryptoFailure},
		{"authority expired", l, trust, w.issuer.NotAfter.Add(day), verdict.Failed, verdict.Expired},
	} {
		if o, r := verdict.Sum(revocation.JudgeCRL(x.list, x.trust, x.at)); o != x.outcome || r != x.reason {
			t.Errorf("%s: %v %v", x.name, o, r)
		}
	}
}
