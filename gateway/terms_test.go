package gateway_test

import (
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"kopir/gateway"
	"kopir/gateway/soap"
)

// TestOtherTerms: under other terms a removed partner is not known and a new
// one is; what began under the old terms ends under them.
func TestOtherTerms(t *testing.T) {
	w := newTown(t)
	terms := w.options(zapcore.NewNopCore()).Terms
	terms.Partners = []gateway.Partner{
		{SenderID: "NEW", Channel: gateway.Portal, Password: "now", Former: "then", BINs: []gateway.BIN{gateway.BIN(portalBIN)}},
	}
	old := w.bridge
	next, err := old.Under(terms)
	if err != nil {
		t.Fatal(err)
	}
	if old.Latest() != old {
		t.Error("they are in force before they begin")
	}
	next.Begin()
	if old.Latest() != next || next.Latest() != next {
		t.Error("they are not in force")
	}
	for _, c := range []struct {
		what, sender, password string
		b                      *gateway.Bridge
		code                   gateway.Code
	}{
		{"what began under the old terms ends under them", "PEP", "Qwerty12", old, ""},
		{"where the new partner is not known", "NEW", "now", old, gateway.UnknownSender},
		{"the removed partner under the new ones", "PEP", "Qwerty12", next, gateway.UnknownSender},
		{"the password", "NEW", "now", next, ""},
		{"the former one", "NEW", "then", next, ""},
		{"another one", "NEW", "never", next, gateway.UnknownSender},
	} {
		r := syncRequest(c.what, w.document("portal", form("portal"), "citizen"), w.clock())
		r.RequestInfo.Sender = soap.SenderInfo{SenderID: c.sender, Password: soap.Secret(c.password)}
		if got := c.b.Receive(t.Context(), gateway.Incoming{Door: gateway.SyncDoor, Raw: w.envelope(r, "portal")}); got.Code != c.code {
			t.Errorf("%s: %q %s", c.what, got.Code, got.Bytes)
		}
	}
	if n := w.logs.FilterMessage("message").FilterField(zap.String("password", "former")).Len(); n != 1 {
		t.Errorf("that the former password was given is told %d times", n)
	}

	for what, change := range map[string]func(*gateway.Terms){
		"a sender is needed":  func(t *gateway.Terms) { t.Sender = nil },
		"no partner is named": func(t *gateway.Terms) { t.Partners = nil },
		"none now": func(t *gateway.Terms) {
			t.Partners = []gateway.Partner{{SenderID: "A", Channel: gateway.CSC, Former: "x", BINs: []gateway.BIN{"1"}}}
		},
	} {
		bad := terms
		change(&bad)
		if _, err := old.Under(bad); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%q is not said: %v", what, err)
		}
	}
}

// TestLaneOfOtherTerms: loops that run already send by the new terms' sender,
// on a lane that only these have too; nothing is pushed to who fetches now.
func TestLaneOfOtherTerms(t *testing.T) {
	w := newTown(t)
	before, after := &slowPost{}, &slowPost{}
	var terms gateway.Terms
	w.rewire(func(o *gateway.Options) {
		o.Sender, o.Now = before, nil
		terms = o.Terms
	})
	w.running()
	w.line("OLD-1", gateway.ToPortal, "", 2)
	eventually(t, "the old sender sends", func() bool { return before.count("OLD") == 2 })

	terms.Sender, terms.Apart, terms.Polled = after, []gateway.Lane{{Route: gateway.ToPortal, Receiver: "NEW"}}, []gateway.Route{gateway.ToCSC}
	next, err := w.bridge.Under(terms)
	if err != nil {
		t.Fatal(err)
	}
	next.Begin()
	w.line("CSC-1", gateway.ToCSC, "", 1)
	w.line("NEW-1", gateway.ToPortal, "NEW", 2)
	w.line("OLD-2", gateway.ToPortal, "", 2)
	eventually(t, "the new sender sends on both lanes", func() bool { return after.count("NEW") == 2 && after.count("OLD") == 2 })
	if before.count("") != 2 || after.count("CSC") != 0 {
		t.Errorf("%d were sent by the old sender, %d pushed to who fetches", before.count(""), after.count("CSC"))
	}
}
