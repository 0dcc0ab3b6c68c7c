package signature

import (
	"bytes"
	"strings"
	"testing"

	"kopir/signature/sigtest"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// A document that was signed by itself and then put unescaped into data, with
// declarations around it that its signer did not see; and one that was signed
// where it stands.
func TestXMLDSigElement(t *testing.T) {
	w := newWorld(t)
	key := w.key(t, sigtest.Profile{Kind: sigtest.Person})
	alone, err := SignEnveloped([]byte(`<p:application xmlns:p="urn:p"><p:iin>900101300120</p:iin></p:application>`), key, SignOptions{})
	if err != nil {
		t.Fatal(err)
	}
	around := func(inner string) []byte {
		return []byte(`<e:Envelope xmlns:e="` + nsSOAP + `" xmlns:xsi="urn:xsi" xmlns="urn:default"><e:Body><data>` + inner + `</data><x>&amp;</x></e:Body></e:Envelope>`)
	}
	// Signed in place: the forger sees the declarations around.
	f := w.forger(t, sigtest.Profile{Kind: sigtest.Person})
	doc, err := xmltree.Parse(around(`<application Id="a"><iin>900101300120</iin></application>`), xmltree.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	target, err := doc.ByID("a")
	if err != nil {
		t.Fatal(err)
	}
	sum := f.key.Algorithm.Digest.Sum(doc.Canonical(nil, target, xmltree.C14N{Kind: xmltree.Inclusive10}))
	inPlace := f.sign(string(around(`<application Id="a"><iin>900101300120</iin>` + strings.Replace(
		signatureText(info(methodRSA, ref("", transform(uriEnveloped))), f.x509()),
		emptyDigest, "<ds:DigestValue>"+strictBase64.EncodeToString(sum)+"</ds:DigestValue>", 1) + "</application>")))

	for name, src := range map[string][]byte{"cut out": around(string(alone)), "in place": []byte(inPlace)} {
		t.Run(name, func(t *testing.T) {
			judge := func(src []byte) *Verdict {
				doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
				if err != nil {
					t.Fatal(err)
				}
				for n := range doc.Root().Descendants() {
					if n.Local() == "application" {
						return w.verifier.XMLDSigElement(t.Context(), n, now())
					}
				}
				t.Fatal("no application")
				return nil
			}
			v := judge(src)
			if v.Outcome != verdict.Passed {
				t.Fatalf("%s\n%s", explain(v), src)
			}
			content, ok := v.Content()
			if !ok || !bytes.Contains(content.Bytes(), []byte("900101300120")) || bytes.Contains(content.Bytes(), []byte("Envelope")) {
				t.Errorf("content %v %s", ok, content.Bytes())
			}
			if v := judge(bytes.Replace(src, []byte("900101300120"), []byte("850505400454"), 1)); v.Outcome != verdict.Failed || v.Reason != verdict.HashFailure {
				t.Errorf("changed: %s", explain(v))
			}
			// What stands around the element is not covered, and not content.
			if v := judge(bytes.Replace(src, []byte("&amp;"), []byte("evil"), 1)); v.Outcome != verdict.Passed {
				t.Errorf("changed around: %s", explain(v))
			}
		})
	}
	// A reference must not lead out of the element.
	outside := f.sign(strings.Replace(string(around(`<application>`+signatureText(info(methodRSA, ref("#o", transform(uriExc))), f.x509())+`</application>`)), "<x>", `<x Id="o">`, 1))
	doc, err = xmltree.Parse([]byte(outside), xmltree.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Root().Descendants() {
		if n.Local() == "application" {
			if v := w.verifier.XMLDSigElement(t.Context(), n, now()); v.Outcome != verdict.Failed || v.Reason != verdict.SignedDataNotFound {
				t.Errorf("a reference out of the element: %s", explain(v))
			}
		}
	}
}
