package gateway

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Pauses of the loops when nothing wakes them.
const (
	deliverPause = 5 * time.Second
	watchPause   = 2 * time.Second
	tickPause    = 5 * time.Second
	codesPause   = 10 * time.Minute
	recountPause = time.Hour   // another node may have another calendar, or have died while it counted
	mendPause    = time.Minute // while bridges of two versions run, the older one leaves marks out
	faultPause   = time.Second // after an error of our own: the store may be back
)

// faultsTold is how often the same error of a loop comes before it is told
// again: about every ten minutes.
const faultsTold = 600

// Run keeps everything going that no caller waits for: deliveries, each peer's
// on their own (lane.go); and, in one of the
// processes on the store, due times, held applications and the local database.
// It returns when ctx ends and everything under way has settled.
func (b *Bridge) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { b.beat(ctx) })
	wg.Go(func() {
		b.loop(ctx, "clock", nil, func(b *Bridge) (time.Duration, error) {
			b.keeper.check(ctx) // what it finds, it tells itself
			return tickPause, nil
		})
	})
	wg.Go(func() { b.driveAll(ctx) })
	if b.o.Local != nil {
		wg.Go(func() {
			b.loop(ctx, "code lists", nil, func(b *Bridge) (time.Duration, error) { return codesPause, b.refreshCodes(ctx) })
		})
	}
	wg.Go(func() { b.WhileLeading(ctx, "loops", b.lead) })
	wg.Wait()
}

// lead keeps going what one process does for all.
func (b *Bridge) lead(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() {
		b.loop(ctx, "due times", nil, func(b *Bridge) (time.Duration, error) { return b.alarmAll(ctx) })
	})
	wg.Go(func() {
		b.loop(ctx, "calendar", b.recounts, func(b *Bridge) (time.Duration, error) { return recountPause, b.recountAll(ctx) })
	})
	wg.Go(func() {
		b.loop(ctx, "lines", nil, func(b *Bridge) (time.Duration, error) { return b.mend(ctx) })
	})
	wg.Go(func() {
		b.loop(ctx, "held", nil, func(b *Bridge) (time.Duration, error) { return b.reaskAll(ctx) })
	})
	wg.Go(func() {
		b.loop(ctx, "nonces", nil, func(b *Bridge) (time.Duration, error) { return b.forgetNonces(ctx) })
	})
	if b.o.Local != nil {
		wg.Go(func() { b.watchAll(ctx) })
		wg.Go(func() { b.o.Local.Listen(ctx, b.watchers.rouse) })
	}
	wg.Wait()
}

// driveAll carries what is due on all lanes, also on those that are opened later.
func (b *Bridge) driveAll(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for driven := 0; ; {
		for _, l := range b.lanes()[driven:] {
			wg.Go(func() { b.drive(ctx, l) })
			driven++
		}
		select {
		case <-ctx.Done():
			return
		case <-b.opened:
		}
	}
}

// loop calls do until ctx ends, pausing as long as it says, or until woken. Each
// round is under the latest terms.
func (b *Bridge) loop(ctx context.Context, name string, wake <-chan struct{}, do func(b *Bridge) (time.Duration, error)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	told, times := "", 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-timer.C:
		}
		pause := time.Duration(0)
		err := b.guard(func() (err error) {
			pause, err = do(b.Latest())
			return err
		}, zap.String("loop", name))
		if ctx.Err() != nil {
			return
		}
		switch {
		case err != nil:
			if times++; err.Error() != told || times%faultsTold == 0 {
				b.log.Error("loop", zap.String("loop", name), zap.Int("times", times), zap.Error(err))
			}
			told, pause = err.Error(), faultPause
		case told != "":
			b.log.Info("loop goes on", zap.String("loop", name), zap.Int("times_failed", times))
			told, times = "", 0
		}
		timer.Reset(pause)
	}
}
