package signature

import (
	"encoding/base64"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/signature/sigtest"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

var update = flag.Bool("update", false, "write testdata again")

// trick is one way to cheat, or an honest neighbour of one.
type trick struct {
	name   string
	plain  bool // a document, not a SOAP message
	make   func(a *arena) string
	reason verdict.Reason // None: it must pass
}

// arena is who takes part.
type arena struct {
	w                                 *world
	good, other, expired, early, auth forger
	signed                            string // the honest message
	document                          string // the honest document
}

func newArena(t testing.TB) *arena { return newArenaOf(t, newWorld(t)) }

func newArenaOf(t testing.TB, w *world) *arena {
	a := &arena{w: w}
	a.good = w.forger(t, sigtest.Profile{})
	a.other = w.forger(t, sigtest.Profile{IIN: "850505400454"})
	a.expired = w.forger(t, sigtest.Profile{NotBefore: sigtest.Noon().AddDate(-2, 0, 0), NotAfter: sigtest.Noon().AddDate(-1, 0, 0)})
	a.early = w.forger(t, sigtest.Profile{NotBefore: sigtest.Noon().Add(time.Hour)})
	a.auth = w.forger(t, sigtest.Profile{Usage: sigtest.Auth})
	a.signed = a.good.sign(message(security(signatureText(info(methodRSA, bodyRef()), a.good.identifier())), body("id-body", payload)))
	a.document = a.enveloped(a.good, "<application><iin>900101300120</iin>", "</application>")
	return a
}

// enveloped signs open+close with the Signature between.
func (a *arena) enveloped(f forger, open, end string) string {
	return f.sign(open + signatureText(info(methodRSA, ref("", transform(uriEnveloped), transform(uriC14N10+"#WithComments"))), f.x509()) + end)
}

func (a *arena) soap(f forger, signedInfo, keyInfo string) string {
	return f.sign(message(security(signatureText(signedInfo, keyInfo)), body("id-body", payload)))
}

// moved is the honest message with its signed Body put somewhere else, and a
// false Body in its place.
func (a *arena) moved(falseID string, put func(signedBody string) (header, beside string)) string {
	start, end := strings.Index(a.signed, "<wsse:Security"), strings.Index(a.signed, "</wsse:Security>")+len("</wsse:Security>")
	header, beside := put(body("id-body", payload))
	return message(a.signed[start:end]+header, beside, body(falseID, evil))
}

func replace(s, old, with string) string {
	if !strings.Contains(s, old) {
		panic("nothing to replace: " + old)
	}
	return strings.Replace(s, old, with, 1)
}

const (
	format    = verdict.FormatFailure
	structure = verdict.SigConstraintsFailure
	weak      = verdict.CryptoConstraintsFailure
	nobodys   = verdict.NoSigningCertificate
)

var tricks = []trick{
	{name: "soap-honest", make: func(a *arena) string { return a.signed }},
	{name: "soap-comment-in-value", make: func(a *arena) string { return replace(a.signed, "900101", "900<!-- -->101") }},
	{name: "soap-body-changed", reason: verdict.HashFailure, make: func(a *arena) string { return replace(a.signed, "900101300120", "850505400454") }},
	{name: "soap-unsigned", reason: verdict.NoSignature, make: func(*arena) string { return message("", body("id-body", payload)) }},
	{name: "soap-security-for-another", reason: verdict.NoSignature, make: func(a *arena) string {
		return replace(a.signed, "<wsse:Security", `<wsse:Security soap:actor="urn:another"`)
	}},
	{name: "soap-wrap-in-header", reason: structure, make: func(a *arena) string {
		return a.moved("id-evil", func(b string) (string, string) { return "<w>" + b + "</w>", "" })
	}},
	{name: "soap-wrap-same-id", reason: format, make: func(a *arena) string {
		return a.moved("id-body", func(b string) (string, string) { return "<w>" + b + "</w>", "" })
	}},
	{name: "soap-wrap-beside", reason: format, make: func(a *arena) string {
		return a.moved("id-evil", func(b string) (string, string) { return "", "<w>" + b + "</w>" })
	}},
	{name: "soap-wrap-in-body", reason: structure, make: func(a *arena) string {
		start, end := strings.Index(a.signed, "<wsse:Security"), strings.Index(a.signed, "</soap:Header>")
		return message(a.signed[start:end], body("id-evil", evil+body("id-body", payload)))
	}},
	{name: "soap-two-bodies", reason: format, make: func(a *arena) string {
		return replace(a.signed, "</soap:Envelope>", "<soap:Body>"+evil+"</soap:Body></soap:Envelope>")
	}},
	{name: "soap-body-before-header", reason: format, make: func(a *arena) string {
		return replace(a.signed, "<soap:Header>", "<soap:Body>"+evil+"</soap:Body><soap:Header>")
	}},
	{name: "soap-two-security", reason: format, make: func(a *arena) string { return replace(a.signed, "</soap:Header>", security("")+"</soap:Header>") }},
	{name: "soap-two-signatures", reason: format, make: func(a *arena) string {
		return replace(a.signed, "</wsse:Security>", `<ds:Signature xmlns:ds="`+nsDS+`"/></wsse:Security>`)
	}},
	{name: "soap-two-signedinfo", reason: format, make: func(a *arena) string {
		i, j := strings.Index(a.signed, "<ds:SignedInfo>"), strings.Index(a.signed, "<ds:SignatureValue>")
		return a.signed[:j] + a.signed[i:j] + a.signed[j:]
	}},
	{name: "soap-two-digests", reason: format, make: func(a *arena) string {
		return replace(a.signed, "<ds:DigestValue>", "<ds:DigestValue>AA==</ds:DigestValue><ds:DigestValue>")
	}},
	{name: "soap-object", reason: format, make: func(a *arena) string { return replace(a.signed, "</ds:Signature>", "<ds:Object/></ds:Signature>") }},
	{name: "soap-timestamp-only", reason: structure, make: func(a *arena) string {
		stamp := `<wsu:Timestamp wsu:Id="TS"><wsu:Created>2026-06-15T07:00:00Z</wsu:Created></wsu:Timestamp>`
		return a.good.sign(message(security(stamp+signatureText(info(methodRSA, ref("#TS", transform(uriExc))), a.good.identifier())), body("id-body", payload)))
	}},
	{name: "soap-timestamp-too", make: func(a *arena) string {
		stamp := `<wsu:Timestamp wsu:Id="TS"><wsu:Created>2026-06-15T07:00:00Z</wsu:Created></wsu:Timestamp>`
		return a.good.sign(message(security(stamp+signatureText(info(methodRSA, ref("#TS", transform(uriExc)), bodyRef()), a.good.identifier())), body("id-body", payload)))
	}},
	{name: "soap-two-timestamps", reason: format, make: func(a *arena) string {
		return replace(a.signed, "<ds:Signature", "<wsu:Timestamp/><wsu:Timestamp/><ds:Signature")
	}},
	{name: "soap-timestamp-no-date", reason: format, make: func(a *arena) string {
		return replace(a.signed, "<ds:Signature", "<wsu:Timestamp><wsu:Created>yesterday</wsu:Created></wsu:Timestamp><ds:Signature")
	}},
	{name: "soap-payload-only", reason: structure, make: func(a *arena) string {
		inner := replace(payload, "<request>", `<request Id="part">`)
		return a.good.sign(message(security(signatureText(info(methodRSA, ref("#part", transform(uriExc))), a.good.identifier())), body("id-body", inner)))
	}},
	{name: "soap-reference-twice", reason: structure, make: func(a *arena) string {
		return a.soap(a.good, info(methodRSA, bodyRef(), bodyRef()), a.good.identifier())
	}},
	{name: "soap-whole-document", reason: structure, make: func(a *arena) string {
		return a.soap(a.good, info(methodRSA, ref("", transform(uriExc))), a.good.identifier())
	}},
	{name: "soap-enveloped", reason: structure, make: func(a *arena) string {
		return a.soap(a.good, info(methodRSA, ref("#id-body", transform(uriEnveloped), transform(uriExc))), a.good.identifier())
	}},
	{name: "soap-xpointer", reason: structure, make: func(a *arena) string {
		return a.soap(a.good, info(methodRSA, ref("#xpointer(id('id-body'))", transform(uriExc))), a.good.identifier())
	}},
	{name: "soap-reference-url", reason: structure, make: func(a *arena) string {
		return a.soap(a.good, info(methodRSA, ref("http://127.0.0.1/#id-body", transform(uriExc)), bodyRef()), a.good.identifier())
	}},
	{name: "soap-reference-file", reason: structure, make: func(a *arena) string {
		return a.soap(a.good, info(methodRSA, ref("file:///etc/passwd"), bodyRef()), a.good.identifier())
	}},
	{name: "soap-reference-nothing", reason: verdict.SignedDataNotFound, make: func(a *arena) string {
		return a.soap(a.good, info(methodRSA, ref("#nothing", transform(uriExc)), bodyRef()), a.good.identifier())
	}},
	{name: "soap-no-uri", reason: structure, make: func(a *arena) string {
		return a.soap(a.good, info(methodRSA, strings.Replace(bodyRef(), ` URI="#id-body"`, "", 1)), a.good.identifier())
	}},
	{name: "soap-xpath", reason: structure, make: func(a *arena) string {
		return a.soap(a.good, info(methodRSA, ref("#id-body", `<ds:Transform Algorithm="`+uriXPath+`"><ds:XPath>false()</ds:XPath></ds:Transform>`)), a.good.identifier())
	}},
	{name: "soap-xslt", reason: structure, make: func(a *arena) string {
		return a.soap(a.good, info(methodRSA, ref("#id-body", transform(uriXSLT), transform(uriExc))), a.good.identifier())
	}},
	{name: "soap-base64-transform", reason: structure, make: func(a *arena) string {
		return a.soap(a.good, info(methodRSA, ref("#id-body", transform(uriBase64))), a.good.identifier())
	}},
	{name: "soap-two-canonical-forms", reason: structure, make: func(a *arena) string {
		return a.soap(a.good, info(methodRSA, ref("#id-body", transform(uriExc), transform(uriC14N10))), a.good.identifier())
	}},
	{name: "soap-many-references", reason: structure, make: func(a *arena) string {
		return a.soap(a.good, info(methodRSA, strings.Repeat(bodyRef(), maxReferences+1)), a.good.identifier())
	}},
	{name: "soap-many-prefixes", reason: structure, make: func(a *arena) string {
		list := strings.Repeat("a ", maxPrefixes+1)
		return a.soap(a.good, info(methodRSA, ref("#id-body", `<ds:Transform Algorithm="`+uriExc+`"><e:InclusiveNamespaces xmlns:e="`+nsExc+`" PrefixList="`+list+`"/></ds:Transform>`)), a.good.identifier())
	}},
	{name: "soap-rsa-sha1", reason: weak, make: func(a *arena) string { return a.soap(a.good, info(nsDS+"rsa-sha1", bodyRef()), a.good.identifier()) }},
	{name: "soap-digest-sha1", reason: weak, make: func(a *arena) string {
		return a.soap(a.good, info(methodRSA, strings.Replace(bodyRef(), digest256, nsDS+"sha1", 1)), a.good.identifier())
	}},
	{name: "soap-hmac", reason: weak, make: func(a *arena) string { return a.soap(a.good, info(nsDS+"hmac-sha1", bodyRef()), a.good.identifier()) }},
	{name: "soap-unknown-method", reason: weak, make: func(a *arena) string { return a.soap(a.good, info("urn:none", bodyRef()), a.good.identifier()) }},
	{name: "soap-ecdsa-label", reason: weak, make: func(a *arena) string {
		return a.soap(a.good, info("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", bodyRef()), a.good.identifier())
	}},
	{name: "soap-digest-short", reason: verdict.HashFailure, make: func(a *arena) string {
		i := strings.Index(a.signed, "<ds:DigestValue>") + len("<ds:DigestValue>")
		j := strings.Index(a.signed, "</ds:DigestValue>")
		return a.signed[:i] + a.signed[i:i+8] + a.signed[j:]
	}},
	{name: "soap-digest-not-base64", reason: format, make: func(a *arena) string { return replace(a.signed, "<ds:DigestValue>", "<ds:DigestValue>*") }},
	{name: "soap-value-of-another", reason: verdict.SigCryptoFailure, make: func(a *arena) string {
		i, j := strings.Index(a.signed, "<ds:SignatureValue>")+len("<ds:SignatureValue>"), strings.Index(a.signed, "</ds:SignatureValue>")
		return a.signed[:i] + base64.StdEncoding.EncodeToString(make([]byte, 256)) + a.signed[j:]
	}},
	{name: "soap-no-keyinfo", reason: nobodys, make: func(a *arena) string {
		return replace(a.signed, "<ds:KeyInfo>"+a.good.identifier()+"</ds:KeyInfo>", "")
	}},
	{name: "soap-key-name-only", reason: nobodys, make: func(a *arena) string {
		return a.soap(a.good, info(methodRSA, bodyRef()), "<ds:KeyName>../root</ds:KeyName>")
	}},
	{name: "soap-key-value-only", reason: nobodys, make: func(a *arena) string { return a.soap(a.good, info(methodRSA, bodyRef()), keyValue("AQAB")) }},
	{name: "soap-key-value-beside", reason: nobodys, make: func(a *arena) string {
		return a.soap(a.good, info(methodRSA, bodyRef()), keyValue("AQAB")+a.good.identifier())
	}},
	{name: "soap-two-certificates", reason: nobodys, make: func(a *arena) string {
		return a.soap(a.good, info(methodRSA, bodyRef()), a.other.identifier()+a.good.identifier())
	}},
	{name: "soap-retrieval-method", reason: nobodys, make: func(a *arena) string {
		return a.soap(a.good, info(methodRSA, bodyRef()), `<ds:RetrievalMethod URI="http://127.0.0.1/c"/>`)
	}},
	{name: "soap-unknown-serial", reason: nobodys, make: func(a *arena) string {
		return a.soap(a.good, info(methodRSA, bodyRef()), "<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>CN=a,C=KZ</ds:X509IssuerName><ds:X509SerialNumber>1</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data>")
	}},
	{name: "soap-token-outside", reason: nobodys, make: func(a *arena) string {
		token := `<wsse:BinarySecurityToken` + declareAll + ` wsu:Id="T" ValueType="` + typeX509v3 + `">` + a.good.certificate() + `</wsse:BinarySecurityToken>`
		str := `<wsse:SecurityTokenReference><wsse:Reference URI="#T"/></wsse:SecurityTokenReference>`
		return a.good.sign(message(token+security(signatureText(info(methodRSA, bodyRef()), str)), body("id-body", payload)))
	}},
	{name: "soap-expired", reason: verdict.Expired, make: func(a *arena) string { return a.soap(a.expired, info(methodRSA, bodyRef()), a.expired.identifier()) }},
	{name: "soap-not-yet-valid", reason: verdict.NotYetValid, make: func(a *arena) string { return a.soap(a.early, info(methodRSA, bodyRef()), a.early.identifier()) }},
	{name: "soap-authentication-key", reason: verdict.KeyUsage, make: func(a *arena) string { return a.soap(a.auth, info(methodRSA, bodyRef()), a.auth.identifier()) }},
	{name: "soap-must-understand", reason: format, make: func(a *arena) string {
		return replace(a.signed, "</soap:Header>", `<x:y xmlns:x="urn:x" soap:mustUnderstand="1"/></soap:Header>`)
	}},
	{name: "soap-must-understand-another", make: func(a *arena) string {
		return replace(a.signed, "</soap:Header>", `<x:y xmlns:x="urn:x" soap:mustUnderstand="1" soap:actor="urn:another"/></soap:Header>`)
	}},
	{name: "soap-12", reason: format, make: func(a *arena) string { return strings.ReplaceAll(a.signed, nsSOAP, nsSOAP12) }},
	{name: "soap-doctype", reason: format, make: func(a *arena) string { return "<!DOCTYPE a [<!ENTITY b \"c\">]>" + a.signed }},
	{name: "soap-legacy", make: func(a *arena) string {
		return a.good.sign(message(signatureText(info(methodRSA, bodyRef()), a.good.x509()), `<soap:Body Id="id-body">`+payload+"</soap:Body>"))
	}},
	{name: "soap-legacy-mixed", reason: format, make: func(a *arena) string {
		return a.good.sign(message(signatureText(info(methodRSA, bodyRef()), a.good.identifier()), body("id-body", payload)))
	}},
	{name: "soap-legacy-beside-security", reason: format, make: func(a *arena) string {
		return a.good.sign(message(security("")+signatureText(info(methodRSA, bodyRef()), a.good.x509()), `<soap:Body Id="id-body">`+payload+"</soap:Body>"))
	}},
	{name: "soap-inclusive", make: func(a *arena) string {
		return a.soap(a.good, strings.Replace(info(methodRSA, ref("#id-body", transform(uriC14N10))), uriExc, uriC14N11, 1), a.good.identifier())
	}},

	{name: "plain-honest", plain: true, make: func(a *arena) string { return a.document }},
	{name: "plain-comment-added", plain: true, make: func(a *arena) string { return replace(a.document, "900101", "900<!-- -->101") }},
	{name: "plain-content-added", plain: true, reason: verdict.HashFailure, make: func(a *arena) string {
		return replace(a.document, "</application>", "<iin>850505400454</iin></application>")
	}},
	{name: "plain-unsigned", plain: true, reason: verdict.NoSignature, make: func(*arena) string { return "<application/>" }},
	{name: "plain-two-signers", plain: true, make: func(a *arena) string {
		return a.enveloped(a.other, strings.TrimSuffix(a.document, "</application>"), "</application>")
	}},
	{name: "plain-second-by-nobody", plain: true, reason: verdict.NoSigningCertificate, make: func(a *arena) string {
		return a.good.sign(strings.TrimSuffix(a.document, "</application>") + signatureText(info(methodRSA, ref("", transform(uriEnveloped))), keyValue("AQAB")) + "</application>")
	}},
	{name: "plain-first-damaged", plain: true, reason: verdict.HashFailure, make: func(a *arena) string {
		return a.enveloped(a.other, replace(strings.TrimSuffix(a.document, "</application>"), "900101300120", "850505400454"), "</application>")
	}},
	{name: "plain-wrapped-in-object", plain: true, reason: structure, make: func(a *arena) string {
		return a.good.sign("<evil><iin>850505400454</iin>" + signatureText(info(methodRSA, ref("#x")), a.good.x509(), `<ds:Object><application Id="x"><iin>900101300120</iin></application></ds:Object>`) + "</evil>")
	}},
	{name: "plain-moved-root", plain: true, reason: structure, make: func(a *arena) string {
		return a.good.sign(`<evil><iin>850505400454</iin><w><application Id="x"><iin>900101300120</iin></application></w>` +
			signatureText(info(methodRSA, ref("#x", transform(uriEnveloped), transform(uriC14N10))), a.good.x509()) + "</evil>")
	}},
	{name: "plain-part-by-id", plain: true, make: func(a *arena) string {
		return a.good.sign(`<root><part Id="x"><iin>900101300120</iin></part>` + signatureText(info(methodRSA, ref("#x", transform(uriC14N10))), a.good.x509()) + "</root>")
	}},
	{name: "plain-covers-itself", plain: true, reason: structure, make: func(a *arena) string {
		return a.good.sign("<application>" + signatureText(info(methodRSA, ref("", transform(uriC14N10))), a.good.x509()) + "</application>")
	}},
	{name: "plain-only-keyinfo", plain: true, reason: structure, make: func(a *arena) string {
		return a.good.sign("<application>" + strings.Replace(signatureText(info(methodRSA, ref("#k", transform(uriC14N10))), a.good.x509()), "<ds:KeyInfo>", `<ds:KeyInfo Id="k">`, 1) + "</application>")
	}},
	{name: "plain-manifest", plain: true, reason: structure, make: func(a *arena) string {
		return a.good.sign("<application>" + signatureText(info(methodRSA, ref("#m", transform(uriC14N10)), ref("", transform(uriEnveloped))), a.good.x509(), `<ds:Object><ds:Manifest Id="m"/></ds:Object>`) + "</application>")
	}},
	{name: "plain-enveloping", plain: true, make: func(a *arena) string {
		return a.good.sign(signatureText(info(methodRSA, ref("#o", transform(uriC14N10))), a.good.x509(), `<ds:Object Id="o"><application><iin>900101300120</iin></application></ds:Object>`))
	}},
	{name: "plain-two-unrooted", plain: true, reason: format, make: func(a *arena) string {
		return "<r><a>" + a.document + "</a><b>" + a.document + "</b></r>"
	}},
}

func keyValue(exponent string) string {
	return "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>" + base64.StdEncoding.EncodeToString(append([]byte{0xc1}, make([]byte, 255)...)) +
		"</ds:Modulus><ds:Exponent>" + exponent + "</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>"
}

// TestAttacks judges testdata/attacks/signature: one file a trick, the expected
// outcome and reason beside it. With -update the files are made again.
func TestAttacks(t *testing.T) {
	dir := filepath.Join("..", "testdata", "attacks", "signature")
	a := newArena(t)
	if *update {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	known := map[string]bool{}
	for _, trick := range tricks {
		known[trick.name] = true
		t.Run(trick.name, func(t *testing.T) {
			path := filepath.Join(dir, trick.name+".xml")
			expected := "TOTAL_PASSED\n"
			if trick.reason != verdict.None {
				expected = "TOTAL_FAILED " + string(trick.reason) + "\n"
			}
			made := trick.make(a)
			if *update {
				for p, text := range map[string]string{path: made, strings.TrimSuffix(path, "xml") + "txt": expected} {
					if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v; go test ./signature -run TestAttacks -update makes it", err)
			}
			if string(src) != made {
				t.Error("the file is not what its maker makes; -update, and look at the difference")
			}
			want, err := os.ReadFile(strings.TrimSuffix(path, "xml") + "txt")
			if err != nil || string(want) != expected {
				t.Fatalf("the file says %q, the table %q: %v", want, expected, err)
			}
			judgeTrick(t, a, trick, src)
		})
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name, _, _ := strings.Cut(f.Name(), "."); !known[name] {
			t.Errorf("%s belongs to no trick", f.Name())
		}
	}
}

func judgeTrick(t *testing.T, a *arena, trick trick, src []byte) {
	doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
	if err != nil {
		if trick.reason != verdict.FormatFailure {
			t.Fatal(err)
		}
		return
	}
	got := a.w.verifier.WSSE(t.Context(), doc, now())
	if trick.plain {
		got = a.w.verifier.XMLDSig(t.Context(), doc, now())
	}
	outcome := verdict.Failed
	if trick.reason == verdict.None {
		outcome = verdict.Passed
	}
	if got.Outcome != outcome || got.Reason != trick.reason {
		t.Errorf("%s; expected %s %s", explain(got), outcome, trick.reason)
	}
	content, ok := got.Content()
	if ok != (outcome == verdict.Passed) {
		t.Fatalf("content: %v", ok)
	}
	if !ok {
		return
	}
	tree, err := content.Tree()
	if err != nil {
		t.Fatal(err)
	}
	found := ""
	for n := range tree.Root().Descendants() {
		if n.Local() == "iin" {
			found += n.Text()
		}
	}
	if found != testIIN {
		t.Errorf("the content's IIN reads %q, not %q", found, testIIN)
	}
}
