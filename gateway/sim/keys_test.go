package sim

import (
	"bytes"
	"context"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"

	"kopir/gateway/soap"
	"kopir/signature"
	"kopir/signature/keystore"
	"kopir/signature/nuc"
	"kopir/signature/revocation"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

// kindOf is the kind of key that somebody's key file holds.
func (s *stage) kindOf(key string) Keys {
	s.t.Helper()
	file := s.ask("GET", "/sim/certificates/"+key+"/key.p12", "", http.StatusOK, nil)
	k, err := keystore.OpenPKCS12([]byte(file), DefaultPassword)
	if err != nil {
		s.t.Fatal(err)
	}
	var told Certificate
	s.ask("GET", "/sim/certificates/"+key, "", http.StatusOK, &told)
	kind := map[string]Keys{"RSA with SHA-256": KeysRSA, "GOST R 34.10-2015 512": KeysGOST}[k.Algorithm.Name]
	if told.Keys != kind {
		s.t.Errorf("%s has a key for %s, and the interface says %s", key, k.Algorithm.Name, told.Keys)
	}
	return kind
}

// TestWhoSignsWithWhat: by configuration and by the control interface.
func TestWhoSignsWithWhat(t *testing.T) {
	for word, want := range map[Keys]KeyUse{"": {KeysRSA, KeysRSA}, KeysRSA: {KeysRSA, KeysRSA}, KeysGOST: {KeysGOST, KeysGOST}, KeysMixed: {KeysRSA, KeysGOST}} {
		t.Run("keys "+string(word), func(t *testing.T) {
			s := newStage(t, func(c *Config) { c.Keys = word })
			expect := func(want KeyUse) {
				t.Helper()
				var use KeyUse
				if s.ask("GET", "/sim/keys", "", http.StatusOK, &use); use != want {
					t.Errorf("the interface says %v, want %v", use, want)
				}
				for key, kind := range map[string]Keys{"citizen": want.People, "operator": want.People, "official": want.People, "bridge": want.Systems, "gateway": want.Systems, "registry": want.Systems} {
					if got := s.kindOf(key); got != kind {
						t.Errorf("%s has a key of kind %s", key, got)
					}
				}
			}
			expect(want)
			authorities := 1
			if word == KeysMixed {
				authorities = 2
			}
			if n := strings.Count(s.ask("GET", "/ca/chain.pem", "", http.StatusOK, nil), "BEGIN CERTIFICATE"); n != 2*authorities || len(s.Addresses().Authorities) != authorities {
				t.Errorf("%d certificates of %d authorities", n, authorities)
			}
			old, _ := s.Credential("citizen")
			if word != KeysMixed {
				other := map[Keys]string{KeysRSA: "gost", KeysGOST: "rsa"}[want.People]
				if text := s.ask("PUT", "/sim/keys", `{"people":"`+other+`"}`, http.StatusUnprocessableEntity, nil); !strings.Contains(text, "-keys mixed") {
					t.Error(text)
				}
				expect(want)
				return
			}
			// The other way round, and people alone.
			s.ask("PUT", "/sim/keys", `{"systems":"gost","people":"rsa"}`, http.StatusOK, nil)
			expect(KeyUse{KeysGOST, KeysRSA})
			s.ask("PUT", "/sim/keys", `{"people":"gost"}`, http.StatusOK, nil)
			expect(KeyUse{KeysGOST, KeysGOST})
			if by, _ := s.authorityOf(old); by.Revoked(old.Serial(), s.now()) {
				t.Error("the certificate used before is revoked")
			}
			s.ask("PUT", "/sim/keys", `{"people":"dsa"}`, http.StatusUnprocessableEntity, nil)
			s.ask("PUT", "/sim/keys", `{"citizens":"gost"}`, http.StatusBadRequest, nil)
		})
	}
	if _, err := New(Config{BaseURL: "http://127.0.0.1:1", Keys: "dsa"}); err == nil || !strings.Contains(err.Error(), "rsa, gost, mixed") {
		t.Errorf("keys dsa: %v", err)
	}
}

// TestBothAuthoritiesAreAsked: one responder for both, lists of each; what one
// revoked, the other does not know.
func TestBothAuthoritiesAreAsked(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Keys = KeysMixed })
	a := s.Addresses()
	trust := nuc.NewTrust()
	var issuers []*nuc.Certificate
	for rest := s.ChainPEM(); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := nuc.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(c.RawSubject, c.RawIssuer) {
			if err := trust.AddRoot(c); err != nil {
				t.Fatal(err)
			}
			continue
		}
		trust.AddIntermediate(c)
		issuers = append(issuers, c)
	}
	s.ask("POST", "/sim/certificates/citizen2/revoke", "", http.StatusOK, nil)
	s.ask("POST", "/sim/certificates/csc/revoke", "", http.StatusOK, nil)
	for name, sources := range map[string][]revocation.Source{
		"one responder": {{OCSP: []string{a.OCSP}}},
		"its own name":  {{OCSP: []string{s.url + "/ca/gost/ocsp"}}},
		"lists": {
			{Issuer: issuers[0], CRL: []string{a.Authorities[0].CRL}, Delta: []string{a.Authorities[0].DeltaCRL}},
			{Issuer: issuers[1], CRL: []string{a.Authorities[1].CRL}, Delta: []string{a.Authorities[1].DeltaCRL}},
		},
		"lists of all": {{CRL: []string{a.Authorities[0].CRL, a.Authorities[1].CRL}, Delta: []string{a.Authorities[0].DeltaCRL, a.Authorities[1].DeltaCRL}}},
	} {
		transport := &http.Transport{}
		checker := revocation.NewChecker(revocation.Options{Sources: sources, Transport: transport})
		for key, want := range map[string]revocation.Status{"citizen": revocation.Good, "bridge": revocation.Good, "citizen2": revocation.Revoked, "csc": revocation.Revoked} {
			c, err := s.Credential(key)
			if err != nil {
				t.Fatal(err)
			}
			leaf, err := nuc.ParseCertificate(c.DER)
			if err != nil {
				t.Fatal(err)
			}
			chain, checks := trust.Chain(leaf, s.now())
			if len(chain) != 3 {
				t.Fatalf("%s: %v", key, checks)
			}
			if got := checker.Ask(context.Background(), leaf, chain[1], s.now()); got.Status != want {
				t.Errorf("%s of %s: %s (%s)", name, key, got.Status, got.Detail)
			}
		}
		transport.CloseIdleConnections()
	}
}

