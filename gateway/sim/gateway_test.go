package sim

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"kopir/gateway/soap"
	"kopir/signature/verdict"
)

// statusOf asks the gateway as the bridge.
func (b *bridge) statusOf(id string) (*soap.AsyncGetMessageStatusResponse, error) {
	got, err := b.call(AsyncPath, &soap.AsyncGetMessageStatusRequest{MessageID: id, RequestDate: time.Now(), Sender: b.sender()})
	if err != nil {
		return nil, err
	}
	return got.message.Payload.(*soap.AsyncGetMessageStatusResponse), nil
}

func (b *bridge) fetch() []soap.AsyncMessage {
	b.s.t.Helper()
	sender := b.sender()
	got, err := b.call(AsyncPath, &soap.AsyncGetMessagesRequest{ServiceID: service, Sender: &sender, RequestDate: time.Now()})
	if err != nil {
		b.s.t.Fatal(err)
	}
	return got.message.Payload.(*soap.AsyncGetMessagesResponse).Messages
}

func (b *bridge) confirm(id string, status soap.ReceiveStatus, again soap.ResendMessage) error {
	sender := b.sender()
	_, err := b.call(AsyncPath, &soap.AsyncSendDeliveryNotificationRequest{
		Notification: soap.DeliveryNotification{MessageID: id, ServiceID: service, NotificationDate: time.Now(),
			DeliveryStatus: soap.DeliveryStatusInfo{ReceiveStatus: status, StatusDate: time.Now(), ResendMessage: again}},
		RequestDate: time.Now(), Sender: &sender,
	})
	return err
}

func TestPolling(t *testing.T) {
	s := newStage(t, nil)
	b := newBridge(t, s)
	s.SetBridge(Bridge{}) // no call-back: it polls
	var first, second Case
	s.ask("POST", "/sim/applications", `{"person":"citizen"}`, http.StatusCreated, &first)
	s.ask("POST", "/sim/applications", `{"person":"citizen2"}`, http.StatusCreated, &second)
	for range 2 { // they stay until they are confirmed
		list := b.fetch()
		if len(list) != 2 || list[0].MessageInfo.MessageID != first.MessageID || list[0].MessageInfo.Sender.SenderID != "PEP" {
			t.Fatalf("%d messages", len(list))
		}
	}
	if err := b.confirm(first.MessageID, soap.MessageAccepted, soap.NotResend); err != nil {
		t.Fatal(err)
	}
	if err := b.confirm(second.MessageID, soap.MessageNotAccepted, soap.Resend); err != nil {
		t.Fatal(err)
	}
	if list := b.fetch(); len(list) != 1 || list[0].MessageInfo.MessageID != second.MessageID {
		t.Fatalf("%d messages after one was confirmed", len(list))
	}
	if err := b.confirm(second.MessageID, soap.MessageNotAccepted, soap.NotResend); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]soap.MessageState{first.MessageID: soap.Delivered, second.MessageID: soap.DeliveryStopped} {
		if st, err := b.statusOf(id); err != nil || st.MessageState != want {
			t.Errorf("%s: %+v %v", id, st, err)
		}
	}
	var list []Case
	s.ask("GET", "/sim/portal/applications?delivery=DELIVERY_STOPPED&wait=20s", "", http.StatusOK, &list)
	if len(list) != 1 || list[0].Number != second.Number || list[0].Fault == "" {
		t.Errorf("the portal was not told: %+v", list)
	}
	if err := b.confirm("1", soap.MessageAccepted, soap.NotResend); faultOf(t, err).Info.ErrorCode != codeFormat {
		t.Error(err)
	}
	if _, err := b.statusOf("1"); faultOf(t, err).Info.ErrorCode != codeFormat {
		t.Error(err)
	}
}

