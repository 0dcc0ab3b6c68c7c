//go:build shared

package signature

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/signature/keystore"
	"kopir/signature/nuc"
	"kopir/signature/revocation"
	"kopir/signature/verdict"
)

// corpusItem is what the list of real objects says of a message or a time stamp.
type corpusItem struct {
	File      string `json:"file"`
	Kind      string `json:"kind"`
	Signature string `json:"expected_signature"`
	Chain     string `json:"expected_chain"`
	Content   string `json:"content_file"`
	Stamped   string `json:"stamped_file"`
	Note      string `json:"note"`
	Verdicts  []struct {
		At     time.Time `json:"at"`
		Status string    `json:"status"`
	} `json:"verdicts"`
	Details struct {
		Detached bool `json:"detached"`
		Signers  []struct {
			OID         string    `json:"signature_oid"`
			SigningTime time.Time `json:"signing_time"`
			Stamp       *struct {
				At    time.Time `json:"gen_time"`
				Chain string    `json:"tsa_chain"`
			} `json:"timestamp"`
		} `json:"signers"`
		At time.Time `json:"gen_time"`
	} `json:"details"`
}

func corpusItems(t *testing.T, kind string) []corpusItem {
	t.Helper()
	var list struct{ Items []corpusItem }
	if err := json.Unmarshal(read(t, shared(t, "nuc", "corpus", "MANIFEST.json")), &list); err != nil {
		t.Fatal(err)
	}
	var out []corpusItem
	for _, i := range list.Items {
		if i.Kind == kind {
			out = append(out, i)
		}
	}
	if len(out) == 0 {
		t.Fatalf("no item of kind %s", kind)
	}
	return out
}

func corpusVerifier(t *testing.T) *Verifier {
	t.Helper()
	trust, err := nuc.LoadTrust(shared(t, "nuc", "corpus", "visible", "ca"))
	if err != nil {
		t.Fatal(err)
	}
	return &Verifier{Trust: trust, Revoke: RevokeOff}
}

func corpusFile(t *testing.T, name string) []byte {
	if name == "" {
		return nil
	}
	return read(t, shared(t, "nuc", "corpus", name))
}

// checkOf gives the outcome and the reason of a check of one signature.
func checkOf(s *SignatureVerdict, name string) (verdict.Outcome, verdict.Reason) {
	for _, c := range s.Checks {
		if c.Name == name && !c.Skipped {
			return c.Outcome, c.Reason
		}
	}
	return verdict.Undetermined, "MISSING"
}

// TestCorpusCMS judges every real and damaged message at each of its times.
func TestCorpusCMS(t *testing.T) {
	v := corpusVerifier(t)
	for _, item := range corpusItems(t, "cms") {
		t.Run(strings.TrimPrefix(item.File, "visible/cms/"), func(t *testing.T) {
			raw, content := corpusFile(t, item.File), corpusFile(t, item.Content)
			if item.Signature == "invalid" {
				at := time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)
				got := v.CMS(t.Context(), raw, content, Want{At: at})
				reason := verdict.SigCryptoFailure
				if strings.Contains(item.Note, "content") {
					reason = verdict.HashFailure // altered, or stamped instead of the signature
				}
				if got.Outcome != verdict.Failed {
					t.Fatal(explain(got))
				}
				found := false
				for i := range got.Signatures {
					for _, c := range got.Signatures[i].Checks {
						found = found || c.Outcome == verdict.Failed && c.Reason == reason
					}
				}
				if !found {
					t.Errorf("want %s: %s", reason, explain(got))
				}
				return
			}
			for _, want := range item.Verdicts {
				got := v.CMS(t.Context(), raw, content, Want{At: want.At})
				outcome, reason := verdict.Passed, verdict.None
				switch want.Status {
				case "expired":
					outcome, reason = verdict.Failed, verdict.Expired
				case "not-yet-valid":
					outcome, reason = verdict.Failed, verdict.NotYetValid
				}
				if outcome == verdict.Passed && item.Details.Detached && content == nil {
					outcome, reason = verdict.Undetermined, verdict.SignedDataNotFound
				}
				// The list's word is on the first signer. All must pass, so another
				// one whose certificate had ended decides the whole. And the list
				// does not look at what certificates are for.
				first := &got.Signatures[0]
				if first.Certificate.Usage() == nuc.UsageAuth && outcome == verdict.Passed {
					outcome, reason = verdict.Failed, verdict.KeyUsage
				}
				if first.Outcome != outcome || first.Reason != reason {
					t.Errorf("at %s: want %s %s: %s", want.At, outcome, reason, explain(got))
				}
				if len(got.Signatures) > 1 {
					outcome = verdict.Failed
				}
				if got.Outcome != outcome {
					t.Errorf("at %s: want %s for the whole: %s", want.At, outcome, explain(got))
				}
				if len(got.Signatures) != len(item.Details.Signers) {
					t.Fatalf("%d signatures, not %d", len(got.Signatures), len(item.Details.Signers))
				}
				for i, signer := range item.Details.Signers {
					s := &got.Signatures[i]
					if o, r := checkOf(s, verdict.CheckSignature); o != verdict.Passed {
						t.Errorf("signature %d: %s %s", i, o, r)
					}
					if s.Algorithm != signer.OID {
						t.Errorf("algorithm %s, not %s", s.Algorithm, signer.OID)
					}
					at, _ := s.SignedAt()
					switch stamp := signer.Stamp; {
					case stamp == nil:
						if s.Stamp != nil || !at.Equal(signer.SigningTime) {
							t.Errorf("signed at %s, stamp %v", at, s.Stamp)
						}
					case s.Stamp == nil || !s.Stamp.At.Equal(stamp.At):
						t.Errorf("stamp %+v, not of %s", s.Stamp, stamp.At)
					case s.Stamp.Trusted:
						// None of the authorities of these stamps is in the folder.
						t.Errorf("a stamp is trusted for no reason: %v", s.Checks)
					}
				}
				if c, ok := got.Content(); ok != (outcome == verdict.Passed) || ok && content != nil && string(c.Bytes()) != string(content) {
					t.Errorf("content %v", ok)
				}
			}
		})
	}
}

