package signer

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"kopir/signature/sigtest"
)

// The tests of this file are the places where NCANode answered wrongly
// (findings N1 to N10 of the study of neighbours).

// wsse signs an envelope.
func (tn *town) wsse(c *sigtest.Credential, envelope string) string {
	tn.Helper()
	request := tn.signer(c)
	request["xml"] = envelope
	return tn.do("/wsse/sign", request).text("xml")
}

// TestBodyMustBeSigned (N1): a good signature over another part, or over a
// Body that is not the one that will be used, is no signature of the message.
func TestBodyMustBeSigned(t *testing.T) {
	each(t, options{}, func(tn *town) {
		signed := tn.wsse(tn.issue(sigtest.Profile{}), envelope)
		start, end := strings.Index(signed, "<soap:Body"), strings.Index(signed, "</soap:Envelope>")
		body := signed[start:end]
		evil := `<soap:Body><m:SendMessage xmlns:m="http://bip.bee.kz/SyncChannel/v10/Types"><request>2</request></m:SendMessage></soap:Body>`
		for name, message := range map[string]string{
			"moved under a header block": strings.Replace(signed[:start], "</soap:Header>", "<x:old xmlns:x=\"urn:x\">"+body+"</x:old></soap:Header>", 1) + evil + signed[end:],
			"moved beside":               signed[:start] + evil + body + signed[end:],
			"moved before":               signed[:start] + body + evil + signed[end:],
			"moved into the new one":     signed[:start] + strings.Replace(evil, "</soap:Body>", body+"</soap:Body>", 1) + signed[end:],
			"same id twice":              signed[:start] + strings.Replace(evil, "<soap:Body", body[:strings.Index(body, ">")], 1) + "<!--" + "-->" + signed[end:],
		} {
			if r := tn.do("/wsse/verify", object{"xml": message}); r.valid() {
				tn.Errorf("%s: valid", name)
			}
		}
		// Nothing signed at all.
		tn.verdictIs(tn.do("/wsse/verify", object{"xml": envelope}), false, "TOTAL_FAILED NO_SIGNATURE")
	})
}

// TestAnyPrefix (N1): elements are known by their namespace, under whatever prefix.
func TestAnyPrefix(t *testing.T) {
	tn := newTown(t, options{})
	// The Security header is not signed, so its prefixes may change where the
	// canonical form of SignedInfo does not depend on them.
	signed := tn.wsse(tn.issue(sigtest.Profile{}), envelope)
	renamed := strings.NewReplacer("<wsse:", "<w:", "</wsse:", "</w:", "xmlns:wsse=", "xmlns:w=").Replace(signed)
	tn.verdictIs(tn.do("/wsse/verify", object{"xml": renamed}), true, "TOTAL_PASSED")
	// The right prefix under another namespace is something else.
	alike := strings.ReplaceAll(signed, "http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo", "http://www.w3.org/2000/09/xmldsig\"><ds:SignedInfo")
	if alike == signed {
		t.Fatal("the namespace was not found")
	}
	if r := tn.do("/wsse/verify", object{"xml": alike}); r.valid() {
		t.Error("a look-alike namespace: valid")
	}
}

// TestWholeDocument (N1): xml/verify speaks of the document that was sent.
func TestWholeDocument(t *testing.T) {
	each(t, options{}, func(tn *town) {
		signed := tn.do("/xml/sign", object{"xml": `<root Id="r"><sum>1</sum></root>`, "signers": []object{func() object {
			k := tn.signer(tn.issue(sigtest.Profile{}))
			k["referenceUri"] = "#r"
			return k
		}()}}).text("xml")
		tn.verdictIs(tn.do("/xml/verify", object{"xml": signed}), true, "TOTAL_PASSED")
		wrapped := "<root><sum>1000000</sum>" + signed + "</root>"
		tn.verdictIs(tn.do("/xml/verify", object{"xml": wrapped}), false, "TOTAL_FAILED SIG_CONSTRAINTS_FAILURE")
		// A SOAP message of which the Body is signed is for the other address.
		if r := tn.do("/xml/verify", object{"xml": tn.wsse(tn.issue(sigtest.Profile{}), envelope)}); r.valid() {
			tn.Error("a message was judged as a document: valid")
		}
	})
}

