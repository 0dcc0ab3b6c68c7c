package gateway

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"kopir/gateway/failpoint"
)

// Lane is the part of a route that leads to one peer. Each has deliveries on
// their way, a time for each and a circuit breaker of its own, so that a peer
// that is slow or down holds up nobody else.
type Lane struct {
	Route Route
	// Receiver is the sender id of a partner with an address of its own; empty:
	// whoever else the route leads to.
	Receiver string
}

// String names the lane in logs and metrics.
func (l Lane) String() string {
	if l.Receiver == "" {
		return string(l.Route)
	}
	return string(l.Route) + "@" + l.Receiver
}

const (
	// laneWidth is how many claimed deliveries of a lane are on their way at once,
	// and as many again of those that leave as soon as they are written.
	laneWidth = 64
	// gather is how long a lane that is half full waits for more to end, so that
	// one transaction claims for all of them.
	gather = 10 * time.Millisecond
)

// lane is a Lane at work.
type lane struct {
	Lane
	wake    chan struct{}
	breaker breaker
	mu      sync.Mutex
	busy    int              // claimed deliveries on their way
	fresh   int              // those that were never claimed
	carried map[string]int64 // the leases of both, by id, while they are tried
	ctx     context.Context  // while it is driven
	way     *sync.WaitGroup  // all on their way; nil: it is not driven
	at      time.Time        // of the last claim
	tally   map[Outcome]uint64
	seconds seconds
}

func newLane(l Lane) *lane {
	longest := lastPause
	if l.Route == ToLocal {
		longest = localPause
	}
	return &lane{Lane: l, wake: make(chan struct{}, 1), breaker: breaker{name: l.String(), longest: longest}, carried: map[string]int64{}, tally: map[Outcome]uint64{}}
}

// laneOf is the receiver of the lane that a delivery goes by.
func (b *Bridge) laneOf(route Route, receiver string) string {
	if b.lane(Lane{route, receiver}) != nil {
		return receiver
	}
	return ""
}

// lane is the one at work of a name; nil: nobody serves it here.
func (b *Bridge) lane(name Lane) *lane {
	for _, l := range b.lanes() {
		if l.Lane == name {
			return l
		}
	}
	return nil
}

// take begins a try of a delivery. Where one is under way already, because the
// clock was set and its lease seemed to end, it goes on by the new lease, and
// no other begins.
func (l *lane) take(d *Delivery) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, already := l.carried[d.ID]
	l.carried[d.ID] = d.Lease
	return !already
}

// lease is that by which a try may be settled.
func (l *lane) lease(id string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.carried[id]
}

func (l *lane) put(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.carried, id)
}

// free is how many deliveries may be claimed now; in a while, because some are
// about to end.
func (l *lane) free(at time.Time) (n int, soon bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n = laneWidth - l.busy
	if n > 0 && n < laneWidth/2 && at.Sub(l.at) < gather && !at.Before(l.at) {
		return 0, true
	}
	if n = l.breaker.allow(at, n); n > 0 {
		l.at = at
	}
	return n, false
}

func (l *lane) begin(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy += n
}

func (l *lane) end() {
	l.mu.Lock()
	l.busy--
	l.mu.Unlock()
	rouse(l.wake)
}

// open lets deliveries leave on the lane as soon as they are written, until shut.
func (l *lane) open(ctx context.Context, way *sync.WaitGroup) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ctx, l.way = ctx, way
}

func (l *lane) shut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.way = nil
}

// drive carries what is due on a lane until ctx ends and all that is on its way
// has settled. One that takes long keeps its place and nobody else's.
func (b *Bridge) drive(ctx context.Context, l *lane) {
	var way sync.WaitGroup
	defer way.Wait()
	l.open(ctx, &way)
	defer l.shut()
	b.loop(ctx, "deliver "+l.String(), l.wake, func(b *Bridge) (time.Duration, error) {
		if slices.Contains(b.o.Polled, l.Route) {
			return deliverPause, nil // it is fetched
		}
		for {
			n, soon := l.free(b.steady())
			if soon {
				return gather, nil
			}
			if n == 0 {
				return b.whenFree(l), nil
			}
			got, err := b.launch(ctx, l, n, &way)
			if err != nil {
				return 0, err
			}
			if got < n {
				break
			}
		}
		next, err := b.o.Store.NextDelivery(ctx, l.Lane)
		if err != nil || next.IsZero() {
			return deliverPause, err
		}
		return min(max(next.Sub(b.steady()), 10*time.Millisecond), deliverPause), nil
	})
}

// whenFree is when a lane that may carry nothing looks again: at the end of its
// breaker's pause, or when something ends, which wakes it.
func (b *Bridge) whenFree(l *lane) time.Duration {
	now := b.steady()
	if c, _, until, _ := l.breaker.state(now); c == Open {
		return min(max(until.Sub(now), 10*time.Millisecond), deliverPause)
	}
	return deliverPause
}

