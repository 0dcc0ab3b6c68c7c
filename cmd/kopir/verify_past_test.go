package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/signature/sigtest"
)

// TestVerifyAtPastTimes: an XML signature judged long after, for the time at
// which it is known to have existed, by evidence that was stored. Evidence that
// came too late, or ends too early, proves nothing; nothing is believed that
// would not have been believed then.
func TestVerifyAtPastTimes(t *testing.T) {
	dir := t.TempDir()
	f := func(name string) string { return filepath.Join(dir, name) }
	a, err := sigtest.NewAuthority("past", sigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	noon, day := sigtest.Noon(), 24*time.Hour
	write := func(name string, data []byte, err error) {
		t.Helper()
		if err == nil {
			err = os.WriteFile(f(name), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write("trust.pem", a.ChainPEM(), nil)
	write("pass", []byte("secret\n"), nil)
	write("message.xml", []byte(`<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><a>1</a></S:Body></S:Envelope>`), nil)
	write("document.xml", []byte("<application>1</application>"), nil)
	list := func(name string, made time.Time) {
		raw, err := a.CRL(made, made.Add(7*day))
		write(name, raw, err)
	}
	for i, who := range []string{"kept", "revoked"} {
		c, err := a.Issue(sigtest.Profile{Kind: sigtest.Person, IIN: sigtest.IIN(i + 1), Surname: "ТЕСТОВ", GivenName: "ТЕСТ", NotAfter: noon.Add(30 * day)})
		if err != nil {
			t.Fatal(err)
		}
		p12, err := c.PKCS12("secret")
		write(who+".p12", p12, err)
		for _, format := range []string{"wsse", "xmldsig"} {
			in := map[string]string{"wsse": "message.xml", "xmldsig": "document.xml"}[format]
			code, signed, complaint := command(t, "", "sign", "-format", format, "-p12", f(who+".p12"), "-pass-file", f("pass"), f(in))
			if code != exitPassed {
				t.Fatal(complaint)
			}
			write(who+"."+format, []byte(signed), nil)
		}
		if who == "revoked" {
			list("before.crl", noon.Add(-day)) // nobody is revoked yet
			a.Revoke(c, noon.Add(5*day), 1)
		}
	}
	list("after.crl", noon.Add(6*day))
	list("late.crl", noon.Add(40*day)) // both certificates have ended
	for _, c := range []struct {
		name, who, crl string
		at             time.Time
		code           int
		reason         string
	}{
		{"evidence of its time", "kept", "before.crl", noon, exitPassed, ""},
		{"evidence made later, within the certificate's life", "kept", "after.crl", noon, exitPassed, ""},
		{"evidence made after the certificate's end", "kept", "late.crl", noon, exitIndeterminate, "NO_POE"},
		{"evidence that ended before", "kept", "before.crl", noon.Add(10 * day), exitIndeterminate, "TRY_LATER"},
		{"no evidence", "kept", "", noon, exitIndeterminate, "TRY_LATER"},
		{"after the certificate's end", "kept", "late.crl", noon.Add(41 * day), exitFailed, "EXPIRED"},
		{"before it was revoked", "revoked", "after.crl", noon, exitPassed, ""},
		{"once it was revoked", "revoked", "after.crl", noon.Add(5*day + time.Hour), exitFailed, "REVOKED"},
		{"an older list does not hide the revocation", "revoked", "before.crl after.crl", noon.Add(5*day + time.Hour), exitFailed, "REVOKED"},
	} {
		for _, format := range []string{"wsse", "xmldsig"} {
			t.Run(c.name+", "+format, func(t *testing.T) {
				args := []string{"verify", "-trust", f("trust.pem"), "-at", c.at.Format(time.RFC3339)}
				for _, crl := range strings.Fields(c.crl) {
					args = append(args, "-crl", f(crl))
				}
				if out := must(t, c.code, append(args, f(c.who+"."+format))...); c.reason != "" && !strings.Contains(out, `"reason": "`+c.reason+`"`) {
					t.Error(out)
				}
			})
		}
	}
}
