package server

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/httpsig"
	"kopir/mappings"
	"kopir/signature/verdict"
)

const origin = "https://kopir.example"

// ring is a key by its seed, as signer and as the door knows it.
func ring(seed byte, id string) (httpsig.Signer, httpsig.Key) {
	private := ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(seed), 32)))
	sign := func(base []byte) ([]byte, error) { return ed25519.Sign(private, base), nil }
	return httpsig.Signer{KeyID: id, Algorithm: "ed25519", Sign: sign}, httpsig.Key{ID: id, Algorithm: "ed25519", Verify: func(base, value []byte) error {
		if !ed25519.Verify(private.Public().(ed25519.PublicKey), base, value) {
			return http.ErrBodyNotAllowed
		}
		return nil
	}}
}

// signing is a bench with a partner whose requests are signed; the bridge
// admits each nonce once.
type signing struct {
	*bench
	partner, bridge httpsig.Signer
	bridgeKey       httpsig.Key
	admitted        []gateway.Call
	refuse          error // what Admit says
	nonces          int
}

func partnerBench(t *testing.T) *signing {
	s := &signing{}
	var key httpsig.Key
	s.partner, key = ring('p', "portal-key")
	s.bridge, s.bridgeKey = ring('b', "bridge-key")
	s.bench = setup(t, func(o *Options) {
		o.Signers = map[string]PartnerKey{"portal-key": {Key: key}, "answered": {Key: key, Answers: true}}
		o.Origin, o.Answers = origin, func() (httpsig.Signer, error) { return s.bridge, nil }
	})
	spent := map[string]bool{}
	s.doors.admit = func(c gateway.Call) (*gateway.Admission, error) {
		if s.refuse != nil {
			return nil, s.refuse
		}
		if spent[c.Nonce] {
			return nil, &gateway.Error{Code: gateway.Replayed, Field: "nonce"}
		}
		spent[c.Nonce] = true
		s.admitted = append(s.admitted, c)
		return &gateway.Admission{Sender: "PEP", Channel: gateway.Portal}, nil
	}
	s.doors.application = func(n string) (*gateway.Application, error) {
		a := someApplication(3)
		a.Number, a.Sender, a.Executor = n, "PEP", gateway.Actor{Name: "ТЕСТОВ", IIN: "900101300007"}
		if n == "T-2" {
			a.Sender = "OTHER"
		}
		return a, nil
	}
	s.doors.applications = func(gateway.Filter, string, int) (gateway.Page, error) { return gateway.Page{}, nil }
	return s
}

var coveredWithBody = []string{"@method", "@target-uri", "content-digest", "content-type"}

// signed makes a request as the partner's client would, and changes it.
func (s *signing) signed(method, path, body string, change ...func(*http.Request)) *http.Request {
	s.t.Helper()
	r := httptest.NewRequest(method, origin+apiRoot+path, strings.NewReader(body))
	covered := coveredWithBody[:2]
	var content []byte
	if body != "" {
		covered, content = coveredWithBody, []byte(body)
		r.Header.Set("Content-Type", "application/xml")
	}
	if err := httpsig.Sign(r, content, covered, s.partner, s.clock(), "n-"+path+body); err != nil {
		s.t.Fatal(err)
	}
	for _, f := range change {
		f(r)
	}
	return r
}

