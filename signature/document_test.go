package signature

import (
	"encoding/base64"
	"encoding/pem"
	"testing"

	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

// TestDocumentForms: one call judges every form, and content is the same.
func TestDocumentForms(t *testing.T) {
	w := newWorld(t)
	key := w.key(t, sigtest.Profile{})
	const text = "<a>1</a>"
	xml := must2(SignEnveloped([]byte(text), key, SignOptions{}))(t)
	message := must2(SignCMS([]byte(text), key, CMSOptions{}))(t)
	beside := must2(SignCMS([]byte(text), key, CMSOptions{Detached: true}))(t)
	for name, src := range map[string][]byte{
		"XML": xml, "XML after white space": append([]byte("\r\n "), xml...), "DER": message,
		"base64": []byte(base64.StdEncoding.EncodeToString(message)), "PEM": pem.EncodeToMemory(&pem.Block{Type: "CMS", Bytes: message}),
	} {
		d, err := ReadDocument(src)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		v := w.verifier.Document(t.Context(), d, Want{At: sigtest.Noon()})
		c, ok := v.Content()
		if !ok || string(c.Bytes()) != text {
			t.Errorf("%s: %s", name, explain(v))
		}
	}
	for name, m := range map[string][]byte{"DER": beside, "base64": []byte(base64.StdEncoding.EncodeToString(beside)), "attached": message} {
		d, err := ReadDetached([]byte(text), m)
		if err != nil {
			t.Fatal(err)
		}
		if v := w.verifier.Document(t.Context(), d, Want{At: sigtest.Noon()}); v.Outcome != verdict.Passed {
			t.Errorf("beside, %s: %s", name, explain(v))
		}
		d, _ = ReadDetached([]byte(text+" "), m)
		if v := w.verifier.Document(t.Context(), d, Want{At: sigtest.Noon()}); v.Outcome != verdict.Failed {
			t.Errorf("beside other content, %s: %s", name, explain(v))
		}
	}
	if d, err := ReadDocument([]byte("Mister, no XML")); err == nil {
		t.Errorf("%+v", d)
	}
	if _, err := ReadDetached(nil, []byte("signed")); err == nil {
		t.Error("words are taken for CMS")
	}
	if v := w.verifier.Document(t.Context(), nil, Want{At: sigtest.Noon()}); v.Outcome != verdict.Failed {
		t.Error(explain(v))
	}
}

// FuzzDocument: whatever the bytes, nobody who trusts nobody believes them.
func FuzzDocument(f *testing.F) {
	w := newWorld(f)
	key := w.key(f, sigtest.Profile{})
	xml, err := SignEnveloped([]byte("<a/>"), key, SignOptions{})
	if err != nil {
		f.Fatal(err)
	}
	message, err := SignCMS([]byte("<a/>"), key, CMSOptions{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(xml)
	f.Add(message)
	f.Add([]byte(base64.StdEncoding.EncodeToString(message)))
	f.Add([]byte("MIAGCSqGSIb3DQEHAqCAMIA="))
	f.Fuzz(func(t *testing.T, src []byte) {
		d, err := ReadDocument(src)
		if err != nil {
			return
		}
		v := (&Verifier{}).Document(t.Context(), d, Want{At: sigtest.Noon()})
		if _, ok := v.Content(); ok || v.Outcome == verdict.Passed {
			t.Fatalf("believed: %q", src)
		}
	})
}
