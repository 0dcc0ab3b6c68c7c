package xmltree

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// message is a signed SOAP message as the gateway sends it, with the data given.
func message(data string) []byte {
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>` +
		`<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:wsu="` + wsuNamespace + `"><soap:Header>` +
		`<wsse:Security xmlns:wsse="` + wsseNamespace + `" soap:mustUnderstand="1"><ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="SIG-1">` +
		`<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>` +
		`<ds:Reference URI="#id-1"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>` +
		`<ds:DigestValue>` + strings.Repeat("A", 43) + `=</ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue>` + strings.Repeat("QUJD", 85) + `</ds:SignatureValue>` +
		`<ds:KeyInfo><wsse:SecurityTokenReference><wsse:KeyIdentifier ValueType="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3">` +
		strings.Repeat("TUlJ", 250) + `</wsse:KeyIdentifier></wsse:SecurityTokenReference></ds:KeyInfo></ds:Signature></wsse:Security></soap:Header>` +
		`<soap:Body wsu:Id="id-1"><ns2:SendMessage xmlns:ns2="http://bip.bee.kz/SyncChannel/v10/Types"><request><requestInfo>` +
		`<messageId>7ea6369f-18c5-4633-ad73-19de35883e0b</messageId><serviceId>TEST_SERVICE</serviceId><messageDate>2026-11-25T11:00:00.000+05:00</messageDate>` +
		`<sender><senderId>TEST_SENDER</senderId><password>***</password></sender></requestInfo><requestData>` +
		`<data xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">` + data +
		`</data></requestData></request></ns2:SendMessage></soap:Body></soap:Envelope>`)
}

// rows is element-rich data: n elements of two levels.
func rows(n int) string {
	var b strings.Builder
	for i := 0; i < n; i += 3 {
		fmt.Fprintf(&b, "\n  <row no=\"%d\"><surname>ТЕСТОВ</surname><address>г. Алматы, ул. Тестовая, 1</address></row>", i)
	}
	return b.String()
}

// sizes are the messages of the benchmarks.
func sizes() []struct {
	name string
	src  []byte
} {
	return []struct {
		name string
		src  []byte
	}{
		{"4KB", message("&lt;application&gt;&lt;iin&gt;900101300123&lt;/iin&gt;" + strings.Repeat("&lt;a&gt;ӘЖ&lt;/a&gt;", 20) + "&lt;/application&gt;")},
		{"500KB-rows", message(rows(10_500))},
		{"5MB-attachment", message("<file>" + strings.Repeat("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\n", 5<<20/77) + "</file>")},
		{"10MB-elements", message(rows(210_000))},
	}
}

// BenchmarkParse: own reader, with etree as reference.
func BenchmarkParse(b *testing.B) {
	for _, s := range sizes() {
		b.Run(s.name+"/kopir", func(b *testing.B) {
			b.SetBytes(int64(len(s.src)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(s.src, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(s.name+"/etree", func(b *testing.B) {
			b.SetBytes(int64(len(s.src)))
			b.ReportAllocs()
			for b.Loop() {
				if err := etree.NewDocument().ReadFromBytes(s.src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCanonical: a parsed message, with goxmldsig's canonicaliser over
// etree as reference.
func BenchmarkCanonical(b *testing.B) {
	for _, s := range sizes() {
		doc, err := Parse(s.src, Limits{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(s.name+"/kopir", func(b *testing.B) {
			b.SetBytes(int64(len(s.src)))
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				out = doc.Canonical(out[:0], Node{}, C14N{Kind: Exclusive})
			}
		})
		foreign := etree.NewDocument()
		if err := foreign.ReadFromBytes(s.src); err != nil {
			b.Fatal(err)
		}
		theirs := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
		b.Run(s.name+"/goxmldsig", func(b *testing.B) {
			b.SetBytes(int64(len(s.src)))
			b.ReportAllocs()
			for b.Loop() {
				out, err := theirs.Canonicalize(foreign.Root())
				if err != nil {
					b.Fatal(err)
				}
				if len(out) == 0 {
					b.Fatal("nothing came")
				}
			}
		})
	}
}

// BenchmarkParseCanonical: what one verification costs before the arithmetic.
func BenchmarkParseCanonical(b *testing.B) {
	for _, s := range sizes() {
		b.Run(s.name, func(b *testing.B) {
			b.SetBytes(int64(len(s.src)))
			b.ReportAllocs()
			out := make([]byte, 0, len(s.src))
			for b.Loop() {
				doc, err := Parse(s.src, Limits{})
				if err != nil {
					b.Fatal(err)
				}
				body, err := doc.ByID("id-1")
				if err != nil {
					b.Fatal(err)
				}
				out = doc.Canonical(out[:0], body, C14N{Kind: Exclusive})
			}
			if !bytes.HasPrefix(out, []byte("<soap:Body")) {
				b.Fatal("not the Body")
			}
		})
	}
}
