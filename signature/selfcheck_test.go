package signature

import (
	"bytes"
	"testing"

	"kopir/signature/sigtest"
)

// What was digested is not digested again, and what is not what was digested
// does not leave the house.
func TestSelfCheck(t *testing.T) {
	key := newWorld(t).key(t, sigtest.Profile{Kind: sigtest.System, BIN: sigtest.BIN(1), CommonName: "ИС"})
	document := []byte("<form><iin>1</iin></form>")
	out, err := SignEnveloped(document, key, SignOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSigning(key)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := parseForSigning(out)
	if err != nil {
		t.Fatal(err)
	}
	at, bad := locateLast(doc)
	if bad != nil {
		t.Fatal(bad.Detail)
	}
	sig, bad := (&Verifier{}).readSignature(at.node, at.profile)
	if bad != nil {
		t.Fatal(bad.Detail)
	}
	s.sealed = s.sum(doc.Canonical(nil, sig.info, sig.form))
	s.references = []signedPart{{digested: s.sum(document)}}
	if err := s.selfCheck(out, locateLast); err != nil {
		t.Error(err)
	}
	for _, change := range [][2]string{{"<iin>1", "<iin>2"}, {"#WithComments", ""}} {
		if other := bytes.Replace(out, []byte(change[0]), []byte(change[1]), 1); s.selfCheck(other, locateLast) == nil {
			t.Errorf("%s changed, and not seen", change[0])
		}
	}
	// A digest that is remembered wrongly is as bad as one that is made wrongly.
	s.references[0].digest = make([]byte, len(s.references[0].digest))
	if s.selfCheck(out, locateLast) == nil {
		t.Error("another digest was signed, and not seen")
	}
}
