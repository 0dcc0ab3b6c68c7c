package signature

import (
	"bytes"
	"strings"
	"testing"

	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

// Every shape of envelope takes every form of KeyInfo, and loses no byte.
func TestSignWSSE(t *testing.T) {
	for _, alg := range []sigtest.Algorithm{sigtest.RSA, sigtest.GOST2015, sigtest.GOST2004} {
		t.Run(alg.String(), func(t *testing.T) { trySignWSSE(t, newWorldWith(t, alg)) })
	}
}

func trySignWSSE(t *testing.T, w *world) {
	key := w.key(t, sigtest.Profile{})
	w.trust.AddKnown(key.Certificate)
	body := `<b xmlns="urn:x" xmlns:soap="urn:other">text</b>`
	timestamp := `<wsu:Timestamp xmlns:wsu="` + nsWSU + `" wsu:Id="TS-1"><wsu:Created>2026-06-15T06:59:00Z</wsu:Created></wsu:Timestamp>`
	envelopes := map[string]string{
		"usual":               envelope,
		"no header":           `<soap:Envelope xmlns:soap="` + nsSOAP + `"><soap:Body>` + body + `</soap:Body></soap:Envelope>`,
		"empty header tag":    `<soap:Envelope xmlns:soap="` + nsSOAP + `"><soap:Header a=">" /><soap:Body>` + body + `</soap:Body></soap:Envelope>`,
		"default namespace":   `<Envelope xmlns="` + nsSOAP + `"><Body>` + body + `</Body></Envelope>`,
		"default, header":     `<Envelope xmlns="` + nsSOAP + `"><Header/><Body/></Envelope>`,
		"two prefixes":        `<a:Envelope xmlns:a="` + nsSOAP + `" xmlns:b="` + nsSOAP + `"><b:Header/><b:Body>` + body + `</b:Body></a:Envelope>`,
		"body has wsu:Id":     `<S:Envelope xmlns:S="` + nsSOAP + `"><S:Body xmlns:u="` + nsWSU + `" u:Id="id-1">` + body + `</S:Body></S:Envelope>`,
		"body has Id":         `<S:Envelope xmlns:S="` + nsSOAP + `"><S:Body Id="id-1">` + body + `</S:Body></S:Envelope>`,
		"wsu means other":     `<S:Envelope xmlns:S="` + nsSOAP + `" xmlns:wsu="urn:o"><S:Body wsu:Id="x">` + body + `</S:Body></S:Envelope>`,
		"wsu on Envelope":     `<S:Envelope xmlns:S="` + nsSOAP + `" xmlns:wsu="` + nsWSU + `"><S:Body>` + body + `</S:Body></S:Envelope>`,
		"other header blocks": `<S:Envelope xmlns:S="` + nsSOAP + `"><S:Header><x:y xmlns:x="urn:x" S:mustUnderstand="0"/></S:Header><S:Body>` + body + `</S:Body></S:Envelope>`,
		"timestamp":           `<S:Envelope xmlns:S="` + nsSOAP + `"><S:Header><s:Security xmlns:s="` + nsWSSE + `">` + timestamp + `</s:Security></S:Header><S:Body>` + body + `</S:Body></S:Envelope>`,
		"CR LF":               strings.ReplaceAll(envelope, "\n", "\r\n"),
		"byte order mark":     "\ufeff" + envelope,
	}
	forms := map[string]KeyInfo{"keyidentifier": KeyInfoKeyIdentifier, "bst": KeyInfoBST, "issuerserial": KeyInfoIssuerSerial, "x509data": KeyInfoX509Data, "": KeyInfoUsual}
	for name, src := range envelopes {
		for word, form := range forms {
			t.Run(name+"/"+word, func(t *testing.T) {
				if got, err := ParseKeyInfo(word); err != nil || got != form {
					t.Fatalf("ParseKeyInfo: %v %v", got, err)
				}
				out, err := SignWSSE([]byte(src), key, SignOptions{KeyInfo: form})
				if err != nil {
					t.Fatal(err)
				}
				v := w.wsse(t, out, now())
				if v.Outcome != verdict.Passed {
					t.Fatalf("%s\n%s", explain(v), out)
				}
				s := v.Signatures[0]
				if s.Signer().IIN != testIIN || s.Signed[0] != "{"+nsSOAP+"}Body" {
					t.Errorf("signer %q, signed %v", s.Signer().IIN, s.Signed)
				}
				if at, ok := s.SignedAt(); ok != (name == "timestamp") || ok && at.Format("15:04:05") != "06:59:00" {
					t.Errorf("signed at %v %v", at, ok)
				}
				content, ok := v.Content()
				if !ok || !bytes.HasPrefix(content.Bytes(), []byte("<")) {
					t.Fatalf("content %v %q", ok, content.Bytes())
				}
				// The payload stands in the output as it stood in the input.
				if i := strings.Index(src, "<typ:SendMessage"); i >= 0 {
					if end := strings.Index(src, "</soap:Body>"); !bytes.Contains(out, []byte(src[i:end])) {
						t.Error("the payload was rewritten")
					}
				}
				if !bytes.Contains(out, []byte("<ds:Signature")) || !bytes.Contains(out, []byte("Security")) {
					t.Error("the literal prefixes are missing")
				}
				// A change of the Body is found out.
				changed := bytes.Replace(out, []byte(">text<"), []byte(">best<"), 1)
				changed = bytes.Replace(changed, []byte("message-7f1c"), []byte("message-7f1d"), 1)
				if !bytes.Equal(changed, out) {
					if v := w.wsse(t, changed, now()); v.Outcome != verdict.Failed || v.Reason != verdict.HashFailure {
						t.Errorf("changed: %s", explain(v))
					}
				}
				if _, err := SignWSSE(out, key, SignOptions{}); err == nil {
					t.Error("a signed message is signed again")
				}
			})
		}
	}
}

func TestSignEnveloped(t *testing.T) {
	for _, alg := range []sigtest.Algorithm{sigtest.RSA, sigtest.GOST2015, sigtest.GOST2004} {
		t.Run(alg.String(), func(t *testing.T) { trySignEnveloped(t, newWorldWith(t, alg)) })
	}
}

func trySignEnveloped(t *testing.T, w *world) {
	key, second := w.key(t, sigtest.Profile{Kind: sigtest.Person}), w.key(t, sigtest.Profile{IIN: "850505400454"})
	w.trust.AddKnown(key.Certificate)
	w.trust.AddKnown(second.Certificate)
	for name, src := range map[string]string{
		"plain":           `<application><iin>900101300120</iin></application>`,
		"empty root":      `<application/>`,
		"attributes":      `<a:application xmlns:a="urn:a" xmlns="urn:d" b='>' xml:lang="kk" ><a:x/></a:application >`,
		"around the root": "<?xml version=\"1.0\"?><!-- a --><?pi x?>\n<r xmlns=\"urn:d\">&#13;t<!-- c --></r>\n<!-- </r> --><?p </r>?>",
		"CR LF":           "<r>\r\n<a>1</a>\r\n</r>\r\n",
		"cdata":           "<r><![CDATA[</r>]]></r>",
	} {
		t.Run(name, func(t *testing.T) {
			for _, o := range []SignOptions{{}, {KeyInfo: KeyInfoX509Data}, {KeyInfo: KeyInfoIssuerSerial}} {
				out, err := SignEnveloped([]byte(src), key, o)
				if err != nil {
					t.Fatal(err)
				}
				v := w.xmldsig(t, out, Want{At: now().At, IIN: testIIN})
				if v.Outcome != verdict.Passed {
					t.Fatalf("%s\n%s", explain(v), out)
				}
				first, ok := v.Content()
				if !ok || bytes.Contains(first.Bytes(), []byte("Signature")) {
					t.Fatalf("content %v %q", ok, first.Bytes())
				}
				twice, err := SignEnveloped(out, second, o)
				if err != nil {
					t.Fatal(err)
				}
				v = w.xmldsig(t, twice, now())
				if v.Outcome != verdict.Passed || len(v.Signatures) != 2 {
					t.Fatalf("two signatures: %s\n%s", explain(v), twice)
				}
				if a, b := v.Signatures[0].Signer().IIN, v.Signatures[1].Signer().IIN; a != testIIN || b != "850505400454" {
					t.Errorf("signers %s, %s", a, b)
				}
				both, ok := v.Content()
				if !ok || !bytes.Equal(both.Bytes(), first.Bytes()) {
					t.Errorf("the content of both is not that of the first: %q", both.Bytes())
				}
				if v := w.xmldsig(t, twice, Want{At: now().At, IIN: testIIN}); v.Outcome != verdict.Failed || v.Reason != verdict.IINMismatch {
					t.Errorf("one signer has another IIN: %s", explain(v))
				}
			}
			if _, err := SignEnveloped([]byte(src), key, SignOptions{KeyInfo: KeyInfoBST}); err == nil {
				t.Error("a token in a plain document")
			}
		})
	}
}

func TestSignRefuses(t *testing.T) {
	w := newWorld(t)
	key := w.key(t, sigtest.Profile{})
	for name, src := range map[string]string{
		"not XML":          "hello",
		"no envelope":      "<a/>",
		"SOAP 1.2":         `<e:Envelope xmlns:e="` + nsSOAP12 + `"><e:Body/></e:Envelope>`,
		"no Body":          `<e:Envelope xmlns:e="` + nsSOAP + `"><e:Header/></e:Envelope>`,
		"two Bodies":       `<e:Envelope xmlns:e="` + nsSOAP + `"><e:Body/><e:Body/></e:Envelope>`,
		"two Security":     `<e:Envelope xmlns:e="` + nsSOAP + `"><e:Header><s:Security xmlns:s="` + nsWSSE + `"/><s:Security xmlns:s="` + nsWSSE + `"/></e:Header><e:Body/></e:Envelope>`,
		"id of two":        `<e:Envelope xmlns:e="` + nsSOAP + `"><e:Header><a Id="x"/></e:Header><e:Body Id="x"/></e:Envelope>`,
		"must understand":  `<e:Envelope xmlns:e="` + nsSOAP + `"><e:Header><a e:mustUnderstand="1"/></e:Header><e:Body/></e:Envelope>`,
		"document type":    `<!DOCTYPE a><e:Envelope xmlns:e="` + nsSOAP + `"><e:Body/></e:Envelope>`,
		"UTF-16 with mark": "\xff\xfe<\x00a\x00/\x00>\x00",
	} {
		if out, err := SignWSSE([]byte(src), key, SignOptions{}); err == nil || out != nil {
			t.Errorf("%s: %v %q", name, err, out)
		} else if !strings.HasPrefix(err.Error(), "sign: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := SignEnveloped([]byte("\xff\xfe<\x00a\x00/\x00>\x00"), key, SignOptions{}); err == nil {
		t.Error("UTF-16 is signed")
	}
	if _, err := SignEnveloped([]byte("<a/>"), nil, SignOptions{}); err == nil {
		t.Error("signed without a key")
	}
}

// TestSignExclusive: such a signature holds where others declare more around
// it; the usual one, which covers what is in scope, does not.
func TestSignExclusive(t *testing.T) {
	for _, alg := range []sigtest.Algorithm{sigtest.RSA, sigtest.GOST2015} {
		w := newWorldWith(t, alg)
		key := w.key(t, sigtest.Profile{})
		for _, exclusive := range []bool{true, false} {
			out, err := SignEnveloped([]byte(`<data xmlns="urn:d"><iin>900101300120</iin></data>`), key, SignOptions{Exclusive: exclusive})
			if err != nil {
				t.Fatal(err)
			}
			if v := w.xmldsig(t, out, now()); v.Outcome != verdict.Passed {
				t.Fatal(explain(v))
			}
			moved := bytes.Replace(out, []byte(`<data xmlns="urn:d"`), []byte(`<data xmlns="urn:d" xmlns:soap="`+nsSOAP+`"`), 1)
			if v := w.xmldsig(t, moved, now()); (v.Outcome == verdict.Passed) != exclusive {
				t.Errorf("%v, exclusive %v, in another place: %s", alg, exclusive, explain(v))
			}
			if v := w.xmldsig(t, bytes.Replace(out, []byte("900101"), []byte("800101"), 1), now()); v.Reason != verdict.HashFailure {
				t.Errorf("%v, changed: %s", alg, explain(v))
			}
		}
	}
}
