package gateway_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"kopir/gateway"
	"kopir/gateway/soap"
	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/keystore"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// restTown has two partners more, which speak REST alone: MPEP of the portal's
// channel, with a certificate, and APP with a bare key, limited to one service.
func restTown(t *testing.T) *town {
	w := newTown(t)
	w.reopen(func(o *gateway.Options) {
		o.Partners = append(o.Partners,
			gateway.Partner{SenderID: "MPEP", Channel: gateway.Portal, REST: true, Collects: true, Keys: []gateway.PartnerKey{{ID: "mpep", Certificate: w.keys["portal"].Certificate}}},
			gateway.Partner{SenderID: "APP", Channel: gateway.Portal, REST: true, Services: []string{"SOMETHING_ELSE"}, Keys: []gateway.PartnerKey{{ID: "app"}}})
	})
	return w
}

// reopen makes the bridge anew on the same store.
func (w *town) reopen(change func(*gateway.Options)) {
	w.t.Helper()
	var core zapcore.Core
	core, w.logs = observer.New(zap.DebugLevel)
	o := w.options(core)
	change(&o)
	var err error
	if w.bridge, err = gateway.New(o); err != nil {
		w.t.Fatal(err)
	}
}

// admit lets a partner in with a nonce.
func (w *town) admit(key, nonce string) (*gateway.Admission, error) {
	return w.bridge.Admit(w.t.Context(), gateway.Call{KeyID: key, Algorithm: "rsa-v1_5-sha256", Nonce: nonce, Until: w.clock().Add(7 * time.Minute), Proof: []byte("the base and the value of " + nonce)})
}

func (w *town) admitted(key string) *gateway.Admission {
	w.t.Helper()
	by, err := w.admit(key, w.newID())
	if err != nil {
		w.t.Fatal(err)
	}
	return by
}