// launch claims at most n deliveries and sends them on their way.
func (b *Bridge) launch(ctx context.Context, l *lane, n int, way *sync.WaitGroup) (int, error) {
	var batch []Delivery
	defer func() {
		if len(batch) == 0 { // also where the claim ran into a defect
			l.breaker.unused()
		}
	}()
	batch, err := b.o.Store.Claim(ctx, l.Lane, b.steady(), sendLease, n)
	if err != nil || len(batch) == 0 {
		return 0, err
	}
	failpoint.Here(failpoint.Claimed)
	l.begin(len(batch))
	for _, d := range batch {
		way.Go(func() {
			defer l.end()
			b.carry(ctx, l, d)
		})
	}
	return len(batch), nil
}

// learn tells the breaker of a lane how a try ended. When the peer is back,
// what waits for it need not wait on.
func (b *Bridge) learn(ctx context.Context, l *lane, failed error) {
	cause, code := Cause(""), ""
	if failed != nil {
		cause, code = blame(failed)
	}
	if cause.ofPeer() {
		if l.breaker.silent(b.steady(), askedPause(failed)) {
			b.log.Error("circuit open: the peer does not answer, and nothing is sent until it does", zap.Stringer("lane", l.Lane), zap.String("cause", string(cause)), zap.String("code", code), zap.Error(failed))
		}
		return
	}
	if cause == CauseDefect {
		l.breaker.unused() // that says nothing of the peer
		return
	}
	if !l.breaker.answered() {
		return
	}
	n, err := b.o.Store.Hasten(ctx, l.Lane, b.steady())
	if err != nil {
		b.log.Warn("what waited for a peer goes at its own times", zap.Stringer("lane", l.Lane), zap.Error(err))
	}
	b.log.Info("circuit closed: the peer answers again", zap.Stringer("lane", l.Lane), zap.Int64("due_at_once", n))
	rouse(l.wake)
}

// mend puts the lines of deliveries right from time to time.
func (b *Bridge) mend(ctx context.Context) (time.Duration, error) {
	ways := b.lanes()
	all := make([]Lane, len(ways))
	for i, l := range ways {
		all[i] = l.Lane
	}
	n, err := b.o.Store.MendLines(ctx, all)
	if n > 0 {
		b.log.Warn("deliveries that waited for nothing go on", zap.Int64("deliveries", n))
		for _, l := range ways {
			rouse(l.wake)
		}
	}
	return mendPause, err
}

// Outcome is how a try ended.
type Outcome string

// The outcomes of a try.
const (
	OutcomeDone   Outcome = "done"
	OutcomeFailed Outcome = "failed" // it is tried again
	OutcomeDead   Outcome = "dead"
)

// Outcomes is the closed list.
func Outcomes() []Outcome { return []Outcome{OutcomeDone, OutcomeFailed, OutcomeDead} }

// LaneState is a lane for those who look on.
type LaneState struct {
	Lane
	Circuit  Circuit
	Since    time.Time // of a circuit that is not closed
	Openings uint64
	Busy     int // deliveries on their way
	Tries    map[Outcome]uint64
	Seconds  Seconds // how long tries took
}

// Lanes tells how every way out stands in this process.
func (b *Bridge) Lanes() []LaneState {
	at := b.steady()
	var all []LaneState
	for _, l := range b.lanes() {
		s := LaneState{Lane: l.Lane, Tries: map[Outcome]uint64{}}
		s.Circuit, s.Since, _, s.Openings = l.breaker.state(at)
		l.mu.Lock()
		s.Busy, s.Seconds = l.busy+l.fresh, l.seconds.copy()
		for _, o := range Outcomes() {
			s.Tries[o] = l.tally[o]
		}
		l.mu.Unlock()
		all = append(all, s)
	}
	return all
}

func (l *lane) ended(o Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tally[o]++
}

func (l *lane) took(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seconds.add(d)
}

// SecondBounds are the upper bounds of Seconds.Buckets.
var SecondBounds = [...]float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// Seconds counts how long something took, cumulatively.
type Seconds struct {
	Count   uint64
	Sum     float64
	Buckets map[float64]uint64
}

type seconds struct {
	sum    float64
	counts [len(SecondBounds) + 1]uint64
}

func (s *seconds) add(d time.Duration) {
	v := d.Seconds()
	i, _ := slices.BinarySearch(SecondBounds[:], v)
	s.counts[i]++
	s.sum += v
}

func (s *seconds) copy() Seconds {
	out := Seconds{Sum: s.sum, Buckets: map[float64]uint64{}}
	for i, n := range s.counts {
		out.Count += n
		if i < len(SecondBounds) {
			out.Buckets[SecondBounds[i]] = out.Count
		}
	}
	return out
}
