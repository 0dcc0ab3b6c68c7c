package gateway

import (
	"context"
	"sync"
	"time"
)

// What the loops of Run do, one round at a time, for tests with a fixed clock.

func (b *Bridge) Tick(ctx context.Context) (int, error)               { return b.tick(ctx) }
func (b *Bridge) RecountAll(ctx context.Context) error                { return b.recountAll(ctx) }
func (b *Bridge) AlarmAll(ctx context.Context) (time.Duration, error) { return b.alarmAll(ctx) }
func (b *Bridge) Reask(ctx context.Context) (int, error)              { return b.reask(ctx) }
func (b *Bridge) Watch(ctx context.Context, service string) (int, error) {
	n, _, err := b.watchers.of(b, service).watch(ctx)
	return n, err
}

// Remembered is how many marked rows a watcher remembers as read.
func (b *Bridge) Remembered(service string) int {
	r := b.watchers.of(b, service).reread
	return len(r.seen) + len(r.last)
}

func (b *Bridge) RefreshCodes(ctx context.Context) error { return b.refreshCodes(ctx) }
func (b *Bridge) Deliver(ctx context.Context, r Route) (n int, err error) {
	for _, l := range b.lanes() {
		if l.Route != r {
			continue
		}
		var way sync.WaitGroup
		want, _ := l.free(b.now())
		if want > 0 {
			var got int
			got, err = b.launch(ctx, l, want, &way)
			n += got
		}
		way.Wait()
	}
	return n, err
}

// Driven says whether all lanes are at work.
func (b *Bridge) Driven() bool {
	for _, l := range b.lanes() {
		l.mu.Lock()
		way := l.way
		l.mu.Unlock()
		if way == nil {
			return false
		}
	}
	return true
}

func (b *Bridge) Stir(c Change) { b.stir(c) }

func (b *Bridge) MakeID() string    { return b.newID() }
func (b *Bridge) MakeToken() string { return b.newToken() }

var (
	RetryAfter   = retryAfter
	AskAfter     = askAfter
	FormatNumber = formatNumber
	FaultRows    = faultRows
	MessageKey   = messageKey
)

const (
	MaxRetry   = maxRetry
	WatchBatch = watchBatch
	WatchPause = watchPause
	WatchLate  = watchLate
)

// LaneWidth is how many deliveries of a lane are on their way at once.
const LaneWidth = laneWidth