func TestAdmit(t *testing.T) {
	w := restTown(t)
	by, err := w.admit("mpep", "1")
	if err != nil || by.Sender != "MPEP" || by.Channel != gateway.Portal {
		t.Fatalf("%+v, %v", by, err)
	}
	want := func(what string, err error, code gateway.Code, reason verdict.Reason) {
		t.Helper()
		var e *gateway.Error
		if !errors.As(err, &e) || e.Code != code || e.Reason != reason {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = w.admit("mpep", "1")
	want("the nonce again", err, gateway.Replayed, "")
	if _, err := w.admit("app", "1"); err != nil {
		t.Errorf("the same nonce of another key: %v", err)
	}
	_, err = w.admit("nobody", "1")
	want("an unknown key", err, gateway.UnknownSender, "")
	// The nonce outlives the process.
	w.reopen(func(o *gateway.Options) {
		o.Partners = append(o.Partners, gateway.Partner{SenderID: "MPEP", Channel: gateway.Portal, REST: true, Keys: []gateway.PartnerKey{{ID: "mpep", Certificate: w.keys["portal"].Certificate}}})
	})
	_, err = w.admit("mpep", "1")
	want("the nonce after a restart", err, gateway.Replayed, "")
	// The certificate is asked about at every call, and a refused call spends nothing.
	w.lists.set(nil, []*keystore.Key{w.keys["portal"]})
	_, err = w.admit("mpep", "2")
	want("nobody answers", err, gateway.TryLater, verdict.TryLater)
	w.lists.set([]*keystore.Key{w.keys["portal"]}, nil)
	_, err = w.admit("mpep", "2")
	want("revoked", err, gateway.SignatureRefused, verdict.Revoked)
	w.lists.set(nil, nil)
	if _, err := w.admit("mpep", "2"); err != nil {
		t.Error(err)
	}
	w.pass(20 * 365 * 24 * time.Hour)
	_, err = w.admit("mpep", "3")
	want("expired", err, gateway.SignatureRefused, verdict.Expired)
	// Since it was opened anew; a nonce that is used again has a signature that holds.
	w.bridge.Doubt(verdict.SigCryptoFailure)
	all := w.bridge.Verdicts()
	for _, k := range []gateway.VerdictKind{
		{Outcome: verdict.Passed}, {Outcome: verdict.Undetermined, Reason: verdict.TryLater},
		{Outcome: verdict.Failed, Reason: verdict.Revoked}, {Outcome: verdict.Failed, Reason: verdict.Expired}, {Outcome: verdict.Failed, Reason: verdict.SigCryptoFailure},
	} {
		count := uint64(1)
		if k.Signature = "request"; k.Outcome == verdict.Passed {
			count = 2
		}
		if all[k] != count {
			t.Errorf("%v: %d, want %d", k, all[k], count)
		}
	}
}

// A partner without keys, or with one that is another's, is a fault; one that
// speaks REST alone does not exist for the SOAP doors.
func TestRESTPartners(t *testing.T) {
	w := newTown(t)
	for what, p := range map[string][]gateway.Partner{
		"no key at all":  {{SenderID: "X", Channel: gateway.Portal, REST: true}},
		"another's key":  {{SenderID: "X", Channel: gateway.Portal, Keys: []gateway.PartnerKey{{ID: "k"}}}, {SenderID: "Y", Channel: gateway.CSC, Keys: []gateway.PartnerKey{{ID: "k"}}}},
		"the same twice": {{SenderID: "X", Channel: gateway.Portal, Keys: []gateway.PartnerKey{{ID: "k"}, {ID: "k"}}}},
		"the same name":  {{SenderID: "PEP", Channel: gateway.Portal, Keys: []gateway.PartnerKey{{ID: "k"}}}},
		"of the office":  {{SenderID: "X", Channel: gateway.Office, Keys: []gateway.PartnerKey{{ID: "k"}}}},
	} {
		o := w.options(zap.NewNop().Core())
		o.Partners = append(o.Partners, p...)
		if _, err := gateway.New(o); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
	w = restTown(t)
	message := w.envelope(syncRequest("m-1", w.document("portal", form("portal"), "citizen"), w.clock()), "portal")
	for _, sender := range []string{"MPEP", "APP"} {
		r := w.send(gateway.SyncDoor, bytes.Replace(message, []byte("<senderId>PEP<"), []byte("<senderId>"+sender+"<"), 1))
		if r.Code != gateway.UnknownSender {
			t.Errorf("SOAP in the name of %s: %s", sender, r.Code)
		}
	}
}

// What a partner files over REST is what it would have filed over SOAP: the
// same application, refusals, memory of ids, evidence.
func TestSubmitByPartner(t *testing.T) {
	for name, wrap := range map[string]func(*town) []byte{
		"XML": func(w *town) []byte { return w.document("portal", form("portal"), "citizen") },
		"CMS": func(w *town) []byte {
			return w.cms(w.document("portal", form("portal"), ""), w.keys["citizen"], signature.CMSOptions{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := restTown(t)
			sub := gateway.Submission{Service: certificate, ID: "p-1", Document: wrap(w), By: w.admitted("mpep"), Body: []byte("{the body}")}
			one, err := w.bridge.Submit(t.Context(), sub, gateway.Actor{Name: "partner/MPEP"})
			if err != nil {
				t.Fatal(err)
			}
			if one.Channel != gateway.Portal || one.Sender != "MPEP" || one.MessageID != "p-1" || one.CorrelationID != "p-1" || one.State != gateway.Received ||
				one.Applicant.IIN != gateway.IIN(sigtest.IIN(10)) || one.Signer.IIN != one.Applicant.IIN {
				t.Errorf("%+v", one)
			}
			tl, err := w.bridge.Timeline(t.Context(), one.Number)
			if err != nil {
				t.Fatal(err)
			}
			kinds := map[gateway.EvidenceKind]gateway.Evidence{}
			for _, e := range tl.Evidence {
				kinds[e.Kind] = e
			}
			if e := kinds[gateway.BySystem]; e.Outcome != verdict.Passed || !bytes.Contains(e.Document, []byte("the base and the value")) || !bytes.HasSuffix(e.Document, []byte("{the body}")) || !bytes.Contains(e.Verdict, []byte("RFC 9421")) {
				t.Errorf("evidence of the call: %s %s %s", e.Outcome, e.Document, e.Verdict)
			}
			if kinds[gateway.ByPerson].Outcome != verdict.Passed {
				t.Errorf("evidence of the person: %+v", kinds[gateway.ByPerson])
			}
			// The same bytes get the same answer, whatever happened since.
			if _, err := w.bridge.Take(t.Context(), one.Number, gateway.Actor{Name: "A"}); err != nil {
				t.Fatal(err)
			}
			sub.By = w.admitted("mpep")
			two, err := w.bridge.Submit(t.Context(), sub, gateway.Actor{Name: "partner/MPEP"})
			if err != nil || two.Number != one.Number || two.State != one.State || two.Version != one.Version {
				t.Errorf("again: %+v, %v", two, err)
			}
			sub.Document = w.document("portal", form("portal"), "neighbour")
			if _, err := w.bridge.Submit(t.Context(), sub, gateway.Actor{}); gateway.CodeOf(err) != gateway.DuplicateID {
				t.Errorf("other bytes: %v", err)
			}
			sub.ID = "p-2"
			for range 2 { // signed by another: refused, twice alike
				var e *gateway.Error
				if _, err := w.bridge.Submit(t.Context(), sub, gateway.Actor{}); !errors.As(err, &e) || e.Code != gateway.ServiceRefused || e.Ground.Code != "eds-not-confirmed" || e.Reason != verdict.IINMismatch {
					t.Errorf("signed by another: %v", err)
				}
			}
			w.only()
			if w.logs.FilterMessage("message").Len() != 5 {
				t.Errorf("%d lines of the log", w.logs.FilterMessage("message").Len())
			}
		})
	}
}

func TestSubmitByPartnerRefused(t *testing.T) {
	w := restTown(t)
	doc := w.document("portal", form("portal"), "citizen")
	submit := func(key string, s gateway.Submission) error {
		s.By = w.admitted(key)
		_, err := w.bridge.Submit(t.Context(), s, gateway.Actor{})
		return err
	}
	for what, c := range map[string]struct {
		err  error
		code gateway.Code
	}{
		"a service that is not the partner's": {submit("app", gateway.Submission{Service: certificate, ID: "1", Document: doc}), gateway.UnknownService},
		"no such service":                     {submit("mpep", gateway.Submission{Service: "nothing", ID: "1", Document: doc}), gateway.UnknownService},
		"another channel":                     {submit("mpep", gateway.Submission{Service: certificate, Channel: gateway.CSC, ID: "1", Document: doc}), gateway.Malformed},
		"not a document":                      {submit("mpep", gateway.Submission{Service: certificate, ID: "1", Document: []byte("<a")}), gateway.Malformed},
		"an id without end":                   {submit("mpep", gateway.Submission{Service: certificate, ID: strings.Repeat("x", 300), Document: doc}), gateway.Malformed},
		"unsigned":                            {submit("mpep", gateway.Submission{Service: certificate, ID: "2", Document: w.document("portal", form("portal"), "")}), gateway.ServiceRefused},
		"by the gateway's id of the service":  {submit("mpep", gateway.Submission{Service: serviceID, ID: "3", Document: doc}), ""},
	} {
		if gateway.CodeOf(c.err) != c.code {
			t.Errorf("%s: %v", what, c.err)
		}
	}
	faulty := form("portal")
	delete(faulty, "surname")
	faulty["delivery"] = "pigeon"
	var e *gateway.Error
	if err := submit("mpep", gateway.Submission{Service: certificate, ID: "4", Document: w.document("portal", faulty, "citizen")}); !errors.As(err, &e) || e.Code != gateway.InvalidFields || len(e.Ground.Faults) != 2 {
		t.Errorf("faulty fields: %v", err)
	}
	// Without a partner's admission the portal's channel is shut.
	if _, err := w.bridge.Submit(t.Context(), gateway.Submission{Service: certificate, Channel: gateway.Portal, Document: doc}, gateway.Actor{}); gateway.CodeOf(err) != gateway.Malformed {
		t.Errorf("by nobody: %v", err)
	}
}

// An id is spent by whichever door: SOAP and REST of one partner share them.
func TestIdsAreSharedBetweenDoors(t *testing.T) {
	w := newTown(t)
	w.reopen(func(o *gateway.Options) {
		o.Partners[0].Keys, o.Partners[0].REST = []gateway.PartnerKey{{ID: "pep"}}, true
	})
	doc := w.document("portal", form("portal"), "citizen")
	if r := w.send(gateway.SyncDoor, w.envelope(syncRequest("m-1", doc, w.clock()), "portal")); r.Code != "" {
		t.Fatal(r.Code)
	}
	submit := func(id string) error {
		_, err := w.bridge.Submit(t.Context(), gateway.Submission{Service: certificate, ID: id, Document: doc, By: w.admitted("pep")}, gateway.Actor{})
		return err
	}
	if err := submit("m-1"); gateway.CodeOf(err) != gateway.DuplicateID {
		t.Errorf("REST after SOAP: %v", err)
	}
	if err := submit("m-2"); err != nil {
		t.Error(err)
	}
	if r := w.send(gateway.SyncDoor, w.envelope(syncRequest("m-2", doc, w.clock()), "portal")); r.Code != gateway.DuplicateID {
		t.Errorf("SOAP after REST: %s", r.Code)
	}
}

// While nobody answers about the signer it is held, and drains by itself; the
// repeated request gets what was answered at first.
func TestPartnerHeld(t *testing.T) {
	w := restTown(t)
	w.lists.set(nil, []*keystore.Key{w.keys["citizen"]})
	sub := gateway.Submission{Service: certificate, ID: "p-1", Document: w.cms(w.document("portal", form("portal"), ""), w.keys["citizen"], signature.CMSOptions{}), By: w.admitted("mpep")}
	held, err := w.bridge.Submit(t.Context(), sub, gateway.Actor{})
	if err != nil || held.State != gateway.Held {
		t.Fatalf("%+v, %v", held, err)
	}
	w.lists.set(nil, nil)
	w.pass(time.Hour)
	if _, err := w.bridge.Reask(t.Context()); err != nil {
		t.Fatal(err)
	}
	if app := w.only(); app.State != gateway.Received {
		t.Errorf("%s", app.State)
	}
	if again, err := w.bridge.Submit(t.Context(), sub, gateway.Actor{}); err != nil || again.State != gateway.Held || again.Number != held.Number {
		t.Errorf("%+v, %v", again, err)
	}
}

// What a partner that fetches is told stands in its list, in order, and is
// pushed to nobody.
func TestNotices(t *testing.T) {
	w := restTown(t)
	by := w.admitted("mpep")
	app, err := w.bridge.Submit(t.Context(), gateway.Submission{Service: certificate, ID: "p-1", Document: w.document("portal", form("portal"), "citizen"), By: by}, gateway.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	w.apply("m-1") // of the portal that speaks SOAP
	if _, err := w.bridge.Take(t.Context(), app.Number, gateway.Actor{Name: "A"}); err != nil {
		t.Fatal(err)
	}
	w.deliver()
	for _, d := range w.post.taken() {
		if d.Application == app.Number && d.Route == gateway.ToPortal {
			t.Errorf("%s %s was pushed to %q", d.Application, d.Route, d.Receiver)
		}
	}
	if n := w.lane(gateway.ToPortal).Tries; n[gateway.OutcomeDone] != 3 { // two in the list, and one pushed
		t.Errorf("counted: %v", n)
	}
	var codes []string
	after := ""
	for {
		page, err := w.bridge.Notices(t.Context(), by, after, 1)
		if err != nil {
			t.Fatal(err)
		}
		if after = page.Next; len(page.Notices) == 0 {
			break
		}
		n := page.Notices[0]
		if n.CorrelationID != "p-1" || n.Service != certificate || n.Values["number"] != app.Number {
			t.Errorf("%+v", n)
		}
		codes = append(codes, n.Values["code"])
	}
	if strings.Join(codes, " ") != "ACCEPTED IN_PROCESSING" {
		t.Errorf("told %v", codes)
	}
	if _, err := w.bridge.Notices(t.Context(), by, "x", 1); gateway.CodeOf(err) != gateway.Malformed {
		t.Errorf("a place that is none: %v", err)
	}
	other, err := w.bridge.Notices(t.Context(), w.admitted("app"), "", 10)
	if err != nil || len(other.Notices) != 0 {
		t.Errorf("another partner sees %+v, %v", other, err)
	}
}

// Two partners of one channel that fetch their messages over SOAP: each sees
// its own, and neither can speak of the other's.
func TestTwoPartnersOfOneChannel(t *testing.T) {
	w := newTown(t)
	w.reopen(func(o *gateway.Options) {
		o.Partners = append(o.Partners, gateway.Partner{SenderID: "PEP2", Channel: gateway.Portal, Password: "Qwerty12", BINs: []gateway.BIN{gateway.BIN(otherBIN)}})
		o.Polled = []gateway.Route{gateway.ToPortal}
	})
	w.apply("m-1")
	ask := func(p soap.Payload, by string) *soap.Message {
		t.Helper()
		doc, err := xmltree.Parse(w.send(gateway.AsyncDoor, w.envelope(p, by)).Bytes, xmltree.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		m, err := soap.Read(doc)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	fetch := func(sender, by string) []soap.AsyncMessage {
		t.Helper()
		m := ask(&soap.AsyncGetMessagesRequest{ServiceID: serviceID, Sender: &soap.SenderInfo{SenderID: sender, Password: "Qwerty12"}}, by)
		a, ok := m.Payload.(*soap.AsyncGetMessagesResponse)
		if !ok {
			t.Fatalf("%+v", m.Payload)
		}
		return a.Messages
	}
	own := fetch("PEP", "portal")
	if len(own) != 1 {
		t.Fatalf("its own: %d", len(own))
	}
	if others := fetch("PEP2", "outsider"); len(others) != 0 {
		t.Errorf("the other fetches %d", len(others))
	}
	m := ask(&soap.AsyncGetMessageStatusRequest{MessageID: own[0].MessageInfo.MessageID, RequestDate: w.clock(), Sender: soap.SenderInfo{SenderID: "PEP2", Password: "Qwerty12"}}, "outsider")
	if f, ok := m.Payload.(*soap.Fault); !ok || f.Info.ErrorCode != string(gateway.UnknownMessage) {
		t.Errorf("the other asks: %+v", m.Payload)
	}
}

// A service whose documents only the system's signature covers is taken over
// REST under that of the request.
func TestSystemsOwnDocuments(t *testing.T) {
	set, faults := mappings.Load(os.DirFS("testdata/services"))
	for _, f := range faults {
		t.Fatal(f)
	}
	w := newTownOf(t, set)
	w.reopen(func(o *gateway.Options) {
		o.Partners[0].Keys, o.Partners[0].REST = []gateway.PartnerKey{{ID: "pep", Certificate: w.keys["citizen"].Certificate}}, true
	})
	submit := func(iin string) (*gateway.Application, error) {
		doc := []byte("<data><iin>" + iin + "</iin><amount>5</amount></data>")
		return w.bridge.Submit(t.Context(), gateway.Submission{Service: "test-service", Document: doc, By: w.admitted("pep")}, gateway.Actor{})
	}
	if app, err := submit(sigtest.IIN(10)); err != nil || app.Signer.IIN != gateway.IIN(sigtest.IIN(10)) {
		t.Errorf("%+v, %v", app, err)
	}
	if _, err := submit(sigtest.IIN(20)); gateway.CodeOf(err) != gateway.ServiceRefused {
		t.Errorf("of somebody else: %v", err)
	}
}
