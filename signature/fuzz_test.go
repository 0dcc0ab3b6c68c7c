package signature

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"kopir/signature/keystore"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// FuzzVerify: no input makes the verifier panic, and what passes was signed by
// someone who has a key: its content is one of those that the corpus signed.
func FuzzVerify(f *testing.F) {
	a := newArena(f)
	genuine := map[string]bool{}
	var v Verifier = *a.w.verifier
	judge := func(src []byte) (*Verdict, *Verdict) {
		doc, err := xmltree.Parse(src, xmltree.Limits{Bytes: 1 << 20})
		if err != nil {
			return &Verdict{}, &Verdict{}
		}
		return v.WSSE(context.Background(), doc, now()), v.XMLDSig(context.Background(), doc, now())
	}
	note := func(src []byte) {
		f.Add(src)
		for _, got := range pair(judge(src)) {
			for i := range got.Signatures {
				if got.Signatures[i].Outcome != verdict.Passed {
					continue
				}
				for _, p := range got.Signatures[i].parts {
					genuine[string(p.octets)] = true
				}
			}
		}
	}
	files, err := filepath.Glob(filepath.Join("..", "testdata", "attacks", "signature", "*.xml"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no attacks: %v", err)
	}
	for _, path := range files {
		src, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		note(src)
	}
	key := a.w.key(f, sigtest.Profile{})
	for _, form := range []KeyInfo{KeyInfoKeyIdentifier, KeyInfoBST, KeyInfoIssuerSerial, KeyInfoX509Data} {
		// A fixed id: each process that fuzzes signs the same bytes.
		src, err := SignWSSE([]byte(message("", body("id-fixed", payload))), key, SignOptions{KeyInfo: form})
		if err != nil {
			f.Fatal(err)
		}
		note(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		for _, got := range pair(judge(src)) {
			content, ok := got.Content()
			if ok && got.Outcome != verdict.Passed {
				t.Fatal("content without a pass")
			}
			if ok && !genuine[string(content.Bytes())] {
				t.Fatalf("passes, but nobody signed\n%s", content.Bytes())
			}
			if got.Outcome == verdict.Failed && got.Reason == verdict.None {
				t.Fatal("failed without a reason")
			}
			if _, err := got.MarshalJSON(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func pair(a, b *Verdict) [2]*Verdict { return [2]*Verdict{a, b} }

// FuzzSign: whatever can be signed verifies, and keeps its bytes.
func FuzzSign(f *testing.F) {
	w := newWorld(f)
	key := w.key(f, sigtest.Profile{})
	for _, src := range []string{envelope, "<a/>", "<a b='>'>&#13;</a><!-- </a> -->", "<a:b xmlns:a='urn:a'/>", message("", body("x", payload))} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		for i, sign := range []func([]byte, *keystore.Key, SignOptions) ([]byte, error){SignWSSE, SignEnveloped} {
			out, err := sign(src, key, SignOptions{})
			if err != nil {
				continue
			}
			got := w.xmldsig
			if i == 0 {
				got = w.wsse
			}
			if v := got(t, out, now()); v.Signatures[len(v.Signatures)-1].Outcome != verdict.Passed {
				t.Errorf("%s\n%s", explain(v), out)
			}
			if len(out) <= len(src) || !bytes.HasPrefix(out, src[:1]) {
				t.Error("bytes were lost")
			}
		}
	})
}
