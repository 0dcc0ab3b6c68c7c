package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kopir/gateway"
	"kopir/gateway/soap"
	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/sigtest"
	"kopir/signature/xmltree"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// One message from many hands at once is one application, and every hand gets
// the same answer.
func TestTheSameMessageAtOnce(t *testing.T) {
	w := newTown(t)
	raw := w.envelope(syncRequest("m-1", w.document("portal", form("portal"), "citizen"), w.clock()), "portal")
	replies := make([]gateway.Reply, 12)
	var wg sync.WaitGroup
	for i := range replies {
		wg.Go(func() {
			replies[i] = w.bridge.Receive(context.Background(), gateway.Incoming{Door: gateway.SyncDoor, Raw: raw})
		})
	}
	wg.Wait()
	for _, r := range replies {
		if r.Code != "" || !bytes.Equal(r.Bytes, replies[0].Bytes) {
			t.Errorf("another answer: %s %s", r.Code, r.Bytes)
		}
	}
	w.only()
}

// Every fault is typed, says its code, and leaves nothing behind.
func TestFaults(t *testing.T) {
	w := newTown(t)
	doc := w.document("portal", form("portal"), "citizen")
	good := func(change func(*soap.SyncSendMessageRequest)) []byte {
		p := syncRequest("m-1", doc, w.clock())
		if change != nil {
			change(p)
		}
		return w.envelope(p, "portal")
	}
	tampered := bytes.Replace(good(nil), []byte("<messageId>m-1"), []byte("<messageId>m-2"), 1)
	for _, c := range []struct {
		name string
		door gateway.Door
		raw  []byte
		code gateway.Code
	}{
		{"nothing", gateway.SyncDoor, nil, gateway.Malformed},
		{"not XML", gateway.SyncDoor, []byte("GET / HTTP/1.1"), gateway.Malformed},
		{"cut off", gateway.SyncDoor, good(nil)[:2000], gateway.Malformed},
		{"a document type", gateway.SyncDoor, append([]byte("<!DOCTYPE a>"), good(nil)[38:]...), gateway.Malformed},
		{"no envelope", gateway.SyncDoor, doc, gateway.Malformed},
		{"an answer", gateway.SyncDoor, w.envelope(&soap.SyncSendMessageResponse{ResponseInfo: soap.SyncMessageInfoResponse{MessageID: "1", ResponseDate: w.clock(), Status: soap.StatusInfo{Code: "1", Message: "1"}}, ResponseData: soap.ResponseData{Data: soap.Data{Form: soap.Empty}}}, "portal"), gateway.Malformed},
		{"the other door", gateway.AsyncDoor, good(nil), gateway.UnknownOperation},
		{"too deep", gateway.SyncDoor, []byte(strings.Repeat("<a>", 2000)), gateway.TooLarge},
		{"unknown sender", gateway.SyncDoor, good(func(p *soap.SyncSendMessageRequest) { p.RequestInfo.Sender.SenderID = "XXX" }), gateway.UnknownSender},
		{"wrong password", gateway.SyncDoor, good(func(p *soap.SyncSendMessageRequest) { p.RequestInfo.Sender.Password = "qwerty12" }), gateway.UnknownSender},
		{"another's certificate", gateway.SyncDoor, w.envelope(syncRequest("m-1", doc, w.clock()), "csc"), gateway.UnknownSender},
		{"unsigned", gateway.SyncDoor, w.envelope(syncRequest("m-1", doc, w.clock()), ""), gateway.SignatureMissing},
		{"changed", gateway.SyncDoor, tampered, gateway.SignatureRefused},
		{"unknown service", gateway.SyncDoor, good(func(p *soap.SyncSendMessageRequest) { p.RequestInfo.ServiceID = "OTHER" }), gateway.UnknownService},
		{"from the future", gateway.SyncDoor, good(func(p *soap.SyncSendMessageRequest) { p.RequestInfo.MessageDate = w.clock().Add(time.Hour) }), gateway.Stale},
		{"years old", gateway.SyncDoor, good(func(p *soap.SyncSendMessageRequest) { p.RequestInfo.MessageDate = w.clock().AddDate(-7, 0, 0) }), gateway.Stale},
		{"a long id", gateway.SyncDoor, good(func(p *soap.SyncSendMessageRequest) { p.RequestInfo.MessageID = strings.Repeat("1", 1000) }), gateway.Malformed},
		{"no document", gateway.SyncDoor, good(func(p *soap.SyncSendMessageRequest) { p.RequestData.Data = soap.Data{Form: soap.Empty} }), gateway.Malformed},
		{"a broken document", gateway.SyncDoor, good(func(p *soap.SyncSendMessageRequest) { p.RequestData.Data = soap.EscapedData([]byte("<a>")) }), gateway.Malformed},
	} {
		before := w.logs.Len()
		r := w.send(c.door, c.raw)
		if r.Code != c.code || r.Status != 500 {
			t.Errorf("%s: %s %d, want %s: %s", c.name, r.Code, r.Status, c.code, r.Bytes)
			continue
		}
		doc, err := xmltree.Parse(r.Bytes, xmltree.DefaultLimits())
		if err != nil {
			t.Fatal(c.name, err)
		}
		m, err := soap.Read(doc)
		if err != nil {
			t.Fatal(c.name, err)
		}
		f, ok := m.Payload.(*soap.Fault)
		if !ok || f.Info == nil || f.Info.ErrorCode != string(c.code) || !strings.Contains(f.String, " / ") || strings.Contains(f.String, "[") || f.Info.ErrorDate.IsZero() {
			t.Errorf("%s: the fault is %+v", c.name, m.Payload)
		}
		if n := w.logs.Len() - before; n != 1 {
			t.Errorf("%s: %d lines in the log", c.name, n)
		}
	}
	if all := w.all(); len(all) != 0 {
		t.Errorf("%d applications stayed", len(all))
	}
	if r := w.send(gateway.SyncDoor, good(nil)); r.Code != "" {
		t.Errorf("the id was spent by refused messages: %s", r.Bytes)
	}
}

