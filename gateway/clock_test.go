package gateway_test

import (
	"testing"
	"time"

	"go.uber.org/zap/zapcore"

	"kopir/gateway"
)

// TestWrongClockRefusesNobody: what a bridge would refuse for good because of
// the time is asked for again while its own clock was set, and judged as ever
// when the time has really passed.
func TestWrongClockRefusesNobody(t *testing.T) {
	w := newTown(t)
	var run time.Duration
	o := w.options(zapcore.NewNopCore())
	o.Elapsed = func() time.Duration { return run }
	b, err := gateway.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.AlarmAll(t.Context()); err != nil { // looks at the clock
		t.Fatal(err)
	}
	raw := w.envelope(syncRequest("m-1", w.document("portal", form("portal"), "citizen"), w.clock()), "portal")
	send := func(what string, want gateway.Code) {
		t.Helper()
		r := b.Receive(t.Context(), gateway.Incoming{Door: gateway.SyncDoor, Raw: raw})
		if r.Code != want {
			t.Errorf("%s: %q, want %q: %s", what, r.Code, want, r.Bytes)
		}
	}
	const year = 365 * 24 * time.Hour
	for name, by := range map[string]time.Duration{"forty days ahead": 40 * 24 * time.Hour, "an hour behind": -time.Hour, "certificates have ended": 3 * year, "or not begun": -3 * year} {
		w.pass(by)
		send(name, gateway.TryLater)
		w.pass(-by)
	}
	send("set right", "")
	raw = w.envelope(syncRequest("m-2", w.document("portal", form("portal"), "citizen"), w.clock()), "portal")
	w.pass(40 * 24 * time.Hour)
	run += 40 * 24 * time.Hour
	send("forty days later", gateway.Stale)
	w.pass(3 * year)
	run += 3 * year
	send("years later", gateway.SignatureRefused)
	w.only()
}