// TestCertificateOfThisSignature (N2): another token in the message is not the
// signer's.
func TestCertificateOfThisSignature(t *testing.T) {
	each(t, options{}, func(tn *town) {
		bad := tn.issue(sigtest.Profile{NotBefore: sigtest.Noon().AddDate(-1, 0, 0), NotAfter: sigtest.Noon().AddDate(0, 0, -1)})
		good := tn.issue(sigtest.Profile{IIN: sigtest.IIN(8)})
		signed := tn.wsse(bad, envelope)
		other := tn.wsse(good, envelope)
		token := other[strings.Index(other, "<wsse:SecurityTokenReference"):strings.Index(other, "</ds:KeyInfo>")]
		message := strings.Replace(signed, "</wsse:Security>", "</wsse:Security>", 1)
		message = strings.Replace(message, "<ds:Signature ", token+"<ds:Signature ", 1)
		r := tn.do("/wsse/verify", object{"xml": message})
		if r.valid() {
			tn.Fatal("the certificate of a token beside the signature was judged")
		}
		for _, s := range r.signers(t) {
			if s["subject"].(object)["iin"] != sigtest.IIN(7) {
				tn.Errorf("the signer is said to be %v", s["subject"])
			}
		}
		// And in its place: the value does not fit that key.
		swapped := strings.Replace(signed, signed[strings.Index(signed, "<wsse:SecurityTokenReference"):strings.Index(signed, "</ds:KeyInfo>")], token, 1)
		if r := tn.do("/wsse/verify", object{"xml": swapped}); r.valid() {
			tn.Error("another's certificate in KeyInfo: valid")
		}
	})
}

// TestTransforms (N3): nothing active is run, no DTD is read.
func TestTransforms(t *testing.T) {
	tn := newTown(t, options{})
	signed := tn.do("/xml/sign", object{"xml": document, "signers": []object{tn.signer(tn.issue(sigtest.Profile{}))}}).text("xml")
	for _, transform := range []string{"http://www.w3.org/TR/1999/REC-xslt-19991116", "http://www.w3.org/TR/1999/REC-xpath-19991116", "http://www.w3.org/2000/09/xmldsig#base64"} {
		message := strings.Replace(signed, `http://www.w3.org/2000/09/xmldsig#enveloped-signature`, transform, 1)
		if r := tn.do("/xml/verify", object{"xml": message}); r.valid() || message == signed {
			t.Errorf("%s: %v", transform, r.body)
		}
	}
	for _, path := range []string{"/xml/verify", "/wsse/verify"} {
		dtd := strings.Replace(signed, "<root", `<!DOCTYPE root [<!ENTITY x SYSTEM "file:///etc/passwd">]><root`, 1)
		if r := tn.post(path, object{"xml": dtd}); r.code != http.StatusBadRequest || !strings.Contains(r.message(), "xml: ") {
			t.Errorf("%s of a DTD: %v", path, r.body)
		}
	}
}

// TestFreshness (N4): a message that says itself that its time is over is not valid.
func TestFreshness(t *testing.T) {
	each(t, options{}, func(tn *town) {
		c := tn.issue(sigtest.Profile{})
		stamp := func(created, expires time.Duration) string {
			const form = "2006-01-02T15:04:05Z"
			return strings.Replace(envelope, "<soap:Body>", fmt.Sprintf(`<soap:Header><wsse:Security xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd" xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd" soap:mustUnderstand="1"><wsu:Timestamp wsu:Id="ts"><wsu:Created>%s</wsu:Created><wsu:Expires>%s</wsu:Expires></wsu:Timestamp></wsse:Security></soap:Header><soap:Body>`,
				sigtest.Noon().Add(created).Format(form), sigtest.Noon().Add(expires).Format(form)), 1)
		}
		tn.verdictIs(tn.do("/wsse/verify", object{"xml": tn.wsse(c, stamp(-time.Minute, time.Minute))}), true, "TOTAL_PASSED")
		tn.verdictIs(tn.do("/wsse/verify", object{"xml": tn.wsse(c, stamp(-time.Hour, -10*time.Minute))}), false, "TOTAL_FAILED TIMESTAMP_ORDER_FAILURE")
		tn.verdictIs(tn.do("/wsse/verify", object{"xml": tn.wsse(c, stamp(time.Hour, 2*time.Hour))}), false, "TOTAL_FAILED TIMESTAMP_ORDER_FAILURE")
	})
}

