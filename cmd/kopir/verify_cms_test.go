package main

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/signature"
	"kopir/signature/algorithm"
	"kopir/signature/cms"
	"kopir/signature/nuc"
	"kopir/signature/sigtest"
)

// TestCMSCommands signs, adds a signer and judges, in every form in which a
// message comes.
func TestCMSCommands(t *testing.T) {
	dir, a, _ := verifyFiles(t)
	f := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(f(name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	other, err := a.Issue(sigtest.Profile{Kind: sigtest.Person, IIN: "850505400454", Surname: "ТЕСТОВА", GivenName: "ТЕСТ"})
	if err != nil {
		t.Fatal(err)
	}
	p12, err := other.PKCS12("secret")
	if err != nil {
		t.Fatal(err)
	}
	write("other.p12", p12)
	write("content", []byte("any bytes\x00\xff"))
	sign := func(key string, more ...string) string {
		t.Helper()
		code, out, complaint := command(t, "", append([]string{"sign", "-format", "cms", "-p12", f(key), "-pass-file", f("pass")}, more...)...)
		if code != exitPassed || complaint != "" {
			t.Fatalf("%v: %d %s", more, code, complaint)
		}
		return out
	}
	attached, detached := sign("key.p12", f("content")), sign("key.p12", "-detached", f("content"))
	write("attached.cms", []byte(attached))
	write("detached.cms", []byte(detached))
	two := sign("other.p12", "-add", f("attached.cms"))
	twoDetached := sign("other.p12", "-add", f("detached.cms"), f("content"))

	withStamp, token, value := stampCMS(t, a, []byte(attached), sigtest.Noon().Add(-time.Minute))
	write("value", value)
	pemOf := func(kind, der string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(der)}))
	}
	lines := base64.StdEncoding.EncodeToString([]byte(attached))
	lines = lines[:64] + "\r\n" + lines[64:] + "\r\n"

	at := sigtest.Noon().Format(time.RFC3339)
	base := []string{"verify", "-trust", f("trust.pem"), "-at", at, "-crl", f("list.crl")}
	for name, c := range map[string]struct {
		in     string
		args   []string
		code   int
		reason string
		signed int // signatures
	}{
		"attached":                {attached, nil, exitPassed, "", 1},
		"attached, said so":       {attached, []string{"-format", "cms"}, exitPassed, "", 1},
		"PEM":                     {pemOf("CMS", attached), nil, exitPassed, "", 1},
		"PEM, other name":         {pemOf("PKCS7", attached), nil, exitPassed, "", 1},
		"base64":                  {lines, nil, exitPassed, "", 1},
		"IIN":                     {attached, []string{"-iin", "900101300120", "-bin", "010140000002"}, exitPassed, "", 1},
		"other IIN":               {attached, []string{"-iin", "850505400454"}, exitFailed, "IIN_MISMATCH", 1},
		"detached":                {detached, []string{"-detached", f("content")}, exitPassed, "", 1},
		"detached, alone":         {detached, nil, exitIndeterminate, "SIGNED_DATA_NOT_FOUND", 1},
		"detached, other content": {detached, []string{"-detached", f("message.xml")}, exitFailed, "HASH_FAILURE", 1},
		"detached, empty content": {detached, []string{"-detached", os.DevNull}, exitFailed, "HASH_FAILURE", 1},
		"two":                     {two, nil, exitPassed, "", 2},
		"two, detached":           {twoDetached, []string{"-detached", f("content")}, exitPassed, "", 2},
		"cut":                     {attached[:len(attached)-1], nil, exitFailed, "FORMAT_FAILURE", 1},
		"stamped":                 {string(withStamp), nil, exitPassed, "", 1},
		"time stamp":              {string(token), nil, exitPassed, "", 1},
		"time stamp over it":      {string(token), []string{"-detached", f("value")}, exitPassed, "", 1},
		"time stamp, other":       {string(token), []string{"-detached", f("content")}, exitFailed, "HASH_FAILURE", 1},
		"answer":                  {string(cms.MarshalGranted(token)), nil, exitPassed, "", 1},
		"answer, said so":         {string(cms.MarshalGranted(token)), []string{"-format", "tsp"}, exitPassed, "", 1},
		"answer without":          {string(cms.MarshalRejected("no")), nil, exitFailed, "NO_SIGNATURE", 1},
		"stamp as a document":     {string(token), []string{"-format", "cms"}, exitFailed, "SIG_CONSTRAINTS_FAILURE", 1},
		"document as a stamp":     {attached, []string{"-format", "tsp"}, exitFailed, "FORMAT_FAILURE", 1},
		"XML as CMS":              {"<a/>", []string{"-format", "cms"}, exitFailed, "FORMAT_FAILURE", 1},
	} {
		t.Run(name, func(t *testing.T) {
			out := f("out-" + strings.NewReplacer(" ", "-", ",", "").Replace(name))
			args := append(append(append([]string{}, base...), "-content", out), c.args...)
			code, printedOut, complaint := command(t, c.in, append(args, "-")...)
			var got printed
			if err := json.Unmarshal([]byte(printedOut), &got); err != nil {
				t.Fatalf("%v: %s", err, complaint)
			}
			if code != c.code || got.Reason != c.reason || len(got.Signatures) != c.signed {
				t.Fatalf("status %d, %s", code, printedOut)
			}
			written, err := os.ReadFile(out)
			if (err == nil) != (code == exitPassed) {
				t.Fatalf("content written: %v", err == nil)
			}
			if strings.Contains(name, "ttached") && code == exitPassed && string(written) != "any bytes\x00\xff" {
				t.Errorf("content %q", written)
			}
			if strings.HasPrefix(name, "stamped") && got.Signatures[0].SignedAt != "2026-06-15T06:59:00Z" {
				t.Errorf("signed at %s", got.Signatures[0].SignedAt)
			}
		})
	}
}

