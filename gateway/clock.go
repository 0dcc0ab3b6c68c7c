package gateway

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Bounds of the watch over the clock.
const (
	// clockSlack is how far the clock may be set, or be off from the store's,
	// before it is suspected: more than any correction of a clock that is kept.
	clockSlack = 2 * time.Minute
	// clockSettle is how long it must then run evenly to be believed again, where
	// nobody else can say what time it is.
	clockSettle = 10 * time.Minute
	// clockDay is how far it may have been set for that: who sleeps longer than
	// a day, or was set by more, is looked at by a person.
	clockDay = 24 * time.Hour
	// clockMark is where the store keeps when the clock was believed last.
	clockMark  = "clock"
	clockEvery = time.Minute
	// firstLook is how long a start waits for the store to say what time it is.
	firstLook = 5 * time.Second
)

// timekeeper suspects the clock when it was set: forward, so that terms would
// end early, or back, so that they would end late. It compares it with one that
// nobody sets, with that of the store's machine where that is another, and at
// the start with the time at which a bridge believed its clock last.
//
// A suspected clock is believed again when it was set back, when the store's
// agrees, or, where there is no other, when a partner's signed time agrees or it
// has run evenly for clockSettle.
// A start is taken as a person's word that it is right: forward, because nobody
// can know how long the machine was off; back it is suspected.
type timekeeper struct {
	wall    func() time.Time
	elapsed func() time.Duration
	store   Store
	log     *zap.Logger

	believed atomic.Pointer[instant] // the last time that was, from the first look on

	mu    sync.Mutex
	began bool
	base  time.Time     // when the clock was believed last
	then  time.Duration // and what the other one said
	since time.Duration // when it was suspected; with off
	off   time.Duration // by how much; zero: it is believed
	jumps uint64
	kept  time.Duration // when the mark was written
}

// instant is one moment by both clocks.
type instant struct {
	wall    time.Time
	elapsed time.Duration
	shared  bool // it is the store's, which all processes go by
}

// steady is the time by which deliveries are reckoned: when the clock was
// believed last, or what the store's showed, and what has passed since by the
// one that nobody sets. So what was put on its way by a clock that ran ahead does
// not rest until then.
func (b *Bridge) steady() time.Time {
	last := b.keeper.believed.Load()
	return last.wall.Add(b.keeper.elapsed() - last.elapsed).UTC()
}

// now is the time by which everything is judged and dated: the clock's, or the
// steady one while ours was set. So no application comes tomorrow, and no result
// is dated before it. Where nobody else knows the time, the clock may just have
// been set right: nothing new is taken meanwhile (alone).
func (b *Bridge) now() time.Time {
	wall := b.keeper.wall()
	if steady := b.steady(); wall.Sub(steady).Abs() > clockSlack {
		return steady
	}
	return wall
}

// receipt is the time at which a message is judged: where nobody else knows it,
// the clock's, so that one with a signed time that agrees can say that it is right.
func (b *Bridge) receipt() time.Time {
	if b.keeper.believed.Load().shared {
		return b.now()
	}
	return b.keeper.wall()
}

// alone says why a message of this time is not taken, where there is no clock but
// ours and that was set: its terms would run from a time that may be wrong.
func (b *Bridge) alone(ctx context.Context, at time.Time) error {
	if b.keeper.believed.Load().shared || !b.misled(ctx, at) {
		return nil
	}
	return untimely(b.ClockFault())
}

// ClockFault says why the clock is not believed; nil: it is.
func (b *Bridge) ClockFault() error { return b.keeper.fault() }

// ClockJumps is how often the clock was suspected since the start.
func (b *Bridge) ClockJumps() uint64 {
	b.keeper.mu.Lock()
	defer b.keeper.mu.Unlock()
	return b.keeper.jumps
}

func (k *timekeeper) fault() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.suspicion()
}

func (k *timekeeper) suspicion() error {
	if k.off == 0 {
		return nil
	}
	return fmt.Errorf("the clock is off by %v from what it should show; due times are not told until it is right", k.off.Round(time.Second))
}

// check looks at the clocks; an error means that ours must not be believed.
func (k *timekeeper) check(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	wall, run := k.wall().Round(0), k.elapsed() // without the monotonic part, which nobody sets
	off := time.Duration(0)
	if k.began {
		off = wall.Sub(k.base) - (run - k.then)
	} else if mark, err := k.store.Mark(ctx, clockMark); err == nil && mark != "" {
		if last, err := time.Parse(time.RFC3339, mark); err == nil && wall.Before(last) {
			off = wall.Sub(last)
			k.base, k.then = last, run
		}
	}
	witness, err := k.store.Clock(ctx)
	shared := err == nil && !witness.IsZero()
	if shared {
		off = wall.Sub(witness)
	}
	if off.Abs() <= clockSlack {
		if k.off != 0 {
			k.log.Info("the clock is believed again", zap.Time("at", wall))
		}
		k.believe(ctx, wall, run, shared)
		return nil
	}
	if shared {
		k.believed.Store(&instant{witness, run, true})
	} else if k.believed.Load() == nil { // to reckon leases from, whatever the clock does next
		k.believed.Store(&instant{wall, run, false})
	}
	k.began = true
	if k.off == 0 {
		k.jumps++
		k.since = run
		if k.base.IsZero() {
			k.base, k.then = wall, run
		}
		k.log.Error("the clock was set", zap.Duration("by", off), zap.Time("shows", wall))
		if off < 0 {
			k.recall(ctx, wall)
		}
	} else if (off - k.off).Abs() > clockSlack {
		k.since = run // set once more
	}
	k.off = off
	if !shared && off.Abs() <= clockDay && run-k.since >= clockSettle {
		k.log.Warn("the clock has run evenly since it was set, and is believed again", zap.Duration("by", off), zap.Time("at", wall))
		k.believe(ctx, wall, run, false)
		return nil
	}
	return k.suspicion()
}

// confirm takes the clock for right that was set and agrees with the time that a
// partner signed, where nobody else can say what time it is. A time that agrees
// with what it should show keeps it from being believed for running evenly.
func (k *timekeeper) confirm(ctx context.Context, signed time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	wall, run := k.wall().Round(0), k.elapsed()
	switch off := wall.Sub(signed); {
	case k.off == 0 || k.believed.Load().shared:
		return false
	case (off - k.off).Abs() <= clockSlack:
		k.since = run
		return false
	case off.Abs() > clockSlack:
		return false
	}
	k.log.Warn("the clock is believed again: a partner's signed time agrees", zap.Duration("by", k.off), zap.Time("at", wall))
	k.believe(ctx, wall, run, false)
	return true
}

// recall lets go at once what was put off by a clock that ran ahead, as that of
// a machine may that starts before it has learnt the time. That others are tried
// once too often does no harm.
func (k *timekeeper) recall(ctx context.Context, wall time.Time) {
	if _, err := k.store.Recall(ctx, wall); err != nil {
		k.log.Warn("deliveries and held applications may rest for as long as the clock was ahead", zap.Error(err))
	}
}

// believe takes the clock as it is now for right.
func (k *timekeeper) believe(ctx context.Context, wall time.Time, run time.Duration, shared bool) {
	k.believed.Store(&instant{wall, run, shared})
	if k.off != 0 {
		k.recall(ctx, wall)
	}
	first := !k.began
	k.began, k.base, k.then, k.off = true, wall, run, 0
	if first || run-k.kept >= clockEvery {
		k.kept = run
		if err := k.store.SetMark(ctx, clockMark, wall.UTC().Format(time.RFC3339)); err != nil {
			k.log.Warn("the time is not kept", zap.Error(err))
		}
	}
}