// again signs a request anew, otherwise than usual.
func (s *signing) again(covered []string, at time.Time, nonce string, with httpsig.Signer) func(*http.Request) {
	return func(r *http.Request) {
		if err := httpsig.Sign(r, nil, covered, with, at, nonce); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestSignedRequestsRefused is the attack list of the signed door: each is
// refused with a problem that says what, where and what to do, and the bridge is
// not asked.
func TestSignedRequestsRefused(t *testing.T) {
	s := partnerBench(t)
	now := s.clock()
	stranger, _ := ring('x', "stranger")
	liar, _ := ring('x', "portal-key")
	other := s.partner
	other.Algorithm = "rsa-pss-sha512"
	s.doors.submit = func(gateway.Submission, gateway.Actor) (*gateway.Application, error) {
		t.Error("a document got through")
		return someApplication(1), nil
	}
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	// What is no signature that was judged is not counted.
	counted := map[string]verdict.Reason{
		"missing": verdict.FormatFailure, "malformed": verdict.FormatFailure, "not_one": verdict.FormatFailure, "not_covered": verdict.SigConstraintsFailure,
		"incomplete": verdict.SigConstraintsFailure, "expired": verdict.SigConstraintsFailure, "ahead": verdict.SigConstraintsFailure,
		"other_algorithm": verdict.SigConstraintsFailure, "mismatch": verdict.SigCryptoFailure, "wrong_digest": verdict.HashFailure,
	}
	for _, c := range []struct {
		name, rule, field string
		change            func(*http.Request)
	}{
		{"no Signature", "signature_missing", "Signature", func(r *http.Request) { r.Header.Del("Signature") }},
		{"no Signature-Input", "signature_missing", "Signature-Input", func(r *http.Request) { r.Header.Del("Signature-Input") }},
		{"not a structured field", "signature_malformed", "Signature-Input", header("Signature-Input", `a=("@method`)},
		{"unknown parameter", "signature_malformed", "Signature-Input", header("Signature-Input", `kopir=("@method");created=1;hint=1`)},
		{"a component that is not there", "signature_malformed", "Signature-Input", header("Signature-Input", `kopir=("x-absent");created=1`)},
		{"two signatures", "signature_not_one", "Signature-Input", func(r *http.Request) {
			r.Header.Add("Signature-Input", `b=("@method");created=1`)
			r.Header.Add("Signature", `b=:AA==:`)
		}},
		{"method not covered", "signature_not_covered", "Signature-Input", s.again(coveredWithBody[1:], now, "1", s.partner)},
		{"address not covered", "signature_not_covered", "Signature-Input", s.again([]string{"@method", "content-digest", "content-type"}, now, "1", s.partner)},
		{"query not covered", "signature_not_covered", "Signature-Input", s.again([]string{"@method", "@authority", "@path", "content-digest", "content-type"}, now, "1", s.partner)},
		{"digest not covered", "signature_not_covered", "Signature-Input", s.again([]string{"@method", "@target-uri", "content-type"}, now, "1", s.partner)},
		{"type not covered", "signature_not_covered", "Signature-Input", s.again([]string{"@method", "@target-uri", "content-digest"}, now, "1", s.partner)},
		{"an Idempotency-Key put in", "signature_not_covered", "Signature-Input", header("Idempotency-Key", "k-1")},
		{"no created", "signature_incomplete", "Signature-Input", header("Signature-Input", `kopir=("@method" "@target-uri" "content-digest" "content-type");keyid="portal-key";nonce="1"`)},
		{"no keyid", "signature_incomplete", "Signature-Input", header("Signature-Input", `kopir=("@method" "@target-uri" "content-digest" "content-type");created=1795424400;nonce="1"`)},
		{"no nonce", "signature_incomplete", "Signature-Input", s.again(coveredWithBody, now, "", s.partner)},
		{"too old", "signature_expired", "Signature-Input", s.again(coveredWithBody, now.Add(-httpsig.RequestAge-time.Second), "1", s.partner)},
		{"from the future", "signature_ahead", "Signature-Input", s.again(coveredWithBody, now.Add(httpsig.RequestAhead+time.Second), "1", s.partner)},
		{"unknown key", "signature_unknown_key", "Signature-Input", s.again(coveredWithBody, now, "1", stranger)},
		{"another's key under a known id", "signature_mismatch", "Signature", s.again(coveredWithBody, now, "1", liar)},
		{"another algorithm", "signature_other_algorithm", "Signature-Input", s.again(coveredWithBody, now, "1", other)},
		{"another method", "signature_mismatch", "Signature", func(r *http.Request) {
			r.Method = "POST"
			r.URL.RawQuery = "service=s&id=other"
		}},
		{"another type", "signature_mismatch", "Signature", header("Content-Type", "text/xml")},
		{"another digest in the header", "signature_mismatch", "Signature", header("Content-Digest", httpsig.Digest([]byte("<b/>")))},
		{"another body", "signature_wrong_digest", "Content-Digest", func(r *http.Request) {
			*r = *withBody(r, "<b/>")
		}},
		{"signed for another bridge", "signature_mismatch", "Signature", func(r *http.Request) {
			there := r.Clone(context.Background())
			there.Host = "other.example"
			there.URL.Host = "other.example"
			if err := httpsig.Sign(there, nil, coveredWithBody, s.partner, now, "1"); err != nil {
				t.Fatal(err)
			}
			r.Header = there.Header // sent on to us, with the Host of the other
			r.Host = "other.example"
		}},
		{"a key beside the signature", "signature_and_key", "Authorization", header("Authorization", "Bearer "+s.keys[Admin])},
	} {
		for _, lang := range languages {
			r := s.signed("POST", "/applications?service=s&id=1", "<a/>", c.change)
			r.Header.Set("Accept-Language", lang)
			w := s.call("POST /applications", r)
			p := s.problem(w)
			if w.Code != 401 || p.Code != codeRequestSignature || len(p.Faults) != 1 || p.Faults[0].Rule != c.rule || p.Faults[0].Name != c.field {
				t.Errorf("%s: %d %+v, want %s at %s", c.name, w.Code, p, c.rule, c.field)
			}
			if w.Header().Get("Accept-Signature") == "" || w.Header().Get("Signature") != "" {
				t.Errorf("%s: headers %v", c.name, w.Header())
			}
			want := counted[strings.TrimPrefix(c.rule, ruleSignature)]
			if got := s.doors.doubted; want == "" && len(got) > 0 || want != "" && (len(got) != 1 || got[0] != want) {
				t.Errorf("%s: counted as %v, want %q", c.name, got, want)
			}
			s.doors.doubted = nil
		}
	}
	if len(s.admitted) > 0 {
		t.Errorf("%d calls were admitted", len(s.admitted))
	}
}

func withBody(r *http.Request, body string) *http.Request {
	n := httptest.NewRequest(r.Method, r.URL.String(), strings.NewReader(body))
	n.Header = r.Header
	return n
}

// What the bridge says of key and nonce, in the words of the door.
func TestNotAdmitted(t *testing.T) {
	s := partnerBench(t)
	for _, c := range []struct {
		err    error
		status int
		code   string
		rule   string
	}{
		{&gateway.Error{Code: gateway.Replayed}, 401, codeRequestSignature, ruleReplayed},
		{&gateway.Error{Code: gateway.UnknownSender}, 401, codeRequestSignature, ruleUnknownKey},
		{&gateway.Error{Code: gateway.SignatureRefused, Reason: verdict.Revoked}, 401, codeRequestSignature, "REVOKED"},
		{&gateway.Error{Code: gateway.SignatureRefused, Reason: verdict.Expired}, 401, codeRequestSignature, "EXPIRED"},
		{&gateway.Error{Code: gateway.TryLater, Reason: verdict.TryLater, Field: "keyid"}, 503, string(gateway.TryLater), "at_fault"},
	} {
		s.refuse = c.err
		for _, lang := range languages {
			r := s.signed("GET", "/applications", "")
			r.Header.Set("Accept-Language", lang)
			w := s.call("GET /applications", r)
			p := s.problem(w)
			if w.Code != c.status || p.Code != c.code || len(p.Faults) != 1 || p.Faults[0].Rule != c.rule || p.Faults[0].Message == "" {
				t.Errorf("%v: %d %+v", c.err, w.Code, p)
			}
			if (c.status == 503) != (w.Header().Get("Retry-After") != "") {
				t.Errorf("%v: Retry-After %q", c.err, w.Header().Get("Retry-After"))
			}
		}
	}
}

// A partner is let in once a request, to its own routes and applications.
func TestPartnerSeesItsOwn(t *testing.T) {
	s := partnerBench(t)
	r := s.signed("GET", "/applications/T-1", "")
	if w := s.call("GET /applications/:number", r); w.Code != 200 || strings.Contains(w.Body.String(), "ТЕСТОВ") {
		t.Errorf("its own: %d %s", w.Code, w.Body)
	}
	if w := s.call("GET /applications/:number", r); w.Code != 401 || s.problem(w).Faults[0].Rule != ruleReplayed {
		t.Errorf("again: %d %s", w.Code, w.Body)
	}
	if c := s.admitted[0]; c.KeyID != "portal-key" || !strings.Contains(string(c.Proof), `"@target-uri": `+origin+"/api/v1/applications/T-1\n") || !c.Until.After(s.clock().Add(httpsig.RequestAge)) {
		t.Errorf("%+v\n%s", c, c.Proof)
	}
	if w := s.call("GET /applications/:number", s.signed("GET", "/applications/T-2", "")); w.Code != 404 || s.problem(w).Code != "not_found" {
		t.Errorf("another's: %d %s", w.Code, w.Body)
	}
	var asked gateway.Filter
	s.doors.applications = func(f gateway.Filter, _ string, _ int) (gateway.Page, error) {
		asked = f
		return gateway.Page{}, nil
	}
	if w := s.call("GET /applications", s.signed("GET", "/applications?number=P-1", "")); w.Code != 200 || asked.Sender != "PEP" || asked.Number != "P-1" {
		t.Errorf("list: %d %+v", w.Code, asked)
	}
	for op, r := range map[string]*http.Request{
		"GET /applications/:number/timeline": s.signed("GET", "/applications/T-1/timeline", ""),
		"POST /applications/:number/take":    s.signed("POST", "/applications/T-1/take", "{}"),
		"GET /deliveries":                    s.signed("GET", "/deliveries", ""),
	} {
		if w := s.call(op, r); w.Code != 403 || s.problem(w).Code != codeForbidden {
			t.Errorf("%s: %d %s", op, w.Code, w.Body)
		}
	}
	s.doors.notices = func(by *gateway.Admission, after string, limit int) (gateway.NoticePage, error) {
		if by.Sender != "PEP" || after != "4" || limit != 2 {
			t.Errorf("%+v %s %d", by, after, limit)
		}
		return gateway.NoticePage{Notices: []gateway.PartnerNotice{}, Next: "4"}, nil
	}
	if w := s.call("GET /notices", s.signed("GET", "/notices?after=4&limit=2", "")); w.Code != 200 {
		t.Errorf("notices: %d %s", w.Code, w.Body)
	}
	if w := s.call("GET /notices", s.request(Admin, "GET", "/notices", "")); w.Code != 403 {
		t.Errorf("notices with a key: %d", w.Code)
	}
	if w := s.call("GET /applications", s.request(Reader, "GET", "/applications", "")); w.Code != 200 {
		t.Errorf("a key: %d", w.Code)
	}
}

// What a partner files, in each form, and what it is answered.
func TestPartnerSubmits(t *testing.T) {
	s := partnerBench(t)
	var got gateway.Submission
	state := gateway.Received
	s.doors.submit = func(sub gateway.Submission, who gateway.Actor) (*gateway.Application, error) {
		got = sub
		a := someApplication(1)
		a.State, a.Result = state, nil
		if who.Name != "partner/PEP" || sub.By == nil {
			t.Errorf("%+v by %+v", who, sub.By)
		}
		return a, nil
	}
	const op = "POST /applications"
	typed := func(media string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Content-Type", media)
			s.nonces++
			s.again(coveredWithBody, s.clock(), fmt.Sprint(s.nonces), s.partner)(r)
		}
	}
	for _, media := range []string{"application/xml", "application/pkcs7-mime", "application/cms", "application/octet-stream"} {
		w := s.call(op, s.signed("POST", "/applications?service=s&id=p-1", "document", typed(media)))
		if w.Code != 201 || w.Header().Get("Location") != "/api/v1/applications/T-1" || got.Service != "s" || got.ID != "p-1" || string(got.Document) != "document" || got.Body != nil {
			t.Errorf("%s: %d %s %+v", media, w.Code, w.Body, got)
		}
	}
	body := `{"service":"s","id":"p-2","document":"` + base64.StdEncoding.EncodeToString([]byte("document")) + `"}`
	if w := s.call(op, s.signed("POST", "/applications", body, typed("application/json"))); w.Code != 201 || got.ID != "p-2" || string(got.Document) != "document" || string(got.Body) != body {
		t.Errorf("JSON: %d %s %+v", w.Code, w.Body, got)
	}
	state = gateway.Held
	if w := s.call(op, s.signed("POST", "/applications?service=s", "held")); w.Code != 202 || w.Header().Get("Location") == "" || got.ID == "" {
		t.Errorf("held: %d %s", w.Code, w.Body)
	}
	for name, c := range map[string]struct{ path, body, media, rule string }{
		"another channel": {"/applications?service=s&channel=csc", "x", "application/xml", "one_of"},
		"an actor":        {"/applications", `{"service":"s","document":"AA==","actor":{"name":"A"}}`, "application/json", "not_for_partners"},
	} {
		w := s.call(op, s.signed("POST", c.path, c.body, typed(c.media)))
		if p := s.problem(w); w.Code != 422 || len(p.Faults) != 1 || p.Faults[0].Rule != c.rule {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	// The answer to a partner that wants it so is signed, refusals too.
	s.partner.KeyID = "answered"
	for _, r := range []*http.Request{s.signed("POST", "/applications?service=s&id=p-3", "<c/>"), s.signed("GET", "/applications/T-2", ""), s.signed("GET", "/deliveries", "")} {
		w := s.call("", r)
		m, err := httpsig.Incoming(r, origin)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := httpsig.Read(httpsig.Answer(w.Code, w.Header(), m))
		if err == nil {
			err = signed.Check(httpsig.Policy{Covered: []string{"@status", "content-digest", "content-type", "@method;req", "@target-uri;req", "signature;req"}, MaxAge: time.Minute}, s.clock())
		}
		if err == nil {
			err = signed.Verify(s.bridgeKey)
		}
		if err == nil {
			err = httpsig.CheckDigest(w.Header(), w.Body.Bytes())
		}
		if err != nil || w.Body.Len() == 0 {
			t.Errorf("%s %s: %d %v", r.Method, r.URL.Path, w.Code, err)
		}
	}
}

// Every reason of a refused signature has a sentence in every language.
func TestEverySignatureReasonHasAText(t *testing.T) {
	rules := []string{ruleUnknownKey, ruleReplayed, ruleTwoWays}
	for _, r := range httpsig.Reasons() {
		rules = append(rules, ruleSignature+string(r))
	}
	for _, rule := range rules {
		for _, lang := range []string{mappings.Russian, mappings.Kazakh, mappings.English} {
			if s := testTexts().Get(lang, "input."+rule, "what", "x", "minutes", 5); strings.HasPrefix(s, "[") || strings.Contains(s, "{") {
				t.Errorf("%s in %s: %s", rule, lang, s)
			}
		}
	}
}
