package gateway

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

// ripeBatch is how many terms are told of in one transaction: enough that the
// flush is not what limits, few enough that no application waits long for it.
const ripeBatch = 200

// alarmPause is the least between two looks for what is ripe. What ends within it
// is told together: a transaction and a flush for each would cost more than the
// alarms are sooner.
const alarmPause = 250 * time.Millisecond

// alarms counts what was told since the start.
type alarms struct {
	mu  sync.Mutex
	all map[EventKind]uint64
}

// Alarms is how many warnings and breaches were found since the start.
func (b *Bridge) Alarms() (warned, overdue uint64) {
	b.alarms.mu.Lock()
	defer b.alarms.mu.Unlock()
	return b.alarms.all[EventWarning], b.alarms.all[EventOverdue]
}

// alarmAll tells of everything that is ripe, and says when to look again. With
// a clock that cannot be believed it tells nothing: an alarm can wait, and a
// false one is in the history for good.
func (b *Bridge) alarmAll(ctx context.Context) (time.Duration, error) {
	if b.keeper.check(ctx) != nil {
		return tickPause, nil
	}
	for {
		n, err := b.tick(ctx)
		if err != nil {
			return 0, err
		}
		if n == 0 {
			break
		}
	}
	next, err := b.o.Store.NextDue(ctx)
	if err != nil || next.IsZero() {
		return tickPause, err
	}
	return min(max(next.Sub(b.now()), alarmPause), tickPause), nil
}

// tick warns of terms that end soon, finds those that have ended, and lets
// those run on that stood still as long as they may: one batch of each. It gives
// how many applications it changed.
func (b *Bridge) tick(ctx context.Context) (int, error) {
	at := b.now().UTC()
	told, err := b.o.Store.Fire(ctx, at, ripeBatch, func(due Due) Event { return b.alarm(due, at) })
	b.sound(told, b.traceAlarms(ctx, told))
	if err != nil {
		return len(told), err
	}
	still, err := b.o.Store.Suspended(ctx, at, heldBatch)
	if err != nil {
		return len(told), err
	}
	resumed := 0
	for _, due := range still {
		about := []zap.Field{zap.String("application", due.Application), zap.Int("step", due.Step)}
		err := b.guard(func() error {
			_, err := b.amend(ctx, due.Application, 0, func(d *draft) error { return d.resume(Actor{Name: "timer"}) })
			return err
		}, about...)
		if err == nil {
			resumed++
			continue
		}
		// Others go before one that cannot run on. It loses nothing: it runs on from when it should have.
		next := at.Add(min(max(at.Sub(due.ResumeAt), firstAsk), maxAsk))
		if err := b.o.Store.PutOff(ctx, due, at, next); err != nil {
			return len(told) + resumed, err
		}
		b.log.Error("suspended term cannot run on", append(about, zap.Time("next", next), zap.Error(err))...)
	}
	return len(told) + resumed, nil
}

// alarm is what the history says of a term that was marked at a time.
func (b *Bridge) alarm(due Due, at time.Time) Event {
	e := Event{Application: due.Application, At: at, Kind: EventWarning, Actor: Actor{Name: "timer"}, Detail: due.DueAt.In(b.zone()).Format(time.RFC3339)}
	if !due.OverdueAt.IsZero() {
		e.Kind = EventOverdue
	}
	if s, ok := b.set().Edition(due.Service, due.Edition); ok {
		if c, ok := s.Channel(string(due.Channel)); ok {
			step, _ := c.Terms().Step(due.Step)
			e.Text = text(step.Action)
		}
	}
	return e
}

// sound counts and logs what was told: one line for an office, a service and a
// step, so that a morning on which much is late can still be read. It names the
// first application, and its trace.
func (b *Bridge) sound(told []Due, traces map[string]string) {
	type place struct {
		kind            EventKind
		office, service string
		step            int
	}
	count, first := map[place]int{}, map[place]Due{}
	for _, due := range told {
		p := place{EventWarning, due.Office, due.Service, due.Step}
		if !due.OverdueAt.IsZero() {
			p.kind = EventOverdue
		}
		if count[p]++; count[p] == 1 {
			first[p] = due
		}
	}
	b.alarms.mu.Lock()
	defer b.alarms.mu.Unlock()
	if b.alarms.all == nil {
		b.alarms.all = map[EventKind]uint64{}
	}
	for p, n := range count {
		b.alarms.all[p.kind] += uint64(n)
		say := b.log.Warn
		if p.kind == EventOverdue {
			say = b.log.Error
		}
		say("due time", zap.String("kind", string(p.kind)), zap.String("office", p.office), zap.String("service", p.service), zap.Int("step", p.step),
			zap.Int("applications", n), zap.String("application", first[p].Application), zap.Time("due_at", first[p].DueAt), keptTraceID(traces[first[p].Application]))
	}
}