func TestGatewayRefuses(t *testing.T) {
	s := newStage(t, nil)
	b := newBridge(t, s)
	request := func(change func(*soap.AsyncMessageInfo)) *soap.AsyncSendMessageRequest {
		info := soap.AsyncMessageInfo{ServiceID: "CSC_STATUS", MessageType: soap.TypeNotification, MessageDate: time.Now(), Sender: b.sender()}
		change(&info)
		return &soap.AsyncSendMessageRequest{MessageInfo: info, MessageData: soap.MessageData{Data: soap.EscapedData([]byte("<a/>"))}}
	}
	good := request(func(*soap.AsyncMessageInfo) {})
	bridgeKey, portalKey := s.members["bridge"].signing(), s.members["portal"].signing()
	unsigned, err := soap.Build(good)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := seal(good, bridgeKey)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := seal(good, portalKey)
	if err != nil {
		t.Fatal(err)
	}
	sealedAs := func(p soap.Payload) []byte {
		out, err := seal(p, bridgeKey)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for name, c := range map[string]struct {
		path string
		body []byte
		code string
	}{
		"garbage":             {AsyncPath, []byte("hello"), codeFormat},
		"unsigned":            {AsyncPath, unsigned, codeUnsigned},
		"changed":             {AsyncPath, tamperBody(sealed), codeSignature},
		"signed by another":   {AsyncPath, foreign, codeSignature},
		"wrong door":          {SyncPath, sealed, codeFormat},
		"wrong password":      {AsyncPath, sealedAs(request(func(i *soap.AsyncMessageInfo) { i.Sender.Password = "x" })), codeFormat},
		"unknown sender":      {AsyncPath, sealedAs(request(func(i *soap.AsyncMessageInfo) { i.Sender.SenderID = "NOBODY" })), codeFormat},
		"gateway's own":       {AsyncPath, sealedAs(request(func(i *soap.AsyncMessageInfo) { i.Sender = soap.SenderInfo{SenderID: "SHEP"} })), codeFormat},
		"unknown service":     {AsyncPath, sealedAs(request(func(i *soap.AsyncMessageInfo) { i.ServiceID = "NONE" })), codeNoService},
		"to oneself":          {AsyncPath, sealedAs(request(func(i *soap.AsyncMessageInfo) { i.ServiceID = service })), codeNoService},
		"unknown chain":       {AsyncPath, sealedAs(request(func(i *soap.AsyncMessageInfo) { i.CorrelationID = "12" })), codeFormat},
		"REQUEST in a chain":  {AsyncPath, sealedAs(request(func(i *soap.AsyncMessageInfo) { i.CorrelationID, i.MessageType = "12", soap.TypeRequest })), codeFormat},
		"an answer, no asker": {AsyncPath, sealedAs(&soap.AsyncSendMessageResponse{MessageID: "1", CorrelationID: "2", ResponseDate: time.Now()}), codeFormat},
	} {
		if bytes.Equal(c.body, sealed) != (name == "wrong door") {
			t.Fatalf("%s: the message was not made wrong", name)
		}
		_, err := s.post(context.Background(), s.url+c.path, c.body)
		if f := faultOf(t, err); f.Info.ErrorCode != c.code {
			t.Errorf("%s: %v, want %s", name, f, c.code)
		}
	}
	if len(s.Parcels()) != 0 {
		t.Error("a refused message was kept")
	}
	s.ask("POST", "/sim/certificates/bridge/revoke", `{"reason":"hold"}`, http.StatusOK, nil)
	if _, err := s.post(context.Background(), s.url+AsyncPath, sealed); faultOf(t, err).Info.ErrorCode != codeSignature {
		t.Error("a revoked system may send")
	}
	s.ask("POST", "/sim/certificates/bridge/release", "", http.StatusOK, nil)
	if _, err := s.post(context.Background(), s.url+AsyncPath, sealed); err != nil {
		t.Error(err)
	}
}

func TestPushIsRetriedAndGivenUp(t *testing.T) {
	s := newStage(t, nil)
	b := newBridge(t, s)
	b.fail = 2
	var c Case
	s.ask("POST", "/sim/applications", `{"person":"citizen"}`, http.StatusCreated, &c)
	b.await(3)
	var list []Case
	s.ask("GET", "/sim/portal/applications?delivery=DELIVERED&wait=20s", "", http.StatusOK, &list)
	if len(list) != 1 || len(b.pushes) != 1 {
		t.Errorf("%d applications delivered, %d pushes taken", len(list), len(b.pushes))
	}
	b.mu.Lock()
	b.fail = 100
	b.mu.Unlock()
	s.ask("POST", "/sim/applications", `{"person":"citizen"}`, http.StatusCreated, &c)
	s.ask("GET", "/sim/portal/applications?delivery=NOT_DELIVERED&wait=20s&number="+c.Number, "", http.StatusOK, &list)
	if len(list) != 1 {
		t.Error("an application that could not be delivered is not shown so")
	}
	b.mu.Lock()
	b.fail, b.refuse = 0, true
	b.mu.Unlock()
	s.ask("POST", "/sim/applications", `{"person":"citizen"}`, http.StatusCreated, &c)
	s.ask("GET", "/sim/portal/applications?delivery=NOT_DELIVERED&wait=20s&number="+c.Number, "", http.StatusOK, &list)
	if len(list) != 1 || list[0].Fault != codeFormat+": refused on purpose" {
		t.Errorf("%+v", list)
	}
	for _, p := range s.Parcels() {
		if p.MessageID == c.MessageID && p.Tries != 1 {
			t.Errorf("a Client fault was answered with %d tries", p.Tries)
		}
	}
}

func TestPushTrouble(t *testing.T) { withEveryKeys(t, tryPushTrouble) }

func tryPushTrouble(t *testing.T, with func(*Config)) {
	s := newStage(t, with)
	b := newBridge(t, s)
	apply := func() (c Case) {
		t.Helper()
		s.ask("POST", "/sim/applications", `{"person":"citizen"}`, http.StatusCreated, &c)
		return c
	}
	gone := func(c Case) {
		t.Helper()
		var list []Case
		if s.ask("GET", "/sim/portal/applications?delivery=DELIVERED&wait=20s&number="+c.Number, "", http.StatusOK, &list); len(list) != 1 {
			t.Fatal("it was not delivered")
		}
	}
	s.ask("PUT", "/sim/trouble/push", `{"duplicate":2,"times":1}`, http.StatusOK, nil)
	c := apply()
	b.await(3)
	for _, p := range b.pushes {
		if p.MessageInfo.MessageID != c.MessageID {
			t.Errorf("a copy has another id: %+v", p.MessageInfo)
		}
	}
	gone(c)
	b.pushes = nil
	s.ask("PUT", "/sim/trouble/push", `{"reorder":true,"times":1}`, http.StatusOK, nil)
	first := apply()
	gone(first) // as far as its sender knows; pushes of two conversations overtake each other
	second := apply()
	b.await(2)
	if len(b.pushes) != 2 || b.pushes[0].MessageInfo.MessageID != second.MessageID || b.pushes[1].MessageInfo.MessageID != first.MessageID {
		t.Error("the order was kept")
	}
	b.pushes = nil
	s.ask("PUT", "/sim/trouble/push", `{"lose_answer":true,"times":1}`, http.StatusOK, nil)
	c = apply()
	b.await(2)
	if len(b.pushes) != 2 || b.pushes[0].MessageInfo.MessageID != b.pushes[1].MessageInfo.MessageID {
		t.Error("a push whose answer was lost was not repeated")
	} else if last := b.raw[len(b.raw)-2:]; !bytes.Equal(last[0], last[1]) {
		t.Error("a push was repeated in other bytes, which is another message")
	}
	b.pushes = nil
	for _, spoilt := range []string{`{"unsigned":true,"times":1}`, `{"tamper":true,"times":1}`} {
		s.ask("PUT", "/sim/trouble/push", spoilt, http.StatusOK, nil)
		c = apply()
		b.await(1)
		var list []Case
		s.ask("GET", "/sim/portal/applications?delivery=NOT_DELIVERED&wait=20s&number="+c.Number, "", http.StatusOK, &list)
		if len(list) != 1 || len(b.pushes) != 0 {
			t.Errorf("%s: the bridge of this test took it", spoilt)
		}
	}
}

func TestDoorTrouble(t *testing.T) {
	s := newStage(t, nil)
	b := newBridge(t, s)
	ask := func() error {
		_, err := b.call(AsyncPath, &soap.AsyncSendMessageRequest{
			MessageInfo: soap.AsyncMessageInfo{ServiceID: "CSC_STATUS", MessageType: soap.TypeNotification, MessageDate: time.Now(), Sender: b.sender()},
			MessageData: soap.MessageData{Data: soap.EscapedData([]byte("<a/>"))},
		})
		return err
	}
	for _, spoilt := range []string{`{"down":true}`, `{"status":503}`, `{"garbage":true}`, `{"lose_answer":true}`, `{"fault":"SCE909"}`} {
		before := len(s.Parcels())
		s.ask("PUT", "/sim/trouble/async", spoilt, http.StatusOK, nil)
		err := ask()
		if err == nil {
			t.Errorf("%s: answered", spoilt)
		}
		var f *soap.Fault
		if isFault := errors.As(err, &f); isFault != (spoilt == `{"fault":"SCE909"}`) {
			t.Errorf("%s: %v", spoilt, err)
		}
		if worked := len(s.Parcels()) > before; worked != (spoilt == `{"lose_answer":true}`) {
			t.Errorf("%s: the message was taken: %v", spoilt, worked)
		}
	}
	s.ask("DELETE", "/sim/trouble", "", http.StatusNoContent, nil)
	if err := ask(); err != nil {
		t.Error(err)
	}
	s.ask("PUT", "/sim/trouble/async", `{"down":true,"times":2}`, http.StatusOK, nil)
	for i, want := range []bool{false, false, true} {
		if err := ask(); (err == nil) != want {
			t.Errorf("call %d: %v", i, err)
		}
	}
	for path, body := range map[string]string{"async": `{"tamper":true}`, "nothing": `{}`, "push": `{"garbage":true}`, "ocsp": `{"fault":"x"}`, "crl": `{"status":200}`} {
		s.ask("PUT", "/sim/trouble/"+path, body, http.StatusUnprocessableEntity, nil)
	}
	s.ask("PUT", "/sim/trouble/crl", `{"age":"two days"}`, http.StatusBadRequest, nil)
}

func TestResetRenewsAndForgets(t *testing.T) { withEveryKeys(t, tryResetRenewsAndForgets) }

func tryResetRenewsAndForgets(t *testing.T, with func(*Config)) {
	s := newStage(t, with)
	b := newBridge(t, s)
	s.ask("POST", "/sim/applications", `{"person":"citizen"}`, http.StatusCreated, nil)
	b.await(1)
	s.ask("POST", "/sim/certificates/citizen/revoke", "", http.StatusOK, nil)
	s.ask("POST", "/sim/certificates/citizen/revoke", "", http.StatusUnprocessableEntity, nil)
	s.ask("POST", "/sim/certificates/operator/replace", `{"condition":"expired"}`, http.StatusOK, nil)
	s.ask("PUT", "/sim/trouble/ocsp", `{"down":true}`, http.StatusOK, nil)
	s.ask("POST", "/sim/reset", "", http.StatusNoContent, nil)
	var list []Case
	s.ask("GET", "/sim/portal/applications", "", http.StatusOK, &list)
	if len(list) != 0 || len(s.Parcels()) != 0 || len(s.troubles.list()) != 0 {
		t.Error("something is left")
	}
	for _, key := range []string{"citizen", "operator"} {
		document, err := s.SignAs(key, "", []byte("<a>1</a>"))
		if err != nil {
			t.Fatal(err)
		}
		if v := s.judgeAs(t, document, want()); v.Outcome != verdict.Passed {
			t.Errorf("%s: %s %s", key, v.Outcome, v.Reason)
		}
	}
}
