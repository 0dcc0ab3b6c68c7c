package gateway

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"kopir/gateway/failpoint"
)

// place is where a delivery goes that leaves as soon as it is written.
type place struct {
	lane     *lane
	ctx      context.Context
	way      *sync.WaitGroup
	delivery Delivery
}

// reserve takes a place for a delivery that is about to be written, if there is
// room and the peer answers.
func (l *lane) reserve(at time.Time) (place, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.way == nil || l.ctx.Err() != nil || l.fresh >= laneWidth {
		return place{}, false
	}
	if c, _, _, _ := l.breaker.state(at); c != Closed {
		return place{}, false
	}
	l.fresh++
	l.way.Add(1)
	return place{lane: l, ctx: l.ctx, way: l.way}, true
}

func (p *place) giveUp() {
	p.lane.mu.Lock()
	p.lane.fresh--
	p.lane.mu.Unlock()
	p.way.Done()
}

// reserve marks in a change that begins an application what can leave as soon as
// it is written: the first of each route whose lane has room. It is written as
// claimed already, which spares a transaction and the way through the queue.
// What is not marked waits for a claim.
func (b *Bridge) reserve(c *Change) (all []place) {
	if c.Application == nil || c.Application.Version != 1 {
		return nil // others of the application may be on their way
	}
	at, seen := b.steady(), map[Route]bool{}
	lease, err := b.o.Store.Lease(at, sendLease)
	if err != nil {
		return nil
	}
	for i := range c.Deliveries {
		d := &c.Deliveries[i]
		first, l := !seen[d.Route], b.lane(Lane{d.Route, d.Lane})
		seen[d.Route] = true
		if !first || d.State != Queued || l == nil || slices.Contains(b.o.Polled, d.Route) {
			continue
		}
		if p, ok := l.reserve(at); ok {
			d.Lease = lease
			p.delivery = *d
			p.delivery.Seq = 1
			all = append(all, p)
		}
	}
	return all
}

// leave sends on their way what was reserved for, when that was written. What
// may have been written, nobody knows, is not on its way: it waits for a claim.
func (b *Bridge) leave(all []place, err error) {
	if err == nil && len(all) > 0 {
		failpoint.Here(failpoint.Claimed)
	}
	for _, p := range all {
		switch {
		case err == nil:
			go func() {
				defer p.giveUp()
				b.carry(p.ctx, p.lane, p.delivery)
			}()
		case errors.Is(err, ErrUnsettled):
			go func() {
				defer p.giveUp()
				b.giveBackAtLast(p.ctx, p.delivery)
			}()
		default:
			p.giveUp()
		}
	}
}
