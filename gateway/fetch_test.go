package gateway_test

import (
	"bytes"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/soap"
	"kopir/signature/keystore"
)

// fetchable puts messages into an answer to getMessages, as the gateway signs it.
func (w *town) fetchable(by string, requests ...*soap.AsyncSendMessageRequest) []byte {
	w.t.Helper()
	a := &soap.AsyncGetMessagesResponse{ResponseDate: w.clock(), SessionID: "{" + w.newID() + "}"}
	for _, r := range requests {
		a.Messages = append(a.Messages, soap.AsyncMessage{MessageInfo: r.MessageInfo, MessageData: r.MessageData})
	}
	return w.envelope(a, by)
}

func (w *town) request(id string) *soap.AsyncSendMessageRequest {
	return asyncRequest(id, w.document("portal", form("portal"), "citizen"), w.clock())
}

// A fetched message becomes an application once, in whatever envelope it comes
// again, and by whichever way.
func TestFetched(t *testing.T) {
	w := newTown(t)
	first, second := w.request("216386080"), w.request("216386081")
	for i, id := range []string{"216386080", "216386081", "216386080"} {
		w.pass(time.Minute)
		answer := w.fetchable("portal", first, second)
		first.MessageInfo.SessionID = "{" + w.newID() + "}"
		first.MessageInfo.Sender.Password = soap.Secret(bytes.Repeat([]byte{'c'}, 64))
		if c := w.bridge.Fetched(t.Context(), answer, id); c.Refused != nil || c.Resend {
			t.Fatalf("%d: %+v", i, c.Refused)
		}
	}
	all := w.all()
	if len(all) != 2 {
		t.Fatalf("%d applications", len(all))
	}
	if a := all[1]; a.State != gateway.Received || a.MessageID != "216386080" || a.CorrelationID != "3226347" || a.Applicant.IIN == "" {
		t.Errorf("%+v", a)
	}
	tl, err := w.bridge.Timeline(t.Context(), all[1].Number)
	if err != nil || len(tl.Evidence) != 2 {
		t.Fatalf("evidence: %+v %v", tl, err)
	}
	// The gateway pushes what it thinks was not fetched, and the other way round.
	if r := w.send(gateway.AsyncDoor, w.envelope(first, "portal")); r.Code != "" || !bytes.Contains(r.Bytes, []byte("sendMessageResponse")) {
		t.Errorf("pushed after it was fetched: %s", r.Bytes)
	}
	third := w.request("216386082")
	if r := w.send(gateway.AsyncDoor, w.envelope(third, "portal")); r.Code != "" {
		t.Fatalf("%s", r.Bytes)
	}
	if c := w.bridge.Fetched(t.Context(), w.fetchable("portal", third), "216386082"); c.Refused != nil {
		t.Errorf("fetched after it was pushed: %+v", c.Refused)
	}
	if n := len(w.all()); n != 3 {
		t.Errorf("%d applications", n)
	}
	// Other content under the id that was used is another message.
	third.MessageData.Data = soap.EscapedData(w.document("portal", map[string]string{}, ""))
	if c := w.bridge.Fetched(t.Context(), w.fetchable("portal", third), "216386082"); c.Refused == nil || c.Refused.ErrorCode != "duplicate_id" || c.Resend {
		t.Errorf("another message under the same id: %+v", c)
	}
}

