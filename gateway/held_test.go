package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// unreadable is a store that cannot give some of what it has.
type unreadable struct {
	gateway.Store
	numbers map[string]bool
	hold    error // of a hold beside the others
}

func (s *unreadable) Application(ctx context.Context, number string) (*gateway.Application, error) {
	if s.numbers[number] {
		return nil, errors.New("the row does not read")
	}
	return s.Store.Application(ctx, number)
}

func (s *unreadable) HeldBefore(ctx context.Context, at time.Time, limit int) ([]gateway.Hold, error) {
	held, err := s.Store.HeldBefore(ctx, at, limit)
	return held, errors.Join(err, s.hold)
}

// A hold that does not read is told of and stops no other.
func TestAHoldThatDoesNotRead(t *testing.T) {
	w := newTown(t)
	w.hold(2)
	s := &unreadable{Store: w.store, hold: errors.New("a hold does not read")}
	w.rewire(func(o *gateway.Options) { o.Store = s })
	w.pass(time.Minute)
	if n, err := w.bridge.Reask(t.Context()); n != 2 || !errors.Is(err, s.hold) || w.in(gateway.Received) != 2 {
		t.Errorf("%d %v, %d received", n, err, w.in(gateway.Received))
	}
}

// hold lets so many applications be held, and gives their numbers.
func (w *town) hold(n int) (numbers []string) {
	w.t.Helper()
	w.lists.set(nil, w.keysOf([]string{"citizen"}))
	for i := range n {
		if !w.filed(fmt.Sprintf("m-%d", i)) {
			w.t.Fatal("not taken")
		}
		numbers = append(numbers, w.newest().Number)
	}
	w.lists.set(nil, nil)
	return numbers
}

// in is how many applications are in a state.
func (w *town) in(s gateway.State) (n int) {
	w.t.Helper()
	p, err := w.store.Applications(context.Background(), gateway.Filter{States: []gateway.State{s}}, "", 500)
	if err != nil {
		w.t.Fatal(err)
	}
	return len(p.Applications)
}

// Held applications that cannot be asked about do not stand before the others:
// each is put off for longer every time, and kept.
func TestPoisonAmongTheHeld(t *testing.T) {
	w := newTown(t)
	const round = 16
	numbers := w.hold(round + 4)
	s := &unreadable{Store: w.store, numbers: map[string]bool{}}
	for _, n := range numbers[:round] {
		s.numbers[n] = true
	}
	w.rewire(func(o *gateway.Options) { o.Store = s })
	w.pass(time.Minute)
	for i, want := range []int{round, 4, 0} {
		if n, err := w.bridge.Reask(t.Context()); n != want || err != nil {
			t.Fatalf("round %d: %d %v", i, n, err)
		}
	}
	if n := w.in(gateway.Received); n != 4 || w.bridge.Unasked() != round {
		t.Errorf("%d received, %d told", n, w.bridge.Unasked())
	}
	for i, pause := range []time.Duration{2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute} {
		w.pass(pause - time.Second)
		if n, err := w.bridge.Reask(t.Context()); n != 0 || err != nil {
			t.Errorf("before pause %d was over: %d %v", i, n, err)
		}
		w.pass(time.Second)
		if n, err := w.bridge.Reask(t.Context()); n != round || err != nil {
			t.Errorf("after pause %d: %d %v", i, n, err)
		}
	}
	clear(s.numbers)
	w.pass(15 * time.Minute)
	if n, err := w.bridge.Reask(t.Context()); n != round || err != nil || w.in(gateway.Held) != 0 || w.in(gateway.Received) != round+4 {
		t.Errorf("when it is mended: %d %v", n, err)
	}
}

// A held application that runs into a defect is put off and stays held; the
// others are decided.
func TestDefectInAHeldApplication(t *testing.T) {
	w := newTown(t)
	w.hold(3)
	faulty := &faultyLists{lists: w.lists}
	faulty.left.Store(1)
	w.verifier.Revocation = faulty
	w.pass(time.Minute)
	if n, err := w.bridge.Reask(t.Context()); n != 3 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	if w.in(gateway.Held) != 1 || w.in(gateway.Received) != 2 || w.bridge.Panics() != 1 || w.bridge.Unasked() != 1 {
		t.Errorf("%d held, %d panics", w.in(gateway.Held), w.bridge.Panics())
	}
	if n, err := w.bridge.Reask(t.Context()); n != 0 || err != nil {
		t.Errorf("not put off: %d %v", n, err)
	}
	w.pass(2 * time.Minute)
	if n, err := w.bridge.Reask(t.Context()); n != 1 || err != nil || w.in(gateway.Received) != 3 {
		t.Errorf("when it is mended: %d %v", n, err)
	}
}

// busyLists answer after a while, and see how many ask at once.
type busyLists struct {
	*lists
	mu       sync.Mutex
	now, top int
}

func (l *busyLists) Check(ctx context.Context, leaf, issuer *nuc.Certificate, at time.Time) verdict.Check {
	l.mu.Lock()
	l.now++
	l.top = max(l.top, l.now)
	l.mu.Unlock()
	time.Sleep(5 * time.Millisecond)
	l.mu.Lock()
	l.now--
	l.mu.Unlock()
	return l.lists.Check(ctx, leaf, issuer, at)
}

// When the revocation services are back, one round follows the other, each of
// several at once: a pause after each would take longer than this test waits.
func TestTheHeldDrain(t *testing.T) {
	w := newTown(t)
	const many = 128
	w.hold(many)
	busy := &busyLists{lists: w.lists}
	w.verifier.Revocation = busy
	w.pass(time.Minute)
	end := w.running()
	eventually(t, "all are decided", func() bool { return w.in(gateway.Held) == 0 })
	end()
	if n := w.in(gateway.Received); n != many || busy.top < 2 || busy.top > 16 {
		t.Errorf("%d of %d received, at most %d at once", n, many, busy.top)
	}
}
