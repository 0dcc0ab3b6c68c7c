package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/signature/sigtest"
)

// command runs a command line and gives its status and what it wrote.
func command(t *testing.T, in string, args ...string) (code int, out, complaint string) {
	t.Helper()
	var o, e bytes.Buffer
	env := func(string) string { return "" }
	code = run(context.Background(), args, stdio{in: strings.NewReader(in), out: &o, err: &e, env: env})
	return code, o.String(), e.String()
}

// files writes an authority's files and a signer's key.
func verifyFiles(t *testing.T) (dir string, a *sigtest.Authority, who *sigtest.Credential) {
	t.Helper()
	dir = t.TempDir()
	a, err := sigtest.NewAuthority("", sigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	who, err = a.Issue(sigtest.Profile{Kind: sigtest.Head, IIN: "900101300120", BIN: "010140000002", Surname: "ТЕСТОВ", GivenName: "ТЕСТ"})
	if err != nil {
		t.Fatal(err)
	}
	p12, err := who.PKCS12("secret")
	if err != nil {
		t.Fatal(err)
	}
	crl, err := a.CRL(sigtest.Noon().Add(-time.Hour), sigtest.Noon().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"trust.pem": a.ChainPEM(), "key.p12": p12, "pass": []byte("secret\n"), "wrong": []byte("guess\n"), "list.crl": crl, "leaf.pem": who.PEM(),
		"message.xml":  []byte(`<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><a>900101300120</a></S:Body></S:Envelope>`),
		"document.xml": []byte("<application><iin>900101300120</iin></application>"),
		"broken.xml":   []byte("<application>"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, a, who
}

type printed struct {
	Outcome, Reason string
	Signatures      []struct {
		Outcome, Reason, Algorithm string
		Signed                     []string
		SignedAt                   string `json:"signed_at"`
		Signer                     *struct{ IIN, BIN, Usage string }
		Checks                     []struct{ Name, Outcome, Reason, Detail string }
	}
}

func TestSignAndVerify(t *testing.T) {
	dir, a, who := verifyFiles(t)
	f := func(name string) string { return filepath.Join(dir, name) }
	at := sigtest.Noon().Format(time.RFC3339)
	base := []string{"verify", "-trust", f("trust.pem"), "-at", at, "-crl", f("list.crl")}
	with := func(more ...string) []string { return append(append([]string{}, base...), more...) }

	sign := func(in string, more ...string) string {
		t.Helper()
		args := append([]string{"sign", "-p12", f("key.p12"), "-pass-file", f("pass")}, more...)
		code, out, complaint := command(t, in, args...)
		if code != exitPassed || complaint != "" {
			t.Fatalf("%v: %d %s", args, code, complaint)
		}
		return out
	}
	message := sign("", f("message.xml"))
	document := sign("<application><iin>900101300120</iin></application>", "-format", "xmldsig", "-")
	byNumber := sign("", "-keyinfo", "issuerserial", f("message.xml"))

	for name, c := range map[string]struct {
		in     string
		args   []string
		code   int
		reason string
	}{
		"message":          {message, with("-"), exitPassed, ""},
		"message, said so": {message, with("-format", "wsse", "-iin", "900101300120", "-bin", "010140000002", "-"), exitPassed, ""},
		"document":         {document, with("-"), exitPassed, ""},
		"document as SOAP": {document, with("-format", "wsse", "-"), exitFailed, "FORMAT_FAILURE"},
		"certificate":      {string(who.PEM()), with("-"), exitPassed, ""},
		"list":             {text(t, f("list.crl")), with("-"), exitPassed, ""},
		"list, later":      {text(t, f("list.crl")), with("-at", "2026-06-16T07:00:00Z", "-"), exitIndeterminate, "TRY_LATER"},
		"other IIN":        {message, with("-iin", "850505400454", "-"), exitFailed, "IIN_MISMATCH"},
		"expired":          {message, with("-at", "2028-01-01T00:00:00Z", "-"), exitFailed, "EXPIRED"},
		"no list":          {message, []string{"verify", "-trust", f("trust.pem"), "-at", at, "-"}, exitIndeterminate, "TRY_LATER"},
		"revocation off":   {message, []string{"verify", "-trust", f("trust.pem"), "-at", at, "-revocation", "off", "-"}, exitPassed, ""},
		"chain":            {message, with("-revocation", "chain", "-"), exitIndeterminate, "TRY_LATER"},
		"no trust":         {message, []string{"verify", "-at", at, "-"}, exitFailed, "NO_CERTIFICATE_CHAIN_FOUND"},
		"changed":          {strings.Replace(message, "<a>9", "<a>8", 1), with("-"), exitFailed, "HASH_FAILURE"},
		"unsigned":         {text(t, f("message.xml")), with("-"), exitFailed, "NO_SIGNATURE"},
		"not XML":          {"{}", with("-"), exitFailed, "FORMAT_FAILURE"},
		"nothing":          {"", with("-"), exitFailed, "FORMAT_FAILURE"},
		"DER of nothing":   {"0\x03abc", with("-"), exitFailed, "FORMAT_FAILURE"},
		"number, unknown":  {byNumber, with("-"), exitFailed, "NO_SIGNING_CERTIFICATE_FOUND"},
		"number, known":    {byNumber, with("-cert", f("leaf.pem"), "-"), exitPassed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			content := f("content-" + strings.ReplaceAll(name, " ", "-"))
			args := append([]string{c.args[0], "-content", content}, c.args[1:]...)
			code, out, complaint := command(t, c.in, args...)
			var got printed
			if err := json.Unmarshal([]byte(out), &got); err != nil {
				t.Fatalf("%v in %s %s", err, out, complaint)
			}
			isXML := name != "certificate" && name != "list"
			if isXML && code != c.code || got.Reason != c.reason {
				t.Errorf("status %d, %s %s: %s %s", code, got.Outcome, got.Reason, out, complaint)
			}
			written, err := os.ReadFile(content)
			if wrote := err == nil; wrote != (c.code == exitPassed && isXML) {
				t.Errorf("content written: %v", wrote)
			} else if wrote && !bytes.Contains(written, []byte("900101300120")) {
				t.Errorf("content %s", written)
			}
		})
	}

	t.Run("the object", func(t *testing.T) {
		_, out, words := command(t, message, with("-explain", "-")...)
		var got printed
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatal(err)
		}
		s := got.Signatures[0]
		if s.Algorithm == "" || len(s.Signed) != 1 || !strings.HasSuffix(s.Signed[0], "}Body") || s.Signer == nil ||
			s.Signer.IIN != "900101300120" || s.Signer.Usage != "SIGN" || len(s.Checks) < 10 {
			t.Errorf("%+v", got)
		}
		for _, word := range []string{"TOTAL_PASSED", "900101300120", "revocation", "chain"} {
			if !strings.Contains(words, word) {
				t.Errorf("-explain does not say %q:\n%s", word, words)
			}
		}
	})
	t.Run("second opinion", func(t *testing.T) {
		for name, c := range map[string]struct{ in, says string }{
			"document": {document, "agrees: the signature fits"},
			"changed":  {strings.Replace(document, "<iin>9", "<iin>8", 1), "agrees: "},
			"message":  {message, "differs: "}, // it knows no WS-Security
			"unsigned": {"<a/>", "was not asked"},
		} {
			if _, _, words := command(t, c.in, with("-second-opinion", "-")...); !strings.Contains(words, c.says) {
				t.Errorf("%s: %s", name, words)
			}
		}
	})
	t.Run("revoked", func(t *testing.T) {
		a.Revoke(who, sigtest.Noon().Add(-30*time.Minute), sigtest.ReasonKeyCompromise)
		crl, err := a.CRL(sigtest.Noon().Add(-time.Minute), sigtest.Noon().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f("new.crl"), crl, 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, _ := command(t, message, with("-crl", f("new.crl"), "-")...)
		if code != exitFailed || !strings.Contains(out, `"REVOKED"`) {
			t.Errorf("%d %s", code, out)
		}
	})
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Wrong use is one sentence, status 2, and nothing on standard output.
func TestSignAndVerifyWrongUse(t *testing.T) {
	dir, _, _ := verifyFiles(t)
	f := func(name string) string { return filepath.Join(dir, name) }
	for name, args := range map[string][]string{
		"no file":             {"verify"},
		"two files":           {"verify", "-", "-"},
		"missing file":        {"verify", f("nothing.xml")},
		"unknown flag":        {"verify", "-strict", "-"},
		"unknown format":      {"verify", "-format", "pdf", "-"},
		"stamp in a list":     {"verify", "-format", "crl", "-at", "stamp", "-"},
		"detached":            {"verify", "-detached", "x", "-"},
		"revocation":          {"verify", "-revocation", "maybe", "-"},
		"time":                {"verify", "-at", "yesterday", "-"},
		"short IIN":           {"verify", "-iin", "123", "-"},
		"no trust file":       {"verify", "-trust", f("nothing.pem"), "-"},
		"trust without root":  {"verify", "-trust", f("leaf.pem"), "-"},
		"list is no list":     {"verify", "-crl", f("leaf.pem"), "-"},
		"answer is none":      {"verify", "-ocsp", f("pass"), "-"},
		"sign: no key":        {"sign", f("message.xml")},
		"sign: no such key":   {"sign", "-p12", f("nothing.p12"), f("message.xml")},
		"sign: password":      {"sign", "-p12", f("key.p12"), "-pass-file", f("wrong"), f("message.xml")},
		"sign: no password":   {"sign", "-p12", f("key.p12"), "-pass-file", f("nothing"), f("message.xml")},
		"sign: no file":       {"sign", "-p12", f("key.p12"), "-pass-file", f("pass")},
		"sign: missing file":  {"sign", "-p12", f("key.p12"), "-pass-file", f("pass"), f("nothing.xml")},
		"sign: broken":        {"sign", "-p12", f("key.p12"), "-pass-file", f("pass"), "-format", "xmldsig", f("broken.xml")},
		"sign: not a message": {"sign", "-p12", f("key.p12"), "-pass-file", f("pass"), f("document.xml")},
		"sign: format":        {"sign", "-format", "pdf", "-p12", f("key.p12"), f("document.xml")},
		"sign: CMS, keyinfo":  {"sign", "-format", "cms", "-keyinfo", "bst", "-p12", f("key.p12"), "-pass-file", f("pass"), f("document.xml")},
		"sign: add to XML":    {"sign", "-add", f("message.xml"), "-p12", f("key.p12"), "-pass-file", f("pass"), f("message.xml")},
		"sign: add to none":   {"sign", "-format", "cms", "-add", f("message.xml"), "-p12", f("key.p12"), "-pass-file", f("pass")},
		"sign: add, detached": {"sign", "-format", "cms", "-detached", "-add", f("leaf.pem"), "-p12", f("key.p12"), "-pass-file", f("pass"), f("message.xml")},
		"detached content":    {"verify", "-format", "cms", "-detached", f("nothing"), "-"},
		"sign: keyinfo":       {"sign", "-keyinfo", "name", "-p12", f("key.p12"), f("document.xml")},
		"sign: detached":      {"sign", "-detached", "-p12", f("key.p12"), f("document.xml")},
		"sign: unknown flag":  {"sign", "-x", "-p12", f("key.p12"), f("document.xml")},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, complaint := command(t, "<a/>", args...)
			if code != exitUsage || out != "" || strings.Count(complaint, "\n") != 1 || !strings.HasPrefix(complaint, "kopir: ") {
				t.Errorf("status %d, out %q, complaint %q", code, out, complaint)
			}
			if strings.Contains(complaint, "guess") || strings.Contains(complaint, "secret") {
				t.Errorf("the password is told: %s", complaint)
			}
		})
	}
	for _, verb := range []string{"verify", "sign"} {
		if code, out, complaint := command(t, "", verb, "-h"); code != exitPassed || !strings.Contains(out, "usage: kopir "+verb) || complaint != "" {
			t.Errorf("%s -h: %d %s %s", verb, code, out, complaint)
		}
	}
}
