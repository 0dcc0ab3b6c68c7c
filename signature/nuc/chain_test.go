package nuc_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

func sum(checks []verdict.Check) (verdict.Outcome, verdict.Reason) { return verdict.Sum(checks) }

func TestChainOfThree(t *testing.T) {
	h := newHierarchy(t)
	trust := trustOf(t, h.root, h.ca)
	for range 2 { // the second time from memory
		chain, checks := trust.Chain(h.person, testNow)
		if o, r := sum(checks); o != verdict.Passed {
			t.Fatalf("%v %v: %+v", o, r, checks)
		}
		if !slices.Equal(chain, []*nuc.Certificate{h.person, h.ca, h.root}) {
			t.Fatalf("chain of %d certificates, or in the wrong order", len(chain))
		}
	}
}

// TestChainRefusals: one thing wrong at a time, and the reason that it must have.
func TestChainRefusals(t *testing.T) {
	k := testKeys()
	h := newHierarchy(t)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	issue := func(change func(*made)) *nuc.Certificate {
		m := person()
		m.issuer, m.issuerSigner = h.ca, k[1]
		change(&m)
		return make509(t, m)
	}
	subCA := func(change func(*made)) *nuc.Certificate {
		m := made{template: authority(caUsage), subject: name("SUB"), key: k[2], issuer: h.root, issuerSigner: k[0]}
		change(&m)
		return make509(t, m)
	}
	under := func(ca *nuc.Certificate) *nuc.Certificate {
		return issue(func(m *made) { m.issuer, m.issuerSigner = ca, k[2] })
	}
	noCA := subCA(func(m *made) { m.template = x509.Certificate{KeyUsage: x509.KeyUsageDigitalSignature} })
	noSign := subCA(func(m *made) { m.template = authority(x509.KeyUsageCRLSign) })
	noRoom := subCA(func(m *made) {
		m.template = authority(caUsage)
		m.template.MaxPathLenZero = true
	})
	deep := subCA(func(m *made) { m.subject, m.issuer, m.issuerSigner = name("DEEP"), noRoom, k[2] })
	strange := pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}
	altered := bytes.Clone(h.person.Raw)
	altered[bytes.Index(altered, []byte("IIN800101300126"))+3] = '9'
	alteredCert, err := nuc.ParseCertificate(altered)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name    string
		leaf    *nuc.Certificate
		cas     []*nuc.Certificate
		at      time.Time
		outcome verdict.Outcome
		reason  verdict.Reason
	}{
		{"expired", h.person, nil, testEnd.Add(time.Second), verdict.Failed, verdict.Expired},
		{"last second", h.person, nil, testEnd, verdict.Passed, verdict.None},
		{"not yet valid", h.person, nil, testStart.Add(-time.Second), verdict.Failed, verdict.NotYetValid},
		{"altered IIN", alteredCert, nil, testNow, verdict.Failed, verdict.SigCryptoFailure},
		{"issuer is no authority", under(noCA), []*nuc.Certificate{noCA}, testNow, verdict.Failed, verdict.ChainConstraintsFailure},
		{"issuer may not sign certificates", under(noSign), []*nuc.Certificate{noSign}, testNow, verdict.Failed, verdict.ChainConstraintsFailure},
		{"path length zero, direct leaf", under(noRoom), []*nuc.Certificate{noRoom}, testNow, verdict.Passed, verdict.None},
		{"path length zero, authority below", under(deep), []*nuc.Certificate{noRoom, deep}, testNow, verdict.Failed, verdict.ChainConstraintsFailure},
		{"critical extension", issue(func(m *made) { m.template.ExtraExtensions = []pkix.Extension{strange} }), nil, testNow, verdict.Failed, verdict.ChainConstraintsFailure},
		{"key too short", issue(func(m *made) { m.key = weak }), nil, testNow, verdict.Failed, verdict.CryptoConstraintsFailure},
		{"signed with an algorithm off the list", issue(func(m *made) { m.template.SignatureAlgorithm = x509.SHA256WithRSAPSS }), nil, testNow, verdict.Undetermined, verdict.CryptoConstraintsFailure},
		{"self-signed stranger", make509(t, made{template: authority(caUsage), subject: name("ЧУЖОЙ"), key: k[2]}), nil, testNow, verdict.Failed, verdict.NoCertificateChain},
		{"root's name, other key", issue(func(m *made) {
			m.issuer = make509(t, made{template: authority(caUsage), subject: name("ҰКО ТЕСТ (RSA)"), key: k[2]})
			m.issuerSigner = k[2]
		}), nil, testNow, verdict.Failed, verdict.NoCertificateChain},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			trust := trustOf(t, h.root, append([]*nuc.Certificate{h.ca}, c.cas...)...)
			chain, checks := trust.Chain(c.leaf, c.at)
			o, r := sum(checks)
			if o != c.outcome || r != c.reason {
				t.Fatalf("%v %v, want %v %v: %+v", o, r, c.outcome, c.reason, checks)
			}
			if r != verdict.None && r != verdict.Expired && r != verdict.NotYetValid && len(checks) != 3 {
				t.Fatalf("%d checks", len(checks))
			}
			if checks[1].Outcome != verdict.Passed && chain != nil {
				t.Fatal("a chain beside a failed check of it")
			}
		})
	}
}