// stampCMS has an authority stamp the one signature of a message.
func stampCMS(t *testing.T, a *sigtest.Authority, message []byte, at time.Time) (stamped, token, value []byte) {
	t.Helper()
	tsa, err := a.Issue(sigtest.Profile{Kind: sigtest.Timestamps, CommonName: "TSA", IIN: "900101300120"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := tsa.Key()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := cms.Parse(message)
	if err != nil {
		t.Fatal(err)
	}
	value = parsed.Signers[0].Value
	digest := algorithm.SHA256()
	token, err = signature.SignTimestamp(cms.TSTInfo{
		Policy: "1.2.398.3.3.2.6.2", Serial: big.NewInt(1), Time: at,
		Imprint: cms.Imprint{Hash: nuc.NewAlgorithm(digest.OIDs[0]), Digest: digest.Sum(value)},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	if stamped, err = parsed.WithToken(0, token); err != nil {
		t.Fatal(err)
	}
	return stamped, token, value
}

// TestVerifyAtStamp: a signature whose certificate has ended was good when it
// was stamped. Stamps are judged now, so everything here is of the day.
func TestVerifyAtStamp(t *testing.T) {
	now, dir := time.Now().UTC(), t.TempDir()
	a, err := sigtest.NewAuthority("", sigtest.Options{Day: now.AddDate(0, 0, -30)})
	if err != nil {
		t.Fatal(err)
	}
	who, err := a.Issue(sigtest.Profile{Kind: sigtest.Person, IIN: "900101300120", Surname: "ТЕСТОВ", GivenName: "ТЕСТ", NotAfter: now.AddDate(0, 0, -3)})
	if err != nil {
		t.Fatal(err)
	}
	key, err := who.Key()
	if err != nil {
		t.Fatal(err)
	}
	message, err := signature.SignCMS([]byte("text"), key, signature.CMSOptions{})
	if err != nil {
		t.Fatal(err)
	}
	trust := filepath.Join(dir, "trust.pem")
	if err := os.WriteFile(trust, a.ChainPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	stamped, _, _ := stampCMS(t, a, message, now.AddDate(0, 0, -5))
	late, _, _ := stampCMS(t, a, message, now.AddDate(0, 0, -1))
	for name, c := range map[string]struct {
		message []byte
		more    []string
		code    int
		reason  string
	}{
		"now":              {stamped, nil, exitFailed, "EXPIRED"},
		"at its stamp":     {stamped, []string{"-at", "stamp"}, exitPassed, ""},
		"stamped too late": {late, []string{"-at", "stamp"}, exitFailed, "EXPIRED"},
		"no stamp":         {message, []string{"-at", "stamp"}, exitFailed, "EXPIRED"},
	} {
		args := append([]string{"verify", "-trust", trust, "-revocation", "off"}, c.more...)
		code, out, complaint := command(t, string(c.message), append(args, "-")...)
		var got printed
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("%v: %s", err, complaint)
		}
		if code != c.code || got.Reason != c.reason {
			t.Errorf("%s: status %d, %s", name, code, out)
		}
	}
}
