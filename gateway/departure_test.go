package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"kopir/gateway"
)

// counter is a store that counts what is claimed, and may fail to begin applications.
type counter struct {
	gateway.Store
	mu      sync.Mutex
	claimed int
	unsure  int
	fail    func(write func() error) error
}

func (s *counter) Claim(ctx context.Context, l gateway.Lane, at time.Time, lease time.Duration, limit int) ([]gateway.Delivery, error) {
	ds, err := s.Store.Claim(ctx, l, at, lease, limit)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claimed += len(ds)
	for _, d := range ds {
		if d.Unsure {
			s.unsure++
		}
	}
	return ds, err
}

func (s *counter) Commit(ctx context.Context, c gateway.Change) error {
	write := func() error { return s.Store.Commit(ctx, c) }
	s.mu.Lock()
	fail := s.fail
	s.mu.Unlock()
	if fail == nil || c.Application == nil || c.Application.Version != 1 {
		return write()
	}
	return fail(write)
}

func (s *counter) failing(fail func(write func() error) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

func (s *counter) counts() (claimed, unsure int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.claimed, s.unsure
}

// departures is a town whose loops run over a counter.
func departures(t *testing.T) (*town, *counter) {
	w := newTown(t)
	s := &counter{Store: w.store}
	w.rewire(func(o *gateway.Options) { o.Store = s })
	w.running()
	eventually(t, "all lanes are at work", w.bridge.Driven)
	return w, s
}

// filed says whether an application was taken.
func (w *town) filed(id string) bool {
	w.t.Helper()
	r := w.send(gateway.SyncDoor, w.envelope(syncRequest(id, w.document("portal", form("portal"), "citizen"), w.clock()), "portal"))
	return r.Code == ""
}

// delivered waits until nothing is on its way, and gives how many were delivered.
func (w *town) delivered() (n int) {
	w.t.Helper()
	eventually(w.t, "all are delivered", func() bool {
		p, err := w.store.Deliveries(context.Background(), gateway.DeliveryFilter{}, "", 500)
		if err != nil {
			w.t.Fatal(err)
		}
		n = 0
		for _, d := range p.Deliveries {
			if d.State == gateway.Done {
				n++
			}
		}
		return n == len(p.Deliveries)
	})
	return n
}

// What begins an application leaves without a claim; what follows it is claimed,
// in its order.
func TestLeavesAtOnce(t *testing.T) {
	w, s := departures(t)
	app, _ := w.apply("m-1")
	first := w.delivered()
	if n, _ := s.counts(); n != 0 || first == 0 {
		t.Errorf("%d of %d claimed", n, first)
	}
	w.complete(app.Number)
	all := w.delivered()
	if n, unsure := s.counts(); n != all-first || unsure != 0 {
		t.Errorf("of %d that followed, %d claimed, %d unsure", all-first, n, unsure)
	}
}

// What was not written goes nowhere, and takes no place from what is written later.
func TestLeavesNothingUnwritten(t *testing.T) {
	w, s := departures(t)
	s.failing(func(func() error) error { return errors.New("the disk is full") })
	for i := range gateway.LaneWidth + 1 {
		if w.filed(fmt.Sprintf("m-%d", i)) {
			t.Fatal("acknowledged")
		}
	}
	if n := w.delivered(); n != 0 {
		t.Errorf("%d delivered of what was not written", n)
	}
	s.failing(nil)
	if !w.filed("m-1") {
		t.Fatal("refused")
	}
	w.delivered()
	if n, _ := s.counts(); n != 0 {
		t.Errorf("%d claimed: no room", n)
	}
}

// What may have been written, nobody knows, waits for no lease and is not doubted:
// it was not on its way.
func TestLeavesWhenItIsKnown(t *testing.T) {
	w, s := departures(t)
	s.failing(func(write func() error) error {
		if err := write(); err != nil {
			return err
		}
		return gateway.ErrUnsettled
	})
	if w.filed("m-1") {
		t.Fatal("acknowledged")
	}
	all := w.delivered()
	if n, unsure := s.counts(); all == 0 || n != all || unsure != 0 {
		t.Errorf("of %d, %d claimed, %d unsure", all, n, unsure)
	}
}
