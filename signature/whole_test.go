package signature

import (
	"strings"
	"testing"

	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

func TestWhole(t *testing.T) {
	a := newArena(t)
	object := func(content string) string { return "<ds:Object>" + content + "</ds:Object>" }
	enveloped := func(refs string, more ...string) string {
		return a.good.sign(`<application Id="a"><iin>900101300120</iin>` + signatureText(info(methodRSA, refs), a.good.x509(), more...) + "</application>")
	}
	all := ref("", transform(uriEnveloped), transform(uriC14N10))
	properties := ref("#p", transform(uriC14N10))
	const signed = `<q:QualifyingProperties xmlns:q="urn:q"><q:Signed Id="p">1</q:Signed></q:QualifyingProperties>`
	for name, c := range map[string]struct {
		doc   string
		whole bool
	}{
		"enveloped":               {a.document, true},
		"twice":                   {a.enveloped(a.other, strings.TrimSuffix(a.document, "</application>"), "</application>"), true},
		"by the root's id":        {enveloped(ref("#a", transform(uriEnveloped), transform(uriC14N10))), true},
		"a part":                  {a.good.sign(`<root><part Id="x"/>` + signatureText(info(methodRSA, ref("#x", transform(uriC14N10))), a.good.x509()) + "</root>"), false},
		"inside another document": {"<evil>" + enveloped(ref("#a", transform(uriEnveloped), transform(uriC14N10))) + "</evil>", false},
		"an object of nobody's":   {enveloped(all, object("<iin>850505400454</iin>")), false},
		"text of nobody's":        {enveloped(all, object("850505400454")), false},
		"signed properties":       {enveloped(all+properties, object(signed)), true},
		"and something beside":    {enveloped(all+properties, object(signed+"<iin>850505400454</iin>")), false},
		"enveloping":              {a.good.sign(signatureText(info(methodRSA, ref("#o", transform(uriC14N10))), a.good.x509(), `<ds:Object Id="o"><iin/></ds:Object>`)), true},
		"enveloping one of two":   {a.good.sign(signatureText(info(methodRSA, ref("#o", transform(uriC14N10))), a.good.x509(), `<ds:Object Id="o"><iin/></ds:Object>`, object("<iin>850505400454</iin>"))), false},
		"enveloping a part":       {a.good.sign(signatureText(info(methodRSA, ref("#o", transform(uriC14N10))), a.good.x509(), `<ds:Object><iin Id="o"/><iin>850505400454</iin></ds:Object>`)), false},
	} {
		t.Run(name, func(t *testing.T) {
			doc, err := xmltree.Parse([]byte(c.doc), xmltree.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			v := a.w.verifier.XMLDSig(t.Context(), doc, now())
			if v.Outcome != verdict.Passed && c.whole {
				t.Fatal(explain(v))
			}
			if v.Outcome != verdict.Passed && !strings.HasPrefix(name, "inside") {
				t.Fatalf("the trick is seen elsewhere: %s", explain(v))
			}
			if v.Whole(doc) != c.whole {
				t.Errorf("Whole is %v", !c.whole)
			}
		})
	}
	if (&Verdict{}).Whole(mustParse(t, a.document)) || (*Verdict)(nil).Whole(nil) {
		t.Error("a verdict about nothing is about the whole")
	}
}

func mustParse(t *testing.T, src string) *xmltree.Document {
	t.Helper()
	doc, err := xmltree.Parse([]byte(src), xmltree.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestSignByReference: a root may be referred to by its id, and nothing else may.
func TestSignByReference(t *testing.T) {
	w := newNationalWorld(t)
	for name, key := range w.signers(t) {
		out, err := SignEnveloped([]byte(`<a xml:id="r"><b Id="b"/></a>`), key, SignOptions{Reference: "#r"})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		doc := mustParse(t, string(out))
		if v := w.verifier.XMLDSig(t.Context(), doc, now()); !v.Whole(doc) || !strings.Contains(string(out), `URI="#r"`) {
			t.Errorf("%s: %s\n%s", name, explain(v), out)
		}
		for _, bad := range []string{"r", "#", "#b", "#none", "http://example.invalid/", `#"`} {
			if _, err := SignEnveloped([]byte(`<a xml:id="r"><b Id="b"/></a>`), key, SignOptions{Reference: bad}); err == nil {
				t.Errorf("%s: signed by the reference %s", name, bad)
			}
		}
	}
}
