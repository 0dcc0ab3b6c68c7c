package gateway_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/zap/zapcore"

	"kopir/gateway"
	"kopir/mappings"
)

var (
	ann = gateway.Actor{Name: "ann"}
	why = gateway.Text{RU: "ждём документы", KK: "құжаттарды күтудеміз"}
)

// taken is an application in work: due on Thursday, 26 November 2026, at 18:00.
func (w *town) taken(id string) *gateway.Application {
	w.t.Helper()
	app, _ := w.apply(id)
	app, err := w.bridge.Take(w.t.Context(), app.Number, ann)
	if err != nil {
		w.t.Fatal(err)
	}
	return app
}

func (w *town) local5(at time.Time) string {
	return at.In(w.set.Calendar.Zone()).Format("2006-01-02 15:04")
}

// kinds lists the history by kinds.
func (w *town) kinds(number string) string {
	w.t.Helper()
	tl, err := w.bridge.Timeline(w.t.Context(), number)
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for _, e := range tl.Events {
		k := string(e.Kind)
		if e.To != "" {
			k = string(e.To)
		}
		all = append(all, k)
	}
	return strings.Join(all, " ")
}

func TestSuspension(t *testing.T) {
	w := newTown(t)
	ctx := t.Context()
	app := w.taken("m-1")
	code := func(what string, err error, want gateway.Code) {
		t.Helper()
		if gateway.CodeOf(err) != want {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	if got := w.local5(app.DueAt); got != "2026-11-26 18:00" {
		t.Fatalf("due %s", got)
	}
	_, err := w.bridge.Resume(ctx, app.Number, ann, 0)
	code("resume what runs", err, gateway.MoveNotAllowed)
	_, err = w.bridge.Suspend(ctx, app.Number, ann, gateway.Suspension{Days: 10, Reason: gateway.Text{RU: "а"}})
	code("a reason in one language", err, gateway.Malformed)
	_, err = w.bridge.Suspend(ctx, app.Number, ann, gateway.Suspension{Days: 31, Reason: why})
	code("longer than allowed", err, gateway.Malformed)
	app, err = w.bridge.Suspend(ctx, app.Number, ann, gateway.Suspension{Days: 10, Reason: why})
	code("suspend", err, "")
	if app.State != gateway.Suspended || !app.DueAt.IsZero() {
		t.Errorf("%s, due %v", app.State, app.DueAt)
	}
	_, err = w.bridge.Take(ctx, app.Number, ann)
	code("take what stands still", err, gateway.MoveNotAllowed)
	_, err = w.bridge.Extend(ctx, app.Number, ann, gateway.Extension{Days: 1, Reason: why})
	code("extend what stands still", err, gateway.MoveNotAllowed)

	// Wednesday to Monday: three working days are lost, and no alarm is told.
	w.pass(5*24*time.Hour + time.Hour)
	if n, err := w.bridge.Tick(ctx); n != 0 || err != nil {
		t.Errorf("told %d of what stands still, %v", n, err)
	}
	app, err = w.bridge.Resume(ctx, app.Number, ann, app.Version)
	code("resume", err, "")
	if got := w.local5(app.DueAt); got != "2026-12-01 18:00" || app.State != gateway.Extended || !app.Extended {
		t.Errorf("due %s, %s", got, app.State)
	}
	w.deliver()
	told := w.post.taken()
	if last := string(told[len(told)-1].Body); !strings.Contains(last, "01.12.2026 18:00") || !strings.Contains(last, why.RU) {
		t.Errorf("the applicant is not told of the new end: %s", last)
	}

	// The second one ends by itself; a third one is not allowed.
	app, err = w.bridge.Suspend(ctx, app.Number, ann, gateway.Suspension{Days: 1, Reason: why})
	code("suspend again", err, "")
	w.pass(48 * time.Hour)
	if n, err := w.bridge.Tick(ctx); n != 1 || err != nil {
		t.Errorf("the timer resumed %d, %v", n, err)
	}
	app, err = w.bridge.Application(ctx, app.Number)
	code("read", err, "")
	// It counts as ended on Tuesday at closing time, so one day was lost, not two.
	if got := w.local5(app.DueAt); got != "2026-12-03 18:00" {
		t.Errorf("due %s", got)
	}
	_, err = w.bridge.Suspend(ctx, app.Number, ann, gateway.Suspension{Days: 1, Reason: why})
	code("a third time", err, gateway.MoveNotAllowed)
	want := "received in_progress suspended suspended resumed extended suspended suspended resumed extended"
	if got := w.kinds(app.Number); got != want {
		t.Errorf("history %s, want %s", got, want)
	}
	tl, err := w.bridge.Timeline(ctx, app.Number)
	code("timeline", err, "")
	moved := tl.Dues[len(tl.Dues)-1].Moved
	if len(moved) != 2 || moved[0].Reason != why || moved[0].By != ann || w.local5(moved[0].From) != "2026-11-26 18:00" || w.local5(moved[0].To) != "2026-12-01 18:00" {
		t.Errorf("what moved the term: %+v", moved)
	}
}

// Suspended terms that cannot run on do not stand before the others: each is put
// off, and loses nothing by it.
func TestPoisonAmongTheSuspended(t *testing.T) {
	w := newTown(t)
	ctx := t.Context()
	const round = 16
	s := &unreadable{Store: w.store, numbers: map[string]bool{}}
	var numbers []string
	for i := range round + 3 {
		app := w.taken(fmt.Sprintf("m-%d", i))
		if _, err := w.bridge.Suspend(ctx, app.Number, ann, gateway.Suspension{Days: 1, Reason: why}); err != nil {
			t.Fatal(err)
		}
		if numbers = append(numbers, app.Number); i < round {
			s.numbers[app.Number] = true
		}
	}
	w.rewire(func(o *gateway.Options) { o.Store = s })
	tick := func(what string, want int) {
		t.Helper()
		if n, err := w.bridge.Tick(ctx); n != want || err != nil {
			t.Errorf("%s: %d ran on, want %d; %v", what, n, want, err)
		}
	}
	w.pass(34 * time.Hour) // an hour and more after they should run on
	tick("those that do not read come first", 0)
	tick("the others", 3)
	w.pass(15*time.Minute - time.Second)
	clear(s.numbers)
	tick("before the pause is over", 0)
	w.pass(time.Second)
	tick("mended", round)
	ends := map[time.Time]int{}
	for _, n := range numbers {
		app, err := w.bridge.Application(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		ends[app.DueAt]++
	}
	if len(ends) != 1 {
		t.Errorf("those that were put off end at another time: %v", ends)
	}
}

// A suspended term that runs into a defect stops no other.
func TestDefectInASuspendedTerm(t *testing.T) {
	w := newTown(t)
	ctx := t.Context()
	s := &faultyStore{Store: w.store}
	w.rewire(func(o *gateway.Options) { o.Store = s })
	first := ""
	for i := range 2 {
		app := w.taken(fmt.Sprintf("m-%d", i))
		if _, err := w.bridge.Suspend(ctx, app.Number, ann, gateway.Suspension{Days: 1, Reason: why}); err != nil {
			t.Fatal(err)
		}
		if first == "" || app.Number < first {
			first = app.Number
		}
	}
	s.commit = func(c gateway.Change) {
		if c.Application != nil && c.Application.Number == first {
			panic("a term that nobody thought of")
		}
	}
	w.pass(48 * time.Hour)
	if n, err := w.bridge.Tick(ctx); n != 1 || err != nil || w.bridge.Panics() != 1 {
		t.Errorf("%d ran on, %d panics, %v", n, w.bridge.Panics(), err)
	}
	if n, err := w.bridge.Tick(ctx); n != 0 || err != nil || w.bridge.Panics() != 1 {
		t.Errorf("not put off: %d, %d panics, %v", n, w.bridge.Panics(), err)
	}
}

func TestAlarms(t *testing.T) {
	w := newTown(t)
	ctx := t.Context()
	app := w.taken("m-1")
	for _, k := range []struct {
		pass time.Duration
		want int
	}{{time.Hour, 0}, {app.DueAt.Sub(w.clock()) - 3*time.Hour, 1}, {time.Hour, 0}, {3 * time.Hour, 1}, {time.Hour, 0}} {
		w.pass(k.pass)
		if n, err := w.bridge.Tick(ctx); n != k.want || err != nil {
			t.Errorf("after %v: %d, %v", k.pass, n, err)
		}
	}
	if got := w.kinds(app.Number); got != "received in_progress warning overdue" {
		t.Errorf("history %s", got)
	}
	if warned, overdue := w.bridge.Alarms(); warned != 1 || overdue != 1 {
		t.Errorf("counted %d and %d", warned, overdue)
	}
	if a, err := w.bridge.Application(ctx, app.Number); err != nil || !a.Overdue {
		t.Errorf("overdue %v, %v", a.Overdue, err)
	}
	if w.logs.FilterMessage("due time").Len() != 2 {
		t.Error("the log does not tell both")
	}
	_, err := w.bridge.Suspend(ctx, app.Number, ann, gateway.Suspension{Days: 1, Reason: why})
	if gateway.CodeOf(err) != gateway.MoveNotAllowed {
		t.Errorf("a breach was mended: %v", err)
	}
}

func TestForecast(t *testing.T) {
	w := newTown(t)
	ctx := t.Context()
	// Ten that took from one to ten working hours: the office works eight a day.
	for i := range 10 {
		d := gateway.Due{Application: "OLD" + string(rune('0'+i)), Service: certificate, Office: district, Step: 6, StartedAt: morning, DueAt: morning, DoneAt: morning, Took: int64(i+9) * 3600}
		if err := w.store.Commit(ctx, gateway.Change{Dues: []gateway.Due{d}}); err != nil {
			t.Fatal(err)
		}
	}
	app := w.taken("m-1") // Wednesday 09:00, due on Thursday at 18:00: 16 working hours
	f := app.Forecast
	if f == nil || f.Of != 10 || f.Late || f.Because != gateway.AsUsual || w.local5(f.Expected) != "2026-11-26 16:00" {
		t.Fatalf("at first %+v", f)
	}
	late := func() int {
		t.Helper()
		p, err := w.bridge.Applications(ctx, gateway.Filter{LateExpected: true}, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(p.Applications)
	}
	if late() != 0 {
		t.Error("late from the beginning")
	}
	w.pass(31*time.Hour + time.Minute) // slower than half
	a, err := w.bridge.Application(ctx, app.Number)
	if err != nil || !a.Forecast.Late || a.Forecast.Because != gateway.AsSlow || w.local5(a.Forecast.Expected) != "2026-11-27 11:00" || late() != 1 {
		t.Errorf("then %+v, %d late, %v", a.Forecast, late(), err)
	}
	w.pass(24 * time.Hour)
	if a, _ := w.bridge.Application(ctx, app.Number); a.Forecast.Because != gateway.TermEnded || late() != 1 {
		t.Errorf("at last %+v", a.Forecast)
	}
}

// otherCalendar is the built-in one with another line of a year.
func otherCalendar(t *testing.T, line string) *mappings.Set {
	t.Helper()
	b, err := os.ReadFile("../mappings/shared/calendar.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(b), "{year: 2026, kurban_ait: [2026-05-27]}", line, 1)
	set, faults := mappings.Load(fstest.MapFS{"shared/calendar.yaml": {Data: []byte(text)}})
	if len(faults) > 0 || text == string(b) {
		t.Fatal(faults)
	}
	return set
}

// The day on which the term ends is declared a day off: the term is counted
// again, once, and the applicant is told; taken back, only the history says so.
func TestRecount(t *testing.T) {
	plain := otherCalendar(t, "{year: 2026, kurban_ait: [2026-05-28]}")
	w := newTownOf(t, plain)
	ctx := t.Context()
	app := w.taken("m-1")
	w.deliver()
	before := len(w.post.taken())
	count := func() {
		t.Helper()
		if err := w.bridge.RecountAll(ctx); err != nil {
			t.Fatal(err)
		}
		w.deliver()
	}
	use := func(set *mappings.Set) {
		t.Helper()
		if err := w.bridge.Use(ctx, set); err != nil {
			t.Fatal(err)
		}
	}
	count()
	if len(w.post.taken()) != before {
		t.Error("told of a count that changed nothing")
	}
	use(otherCalendar(t, "{year: 2026, kurban_ait: [2026-05-28], extra: [2026-11-26]}"))
	count()
	count()
	app, _ = w.bridge.Application(ctx, app.Number)
	if got := w.local5(app.DueAt); got != "2026-11-27 18:00" || app.State != gateway.InProgress || !app.Extended {
		t.Errorf("due %s, %s", got, app.State)
	}
	told := w.post.taken()
	if n := len(told) - before; n != 1 && n != 2 || !strings.Contains(string(told[len(told)-1].Body), "27.11.2026 18:00") {
		t.Errorf("told %d times", n)
	}
	told = w.post.taken()
	use(otherCalendar(t, "{year: 2026, kurban_ait: [2026-05-28]}"))
	count()
	if len(w.post.taken()) != len(told) {
		t.Error("told of a shorter term")
	}
	if got := w.kinds(app.Number); got != "received in_progress recounted recounted" {
		t.Errorf("history %s", got)
	}
	if due, _ := w.store.Dues(ctx, app.Number); !due[len(due)-1].Assumed {
		t.Error("2026 is not confirmed, and the term does not say so")
	}
}

// witness is a store whose machine has a clock of its own.
type witness struct {
	gateway.Store
	at atomic.Pointer[time.Time]
}

func (s *witness) Clock(context.Context) (time.Time, error) {
	if at := s.at.Load(); at != nil {
		return *at, nil
	}
	return time.Time{}, nil
}

// TestClockIsSet: while the clock is not believed no alarm is told, neither
// early nor for ever late.
func TestClockIsSet(t *testing.T) {
	w := newTown(t)
	store := &witness{Store: w.store}
	var run time.Duration
	o := w.options(zapcore.NewNopCore())
	o.Store, o.Elapsed = store, func() time.Duration { return run }
	b, err := gateway.New(o)
	if err != nil {
		t.Fatal(err)
	}
	pass := func(d time.Duration) { w.pass(d); run += d }
	look := func(what string, want bool) {
		t.Helper()
		if _, err := b.AlarmAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		if good := b.ClockFault() == nil; good != want {
			t.Errorf("%s: believed %v: %v", what, good, b.ClockFault())
		}
	}
	app := w.taken("m-1")
	look("at the start", true)
	pass(time.Minute)
	look("running", true)
	w.pass(90 * time.Second)
	look("a small correction", true)
	w.pass(72 * time.Hour) // the term seems to have ended
	look("three days forward", false)
	if got := w.kinds(app.Number); got != "received in_progress" {
		t.Errorf("alarm by a wrong clock: %s", got)
	}
	pass(time.Hour)
	look("an hour later, but by more than a day", false)
	w.pass(-72 * time.Hour)
	look("set back", true)
	w.pass(-time.Hour)
	look("an hour back", false)
	pass(9 * time.Minute)
	look("not long enough", false)
	pass(2 * time.Minute)
	look("it has run evenly", true)
	if n := b.ClockJumps(); n != 2 {
		t.Errorf("%d jumps", n)
	}

	// The store's clock decides at once.
	w.pass(72 * time.Hour)
	now := w.clock()
	store.at.Store(&now)
	look("the machine slept, says the store", true)
	if got := w.kinds(app.Number); got != "received in_progress overdue" {
		t.Errorf("history %s", got)
	}
	other := now.Add(-time.Hour)
	store.at.Store(&other)
	look("the store's clock is another", false)

	// A bridge that starts before the time at which one was believed last.
	store.at.Store(nil)
	w.pass(-30 * 24 * time.Hour)
	if b, err = gateway.New(o); err != nil {
		t.Fatal(err)
	}
	look("a start in the past", false)
}
