package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"kopir/signature/nuc"
	"kopir/signature/revocation"
	"kopir/signature/sigtest"
)

// pkiFiles writes an authority, a good and a revoked person, lists and answers.
func pkiFiles(t *testing.T) (at func(string) string, made time.Time) {
	t.Helper()
	dir := t.TempDir()
	at = func(name string) string { return filepath.Join(dir, name) }
	ca, err := sigtest.NewAuthority("verify", sigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	made = sigtest.Noon()
	write := func(name string, data []byte, err error) {
		t.Helper()
		if err == nil {
			err = os.WriteFile(at(name), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	issuer, err := nuc.ParseCertificate(ca.Issuing())
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"good", "revoked"} {
		c, err := ca.Issue(sigtest.Profile{Kind: sigtest.Person, IIN: sigtest.IIN(i + 1), Surname: "ТЕСТОВ", GivenName: "ТЕСТ"})
		if err != nil {
			t.Fatal(err)
		}
		if name == "revoked" {
			ca.Revoke(c, made.Add(-time.Hour), 1)
		}
		write(name+".cer", c.DER, nil)
		leaf, err := nuc.ParseCertificate(c.DER)
		if err != nil {
			t.Fatal(err)
		}
		request, err := revocation.NewOCSPRequest(leaf, issuer, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := ca.OCSP(request, made, sigtest.OCSPOptions{})
		write(name+".ocsp", answer, err)
	}
	write("trust.pem", ca.ChainPEM(), nil)
	list, err := ca.CRL(made, made.AddDate(0, 0, 30))
	write("ca.crl", list, err)
	if err != nil {
		t.Fatal(err)
	}
	list[len(list)-1] ^= 1
	write("altered.crl", list, nil)
	write("cut.crl", list[:len(list)-9], nil)
	return at, made
}

func TestVerifyPKI(t *testing.T) {
	at, made := pkiFiles(t)
	for _, c := range []struct {
		name   string
		args   []string
		after  time.Duration
		code   int
		reason string
	}{
		{"certificate, OCSP", []string{"-ocsp", at("good.ocsp"), at("good.cer")}, 0, exitPassed, ""},
		{"certificate, list", []string{"-crl", at("ca.crl"), at("good.cer")}, time.Hour, exitPassed, ""},
		{"certificate, no evidence", []string{at("good.cer")}, 0, exitIndeterminate, "TRY_LATER"},
		{"certificate, not asked", []string{"-revocation", "off", at("good.cer")}, 0, exitPassed, ""},
		{"certificate, stale list", []string{"-crl", at("ca.crl"), at("good.cer")}, 31 * 24 * time.Hour, exitIndeterminate, "TRY_LATER"},
		{"certificate, altered list", []string{"-crl", at("altered.crl"), at("good.cer")}, 0, exitIndeterminate, "SIG_CRYPTO_FAILURE"},
		{"certificate, revoked by OCSP", []string{"-ocsp", at("revoked.ocsp"), at("revoked.cer")}, 0, exitFailed, "REVOKED"},
		{"certificate, revoked by list", []string{"-crl", at("ca.crl"), at("revoked.cer")}, 0, exitFailed, "REVOKED"},
		{"certificate, another's answer", []string{"-ocsp", at("good.ocsp"), at("revoked.cer")}, 0, exitIndeterminate, "TRY_LATER"},
		{"certificate, expired", []string{"-crl", at("ca.crl"), at("good.cer")}, 400 * 24 * time.Hour, exitFailed, "EXPIRED"},
		{"certificate, right IIN", []string{"-revocation", "off", "-iin", sigtest.IIN(1), at("good.cer")}, 0, exitPassed, ""},
		{"certificate, other IIN", []string{"-revocation", "off", "-iin", sigtest.IIN(2), at("good.cer")}, 0, exitFailed, "IIN_MISMATCH"},
		{"list", []string{at("ca.crl")}, time.Hour, exitPassed, ""},
		{"list, stale", []string{at("ca.crl")}, 31 * 24 * time.Hour, exitIndeterminate, "TRY_LATER"},
		{"list, altered", []string{"-format", "crl", at("altered.crl")}, time.Hour, exitFailed, "SIG_CRYPTO_FAILURE"},
		{"list, cut off", []string{"-format", "crl", at("cut.crl")}, time.Hour, exitFailed, "FORMAT_FAILURE"},
		{"answer, good", []string{at("good.ocsp")}, 0, exitPassed, ""},
		{"answer, revoked", []string{"-format", "ocsp", at("revoked.ocsp")}, 0, exitFailed, "REVOKED"},
		{"answer, old", []string{at("good.ocsp")}, 48 * time.Hour, exitIndeterminate, "TRY_LATER"},
		{"answer, read as a list", []string{"-format", "crl", at("good.ocsp")}, 0, exitFailed, "FORMAT_FAILURE"},
		{"evidence that cannot be read", []string{"-crl", at("good.cer"), at("good.cer")}, 0, exitUsage, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"verify", "-trust", at("trust.pem"), "-at", made.Add(c.after).Format(time.RFC3339)}, c.args...)
			code, out, complaint := runVerb(t, args...)
			if code != c.code {
				t.Fatalf("exit %d: %s%s", code, out, complaint)
			}
			if code == exitUsage {
				if complaint == "" || out != "" {
					t.Fatalf("%q %q", out, complaint)
				}
				return
			}
			var v struct {
				Outcome, Reason string
				Signatures      []struct {
					Checks []struct{ Name, Outcome, Reason string }
				}
			}
			if err := json.Unmarshal([]byte(out), &v); err != nil {
				t.Fatal(err)
			}
			if v.Reason != c.reason || len(v.Signatures) != 1 || len(v.Signatures[0].Checks) == 0 {
				t.Errorf("%s", out)
			}
		})
	}
}
