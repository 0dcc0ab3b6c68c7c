package signer

import (
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"kopir/signature/cms"
	"kopir/signature/sigtest"
	"kopir/signature/xmltree"
)

const (
	document = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<root Id=\"r\">\n  <name>ТЕСТ &amp; Қ</name>\n  <empty> </empty>\n</root>"
	envelope = `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><m:SendMessage xmlns:m="http://bip.bee.kz/SyncChannel/v10/Types"><request>1</request></m:SendMessage></soap:Body></soap:Envelope>`
)

func TestXMLSignAndVerify(t *testing.T) {
	each(t, options{}, func(tn *town) {
		first, second := tn.issue(sigtest.Profile{}), tn.issue(sigtest.Profile{IIN: sigtest.IIN(8)})
		out := tn.do("/xml/sign", object{"xml": document, "signers": []object{tn.signer(first), tn.signer(second)}}).text("xml")
		for _, form := range []string{
			`URI=""`, `xmldsig#enveloped-signature`, `REC-xml-c14n-20010315#WithComments`, "<ds:X509Certificate>",
		} {
			if !strings.Contains(out, form) {
				tn.Errorf("%s is not in the signature", form)
			}
		}
		v := tn.do("/xml/verify", object{"xml": out})
		tn.verdictIs(v, true, "TOTAL_PASSED")
		signers := v.signers(t)
		if len(signers) != 2 || signers[0]["subject"].(object)["iin"] != sigtest.IIN(7) || signers[1]["subject"].(object)["iin"] != sigtest.IIN(8) {
			tn.Fatalf("signers: %v", signers)
		}
		if signers[0]["valid"] != true || len(revocations(t, signers[0])) != 0 {
			tn.Errorf("the certificate: %v", signers[0])
		}

		// One byte of it changed.
		bad := strings.Replace(out, "ТЕСТ", "ТЕСТЬ", 1)
		tn.verdictIs(tn.do("/xml/verify", object{"xml": bad}), false, "TOTAL_FAILED HASH_FAILURE")
		// Nothing signed.
		r := tn.do("/xml/verify", object{"xml": document})
		if tn.verdictIs(r, false, "TOTAL_FAILED NO_SIGNATURE"); len(r.signers(t)) != 0 {
			tn.Errorf("signers of nothing: %v", r.body)
		}

		// Signed anew, the old signatures gone.
		again := tn.do("/xml/sign", object{"xml": out, "clearSignatures": true, "signers": []object{tn.signer(second)}}).text("xml")
		if strings.Count(again, "<ds:Signature ") != 1 || !strings.HasPrefix(again, strings.TrimSuffix(document, "</root>")) {
			tn.Errorf("cleared and signed:\n%s", again)
		}
		tn.verdictIs(tn.do("/xml/verify", object{"xml": again}), true, "TOTAL_PASSED")
		// And beside them.
		both := tn.do("/xml/sign", object{"xml": again, "signers": []object{tn.signer(first)}}).text("xml")
		if n := len(tn.do("/xml/verify", object{"xml": both}).signers(t)); n != 2 {
			tn.Errorf("%d signers after one more", n)
		}

		trim := tn.do("/xml/sign", object{"xml": document, "trimXml": true, "signers": []object{tn.signer(first)}}).text("xml")
		if !strings.Contains(trim, `?><root Id="r"><name>ТЕСТ &amp; Қ</name><empty> </empty><ds:Signature`) {
			tn.Errorf("trimmed:\n%s", trim)
		}
		tn.verdictIs(tn.do("/xml/verify", object{"xml": trim}), true, "TOTAL_PASSED")

		// By the id of the root.
		key := tn.signer(first)
		key["referenceUri"] = "#r"
		byID := tn.do("/xml/sign", object{"xml": document, "signers": []object{key}}).text("xml")
		if !strings.Contains(byID, `URI="#r"`) {
			tn.Errorf("by reference:\n%s", byID)
		}
		tn.verdictIs(tn.do("/xml/verify", object{"xml": byID}), true, "TOTAL_PASSED")
	})
}

