package httpsig

import (
	"bytes"
	"crypto/ed25519"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestProof: what is kept of a signature is enough to verify it again, and
// nothing that is not what was kept reads.
func TestProof(t *testing.T) {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := bare(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	body := []byte("<a/>")
	r, err := http.NewRequest("POST", "https://kopir.example/api/v1/applications?id=1", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/xml")
	with := Signer{KeyID: "k", Algorithm: "ed25519", Sign: func(b []byte) ([]byte, error) { return ed25519.Sign(private, b), nil }}
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	if err := Sign(r, body, []string{"@method", "@target-uri", "content-digest", "content-type"}, with, at, "n-1"); err != nil {
		t.Fatal(err)
	}
	first, err := Read(Outgoing(r))
	if err != nil {
		t.Fatal(err)
	}
	kept := append(first.Proof(), body...)
	again, rest, err := ReadProof(kept)
	if err != nil || !bytes.Equal(rest, body) {
		t.Fatalf("%v %q", err, rest)
	}
	if !slices.Equal(again.Covered, first.Covered) || again.KeyID != "k" || again.Nonce != "n-1" || !again.Created.Equal(at) || !bytes.Equal(again.Value, first.Value) {
		t.Errorf("%+v", again)
	}
	if target, _ := again.Component("@target-uri"); target != r.URL.String() {
		t.Error(target)
	}
	if err := again.Check(Policy{Covered: again.Covered, MaxAge: time.Minute, Nonce: true}, at); err != nil {
		t.Error(err)
	}
	if err := again.Verify(keys[0]); err != nil {
		t.Error(err)
	}
	if again.CheckBody(body) != nil || again.CheckBody([]byte("<b/>")) == nil {
		t.Error("the digest is not that of the body alone")
	}
	proof := string(first.Proof())
	for what, bad := range map[string]string{
		"empty": "", "no end": string(first.Base), "no value": string(first.Base) + "\n",
		"a line less":        proof[strings.Index(proof, "\n")+1:],
		"a line more":        "\"x\": y\n" + proof,
		"other list":         strings.Replace(proof, `("@method"`, `("@path"`, 1),
		"other label":        strings.Replace(proof, "\nkopir=", "\nother=", 1),
		"not base64":         strings.Replace(proof, "kopir=:", "kopir=:?", 1),
		"params are spread":  strings.Replace(proof, ";created", "; created", 1),
		"an unknown param":   strings.Replace(proof, ";created", ";x=1;created", 1),
		"covered twice":      strings.Replace(strings.Replace(proof, `"@target-uri"`, `"@method"`, 2), "\n\"@target-uri\"", "\n\"@method\"", 1),
		"more than is right": strings.Repeat("\"x\": y\n", 100) + proof,
	} {
		if s, _, err := ReadProof([]byte(bad)); err == nil {
			t.Errorf("%s reads: %+v", what, s)
		}
	}
}
