//go:build shared

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kopir/signature/keystore"
)

// corpusRow is what the list of real objects says of one.
type corpusRow struct {
	File      string `json:"file"`
	Kind      string `json:"kind"`
	Signature string `json:"expected_signature"`
	Chain     string `json:"expected_chain"`
	Content   string `json:"content_file"`
	Stamped   string `json:"stamped_file"`
	Password  string `json:"password"`
	Note      string `json:"note"`
	Verdicts  []struct{ At, Status string }
	Details   struct {
		Detached bool
	}
}

// TestCorpus judges the whole corpus through the command, each item at each of
// the times for which the corpus has a status.
func TestCorpus(t *testing.T) {
	dir := sharedPath(t, "nuc", "corpus")
	raw, err := os.ReadFile(filepath.Join(dir, "MANIFEST.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Items []corpusRow }
	if err := json.Unmarshal(raw, &manifest); err != nil {
		t.Fatal(err)
	}
	lists, err := filepath.Glob(filepath.Join(dir, "visible", "crl", "*.crl"))
	if err != nil || len(lists) == 0 {
		t.Fatal("no lists", err)
	}
	var stored []string
	for _, l := range lists {
		if !strings.Contains(l, "-altered") {
			stored = append(stored, "-crl", l)
		}
	}
	items, verdicts := map[string]int{}, 0
	for _, item := range manifest.Items {
		t.Run(item.File, func(t *testing.T) {
			items[item.Kind]++
			if item.Kind == "vectors" {
				return // numbers for package gost, which tries them
			}
			verdicts += item.judge(t, dir, stored)
		})
	}
	t.Logf("%d verdicts on %v", verdicts, items)
	if verdicts < len(manifest.Items) {
		t.Errorf("%d verdicts on %d items", verdicts, len(manifest.Items))
	}
}

var corpusFormats = map[string]string{"cert": "cert", "crl": "crl", "ocsp": "ocsp", "xml": "xmldsig", "wsse": "wsse", "cms": "cms", "tsp": "tsp", "p12": "cert"}

// judge gives the number of verdicts that were compared.
func (i corpusRow) judge(t *testing.T, dir string, stored []string) (count int) {
	file := filepath.Join(dir, i.File)
	if i.Kind == "p12" {
		if file = i.open(t, file); file == "" {
			return 0
		}
	}
	ask := func(at string, more ...string) (string, printed) {
		count++
		args := append([]string{"-format", corpusFormats[i.Kind], "-trust", filepath.Join(dir, "visible", "ca"), "-at", at}, more...)
		if i.Content != "" {
			args = append(args, "-detached", filepath.Join(dir, i.Content))
		}
		if i.Stamped != "" {
			args = append(args, "-detached", filepath.Join(dir, i.Stamped))
		}
		code, got := judged(t, append(args, file)...)
		return strings.TrimSpace(fmt.Sprintf("%d %s", code, got.Reason)), got
	}
	if i.Signature != "valid" {
		if have, got := ask("2021-07-20T00:00:00Z", "-revocation", "off"); !strings.HasPrefix(have, "1 ") {
			t.Errorf("not refused: %s %+v", have, got)
		}
		return count
	}
	if i.Kind == "tsp" {
		expect := "0"
		if i.Chain != "valid" {
			expect = "1 NO_CERTIFICATE_CHAIN_FOUND"
		}
		if have, _ := ask("2026-11-01T00:00:00Z", "-revocation", "off"); have != expect {
			t.Errorf("%s, expected %s", have, expect)
		}
		return count
	}
	for _, v := range i.Verdicts {
		how := []string{"-revocation", "off"}
		if v.Status == "revoked" && i.Kind != "ocsp" {
			how = stored
		}
		have, got := ask(v.At, how...)
		expect := i.expect(v.Status, got)
		if len(got.Signatures) > 1 {
			// The corpus speaks of one signer. Its verdict is there, and
			// another's certificate has ended or not begun, so the whole fails.
			if !strings.HasPrefix(have, "1 ") {
				t.Errorf("at %s: the whole is %s", v.At, have)
			}
			have = i.ofOne(got, expect)
		}
		if have != expect {
			t.Errorf("at %s (%s): %s, expected %s", v.At, v.Status, have, expect)
		}
	}
	return count
}

// expect is the word of the command for a status of the corpus.
func (i corpusRow) expect(status string, got printed) string {
	first := got.Signatures[0]
	switch {
	case strings.HasPrefix(i.Chain, "untrusted"): // self-signed; its dates are not looked at
		return "1 NO_CERTIFICATE_CHAIN_FOUND"
	case status == "valid" && corpusFormats[i.Kind] != "cert" && first.Signer != nil && first.Signer.Usage == "AUTH":
		// Right in all else, and signed with a certificate for authentication.
		return "1 KEY_USAGE"
	case status == "valid" && i.Details.Detached && i.Content == "":
		return "3 SIGNED_DATA_NOT_FOUND"
	}
	return map[string]string{
		"valid": "0", "good": "0", "current": "0", "expired": "1 EXPIRED", "not-yet-valid": "1 NOT_YET_VALID", "stale": "3 TRY_LATER", "revoked": "1 REVOKED",
	}[status]
}

// ofOne is the expected verdict if one of several signatures has it, else the first's.
func (i corpusRow) ofOne(got printed, expect string) string {
	codes := map[string]int{"TOTAL_PASSED": exitPassed, "TOTAL_FAILED": exitFailed, "INDETERMINATE": exitIndeterminate}
	first := ""
	for _, s := range got.Signatures {
		have := strings.TrimSpace(fmt.Sprintf("%d %s", codes[s.Outcome], s.Reason))
		if have == expect {
			return have
		}
		if first == "" {
			first = have
		}
	}
	return first
}

// open opens a key file by the command, and puts its certificate into a file.
func (i corpusRow) open(t *testing.T, file string) string {
	dir := t.TempDir()
	pass, out := filepath.Join(dir, "pass"), filepath.Join(dir, "certificate.cer")
	if err := os.WriteFile(pass, []byte(i.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, said, complaint := command(t, "", "cert", "-pass-file", pass, file)
	var got struct {
		Key struct {
			Matches *bool `json:"matches_certificate"`
		}
	}
	if err := json.Unmarshal([]byte(said), &got); err != nil || code != exitPassed || got.Key.Matches == nil || !*got.Key.Matches {
		t.Errorf("%d %s%s", code, said, complaint)
		return ""
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	key, err := keystore.Open(raw, i.Password)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(out, key.Certificate.Raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}