func TestWSSESignAndVerify(t *testing.T) {
	each(t, options{}, func(tn *town) {
		request := tn.signer(tn.issue(sigtest.Profile{}))
		request["xml"] = envelope
		out := tn.do("/wsse/sign", request).text("xml")
		id := regexp.MustCompile(`wsu:Id="(id-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12})"`).FindStringSubmatch(out)
		if id == nil || !strings.Contains(out, `URI="#`+id[1]+`"`) {
			tn.Errorf("no id-<uuid> of the Body that is referred to:\n%s", out)
		}
		for _, form := range []string{"http://www.w3.org/2001/10/xml-exc-c14n#", "<wsse:KeyIdentifier", "#X509v3", `soap:mustUnderstand="1"`} {
			if !strings.Contains(out, form) {
				tn.Errorf("%s is not in the message", form)
			}
		}
		v := tn.do("/wsse/verify", object{"xml": out})
		if tn.verdictIs(v, true, "TOTAL_PASSED"); len(v.signers(t)) != 1 {
			tn.Errorf("signers: %v", v.body)
		}
		tn.verdictIs(tn.do("/wsse/verify", object{"xml": strings.Replace(out, "<request>1", "<request>2", 1)}), false, "TOTAL_FAILED HASH_FAILURE")

		request["xml"], request["trimXml"] = strings.ReplaceAll(envelope, "><", ">\n  <"), true
		trimmed := tn.do("/wsse/sign", request).text("xml")
		if strings.Contains(trimmed, "\n") {
			tn.Errorf("not trimmed:\n%s", trimmed)
		}
		tn.verdictIs(tn.do("/wsse/verify", object{"xml": trimmed}), true, "TOTAL_PASSED")

		request["xml"] = trimmed
		if r := tn.post("/wsse/sign", request); r.code != http.StatusBadRequest || !strings.Contains(r.message(), "signed already") {
			tn.Errorf("signed twice: %v", r.body)
		}
	})
}

func TestCMSSignAndVerify(t *testing.T) {
	each(t, options{stamps: true}, func(tn *town) {
		first, second := tn.issue(sigtest.Profile{}), tn.issue(sigtest.Profile{IIN: sigtest.IIN(8)})
		data := []byte("Заявление\r\n")
		for _, detached := range []bool{false, true} {
			one := tn.do("/cms/sign", object{"data": b64(data), "signers": []object{tn.signer(first)}, "detached": detached})
			ask := object{"cms": one.text("cms")}
			if detached {
				ask["data"] = b64(data)
			}
			v := tn.do("/cms/verify", ask)
			tn.verdictIs(v, true, "TOTAL_PASSED")
			signers := v.signers(t)
			if len(signers) != 1 || signers[0]["tsp"] != nil || len(signers[0]["certificates"].([]any)) != 1 {
				tn.Fatalf("signers: %v", signers)
			}
			ask["signers"], ask["withTsp"], ask["tsaPolicy"] = []object{tn.signer(second)}, true, PolicyGOST2015
			two := tn.do("/cms/sign/add", ask).text("cms")
			ask = object{"cms": two}
			if detached {
				ask["data"] = b64(data)
			}
			v = tn.do("/cms/verify", ask)
			tn.verdictIs(v, true, "TOTAL_PASSED")
			stamped := 0
			for _, s := range v.signers(t) {
				c := s["certificates"].([]any)[0].(object)
				if stamp, ok := s["tsp"].(object); ok {
					stamped++
					if c["subject"].(object)["iin"] != sigtest.IIN(8) {
						tn.Errorf("the stamp is over %v", c["subject"])
					}
					if stamp["genTime"] != "2026-06-15T06:59:59.000+00:00" || stamp["policy"] != "1.2.398.3.3.2.6.4" || stamp["hash"] == "" || stamp["serialNumber"] == "" {
						tn.Errorf("tsp: %v", stamp)
					}
					if _, told := stamp["tsa"]; !told {
						tn.Errorf("tsp without tsa: %v", stamp)
					}
				}
			}
			if len(v.signers(t)) != 2 || stamped != 1 {
				tn.Errorf("%d signers, %d stamps", len(v.signers(t)), stamped)
			}

			// Other content, and none.
			if detached {
				ask["data"] = b64([]byte("other"))
				tn.verdictIs(tn.do("/cms/verify", ask), false, "TOTAL_FAILED HASH_FAILURE")
				delete(ask, "data")
				if r := tn.post("/cms/verify", ask); r.code != http.StatusBadRequest || !strings.Contains(r.message(), "data") {
					tn.Errorf("a detached message without its content: %v", r.body)
				}
				if r := tn.post("/cms/extract", ask); r.code != http.StatusBadRequest {
					tn.Errorf("content of a detached message: %v", r.body)
				}
				continue
			}
			if got := tn.do("/cms/extract", object{"cms": two}).text("data"); got != b64(data) {
				tn.Errorf("extracted %s", got)
			}
		}

		// Two keys in one request, both stamped.
		both := tn.do("/cms/sign", object{"data": b64(data), "withTsp": true, "signers": []object{tn.signer(first), tn.signer(second)}}).text("cms")
		raw, err := base64.StdEncoding.DecodeString(both)
		if err != nil {
			tn.Fatal(err)
		}
		m, err := cms.Parse(raw)
		if err != nil {
			tn.Fatal(err)
		}
		for i := range m.Signers {
			if n := len(m.Signers[i].Tokens()); n != 1 {
				tn.Errorf("signature %d has %d time stamps", i, n)
			}
		}
		tn.verdictIs(tn.do("/cms/verify", object{"cms": both}), true, "TOTAL_PASSED")
	})
}

