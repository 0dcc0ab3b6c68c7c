package gateway

import (
	"context"

	"go.uber.org/zap"

	"kopir/signature/verdict"
)

// heldBatch is how many applications that wait are looked at in one round.
const heldBatch = 16

// reask judges held applications again, as of the time of their receipt, and
// moves on those that can be decided now. It gives how many it asked about.
func (b *Bridge) reask(ctx context.Context) (int, error) {
	held, err := b.o.Store.HeldBefore(ctx, b.now(), heldBatch)
	if err != nil {
		return 0, err
	}
	for _, h := range held {
		if err := b.askHeld(ctx, h); err != nil {
			if ctx.Err() != nil {
				return 0, ctx.Err()
			}
			b.log.Error("held application", zap.String("application", h.Application), zap.Error(err))
		}
	}
	return len(held), nil
}

func (b *Bridge) askHeld(ctx context.Context, h Hold) error {
	app, err := b.o.Store.Application(ctx, h.Application)
	if err != nil {
		return err
	}
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
