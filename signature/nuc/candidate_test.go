package nuc_test

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

func add(t testing.TB, trust *nuc.Trust, e nuc.Entry) {
	t.Helper()
	if e.Purpose == 0 {
		e.Purpose = nuc.PurposeAll
	}
	if err := trust.Add(e); err != nil {
		t.Fatal(err)
	}
}

func detailOf(checks []verdict.Check, name string) string {
	for _, c := range checks {
		if c.Name == name {
			return c.Detail
		}
	}
	return ""
}

// TestCandidateReports: a candidate root makes nothing pass, says that it
// would, and is counted; trusted, it does.
func TestCandidateReports(t *testing.T) {
	h := newHierarchy(t)
	trust := nuc.NewTrust()
	add(t, trust, nuc.Entry{Certificate: h.root, Root: true, Candidate: true})
	add(t, trust, nuc.Entry{Certificate: h.ca})
	const would = "it would hold if the candidate"
	for i := range 3 {
		chain, checks := trust.Chain(h.person, testNow)
		if o, r := sum(checks); o != verdict.Failed || r != verdict.NoCertificateChain || chain != nil {
			t.Fatalf("%v %v", o, r)
		}
		if d := detailOf(checks, verdict.CheckChain); !strings.Contains(d, would) || strings.Count(d, would) != 1 {
			t.Fatalf("judgement %d: %s", i, d)
		}
	}
	if hits := trust.Hits(); len(hits) != 1 || hits[0].Certificate.Fingerprint != h.root.Fingerprint || hits[0].Chains != 3 {
		t.Fatalf("%+v", hits)
	}
	if len(trust.Roots()) != 0 || trust.IsRoot(h.root) || len(trust.Authorities()) != 1 {
		t.Error("a candidate stands among the trusted")
	}
	// Out of its dates it would not hold either.
	if _, checks := trust.Chain(h.person, testEnd.Add(time.Hour)); strings.Contains(detailOf(checks, verdict.CheckChain), would) {
		t.Errorf("%+v", checks)
	}
	if hits := trust.Hits(); hits[0].Chains != 3 {
		t.Errorf("%+v", hits)
	}
	add(t, trust, nuc.Entry{Certificate: h.root, Root: true})
	if _, checks := trust.Chain(h.person, testNow); len(trust.Hits()) != 0 {
		t.Error("still a candidate")
	} else if o, _ := sum(checks); o != verdict.Passed {
		t.Fatalf("promoted: %+v", checks)
	}
	// What is trusted does not become a candidate by another file.
	add(t, trust, nuc.Entry{Certificate: h.root, Root: true, Candidate: true})
	if _, checks := trust.Chain(h.person, testNow); len(trust.Hits()) != 0 {
		t.Error("demoted")
	} else if o, _ := sum(checks); o != verdict.Passed {
		t.Fatalf("%+v", checks)
	}
}

// TestCandidateBesideTheEnded: the next root is reported where the trusted one
// has ended, and says nothing where that one holds.
func TestCandidateBesideTheEnded(t *testing.T) {
	h, k := newHierarchy(t), testKeys()
	usage := authority(caUsage)
	usage.NotBefore, usage.NotAfter = testStart, testNow.Add(-time.Hour)
	ended := make509(t, made{template: usage, subject: name("НЕГІЗГІ ТЕСТ (RSA)"), key: k[0]})
	trust := trustOf(t, ended, h.ca)
	add(t, trust, nuc.Entry{Certificate: h.root, Root: true, Candidate: true})
	if _, checks := trust.Chain(h.person, testNow); true {
		if o, r := sum(checks); o != verdict.Failed || r != verdict.Expired || !strings.Contains(detailOf(checks, verdict.CheckValidity), "it would hold") {
			t.Fatalf("%v %v %+v", o, r, checks)
		}
	}
	if _, checks := trust.Chain(h.person, testStart.Add(time.Hour)); true {
		if o, _ := sum(checks); o != verdict.Passed || strings.Contains(detailOf(checks, verdict.CheckChain), "candidate") {
			t.Fatalf("%v %+v", o, checks)
		}
	}
	if hits := trust.Hits(); hits[0].Chains != 1 {
		t.Errorf("%+v", hits)
	}
}

