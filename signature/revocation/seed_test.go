package revocation_test

import (
	"flag"
	"os"
	"testing"

	"kopir/signature/nuc"
	"kopir/signature/revocation"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

var update = flag.Bool("update", false, "write testdata anew")

// TestStoredSeeds: the objects in testdata still read and verify. With
// -update they are made anew by the authority of the tests.
func TestStoredSeeds(t *testing.T) {
	if *update {
		writeSeeds(t)
	}
	issuer, err := nuc.ParseCertificate(seed(t, "issuing.cer"))
	if err != nil {
		t.Fatal(err)
	}
	for name, entries := range map[string]int{"base.crl": 1, "delta.crl": 1} {
		l := parseCRL(t, seed(t, name))
		if check := l.Verify(issuer); check.Outcome != verdict.Passed || l.Len() != entries {
			t.Errorf("%s: %d entries, %+v", name, l.Len(), check)
		}
	}
	for name, want := range map[string]revocation.Status{"good.ocsp": revocation.Good, "revoked.ocsp": revocation.Revoked} {
		r, err := revocation.ParseOCSP(seed(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, check := r.Verify(issuer); check.Outcome != verdict.Passed || len(r.Singles) != 1 || r.Singles[0].Status != want {
			t.Errorf("%s: %+v", name, check)
		}
	}
}

func writeSeeds(t *testing.T) {
	w := newWorld(t)
	first, revoked := w.person(1)
	second, _ := w.person(2)
	_, good := w.person(3)
	base := w.clock()
	w.ca.Revoke(first, base.Add(-day), 1)
	files := map[string][]byte{"issuing.cer": w.ca.Issuing(), "base.crl": w.crl(base, base.Add(180*day))}
	w.ca.Revoke(second, base.Add(day), sigtest.ReasonHold)
	files["delta.crl"] = w.deltaCRL(base, base.Add(2*day), base.Add(32*day))
	for name, c := range map[string]*nuc.Certificate{"good.ocsp": good, "revoked.ocsp": revoked} {
		request, err := revocation.NewOCSPRequest(c, w.issuer, []byte("12345678"))
		if err != nil {
			t.Fatal(err)
		}
		if files[name], err = w.ca.OCSP(request, base, sigtest.OCSPOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for name, raw := range files {
		if err := os.WriteFile("testdata/"+name, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
