package gateway_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/signature"
)

// complete takes an application and ends it with a signed result.
func (w *town) complete(number string) *gateway.Application {
	w.t.Helper()
	a, err := w.bridge.Decide(w.t.Context(), number, gateway.Actor{Name: "ann"}, gateway.Decision{Result: w.result("official", number, "")})
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// TestPapers: a result is printed once and stays the same bytes; who holds its
// address can verify it, and learns nothing about the person.
func TestPapers(t *testing.T) {
	w := newTown(t)
	ctx := t.Context()
	app, _ := w.apply("m-1")
	if _, err := w.bridge.ResultPaper(ctx, app.Number, ""); gateway.CodeOf(err) != gateway.NotFound {
		t.Errorf("a paper before there is a result: %v", err)
	}
	app = w.complete(app.Number)
	first, err := w.bridge.ResultPaper(ctx, app.Number, "")
	if err != nil || first.MediaType != "application/pdf" || !bytes.HasPrefix(first.Content, []byte("%PDF-")) {
		t.Fatalf("%+v, %v", first, err)
	}
	w.pass(48 * time.Hour)
	again, err := w.bridge.ResultPaper(ctx, app.Number, "")
	kk, err2 := w.bridge.ResultPaper(ctx, app.Number, "kk")
	if err != nil || err2 != nil || !bytes.Equal(first.Content, again.Content) || bytes.Equal(first.Content, kk.Content) {
		t.Fatalf("%v %v", err, err2)
	}
	if _, err := w.bridge.ResultPaper(ctx, app.Number, "en"); gateway.CodeOf(err) != gateway.Malformed {
		t.Errorf("in English: %v", err)
	}
	result, err := w.bridge.Result(ctx, app.Number)
	if err != nil || len(result.Token) != 32 {
		t.Fatalf("%+v, %v", result, err)
	}
	digest := func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }
	for name, c := range map[string]struct{ digest, match string }{
		"nothing asked":   {"", ""},
		"the document":    {strings.ToUpper(digest(result.Content)), "document"},
		"the paper":       {digest(first.Content), "paper"},
		"in one language": {digest(kk.Content), "paper"},
		"a changed paper": {digest(append(first.Content[:len(first.Content):len(first.Content)], ' ')), "nothing"},
	} {
		v, err := w.bridge.Verify(ctx, result.Token, c.digest)
		if err != nil || v.Match != c.match || v.Number != app.Number || v.Outcome != "positive" || v.Service.KK == "" || v.Result.RU == "" {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
	for _, token := range []string{"", "x", strings.Repeat("0", 32), result.Token[:31] + "z", app.Number} {
		if _, err := w.bridge.Verify(ctx, token, ""); gateway.CodeOf(err) != gateway.NotFound {
			t.Errorf("the token %q: %v", token, err)
		}
	}
}

// TestPaperOfCMS: what is signed by CMS is printed from what the message holds.
func TestPaperOfCMS(t *testing.T) {
	w := newTown(t)
	app, _ := w.apply("m-1")
	message := w.cms(w.draftOf(app.Number, gateway.ResultWish{}).Content, w.keys["official"], signature.CMSOptions{})
	if _, err := w.bridge.Decide(t.Context(), app.Number, gateway.Actor{Name: "ann"}, gateway.Decision{Result: &gateway.Document{Content: message}}); err != nil {
		t.Fatal(err)
	}
	p, err := w.bridge.ResultPaper(t.Context(), app.Number, "ru")
	if err != nil || !bytes.Contains(p.Content, []byte("/Subtype/application#2Fpkcs7-mime")) {
		t.Errorf("%v", err)
	}
}

// TestPickup: a result that is handed over in person stands in the register
// until somebody has it, and how that came about in the history.
func TestPickup(t *testing.T) {
	w := newTown(t)
	ctx, clerk := t.Context(), gateway.Actor{Name: "clerk"}
	one, _ := w.apply("m-1") // the form of the test asks for the result in person
	w.complete(one.Number)
	list := func(f gateway.PickupFilter) (numbers []string) {
		t.Helper()
		page, err := w.bridge.Results(ctx, f, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.Applications {
			numbers = append(numbers, a.Number)
		}
		return numbers
	}
	waiting := gateway.PickupFilter{States: []gateway.PickupState{gateway.PickupWaiting, gateway.PickupReturned}}
	if got := list(waiting); len(got) != 1 || got[0] != one.Number {
		t.Fatalf("waiting: %v", got)
	}
	if got := list(gateway.PickupFilter{Place: "elsewhere"}); len(got) != 0 {
		t.Errorf("elsewhere: %v", got)
	}
	if got := list(gateway.PickupFilter{Place: district}); len(got) != 1 {
		t.Errorf("at its place: %v", got)
	}
	if _, err := w.bridge.ReturnResult(ctx, one.Number, clerk, 0); gateway.CodeOf(err) != gateway.MoveNotAllowed {
		t.Errorf("returned before its time: %v", err)
	}
	w.pass(31 * 24 * time.Hour)
	if got := list(gateway.PickupFilter{LateAt: w.clock()}); len(got) != 1 {
		t.Errorf("late: %v", got)
	}
	a, err := w.bridge.ReturnResult(ctx, one.Number, clerk, 0)
	if err != nil || a.Pickup.State != gateway.PickupReturned || a.State != gateway.Completed {
		t.Fatalf("%+v, %v", a, err)
	}
	son := gateway.Party{Name: "ТЕСТОВ СЫН", IIN: "850505400456"}
	if _, err := w.bridge.HandResult(ctx, one.Number, clerk, gateway.Handing{To: son}); gateway.CodeOf(err) != gateway.Malformed {
		t.Errorf("to somebody without a power of attorney: %v", err)
	}
	if _, err := w.bridge.HandResult(ctx, one.Number, clerk, gateway.Handing{At: w.clock().Add(time.Hour)}); gateway.CodeOf(err) != gateway.Malformed {
		t.Errorf("tomorrow: %v", err)
	}
	a, err = w.bridge.HandResult(ctx, one.Number, clerk, gateway.Handing{To: son, Authority: "№ 7", Receipt: "R-1"})
	if err != nil || a.Pickup.State != gateway.PickupHanded || a.Pickup.To.Name != son.Name || a.Pickup.By.Name != "clerk" {
		t.Fatalf("%+v, %v", a, err)
	}
	if _, err := w.bridge.HandResult(ctx, one.Number, clerk, gateway.Handing{}); gateway.CodeOf(err) != gateway.MoveNotAllowed {
		t.Errorf("twice: %v", err)
	}
	if got := list(waiting); len(got) != 0 {
		t.Errorf("still waiting: %v", got)
	}
	line, err := w.bridge.Timeline(ctx, one.Number)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range line.Events {
		if e.Kind == gateway.EventHanded {
			told = append(told, e.Detail)
		}
	}
	if len(told) != 2 || !strings.Contains(told[1], "representative") || !strings.Contains(told[1], "R-1") {
		t.Errorf("history: %q", told)
	}
}
