package sim

import (
	"context"
	"net/http"
	"testing"
	"time"

	"kopir/signature/nuc"
	"kopir/signature/revocation"
)

// TestTheBridgesCheckerReadsTheAuthority asks the doors with the checker that
// the bridge uses, in every trouble that they can make.
func TestTheBridgesCheckerReadsTheAuthority(t *testing.T) {
	withEveryKeys(t, tryTheBridgesCheckerReadsTheAuthority)
}

func tryTheBridgesCheckerReadsTheAuthority(t *testing.T, with func(*Config)) {
	s := newStage(t, with)
	people, err := s.authorityWith(s.KeyUse().People)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := nuc.ParseCertificate(people.Issuing())
	if err != nil {
		t.Fatal(err)
	}
	a := s.Addresses()
	lists := a.Authorities[len(a.Authorities)-1] // the last is that of the people
	// A checker of its own for each question: nothing is remembered.
	ask := func(person string, byList bool) revocation.Status {
		t.Helper()
		source := revocation.Source{OCSP: []string{a.OCSP}}
		if byList {
			source.CRL, source.Delta = []string{lists.CRL}, []string{lists.DeltaCRL}
		}
		c, err := s.Credential(person)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := nuc.ParseCertificate(c.DER)
		if err != nil {
			t.Fatal(err)
		}
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		checker := revocation.NewChecker(revocation.Options{Sources: []revocation.Source{source}, Transport: transport})
		return checker.Ask(context.Background(), leaf, issuer, time.Now()).Status
	}
	expect := func(what string, got, want revocation.Status) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	expect("good", ask("citizen", false), revocation.Good)
	for trouble, want := range map[string]revocation.Status{
		`{"try_later":true}`:    revocation.Unknown,
		`{"wrong_nonce":true}`:  revocation.Unknown,
		`{"wrong_signer":true}`: revocation.Unknown,
		`{"age":"72h"}`:         revocation.Unknown,
		`{"garbage":true}`:      revocation.Unknown,
		`{"status":503}`:        revocation.Unknown,
		`{"down":true}`:         revocation.Unknown,
		`{"delay":"1ms"}`:       revocation.Good,
	} {
		s.ask("PUT", "/sim/trouble/ocsp", trouble, http.StatusOK, nil)
		expect("OCSP "+trouble, ask("citizen", false), want)
	}
	// While OCSP is down the lists decide: what was revoked since the full list
	// stands in the delta list.
	s.ask("PUT", "/sim/trouble/ocsp", `{"down":true}`, http.StatusOK, nil)
	expect("lists, good", ask("citizen", true), revocation.Good)
	s.ask("POST", "/sim/certificates/citizen/revoke", `{"reason":"hold"}`, http.StatusOK, nil)
	expect("delta list, on hold", ask("citizen", true), revocation.Revoked)
	s.ask("POST", "/sim/crl/publish", "", http.StatusNoContent, nil)
	expect("full list, on hold", ask("citizen", true), revocation.Revoked)
	s.ask("POST", "/sim/certificates/citizen/release", "", http.StatusOK, nil)
	expect("delta list, released", ask("citizen", true), revocation.Good)
	s.ask("PUT", "/sim/trouble/crl", `{"garbage":true}`, http.StatusOK, nil)
	expect("nothing to ask", ask("citizen", true), revocation.Unknown)
	s.ask("DELETE", "/sim/trouble", "", http.StatusNoContent, nil)
	expect("released", ask("citizen", false), revocation.Good)
	s.ask("POST", "/sim/certificates/citizen2/replace", `{"condition":"revoked"}`, http.StatusOK, nil)
	expect("revoked", ask("citizen2", false), revocation.Revoked)
	s.ask("POST", "/sim/certificates/citizen3/replace", `{"condition":"stranger"}`, http.StatusOK, nil)
	if got := ask("citizen3", false); got == revocation.Good {
		t.Error("a certificate that was never issued here is good")
	}
}
