//go:build shared

package signature

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/signature/nuc"
	"kopir/signature/revocation"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

type hostileVariant struct {
	File       string            `json:"file"`
	Family     string            `json:"family"`
	Expect     string            `json:"expect"`
	AlsoOK     string            `json:"also_ok"`
	Why        string            `json:"why"`
	Kind       string            `json:"kind"`
	Judge      string            `json:"judge"`
	At         time.Time         `json:"at"`
	MustRead   map[string]string `json:"must_read"`
	MaxSeconds float64           `json:"max_seconds"`
	Bytes      int               `json:"bytes"`
	SHA256     string            `json:"sha256"`
	Recipe     *struct {
		Token string              `json:"token"`
		Fill  [][]json.RawMessage `json:"fill"`
	} `json:"recipe"`
}

// build gives the variant's bytes, out of its recipe where it has one.
func (h hostileVariant) build(t *testing.T, dir string) []byte {
	t.Helper()
	src := read(t, filepath.Join(dir, h.File))
	if h.Recipe == nil {
		return src
	}
	var fill bytes.Buffer
	for _, part := range h.Recipe.Fill {
		var text string
		var times int
		if err := json.Unmarshal(part[0], &text); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(part[1], &times); err != nil {
			t.Fatal(err)
		}
		for n := 0; n < times; n++ {
			if strings.Contains(text, "{n}") {
				fill.WriteString(strings.ReplaceAll(text, "{n}", fmt.Sprintf("%07d", n)))
			} else {
				fill.WriteString(text)
			}
		}
	}
	out := bytes.ReplaceAll(src, []byte(h.Recipe.Token), fill.Bytes())
	if sum := sha256.Sum256(out); len(out) != h.Bytes || hex.EncodeToString(sum[:]) != h.SHA256 {
		t.Fatalf("the recipe gives %d bytes with the digest %x, not %d with %s", len(out), sum, h.Bytes, h.SHA256)
	}
	return out
}

func TestHostile(t *testing.T) {
	dir := shared(t, "vectors", "hostile", "visible")
	var manifest struct {
		Variants []hostileVariant `json:"variants"`
	}
	if err := json.Unmarshal(read(t, filepath.Join(dir, "MANIFEST.json")), &manifest); err != nil {
		t.Fatal(err)
	}
	v := hostileVerifier(t, shared(t, "vectors", "hostile", "pki"))
	refused := map[verdict.Reason]int{}
	for _, h := range manifest.Variants {
		t.Run(h.File, func(t *testing.T) {
			src := h.build(t, dir)
			start := time.Now()
			doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
			var got *Verdict
			if err == nil {
				if h.Kind == "plain" {
					got = v.XMLDSig(context.Background(), doc, Want{At: h.At})
				} else {
					got = v.WSSE(context.Background(), doc, Want{At: h.At})
				}
			}
			if spent := time.Since(start).Seconds(); spent > h.MaxSeconds {
				t.Errorf("took %.1f s, allowed are %.0f", spent, h.MaxSeconds)
			}
			answer, why := "reject", "not read: "
			switch {
			case err != nil:
				why += err.Error()
			case got.Outcome == verdict.Passed:
				answer, why = "accept", ""
			default:
				why = string(got.Reason) + ": " + detail(got)
				if got.Reason == verdict.None {
					t.Error("refused without a reason")
				}
				refused[got.Reason]++
			}
			if h.Judge == "verifier" && answer != h.Expect && answer != h.AlsoOK {
				t.Errorf("%s: %s (%s); expected %s %s", answer, why, h.Why, h.Expect, h.AlsoOK)
			}
			if h.Judge == "application" || h.Judge == "freshness" {
				// Others say no to these; here the signature is right or safely refused.
				t.Logf("judged by %s: here %s %s", h.Judge, answer, why)
			}
			if got != nil {
				content, ok := got.Content()
				if ok != (answer == "accept") {
					t.Fatalf("content is handed out: %v, answer %s", ok, answer)
				}
				if ok {
					checkMustRead(t, h, content)
				}
			}
			if testing.Verbose() && answer == "reject" {
				t.Log(why)
			}
		})
	}
	t.Logf("reasons: %v", refused)
}

func detail(v *Verdict) string {
	for _, s := range v.Signatures {
		for _, c := range s.Checks {
			if c.Outcome != verdict.Passed && !c.Skipped {
				return c.Name + ": " + c.Detail
			}
		}
	}
	return v.Detail
}

// checkMustRead reads the values from the content alone.
func checkMustRead(t *testing.T, h hostileVariant, content Content) {
	t.Helper()
	doc, err := content.Tree()
	if err != nil {
		t.Fatalf("the content does not read: %v", err)
	}
	local := func(name string) (out []string) {
		for n := range doc.Root().Descendants() {
			if n.Local() == name && (h.Kind == "plain" || n.Space() == "") {
				out = append(out, n.Text())
			}
		}
		return out
	}
	for key, want := range h.MustRead {
		if key == "data@xsi:type-namespace" {
			checkTypeNamespace(t, doc, want)
			continue
		}
		found := local(key)
		if len(found) == 0 || found[0] != want {
			t.Errorf("%s reads %q, must be %q", key, found, want)
		}
	}
}

// checkTypeNamespace: where the content says which namespace the type of data
// is in, it must be the signer's. It may say nothing: exclusive c14n without
// a PrefixList does not sign the declaration, and unsigned is not there.
func checkTypeNamespace(t *testing.T, doc *xmltree.Document, want string) {
	t.Helper()
	for n := range doc.Root().Descendants() {
		if n.Local() != "data" || n.Space() != "" {
			continue
		}
		value, _ := n.Attr("http://www.w3.org/2001/XMLSchema-instance", "type")
		prefix, _, _ := strings.Cut(value, ":")
		if got, ok := n.Namespace(prefix); ok && got != want {
			t.Errorf("the type of data is in %q, must be %q or unknown", got, want)
		}
		return
	}
	t.Error("no data")
}

// hostileVerifier trusts the suite's root.
func hostileVerifier(t testing.TB, pki string) *Verifier {
	t.Helper()
	trust := nuc.NewTrust()
	for _, c := range loadCerts(t, filepath.Join(pki, "root.pem")) {
		if err := trust.AddRoot(c); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range loadCerts(t, filepath.Join(pki, "ca.pem")) {
		trust.AddIntermediate(c)
	}
	for _, name := range []string{"signer.pem", "signer-ec.pem", "other.pem"} {
		for _, c := range loadCerts(t, filepath.Join(pki, name)) {
			trust.AddKnown(c)
		}
	}
	return &Verifier{Trust: trust, Revocation: listOf(t, filepath.Join(pki, "ca.crl"))}
}

func loadCerts(t testing.TB, path string) []*nuc.Certificate {
	t.Helper()
	certs, err := nuc.LoadCertificates(path)
	if err != nil {
		t.Fatal(err)
	}
	return certs
}

func listOf(t testing.TB, path string) Revocation {
	t.Helper()
	raw := read(t, path)
	if b, _ := pem.Decode(raw); b != nil {
		raw = b.Bytes
	}
	l, err := revocation.ParseCRL(raw)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 25, 6, 0, 0, 0, time.UTC)
	c := revocation.NewChecker(revocation.Options{Now: func() time.Time { return at }})
	c.AddCRL(l)
	return c
}
