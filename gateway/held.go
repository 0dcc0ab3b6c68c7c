package gateway

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"kopir/signature/verdict"
)

// heldBatch is how many applications that wait are looked at in one round, at
// once but for the first: their documents are in memory meanwhile.
const heldBatch = 16

// reaskAll goes on as long as more are waiting than one round takes.
func (b *Bridge) reaskAll(ctx context.Context) (time.Duration, error) {
	n, err := b.reask(ctx)
	if n == heldBatch {
		return 0, err
	}
	return tickPause, err
}

// reask judges held applications again, as of the time of their receipt, and
// moves on those that can be decided now. It gives how many it asked about.
func (b *Bridge) reask(ctx context.Context) (int, error) {
	held, unread := b.o.Store.HeldBefore(ctx, b.now(), heldBatch)
	faults := make([]error, len(held))
	var all sync.WaitGroup
	for i, h := range held {
		one := func() {
			about := zap.String("application", h.Application)
			if err := b.guard(func() error { return b.askHeld(ctx, h) }, about); err != nil && ctx.Err() == nil {
				faults[i] = b.putOff(ctx, h, err)
			}
		}
		if i == 0 { // one finds out whether an address answers again; others meanwhile would not be asked about
			one()
		} else {
			all.Go(one)
		}
	}
	all.Wait()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	for _, err := range faults {
		if err != nil {
			return len(held), err
		}
	}
	return len(held), unread
}

// putOff lets others go before one that cannot be asked about: it stays held, and
// is asked about again.
func (b *Bridge) putOff(ctx context.Context, h Hold, failed error) error {
	h.Tries++
	h.NextAt = b.now().UTC().Add(askAfter(h.Tries))
	if err := b.o.Store.Commit(ctx, Change{Hold: &h}); err != nil {
		return err
	}
	b.unasked.Add(1)
	b.log.Error("held application cannot be asked about", zap.String("application", h.Application), zap.Int("tries", h.Tries), zap.Time("next", h.NextAt), zap.Error(failed))
	return nil
}

// Unasked is how often a held application could not be asked about since the start.
func (b *Bridge) Unasked() uint64 { return b.unasked.Load() }

func (b *Bridge) askHeld(ctx context.Context, h Hold) (err error) {
	app, err := b.o.Store.Application(ctx, h.Application)
	if err != nil {
		return err
	}
	ctx, span := b.continued(ctx, app.Trace, "judge again", trace.WithAttributes(attribute.String("kopir.application", h.Application), attribute.Int("kopir.try", h.Tries+1)))
	defer func() { failed(span, err); span.End() }()
	s, err := b.described(app)
	if err != nil {
		return err
	}
	p, err := reopen(s, app.Channel, h.Since, h.Document, app.MessageID)
	if err != nil {
		return err
	}
	j, err := b.judge(ctx, p)
	if err != nil {
		return err
	}
	if j.held != verdict.None {
		span.SetAttributes(attribute.String("kopir.outcome", "held"))
		h.Tries++
		h.NextAt, h.Reason = b.now().UTC().Add(askAfter(h.Tries)), j.held
		b.log.Warn("still held", zap.String("application", h.Application), zap.Int("tries", h.Tries), zap.String("reason", string(h.Reason)), zap.String("detail", detail(j.verdict)), keptTraceID(app.Trace))
		return b.o.Store.Commit(ctx, Change{Hold: &h})
	}
	_, err = b.amend(ctx, h.Application, 0, func(d *draft) error {
		d.change.Release = h.Application
		d.change.Evidence = append(d.change.Evidence, b.evidence(ByPerson, d.at, j.verdict))
		if d.app.State != Held {
			return nil // a person or another hand was faster
		}
		if j.ground != nil {
			d.app.Refusal = j.ground
			return d.enter(Refused, Actor{Name: "intake"})
		}
		d.fill(j)
		d.remark(j)
		d.drifted(p, j, d.app.Sender)
		return d.enter(Received, Actor{Name: "intake"})
	})
	return err
}