// TestStampsOfStrangers: a stamp whose authority no root vouches for is no
// time that anybody should be told.
func TestStampsOfStrangers(t *testing.T) {
	tn := newTown(t, options{stamps: true})
	stranger, err := sigtest.NewAuthority("stranger", sigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if tn.tsa, err = stranger.Issue(sigtest.Profile{Kind: sigtest.Timestamps, CommonName: "TSA"}); err != nil {
		t.Fatal(err)
	}
	out := tn.do("/cms/sign", object{"data": "dGVzdA==", "withTsp": true, "signers": []object{tn.signer(tn.issue(sigtest.Profile{}))}}).text("cms")
	v := tn.do("/cms/verify", object{"cms": out})
	if tn.verdictIs(v, true, "TOTAL_PASSED"); v.signers(t)[0]["tsp"] != nil {
		t.Errorf("tsp of a stranger: %v", v.body)
	}
}

// TestNoTimeStampAuthority: what cannot be done is said before anything is signed.
func TestNoTimeStampAuthority(t *testing.T) {
	tn := newTown(t, options{})
	request := object{"data": "dGVzdA==", "withTsp": true, "signers": []object{tn.signer(tn.issue(sigtest.Profile{}))}}
	for _, policy := range []any{nil, PolicyGOST, PolicyGOSTGT, PolicyGOST2015} {
		request["tsaPolicy"] = policy
		if r := tn.post("/cms/sign", request); r.code != http.StatusInternalServerError || !strings.Contains(r.message(), "no time stamp authority is configured") {
			t.Errorf("%v: %v", policy, r.body)
		}
	}
	some := newTown(t, options{stamps: true})
	request["tsaPolicy"] = PolicyGOSTGT
	if r := some.post("/cms/sign", request); r.code != http.StatusInternalServerError || !strings.Contains(r.message(), PolicyGOSTGT) {
		t.Errorf("a policy without an address: %v", r.body)
	}
}

// TestTrim: white space goes from between tags and from nowhere else.
func TestTrim(t *testing.T) {
	for in, want := range map[string]string{
		"\n<a>\n <b>x y</b>\n</a>\n":              "<a><b>x y</b></a>",
		"<a> <!-- c --> <b/> </a>":                "<a> <!-- c --> <b/></a>",
		"<a><b q='> >'> </b> <c> z </c></a>":      "<a><b q='> >'> </b><c> z </c></a>",
		"<a> <![CDATA[ <x> </x> ]]> <b></b> </a>": "<a> <![CDATA[ <x> </x> ]]> <b></b></a>",
		"<?xml version=\"1.0\"?>\n<?p i?>\n<a/>":  "<?xml version=\"1.0\"?><?p i?><a/>",
		"<a>t <b/> u</a>":                         "<a>t <b/> u</a>",
		"<a>&#32;<b/></a>":                        "<a>&#32;<b/></a>",
	} {
		got, bad := trimmed([]byte(in))
		if bad != nil || string(got) != want {
			t.Errorf("%q: %q %v, due %q", in, got, bad, want)
		}
	}
}

// TestClearSignatures: only signatures under the root go, byte for byte.
func TestClearSignatures(t *testing.T) {
	in := "<a xmlns:ds='http://www.w3.org/2000/09/xmldsig#'> <ds:Signature x='&gt;'><ds:Signature/>\n</ds:Signature>\n<b><ds:Signature/></b><Signature/><s xmlns='http://www.w3.org/2000/09/xmldsig#'/><Signature xmlns='http://www.w3.org/2000/09/xmldsig#'/></a>"
	want := "<a xmlns:ds='http://www.w3.org/2000/09/xmldsig#'> \n<b><ds:Signature/></b><Signature/><s xmlns='http://www.w3.org/2000/09/xmldsig#'/></a>"
	got, bad := withoutSignatures([]byte(in))
	if bad != nil || string(got) != want {
		t.Fatalf("%s %v", got, bad)
	}
	if _, err := xmltree.Parse(got, xmltree.DefaultLimits()); err != nil {
		t.Error(err)
	}
}

// TestReferenceToAPart: what verification could not tell apart is not signed.
func TestReferenceToAPart(t *testing.T) {
	tn := newTown(t, options{})
	key := tn.signer(tn.issue(sigtest.Profile{}))
	for _, uri := range []string{"#part", "#none", "other.xml", "#", "http://example.invalid/"} {
		key["referenceUri"] = uri
		r := tn.post("/xml/sign", object{"xml": `<root Id="r"><part Id="part"/></root>`, "signers": []object{key}})
		if r.code != http.StatusBadRequest || !strings.Contains(r.message(), "reference") {
			t.Errorf("%s: %v", uri, r.body)
		}
	}
}