// checkUnknown: the status could not be found out, and nothing in the answer
// lets a reader think that it is good.
func (tn *town) checkUnknown(r reply, methods ...string) {
	tn.Helper()
	if r.valid() || !strings.HasPrefix(r.verdict, "INDETERMINATE ") {
		tn.Errorf("valid %v, %q", r.body["valid"], r.verdict)
	}
	for _, s := range r.signers(tn) {
		list := revocations(tn, s)
		if len(list) != len(methods) || s["valid"] != false {
			tn.Fatalf("certificate valid %v, revocations %v", s["valid"], list)
		}
		for i, e := range list {
			if reason, _ := e["reason"].(string); e["by"] != methods[i] || e["revoked"] != true || e["revocationTime"] != nil || !strings.HasPrefix(reason, "UNKNOWN: ") {
				tn.Errorf("entry: %v", e)
			}
		}
	}
}

// TestLists (N5, S17): only a verified list of this authority in its time says
// that a certificate is not revoked.
func TestLists(t *testing.T) {
	ask := func(tn *town, c *sigtest.Credential) reply {
		return tn.do("/x509/info", object{"certs": []string{b64(c.DER)}, "revocationCheck": []string{"CRL"}})
	}
	each(t, options{}, func(tn *town) {
		c := tn.issue(sigtest.Profile{})
		tn.checkUnknown(ask(tn, c), "CRL") // none

		tn.crl(sigtest.Noon().Add(-48*time.Hour), sigtest.Noon().Add(-24*time.Hour))
		tn.checkUnknown(ask(tn, c), "CRL") // over

		stranger, err := sigtest.NewAuthority("", sigtest.Options{Algorithm: tn.authority.Algorithm(), FreshKeys: tn.authority.Algorithm() != sigtest.RSA, Day: sigtest.Noon()})
		if err != nil {
			tn.Fatal(err)
		}
		if tn.authority.Algorithm() != sigtest.RSA { // the same names, other keys
			own := tn.authority
			tn.authority = stranger
			tn.crl(sigtest.Noon().Add(-time.Hour), sigtest.Noon().Add(24*time.Hour))
			tn.authority = own
			tn.checkUnknown(ask(tn, c), "CRL")
		}

		tn.crl(sigtest.Noon().Add(-time.Hour), sigtest.Noon().Add(24*time.Hour))
		r := ask(tn, c)
		if tn.verdictIs(r, true, "TOTAL_PASSED"); fmt.Sprint(revocations(tn, r.signers(tn)[0])) != "[map[by:CRL reason:<nil> revocationTime:<nil> revoked:false]]" {
			tn.Errorf("entry of a good one: %v", revocations(tn, r.signers(tn)[0]))
		}
		// OCSP was asked for, and lists do not answer for it.
		tn.checkUnknown(tn.do("/x509/info", object{"certs": []string{b64(c.DER)}, "revocationCheck": []string{"OCSP"}}), "OCSP")
		if both := tn.do("/x509/info", object{"certs": []string{b64(c.DER)}, "revocationCheck": []string{"OCSP", "CRL"}}); both.valid() || len(revocations(tn, both.signers(tn)[0])) != 2 {
			tn.Errorf("one of two unknown: %v", both.body)
		}
	})
}

// TestRevoked: by the list, by the responder, and even unasked.
func TestRevoked(t *testing.T) {
	each(t, options{addresses: true}, func(tn *town) {
		c := tn.issue(sigtest.Profile{})
		tn.authority.Revoke(c, sigtest.Noon().Add(-2*time.Hour), 1)
		signed := tn.do("/xml/sign", object{"xml": document, "signers": []object{tn.signer(c)}}).text("xml")
		for _, by := range []string{"OCSP", "CRL"} {
			r := tn.do("/xml/verify", object{"xml": signed, "revocationCheck": []string{by}})
			tn.verdictIs(r, false, "TOTAL_FAILED REVOKED")
			e := revocations(tn, r.signers(tn)[0])[0]
			if e["revoked"] != true || e["by"] != by || e["reason"] != "keyCompromise" || e["revocationTime"] != sigtest.Noon().Add(-2*time.Hour).Format("2006-01-02T15:04:05.000+00:00") {
				tn.Errorf("entry: %v", e)
			}
		}
		// Not asked for, and nothing stored: NCANode's answer, without a question
		// to the network.
		before := len(tn.asked.paths)
		r := tn.do("/xml/verify", object{"xml": signed})
		if tn.verdictIs(r, true, "TOTAL_PASSED"); len(tn.asked.paths) != before || len(revocations(tn, r.signers(tn)[0])) != 0 {
			tn.Errorf("asked unasked: %v %v", tn.asked.paths, r.body)
		}
		// The server was given a list that knows.
		tn.crl(sigtest.Noon().Add(-time.Hour), sigtest.Noon().Add(24*time.Hour))
		r = tn.do("/xml/verify", object{"xml": signed})
		if tn.verdictIs(r, false, "TOTAL_FAILED REVOKED"); r.signers(tn)[0]["valid"] != false || len(revocations(tn, r.signers(tn)[0])) != 1 {
			tn.Errorf("a known revocation, unasked: %v", r.body)
		}
	})
}