// A message in which any byte was changed is refused, or says the very same.
func TestFlippedBytes(t *testing.T) {
	w := newTown(t)
	raw := w.envelope(syncRequest("m-1", w.document("portal", form("portal"), "citizen"), w.clock()), "portal")
	random := rand.New(rand.NewPCG(1, 2))
	accepted := 0
	for range 400 {
		changed := bytes.Clone(raw)
		i := random.IntN(len(changed))
		changed[i] ^= byte(1 + random.IntN(255))
		r := w.send(gateway.SyncDoor, changed)
		if all := w.all(); len(all) > 0 {
			if all[0].Fields[2].Value != "ТЕСТОВ" || all[0].MessageID != "m-1" || all[0].Applicant.IIN != gateway.IIN(form("portal")["applicant_iin"]) {
				t.Fatalf("byte %d: read %+v", i, all[0])
			}
			w, accepted = newTown(t), accepted+1 // outside of what is signed or meant; the id is spent there
			continue
		}
		if r.Code == "" && !bytes.Contains(r.Bytes, []byte("REJECTED")) {
			t.Fatalf("byte %d: answered %s", i, r.Bytes)
		}
	}
	if accepted > 20 {
		t.Errorf("%d of 400 changed messages were taken", accepted)
	}
	t.Logf("%d of 400 changes meant nothing", accepted)
}

// A service of another system has no signature but the envelope's, and data
// itself is the document.
func TestSignedByTheEnvelope(t *testing.T) {
	set, faults := mappings.Load(os.DirFS("testdata/services"))
	for _, f := range faults {
		t.Fatal(f)
	}
	w := newTownOf(t, set)
	send := func(id, iin, by string) gateway.Reply {
		p := syncRequest(id, nil, w.clock())
		p.RequestInfo.ServiceID = "TEST_SERVICE"
		p.RequestData.Data = soap.NestedData([]byte("<iin>" + iin + "</iin><amount>1000</amount>"))
		return w.send(gateway.SyncDoor, w.envelope(p, by))
	}
	if r := send("m-1", sigtest.IIN(70), "teller"); r.Code != "" {
		t.Fatalf("%s", r.Bytes)
	}
	w.deliver()
	if a := w.only(); a.Number != "TS-2026-000001" || string(a.Applicant.IIN) != sigtest.IIN(70) || a.Fields[1].Value != "1000" {
		t.Errorf("%+v", a)
	}
	if got := w.one(t, "SELECT typeof(amount) || amount FROM test_service"); got != "integer1000" {
		t.Errorf("row %s", got)
	}
	if r := send("m-2", sigtest.IIN(10), "teller"); r.Code != "" || !bytes.Contains(r.Bytes, []byte("REJECTED")) {
		t.Errorf("another's IIN: %s", r.Bytes)
	}
	if r := send("m-3", sigtest.IIN(70), "portal"); r.Code != "" || !bytes.Contains(r.Bytes, []byte("REJECTED")) {
		t.Errorf("signed by a system, which is nobody: %s", r.Bytes)
	}
	w.only()
}

