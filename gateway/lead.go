package gateway

import (
	"context"
	"time"

	"go.uber.org/zap"

	"kopir/gateway/failpoint"
)

const (
	beatPause = 5 * time.Second
	leadFor   = 15 * time.Second // a leader that died is followed after that
)

// WhileLeading runs do in the one process of those on the store that leads
// under this name, with a context that ends when it leads no more, and runs it
// again when it leads again, or when do runs into a defect. It returns when ctx has ended and do with it.
//
// A leader that is paused and wakes up late may finish a step that its
// successor does too: what do does must stand being done twice. Versions of
// applications, ids of messages and leases of deliveries see to that.
func (b *Bridge) WhileLeading(ctx context.Context, name string, do func(context.Context)) {
	var stop func() // ends do and waits for it; nil while another leads
	halt := func() {
		if stop != nil {
			stop()
			stop = nil
		}
	}
	defer func() {
		halt()
		if err := b.o.Store.Resign(context.WithoutCancel(ctx), name); err != nil {
			b.log.Warn("not resigned; another leads when the time is up", zap.String("leads", name), zap.Error(err))
		}
	}()
	var until time.Time
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		asked := time.Now()
		leads, err := b.o.Store.Lead(ctx, name, leadFor)
		switch {
		case err == nil && leads:
			until = asked.Add(leadFor)
		case err == nil:
			until = time.Time{}
		case ctx.Err() == nil:
			b.log.Warn("leading not prolonged", zap.String("leads", name), zap.Error(err))
		}
		switch leading := time.Now().Add(leadFor / 3).Before(until); { // with time to end before another begins
		case !leading:
			halt()
		case stop == nil:
			failpoint.Here(failpoint.LeadTaken)
			term, end := context.WithCancel(ctx)
			done := make(chan struct{})
			stop = func() { end(); <-done }
			go func() { defer close(done); b.Keep(term, name, do) }()
		}
		timer.Reset(leadFor / 5)
	}
}

// beat keeps telling the other processes that this one lives.
func (b *Bridge) beat(ctx context.Context) {
	b.loop(ctx, "beat", nil, func(b *Bridge) (time.Duration, error) {
		freed, err := b.o.Store.Beat(ctx)
		if freed > 0 {
			b.log.Warn("deliveries of a process that fell silent are sent again", zap.Int64("deliveries", freed))
		}
		return beatPause, err
	})
}
