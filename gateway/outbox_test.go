package gateway_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"kopir/gateway"
	"kopir/gateway/soap"
	"kopir/signature"
	"kopir/signature/xmltree"
)

// codes are the status codes that a route got, in order.
func (w *town) codes(r gateway.Route) (got []string) {
	for _, d := range w.post.taken() {
		if d.Route != r {
			continue
		}
		for _, c := range []string{"ACCEPTED", "IN_PROCESSING", "COMPLETED", "<code>1<", "<code>2<", "<code>3<", "<code>4<"} {
			if strings.Contains(string(d.Body), c) {
				got = append(got, strings.Trim(c, "<code>"))
			}
		}
	}
	return got
}

func (w *town) finish() *gateway.Application {
	w.t.Helper()
	app, _ := w.apply("m-1")
	if _, err := w.bridge.Take(w.t.Context(), app.Number, gateway.Actor{Name: "ann"}); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.bridge.Decide(w.t.Context(), app.Number, gateway.Actor{Name: "ann"}, gateway.Decision{State: gateway.Completed, Result: w.result("official", app.Number, "")}); err != nil {
		w.t.Fatal(err)
	}
	return app
}

// A partner that is away gets everything later, in order and under the same
// ids; the other partner does not wait for it.
func TestAPartnerIsAway(t *testing.T) {
	w := newTown(t)
	ids := map[string][]string{}
	w.post.fail = func(d gateway.Delivery) error {
		if d.Route == gateway.ToPortal {
			ids[d.ID] = append(ids[d.ID], d.MessageID+d.MessageDate.String())
			return errDown
		}
		return nil
	}
	w.finish()
	w.deliver()
	for range 3 {
		w.pass(10 * time.Minute)
		w.deliver()
	}
	if got := w.codes(gateway.ToCSC); !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("the service centre got %v", got)
	}
	if got := w.codes(gateway.ToPortal); got != nil {
		t.Errorf("the portal got %v", got)
	}
	if len(ids) != 1 {
		t.Errorf("a later one overtook the first: %v", ids)
	}
	for _, tries := range ids {
		if len(tries) < 4 || len(slices.Compact(slices.Clone(tries))) != 1 {
			t.Errorf("tries %v", tries)
		}
	}
	w.post.fail = nil
	w.pass(time.Hour + 10*time.Minute)
	w.deliver()
	if got := w.codes(gateway.ToPortal); !slices.Equal(got, []string{"ACCEPTED", "IN_PROCESSING", "COMPLETED"}) {
		t.Errorf("the portal got %v", got)
	}
}