// Every code has its row, its text and a word of SOAP.
func TestEveryCodeGoesOut(t *testing.T) {
	set, _ := mappings.Builtin()
	for _, c := range gateway.Codes() {
		if row, ok := gateway.FaultRows[c]; !ok || fmt.Sprint(row) == "{ 0s}" {
			t.Errorf("%s has no row", c)
		}
		if !set.Texts.Has("error." + string(c)) {
			t.Errorf("%s has no text", c)
		}
	}
	if len(gateway.FaultRows) != len(gateway.Codes()) {
		t.Error("a row without a code")
	}
}

// Nothing personal and nothing secret is logged.
func TestTheLogIsClean(t *testing.T) {
	w := newTown(t)
	w.apply("m-1")
	w.post.fail = func(d gateway.Delivery) error { return errDown }
	w.deliver()
	w.send(gateway.SyncDoor, w.envelope(syncRequest("m-2", w.document("portal", form("portal"), "neighbour"), w.clock()), "portal"))
	for _, e := range w.logs.All() {
		line := fmt.Sprint(e.Message, e.ContextMap())
		for _, secret := range []string{form("portal")["applicant_iin"], "Qwerty12", "ТЕСТОВ", "Тестовая"} {
			if strings.Contains(line, secret) {
				t.Errorf("%q in %s", secret, line)
			}
		}
	}
	if w.logs.FilterMessage("message").Len() != 2 {
		t.Error("one line a message")
	}
}

