package gateway_test

import (
	"testing"

	"kopir/gateway"
	"kopir/signature/sigtest"
)

// TestForward: the akim's applications are decided by the provider only, and
// go back only when they are decided.
func TestForward(t *testing.T) {
	w := newTown(t)
	ctx := t.Context()
	s, _ := w.set.Service("karaganda-rural-specialists-fuel-assistance")
	values := filled(s, "akim")
	who := gateway.Actor{Name: "specialist"}
	app, err := w.bridge.Submit(ctx, gateway.Submission{Service: s.ID, Channel: gateway.Akim, Document: w.documentOf(s, "akim", values, "specialist")}, who)
	if err != nil || app.Holder != gateway.HolderAkim {
		t.Fatalf("%+v %v", app, err)
	}
	code := func(name string, want gateway.Code) func(_ *gateway.Application, err error) {
		return func(_ *gateway.Application, err error) {
			t.Helper()
			if gateway.CodeOf(err) != want {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	forward := func(to string, letter *gateway.Document) (*gateway.Application, error) {
		return w.bridge.Forward(ctx, app.Number, who, gateway.Forwarding{To: to, Letter: letter})
	}
	refused := gateway.Decision{State: gateway.Refused, Ground: &gateway.Ground{Text: gateway.Text{RU: "а", KK: "а"}}}
	code("before it is taken", gateway.MoveNotAllowed)(forward(gateway.HolderProvider, nil))
	if _, err := w.bridge.Take(ctx, app.Number, who); err != nil {
		t.Fatal(err)
	}
	code("decided by the akim", gateway.MoveNotAllowed)(w.bridge.Decide(ctx, app.Number, who, refused))
	code("nowhere", gateway.Malformed)(forward("mayor", nil))
	code("to whom has it", gateway.MoveNotAllowed)(forward(gateway.HolderAkim, nil))
	code("a letter of a stranger", gateway.SignatureRefused)(forward(gateway.HolderProvider, w.signed("stranger", []byte("<letter/>"))))
	code("a letter without a signature", gateway.SignatureMissing)(forward(gateway.HolderProvider, &gateway.Document{Name: "l.xml", Content: []byte("<l/>")}))
	if app, err = forward(gateway.HolderProvider, nil); err != nil || app.Holder != gateway.HolderProvider || !app.Executor.IsZero() {
		t.Fatalf("%+v %v", app, err)
	}
	code("back undecided", gateway.MoveNotAllowed)(forward(gateway.HolderAkim, nil))
	if _, err := w.bridge.Decide(ctx, app.Number, who, refused); err != nil {
		t.Fatal(err)
	}
	if app, err = forward(gateway.HolderAkim, nil); err != nil || app.Holder != gateway.HolderAkim || app.State != gateway.Refused {
		t.Errorf("%+v %v", app, err)
	}
	code("back twice", gateway.MoveNotAllowed)(forward(gateway.HolderAkim, nil))
	office, err := w.bridge.Submit(ctx, gateway.Submission{Service: s.ID, Document: w.documentOf(s, "office", filled(s, "office"), "specialist")}, who)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.bridge.Forward(ctx, office.Number, who, gateway.Forwarding{To: gateway.HolderProvider})
	code("another channel", gateway.MoveNotAllowed)(nil, err)
}

// TestWhoFilesIsWhoSigned: where the service has no words for it, the door says so.
func TestWhoFilesIsWhoSigned(t *testing.T) {
	w := newTown(t)
	s, _ := w.set.Service("karaganda-unemployed-registration")
	doc := w.documentOf(s, "office", filled(s, "office"), "specialist")
	_, err := w.bridge.Submit(t.Context(), gateway.Submission{Service: s.ID, Document: doc}, gateway.Actor{Name: "counter", IIN: gateway.IIN(sigtest.IIN(60))})
	if gateway.CodeOf(err) != gateway.NotYours {
		t.Errorf("%v", err)
	}
	if _, err = w.bridge.Submit(t.Context(), gateway.Submission{Service: s.ID, Document: doc}, gateway.Actor{Name: "counter", IIN: gateway.IIN(sigtest.IIN(40))}); err != nil {
		t.Error(err)
	}
}
