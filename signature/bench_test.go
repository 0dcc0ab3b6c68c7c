package signature

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"kopir/signature/revocation"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

var sizes = []struct {
	name  string
	bytes int
}{{"4KB", 4 << 10}, {"500KB", 500 << 10}, {"5MB", 5 << 20}}

// benchWorld has a real checker with a stored list.
func benchWorld(b *testing.B) *world { return benchWorldWith(b, sigtest.RSA) }

func benchWorldWith(b *testing.B, alg sigtest.Algorithm) *world {
	w := newWorldWith(b, alg)
	raw, err := w.authority.CRL(sigtest.Noon().Add(-time.Hour), sigtest.Noon().Add(time.Hour))
	if err != nil {
		b.Fatal(err)
	}
	list, err := revocation.ParseCRL(raw)
	if err != nil {
		b.Fatal(err)
	}
	checker := revocation.NewChecker(revocation.Options{Now: sigtest.Noon})
	checker.AddCRL(list)
	w.verifier.Revocation = checker
	return w
}

// attachment is a signed message of about the given size, one long text in it.
func attachment(b *testing.B, w *world, size int) []byte {
	src := strings.Replace(envelope, "&lt;a&gt;", strings.Repeat("QUJD", max(1, (size-3300)/4))+"&lt;a&gt;", 1)
	out, err := SignWSSE([]byte(src), w.key(b, sigtest.Profile{}), SignOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// BenchmarkVerifyWSSE reads and judges a message: chain and list are known.
func BenchmarkVerifyWSSE(b *testing.B) {
	w := benchWorld(b)
	for _, size := range sizes {
		src := attachment(b, w, size.bytes)
		b.Run(size.name, func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
				if err != nil {
					b.Fatal(err)
				}
				if v := w.verifier.WSSE(context.Background(), doc, now()); v.Outcome != verdict.Passed {
					b.Fatal(explain(v))
				}
			}
		})
	}
}

// BenchmarkBare is the least that a verification costs: SHA-256 over the same
// bytes and one RSA-2048 verification.
func BenchmarkBare(b *testing.B) {
	w := benchWorld(b)
	key, err := sigtest.PoolKey(3)
	if err != nil {
		b.Fatal(err)
	}
	for _, size := range sizes {
		src := attachment(b, w, size.bytes)
		sum := sha256.Sum256(src)
		sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			b.Fatal(err)
		}
		b.Run(size.name, func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				sum := sha256.Sum256(src)
				if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], sig); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// document is an enveloped document with that many elements.
func document(b *testing.B, w *world, elements int) ([]byte, *x509.Certificate) {
	var s strings.Builder
	s.WriteString(`<application xmlns="urn:a">`)
	for i := range elements {
		fmt.Fprintf(&s, `<field n="%d">value of the field %06d</field>`, i%10, i)
	}
	s.WriteString("</application>")
	key := w.key(b, sigtest.Profile{Kind: sigtest.Person})
	out, err := SignEnveloped([]byte(s.String()), key, SignOptions{})
	if err != nil {
		b.Fatal(err)
	}
	cert, err := x509.ParseCertificate(key.Certificate.Raw)
	if err != nil {
		b.Fatal(err)
	}
	return out, cert
}

// BenchmarkVerifyEnveloped: 40 elements (2 KB), 900 (the most that goxmldsig
// takes) and 200,000 (10 MB).
func BenchmarkVerifyEnveloped(b *testing.B) {
	w := benchWorld(b)
	for _, n := range []int{40, 900, 200_000} {
		src, cert := document(b, w, n)
		b.Run(fmt.Sprintf("ours/%d", n), func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
				if err != nil {
					b.Fatal(err)
				}
				if v := w.verifier.XMLDSig(context.Background(), doc, now()); v.Outcome != verdict.Passed {
					b.Fatal(explain(v))
				}
			}
		})
		if n > 900 {
			continue
		}
		b.Run(fmt.Sprintf("goxmldsig/%d", n), func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			ctx := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{cert}})
			ctx.Clock = dsig.NewFakeClockAt(sigtest.Noon())
			for b.Loop() {
				doc := etree.NewDocument()
				if err := doc.ReadFromBytes(src); err != nil {
					b.Fatal(err)
				}
				if _, err := ctx.Validate(doc.Root()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSignWSSE signs a message of 4 KB, and judges it before it leaves.
func BenchmarkSignWSSE(b *testing.B) {
	w := benchWorld(b)
	key := w.key(b, sigtest.Profile{})
	src := []byte(strings.Replace(envelope, "&lt;a&gt;", strings.Repeat("QUJD", 800)+"&lt;a&gt;", 1))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := SignWSSE(src, key, SignOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAllocations holds the bar: a 4 KB message, read and judged, in under 200.
func TestAllocations(t *testing.T) {
	w := newWorld(t)
	src := signed(t, w.key(t, sigtest.Profile{}))
	n := testing.AllocsPerRun(50, func() {
		doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		if v := w.verifier.WSSE(context.Background(), doc, now()); v.Outcome != verdict.Passed {
			t.Fatal(explain(v))
		}
	})
	t.Logf("%.0f allocations", n)
	if n >= 200 {
		t.Errorf("%.0f allocations", n)
	}
}
