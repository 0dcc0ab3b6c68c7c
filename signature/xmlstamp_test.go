package signature

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"kopir/signature/sigtest"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// stamped signs a document and stamps its signature (XAdES-T).
func (w *nationalWorld) stamped(t *testing.T, form xmltree.C14N, method string, over func(value []byte) []byte, at time.Time) []byte {
	t.Helper()
	signed := must2(SignEnveloped([]byte(`<a xmlns:x="urn:x">1</a>`), w.key(t, sigtest.Profile{}), SignOptions{}))(t)
	doc := must2(xmltree.Parse(signed, xmltree.DefaultLimits()))(t)
	var value xmltree.Node
	for n := range doc.Root().Descendants() {
		if n.Is(nsDS, "SignatureValue") {
			value = n
		}
	}
	token := stampOver(t, w, "2015-512", over(doc.Canonical(nil, value, form)), at)
	object := `<ds:Object><q:QualifyingProperties xmlns:q="` + nsXAdES + `" Target="#s"><q:UnsignedProperties><q:UnsignedSignatureProperties><q:SignatureTimeStamp>` + method +
		`<q:EncapsulatedTimeStamp>` + base64.StdEncoding.EncodeToString(token) + `</q:EncapsulatedTimeStamp></q:SignatureTimeStamp></q:UnsignedSignatureProperties></q:UnsignedProperties></q:QualifyingProperties></ds:Object>`
	return bytes.Replace(signed, []byte("</ds:Signature>"), []byte(object+"</ds:Signature>"), 1)
}

// TestXAdEST: a stamp over the element SignatureValue proves when the document
// was signed, in whatever canonical form, and nothing else does.
func TestXAdEST(t *testing.T) {
	w := newNationalWorld(t)
	inclusive, exclusive := xmltree.C14N{Kind: xmltree.Inclusive10}, xmltree.C14N{Kind: xmltree.Exclusive}
	same := func(b []byte) []byte { return b }
	made := sigtest.Noon().Add(-time.Hour)
	good := w.stamped(t, inclusive, "", same, made)
	judge := func(src []byte, want Want) *Verdict {
		return w.verifier.XMLDSig(t.Context(), must2(xmltree.Parse(src, xmltree.DefaultLimits()))(t), want)
	}
	for name, src := range map[string][]byte{
		"usual form": good,
		"exclusive":  w.stamped(t, exclusive, `<ds:CanonicalizationMethod Algorithm="`+uriExc+`"/>`, same, made),
	} {
		v := judge(src, now())
		decides(t, v, verdict.Passed, verdict.None)
		if at, ok := v.Signatures[0].SignedAt(); !ok || !at.Equal(made) {
			t.Errorf("%s: signed at %s", name, at)
		}
		if c, ok := v.Content(); !ok || strings.Contains(string(c.Bytes()), "TimeStamp") {
			t.Errorf("%s: content %v", name, ok)
		}
	}
	later := Want{At: sigtest.Noon().AddDate(3, 0, 0)} // the signer's certificate has ended
	decides(t, judge(good, later), verdict.Failed, verdict.Expired)
	later.AtStamp = true
	decides(t, judge(good, later), verdict.Passed, verdict.None)

	unstamped := must2(SignEnveloped([]byte("<a/>"), w.key(t, sigtest.Profile{}), SignOptions{}))(t)
	decides(t, judge(unstamped, Want{At: sigtest.Noon(), AtStamp: true}), verdict.Undetermined, verdict.NoPOE)
	value := func(b []byte) []byte { return b[bytes.IndexByte(b, '>')+1:] }
	for name, c := range map[string]struct {
		src    []byte
		reason verdict.Reason
	}{
		"over other bytes":          {w.stamped(t, inclusive, "", value, made), verdict.HashFailure},
		"over another form":         {w.stamped(t, exclusive, "", same, made), verdict.HashFailure},
		"no form":                   {w.stamped(t, inclusive, `<ds:CanonicalizationMethod Algorithm="urn:x"/>`, same, made), verdict.CryptoConstraintsFailure},
		"no base64":                 {bytes.Replace(good, []byte("<q:EncapsulatedTimeStamp>"), []byte("<q:EncapsulatedTimeStamp>!"), 1), verdict.FormatFailure},
		"more than anybody has use": {bytes.Replace(good, []byte("</q:UnsignedSignatureProperties>"), []byte(strings.Repeat("<q:SignatureTimeStamp/>", maxStamps)+"</q:UnsignedSignatureProperties>"), 1), verdict.FormatFailure},
	} {
		v := judge(c.src, now())
		if v.Outcome != verdict.Failed || v.Reason != c.reason {
			t.Errorf("%s: %s", name, explain(v))
		}
	}
}
