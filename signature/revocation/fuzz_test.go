package revocation_test

import (
	"os"
	"testing"
	"time"

	"kopir/signature/nuc"
	"kopir/signature/revocation"
	"kopir/signature/verdict"
)

// The seeds lie in testdata, so that a fuzzing process need not make an
// authority first. They come from the authority of the tests: TestStoredSeeds.
func seed(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// FuzzCRL: whatever the bytes, an error or a list that can be looked into; it
// verifies under its authority only if nothing was changed.
func FuzzCRL(f *testing.F) {
	raw := seed(f, "base.crl")
	f.Add(raw)
	f.Add(seed(f, "delta.crl"))
	issuer, err := nuc.ParseCertificate(seed(f, "issuing.cer"))
	if err != nil {
		f.Fatal(err)
	}
	known := map[string]bool{}
	for _, name := range []string{"base.crl", "delta.crl"} {
		known[parseCRL(f, seed(f, name)).String()] = true
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := revocation.ParseCRL(raw)
		if err != nil {
			return
		}
		if l.NextUpdate.IsZero() || l.String() == "" {
			t.Fatal("a list without an end")
		}
		l.Find(issuer.Serial)
		if l.Verify(issuer).Outcome == verdict.Passed && (!known[l.String()] || l.Len() != 1) {
			t.Fatalf("a changed list verifies: %x", raw)
		}
	})
}

// FuzzOCSP: whatever the bytes, an error or an answer; it verifies under its
// authority only if what is signed was not changed.
func FuzzOCSP(f *testing.F) {
	f.Add(seed(f, "good.ocsp"))
	f.Add(seed(f, "revoked.ocsp"))
	f.Add([]byte{0x30, 0x03, 0x0a, 0x01, 0x03})
	issuer, err := nuc.ParseCertificate(seed(f, "issuing.cer"))
	if err != nil {
		f.Fatal(err)
	}
	want := map[time.Time]bool{}
	for _, name := range []string{"good.ocsp", "revoked.ocsp"} {
		r, err := revocation.ParseOCSP(seed(f, name))
		if err != nil {
			f.Fatal(err)
		}
		if _, check := r.Verify(issuer); check.Outcome != verdict.Passed {
			f.Fatalf("%s: %+v", name, check)
		}
		want[r.ProducedAt] = true
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := revocation.ParseOCSP(raw)
		if err != nil {
			return
		}
		if _, check := r.Verify(issuer); check.Outcome == verdict.Passed && (len(r.Singles) != 1 || !want[r.ProducedAt]) {
			t.Fatalf("a changed answer verifies: %x", raw)
		}
	})
}
