package nuc_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/signature/nuc"
)

var bundleDate = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func testBundle(h hierarchy) *nuc.Bundle {
	return &nuc.Bundle{Issue: 7, Date: bundleDate, Comment: "Жаңа басылым / новый выпуск", Entries: []nuc.Entry{
		{Certificate: h.root, Root: true, Purpose: nuc.PurposeAll, Comment: "handed over in person"},
		{Certificate: h.ca, Purpose: nuc.PurposeSign, Candidate: true},
	}}
}

func operator(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func signed(t testing.TB, b *nuc.Bundle, key ed25519.PrivateKey) []byte {
	t.Helper()
	raw, err := b.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func pinOf(key ed25519.PrivateKey) nuc.Pin { return nuc.PinOf(key.Public().(ed25519.PublicKey)) }

func TestBundleRoundTrip(t *testing.T) {
	h := newHierarchy(t)
	key := operator(1)
	raw := signed(t, testBundle(h), key)
	b, err := nuc.OpenBundle(raw, pinOf(operator(2)), pinOf(key))
	if err != nil {
		t.Fatal(err)
	}
	if b.Issue != 7 || !b.Date.Equal(bundleDate) || b.Comment != "Жаңа басылым / новый выпуск" || len(b.Entries) != 2 || b.Signer != pinOf(key) {
		t.Fatalf("%+v", b)
	}
	for _, e := range b.Entries {
		switch e.Certificate.Fingerprint {
		case h.root.Fingerprint:
			if !e.Root || e.Candidate || e.Purpose != nuc.PurposeAll || e.Comment != "handed over in person" {
				t.Errorf("%+v", e)
			}
		case h.ca.Fingerprint:
			if e.Root || !e.Candidate || e.Purpose != nuc.PurposeSign || e.Comment != "" {
				t.Errorf("%+v", e)
			}
		default:
			t.Errorf("a stranger: %s", e.Certificate.SubjectName)
		}
	}
	// The same content is the same bytes, in whatever order it was put in.
	turned := testBundle(h)
	turned.Entries[0], turned.Entries[1] = turned.Entries[1], turned.Entries[0]
	if again := signed(t, turned, key); !bytes.Equal(again, raw) {
		t.Error("the same content gave other bytes")
	}
	if again := signed(t, b, key); !bytes.Equal(again, raw) {
		t.Error("a bundle that was read is written otherwise")
	}
}

// TestBundleUnderOpenSSL: others can verify a bundle without us.
func TestBundleUnderOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	raw := signed(t, testBundle(newHierarchy(t)), operator(1))
	i := bytes.LastIndex(raw, []byte("signature: "))
	value, err := base64.StdEncoding.DecodeString(strings.TrimSpace(strings.TrimPrefix(string(raw[i:]), "signature: ")))
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(operator(1).Public())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"signed": raw[:i], "value": value, "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "signed", "-sigfile", "value")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestBundleRefusals: one thing changed, and it is no bundle.
func TestBundleRefusals(t *testing.T) {
	h := newHierarchy(t)
	key := operator(1)
	raw := string(signed(t, testBundle(h), key))
	again := func(old, new string) string { // changed and signed by the right key once more
		if strings.Count(raw, old) == 0 {
			t.Fatalf("no %q", old)
		}
		text := strings.Replace(raw, old, new, 1)
		body := text[:strings.LastIndex(text, "signature: ")]
		return body + "signature: " + base64.StdEncoding.EncodeToString(ed25519.Sign(key, []byte(body))) + "\n"
	}
	for name, c := range map[string]struct{ text, says string }{
		"empty":              {"", "line 1: not a trust bundle"},
		"another version":    {again("bundle 1", "bundle 2"), "not a trust bundle"},
		"issue changed":      {strings.Replace(raw, "issue: 7", "issue: 8", 1), "signature does not fit"},
		"candidate promoted": {strings.Replace(raw, "status: candidate", "status: trusted", 1), "signature does not fit"},
		"purpose widened":    {strings.Replace(raw, "purpose: sign\n", "purpose: sign stamp\n", 1), "signature does not fit"},
		"issue nought":       {again("issue: 7", "issue: 0"), "begins with 1"},
		"issue with a zero":  {again("issue: 7", "issue: 07"), "one form"},
		"unknown status":     {again("status: candidate", "status: maybe"), "neither candidate nor trusted"},
		"unknown purpose":    {again("purpose: sign\n", "purpose: tls\n"), "unknown purpose"},
		"purposes turned":    {again("purpose: sign stamp", "purpose: stamp sign"), "one form"},
		"root called other":  {again("certificate: root", "certificate: intermediate"), "self-signed"},
		"other fingerprint":  {again(fmt.Sprintf("sha256: %x", h.root.Fingerprint), fmt.Sprintf("sha256: %x", h.ca.Fingerprint)), "has the SHA-256"},
		"date with a zone":   {again("12:00:00Z", "12:00:00+00:00"), "not a time"},
		"line ends of DOS":   {strings.ReplaceAll(raw, "\n", "\r\n"), "not a trust bundle"},
		"more at the end":    {raw + "x", "nothing may follow"},
		"an empty line more": {raw + "\n", "nothing may follow"},
		"cut":                {raw[:len(raw)/2], "trust bundle"},
		"no last line end":   {raw[:len(raw)-1], "nothing may follow"},
		"control character":  {again("handed over", "handed\tover"), "one line of plain text"},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := nuc.OpenBundle([]byte(c.text), pinOf(key))
			if err == nil || b != nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v", err)
			}
		})
	}
	t.Run("another key", func(t *testing.T) {
		if _, err := nuc.OpenBundle(signed(t, testBundle(h), operator(2)), pinOf(key)); !errors.Is(err, nuc.ErrBundleSigner) {
			t.Fatal(err)
		}
	})
	t.Run("no pin", func(t *testing.T) {
		if _, err := nuc.OpenBundle([]byte(raw)); !errors.Is(err, nuc.ErrBundleSigner) {
			t.Fatal(err)
		}
	})
	t.Run("a person among the authorities", func(t *testing.T) {
		b := testBundle(h)
		b.Entries = append(b.Entries, nuc.Entry{Certificate: h.person, Purpose: nuc.PurposeSign})
		if _, err := b.Sign(key); err == nil || !strings.Contains(err.Error(), "no certification authority") {
			t.Fatal(err)
		}
	})
	t.Run("twice", func(t *testing.T) {
		b := testBundle(h)
		b.Entries = append(b.Entries, b.Entries[0])
		if _, err := b.Sign(key); err == nil || !strings.Contains(err.Error(), "stands twice") {
			t.Fatal(err)
		}
	})
}