// What a partner refuses for good waits for a person, who sends it again or
// drops it; nothing overtakes it.
func TestDeadLetters(t *testing.T) {
	w := newTown(t)
	ctx := t.Context()
	ann := gateway.Actor{Name: "ann"}
	w.post.fail = func(d gateway.Delivery) error {
		if d.Route == gateway.ToPortal {
			return &gateway.SendError{Permanent: true, Code: "SCE004", Err: errors.New("no such service")}
		}
		return nil
	}
	app := w.finish()
	w.deliver()
	dead := func() []gateway.Delivery {
		t.Helper()
		p, err := w.bridge.Deliveries(ctx, gateway.DeliveryFilter{States: []gateway.DeliveryState{gateway.Dead}}, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		return p.Deliveries
	}
	d := dead()
	if len(d) != 1 || !strings.Contains(d[0].Error, "SCE004") || d[0].Seq != 1 {
		t.Fatalf("dead: %+v", d)
	}
	if err := w.bridge.Drop(ctx, d[0].ID, ann, ""); gateway.CodeOf(err) != gateway.Malformed {
		t.Errorf("dropped without a reason: %v", err)
	}
	if err := w.bridge.Retry(ctx, "nothing", ann); gateway.CodeOf(err) != gateway.NotFound {
		t.Errorf("an unknown one: %v", err)
	}
	w.pass(100 * 24 * time.Hour)
	if err := w.bridge.Retry(ctx, d[0].ID, ann); err != nil {
		t.Fatal(err)
	}
	w.post.fail = func(d gateway.Delivery) error {
		if d.Route == gateway.ToPortal {
			return errDown // for a while only: not given up for its age
		}
		return nil
	}
	w.deliver()
	if d := dead(); len(d) != 0 {
		t.Errorf("given up at once: %+v", d)
	}
	w.post.fail = nil
	w.pass(time.Minute)
	w.deliver()
	if got := w.codes(gateway.ToPortal); !slices.Equal(got, []string{"ACCEPTED", "IN_PROCESSING", "COMPLETED"}) {
		t.Errorf("the portal got %v", got)
	}
	if err := w.bridge.Drop(ctx, d[0].ID, ann, "sent by letter"); gateway.CodeOf(err) != gateway.MoveNotAllowed {
		t.Errorf("dropped what has arrived: %v", err)
	}
	tl, err := w.bridge.Timeline(ctx, app.Number)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[gateway.EventKind]int{}
	for _, e := range tl.Events {
		kinds[e.Kind]++
	}
	if kinds[gateway.EventDead] != 1 || kinds[gateway.EventNote] != 1 || kinds[gateway.EventState] != 3 {
		t.Errorf("history %v", kinds)
	}
}

// After three days of trying a person must look; dropping lets the rest go.
func TestGivenUpByAge(t *testing.T) {
	w := newTown(t)
	w.post.fail = func(d gateway.Delivery) error { return errDown }
	w.finish()
	for range 80 {
		w.deliver()
		w.pass(time.Hour + 10*time.Minute)
	}
	p, err := w.bridge.Deliveries(t.Context(), gateway.DeliveryFilter{States: []gateway.DeliveryState{gateway.Dead}, Route: gateway.ToCSC}, "", 10)
	if err != nil || len(p.Deliveries) != 1 {
		t.Fatalf("%+v %v", p, err)
	}
	w.post.fail = nil
	if err := w.bridge.Drop(t.Context(), p.Deliveries[0].ID, gateway.Actor{Name: "ann"}, "told by telephone"); err != nil {
		t.Fatal(err)
	}
	w.deliver()
	if got := w.codes(gateway.ToCSC); !slices.Equal(got, []string{"2", "3"}) {
		t.Errorf("the service centre got %v", got)
	}
}

// The register is asked again until it answers; the application stands.
func TestTheRegisterIsAway(t *testing.T) {
	w := newTown(t)
	w.reg.err = errDown
	p := syncRequest("m-1", w.document("csc", form("csc"), "operator"), w.clock())
	p.RequestInfo.Sender.SenderID = "CON"
	if r := w.send(gateway.SyncDoor, w.envelope(p, "csc")); r.Code != "" {
		t.Fatalf("%s", r.Bytes)
	}
	w.deliver()
	w.pass(time.Minute)
	w.deliver()
	w.reg.err = nil
	w.pass(time.Hour)
	w.deliver()
	if n := len(w.reg.asked); n < 3 || w.reg.asked[0].MessageID != w.reg.asked[n-1].MessageID || w.reg.asked[0].Subject != form("csc")["applicant_iin"] {
		t.Errorf("asked %d times: %+v", n, w.reg.asked)
	}
	if a := w.only(); a.State != gateway.Received {
		t.Errorf("the application is %s", a.State)
	}
}

// retryAfter grows, never leaves its bounds, and is the same for the same history.
func TestRetryAfter(t *testing.T) {
	if err := quick.Check(func(tries uint8, id string) bool {
		n := int(tries) + 1
		d := gateway.RetryAfter(n, id)
		want := min(time.Duration(n)*time.Duration(n)*time.Duration(n)*time.Duration(n)*time.Second, gateway.MaxRetry)
		if n >= 8 {
			want = gateway.MaxRetry
		}
		return d >= want-want/10 && d <= want+want/10 && d == gateway.RetryAfter(n, id)
	}, nil); err != nil {
		t.Error(err)
	}
	if gateway.RetryAfter(3, "a") == gateway.RetryAfter(3, "b") {
		t.Error("no jitter")
	}
	if gateway.AskAfter(0) != time.Minute || gateway.AskAfter(100) != 15*time.Minute {
		t.Error("the pause between questions")
	}
}

// A partner that fetches its messages: they stay until it confirms them.
func TestPolling(t *testing.T) {
	w := newTown(t)
	app := w.finish()
	ask := func(p soap.Payload) *soap.Message {
		t.Helper()
		r := w.send(gateway.AsyncDoor, w.envelope(p, "portal"))
		doc, err := xmltree.Parse(r.Bytes, xmltree.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		m, err := soap.Read(doc)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	me := soap.SenderInfo{SenderID: "PEP", Password: "Qwerty12"}
	fetch := func(amount int32) []soap.AsyncMessage {
		t.Helper()
		m := ask(&soap.AsyncGetMessagesRequest{ServiceID: serviceID, Sender: &me, Amount: amount})
		a, ok := m.Payload.(*soap.AsyncGetMessagesResponse)
		if !ok {
			t.Fatalf("%+v", m.Payload)
		}
		return a.Messages
	}
	if got := fetch(2); len(got) != 2 {
		t.Errorf("%d messages", len(got))
	}
	got := fetch(0)
	if len(got) != 3 || got[0].MessageInfo.Sender.SenderID != "MIO" || len(got[0].MessageInfo.MessageID) == 0 {
		t.Fatalf("%+v", got)
	}
	doc, err := xmltree.Parse(got[2].MessageData.Data.Document(), xmltree.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if v := w.verifier.XMLDSig(t.Context(), doc, wantNow(w)); v.Outcome.String() != "TOTAL_PASSED" {
		t.Errorf("the notice's own signature: %s %s", v.Outcome, v.Reason)
	}
	confirm := func(id string, status soap.DeliveryStatusInfo) *soap.Message {
		status.StatusDate = w.clock()
		return ask(&soap.AsyncSendDeliveryNotificationRequest{RequestDate: w.clock(), Sender: &me,
			Notification: soap.DeliveryNotification{MessageID: id, ServiceID: serviceID, NotificationDate: w.clock(), DeliveryStatus: status}})
	}
	state := func(id string) string {
		m := ask(&soap.AsyncGetMessageStatusRequest{MessageID: id, RequestDate: w.clock(), Sender: me})
		switch p := m.Payload.(type) {
		case *soap.AsyncGetMessageStatusResponse:
			return string(p.MessageState)
		case *soap.Fault:
			return p.Info.ErrorCode
		}
		return fmt.Sprintf("%+v", m.Payload)
	}
	first := got[0].MessageInfo.MessageID
	if s := state(first); s != "ON_DELIVERY" {
		t.Errorf("before: %s", s)
	}
	yes := soap.DeliveryStatusInfo{ReceiveStatus: soap.MessageAccepted, ResendMessage: soap.NotResend}
	if m := confirm(first, yes); m.Kind != soap.Response {
		t.Errorf("%+v", m.Payload)
	}
	if m := confirm(first, yes); m.Kind != soap.Response {
		t.Errorf("confirmed twice: %+v", m.Payload)
	}
	if s := state(first); s != "DELIVERED" {
		t.Errorf("after: %s", s)
	}
	confirm(got[1].MessageInfo.MessageID, soap.DeliveryStatusInfo{ReceiveStatus: soap.MessageNotAccepted, ResendMessage: soap.Resend})
	if left := fetch(0); len(left) != 2 || left[0].MessageInfo.MessageID != got[1].MessageInfo.MessageID {
		t.Errorf("left: %+v", left)
	}
	confirm(got[1].MessageInfo.MessageID, soap.DeliveryStatusInfo{ReceiveStatus: soap.MessageNotAccepted, ResendMessage: soap.NotResend})
	if s := state(got[1].MessageInfo.MessageID); s != "NOT_DELIVERED" {
		t.Errorf("refused for good: %s", s)
	}
	if left := fetch(0); len(left) != 0 {
		t.Errorf("handed out behind one that was refused: %+v", left)
	}
	if n := w.lane(gateway.ToPortal).Tries; n[gateway.OutcomeDone] != 1 || n[gateway.OutcomeFailed] != 1 || n[gateway.OutcomeDead] != 1 {
		t.Errorf("counted: %v", n)
	}
	if s := state("m-1"); s != "DELIVERED" {
		t.Errorf("the application's own message: %s", s)
	}
	if s := state("m-7"); s != "unknown_message" {
		t.Errorf("an unknown message: %s", s)
	}
	// Another partner sees nothing of it.
	r := w.send(gateway.AsyncDoor, w.envelope(&soap.AsyncGetMessageStatusRequest{MessageID: first, RequestDate: w.clock(), Sender: soap.SenderInfo{SenderID: "CON", Password: "Qwerty12"}}, "csc"))
	if r.Code != gateway.UnknownMessage {
		t.Errorf("another partner: %s %s", r.Code, r.Bytes)
	}
	_ = app
}

func wantNow(w *town) signature.Want { return signature.Want{At: w.clock(), BIN: akimatBIN} }

// The gateway speaks of our messages in its own name: what it says is shown,
// what it delivered is not sent again, what it did not deliver waits for a
// person. A partner speaks of its own messages only.
func TestTheGatewaySaysWhatBecameOfIt(t *testing.T) {
	w := newTown(t)
	w.post.fail = func(d gateway.Delivery) error {
		if d.Route == gateway.ToCSC {
			return errDown
		}
		return nil
	}
	app, _ := w.apply("m-1")
	w.deliver()
	first := w.post.taken()[0]
	notify := func(id string, state soap.MessageState, by string) gateway.Reply {
		return w.send(gateway.AsyncDoor, w.envelope(&soap.AsyncChangeStatusNotifyRequest{RequestDate: w.clock(), SessionID: "{0F9619FF-8B86-D011-B42D-00CF4FC964FF}",
			Notification: soap.ChangeStatusNotification{NotificationID: w.newID(), MessageID: id, NotificationDate: w.clock(), MessageState: state,
				Status: soap.MessageStatusInfo{StatusCode: "1", StatusMessage: "нет ответа", StatusDate: w.clock()}}}, by))
	}
	find := func(f gateway.DeliveryFilter) gateway.Delivery {
		t.Helper()
		p, err := w.bridge.Deliveries(t.Context(), f, "", 2)
		if err != nil || len(p.Deliveries) != 1 {
			t.Fatalf("%+v %v", p, err)
		}
		return p.Deliveries[0]
	}
	toPortal, toCSC := gateway.DeliveryFilter{MessageID: first.MessageID}, gateway.DeliveryFilter{Application: app.Number, Route: gateway.ToCSC}
	if r := notify("216386001", soap.Delivered, "zgate"); r.Code != "" {
		t.Fatalf("%s", r.Bytes)
	}
	if d := find(toPortal); d.State != gateway.Done || d.PeerState != "DELIVERED" {
		t.Errorf("%+v", d)
	}
	if r := notify("216386001", soap.NotDelivered, "zgate"); r.Code != "" {
		t.Fatalf("%s", r.Bytes)
	}
	if d := find(toPortal); d.State != gateway.Dead || d.PeerState != "NOT_DELIVERED" || d.Error == "" {
		t.Errorf("%+v", d)
	}
	// Late news: it arrived after all.
	if r := notify(first.MessageID, soap.Delivered, "portal"); r.Code != "" {
		t.Fatalf("%s", r.Bytes)
	}
	if d := find(toPortal); d.State != gateway.Done || d.Error != "" {
		t.Errorf("%+v", d)
	}
	// One whose answer was lost has arrived: it does not go again.
	lost := find(toCSC)
	if lost.State != gateway.Queued || !lost.Unsure {
		t.Fatalf("%+v", lost)
	}
	if r := notify(lost.MessageID, soap.Delivered, "portal"); r.Code != gateway.UnknownMessage {
		t.Errorf("another partner's message: %s", r.Bytes)
	}
	if r := notify(lost.MessageID, soap.Delivered, "zgate"); r.Code != "" {
		t.Fatalf("%s", r.Bytes)
	}
	w.post.fail = nil
	w.pass(time.Hour)
	w.deliver()
	if d := find(toCSC); d.State != gateway.Done || d.Unsure || d.Tries != lost.Tries {
		t.Errorf("%+v", d)
	}
	if got := w.codes(gateway.ToCSC); got != nil {
		t.Errorf("sent again: %v", got)
	}
	for route, want := range map[gateway.Route][3]uint64{gateway.ToPortal: {2, 0, 1}, gateway.ToCSC: {1, 1, 0}} {
		n := w.lane(route).Tries
		if got := [3]uint64{n[gateway.OutcomeDone], n[gateway.OutcomeFailed], n[gateway.OutcomeDead]}; got != want {
			t.Errorf("%s: done, failed, dead counted %v, want %v", route, got, want)
		}
	}
	if r := notify("1", soap.Delivered, "zgate"); r.Code != gateway.UnknownMessage {
		t.Errorf("an unknown message: %s", r.Bytes)
	}
	if r := notify(first.MessageID, soap.Delivered, "outsider"); r.Code != gateway.UnknownSender {
		t.Errorf("a stranger: %s", r.Bytes)
	}
	// It is said of the delivery: who decides on the application is not disturbed.
	if a := w.only(); a.Version != app.Version {
		t.Errorf("version %d became %d", app.Version, a.Version)
	}
	tl, err := w.bridge.Timeline(t.Context(), app.Number)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[gateway.EventKind]int{}
	for _, e := range tl.Events {
		kinds[e.Kind]++
	}
	if kinds[gateway.EventDelivered] != 3 || kinds[gateway.EventDead] != 1 {
		t.Errorf("history %v", kinds)
	}
	// In its own name the gateway brings nothing and fetches nothing.
	for _, p := range []soap.Payload{&soap.AsyncGetMessagesRequest{ServiceID: serviceID}, &soap.AsyncSendDeliveryNotificationRequest{RequestDate: w.clock(),
		Notification: soap.DeliveryNotification{MessageID: first.MessageID, ServiceID: serviceID, NotificationDate: w.clock(),
			DeliveryStatus: soap.DeliveryStatusInfo{ReceiveStatus: soap.MessageAccepted, StatusDate: w.clock(), ResendMessage: soap.NotResend}}}} {
		if r := w.send(gateway.AsyncDoor, w.envelope(p, "zgate")); r.Code != gateway.UnknownSender {
			t.Errorf("%T: %s", p, r.Bytes)
		}
	}
}

// The gateway can speak of a message before the answer that named it is
// written down.
func TestTheGatewayIsFaster(t *testing.T) {
	w := newTown(t)
	notify := func() gateway.Reply {
		return w.send(gateway.AsyncDoor, w.envelope(&soap.AsyncChangeStatusNotifyRequest{RequestDate: w.clock(),
			Notification: soap.ChangeStatusNotification{NotificationID: w.newID(), MessageID: "216386001", NotificationDate: w.clock(), MessageState: soap.Delivered,
				Status: soap.MessageStatusInfo{StatusCode: "1", StatusMessage: "1", StatusDate: w.clock()}}}, "zgate"))
	}
	said := make(chan gateway.Reply, 1)
	w.post.fail = func(d gateway.Delivery) error {
		if d.Route == gateway.ToPortal {
			go func() {
				r := notify()
				for r.Code == gateway.TryLater { // a busy machine: said again, as it was asked to
					r = notify()
				}
				said <- r
			}()
			time.Sleep(50 * time.Millisecond) // the answer takes longer than the word
		}
		return nil
	}
	w.apply("m-1")
	w.deliver()
	if r := <-said; r.Code != "" {
		t.Errorf("%s", r.Bytes)
	}
	p, err := w.bridge.Deliveries(t.Context(), gateway.DeliveryFilter{MessageID: "216386001"}, "", 1)
	if err != nil || len(p.Deliveries) != 1 || p.Deliveries[0].PeerState != "DELIVERED" {
		t.Errorf("%+v %v", p, err)
	}
}

// After a try of which nobody knows what came the sender is told so, until
// something is known.
func TestUnsureIsCarried(t *testing.T) {
	w := newTown(t)
	var unsure []bool
	answers := []error{errDown, &gateway.SendError{Unknown: true, Err: errDown}, &gateway.SendError{Err: errDown}, nil}
	w.post.fail = func(d gateway.Delivery) error {
		if d.Route != gateway.ToPortal {
			return nil
		}
		unsure = append(unsure, d.Unsure)
		return answers[len(unsure)-1]
	}
	w.apply("m-1")
	for range answers {
		w.deliver()
		w.pass(time.Hour + 10*time.Minute)
	}
	if !slices.Equal(unsure, []bool{false, true, true, false}) {
		t.Errorf("tries after an unknown outcome: %v", unsure)
	}
}

// One that can never be asked about, because the question is always answered
// with a fault, ends at a person like any other.
func TestNeverAskedAbout(t *testing.T) {
	w := newTown(t)
	tries := 0
	w.post.fail = func(d gateway.Delivery) error {
		if d.Route != gateway.ToPortal {
			return nil
		}
		if tries++; tries > 1 && !d.Unsure {
			t.Error("it is not known any more that it may have arrived")
		}
		return &gateway.SendError{Unknown: true, Cause: gateway.CauseUnavailable, Code: "SCE909", Err: errors.New("asked whether it arrived, and answered with a fault")}
	}
	w.apply("m-1")
	for range 80 {
		w.deliver()
		w.pass(time.Hour + 10*time.Minute)
	}
	p, err := w.bridge.Deliveries(t.Context(), gateway.DeliveryFilter{Route: gateway.ToPortal}, "", 10)
	if err != nil || len(p.Deliveries) != 1 {
		t.Fatalf("%+v %v", p, err)
	}
	if d := p.Deliveries[0]; d.State != gateway.Dead || !d.Unsure || d.Code != "SCE909" || d.Tries != tries || tries > 100 {
		t.Errorf("%d tries, and then %+v", tries, d)
	}
}

// TestAPartnerAsksForTime: Retry-After is honoured, and not without bounds.
func TestAPartnerAsksForTime(t *testing.T) {
	w := newTown(t)
	var asked time.Duration
	w.post.fail = func(gateway.Delivery) error { return &gateway.SendError{RetryAfter: asked, Err: errors.New("busy")} }
	w.finish()
	for _, c := range []struct{ asked, want time.Duration }{{10 * time.Minute, 10 * time.Minute}, {1000 * time.Hour, 24 * time.Hour}} {
		asked = c.asked
		w.deliver()
		p, err := w.bridge.Deliveries(t.Context(), gateway.DeliveryFilter{Route: gateway.ToPortal}, "", 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Deliveries[0].NextAt.Sub(w.clock()); got != c.want || p.Deliveries[0].Receiver != "PEP" {
			t.Errorf("asked for %s: next try after %s", c.asked, got)
		}
		w.pass(c.asked + time.Minute)
	}
}
