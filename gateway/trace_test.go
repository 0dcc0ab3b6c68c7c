package gateway_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"kopir/gateway"
)

// tracedTown is a town that keeps its spans.
func tracedTown(t *testing.T, change ...func(*gateway.Options)) (*town, *tracetest.InMemoryExporter, *observer.ObservedLogs) {
	t.Helper()
	w := newTown(t)
	told := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(told))
	core, logs := observer.New(zap.DebugLevel)
	o := w.options(core)
	o.Tracer = provider.Tracer("test")
	for _, c := range change {
		c(&o)
	}
	var err error
	if w.bridge, err = gateway.New(o); err != nil {
		t.Fatal(err)
	}
	return w, told, logs
}

// Alarms belong to the trace of their application; the lines of the log name it.
func TestTraceOfAlarms(t *testing.T) {
	w, told, logs := tracedTown(t)
	app := w.taken("m-1")
	w.deliver()
	id, _, _ := strings.Cut(strings.TrimPrefix(app.Trace, "00-"), "-")
	if len(id) != 32 {
		t.Fatalf("trace %q", app.Trace)
	}
	w.pass(app.DueAt.Sub(w.clock()) + time.Hour)
	if _, err := w.bridge.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	own := map[string]int{}
	for _, s := range told.GetSpans() {
		if s.SpanContext.TraceID().String() == id {
			own[s.Name]++
		}
	}
	if own["receive"] != 1 || own["status change"] != 1 || own["deadline alarm"] != 1 || own["local row"] == 0 {
		t.Errorf("%v", own)
	}
	for _, line := range []string{"message", "delivered", "due time"} {
		if logs.FilterMessage(line).FilterFieldKey("trace_id").Len() == 0 || logs.FilterMessage(line).FilterFieldKey("trace_id").Len() != logs.FilterMessage(line).Len() {
			t.Errorf("lines %q without a trace", line)
		}
	}
}

// So do letters to the applicant, by mail and to the phone, delivered or not.
func TestTraceOfLetters(t *testing.T) {
	email, sms := &mailbox{fail: errors.New("the server does not answer")}, &mailbox{}
	w, told, logs := tracedTown(t, func(o *gateway.Options) {
		o.Posts = map[gateway.Route]gateway.Post{gateway.ToEmail: email, gateway.ToSMS: sms}
	})
	app := w.finishWith(map[string]string{"delivery": "email", "email": "citizen@example.kz"})
	w.deliver()
	email.fail = nil
	w.pass(time.Hour)
	w.deliver()
	if len(email.got) != 1 {
		t.Fatalf("%d letters", len(email.got))
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(app.Trace, "00-"), "-")
	letters := 0
	for _, s := range told.GetSpans() {
		if s.Name == "letter" && s.SpanContext.TraceID().String() == id {
			letters++
		}
	}
	lines := map[string]int{}
	for _, l := range logs.All() {
		if f := l.ContextMap(); f["route"] == string(gateway.ToEmail) || f["route"] == string(gateway.ToSMS) {
			if lines[l.Message]++; f["trace_id"] != id {
				t.Errorf("%s: %v", l.Message, f)
			}
		}
	}
	if letters < 2 || lines["delivered"] == 0 || lines["delivery failed"] == 0 {
		t.Errorf("%d letters in the trace, %v", letters, lines)
	}
}

// A question to a registry, and what its answer changes, belong to it too.
func TestTraceOfRegistries(t *testing.T) {
	w, told, _ := tracedTown(t)
	w.notary.answer = gateway.Finding{Standing: gateway.NoData}
	app := w.represent("m-1", nil)
	if app.State != gateway.Refused {
		t.Fatal(app.State)
	}
	var question, change tracetest.SpanStub
	for _, s := range told.GetSpans() {
		switch s.Name {
		case "registry question":
			question = s
		case "status change":
			change = s
		}
	}
	if !strings.Contains(app.Trace, question.SpanContext.TraceID().String()) || change.Parent.SpanID() != question.SpanContext.SpanID() {
		t.Errorf("the question: %v; what followed: %v", question.SpanContext, change.Parent)
	}
}

// A held application is judged again in its own trace, as often as it takes.
func TestTraceOfHeld(t *testing.T) {
	w, told, _ := tracedTown(t)
	number := w.hold(1)[0]
	app, err := w.store.Application(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	w.lists.set(nil, w.keysOf([]string{"citizen"}))
	for range 2 {
		w.pass(time.Hour)
		if n, err := w.bridge.Reask(t.Context()); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		w.lists.set(nil, nil)
	}
	again := map[trace.SpanID]string{}
	for _, s := range told.GetSpans() {
		if s.Name != "judge again" {
			continue
		}
		outcome := ""
		for _, a := range s.Attributes {
			if a.Key == "kopir.outcome" {
				outcome = a.Value.AsString()
			}
		}
		if again[s.SpanContext.SpanID()] = outcome; !strings.Contains(app.Trace, s.SpanContext.TraceID().String()) || !strings.Contains(app.Trace, s.Parent.SpanID().String()) {
			t.Errorf("%v of %v; the application's is %s", s.SpanContext, s.Parent, app.Trace)
		}
	}
	within := map[string]int{}
	for _, s := range told.GetSpans() {
		if outcome, ok := again[s.Parent.SpanID()]; ok {
			within[s.Name+" "+outcome]++
		}
	}
	if len(again) != 2 || within["verify person held"] != 1 || within["verify person "] != 1 || within["status change "] != 1 {
		t.Errorf("%d times, %v", len(again), within)
	}
}

// What a partner brings by REST leads to the trace in which its key was judged.
func TestTraceOfAdmission(t *testing.T) {
	w := newTown(t)
	key := w.keys["portal"].Certificate
	w, told, _ := tracedTown(t, func(o *gateway.Options) {
		o.Partners = append(o.Partners, gateway.Partner{SenderID: "MPEP", Channel: gateway.Portal, REST: true, Collects: true, Keys: []gateway.PartnerKey{{ID: "mpep", Certificate: key}}})
	})
	if _, err := w.bridge.Submit(t.Context(), gateway.Submission{Service: certificate, ID: "p-1", Document: w.document("portal", form("portal"), "citizen"), By: w.admitted("mpep")}, gateway.Actor{}); err != nil {
		t.Fatal(err)
	}
	spans := map[string]tracetest.SpanStub{}
	for _, s := range told.GetSpans() {
		spans[s.Name] = s
	}
	admit, receive := spans["admit"], spans["receive"]
	if !admit.SpanContext.IsValid() || len(receive.Links) != 1 || receive.Links[0].SpanContext.SpanID() != admit.SpanContext.SpanID() {
		t.Errorf("admitted in %v; received with %v", admit.SpanContext, receive.Links)
	}
}

// Without a tracer nothing is kept of traces.
func TestNoTrace(t *testing.T) {
	w := newTown(t)
	if app := w.taken("m-1"); app.Trace != "" {
		t.Errorf("trace %q", app.Trace)
	}
}
