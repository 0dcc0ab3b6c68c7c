//go:build shared

package nuc_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/signature/keystore"
	"kopir/signature/nuc"
	"kopir/signature/revocation"
	"kopir/signature/verdict"
)

// item is one row of the corpus of real objects.
type item struct {
	File      string
	Kind      string
	Algorithm string
	Origin    string
	Subject   string
	Issuer    string `json:"issuer_subject"`
	Serial    string
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	KeyUsage  string    `json:"key_usage"`
	EKU       []string
	Signature string `json:"expected_signature"`
	Chain     string `json:"expected_chain"`
	Password  string
	Alias     string
	Verdicts  []struct {
		At     time.Time
		Status string
	}
	Details struct {
		AIA      []string
		CRL      []string
		DeltaCRL []string `json:"delta_crl"`
		Policies []string
		Entries  int
		Number   string
		Type     string
	}
}

func corpus(t *testing.T) (dir string, items []item) {
	t.Helper()
	shared := os.Getenv("KOPIR_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	dir = filepath.Join(shared, "nuc", "corpus")
	raw, err := os.ReadFile(filepath.Join(dir, "MANIFEST.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Items []item }
	if err := json.Unmarshal(raw, &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest.Items) == 0 {
		t.Fatal("an empty corpus")
	}
	return dir, manifest.Items
}

func (i item) read(t *testing.T, dir string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, i.File))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func corpusTrust(t *testing.T, dir string) *nuc.Trust {
	t.Helper()
	trust, err := nuc.LoadTrust(filepath.Join(dir, "visible", "ca"))
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

// judge compares chain and dates with every verdict of the row. Revocation is
// another room's; a revoked certificate is otherwise valid.
func (i item) judge(t *testing.T, trust *nuc.Trust, c *nuc.Certificate) {
	t.Helper()
	for _, v := range i.Verdicts {
		i.judgeRow(t, trust, c, v.At, v.Status)
	}
	if i.Signature == "invalid" {
		_, checks := trust.Chain(c, c.NotBefore.Add(time.Hour))
		outcome, reason := verdict.Sum(checks)
		if outcome != verdict.Failed || reason != verdict.SigCryptoFailure {
			t.Errorf("%s: %v %v: %+v", i.File, outcome, reason, checks)
		}
	}
}

func (i item) judgeRow(t *testing.T, trust *nuc.Trust, c *nuc.Certificate, at time.Time, status string) {
	t.Helper()
	_, checks := trust.Chain(c, at)
	outcome, reason := verdict.Sum(checks)
	want, why := verdict.Passed, verdict.None
	switch status {
	case "expired":
		want, why = verdict.Failed, verdict.Expired
	case "not-yet-valid":
		want, why = verdict.Failed, verdict.NotYetValid
	}
	if outcome != want || reason != why {
		t.Errorf("%s at %s (%s): %v %v: %+v", i.File, at, status, outcome, reason, checks)
	}
}

func (i item) describes(t *testing.T, c *nuc.Certificate) {
	t.Helper()
	if i.Origin == "made" {
		return
	}
	i.Subject = strings.Replace(i.Subject, "0.9.2342.19200300.100.1.1=", "UID=", 1)
	if got := c.SubjectName.String(); got != i.Subject {
		t.Errorf("%s: subject %q, want %q", i.File, got, i.Subject)
	}
	if got := c.IssuerName.String(); got != i.Issuer {
		t.Errorf("%s: issuer %q, want %q", i.File, got, i.Issuer)
	}
	if c.SerialHex() != i.Serial || !c.NotBefore.Equal(i.NotBefore) || !c.NotAfter.Equal(i.NotAfter) {
		t.Errorf("%s: serial %s, %s to %s", i.File, c.SerialHex(), c.NotBefore, c.NotAfter)
	}
	if len(c.ExtKeyUsage) != len(i.EKU) {
		t.Errorf("%s: purposes %v, want %v", i.File, c.ExtKeyUsage, i.EKU)
	}
	s := c.Signer()
	for _, part := range []struct{ mark, got string }{{"SERIALNUMBER=IIN", s.IIN}, {"OU=BIN", s.BIN}, {"SURNAME=", s.Surname}, {"G=", s.Patronymic}} {
		want := ""
		if _, rest, ok := strings.Cut(", "+i.Subject, ", "+part.mark); ok {
			want, _, _ = strings.Cut(rest, ",")
		}
		if part.got != want {
			t.Errorf("%s: %s%q, want %q", i.File, part.mark, part.got, want)
		}
	}
	usage := nuc.UsageOther
	switch {
	case strings.Contains(i.KeyUsage, "nonRepudiation") && (strings.Contains(i.KeyUsage, "keyAgreement") || strings.Contains(i.KeyUsage, "keyEncipherment")):
		usage = nuc.UsageBoth
	case strings.Contains(i.KeyUsage, "nonRepudiation"):
		usage = nuc.UsageSign
	case strings.Contains(i.KeyUsage, "keyEncipherment"):
		usage = nuc.UsageAuth
	}
	if s.Usage != usage {
		t.Errorf("%s: usage %s, want %s from %s", i.File, s.Usage, usage, i.KeyUsage)
	}
	base := filepath.Base(i.File)
	roles := strings.Join(s.Roles, " ")
	for _, role := range []string{"head", "signer", "hr", "employee", "treasury"} {
		if strings.Contains(base, "-"+role+"-") && roles != role {
			t.Errorf("%s: roles %q", i.File, roles)
		}
	}
	if strings.Contains(base, "-individual-") && (s.Kind != nuc.Individual || roles != "") {
		t.Errorf("%s: kind %s, roles %q", i.File, s.Kind, roles)
	}
	if strings.Contains(base, "-infosystem-") && (s.Kind != nuc.LegalEntity || roles != "information_system") {
		t.Errorf("%s: kind %s, roles %q", i.File, s.Kind, roles)
	}
}

func TestCorpusCertificates(t *testing.T) {
	dir, items := corpus(t)
	trust := corpusTrust(t, dir)
	n := 0
	for _, i := range items {
		if i.Kind != "cert" {
			continue
		}
		n++
		c, err := nuc.ParseCertificate(i.read(t, dir))
		if err != nil {
			t.Errorf("%s: %v", i.File, err)
			continue
		}
		i.describes(t, c)
		i.judge(t, trust, c)
		if urls := append(c.IssuerURLs, c.OCSPServers...); i.Origin != "derived" && len(urls) != len(i.Details.AIA) {
			t.Errorf("%s: addresses %q, want %q", i.File, urls, i.Details.AIA)
		}
	}
	if n == 0 {
		t.Fatal("no certificate in the corpus")
	}
}

func TestCorpusKeyFiles(t *testing.T) {
	dir, items := corpus(t)
	trust := corpusTrust(t, dir)
	n := 0
	for _, i := range items {
		if i.Kind != "p12" {
			continue
		}
		n++
		raw := i.read(t, dir)
		if _, err := keystore.OpenPKCS12(raw, i.Password+"x"); !errors.Is(err, keystore.ErrPassword) {
			t.Errorf("%s: with a wrong password: %v", i.File, err)
		}
		key, err := keystore.OpenPKCS12(raw, i.Password)
		var c *nuc.Certificate
		switch {
		case err == nil:
			c = key.Certificate
			if key.Name != i.Alias {
				t.Errorf("%s: name %q, want %q", i.File, key.Name, i.Alias)
			}
			digest := key.Algorithm.Digest.Sum([]byte("to be signed"))
			sig, err := key.Sign(digest)
			if err != nil {
				t.Errorf("%s: %v", i.File, err)
			} else if err := key.Algorithm.Verify(c.PublicKey, digest, sig); err != nil {
				t.Errorf("%s: its own signature: %v", i.File, err)
			}
		default:
			t.Errorf("%s: %v", i.File, err)
			continue
		}
		i.describes(t, c)
		i.judge(t, trust, c)
	}
	if n == 0 {
		t.Fatal("no key file in the corpus")
	}
}

// corpusChecker holds every undamaged list of the corpus.
func corpusChecker(t *testing.T, dir string, items []item) *revocation.Checker {
	t.Helper()
	c := revocation.NewChecker(revocation.Options{})
	for _, i := range items {
		if i.Kind != "crl" || i.Origin == "derived" {
			continue
		}
		l, err := revocation.ParseCRL(i.read(t, dir))
		if err != nil {
			t.Fatalf("%s: %v", i.File, err)
		}
		c.AddCRL(l)
	}
	return c
}

func TestCorpusLists(t *testing.T) {
	dir, items := corpus(t)
	trust := corpusTrust(t, dir)
	n := 0
	for _, i := range items {
		if i.Kind != "crl" {
			continue
		}
		n++
		l, err := revocation.ParseCRL(i.read(t, dir))
		if err != nil {
			if i.Origin != "derived" { // one bit can make a list unreadable
				t.Errorf("%s: %v", i.File, err)
			}
			continue
		}
		if i.Origin != "derived" && (l.Len() != i.Details.Entries || l.Number.String() != i.Details.Number || l.Delta != (i.Details.Type == "delta")) {
			t.Errorf("%s: %s with %d entries", i.File, l, l.Len())
		}
		at := l.ThisUpdate.Add(time.Hour)
		if i.Signature == "invalid" {
			outcome, reason := verdict.Sum(revocation.JudgeCRL(l, trust, at))
			if outcome != verdict.Failed || reason != verdict.SigCryptoFailure {
				t.Errorf("%s: %v %v", i.File, outcome, reason)
			}
			continue
		}
		for _, v := range i.Verdicts {
			checks := revocation.JudgeCRL(l, trust, v.At)
			outcome, reason := verdict.Sum(checks)
			want, why := verdict.Passed, verdict.None
			if v.Status == "stale" {
				want, why = verdict.Undetermined, verdict.TryLater
			}
			if outcome != want || reason != why {
				t.Errorf("%s at %s (%s): %v %v: %+v", i.File, v.At, v.Status, outcome, reason, checks)
			}
		}
	}
	if n == 0 {
		t.Fatal("no list in the corpus")
	}
}

func TestCorpusAnswers(t *testing.T) {
	dir, items := corpus(t)
	trust := corpusTrust(t, dir)
	n := 0
	for _, i := range items {
		if i.Kind != "ocsp" {
			continue
		}
		n++
		r, err := revocation.ParseOCSP(i.read(t, dir))
		if err != nil {
			t.Errorf("%s: %v", i.File, err)
			continue
		}
		if i.Signature == "invalid" {
			outcome, _ := verdict.Sum(revocation.JudgeOCSP(context.Background(), r, trust, nil, r.ProducedAt))
			if outcome != verdict.Failed {
				t.Errorf("%s: %v", i.File, outcome)
			}
			continue
		}
		for _, v := range i.Verdicts {
			checks := revocation.JudgeOCSP(context.Background(), r, trust, nil, v.At)
			outcome, reason := verdict.Sum(checks)
			want, why := verdict.Passed, verdict.None
			if v.Status == "revoked" {
				want, why = verdict.Failed, verdict.Revoked
			}
			if outcome != want || reason != why {
				t.Errorf("%s at %s (%s): %v %v: %+v", i.File, v.At, v.Status, outcome, reason, checks)
			}
		}
	}
	if n == 0 {
		t.Fatal("no answer in the corpus")
	}
}

// TestCorpusRevocation: the certificates of the corpus that a list of the
// corpus covers, and those that none does, with chain and dates.
func TestCorpusRevocation(t *testing.T) {
	dir, items := corpus(t)
	trust := corpusTrust(t, dir)
	checker := corpusChecker(t, dir, items)
	revoked, good := 0, 0
	for _, i := range items {
		var c *nuc.Certificate
		switch i.Kind {
		case "cert":
			var err error
			if c, err = nuc.ParseCertificate(i.read(t, dir)); err != nil {
				t.Fatal(err)
			}
		case "p12":
			key, err := keystore.OpenPKCS12(i.read(t, dir), i.Password)
			if err != nil {
				t.Fatal(err)
			}
			c = key.Certificate
		default:
			continue
		}
		for _, v := range i.Verdicts {
			checks := revocation.JudgeCertificate(context.Background(), c, trust, checker, false, v.At)
			outcome, reason := verdict.Sum(checks)
			ok := false
			switch v.Status {
			case "revoked":
				revoked++
				ok = outcome == verdict.Failed && reason == verdict.Revoked
			case "expired":
				ok = outcome == verdict.Failed && reason == verdict.Expired
			case "not-yet-valid":
				ok = outcome == verdict.Failed && reason == verdict.NotYetValid
			case "valid":
				// Where no list covers the time the honest answer is that it is not known.
				ok = outcome == verdict.Passed || outcome == verdict.Undetermined && (reason == verdict.TryLater || reason == verdict.NoPOE)
				if outcome == verdict.Passed && !trust.IsRoot(c) {
					good++
				}
			}
			if !ok {
				t.Errorf("%s at %s (%s): %v %v: %+v", i.File, v.At, v.Status, outcome, reason, checks)
			}
		}
	}
	if revoked == 0 || good == 0 {
		t.Fatalf("%d revoked, %d good: the corpus has both", revoked, good)
	}
}