// TestNamesakes: two authorities with one name; the key identifier tells them
// apart, and where a leaf has none both are tried.
func TestNamesakes(t *testing.T) {
	k := testKeys()
	h := newHierarchy(t)
	other := make509(t, made{template: authority(caUsage), subject: name("ҰКО ТЕСТ (RSA)"), key: k[2], issuer: h.root, issuerSigner: k[0]})
	for _, order := range [][]*nuc.Certificate{{h.ca, other}, {other, h.ca}} {
		trust := trustOf(t, h.root, order...)
		chain, checks := trust.Chain(h.person, testNow)
		if o, _ := sum(checks); o != verdict.Passed || chain[1] != h.ca {
			t.Fatalf("%+v", checks)
		}
	}
}

// TestRenewedAuthority: the same name and key with new dates. The chain that
// is valid at the time is taken.
func TestRenewedAuthority(t *testing.T) {
	k := testKeys()
	h := newHierarchy(t)
	old := authority(caUsage)
	old.NotBefore, old.NotAfter = testStart.AddDate(-5, 0, 0), testStart.AddDate(0, 1, 0)
	oldCA := make509(t, made{template: old, subject: name("ҰКО ТЕСТ (RSA)"), key: k[1], issuer: h.root, issuerSigner: k[0]})
	trust := trustOf(t, h.root, oldCA, h.ca)
	chain, checks := trust.Chain(h.person, testNow)
	if o, _ := sum(checks); o != verdict.Passed || chain[1] != h.ca {
		t.Fatalf("%+v", checks)
	}
}

// TestCircle: two authorities that certify each other, without a root.
func TestCircle(t *testing.T) {
	k := testKeys()
	h := newHierarchy(t)
	self := func(n string, key *rsa.PrivateKey) *nuc.Certificate {
		return make509(t, made{template: authority(caUsage), subject: name(n), key: key})
	}
	a, b := self("A", k[1]), self("B", k[2])
	ab := make509(t, made{template: authority(caUsage), subject: name("A"), key: k[1], issuer: b, issuerSigner: k[2]})
	ba := make509(t, made{template: authority(caUsage), subject: name("B"), key: k[2], issuer: a, issuerSigner: k[1]})
	m := person()
	m.issuer, m.issuerSigner = ab, k[1]
	leaf := make509(t, m)
	chain, checks := trustOf(t, h.root, ab, ba).Chain(leaf, testNow)
	if o, r := sum(checks); o != verdict.Failed || r != verdict.NoCertificateChain && r != verdict.ChainConstraintsFailure || chain != nil {
		t.Fatalf("%v %v %+v", o, r, checks)
	}
}

// TestAddingForgets: what was not found before a root came is found after.
func TestAddingForgets(t *testing.T) {
	h := newHierarchy(t)
	trust := nuc.NewTrust()
	if _, checks := trust.Chain(h.person, testNow); checks[1].Reason != verdict.NoCertificateChain {
		t.Fatalf("%+v", checks)
	}
	trust.AddIntermediate(h.ca)
	if err := trust.AddRoot(h.root); err != nil {
		t.Fatal(err)
	}
	if _, checks := trust.Chain(h.person, testNow); checks[1].Outcome != verdict.Passed {
		t.Fatalf("%+v", checks)
	}
}

func TestDamagedRootIsNotLoaded(t *testing.T) {
	h := newHierarchy(t)
	raw := bytes.Clone(h.root.Raw)
	raw[len(raw)-1] ^= 1
	bad, err := nuc.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	trust := nuc.NewTrust()
	if err := trust.AddRoot(bad); err == nil || !strings.Contains(err.Error(), "does not fit") {
		t.Fatalf("error: %v", err)
	}
	if len(trust.Roots()) != 0 {
		t.Fatal("a damaged root was taken")
	}
}

func TestChainConcurrently(t *testing.T) {
	h := newHierarchy(t)
	trust := trustOf(t, h.root, h.ca)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				c, err := trust.Parse(h.person.Raw)
				if err != nil {
					t.Error(err)
					return
				}
				if _, checks := trust.Chain(c, testNow); checks[1].Outcome != verdict.Passed {
					t.Errorf("%+v", checks)
					return
				}
				trust.AddKnown(c)
			}
		})
	}
	wg.Wait()
}

func BenchmarkChainCached(b *testing.B) {
	h := newHierarchy(b)
	trust := trustOf(b, h.root, h.ca)
	b.ReportAllocs()
	for b.Loop() {
		c, err := trust.Parse(h.person.Raw)
		if err != nil {
			b.Fatal(err)
		}
		if _, checks := trust.Chain(c, testNow); checks[1].Outcome != verdict.Passed {
			b.Fatal("not passed")
		}
	}
}
