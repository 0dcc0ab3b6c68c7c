package client

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/sim"
	"kopir/gateway/soap"
	"kopir/signature"
	"kopir/signature/keystore"
	"kopir/signature/nuc"
)

// simulated is the simulator with its members' clients.
type simulated struct {
	*sim.Sim
	judge *signature.Verifier
}

func simulate(t *testing.T) *simulated {
	t.Helper()
	var s *sim.Sim
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.Handler().ServeHTTP(w, r) }))
	var err error
	if s, err = sim.New(sim.Config{BaseURL: server.URL}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); server.Close() })
	chain := filepath.Join(t.TempDir(), "chain.pem")
	if err := os.WriteFile(chain, s.ChainPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	trust, err := nuc.LoadTrust(chain)
	if err != nil {
		t.Fatal(err)
	}
	return &simulated{s, &signature.Verifier{Trust: trust, Revocation: nothingRevoked{}}}
}

// peer is the gateway, as one of its members speaks to it.
func (s *simulated) peer(t *testing.T, member, address string) Peer {
	t.Helper()
	m, ok := s.System(member)
	if !ok {
		t.Fatal("no member", member)
	}
	issued, err := s.Credential(member)
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
	its, _ := s.System("gateway")
	return Peer{Name: "gateway", Address: address, SenderID: m.Sender, Password: soap.Secret(m.Password), Sign: sign(key), Judge: s.judge, BINs: []string{its.BIN}}
}

// TestRegistryOfSimulator asks the simulated register through the simulated
// gateway.
func TestRegistryOfSimulator(t *testing.T) {
	s := simulate(t)
	for _, typed := range []bool{false, true} {
		r := &Persons{Channel: newSync(t, s.peer(t, "bridge", s.Addresses().Sync)), SenderCode: "MIO", NoData: []string{"00001"}, Typed: typed}
		ask := func(who string) (gateway.Finding, error) {
			return r.Ask(context.Background(), gateway.Question{MessageID: "q-" + who, Subject: who, At: time.Now()})
		}
		if f, err := ask("900101300017"); err != nil || f.Standing != gateway.Found || value(f, "surname") == "" || value(f, "given_name") == "" || len(f.Answer) == 0 || f.Verdict == nil {
			t.Errorf("citizen: %v, %v", f.Standing, err)
		}
		if f, err := ask("880303400045"); err != nil || f.Standing != gateway.NoData || len(f.Answer) == 0 {
			t.Errorf("nobody: %v, %v", f.Standing, err)
		}
		var re *ResultError
		if _, err := ask("910707300053"); !errors.As(err, &re) {
			t.Errorf("error of the register: %v", err)
		}
	}
	p := s.peer(t, "bridge", s.Addresses().Sync)
	p.Password = "wrong"
	_, err := (&Persons{Channel: newSync(t, p)}).Ask(context.Background(), gateway.Question{MessageID: "q", Subject: "900101300017", At: time.Now()})
	var se *gateway.SendError
	if !errors.As(err, &se) || se.Code == "" {
		t.Errorf("wrong password: %v", err)
	}
}

// TestPollingOfSimulator has a member fetch what another one sent, and the
// sender ask what became of it.
func TestPollingOfSimulator(t *testing.T) {
	s := simulate(t)
	ctx := context.Background()
	bridge, portal := newAsync(t, s.peer(t, "bridge", s.Addresses().Async)), newAsync(t, s.peer(t, "portal", s.Addresses().Async))
	const service = "ALMATY_UNEMPLOYED_CERTIFICATE"
	var sent []string
	for _, text := range []string{"<a/>", "<b/>"} {
		r, _, err := portal.SendMessage(ctx, soap.AsyncMessageInfo{ServiceID: service, MessageType: soap.TypeRequest, MessageDate: time.Now()}, soap.EscapedData([]byte(text)))
		if err != nil {
			t.Fatal(err)
		}
		if r.MessageID == "" || r.CorrelationID == "" {
			t.Fatalf("no ids: %+v", r)
		}
		sent = append(sent, r.MessageID)
	}
	state := func(id string, want soap.MessageState) {
		t.Helper()
		r, _, err := portal.Status(ctx, id)
		if err != nil || r.MessageState != want {
			t.Errorf("message is %+v, want %s (%v)", r, want, err)
		}
	}
	state(sent[0], soap.OnDelivery)

	var got []string
	poller := &Poller{From: bridge, ServiceID: service, Handle: func(_ context.Context, f Fetched) error {
		got = append(got, string(f.Message.MessageData.Data.Document()))
		if f.Answer.Verdict == nil {
			t.Error("fetched without a signature")
		}
		if len(got) == 2 {
			return &Rejection{Code: "BAD", Text: "unreadable"}
		}
		return nil
	}}
	if taken, err := poller.Once(ctx); err != nil || taken != 2 || len(got) != 2 || got[0] != "<a/>" || got[1] != "<b/>" {
		t.Fatalf("took %d, %v: %q", taken, err, got)
	}
	state(sent[0], soap.Delivered)
	state(sent[1], soap.DeliveryStopped)
	if taken, err := poller.Once(ctx); err != nil || taken != 0 {
		t.Errorf("took %d again, %v", taken, err)
	}
	if _, _, err := bridge.Status(ctx, "0"); err == nil {
		t.Error("a message that is not there has a status")
	}
}
