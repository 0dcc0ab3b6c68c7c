package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// faultyStore runs into a defect where a test says so.
type faultyStore struct {
	gateway.Store
	claim  func()
	commit func(gateway.Change)
}

func (s *faultyStore) Claim(ctx context.Context, l gateway.Lane, at time.Time, lease time.Duration, limit int) ([]gateway.Delivery, error) {
	if s.claim != nil {
		s.claim()
	}
	return s.Store.Claim(ctx, l, at, lease, limit)
}

func (s *faultyStore) Commit(ctx context.Context, c gateway.Change) error {
	if s.commit != nil {
		s.commit(c)
	}
	return s.Store.Commit(ctx, c)
}

// faultyLists run into a defect as often as a test says.
type faultyLists struct {
	*lists
	left atomic.Int64
}

func (l *faultyLists) Check(ctx context.Context, leaf, issuer *nuc.Certificate, at time.Time) verdict.Check {
	if l.left.Add(-1) >= 0 {
		panic("asked for something that is not there")
	}
	return l.lists.Check(ctx, leaf, issuer, at)
}

// A delivery that runs into a defect fails like any other, and ends at a person;
// the others go. Nobody knows whether it arrived.
func TestDefectInADelivery(t *testing.T) {
	w := newTown(t)
	var poison, unsure int
	w.post.fail = func(d gateway.Delivery) error {
		if d.Application == "POISON" {
			if poison++; d.Unsure {
				unsure++
			}
			var nobody *gateway.Delivery
			_ = nobody.ID
		}
		return nil
	}
	w.line("POISON", gateway.ToPortal, "", 1)
	for i := range 5 {
		w.line(fmt.Sprintf("SOUND-%d", i), gateway.ToPortal, "", 2)
	}
	w.deliver()
	if n := len(w.post.taken()); n != 10 {
		t.Errorf("%d of 10 sound ones were delivered", n)
	}
	for range 80 {
		w.pass(time.Hour + 10*time.Minute)
		w.deliver()
	}
	p, err := w.bridge.Deliveries(t.Context(), gateway.DeliveryFilter{Application: "POISON"}, "", 2)
	if err != nil || len(p.Deliveries) != 1 {
		t.Fatalf("%+v %v", p, err)
	}
	if d := p.Deliveries[0]; d.State != gateway.Dead || d.Cause != gateway.CauseDefect || !d.Unsure || strings.Contains(d.Error, "nil pointer") || unsure != poison-1 {
		t.Errorf("%d tries, %d of them unsure: %+v", poison, unsure, d)
	}
	logged := w.logs.FilterMessage("panic").All()
	if n := w.bridge.Panics(); n == 0 || int(n) != poison || len(logged) != poison || !strings.Contains(fmt.Sprint(logged[0].ContextMap()["stack"]), "defect_test.go") {
		t.Errorf("%d tries, %d counted, %d told", poison, n, len(logged))
	}
	if l := w.lane(gateway.ToPortal); l.Circuit != gateway.Closed {
		t.Errorf("%+v", l)
	}
}

// An answer that trips what follows from it leaves a failed try, and is asked for again.
func TestDefectInWhatFollows(t *testing.T) {
	w := newTown(t)
	s := &faultyStore{Store: w.store}
	w.rewire(func(o *gateway.Options) { o.Store = s })
	s.commit = func(c gateway.Change) {
		for _, e := range c.Evidence {
			if e.Kind == gateway.ByRegistry {
				panic("an answer that nobody thought of")
			}
		}
	}
	p := syncRequest("m-1", w.document("csc", form("csc"), "operator"), w.clock())
	p.RequestInfo.Sender.SenderID = "CON"
	if r := w.send(gateway.SyncDoor, w.envelope(p, "csc")); r.Code != "" {
		t.Fatalf("%s", r.Bytes)
	}
	question := func() gateway.Delivery {
		t.Helper()
		w.deliver()
		p, err := w.bridge.Deliveries(t.Context(), gateway.DeliveryFilter{Route: gateway.ToPersons}, "", 2)
		if err != nil || len(p.Deliveries) != 1 {
			t.Fatalf("%+v %v", p, err)
		}
		return p.Deliveries[0]
	}
	if d := question(); d.State != gateway.Queued || d.Cause != gateway.CauseDefect || d.Tries != 1 || w.bridge.Panics() != 1 {
		t.Errorf("%+v", d)
	}
	s.commit = nil
	w.pass(time.Minute)
	if d := question(); d.State != gateway.Done {
		t.Errorf("when it is mended: %+v", d)
	}
}

// A loop that runs into a defect goes on after a pause.
func TestDefectInALoop(t *testing.T) {
	w := newTown(t)
	s := &faultyStore{Store: w.store}
	var left atomic.Int64
	left.Store(5)
	s.claim = func() {
		if left.Add(-1) >= 0 {
			panic("an index out of its range")
		}
	}
	w.rewire(func(o *gateway.Options) { o.Store = s })
	w.line("A", gateway.ToPortal, "", 2)
	w.running()
	w.delivered()
	if n := w.bridge.Panics(); n != 5 {
		t.Errorf("%d counted", n)
	}
}

// A status of the local database that trips a defect stops no other.
func TestDefectInAWatchedRow(t *testing.T) {
	w := newTown(t)
	s := &faultyStore{Store: w.store}
	w.rewire(func(o *gateway.Options) { o.Store = s })
	first, _ := w.apply("m-1")
	w.filed("m-2")
	w.deliver()
	w.localSQL(t, "UPDATE unemployed_certificate SET status_code = '20', status_changed_at = ?", w.clock().UTC().Format(time.RFC3339))
	s.commit = func(c gateway.Change) {
		if c.Application != nil && c.Application.Number == first.Number {
			panic("a status that nobody thought of")
		}
	}
	if _, err := w.bridge.Watch(t.Context(), certificate); err != nil {
		t.Fatal(err)
	}
	for _, a := range w.all() {
		if (a.State == gateway.InProgress) == (a.Number == first.Number) {
			t.Errorf("%s is %s", a.Number, a.State)
		}
	}
	if n := w.bridge.Panics(); n != 1 {
		t.Errorf("%d counted", n)
	}
}

// A fetched message that trips a defect comes again; no server stands before it.
func TestDefectInAFetchedMessage(t *testing.T) {
	w := newTown(t)
	faulty := &faultyLists{lists: w.lists}
	faulty.left.Store(1)
	w.verifier.Revocation = faulty
	answer := w.fetchable("portal", asyncRequest("216386080", w.document("portal", form("portal"), "citizen"), w.clock()))
	if c := w.bridge.Fetched(t.Context(), answer, "216386080"); c.Refused == nil || !c.Resend || c.Refused.ErrorCode != string(gateway.Internal) {
		t.Errorf("%+v", c)
	}
	if c := w.bridge.Fetched(t.Context(), answer, "216386080"); c.Refused != nil {
		t.Errorf("when it is mended: %+v", c.Refused)
	}
	w.only()
}