// TestCorpusTSP judges every time stamp, with what it stamps where that is known.
func TestCorpusTSP(t *testing.T) {
	v := corpusVerifier(t)
	for _, item := range corpusItems(t, "tsp") {
		t.Run(strings.TrimPrefix(item.File, "visible/tsp/"), func(t *testing.T) {
			raw := corpusFile(t, item.File)
			now := Want{At: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
			got := v.TSP(t.Context(), raw, corpusFile(t, item.Stamped), now)
			s := &got.Signatures[0]
			if item.Signature == "invalid" {
				if got.Outcome != verdict.Failed || got.Reason != verdict.HashFailure {
					t.Error(explain(got))
				}
				return
			}
			for _, name := range []string{verdict.CheckDigest, verdict.CheckSignature, verdict.CheckUsage, verdict.CheckTimestamp} {
				if o, r := checkOf(s, name); o != verdict.Passed {
					t.Errorf("%s: %s %s", name, o, r)
				}
			}
			if at, _ := s.SignedAt(); s.Stamp == nil || !s.Stamp.At.Equal(item.Details.At) || item.Chain == "valid" && !at.Equal(item.Details.At) {
				t.Errorf("stamp %+v", s.Stamp)
			}
			switch {
			case item.Chain == "valid" && got.Outcome != verdict.Passed:
				t.Error(explain(got))
			case item.Chain != "valid" && (got.Outcome == verdict.Passed || got.Reason != verdict.NoCertificateChain):
				t.Error(explain(got))
			}
			if other := v.TSP(t.Context(), raw, []byte("other bytes"), now); other.Outcome != verdict.Failed {
				t.Error("passes over other bytes")
			}
		})
	}
}

// TestCorpusCMSRevocation asks the real lists: a message that a list of its
// time covers passes with its status known, the others stay undetermined.
func TestCorpusCMSRevocation(t *testing.T) {
	v := corpusVerifier(t)
	v.Revoke = RevokeLeaf
	checker := revocation.NewChecker(revocation.Options{})
	lists, err := filepath.Glob(shared(t, "nuc", "corpus", "visible", "crl") + "/*.crl")
	if err != nil || len(lists) == 0 {
		t.Fatalf("no lists: %v", err)
	}
	for _, path := range lists {
		if strings.Contains(path, "-altered") {
			continue
		}
		l, err := revocation.ParseCRL(read(t, path))
		if err != nil {
			t.Fatal(err)
		}
		checker.AddCRL(l)
	}
	v.Revocation = checker
	passed := 0
	for _, item := range corpusItems(t, "cms") {
		raw, content := corpusFile(t, item.File), corpusFile(t, item.Content)
		if item.Signature != "valid" || item.Details.Detached && content == nil {
			continue
		}
		for _, want := range item.Verdicts {
			got := v.CMS(t.Context(), raw, content, Want{At: want.At})
			first := &got.Signatures[0]
			switch {
			case want.Status != "valid":
				if got.Outcome != verdict.Failed {
					t.Errorf("%s at %s: %s", item.File, want.At, explain(got))
				}
			case first.Outcome == verdict.Passed:
				passed++
			case first.Outcome == verdict.Undetermined && (first.Reason == verdict.TryLater || first.Reason == verdict.NoPOE):
			case first.Reason != verdict.KeyUsage:
				t.Errorf("%s at %s: %s", item.File, want.At, explain(got))
			}
			t.Logf("%s at %s: %s %s", item.File, want.At.Format(time.DateOnly), first.Outcome, first.Reason)
		}
	}
	if passed == 0 {
		t.Error("no message is covered by a list")
	}
}

// TestCorpusKeysSignCMS signs with every key file of the corpus and judges the
// message under the real authorities, a day after the certificate began: some
// outlive their authority's.
func TestCorpusKeysSignCMS(t *testing.T) {
	v := corpusVerifier(t)
	files, err := filepath.Glob(shared(t, "nuc", "corpus", "visible", "p12") + "/*.p12")
	if err != nil || len(files) == 0 {
		t.Fatalf("no key files: %v", err)
	}
	passed := 0
	for _, path := range files {
		var key *keystore.Key
		for _, password := range []string{"Qwerty12", "Aa123456"} {
			if k, err := keystore.OpenPKCS12(read(t, path), password); err == nil {
				key = k
			}
		}
		if key == nil {
			t.Logf("%s: neither password opens it", filepath.Base(path))
			continue
		}
		message, err := SignCMS([]byte("content"), key, CMSOptions{})
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(path), err)
			continue
		}
		c := key.Certificate
		got := v.CMS(t.Context(), message, nil, Want{At: c.NotBefore.Add(24 * time.Hour)})
		switch {
		case got.Outcome == verdict.Passed:
			passed++
		case got.Reason == verdict.KeyUsage && c.Usage() == nuc.UsageAuth:
		case got.Reason == verdict.NoCertificateChain: // an authority that is not in the folder
			if o, r := checkOf(&got.Signatures[0], verdict.CheckSignature); o != verdict.Passed {
				t.Errorf("%s: %s", filepath.Base(path), r)
			}
		default:
			t.Errorf("%s: %s", filepath.Base(path), explain(got))
		}
	}
	t.Logf("%d of %d files sign and pass", passed, len(files))
	if passed == 0 {
		t.Error("no key of the corpus signs")
	}
}