// What specialists and officials may and may not do.
func TestHands(t *testing.T) {
	w := newTown(t)
	ctx := t.Context()
	app, _ := w.apply("m-1")
	ann, bob := gateway.Actor{Name: "ann"}, gateway.Actor{Name: "bob"}
	code := func(what string, err error, want gateway.Code) {
		t.Helper()
		if gateway.CodeOf(err) != want {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	decide := func(who gateway.Actor, d gateway.Decision) error {
		_, err := w.bridge.Decide(ctx, app.Number, who, d)
		return err
	}
	_, err := w.bridge.Take(ctx, "UC-0", ann)
	code("an unknown number", err, gateway.NotFound)
	_, err = w.bridge.Extend(ctx, app.Number, ann, gateway.Extension{Days: 1, Reason: gateway.Text{RU: "а", KK: "а"}})
	code("extend what nobody took", err, gateway.MoveNotAllowed)
	_, err = w.bridge.Take(ctx, app.Number, ann)
	code("take", err, "")
	_, err = w.bridge.Take(ctx, app.Number, bob)
	code("take twice", err, gateway.MoveNotAllowed)
	code("decide another's", decide(bob, gateway.Decision{State: gateway.Completed, Result: w.result("official", app.Number, "")}), gateway.NotYours)
	code("no result", decide(ann, gateway.Decision{State: gateway.Completed}), gateway.Malformed)
	code("a state that decides nothing", decide(ann, gateway.Decision{State: gateway.Received}), gateway.Malformed)
	code("an unsigned result", decide(ann, gateway.Decision{State: gateway.Completed, Result: &gateway.Document{Content: []byte("<a/>")}}), gateway.SignatureMissing)
	code("a result that is not XML", decide(ann, gateway.Decision{State: gateway.Completed, Result: &gateway.Document{Content: []byte("%PDF-1.4")}}), gateway.Malformed)
	code("signed by another organisation", decide(ann, gateway.Decision{State: gateway.Completed, Result: w.result("stranger", app.Number, "")}), gateway.SignatureRefused)
	code("signed by a citizen", decide(ann, gateway.Decision{State: gateway.Completed, Result: w.result("citizen", app.Number, "")}), gateway.SignatureRefused)
	spoilt := w.result("official", app.Number, "")
	spoilt.Content = bytes.Replace(spoilt.Content, []byte("<number>UC"), []byte("<number>UX"), 1)
	code("changed after it was signed", decide(ann, gateway.Decision{State: gateway.Completed, Result: spoilt}), gateway.SignatureRefused)
	w.lists.set(w.keysOf([]string{"official"}), nil)
	code("signed with a revoked certificate", decide(ann, gateway.Decision{State: gateway.Completed, Result: w.result("official", app.Number, "")}), gateway.SignatureRefused)
	w.lists.set(nil, w.keysOf([]string{"official"}))
	code("nobody knows whether it is revoked", decide(ann, gateway.Decision{State: gateway.Completed, Result: w.result("official", app.Number, "")}), gateway.TryLater)
	w.lists.set(nil, nil)
	code("an old version", decide(ann, gateway.Decision{State: gateway.Completed, Result: w.result("official", app.Number, ""), Version: 1}), gateway.StaleVersion)
	code("no ground", decide(ann, gateway.Decision{State: gateway.Refused}), gateway.Malformed)
	code("a ground without words", decide(ann, gateway.Decision{State: gateway.Refused, Ground: &gateway.Ground{Code: "reasoned-refusal"}}), gateway.Malformed)
	code("a ground of another service", decide(ann, gateway.Decision{State: gateway.Refused, Ground: &gateway.Ground{Code: "other"}}), gateway.Malformed)
	_, err = w.bridge.Extend(ctx, app.Number, ann, gateway.Extension{Days: 0})
	code("extend by nothing", err, gateway.Malformed)
	_, err = w.bridge.HandOver(ctx, app.Number, ann, bob)
	code("hand over", err, "")
	_, err = w.bridge.Return(ctx, app.Number, ann, gateway.Text{})
	code("return what is another's", err, gateway.NotYours)
	before, err := w.bridge.Application(ctx, app.Number)
	code("read", err, "")
	_, err = w.bridge.Return(ctx, app.Number, bob, gateway.Text{RU: "отпуск", KK: "демалыс"})
	code("return", err, "")
	w.pass(time.Hour)
	after, err := w.bridge.Take(ctx, app.Number, ann)
	code("take again", err, "")
	if !after.DueAt.Equal(before.DueAt) {
		t.Errorf("the term began anew: %v, was %v", after.DueAt, before.DueAt)
	}
	signed := w.result("official", app.Number, "")
	code("complete", decide(ann, gateway.Decision{State: gateway.Completed, Result: signed, Version: after.Version}), "")
	code("decide what is over", decide(ann, gateway.Decision{State: gateway.Refused, Ground: &gateway.Ground{Text: gateway.Text{RU: "а", KK: "а"}}}), gateway.MoveNotAllowed)
	doc, err := w.bridge.Result(ctx, app.Number)
	if err != nil || !bytes.Equal(doc.Content, signed.Content) || doc.SignedBy == nil || string(doc.SignedBy.BIN) != akimatBIN {
		t.Errorf("result %+v, %v", doc, err)
	}
	page, err := w.bridge.History(ctx, gateway.IIN(form("portal")["applicant_iin"]), "", 10)
	if err != nil || len(page.Applications) != 1 || page.Applications[0].State != gateway.Completed {
		t.Errorf("history %+v, %v", page, err)
	}
	if page, err := w.bridge.History(ctx, "850505400456", "", 10); err != nil || len(page.Applications) != 0 {
		t.Errorf("another's history %+v, %v", page, err)
	}
}

// A local system cannot complete an application by its status column: nobody
// is told of a result that was not handed in. What it may do, it may after.
func TestWatchedColumnDoesNotComplete(t *testing.T) {
	w := newTown(t)
	app, _ := w.apply("m-1")
	w.deliver()
	set := func(code string) gateway.State {
		t.Helper()
		w.pass(time.Minute)
		w.localSQL(t, "UPDATE unemployed_certificate SET status_code = ?, status_reason = 'нет регистрации', status_changed_at = ? WHERE application_no = ?", code, w.clock().UTC().Format(time.RFC3339), app.Number)
		if n, err := w.bridge.Watch(t.Context(), certificate); n != 1 || err != nil {
			t.Fatalf("%s: %d changes, %v", code, n, err)
		}
		now, err := w.bridge.Application(t.Context(), app.Number)
		if err != nil {
			t.Fatal(err)
		}
		return now.State
	}
	if s := set("20"); s != gateway.InProgress {
		t.Errorf("taken: %s", s)
	}
	if s := set("30"); s != gateway.InProgress {
		t.Errorf("completed without a result: %s", s)
	}
	if w.logs.FilterMessage("status of the local database not taken over").Len() != 1 {
		t.Error("the log does not tell of the status that was not taken over")
	}
	if s := set("40"); s != gateway.Refused {
		t.Errorf("refused: %s", s)
	}
}

// The office's submission is taken once under its id.
func TestSubmitTwice(t *testing.T) {
	w := newTown(t)
	sub := gateway.Submission{Service: certificate, ID: "s-1", Document: w.document("office", form("office"), "specialist")}
	who := gateway.Actor{Name: "counter"}
	one, err := w.bridge.Submit(t.Context(), sub, who)
	if err != nil {
		t.Fatal(err)
	}
	two, err := w.bridge.Submit(t.Context(), sub, who)
	if err != nil || two.Number != one.Number {
		t.Errorf("again: %+v, %v", two, err)
	}
	other := form("office")
	other["purpose"] = "в банк"
	sub.Document = w.document("office", other, "specialist")
	if _, err := w.bridge.Submit(t.Context(), sub, who); gateway.CodeOf(err) != gateway.DuplicateID {
		t.Errorf("other bytes under the id: %v", err)
	}
	bad := gateway.Submission{Service: certificate, ID: "s-2", Document: w.document("office", form("office"), "citizen")}
	for range 2 {
		var e *gateway.Error
		if _, err := w.bridge.Submit(t.Context(), bad, who); !errors.As(err, &e) || e.Code != gateway.ServiceRefused || e.Ground.Code != "eds-not-confirmed" {
			t.Errorf("signed by the citizen: %v", err)
		}
	}
	w.only()
}

// Run does it all by itself, and ends without leaving anything behind.
func TestRun(t *testing.T) {
	w := newTown(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.bridge.Run(ctx) }()
	w.apply("m-1")
	deadline := time.Now().Add(20 * time.Second)
	for len(w.post.taken()) < 2 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	<-ended
	if n := len(w.post.taken()); n != 2 {
		t.Errorf("%d notifications", n)
	}
}

// A bridge that lacks something says all of it at once.
func TestNewSaysEverything(t *testing.T) {
	_, err := gateway.New(gateway.Options{Verifier: &signature.Verifier{Revoke: signature.RevokeOff}, Terms: gateway.Terms{Partners: []gateway.Partner{{SenderID: "A", Channel: gateway.Portal}, {Channel: "fax"}}}})
	for _, want := range []string{"store", "key", "service descriptions", "sender is needed", "always asks about revocation", "anybody could speak", "no sender id"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said: %v", want, err)
		}
	}
}

// BenchmarkReceive is an application with both signatures, verified, stored
// and answered with a signature.
func BenchmarkReceive(b *testing.B) {
	w := newTown(b)
	doc := w.document("portal", form("portal"), "citizen")
	raws := make([][]byte, b.N)
	for i := range raws {
		raws[i] = w.envelope(syncRequest(fmt.Sprintf("m-%d", i), doc, w.clock()), "portal")
	}
	next := make(chan []byte, len(raws))
	for _, r := range raws {
		next <- r
	}
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if r := w.bridge.Receive(context.Background(), gateway.Incoming{Door: gateway.SyncDoor, Raw: <-next}); r.Code != "" {
				b.Errorf("%s", r.Bytes)
			}
		}
	})
}
