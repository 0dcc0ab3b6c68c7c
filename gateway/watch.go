package gateway

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

const watchBatch = 200

// watchAll follows the tables of all descriptions, each on its own, also of
// those that come later. It returns when ctx ends and all have settled.
func (b *Bridge) watchAll(ctx context.Context) {
	var wg sync.WaitGroup
	started := map[string]bool{}
	b.loop(ctx, "watch", b.renewed, func() (time.Duration, error) {
		for _, s := range b.set().Watched() {
			name := s.Name()
			if started[name] {
				continue
			}
			started[name] = true
			wg.Go(func() {
				b.loop(ctx, "watch "+name, nil, func() (time.Duration, error) {
					_, err := b.watch(ctx, name)
					return watchPause, err
				})
			})
		}
		return time.Minute, nil
	})
	wg.Wait()
}

// watch reads the status changes that a local system made, and carries them
// on. What the table of moves does not allow is told to the log and passed
// over: the local system is asked for nothing.
func (b *Bridge) watch(ctx context.Context, service string) (int, error) {
	if _, ok := b.set().Service(service); !ok {
		return 0, nil // taken away since
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
	who := Actor{Name: "local"}
	_, err := b.amend(ctx, c.Number, 0, func(d *draft) error {
		row, ok := d.service.StatusByLocal(c.Code) // of the edition it was filed under
		if !ok {
			return refuse(Malformed, "status", "the code is not in the table of statuses")
		}
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
