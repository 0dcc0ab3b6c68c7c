//go:build shared

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func sharedPath(t *testing.T, parts ...string) string {
	t.Helper()
	dir := os.Getenv("KOPIR_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	return filepath.Join(append([]string{dir}, parts...)...)
}

// judged runs `kopir verify`.
func judged(t *testing.T, args ...string) (int, printed) {
	t.Helper()
	code, out, complaint := command(t, "", append([]string{"verify"}, args...)...)
	var got printed
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s", err, complaint)
	}
	return code, got
}

// The captured message that is signed with RSA.
func TestSample03(t *testing.T) {
	code, got := judged(t, "-trust", sharedPath(t, "nuc", "corpus", "visible", "ca"), "-at", "2021-07-20T00:00:00Z",
		"-revocation", "off", sharedPath(t, "shep", "samples", "03-sync-request-rsa-sha256-keyidentifier.xml"))
	if code != exitPassed || got.Signatures[0].Signer.IIN != "123456789011" {
		t.Errorf("%d %+v", code, got)
	}
}

// TestHostileCommand judges the hostile messages once more through the
// command, as an operator would, and reads what -content writes.
func TestHostileCommand(t *testing.T) {
	dir := sharedPath(t, "vectors", "hostile", "visible")
	pki := func(name string) string { return sharedPath(t, "vectors", "hostile", "pki", name) }
	var manifest struct {
		Variants []struct {
			File     string            `json:"file"`
			Expect   string            `json:"expect"`
			AlsoOK   string            `json:"also_ok"`
			Judge    string            `json:"judge"`
			At       string            `json:"at"`
			MustRead map[string]string `json:"must_read"`
			Recipe   json.RawMessage   `json:"recipe"`
		} `json:"variants"`
	}
	raw, err := os.ReadFile(filepath.Join(dir, "MANIFEST.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &manifest); err != nil {
		t.Fatal(err)
	}
	content := filepath.Join(t.TempDir(), "content.xml")
	for _, h := range manifest.Variants {
		if h.Judge != "verifier" || h.Recipe != nil { // the large ones are built in package signature's test
			continue
		}
		t.Run(h.File, func(t *testing.T) {
			_ = os.Remove(content)
			code, got := judged(t, "-trust", pki("root.pem"), "-trust", pki("ca.pem"), "-crl", pki("ca.crl"),
				"-cert", pki("signer.pem"), "-cert", pki("signer-ec.pem"), "-cert", pki("other.pem"),
				"-at", h.At, "-content", content, filepath.Join(dir, h.File))
			answer := "reject"
			if code == exitPassed {
				answer = "accept"
			}
			if answer != h.Expect && answer != h.AlsoOK || (code == exitPassed) != (got.Outcome == "TOTAL_PASSED") {
				t.Fatalf("%s, status %d, %s", answer, code, got.Reason)
			}
			written, err := os.ReadFile(content)
			if (err == nil) != (answer == "accept") {
				t.Fatalf("content written: %v", err == nil)
			}
			for key, want := range h.MustRead {
				if answer == "accept" && !strings.Contains(key, "@") && !strings.Contains(string(written), ">"+want+"<") {
					t.Errorf("%s is not %q in the content", key, want)
				}
			}
		})
	}
}