// TestBundleFollows: never back, and never two under one number.
func TestBundleFollows(t *testing.T) {
	h := newHierarchy(t)
	issue := func(n uint64, comment string) *nuc.Bundle {
		b := testBundle(h)
		b.Issue, b.Comment = n, comment
		signed(t, b, operator(1))
		return b
	}
	seven := issue(7, "")
	for _, c := range []struct {
		b  *nuc.Bundle
		ok bool
	}{{issue(8, ""), true}, {issue(7, ""), true}, {issue(7, "other"), false}, {issue(6, ""), false}} {
		if err := c.b.Follows(seven); (err == nil) != c.ok {
			t.Errorf("issue %d %q after 7: %v", c.b.Issue, c.b.Comment, err)
		}
	}
	if err := issue(6, "").Follows(seven); !errors.Is(err, nuc.ErrBundleOlder) {
		t.Error(err)
	}
	if err := seven.Follows(nil); err != nil {
		t.Error(err)
	}
}

func FuzzOpenBundle(f *testing.F) {
	key := operator(1)
	raw := signed(f, testBundle(newHierarchy(f)), key)
	f.Add(raw)
	f.Add(raw[:len(raw)-3])
	f.Add([]byte("kopir trust bundle 1\nissue: 1\ndate: 2026-06-01T12:00:00Z\n\nkey: \nsignature: \n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := nuc.OpenBundle(data, pinOf(key))
		if err != nil {
			return
		}
		if again := signed(t, b, key); !bytes.Equal(again, data) {
			t.Fatal("accepted in a form that is not the one")
		}
	})
}
