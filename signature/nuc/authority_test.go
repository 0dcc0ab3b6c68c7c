package nuc_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"sync"
	"testing"
	"time"

	"kopir/signature/nuc"
)

// The certificates of these tests are made by crypto/x509, so that another
// hand wrote what we read.

var testKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	keys := make([]*rsa.PrivateKey, 3)
	for i := range keys {
		var err error
		if keys[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			panic(err)
		}
	}
	return keys
})

var (
	testStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	testEnd   = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	testNow   = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
)

func attr(oid asn1.ObjectIdentifier, value string) pkix.AttributeTypeAndValue {
	return pkix.AttributeTypeAndValue{Type: oid, Value: value}
}

var (
	typeCN      = asn1.ObjectIdentifier{2, 5, 4, 3}
	typeSurname = asn1.ObjectIdentifier{2, 5, 4, 4}
	typeSerial  = asn1.ObjectIdentifier{2, 5, 4, 5}
	typeC       = asn1.ObjectIdentifier{2, 5, 4, 6}
	typeO       = asn1.ObjectIdentifier{2, 5, 4, 10}
	typeOU      = asn1.ObjectIdentifier{2, 5, 4, 11}
	typeGiven   = asn1.ObjectIdentifier{2, 5, 4, 42}
)

// a made certificate: what it says, and whose keys sign and are signed.
type made struct {
	template     x509.Certificate
	subject      []pkix.AttributeTypeAndValue
	key          *rsa.PrivateKey
	issuer       *nuc.Certificate // nil: itself
	issuerSigner *rsa.PrivateKey
}

var serials = big.NewInt(1000)

func make509(t testing.TB, m made) *nuc.Certificate {
	t.Helper()
	c, err := nuc.ParseCertificate(makeDER(t, m))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func makeDER(t testing.TB, m made) []byte {
	t.Helper()
	serials = new(big.Int).Add(serials, big.NewInt(1))
	tmpl := m.template
	if tmpl.SerialNumber == nil {
		tmpl.SerialNumber = serials
	}
	if tmpl.NotBefore.IsZero() {
		tmpl.NotBefore, tmpl.NotAfter = testStart, testEnd
	}
	tmpl.Subject = pkix.Name{ExtraNames: m.subject}
	parent, signer := &tmpl, m.key
	if m.issuer != nil {
		p, err := x509.ParseCertificate(m.issuer.Raw)
		if err != nil {
			t.Fatal(err)
		}
		parent, signer = p, m.issuerSigner
	}
	raw, err := x509.CreateCertificate(rand.Reader, &tmpl, parent, &m.key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func authority(usage x509.KeyUsage) x509.Certificate {
	return x509.Certificate{BasicConstraintsValid: true, IsCA: true, KeyUsage: usage}
}

var caUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign

func name(values ...string) []pkix.AttributeTypeAndValue {
	out := []pkix.AttributeTypeAndValue{attr(typeC, "KZ")}
	for _, v := range values {
		out = append(out, attr(typeCN, v))
	}
	return out
}

// hierarchy is a root, an issuing authority and a person of the national profile.
type hierarchy struct{ root, ca, person *nuc.Certificate }

func person() made {
	return made{
		template: x509.Certificate{
			KeyUsage:           x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
			ExtKeyUsage:        []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
			UnknownExtKeyUsage: []asn1.ObjectIdentifier{{1, 2, 398, 3, 3, 4, 1, 1}},
		},
		subject: []pkix.AttributeTypeAndValue{
			attr(typeCN, "ТЕСТОВ ТЕСТ"), attr(typeSurname, "ТЕСТОВ"), attr(typeSerial, "IIN800101300126"),
			attr(typeC, "KZ"), attr(typeGiven, "ТЕСТОВИЧ"),
		},
		key: testKeys()[2],
	}
}

func newHierarchy(t testing.TB) hierarchy {
	t.Helper()
	k := testKeys()
	var h hierarchy
	h.root = make509(t, made{template: authority(caUsage), subject: name("НЕГІЗГІ ТЕСТ (RSA)"), key: k[0]})
	h.ca = make509(t, made{template: authority(caUsage), subject: name("ҰКО ТЕСТ (RSA)"), key: k[1], issuer: h.root, issuerSigner: k[0]})
	p := person()
	p.issuer, p.issuerSigner = h.ca, k[1]
	h.person = make509(t, p)
	return h
}

func trustOf(t testing.TB, root *nuc.Certificate, others ...*nuc.Certificate) *nuc.Trust {
	t.Helper()
	trust := nuc.NewTrust()
	if err := trust.AddRoot(root); err != nil {
		t.Fatal(err)
	}
	for _, c := range others {
		trust.AddIntermediate(c)
	}
	return trust
}