// TestResponder (N6, S18, S19): an answer that is not the authority's, not
// about this certificate or not from now is none.
func TestResponder(t *testing.T) {
	stranger, err := sigtest.NewAuthority("stranger", sigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]options{
		"try later":      {ocsp: sigtest.OCSPOptions{Status: sigtest.OCSPTryLater}},
		"wrong nonce":    {ocsp: sigtest.OCSPOptions{Nonce: []byte("another")}},
		"wrong signer":   {ocsp: sigtest.OCSPOptions{Signer: stranger.Responder()}},
		"an error page":  {ocspTrouble: func(w http.ResponseWriter) bool { http.Error(w, "down", 500); return true }},
		"a success page": {ocspTrouble: func(w http.ResponseWriter) bool { fmt.Fprint(w, "<html>OK</html>"); return true }},
		"nothing":        {ocspTrouble: func(w http.ResponseWriter) bool { return true }},
		"a redirect": {ocspTrouble: func(w http.ResponseWriter) bool {
			w.Header().Set("Location", "/ocsp")
			w.WriteHeader(http.StatusTemporaryRedirect)
			return true
		}},
	} {
		t.Run(name, func(t *testing.T) {
			o.addresses = true
			tn := newTown(t, o)
			c := tn.issue(sigtest.Profile{})
			tn.checkUnknown(tn.do("/x509/info", object{"certs": []string{b64(c.DER)}, "revocationCheck": []string{"OCSP"}}), "OCSP")
			if n := tn.asked.count("/ocsp"); n != 1 {
				t.Errorf("asked %d times", n)
			}
			signed := tn.do("/xml/sign", object{"xml": document, "signers": []object{tn.signer(c)}}).text("xml")
			if r := tn.do("/xml/verify", object{"xml": signed, "revocationCheck": []string{"OCSP"}}); r.valid() {
				t.Error("a document with an unknown status: valid")
			}
			// The list knows, and each says what it knows.
			r := tn.do("/xml/verify", object{"xml": signed, "revocationCheck": []string{"CRL"}})
			tn.verdictIs(r, true, "TOTAL_PASSED")
		})
	}
	t.Run("good", func(t *testing.T) {
		each(t, options{addresses: true}, func(tn *town) {
			c := tn.issue(sigtest.Profile{})
			r := tn.do("/pkcs12/info", object{"keys": []object{tn.signer(c)}, "revocationCheck": []string{"OCSP", "CRL"}})
			tn.verdictIs(r, true, "TOTAL_PASSED")
			for _, e := range revocations(tn, r.signers(tn)[0]) {
				if e["revoked"] != false {
					tn.Errorf("entry: %v", e)
				}
			}
		})
	})
	// A certificate that the authority never issued: "revoked, 1970, hold" is
	// not a revocation, and not good.
	t.Run("never issued", func(t *testing.T) {
		tn := newTown(t, options{addresses: true})
		twin, err := sigtest.NewAuthority("", sigtest.Options{Day: sigtest.Noon()})
		if err != nil {
			t.Fatal(err)
		}
		var c *sigtest.Credential
		for range 5 {
			if c, err = twin.Issue(sigtest.Profile{Kind: sigtest.Person, IIN: sigtest.IIN(3)}); err != nil {
				t.Fatal(err)
			}
		}
		tn.checkUnknown(tn.do("/x509/info", object{"certs": []string{b64(c.DER)}, "revocationCheck": []string{"OCSP"}}), "OCSP")
	})
}