// TestNationalConditions: every word of a certificate's condition means with
// national keys what it means with RSA.
func TestNationalConditions(t *testing.T) {
	withEveryKeys(t, func(t *testing.T, with func(*Config)) {
		s := newStage(t, with)
		for condition, want := range map[string]verdict.Reason{
			"good": verdict.None, "expired": verdict.Expired, "not_yet_valid": verdict.NotYetValid, "revoked": verdict.Revoked,
			"hold": verdict.Revoked, "auth": verdict.KeyUsage, "stranger": verdict.NoCertificateChain,
		} {
			document, err := s.SignAs("citizen", condition, []byte("<a>1</a>"))
			if err != nil {
				t.Fatal(err)
			}
			if v := s.judgeAs(t, document, signature.Want{}); v.Reason != want || (v.Outcome == verdict.Passed) != (want == verdict.None) {
				t.Errorf("%s: %s %s", condition, v.Outcome, v.Reason)
			}
			if want := map[Keys]bool{KeysGOST: true}[s.KeyUse().People]; bytes.Contains(document, []byte("gostr34102015-gostr34112015-512")) != want {
				t.Errorf("%s: not signed with the keys of people", condition)
			}
		}
		// A system's message too.
		envelope, err := seal(&soap.AsyncSendMessageResponse{MessageID: "m", CorrelationID: "1", ResponseDate: s.now()}, s.members["gateway"].signing())
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(envelope, []byte("gostr34102015-gostr34112015-512")) != (s.KeyUse().Systems == KeysGOST) {
			t.Error("not signed with the keys of systems")
		}
		for _, a := range s.authorities {
			if (a.Algorithm() == sigtest.RSA) != (a.keys == KeysRSA) {
				t.Errorf("the authority of %s keys signs with %v", a.keys, a.Algorithm())
			}
		}
	})
}
