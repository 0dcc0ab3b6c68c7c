package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/signature/sigtest"
)

// trustFiles is verifyFiles with a signed message, and root and issuing
// authority in files of their own.
func trustFiles(t *testing.T) (at func(string) string, pin string) {
	t.Helper()
	dir, a, _ := verifyFiles(t)
	at = func(name string) string { return filepath.Join(dir, name) }
	code, signed, complaint := command(t, "", "sign", "-p12", at("key.p12"), "-pass-file", at("pass"), at("message.xml"))
	if code != exitPassed {
		t.Fatal(complaint)
	}
	if err := os.Mkdir(at("recorded"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"root.cer": a.Root(), "issuing.cer": a.Issuing(), "recorded/1.xml": []byte(signed),
		"recorded/2.xml": []byte(strings.Replace(signed, "900101300120", "900101300121", 1)),
	} {
		if err := os.WriteFile(at(name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, out, complaint := command(t, "", "trust", "key", at("operator.pem"))
	if code != exitPassed {
		t.Fatal(complaint)
	}
	pin = strings.TrimSpace(out)
	if _, again, _ := command(t, "", "trust", "key", at("operator.pem")); again != out {
		t.Fatalf("the key was made anew: %s, %s", out, again)
	}
	return at, pin
}

// must runs a command that has to end with a status.
func must(t *testing.T, want int, args ...string) string {
	t.Helper()
	code, out, complaint := command(t, "", args...)
	if code != want {
		t.Fatalf("%v: status %d\n%s%s", args, code, out, complaint)
	}
	return out + complaint
}

// TestTrustFromCandidateToTrusted walks a root's way: proposed, tried on
// recorded messages, trusted; the old file stays as it was at every step.
func TestTrustFromCandidateToTrusted(t *testing.T) {
	at, pin := trustFiles(t)
	noon := sigtest.Noon().Format(time.RFC3339)
	must(t, exitPassed, "trust", "add", "-sign", at("operator.pem"), "-out", at("1.trust"), "-purpose", "sign", "-comment", "handed over in person", at("issuing.cer"))
	out := must(t, exitPassed, "trust", "add", "-bundle", at("1.trust"), "-sign", at("operator.pem"), "-out", at("2.trust"), "-candidate", at("root.cer"))
	if !strings.Contains(out, "issue 2 with 2 certificates") || !strings.Contains(out, "candidate root (sign stamp)") {
		t.Error(out)
	}
	two, err := os.ReadFile(at("2.trust"))
	if err != nil {
		t.Fatal(err)
	}
	bundle := []string{"-bundle", at("2.trust"), "-bundle-key", pin}
	verify := append([]string{"verify", "-at", noon, "-crl", at("list.crl")}, bundle...)
	if out := must(t, exitFailed, append(verify, at("recorded/1.xml"))...); !strings.Contains(out, "NO_CERTIFICATE_CHAIN_FOUND") || !strings.Contains(out, "it would hold if the candidate") {
		t.Errorf("a candidate: %s", out)
	}
	try := append([]string{"trust", "try", "-at", noon, "-crl", at("list.crl"), "-candidates"}, bundle...)
	out = must(t, exitFailed, append(try, at("recorded"))...)
	if !strings.Contains(out, "1.xml: TOTAL_FAILED NO_CERTIFICATE_CHAIN_FOUND -> TOTAL_PASSED") || strings.Contains(out, "2.xml") || !strings.Contains(out, "2 files judged") {
		t.Errorf("try: %s", out)
	}
	must(t, exitPassed, "trust", "add", "-bundle", at("2.trust"), "-bundle-key", pin, "-sign", at("operator.pem"), "-out", at("3.trust"), "-because", "tried since June", at("root.cer"))
	out = must(t, exitFailed, append(append([]string{"trust", "try", "-at", noon, "-crl", at("list.crl"), "-with", at("3.trust")}, bundle...), at("recorded"))...)
	if !strings.Contains(out, "-> TOTAL_PASSED") {
		t.Errorf("try: %s", out)
	}
	same := must(t, exitPassed, "trust", "try", "-at", noon, "-crl", at("list.crl"), "-trust", at("trust.pem"), "-with", at("3.trust"), "-with-key", pin, "-all", at("recorded"))
	if !strings.Contains(same, "1.xml: TOTAL_PASSED") || !strings.Contains(same, "2.xml: TOTAL_FAILED HASH_FAILURE") || !strings.Contains(same, "0 with another verdict") {
		t.Errorf("try: %s", same)
	}
	must(t, exitPassed, "verify", "-at", noon, "-crl", at("list.crl"), "-bundle", at("3.trust"), "-bundle-key", pin, at("recorded/1.xml"))
	if now, err := os.ReadFile(at("2.trust")); err != nil || string(now) != string(two) {
		t.Error("the bundle that was tried is another file now")
	}
	must(t, exitPassed, "trust", "add", "-bundle", at("3.trust"), "-sign", at("operator.pem"), "-out", at("4.trust"), "-remove", sumOf(t, at, pin, "root"))
	must(t, exitFailed, "verify", "-at", noon, "-crl", at("list.crl"), "-bundle", at("4.trust"), "-bundle-key", pin, at("recorded/1.xml"))
}

func sumOf(t *testing.T, at func(string) string, pin, kind string) string {
	t.Helper()
	var lines []trustLine
	out := must(t, exitPassed, "trust", "list", "-json", "-bundle", at("3.trust"), "-bundle-key", pin)
	if err := json.Unmarshal([]byte(out), &lines); err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		if l.Kind == kind {
			return l.SHA256
		}
	}
	t.Fatalf("no %s in %s", kind, out)
	return ""
}

func TestTrustList(t *testing.T) {
	at, pin := trustFiles(t)
	must(t, exitPassed, "trust", "add", "-sign", at("operator.pem"), "-out", at("1.trust"), "-candidate", "-comment", "next year's", at("root.cer"))
	out := must(t, exitPassed, "trust", "list", "-bundle", at("1.trust"), "-bundle-key", pin, "-trust", at("issuing.cer"))
	for _, want := range []string{"issue 1 of ", pin, "candidate  root", "trusted    intermediate", "next year's", "DAYS LEFT"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if strings.Index(out, "trusted ") > strings.Index(out, "candidate ") {
		t.Errorf("candidates come first:\n%s", out)
	}
}

func TestTrustRefusals(t *testing.T) {
	at, pin := trustFiles(t)
	must(t, exitPassed, "trust", "add", "-sign", at("operator.pem"), "-out", at("1.trust"), at("trust.pem"))
	must(t, exitPassed, "trust", "key", at("other.pem"))
	raw, err := os.ReadFile(at("1.trust"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("changed.trust"), []byte(strings.Replace(string(raw), "issue: 1", "issue: 2", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no verb":            {[]string{}, "usage"},
		"unknown verb":       {[]string{"drop"}, "list, add, try or key"},
		"no key pinned":      {[]string{"list", "-bundle", at("1.trust")}, "-bundle-key"},
		"another key pinned": {[]string{"list", "-bundle", at("1.trust"), "-bundle-key", strings.Repeat("ab", 32)}, "not signed by a pinned key"},
		"half a fingerprint": {[]string{"list", "-bundle", at("1.trust"), "-bundle-key", "abcd"}, "64 hexadecimal"},
		"changed":            {[]string{"list", "-bundle", at("changed.trust"), "-bundle-key", pin}, "does not fit"},
		"overwritten":        {[]string{"add", "-bundle", at("1.trust"), "-sign", at("operator.pem"), "-out", at("1.trust"), at("root.cer")}, "exists"},
		"a person":           {[]string{"add", "-sign", at("operator.pem"), "-out", at("x.trust"), at("leaf.pem")}, "no certification authority"},
		"not a key":          {[]string{"add", "-sign", at("trust.pem"), "-out", at("x.trust"), at("root.cer")}, "no private key"},
		"another's bundle":   {[]string{"add", "-bundle", at("1.trust"), "-sign", at("other.pem"), "-out", at("x.trust"), at("root.cer")}, "not signed by a pinned key"},
		"nothing to add":     {[]string{"add", "-sign", at("operator.pem"), "-out", at("x.trust")}, "name certificates"},
		"remove a stranger":  {[]string{"add", "-bundle", at("1.trust"), "-sign", at("operator.pem"), "-out", at("x.trust"), "-remove", strings.Repeat("ab", 32)}, "no such certificate"},
		"try nothing":        {[]string{"try", "-trust", at("trust.pem"), at("recorded")}, "what is proposed"},
		"try on nothing":     {[]string{"try", "-trust", at("trust.pem"), "-candidates"}, "recorded messages"},
		"try on a ghost":     {[]string{"try", "-trust", at("trust.pem"), "-candidates", at("ghost")}, "ghost"},
	} {
		t.Run(name, func(t *testing.T) {
			if out := must(t, exitUsage, append([]string{"trust"}, c.args...)...); !strings.Contains(out, c.says) {
				t.Error(out)
			}
			if _, err := os.Stat(at("x.trust")); err == nil {
				t.Error("a file was left")
			}
		})
	}
}