// TestCandidateAuthority: an issuing authority on trial does not carry chains
// of messages that leave it out, and with a message it needs no trial.
func TestCandidateAuthority(t *testing.T) {
	h := newHierarchy(t)
	trust := trustOf(t, h.root)
	add(t, trust, nuc.Entry{Certificate: h.ca, Candidate: true})
	if _, checks := trust.Chain(h.person, testNow); !strings.Contains(detailOf(checks, verdict.CheckChain), "it would hold if the candidate") {
		t.Fatalf("%+v", checks)
	} else if o, _ := sum(checks); o != verdict.Failed {
		t.Fatalf("%+v", checks)
	}
	if _, checks := trust.ChainWith(h.person, []*nuc.Certificate{h.ca}, testNow); true {
		if o, _ := sum(checks); o != verdict.Passed {
			t.Fatalf("the root vouches for what came with the message: %+v", checks)
		}
	}
	strange := nuc.NewTrust()
	add(t, strange, nuc.Entry{Certificate: h.root, Root: true, Candidate: true})
	if _, checks := strange.ChainWith(h.person, []*nuc.Certificate{h.ca}, testNow); !strings.Contains(detailOf(checks, verdict.CheckChain), "it would hold") {
		t.Fatalf("%+v", checks)
	} else if o, _ := sum(checks); o != verdict.Failed {
		t.Fatalf("%+v", checks)
	}
	if hits := strange.Hits(); hits[0].Chains != 1 {
		t.Errorf("one judgement, counted %d times", hits[0].Chains)
	}
}

// TestPurposes: who is believed for stamps is not believed for signatures.
func TestPurposes(t *testing.T) {
	h, k := newHierarchy(t), testKeys()
	p := person()
	p.template.UnknownExtKeyUsage, p.template.ExtKeyUsage = nil, []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}
	p.issuer, p.issuerSigner = h.ca, k[1]
	tsa := make509(t, p)
	for _, c := range []struct {
		root, ca    nuc.Purpose
		sign, stamp verdict.Outcome
	}{
		{nuc.PurposeAll, nuc.PurposeAll, verdict.Passed, verdict.Passed},
		{nuc.PurposeSign, nuc.PurposeSign, verdict.Passed, verdict.Failed},
		{nuc.PurposeStamp, nuc.PurposeStamp, verdict.Failed, verdict.Passed},
		{nuc.PurposeAll, nuc.PurposeStamp, verdict.Failed, verdict.Passed},
		{nuc.PurposeStamp, nuc.PurposeAll, verdict.Failed, verdict.Passed},
	} {
		trust := nuc.NewTrust()
		add(t, trust, nuc.Entry{Certificate: h.root, Root: true, Purpose: c.root})
		add(t, trust, nuc.Entry{Certificate: h.ca, Purpose: c.ca})
		for _, leaf := range []struct {
			cert *nuc.Certificate
			want verdict.Outcome
		}{{h.person, c.sign}, {tsa, c.stamp}, {h.ca, verdict.Passed}} {
			_, checks := trust.Chain(leaf.cert, testNow)
			o, r := sum(checks)
			if o != leaf.want || o == verdict.Failed && r != verdict.ChainConstraintsFailure {
				t.Errorf("root %s, authority %s, %s: %v %v %s", c.root, c.ca, leaf.cert.SubjectName, o, r, detailOf(checks, verdict.CheckChain))
			}
		}
	}
}

// TestReplaceTrust: judged by the old before, by the new after.
func TestReplaceTrust(t *testing.T) {
	h := newHierarchy(t)
	trust := trustOf(t, h.root, h.ca)
	if o, _ := sum(second(trust.Chain(h.person, testNow))); o != verdict.Passed {
		t.Fatal(o)
	}
	trust.Replace(nuc.NewTrust())
	if o, _ := sum(second(trust.Chain(h.person, testNow))); o != verdict.Failed {
		t.Fatal(o)
	}
	trust.Replace(trustOf(t, h.root, h.ca))
	if o, _ := sum(second(trust.Chain(h.person, testNow))); o != verdict.Passed {
		t.Fatal(o)
	}
}

func second[A, B any](_ A, b B) B { return b }
