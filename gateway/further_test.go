package gateway_test

import (
	"strings"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/soap"
	"kopir/mappings"
)

// cards is a town with the service of many kinds, and one application of it.
func cards(t *testing.T, channel string) (*town, *mappings.Service) {
	t.Helper()
	w := newTownFor(t, "../testdata/stories/resident-card/any")
	s, _ := w.set.Service("resident-card")
	if r := w.send(gateway.SyncDoor, w.make(s, "sync", recipe{ID: "m-1", Channel: channel})); r.Code != "" {
		t.Fatalf("%s", r.Bytes)
	}
	w.deliver()
	return w, s
}

func (w *town) says(s *mappings.Service, r recipe) gateway.Reply {
	w.t.Helper()
	return w.send(gateway.AsyncDoor, w.make(s, "async", r))
}

// TestUnknownCodeOfAPartner: it is answered, kept and told, and moves nothing;
// whoever decides meanwhile is not disturbed.
func TestUnknownCodeOfAPartner(t *testing.T) {
	w, s := cards(t, "csc")
	before := w.only()
	for _, id := range []string{"m-2", "m-3"} {
		r := w.says(s, recipe{ID: id, Channel: "csc", Kind: "partner-status", Type: "NOTIFICATION", Signer: "nobody", Set: map[string]string{"number": before.Number, "code": "99"}})
		if r.Code != "" {
			t.Fatalf("%s %s", r.Code, r.Bytes)
		}
	}
	all, err := w.bridge.Drift(t.Context())
	if err != nil || len(all) != 1 || all[0].Kind != mappings.DriftCode || all[0].Path != "status/code" || all[0].Partner != "CON" || all[0].Times != 2 {
		t.Errorf("%v %+v", err, all)
	}
	if now := w.only(); now.Version != before.Version || now.State != gateway.Received {
		t.Errorf("%+v", now)
	}
	m, err := w.store.Message(t.Context(), "CON", "m-2")
	if err != nil || m.Application != before.Number || !strings.Contains(string(m.Raw), "99") {
		t.Errorf("not kept: %v", err)
	}
	line, err := w.bridge.Timeline(t.Context(), before.Number)
	if err != nil || len(line.Evidence) < 4 {
		t.Errorf("the verdicts over what was said are no evidence: %v %d", err, len(line.Evidence))
	}
	if n := len(line.Deliveries); n != 2 {
		t.Errorf("a word that informs was answered by a message: %d deliveries", n)
	}
}

// TestSaidTwice: the same bytes get the same answer and are done once; other
// bytes under their id are a conflict.
func TestSaidTwice(t *testing.T) {
	w, s := cards(t, "portal")
	number := w.only().Number
	set := map[string]string{"number": number, "iin": form("portal")["applicant_iin"], "address": "ул. Новая, 2"}
	raw := w.make(s, "sync", recipe{ID: "m-2", Kind: "correction", Form: "nested", Set: set})
	one, two := w.send(gateway.SyncDoor, raw), w.send(gateway.SyncDoor, raw)
	if one.Code != "" || string(one.Bytes) != string(two.Bytes) {
		t.Errorf("%s\n%s", one.Bytes, two.Bytes)
	}
	if v := w.only().Version; v != 2 {
		t.Errorf("version %d", v)
	}
	set["address"] = "ул. Другая, 3"
	if r := w.send(gateway.SyncDoor, w.make(s, "sync", recipe{ID: "m-2", Kind: "correction", Form: "nested", Set: set})); r.Code != gateway.DuplicateID {
		t.Errorf("%s", r.Code)
	}
	w.deliver()
	if got := w.one(t, "SELECT address || ' ' || status_code FROM resident_card"); got != "ул. Новая, 2 10" {
		t.Errorf("the row has %s", got)
	}
}

// TestOtherHands: a partner speaks only of what it brought.
func TestOtherHands(t *testing.T) {
	w, s := cards(t, "portal")
	number := w.only().Number
	r := w.send(gateway.SyncDoor, w.make(s, "sync", recipe{ID: "m-2", Channel: "csc", Kind: "partner-status", Signer: "nobody", Set: map[string]string{"number": number, "code": "70"}}))
	if r.Code != "" || !strings.Contains(string(r.Bytes), "с таким номером нет") {
		t.Errorf("%s", r.Bytes)
	}
	// Of a revocation that nobody can tell nothing is kept: it is asked again by the sender.
	w.lists.set(nil, w.keysOf([]string{"citizen"}))
	raw := w.make(s, "sync", recipe{ID: "m-3", Kind: "withdrawal", Set: map[string]string{"number": number, "iin": form("portal")["applicant_iin"]}})
	if r := w.send(gateway.SyncDoor, raw); r.Code != gateway.TryLater {
		t.Errorf("%s %s", r.Code, r.Bytes)
	}
	w.lists.set(nil, nil)
	w.pass(time.Minute)
	if r := w.send(gateway.SyncDoor, raw); r.Code != "" || w.only().State != gateway.Refused {
		t.Errorf("%s %s", r.Code, w.only().State)
	}
}

// TestOnlyARequestOpens: an application that says to be a notification, or
// anything that says to be a response, is a fault, and nothing is kept.
func TestOnlyARequestOpens(t *testing.T) {
	w, s := cards(t, "portal")
	for _, c := range []recipe{{ID: "m-2", Type: "NOTIFICATION"}, {ID: "m-3", Type: "UPDATE", Kind: "replacement", Set: map[string]string{"old_card": "12345678"}},
		{ID: "m-4", Type: "RESPONSE", Kind: "inquiry", Form: "nested", Signer: "nobody", Set: map[string]string{"number": "RC-000001"}}} {
		if r := w.says(s, c); r.Code != gateway.UnknownOperation {
			t.Errorf("%+v: %s", c, r.Bytes)
		}
		if _, err := w.store.Message(t.Context(), "PEP", c.ID); err == nil {
			t.Errorf("%s is kept", c.ID)
		}
	}
	// What is of no kind is told all the same, without a refusal in a conversation
	// that is about something else.
	before := len(w.post.taken())
	if r := w.says(s, recipe{ID: "m-5", Type: string(soap.TypeNotification), Change: [2]string{">NEW<", ">OTHER<"}}); r.Code != "" {
		t.Errorf("%s", r.Bytes)
	}
	w.deliver()
	all, err := w.bridge.Drift(t.Context())
	if err != nil || len(all) != 1 || all[0].Path != "c:kind" || len(w.post.taken()) != before {
		t.Errorf("%v %+v", err, all)
	}
}