// What is not taken is refused; it is asked for again only where another try
// can help.
func TestFetchedAndNotTaken(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(w *town) []byte
		code   gateway.Code
		resend bool
	}{
		"not XML":              {func(*town) []byte { return []byte("<html>") }, gateway.Malformed, false},
		"unsigned":             {func(w *town) []byte { return w.fetchable("", w.request("1")) }, gateway.SignatureMissing, false},
		"signed by a stranger": {func(w *town) []byte { return w.fetchable("outsider", w.request("1")) }, gateway.UnknownSender, false},
		"changed on the way": {func(w *town) []byte {
			return bytes.Replace(w.fetchable("portal", w.request("1")), []byte("3226347"), []byte("3226348"), 1)
		}, gateway.SignatureRefused, false},
		"two of one id":     {func(w *town) []byte { return w.fetchable("portal", w.request("1"), w.request("1")) }, gateway.Malformed, false},
		"not in the answer": {func(w *town) []byte { return w.fetchable("portal", w.request("2")) }, gateway.Malformed, false},
		"a push":            {func(w *town) []byte { return w.envelope(w.request("1"), "portal") }, gateway.Malformed, false},
		"nobody's service": {func(w *town) []byte {
			r := w.request("1")
			r.MessageInfo.ServiceID = "OTHER"
			return w.fetchable("portal", r)
		}, gateway.UnknownService, false},
		"an UPDATE": {func(w *town) []byte {
			r := w.request("1")
			r.MessageInfo.MessageType = soap.TypeUpdate
			return w.fetchable("portal", r)
		}, gateway.UnknownOperation, false},
		"an unknown sender": {func(w *town) []byte {
			r := w.request("1")
			r.MessageInfo.Sender.SenderID = "NOBODY"
			return w.fetchable("portal", r)
		}, gateway.UnknownSender, false},
		"nobody answers about the gateway": {func(w *town) []byte {
			w.lists.set(nil, []*keystore.Key{w.keys["portal"]})
			return w.fetchable("portal", w.request("1"))
		}, gateway.TryLater, true},
		"the store is closed": {func(w *town) []byte {
			raw := w.fetchable("portal", w.request("1"))
			w.store.Close()
			return raw
		}, gateway.TryLater, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t)
			raw := c.answer(w)
			got := w.bridge.Fetched(t.Context(), raw, "1")
			if got.Refused == nil || got.Refused.ErrorCode != string(c.code) || got.Resend != c.resend {
				t.Fatalf("%+v %v", got.Refused, got.Resend)
			}
			if c.resend {
				return
			}
			if n := len(w.all()); n != 0 {
				t.Errorf("%d applications", n)
			}
		})
	}
}

// Nothing here awaits an UPDATE, a NOTIFICATION or a RESPONSE: one that is
// pushed is refused, typed, and leaves nothing behind.
func TestUnsolicited(t *testing.T) {
	w := newTown(t)
	for _, kind := range []soap.MessageType{soap.TypeUpdate, soap.TypeNotification, soap.TypeResponse} {
		r := w.request("m-" + string(kind))
		r.MessageInfo.MessageType = kind
		if reply := w.send(gateway.AsyncDoor, w.envelope(r, "portal")); reply.Code != gateway.UnknownOperation || reply.Status != 500 || !bytes.Contains(reply.Bytes, []byte("messageInfo/messageType")) {
			t.Errorf("%s: %d %s", kind, reply.Status, reply.Bytes)
		}
	}
	p, err := w.bridge.Deliveries(t.Context(), gateway.DeliveryFilter{}, "", 10)
	if n := len(w.all()); n != 0 || err != nil || len(p.Deliveries) != 0 {
		t.Errorf("%d applications, %d deliveries, %v", n, len(p.Deliveries), err)
	}
}

// An application that was fetched can be held, and be judged again from what
// the gateway's signature covered.
func TestFetchedAndHeld(t *testing.T) {
	for _, nested := range []bool{false, true} {
		w := newTown(t)
		w.lists.set(nil, []*keystore.Key{w.keys["citizen"]})
		r := w.request("216386080")
		if nested {
			r.MessageData.Data = soap.NestedData(w.document("portal", form("portal"), "citizen"))
		}
		if c := w.bridge.Fetched(t.Context(), w.fetchable("portal", w.request("7"), r), "216386080"); c.Refused != nil {
			t.Fatalf("%+v", c.Refused)
		}
		if a := w.only(); a.State != gateway.Held {
			t.Fatalf("it is %s", a.State)
		}
		w.lists.set(nil, nil)
		w.pass(2 * time.Minute)
		if _, err := w.bridge.Reask(t.Context()); err != nil {
			t.Fatal(err)
		}
		if a := w.only(); a.State != gateway.Received || a.Applicant.IIN == "" {
			t.Errorf("it is %s", a.State)
		}
	}
}
