package gateway

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"kopir/mappings"
)

// Forecast says whether the open step of an application will be done in time,
// from how long the same office took for it before: nothing else is known of
// what a person still has to do.
type Forecast struct {
	Due      time.Time `json:"due,omitzero"`      // zero while the term stands still
	Expected time.Time `json:"expected,omitzero"` // zero where nobody can say
	Late     bool      `json:"late"`
	Because  Because   `json:"because"`
	// When half of them, and nine of ten, will be done if it goes as with
	// the last ones, and how many those were.
	UsualAt time.Time `json:"usual_at"`
	SlowAt  time.Time `json:"slow_at"`
	Of      int       `json:"of"`
}

// Because says what a forecast rests on.
type Because string

// What a forecast rests on.
const (
	AsUsual   Because = "usual"  // as half of the last ones
	AsSlow    Because = "slow"   // it is slower than half of them; as nine of ten
	Slower    Because = "slower" // it is slower than nine of ten
	TermEnded Because = "overdue"
	StandsYet Because = "suspended"
)

// Pace is how long a step took before: seconds of office hours for half of the
// last ones, and for nine of ten.
type Pace struct {
	Usual int64 `json:"usual_seconds"`
	Slow  int64 `json:"slow_seconds"`
	Of    int   `json:"of"`
}

// Paces are measured over the last of a step, and not at all over fewer than
// minPace.
const (
	maxPace = 64
	minPace = 5
	paceFor = time.Minute // how long a measure is used before it is taken again
)

// newPace sorts what was measured.
func newPace(took []int64) *Pace {
	if len(took) < minPace {
		return nil
	}
	slices.Sort(took)
	return &Pace{Usual: took[len(took)/2], Slow: took[(len(took)*9)/10], Of: len(took)}
}

// paces keeps what was measured last.
type paces struct {
	mu  sync.Mutex
	all map[paceKey]paceEntry
}

type paceKey struct {
	service, office string
	step            int
}

type paceEntry struct {
	pace *Pace
	at   time.Time
}

// pace gives the measure of a step in an office; nil where there is none. A
// forecast is no reason to refuse an application.
func (b *Bridge) pace(ctx context.Context, service, office string, step int) *Pace {
	key, now := paceKey{service, office, step}, b.now()
	b.paces.mu.Lock()
	e, ok := b.paces.all[key]
	b.paces.mu.Unlock()
	if age := now.Sub(e.at); ok && age >= 0 && age < paceFor {
		return e.pace
	}
	took, err := b.o.Store.Pace(ctx, service, office, step, maxPace)
	if err != nil {
		b.log.Warn("a step is not measured", zap.String("service", service), zap.Int("step", step), zap.Error(err))
		return nil
	}
	e = paceEntry{newPace(took), now}
	b.paces.mu.Lock()
	defer b.paces.mu.Unlock()
	if b.paces.all == nil {
		b.paces.all = map[paceKey]paceEntry{}
	}
	b.paces.all[key] = e
	return e.pace
}

// forecast lays the measure of a term into the calendar. What depends on the
// time of reading, foresee fills in.
func (d *draft) forecast(due *Due) *Forecast {
	if due.Pace == nil {
		return nil
	}
	f := &Forecast{Of: due.Pace.Of}
	calendar, hours := d.b.set().Calendar, d.hours(due)
	lay := func(seconds int64) time.Time {
		at, err := calendar.After(due.StartedAt, max(seconds, 1), hours)
		for _, m := range due.shifts() {
			if err == nil && m.Days == 0 {
				at, err = calendar.Later(at, m.Paused, m.Resumed, mappings.WorkingMinutes, hours)
			}
		}
		if err != nil {
			return due.DueAt // beyond the calendar
		}
		return at.UTC()
	}
	f.UsualAt, f.SlowAt = lay(due.Pace.Usual), lay(due.Pace.Slow)
	return f
}

// foresee completes an application with what depends on the time.
func (a *Application) foresee(now time.Time) {
	a.Overdue = !a.DueAt.IsZero() && !now.Before(a.DueAt)
	if a.Forecast == nil {
		return
	}
	f := *a.Forecast
	f.Due, f.Expected, f.Late = a.DueAt, time.Time{}, a.Overdue
	switch {
	case a.State == Suspended:
		f.Because = StandsYet
	case a.Overdue:
		f.Because = TermEnded
	case !now.After(f.UsualAt):
		f.Because, f.Expected = AsUsual, f.UsualAt
	case !now.After(f.SlowAt):
		f.Because, f.Expected = AsSlow, f.SlowAt
	default:
		f.Because = Slower
	}
	f.Late = f.Late || f.Expected.After(f.Due)
	a.Forecast = &f
}
