package client

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/soap"
	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/keystore"
	"kopir/signature/nuc"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

const (
	gatewayBIN = "010240000008"
	akimatBIN  = "010540000009"
)

// pki is a test authority and who trusts it.
type pki struct {
	authority *sigtest.Authority
	verifier  *signature.Verifier
}

type nothingRevoked struct{}

func (nothingRevoked) Check(context.Context, *nuc.Certificate, *nuc.Certificate, time.Time) verdict.Check {
	return verdict.Pass(verdict.CheckRevocation, "test")
}

func newPKI(t *testing.T, name string) *pki {
	t.Helper()
	a, err := sigtest.NewAuthority(name, sigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	trust := nuc.NewTrust()
	for _, der := range [][]byte{a.Root(), a.Issuing()} {
		c, err := nuc.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if len(trust.Roots()) == 0 {
			err = trust.AddRoot(c)
		} else {
			trust.AddIntermediate(c)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return &pki{a, &signature.Verifier{Trust: trust, Revocation: nothingRevoked{}}}
}

func (k *pki) system(t *testing.T, bin string) *keystore.Key {
	t.Helper()
	issued, err := k.authority.Issue(sigtest.Profile{Kind: sigtest.System, BIN: bin, CommonName: "TEST"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := nuc.ParseCertificate(issued.DER)
	if err != nil {
		t.Fatal(err)
	}
	key, err := keystore.NewKey(c, issued.Signer)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(key *keystore.Key) func([]byte) ([]byte, error) {
	return func(envelope []byte) ([]byte, error) {
		return signature.SignWSSE(envelope, key, signature.SignOptions{})
	}
}

// signedPeer is a peer whose answers must be signed by the gateway.
func (k *pki) signedPeer(t *testing.T, address string) Peer {
	p := unsigned(address)
	p.Answers, p.Judge, p.BINs = Always, k.verifier, []string{gatewayBIN}
	p.Now = sigtest.Noon
	p.Sign = sign(k.system(t, akimatBIN))
	return p
}

// bytesEnd answers every request with what make gives for the request's bytes.
func bytesEnd(t *testing.T, make func(request []byte) []byte) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		src, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", soap.ContentType)
		w.Write(make(src))
	}))
	t.Cleanup(s.Close)
	return s
}

func build(t *testing.T, p soap.Payload) []byte {
	t.Helper()
	out, err := soap.Build(p)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func mustSign(t *testing.T, envelope []byte, key *keystore.Key) []byte {
	t.Helper()
	out, err := sign(key)(envelope)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var taken = &soap.AsyncSendMessageResponse{MessageID: "216386080", CorrelationID: "3226347", ResponseDate: now}

// TestSignedAnswers lists which answers are believed.
func TestSignedAnswers(t *testing.T) {
	k := newPKI(t, "")
	good := mustSign(t, build(t, taken), k.system(t, gatewayBIN))
	stranger := mustSign(t, build(t, taken), k.system(t, akimatBIN))
	tampered := bytes.Replace(good, []byte("216386080"), []byte("216386081"), 1)
	other := newPKI(t, "other")
	forged := mustSign(t, build(t, taken), other.system(t, gatewayBIN))
	fault := mustSign(t, build(t, soap.NewFault(soap.AsyncSendMessage, "Client", "SCE001", "no", now)), k.system(t, gatewayBIN))
	unsignedFault := build(t, soap.NewFault(soap.AsyncSendMessage, "Client", "SCE001", "no", now))

	for name, c := range map[string]struct {
		answer    []byte
		policy    Signed
		believed  bool
		refused   bool // a fault that is believed
		mentioned string
	}{
		"good":                                {good, Always, true, false, ""},
		"good, signature optional":            {good, IfPresent, true, false, ""},
		"not signed":                          {build(t, taken), Always, false, false, "must be signed"},
		"not signed, signature optional":      {build(t, taken), IfPresent, true, false, ""},
		"changed":                             {tampered, Always, false, false, "HASH_FAILURE"},
		"changed, signature optional":         {tampered, IfPresent, false, false, "HASH_FAILURE"},
		"another organisation":                {stranger, Always, false, false, "not the peer's"},
		"another organisation, sig. optional": {stranger, IfPresent, false, false, "not the peer's"},
		"another authority":                   {forged, Always, false, false, "not believed"},
		"signed fault":                        {fault, Always, false, true, "SCE001"},
		"unsigned fault":                      {unsignedFault, Always, false, false, "SCE001"},
		"unsigned fault, signature optional":  {unsignedFault, IfPresent, false, true, "SCE001"},
	} {
		t.Run(name, func(t *testing.T) {
			s := bytesEnd(t, func([]byte) []byte { return c.answer })
			p := k.signedPeer(t, s.URL)
			p.Answers = c.policy
			r, a, err := newAsync(t, p).SendMessage(context.Background(), asyncInfo, document)
			if (err == nil) != c.believed {
				t.Fatalf("%+v, %v", r, err)
			}
			if err == nil {
				if r.MessageID != "216386080" {
					t.Errorf("read %+v", r)
				}
				return
			}
			if !strings.Contains(err.Error(), c.mentioned) {
				t.Errorf("%v", err)
			}
			if !bytes.Equal(a.Raw, c.answer) {
				t.Error("the answer is not kept as evidence")
			}
			want := Unknown
			if c.refused {
				want = Refused
			}
			wantFailure(t, err, want, !c.refused)
		})
	}
	t.Run("one certificate", func(t *testing.T) {
		key := k.system(t, gatewayBIN)
		s := bytesEnd(t, func([]byte) []byte { return mustSign(t, build(t, taken), key) })
		p := k.signedPeer(t, s.URL)
		p.BINs, p.Certificates = nil, [][32]byte{key.Certificate.Fingerprint}
		if _, _, err := newAsync(t, p).SendMessage(context.Background(), asyncInfo, document); err != nil {
			t.Error(err)
		}
		p.Certificates = [][32]byte{k.system(t, gatewayBIN).Certificate.Fingerprint}
		if _, _, err := newAsync(t, p).SendMessage(context.Background(), asyncInfo, document); err == nil {
			t.Error("another certificate was taken")
		}
	})
	t.Run("nothing to judge with", func(t *testing.T) {
		s := bytesEnd(t, func([]byte) []byte { return good })
		_, _, err := newAsync(t, unsigned(s.URL)).SendMessage(context.Background(), asyncInfo, document)
		wantFailure(t, err, Unknown, true)
	})
	t.Run("whose signature is not said", func(t *testing.T) {
		p := k.signedPeer(t, "http://127.0.0.1:1/")
		p.BINs = nil
		if _, err := NewAsync(p); err == nil {
			t.Error("taken")
		}
	})
}

// TestSender sends notices of a service and judges what arrives as the partner would.
func TestSender(t *testing.T) {
	k := newPKI(t, "")
	services, faults := mappings.Builtin()
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	service, _ := services.Service("almaty-unemployed-certificate")
	notice, err := service.Notice("portal", &mappings.Notice{Number: "N-1", Correlation: "3226347", State: "received", At: now})
	if err != nil {
		t.Fatal(err)
	}
	var requests [][]byte
	answerKey := k.system(t, gatewayBIN)
	s := bytesEnd(t, func(request []byte) []byte {
		requests = append(requests, request)
		return mustSign(t, build(t, taken), answerKey)
	})
	ourKey := k.system(t, akimatBIN)
	p := k.signedPeer(t, s.URL)
	p.Sign = sign(ourKey)
	channel := newAsync(t, p)
	options := SenderOptions{
		Outlets:      map[gateway.Route]Outlet{gateway.ToPortal: {Channel: channel}, gateway.ToCSC: {Channel: channel, ServiceID: "CSC_STATUS"}},
		Services:     services,
		SignDocument: func(d []byte) ([]byte, error) { return signature.SignEnveloped(d, ourKey, signature.SignOptions{}) },
		RouteID:      map[string]string{service.Gateway.ServiceID: "R_TEST"},
	}
	sender := newSender(t, options)
	d := gateway.Delivery{ID: "d", Application: "N-1", Route: gateway.ToPortal, Service: service.ID, Partner: "portal",
		MessageType: "NOTIFICATION", MessageID: "m-1", CorrelationID: "3226347",
		ServiceID: service.Gateway.ServiceID, MessageDate: now, Body: notice}
	receipt, err := sender.Send(context.Background(), d)
	if err != nil || receipt.MessageID != "216386080" || receipt.CorrelationID != "3226347" || len(receipt.Answer) == 0 {
		t.Fatalf("%+v, %v", receipt, err)
	}
	if again, err := sender.Send(context.Background(), d); err != nil || !bytes.Equal(again.Sent, receipt.Sent) {
		t.Errorf("the second try sends other bytes (%v)", err)
	}
	if len(requests) != 2 || !bytes.Equal(requests[0], receipt.Sent) {
		t.Fatal("what arrived is not what was signed")
	}
	doc, err := xmltree.Parse(requests[0], xmltree.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	content, ok := k.verifier.WSSE(context.Background(), doc, signature.Want{At: sigtest.Noon(), BIN: akimatBIN}).Content()
	if !ok {
		t.Fatal("the partner does not believe the message")
	}
	body, err := content.Tree()
	if err != nil {
		t.Fatal(err)
	}
	m, err := soap.ReadBody(body.Root())
	if err != nil {
		t.Fatal(err)
	}
	info := m.Payload.(*soap.AsyncSendMessageRequest).MessageInfo
	if info.MessageType != soap.TypeNotification || info.MessageID != "m-1" || info.CorrelationID != "3226347" || info.RouteID != "R_TEST" || info.Sender.SenderID != "AKIMAT" {
		t.Errorf("arrived %+v", info)
	}
	inner, err := xmltree.Parse(m.Data().Document(), xmltree.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if v := k.verifier.XMLDSig(context.Background(), inner, signature.Want{At: sigtest.Noon(), BIN: akimatBIN}); v.Outcome != verdict.Passed {
		t.Errorf("the notice itself: %s %s", v.Outcome, v.Reason)
	}
	if values, err := service.ReadNotice("portal", inner.Root()); err != nil || values["number"] != "N-1" {
		t.Errorf("the notice reads %v, %v", values, err)
	}

	// Outside a conversation the notice goes to the partner's own service.
	alone := d
	alone.Route, alone.Partner, alone.ServiceID, alone.CorrelationID = gateway.ToCSC, "csc", "", ""
	if receipt, err = sender.Send(context.Background(), alone); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(receipt.Sent, []byte("<serviceId>CSC_STATUS</serviceId>")) || bytes.Contains(receipt.Sent, []byte("correlationId")) {
		t.Errorf("sent %s", receipt.Sent)
	}

	// Of several partners on the route it is the service of the one that is meant.
	options.StatusServices = map[string]string{"CON2": "CSC2_STATUS"}
	alone.Receiver = "CON2"
	if receipt, err = newSender(t, options).Send(context.Background(), alone); err != nil || !bytes.Contains(receipt.Sent, []byte("<serviceId>CSC2_STATUS</serviceId>")) {
		t.Errorf("%v, sent %s", err, receipt.Sent)
	}

	for name, spoil := range map[string]func(*gateway.Delivery){
		"no way out":      func(d *gateway.Delivery) { d.Route = gateway.ToLocal },
		"unknown service": func(d *gateway.Delivery) { d.Service = "other" },
		"unknown partner": func(d *gateway.Delivery) { d.Partner = "mail" },
		"no service id":   func(d *gateway.Delivery) { d.ServiceID = "" },
		"no message type": func(d *gateway.Delivery) { d.MessageType = "" },
	} {
		spoiled := d
		spoil(&spoiled)
		_, err := sender.Send(context.Background(), spoiled)
		var se *gateway.SendError
		if se, _ = err.(*gateway.SendError); se == nil || !se.Permanent {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSenderErrors(t *testing.T) {
	services, _ := mappings.Builtin()
	d := gateway.Delivery{Route: gateway.ToPortal, Service: "almaty-unemployed-certificate", Partner: "portal", MessageType: "NOTIFICATION", MessageID: "m-1", ServiceID: "ALMATY_UNEMPLOYED_CERTIFICATE", MessageDate: now, Body: []byte("<a/>")}
	for name, c := range map[string]struct {
		code              string
		permanent, unsure bool
	}{
		"refused": {"SCE001", true, false}, "down": {"SCE004", false, false}, // nobody took it
		"internal": {"SCE909", false, true}, "another platform's": {"SE_PROCESSOR", false, true}, "never seen": {"X1", false, true},
	} {
		e := newEnd(t, func(*soap.Message) (int, soap.Payload, string) {
			return 500, soap.NewFault(soap.AsyncSendMessage, "Server", c.code, "text", now), ""
		})
		s := newSender(t, SenderOptions{Outlets: map[gateway.Route]Outlet{gateway.ToPortal: {Channel: newAsync(t, unsigned(e.URL))}}, Services: services,
			SignDocument: func(d []byte) ([]byte, error) { return d, nil }})
		receipt, err := s.Send(context.Background(), d)
		se, _ := err.(*gateway.SendError)
		if se == nil || se.Permanent != c.permanent || se.Unknown != c.unsure || se.Code != c.code || len(receipt.Sent) == 0 || len(receipt.Answer) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func newSender(t *testing.T, o SenderOptions) *Sender {
	t.Helper()
	s, err := NewSender(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSenderIsChecked(t *testing.T) {
	services, _ := mappings.Builtin()
	good := SenderOptions{Outlets: map[gateway.Route]Outlet{gateway.ToPortal: {Channel: newAsync(t, unsigned("http://127.0.0.1:1/"))}}, Services: services,
		SignDocument: func(d []byte) ([]byte, error) { return d, nil }}
	newSender(t, good)
	for name, spoil := range map[string]func(*SenderOptions){
		"nothing to sign with": func(o *SenderOptions) { o.SignDocument = nil },
		"no way out":           func(o *SenderOptions) { o.Outlets = nil },
		"no channel":           func(o *SenderOptions) { o.Outlets = map[gateway.Route]Outlet{gateway.ToCSC: {}} },
		"no services":          func(o *SenderOptions) { o.Services = nil },
	} {
		o := good
		spoil(&o)
		if s, err := NewSender(o); err == nil || s != nil {
			t.Errorf("%s: taken", name)
		}
	}
}