// TestStartedAhead: a bridge that starts while its clock runs ahead puts its
// deliveries off until then; the next one that starts lets them go.
func TestStartedAhead(t *testing.T) {
	w := newTown(t)
	start := func() *gateway.Bridge {
		o := w.options(zapcore.NewNopCore())
		b, err := gateway.New(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.AlarmAll(t.Context()); err != nil { // looks at the clock
			t.Fatal(err)
		}
		return b
	}
	w.pass(3 * time.Hour)
	raw := w.envelope(syncRequest("m-1", w.document("portal", form("portal"), "citizen"), w.clock()), "portal")
	if r := start().Receive(t.Context(), gateway.Incoming{Door: gateway.SyncDoor, Raw: raw}); r.Code != "" {
		t.Fatalf("%s %s", r.Code, r.Bytes)
	}
	w.pass(-3 * time.Hour)
	start()
	page, err := w.store.Deliveries(t.Context(), gateway.DeliveryFilter{}, "", 10)
	next, bad := w.store.NextDelivery(t.Context(), gateway.Lane{Route: gateway.ToPortal})
	if err != nil || bad != nil || len(page.Deliveries) == 0 || next.After(w.clock().Add(gateway.QuietAfter)) {
		t.Errorf("the next of %d deliveries goes at %s, and it is %s: %v %v", len(page.Deliveries), next, w.clock(), err, bad)
	}
}

// restsNothing: there are deliveries, and each goes at a time or before.
func (w *town) restsNothing(at time.Time) {
	w.t.Helper()
	page, err := w.store.Deliveries(w.t.Context(), gateway.DeliveryFilter{}, "", 10)
	if err != nil || len(page.Deliveries) == 0 {
		w.t.Fatal(page, err)
	}
	for _, d := range page.Deliveries {
		if d.NextAt.After(at) {
			w.t.Errorf("the delivery to %s rests until %s, and it is %s", d.Route, d.NextAt, at)
		}
	}
}

// TestWrongClock, where nobody else knows the time: while it runs ahead nothing
// new is taken, as its terms would run from then; what people decide is dated by
// the time that was believed, and goes out at once when the clock is right again,
// not hours later. A partner's signed time says whether it is right.
func TestWrongClock(t *testing.T) {
	w := newTown(t)
	var run time.Duration
	o := w.options(zapcore.NewNopCore())
	o.Elapsed = func() time.Duration { return run }
	b, err := gateway.New(o)
	if err != nil {
		t.Fatal(err)
	}
	app, _ := w.apply("m-0")
	right := w.clock()
	send := func(id string, want gateway.Code) {
		t.Helper()
		raw := w.envelope(syncRequest(id, w.document("portal", form("portal"), "citizen"), right), "portal")
		if r := b.Receive(t.Context(), gateway.Incoming{Door: gateway.SyncDoor, Raw: raw}); r.Code != want {
			t.Errorf("%s: %q, want %q: %s", id, r.Code, want, r.Bytes)
		}
	}
	pass := func(d time.Duration) { w.pass(d); run += d; right = right.Add(d) }
	believed := func(want bool) {
		t.Helper()
		if _, err := b.AlarmAll(t.Context()); err != nil { // looks at the clock
			t.Fatal(err)
		}
		if is := b.ClockFault() == nil; is != want {
			t.Errorf("believed %v: %v", is, b.ClockFault())
		}
	}
	w.pass(3 * time.Hour)
	send("m-1", gateway.TryLater)
	if app, err = b.Take(t.Context(), app.Number, ann); err != nil {
		t.Fatal(err)
	}
	if !app.ChangedAt.Equal(right) {
		t.Errorf("taken at %s, and it was %s", app.ChangedAt, right)
	}
	pass(9 * time.Minute)
	send("m-1", gateway.TryLater) // its time says that the clock is wrong
	pass(9 * time.Minute)
	believed(false)
	pass(2 * time.Minute)
	believed(true) // ten minutes in which nobody said so
	w.pass(-3 * time.Hour)
	believed(false)
	send("m-1", "")
	believed(true)
	if all := w.all(); len(all) != 2 || !all[0].ReceivedAt.Equal(right) && !all[1].ReceivedAt.Equal(right) {
		t.Errorf("none of %d came at %s", len(all), right)
	}
	w.restsNothing(right)
}

// TestStartedAheadAndSetRight: the time that a bridge believed is wrong. A message
// says so, also when every certificate had ended then; what was put on its way
// meanwhile goes at once.
func TestStartedAheadAndSetRight(t *testing.T) {
	for _, ahead := range []time.Duration{30 * time.Hour, 3 * 365 * 24 * time.Hour} {
		w := newTown(t)
		app, _ := w.apply("m-0")
		raw := w.envelope(syncRequest("m-1", w.document("portal", form("portal"), "citizen"), w.clock()), "portal")
		w.pass(ahead)
		o := w.options(zapcore.NewNopCore())
		o.Elapsed = func() time.Duration { return 0 }
		b, err := gateway.New(o)
		if err != nil || b.ClockFault() != nil {
			t.Fatal(err, b.ClockFault())
		}
		w.pass(-ahead)
		if _, err := b.AlarmAll(t.Context()); err != nil || b.ClockFault() == nil {
			t.Fatal(err, b.ClockFault())
		}
		if _, err := b.Take(t.Context(), app.Number, ann); err != nil && ahead < 365*24*time.Hour { // no calendar has that year
			t.Fatal(err)
		}
		if r := b.Receive(t.Context(), gateway.Incoming{Door: gateway.SyncDoor, Raw: raw}); r.Code != "" || b.ClockFault() != nil {
			t.Errorf("%s: %q, %v: %s", ahead, r.Code, b.ClockFault(), r.Bytes)
		}
		for _, app := range w.all() {
			if !app.ReceivedAt.Equal(w.clock()) {
				t.Errorf("%s: %s came at %s, and it was %s", ahead, app.Number, app.ReceivedAt, w.clock())
			}
		}
		w.restsNothing(w.clock().Add(gateway.QuietAfter))
	}
}

// TestStartedAheadOfTheStore: a process that starts while its clock runs ahead
// dates applications and reckons deliveries by the store's clock from its first
// message on. It may be killed before its clock is right again, and nobody else
// knows what it put off.
func TestStartedAheadOfTheStore(t *testing.T) {
	w := newTown(t)
	right := w.clock()
	store := &witness{Store: w.store}
	store.at.Store(&right)
	o := w.options(zapcore.NewNopCore())
	o.Store, o.Elapsed = store, func() time.Duration { return 0 }
	raw := w.envelope(syncRequest("m-1", w.document("portal", form("portal"), "citizen"), right), "portal")
	w.pass(30 * time.Hour)
	b, err := gateway.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if b.ClockFault() == nil {
		t.Error("the clock is believed")
	}
	if r := b.Receive(t.Context(), gateway.Incoming{Door: gateway.SyncDoor, Raw: raw}); r.Code != "" {
		t.Fatalf("%s %s", r.Code, r.Bytes)
	}
	if app := w.only(); !app.ReceivedAt.Equal(right) {
		t.Errorf("it came at %s, and it was %s", app.ReceivedAt, right)
	}
	w.restsNothing(right)
}

// TestStartedBehind: a bridge that starts behind the time that was believed last
// reckons leases by what passes, too: its clock may be set again while messages
// are on their way.
func TestStartedBehind(t *testing.T) {
	w := newTown(t)
	app, _ := w.apply("m-1")
	if err := w.store.SetMark(t.Context(), "clock", w.clock().Add(30*time.Hour).UTC().Format(time.RFC3339)); err != nil {
		t.Fatal(err)
	}
	o := w.options(zapcore.NewNopCore())
	o.Elapsed = func() time.Duration { return 0 }
	b, err := gateway.New(o)
	if err != nil || b.ClockFault() == nil {
		t.Fatal(err, b.ClockFault())
	}
	right := w.clock()
	w.pass(3 * time.Hour)
	if _, err := b.Take(t.Context(), app.Number, ann); err != nil {
		t.Fatal(err)
	}
	w.restsNothing(right)
}
