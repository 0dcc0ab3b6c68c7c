package gateway

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Pauses of the loops when nothing wakes them.
const (
	deliverPause = 5 * time.Second
	watchPause   = 2 * time.Second
	tickPause    = 5 * time.Second
	faultPause   = 5 * time.Second // after an error of our own
)

// Run keeps everything going that no caller waits for: deliveries, each route
// on its own so that a slow one holds up nobody else; and, in one of the
// processes on the store, due times, held applications and the local database.
// It returns when ctx ends and everything under way has settled.
func (b *Bridge) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { b.beat(ctx) })
	for _, r := range Routes() {
		if !slices.Contains(b.o.Polled, r) {
			wg.Go(func() {
				b.loop(ctx, "deliver "+string(r), b.wake[r], func() (time.Duration, error) { return b.deliverAll(ctx, r) })
			})
		}
	}
	wg.Go(func() { b.WhileLeading(ctx, "loops", b.lead) })
	wg.Wait()
}

// lead keeps going what one process does for all.
func (b *Bridge) lead(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() {
		b.loop(ctx, "due times", nil, func() (time.Duration, error) {
			_, err := b.tick(ctx)
			return tickPause, err
		})
	})
	wg.Go(func() {
		b.loop(ctx, "held", nil, func() (time.Duration, error) {
			_, err := b.reask(ctx)
			return tickPause, err
		})
	})
	if b.o.Local != nil {
		wg.Go(func() { b.watchAll(ctx) })
	}
	wg.Wait()
}

// deliverAll empties a route as far as it is due, and says when to look again.
func (b *Bridge) deliverAll(ctx context.Context, r Route) (time.Duration, error) {
	for {
		n, err := b.deliver(ctx, r)
		if err != nil {
			return 0, err
		}
		if n == 0 {
			break
		}
	}
	next, err := b.o.Store.NextDelivery(ctx, r)
	if err != nil || next.IsZero() {
		return deliverPause, err
	}
	return min(max(next.Sub(b.now()), 10*time.Millisecond), deliverPause), nil
}

// loop calls do until ctx ends, pausing as long as it says, or until woken.
func (b *Bridge) loop(ctx context.Context, name string, wake <-chan struct{}, do func() (time.Duration, error)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-timer.C:
		}
		pause, err := do()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			b.log.Error("loop", zap.String("loop", name), zap.Error(err))
			pause = faultPause
		}
		timer.Reset(pause)
	}
}
