package signature

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"kopir/signature/keystore"
	"kopir/signature/nuc"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// world is a test authority with what a verifier needs to judge its people.
type world struct {
	authority *sigtest.Authority
	trust     *nuc.Trust
	verifier  *Verifier
}

// What we never follow, by its identifiers.
const (
	nsDS11    = "http://www.w3.org/2009/xmldsig11#"
	uriBase64 = nsDS + "base64"
	uriXPath  = "http://www.w3.org/TR/1999/REC-xpath-19991116"
	uriXSLT   = "http://www.w3.org/TR/1999/REC-xslt-19991116"
)

const (
	testIIN = "900101300120" // right check digit
	testBIN = "010140000002"
)

// good answers that nothing is revoked.
type good struct{ asked []string }

func (g *good) Check(_ context.Context, leaf, _ *nuc.Certificate, _ time.Time) verdict.Check {
	g.asked = append(g.asked, leaf.SerialHex())
	return verdict.Pass(verdict.CheckRevocation, "not revoked")
}

func newWorld(t testing.TB) *world { return newWorldWith(t, sigtest.RSA) }

// newWorldWith has everybody sign with an algorithm.
func newWorldWith(t testing.TB, alg sigtest.Algorithm) *world {
	t.Helper()
	a, err := sigtest.NewAuthority("", sigtest.Options{Algorithm: alg})
	if err != nil {
		t.Fatal(err)
	}
	return newWorldOf(t, a)
}

func newWorldOf(t testing.TB, a *sigtest.Authority) *world {
	t.Helper()
	w := &world{authority: a, trust: nuc.NewTrust()}
	if err := w.trust.AddRoot(certificate(t, a.Root())); err != nil {
		t.Fatal(err)
	}
	w.trust.AddIntermediate(certificate(t, a.Issuing()))
	w.verifier = &Verifier{Trust: w.trust, Revocation: &good{}}
	return w
}

func certificate(t testing.TB, der []byte) *nuc.Certificate {
	t.Helper()
	c, err := nuc.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// key issues a certificate and hands out its key.
func (w *world) key(t testing.TB, p sigtest.Profile) *keystore.Key {
	t.Helper()
	if p.Kind == 0 {
		p.Kind = sigtest.Head
	}
	if p.IIN == "" {
		p.IIN = testIIN
	}
	if p.BIN == "" && p.Kind != sigtest.Person {
		p.BIN = testBIN
	}
	if p.Surname == "" {
		p.Surname, p.GivenName, p.Patronymic = "ТЕСТОВ", "ТЕСТ", "ТЕСТОВИЧ"
	}
	c, err := w.authority.Issue(p)
	if err != nil {
		t.Fatal(err)
	}
	return keyOfCredential(t, c)
}

func keyOfCredential(t testing.TB, c *sigtest.Credential) *keystore.Key {
	t.Helper()
	k, err := keystore.NewKey(certificate(t, c.DER), c.Signer)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func now() Want { return Want{At: sigtest.Noon()} }

func (w *world) wsse(t testing.TB, src []byte, want Want) *Verdict {
	t.Helper()
	doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
	if err != nil {
		t.Fatalf("%v in\n%s", err, src)
	}
	return w.verifier.WSSE(t.Context(), doc, want)
}

func (w *world) xmldsig(t testing.TB, src []byte, want Want) *Verdict {
	t.Helper()
	doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
	if err != nil {
		t.Fatalf("%v in\n%s", err, src)
	}
	return w.verifier.XMLDSig(t.Context(), doc, want)
}

// explain gives what a failing test wants to know.
func explain(v *Verdict) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s", v.Outcome, v.Reason, v.Detail)
	for _, s := range v.Signatures {
		for _, c := range s.Checks {
			if c.Outcome != verdict.Passed {
				fmt.Fprintf(&b, "; %s %s %s: %s", c.Name, c.Outcome, c.Reason, c.Detail)
			}
		}
	}
	return b.String()
}

const envelope = `<?xml version="1.0" encoding="UTF-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">
  <soap:Header></soap:Header>
  <soap:Body><typ:SendMessage xmlns:typ="http://bip.bee.kz/SyncChannel/v10/Types"><request><requestInfo><messageId>message-7f1c</messageId></requestInfo>
  <requestData><data xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xs="http://www.w3.org/2001/XMLSchema" xsi:type="xs:string">&lt;a&gt;Әділет &amp;amp; Ко&lt;/a></data></requestData></request></typ:SendMessage></soap:Body>
</soap:Envelope>`
