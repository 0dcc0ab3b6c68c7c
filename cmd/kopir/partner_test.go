package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/httpsig"
	"kopir/gateway/server"
	"kopir/gateway/sim"
	"kopir/signature/sigtest"
)

// phone is the portal's application for phones, as a client of its own: it
// signs with the certificate that the bridge knows.
type phone struct {
	t      *testing.T
	p      *play
	signer httpsig.Signer
	bridge httpsig.Key
}

func newPhone(t *testing.T, p *play) *phone {
	t.Helper()
	f := &phone{t: t, p: p}
	mobile, err := p.sim.Credential("mobile")
	if err != nil {
		t.Fatal(err)
	}
	key, err := mobile.Key()
	if err == nil {
		f.signer, err = httpsig.SignerOf(key)
	}
	if err == nil {
		f.bridge, err = httpsig.KeyOf(p.materials.keys.Signing(time.Now()).Certificate)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// request makes a signed request; send sends one, as often as one likes.
func (f *phone) request(method, path, media string, body []byte) *http.Request {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), method, f.p.bridge+"/api/v1"+path, bytes.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	covered := []string{"@method", "@target-uri"}
	if body != nil {
		r.Header.Set("Content-Type", media)
		covered = append(covered, "content-digest", "content-type")
	}
	if err := httpsig.Sign(r, body, covered, f.signer, time.Now(), rand.Text()); err != nil {
		f.t.Fatal(err)
	}
	return r
}

func (f *phone) send(r *http.Request) (int, http.Header, []byte) {
	f.t.Helper()
	if r.GetBody != nil {
		var err error
		if r.Body, err = r.GetBody(); err != nil {
			f.t.Fatal(err)
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, b
}

func (f *phone) refused(what string, r *http.Request, status int, code, rule string) {
	f.t.Helper()
	got, _, b := f.send(r)
	var p server.Problem
	if err := json.Unmarshal(b, &p); err != nil || got != status || p.Code != code || rule != "" && (len(p.Faults) == 0 || p.Faults[0].Rule != rule) {
		f.t.Errorf("%s: %d %s, want %d %s %s", what, got, b, status, code, rule)
	}
}

// signedBySim has a document of the portal's channel signed.
func (f *phone) signedBySim(order sim.Submission) []byte {
	f.t.Helper()
	b, err := f.p.sim.Document("portal", order)
	if err != nil {
		f.t.Fatal(err)
	}
	return b
}

// TestPartnerOverREST files signed documents at a running bridge over HTTP.
func TestPartnerOverREST(t *testing.T) {
	dir := t.TempDir()
	p, err := newPlay(t.Context(), dir, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.end(); err != nil {
			t.Error(err)
		}
	}()
	p.start(t.Context())
	f := newPhone(t, p)
	const xml, cms = "application/xml", "application/pkcs7-mime"
	at := "/applications?" + url.Values{"service": {sim.DefaultService}, "id": {"phone-1"}}.Encode()

	// Both forms are taken; the answer is signed, and the same when repeated.
	doc := f.signedBySim(sim.Submission{Person: "citizen"})
	r := f.request("POST", at, xml, doc)
	status, header, first := f.send(r)
	var app gateway.Application
	if err := json.Unmarshal(first, &app); err != nil || status != 201 || app.Channel != gateway.Portal || app.Sender != "MPEP" || app.MessageID != "phone-1" || header.Get("Location") != "/api/v1/applications/"+app.Number {
		t.Fatalf("%d %s", status, first)
	}
	answer, err := httpsig.Read(httpsig.Answer(status, header, httpsig.Outgoing(r)))
	if err == nil {
		err = answer.Verify(f.bridge)
	}
	if err == nil {
		err = httpsig.CheckDigest(header, first)
	}
	if err != nil || !slices.Contains(answer.Covered, "signature;req") || !slices.Contains(answer.Covered, "@status") {
		t.Errorf("the answer's signature: %v, covers %v", err, answer)
	}
	if status, _, again := f.send(f.request("POST", at, xml, doc)); status != 201 || !bytes.Equal(again, first) {
		t.Errorf("repeated: %d\n%s\n%s", status, again, first)
	}
	if status, _, b := f.send(f.request("POST", strings.Replace(at, "phone-1", "phone-2", 1), cms, f.signedBySim(sim.Submission{Person: "citizen2", Signed: "cms"}))); status != 201 {
		t.Errorf("CMS: %d %s", status, b)
	}

	// Replayed, changed, of others.
	f.refused("replayed", r, 401, "request_signature_refused", "signature_replayed")
	f.refused("other bytes under the id", f.request("POST", at, xml, f.signedBySim(sim.Submission{Person: "citizen3"})), 409, "duplicate_id", "at_fault")
	changed := f.request("POST", strings.Replace(at, "phone-1", "phone-3", 1), xml, doc)
	changed.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(bytes.ToUpper(doc))), nil }
	f.refused("changed on the way", changed, 401, "request_signature_refused", "signature_wrong_digest")
	f.refused("an order of the office", f.request("POST", "/applications/"+url.PathEscape(app.Number)+"/take", "application/json", []byte("{}")), 403, "forbidden", "")
	t.Run("SOAP", func(t *testing.T) { // the same person, through the gateway: another partner's
		d := &restDesk{t, p, p.key}
		c, err := p.sim.Submit(t.Context(), "portal", sim.Submission{Person: "citizen"})
		if err != nil {
			t.Fatal(err)
		}
		err = until(patient(t), func() error {
			got, err := p.caseOf(t.Context(), "portal", "number", c.Number, "1s")
			if err == nil && got.BridgeNumber == "" {
				err = io.ErrNoProgress
			}
			c.BridgeNumber = got.BridgeNumber
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		d.want(d.call("GET", "/applications/"+url.PathEscape(c.BridgeNumber), ""), 200, "")
		f.refused("another partner's", f.request("GET", "/applications/"+url.PathEscape(c.BridgeNumber), "", nil), 404, "not_found", "")
		_, _, list := f.send(f.request("GET", "/applications", "", nil))
		if bytes.Contains(list, []byte(c.BridgeNumber)) || !bytes.Contains(list, []byte(app.Number)) {
			t.Errorf("its list: %s", list)
		}
	})

	// Refusals of the service, all faults at once.
	for what, c := range map[string]struct {
		order sim.Submission
		code  string
		least int
	}{
		"signed by another": {sim.Submission{Person: "citizen", SignedBy: "citizen2"}, "service_refused", 1},
		"revoked, CMS":      {sim.Submission{Person: "citizen", Signed: "cms", Tweaks: sim.Tweaks{Certificate: "revoked"}}, "service_refused", 1},
		"faults":            {sim.Submission{Person: "citizen", Tweaks: sim.Tweaks{Break: []string{"all"}}}, "invalid_fields", 5},
	} {
		id := url.QueryEscape(what)
		status, _, b := f.send(f.request("POST", strings.Replace(at, "phone-1", id, 1), xml, f.signedBySim(c.order)))
		var x server.Problem
		if err := json.Unmarshal(b, &x); err != nil || status != 422 || x.Code != c.code || len(x.Faults) < c.least {
			t.Errorf("%s: %d %s", what, status, b)
		}
	}

	metrics, err := p.fetch(t.Context(), p.bridge+"/metrics")
	if err != nil || !regexp.MustCompile(`kopir_verdicts_total{outcome="TOTAL_PASSED",reason="",signature="request"} [1-9]`).Match(metrics) ||
		!bytes.Contains(metrics, []byte(`kopir_verdicts_total{outcome="TOTAL_FAILED",reason="HASH_FAILURE",signature="request"} 1`)) {
		t.Errorf("requests are not counted: %v", err)
	}

	// What it was told: by call-back, and in its list.
	if err := until(patient(t), func() error {
		_, _, b := f.send(f.request("GET", "/notices", "", nil))
		var page gateway.NoticePage
		if err := json.Unmarshal(b, &page); err != nil {
			return err
		}
		if len(page.Notices) < 2 || page.Notices[0].CorrelationID != "phone-1" || page.Notices[0].Values["number"] != app.Number || page.Next == "" {
			t.Fatalf("%s", b)
		}
		c, err := p.caseOf(t.Context(), "mobile", "bridge_number", app.Number, "1s")
		if err == nil && len(c.Notices) == 0 {
			err = io.ErrNoProgress
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// patient is a context with time enough for a busy machine.
func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// TestPartnerKeys: what check says of the keys of partners that sign.
func TestPartnerKeys(t *testing.T) {
	s := newSite(t)
	foreign, err := sigtest.NewAuthority("FOREIGN", sigtest.Options{Day: time.Now().UTC().Truncate(24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	const year = 365 * 24 * time.Hour
	for file, of := range map[string]struct {
		by   *sigtest.Authority
		from time.Duration
	}{"keys/good.pem": {s.authority, -time.Hour}, "keys/ended.pem": {s.authority, -2 * year}, "keys/next.pem": {s.authority, time.Hour}, "keys/foreign.pem": {foreign, -time.Hour}} {
		from := time.Now().Add(of.from)
		c, err := of.by.Issue(sigtest.Profile{Kind: sigtest.System, BIN: sigtest.BIN(2), CommonName: "PARTNER", NotBefore: from, NotAfter: from.Add(year)})
		if err != nil {
			t.Fatal(err)
		}
		s.write(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.DER}))
	}
	s.write("keys/ed.pem", []byte("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----\n"))
	s.write("keys/garbage.pem", []byte("nothing"))
	s.edit("    status_service: PEP_STATUS\n", `    status_service: PEP_STATUS
    rest:
      keys:
        - {file: keys/good.pem}
        - {file: keys/ed.pem, id: phone}
        - {file: keys/ed.pem, id: phone}
        - {file: keys/ed.pem, id: other, alg: rsa-pss-sha512}
        - {file: keys/foreign.pem}
        - {file: keys/garbage.pem}
        - {file: keys/absent.pem}
        - {file: keys/ended.pem}
        - {file: keys/next.pem}
`)
	l, faults := loadConfig(filepath.Join(s.dir, "kopir.yaml"))
	m, more := l.open(time.Now())
	defer m.close()
	var got []string
	for _, one := range append(faults, more...) {
		if strings.Contains(one.Key, "rest.keys") {
			got = append(got, one.Key+": "+one.Problem)
		}
	}
	for _, want := range []string{
		"keys[2]: the keyid phone is also that of a key of PEP", `keys[3].file: keys/ed.pem: the key does not serve the algorithm "rsa-pss-sha512"`,
		"keys[4].file: the certificate does not lead to a configured root", "keys[5].file: keys/garbage.pem: holds no certificate", "keys[6].file: keys/absent.pem: no such file",
	} {
		if !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("no %q among\n%s", want, strings.Join(got, "\n"))
		}
	}
	if len(got) != 5 || len(m.partnerKeys["PEP"]) != 5 || m.partnerKeys["PEP"][1].ID != "phone" {
		t.Errorf("%d keys, %s", len(m.partnerKeys["PEP"]), strings.Join(got, "\n"))
	}
	if !slices.ContainsFunc(m.endings(time.Now()), func(e ending) bool { return e.kind == "partner key" && e.sender == "PEP" && e.days < 0 && e.within > 0 }) {
		t.Error("nobody is told that a certificate has ended")
	}
}
