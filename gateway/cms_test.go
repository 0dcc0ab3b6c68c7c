package gateway_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/soap"
	"kopir/signature"
	"kopir/signature/keystore"
	"kopir/signature/nuc"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

// national lets an authority with another algorithm be trusted too, and gives
// it somebody's key.
func (w *town) national(alg sigtest.Algorithm, who string) *keystore.Key {
	w.t.Helper()
	if alg == sigtest.RSA {
		return w.keys[who]
	}
	ca, err := sigtest.NewAuthority("", sigtest.Options{Algorithm: alg, Day: morning.Truncate(24 * time.Hour)})
	if err != nil {
		w.t.Fatal(err)
	}
	root, err := nuc.ParseCertificate(ca.Root())
	if err == nil {
		err = w.verifier.Trust.AddRoot(root)
	}
	issuing, ierr := nuc.ParseCertificate(ca.Issuing())
	if err != nil || ierr != nil {
		w.t.Fatal(err, ierr)
	}
	w.verifier.Trust.AddIntermediate(issuing)
	c, err := ca.Issue(people[who])
	if err != nil {
		w.t.Fatal(err)
	}
	key, err := c.Key()
	if err != nil {
		w.t.Fatal(err)
	}
	return key
}

func (w *town) cms(content []byte, key *keystore.Key, o signature.CMSOptions) []byte {
	w.t.Helper()
	out, err := signature.SignCMS(content, key, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// inBase64 is a message as text, in lines as most programs write it.
func inBase64(message []byte) []byte {
	var out []byte
	text := base64.StdEncoding.AppendEncode(nil, message)
	for len(text) > 64 {
		out, text = append(append(out, text[:64]...), "\r\n"...), text[64:]
	}
	return append(out, text...)
}

var bothKinds = map[string]sigtest.Algorithm{"RSA": sigtest.RSA, "GOST": sigtest.GOST2015}

// An application whose document is in CMS is taken as one in XML is: the same
// fields, the same signer.
func TestApplicationInCMS(t *testing.T) {
	for name, alg := range bothKinds {
		for _, carried := range []soap.Form{soap.Escaped, soap.Untyped, soap.CDATA} {
			t.Run(name+" "+string(carried), func(t *testing.T) {
				w := newTown(t)
				key := w.national(alg, "citizen")
				message := inBase64(w.cms(w.document("portal", form("portal"), ""), key, signature.CMSOptions{SigningTime: w.now}))
				p := syncRequest("m-1", nil, w.clock())
				p.RequestData.Data = soap.Data{Form: carried, Text: message}
				if r := w.send(gateway.SyncDoor, w.envelope(p, "portal")); r.Code != "" || !bytes.Contains(r.Bytes, []byte("ACCEPTED")) {
					t.Fatalf("%s %s", r.Code, r.Bytes)
				}
				app := w.only()
				if app.State != gateway.Received || app.Signer.IIN != gateway.IIN(sigtest.IIN(10)) || app.Applicant.IIN != app.Signer.IIN {
					t.Errorf("%s, signed by %+v", app.State, app.Signer)
				}
				w.deliver()
				service, _ := w.set.Service(certificate)
				if got := w.one(t, "SELECT applicant_iin FROM "+service.Local.Table); got != sigtest.IIN(10) {
					t.Errorf("the local row has %s", got)
				}
			})
		}
	}
}

func TestApplicationInCMSRefused(t *testing.T) {
	for name, alg := range bothKinds {
		for _, tc := range []struct {
			name, by string
			content  func(doc []byte) []byte
			change   func(message []byte) []byte
			reason   verdict.Reason
		}{
			{"changed content", "citizen", nil, func(m []byte) []byte {
				return bytes.Replace(m, []byte(sigtest.IIN(10)), []byte(sigtest.IIN(20)), 1)
			}, verdict.HashFailure},
			{"changed value", "citizen", nil, func(m []byte) []byte {
				m = bytes.Clone(m)
				m[len(m)-1] ^= 1
				return m
			}, verdict.SigCryptoFailure},
			{"somebody else's", "neighbour", nil, nil, verdict.IINMismatch},
			{"cut short", "citizen", nil, func(m []byte) []byte { return m[:len(m)-10] }, verdict.FormatFailure},
			{"around no XML", "citizen", func([]byte) []byte { return []byte("%PDF-1.7") }, nil, verdict.FormatFailure},
		} {
			t.Run(name+" "+tc.name, func(t *testing.T) {
				w := newTown(t)
				doc := w.document("portal", form("portal"), "")
				if tc.content != nil {
					doc = tc.content(doc)
				}
				message := w.cms(doc, w.national(alg, tc.by), signature.CMSOptions{})
				if tc.change != nil {
					changed := tc.change(message)
					if bytes.Equal(changed, message) {
						t.Fatal("nothing was changed")
					}
					message = changed
				}
				r := w.send(gateway.SyncDoor, w.envelope(syncRequest("m-1", inBase64(message), w.clock()), "portal"))
				if r.Code != "" || !bytes.Contains(r.Bytes, []byte("REJECTED")) {
					t.Fatalf("%s %s", r.Code, r.Bytes)
				}
				if len(w.all()) != 0 {
					t.Error("it got a number")
				}
				if !bytes.Contains(r.Bytes, []byte(w.set.Texts.Text("reason."+string(tc.reason)).Ru)) {
					t.Errorf("the refusal does not say %s: %s", tc.reason, r.Bytes)
				}
			})
		}
	}
}

// While nobody answers about the signer, CMS is held as XML is, from the
// portal and from the office, and decided later.
func TestCMSHeld(t *testing.T) {
	w := newTown(t)
	w.lists.set(nil, []*keystore.Key{w.keys["citizen"], w.keys["specialist"]})
	message := w.cms(w.document("portal", form("portal"), ""), w.keys["citizen"], signature.CMSOptions{})
	if r := w.send(gateway.SyncDoor, w.envelope(syncRequest("m-1", inBase64(message), w.clock()), "portal")); r.Code != "" {
		t.Fatalf("%s %s", r.Code, r.Bytes)
	}
	office := w.cms(w.document("office", form("office"), ""), w.keys["specialist"], signature.CMSOptions{})
	if _, err := w.bridge.Submit(t.Context(), gateway.Submission{Service: certificate, Document: office, ID: "o-1"}, gateway.Actor{Name: "specialist"}); err != nil {
		t.Fatal(err)
	}
	for _, a := range w.all() {
		if a.State != gateway.Held {
			t.Errorf("%s is %s", a.Channel, a.State)
		}
	}
	w.lists.set(nil, nil)
	w.pass(time.Hour)
	if _, err := w.bridge.Reask(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := w.all()
	if len(all) != 2 {
		t.Fatalf("%d applications", len(all))
	}
	for _, a := range all {
		if a.State != gateway.Received {
			t.Errorf("%s is %s", a.Channel, a.State)
		}
	}
}

// A result is bound to the provider's organisation in whatever form it is signed.
func TestResultInCMS(t *testing.T) {
	for name, alg := range bothKinds {
		t.Run(name, func(t *testing.T) {
			w := newTown(t)
			official, stranger := w.national(alg, "official"), w.national(alg, "stranger")
			w.apply("m-1")
			number := w.only().Number
			draft := w.draftOf(number, gateway.ResultWish{}).Content
			attached := w.cms(draft, official, signature.CMSOptions{})
			beside := w.cms(draft, official, signature.CMSOptions{Detached: true})
			pdf := []byte("%PDF-1.7 a certificate")
			who := gateway.Actor{Name: "specialist"}
			if _, err := w.bridge.Take(t.Context(), number, who); err != nil {
				t.Fatal(err)
			}
			for _, tc := range []struct {
				name   string
				result gateway.Document
				code   gateway.Code
				reason verdict.Reason
			}{
				{"around, of another organisation", gateway.Document{Content: w.cms(draft, stranger, signature.CMSOptions{})}, gateway.SignatureRefused, verdict.BINMismatch},
				{"beside, of another organisation", gateway.Document{Content: draft, Signature: w.cms(draft, stranger, signature.CMSOptions{Detached: true})}, gateway.SignatureRefused, verdict.BINMismatch},
				{"beside other content", gateway.Document{Content: append([]byte(" "), draft...), Signature: beside}, gateway.SignatureRefused, verdict.HashFailure},
				{"without its content", gateway.Document{Content: beside}, gateway.SignatureRefused, verdict.SignedDataNotFound},
				{"beside, about nobody", gateway.Document{Content: pdf, Signature: w.cms(pdf, official, signature.CMSOptions{Detached: true})}, gateway.WrongResult, ""},
				{"beside, of no form", gateway.Document{Content: pdf, Signature: []byte("signed")}, gateway.Malformed, ""},
				{"nothing but a file", gateway.Document{Content: pdf}, gateway.Malformed, ""},
			} {
				_, err := w.bridge.Decide(t.Context(), number, who, gateway.Decision{State: gateway.Completed, Result: &tc.result})
				var e *gateway.Error
				if !errors.As(err, &e) || e.Code != tc.code || e.Reason != tc.reason {
					t.Errorf("%s: %v", tc.name, err)
				}
			}
			result := gateway.Document{Content: attached}
			if alg == sigtest.RSA {
				result = gateway.Document{Name: "certificate.xml", Content: draft, Signature: inBase64(beside)}
			}
			app, err := w.bridge.Decide(t.Context(), number, who, gateway.Decision{State: gateway.Completed, Result: &result})
			if err != nil {
				t.Fatal(err)
			}
			if app.State != gateway.Completed || app.Result.SignedBy.IIN != gateway.IIN(sigtest.IIN(50)) || app.Result.SignedBy.BIN != gateway.BIN(akimatBIN) {
				t.Errorf("%s %+v", app.State, app.Result)
			}
			kept, err := w.bridge.Result(t.Context(), number)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(kept.Content, result.Content) || !bytes.Equal(kept.Signature, result.Signature) {
				t.Error("the store has another result")
			}
			if alg != sigtest.RSA && (kept.MediaType != "application/pkcs7-mime" || kept.Name != "result.p7m") {
				t.Errorf("%s %s", kept.MediaType, kept.Name)
			}
		})
	}
}
