package gateway

import (
	"context"

	"go.uber.org/zap"
)

const watchBatch = 200

// watch reads the status changes that a local system made, and carries them
// on. What the table of moves does not allow is told to the log and passed
// over: the local system is asked for nothing.
func (b *Bridge) watch(ctx context.Context, service string) (int, error) {
	s, ok := b.o.Services.Service(service)
	if !ok || s.Local.Status.Changed == "" {
		return 0, nil
	}
	mark := "watch/" + service
	from, err := b.o.Store.Mark(ctx, mark)
	if err != nil {
		return 0, err
	}
	changes, next, err := b.o.Local.Changes(ctx, service, from, watchBatch)
	if err != nil {
		return 0, err
	}
	for _, c := range changes {
		err := b.follow(ctx, c)
		switch {
		case err == nil:
		case CodeOf(err) == TryLater || ctx.Err() != nil:
			return 0, err // read again from the same mark
		default:
			b.log.Warn("status of the local database not taken over", zap.String("application", c.Number), zap.String("local_code", c.Code), zap.Error(err))
		}
	}
	if next != from {
		if err := b.o.Store.SetMark(ctx, mark, next); err != nil {
			return 0, err
		}
	}
	return len(changes), nil
}

// follow makes one change of the local database ours.
func (b *Bridge) follow(ctx context.Context, c LocalChange) error {
	s, ok := b.o.Services.Service(c.Service)
	if !ok {
		return refuse(UnknownService, "service", "the description of the service is not loaded")
	}
	row, ok := s.StatusByLocal(c.Code)
	if !ok {
		return refuse(Malformed, "status", "the code is not in the table of statuses")
	}
	who := Actor{Name: "local"}
	_, err := b.amend(ctx, c.Number, 0, func(d *draft) error {
		to := State(row.State)
		if d.app.State == to {
			return nil
		}
		d.quiet = true
		switch to {
		case Refused:
			g, err := d.decided(&Ground{Text: c.Reason})
			if err != nil {
				return err
			}
			d.app.Refusal = g
		case InProgress:
			d.app.Executor = who
		case Completed:
			// The portal would tell the citizen of a result that is not there.
			if d.app.Result == nil {
				return refuse(MoveNotAllowed, "status", "an application is completed through the bridge: its signed result must be handed in")
			}
		case Extended:
			return refuse(MoveNotAllowed, "status", "a term is extended through the bridge: the new end and the reason must be told")
		}
		return d.enter(to, who)
	})
	return err
}