// TestChain (N7): a key for authentication does not sign documents, and a
// person does not issue certificates.
func TestChain(t *testing.T) {
	each(t, options{}, func(tn *town) {
		auth := tn.issue(sigtest.Profile{Usage: sigtest.Auth})
		signed := tn.do("/xml/sign", object{"xml": document, "signers": []object{tn.signer(auth)}}).text("xml")
		tn.verdictIs(tn.do("/xml/verify", object{"xml": signed}), false, "TOTAL_FAILED KEY_USAGE")
		out := tn.do("/cms/sign", object{"data": "dGVzdA==", "signers": []object{tn.signer(auth)}}).text("cms")
		tn.verdictIs(tn.do("/cms/verify", object{"cms": out}), false, "TOTAL_FAILED KEY_USAGE")
		tn.verdictIs(tn.do("/wsse/verify", object{"xml": tn.wsse(auth, envelope)}), false, "TOTAL_FAILED KEY_USAGE")

		// A stranger's certificate under the same kind of names.
		stranger, err := sigtest.NewAuthority("stranger", sigtest.Options{Algorithm: tn.authority.Algorithm()})
		if err != nil {
			tn.Fatal(err)
		}
		foreign, err := stranger.Issue(sigtest.Profile{Kind: sigtest.Person, IIN: sigtest.IIN(9)})
		if err != nil {
			tn.Fatal(err)
		}
		r := tn.do("/wsse/verify", object{"xml": tn.wsse(foreign, envelope), "revocationCheck": []string{"CRL"}})
		if r.valid() || !strings.Contains(r.verdict, "NO_CERTIFICATE_CHAIN_FOUND") {
			tn.Errorf("a stranger: %v %q", r.body["valid"], r.verdict)
		}
		if e := revocations(tn, r.signers(tn)[0]); len(e) != 1 || e[0]["revoked"] != true || !strings.HasPrefix(e[0]["reason"].(string), "UNKNOWN: ") {
			tn.Errorf("the stranger's revocation: %v", e)
		}
	})
}

// TestTrustFromFiles (N8): a door without roots opens, trusts nobody and says so.
func TestTrustFromFiles(t *testing.T) {
	tn := newTown(t, options{})
	signed := tn.do("/xml/sign", object{"xml": document, "signers": []object{tn.signer(tn.issue(sigtest.Profile{}))}}).text("xml")
	tn = newTown(t, options{rootless: true})
	if r := tn.do("/xml/verify", object{"xml": signed}); r.valid() {
		t.Error("valid without a root")
	}
	res, err := http.Get(tn.url + "/actuator/health")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("health without a root: %d", res.StatusCode)
	}
}

// TestStalledResponder (N9, S28): whoever does not answer costs the budget and
// no more.
func TestStalledResponder(t *testing.T) {
	stop := make(chan struct{})
	tn := newTown(t, options{addresses: true, limits: Limits{Request: 300 * time.Millisecond}, ocspTrouble: func(w http.ResponseWriter) bool {
		select {
		case <-stop:
		case <-time.After(20 * time.Second):
		}
		return true
	}})
	t.Cleanup(func() { close(stop) }) // before the servers close
	c := tn.issue(sigtest.Profile{})
	start := time.Now()
	tn.checkUnknown(tn.do("/x509/info", object{"certs": []string{b64(c.DER)}, "revocationCheck": []string{"OCSP"}}), "OCSP")
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

// TestListsAreReadOnce (N10): a list is fetched once for many questions.
func TestListsAreReadOnce(t *testing.T) {
	tn := newTown(t, options{addresses: true})
	c := tn.issue(sigtest.Profile{})
	for range 5 {
		tn.verdictIs(tn.do("/x509/info", object{"certs": []string{b64(c.DER)}, "revocationCheck": []string{"CRL"}}), true, "TOTAL_PASSED")
	}
	if n := tn.asked.count("/crl"); n != 1 {
		t.Errorf("the list was fetched %d times", n)
	}
}

// TestOnlyConfiguredAddresses: what a certificate names is not called; the
// authority's certificates point to names that resolve nowhere, so the answer
// would be late and unknown either way. Here nothing is configured.
func TestOnlyConfiguredAddresses(t *testing.T) {
	tn := newTown(t, options{})
	c := tn.issue(sigtest.Profile{})
	start := time.Now()
	tn.checkUnknown(tn.do("/x509/info", object{"certs": []string{b64(c.DER)}, "revocationCheck": []string{"OCSP", "CRL"}}), "OCSP", "CRL")
	if took := time.Since(start); took > time.Second {
		t.Errorf("it took %s to ask nobody", took)
	}
}
