package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"

	"kopir/gateway"
	"kopir/gateway/journal"
	"kopir/gateway/store"
)

// line puts an application with so many deliveries on a route into the store,
// as an intake and what follows would.
func (w *town) line(number string, route gateway.Route, lane string, n int) {
	w.t.Helper()
	s, _ := w.set.Service(certificate)
	at := w.clock().UTC()
	c := gateway.Change{Application: &gateway.Application{Number: number, Service: s.ID, Edition: s.Edition, Channel: gateway.Portal, State: gateway.Received,
		ReceivedAt: at, ChangedAt: at, Version: 1, Sender: "PEP"}}
	for i := range n {
		id := fmt.Sprintf("%s-%s-%d", number, route, i+1)
		c.Deliveries = append(c.Deliveries, gateway.Delivery{ID: id, Application: number, Route: route, Lane: lane, Receiver: lane, State: gateway.Queued, Service: s.ID, Edition: s.Edition,
			Partner: "portal", MessageID: id, MessageDate: at, Body: []byte("<notice/>"), CreatedAt: at, Since: at, NextAt: at})
	}
	if err := w.store.Commit(context.Background(), c); err != nil {
		w.t.Fatal(err)
	}
	w.bridge.Stir(c)
}

// running starts the loops of the bridge; they end with the test, or before.
func (w *town) running() (end func()) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.bridge.Run(ctx) }()
	end = func() { stop(); <-done }
	w.t.Cleanup(end)
	return end
}

// eventually waits until something holds; it fails after far longer than that takes.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not seen: %s", what)
		}
	}
}

// slowPost is the partners' end where some messages get no answer until the
// test lets them, or their time is up.
type slowPost struct {
	hangs func(gateway.Delivery) bool
	let   chan struct{} // closed: what hangs is answered

	mu      sync.Mutex
	done    []string
	at      map[string]time.Time
	hanging int
}

func (p *slowPost) Send(ctx context.Context, d gateway.Delivery) (gateway.Receipt, error) {
	if p.hangs != nil && p.hangs(d) {
		p.mu.Lock()
		p.hanging++
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			return gateway.Receipt{}, &gateway.SendError{Unknown: true, Cause: gateway.CauseTimeout, Err: ctx.Err()}
		case <-p.let:
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = append(p.done, d.ID)
	if p.at != nil {
		p.at[d.ID] = time.Now()
	}
	return gateway.Receipt{MessageID: d.MessageID}, nil
}

func (p *slowPost) count(prefix string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range p.done {
		if strings.HasPrefix(id, prefix) {
			n++
		}
	}
	return n
}

// TestLeaseEndsEarly: where the clock is set while a message is on its way, its
// lease seems to have ended. It is not sent beside itself, and what comes of the
// try is written under the new lease.
func TestLeaseEndsEarly(t *testing.T) {
	w := newTown(t)
	p := &slowPost{hangs: func(gateway.Delivery) bool { return true }, let: make(chan struct{})}
	w.rewire(func(o *gateway.Options) { o.Sender = p })
	w.line("EARLY", gateway.ToPortal, "", 1)
	first := make(chan error, 1)
	go func() {
		_, err := w.bridge.Deliver(context.Background(), gateway.ToPortal)
		first <- err
	}()
	tried := func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.hanging
	}
	eventually(t, "it is on its way", func() bool { return tried() == 1 })
	if n, err := w.bridge.Deliver(t.Context(), gateway.ToPortal); n != 0 || err != nil {
		t.Fatal("it was claimed while its lease runs", n, err)
	}
	w.pass(10 * time.Minute)
	n, err := w.bridge.Deliver(t.Context(), gateway.ToPortal)
	if n != 1 || err != nil {
		t.Fatalf("%d claimed, as if the lease had not seemed to end: %v", n, err)
	}
	close(p.let)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	page, err := w.store.Deliveries(t.Context(), gateway.DeliveryFilter{}, "", 10)
	if err != nil || len(page.Deliveries) != 1 || page.Deliveries[0].State != gateway.Done || page.Deliveries[0].Tries != 1 || tried() != 1 {
		t.Errorf("%d sent: %+v %v", tried(), page.Deliveries, err)
	}
}

// A peer that does not answer holds up no other: neither another route, nor
// another partner of its own route, nor, while it answers others, the other
// messages to itself.
func TestOnePeerHangs(t *testing.T) {
	w := newTown(t)
	p := &slowPost{hangs: func(d gateway.Delivery) bool {
		return d.Lane == "SLOW" || d.Route == gateway.ToPortal && strings.HasPrefix(d.ID, "HANG")
	}}
	w.rewire(func(o *gateway.Options) {
		o.Sender, o.Now = p, nil
		o.Apart = []gateway.Lane{{Route: gateway.ToPortal, Receiver: "SLOW"}}
	})
	w.running()
	const many = 60
	for i := range gateway.LaneWidth + 4 {
		w.line(fmt.Sprintf("SLOW-%d", i), gateway.ToPortal, "SLOW", 1)
	}
	for i := range 3 {
		w.line(fmt.Sprintf("HANG-%d", i), gateway.ToPortal, "", 2)
	}
	eventually(t, "as many hang as a lane carries, and three of the other", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.hanging == gateway.LaneWidth+3
	})
	for i := range many {
		w.line(fmt.Sprintf("PORTAL-%d", i), gateway.ToPortal, "", 2)
		w.line(fmt.Sprintf("CSC-%d", i), gateway.ToCSC, "", 1)
	}
	eventually(t, "all others are delivered", func() bool { return p.count("PORTAL") == 2*many && p.count("CSC") == many })
	if n := p.count("SLOW") + p.count("HANG"); n != 0 {
		t.Errorf("%d of those that hang were delivered", n)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range many {
		first, second := slices.Index(p.done, fmt.Sprintf("PORTAL-%d-portal-1", i)), slices.Index(p.done, fmt.Sprintf("PORTAL-%d-portal-2", i))
		if first > second {
			t.Errorf("application %d: the second went first", i)
		}
	}
}

// A peer that is down costs few tries; while it is, one delivery a minute asks
// whether it is back; when it is, everything that waited goes at once, in order.
func TestPeerIsBack(t *testing.T) {
	w := newTown(t)
	down, tries := true, 0
	w.post.fail = func(d gateway.Delivery) error {
		if d.Route != gateway.ToPortal || !down {
			return nil
		}
		tries++
		return &gateway.SendError{Cause: gateway.CauseUnreachable, Err: errors.New("connection refused")}
	}
	const many = gateway.LaneWidth + 24
	for i := range many {
		w.line(fmt.Sprintf("A-%02d", i), gateway.ToPortal, "", 2)
	}
	w.deliver()
	if tries > gateway.LaneWidth {
		t.Errorf("%d tries before the circuit opened", tries)
	}
	if l := w.lane(gateway.ToPortal); l.Circuit != gateway.Open || l.Openings != 1 || !l.Since.Equal(w.clock()) {
		t.Errorf("%+v", l)
	}
	before := tries
	for range 60 {
		w.pass(time.Minute + 6*time.Second)
		w.deliver()
	}
	if n := tries - before; n < 30 || n > 60 {
		t.Errorf("%d tries within an hour", n)
	}
	down = false
	w.pass(time.Minute + 6*time.Second)
	w.deliver()
	if l := w.lane(gateway.ToPortal); l.Circuit != gateway.Closed {
		t.Errorf("%+v", l)
	}
	got := w.post.taken()
	if len(got) != 2*many {
		t.Fatalf("%d of %d are there", len(got), 2*many)
	}
	for i, d := range got {
		if d.Seq == 2 && !slices.ContainsFunc(got[:i], func(e gateway.Delivery) bool { return e.Application == d.Application }) {
			t.Errorf("%s: the second went first", d.Application)
		}
	}
}

func (w *town) lane(r gateway.Route) gateway.LaneState {
	for _, l := range w.bridge.Lanes() {
		if l.Route == r && l.Receiver == "" {
			return l
		}
	}
	w.t.Fatalf("no lane %s", r)
	return gateway.LaneState{}
}

// Messages that a peer refuses, or fails on with an answer, do not open the
// circuit: what others wait for still goes.
func TestPoisonOpensNothing(t *testing.T) {
	for _, bad := range []gateway.SendError{
		{Permanent: true, Cause: gateway.CauseRefused, Code: "SCE001", Err: errors.New("bad format")},
		{Cause: gateway.CauseFault, Code: "500", Err: errors.New("it fell over this one")},
		{Unknown: true, Cause: gateway.CauseUnreadable, Err: errors.New("garbage")},
	} {
		t.Run(string(bad.Cause), func(t *testing.T) {
			w := newTown(t)
			w.post.fail = func(d gateway.Delivery) error {
				if strings.HasPrefix(d.ID, "POISON") {
					return &bad
				}
				return nil
			}
			for i := range 25 {
				w.line(fmt.Sprintf("POISON-%02d", i), gateway.ToPortal, "", 2)
			}
			for i := range 5 {
				w.line(fmt.Sprintf("SOUND-%d", i), gateway.ToPortal, "", 2)
			}
			w.deliver()
			if got := w.post.taken(); len(got) != 10 {
				t.Errorf("%d of 10 sound ones were delivered", len(got))
			}
			if l := w.lane(gateway.ToPortal); l.Circuit != gateway.Closed {
				t.Errorf("%+v", l)
			}
		})
	}
}

// Dead letters are one group for one cause; the group is sent again or given up
// as a whole, with a preview that does nothing, each application's order kept,
// and who did it in the history and in the journal.
func TestDeadGroups(t *testing.T) {
	w := newTown(t)
	ctx := t.Context()
	ann := gateway.Actor{Name: "ann"}
	sound := false
	w.post.fail = func(d gateway.Delivery) error {
		code := "SCE001"
		if strings.HasPrefix(d.ID, "OTHER") {
			code = "this is no code but a sentence"
		}
		if sound {
			return nil
		}
		return &gateway.SendError{Permanent: true, Cause: gateway.CauseRefused, Code: code, Err: errors.New("refused")}
	}
	const many = 250 // more than are settled in one transaction
	for i := range many {
		w.line(fmt.Sprintf("A-%03d", i), gateway.ToPortal, "", 1+i%2)
	}
	w.line("OTHER-1", gateway.ToPortal, "", 1)
	w.deliver()
	groups := func() []gateway.DeadGroup {
		t.Helper()
		all, err := w.bridge.DeadGroups(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	all := groups()
	if len(all) != 2 || all[0].ID != "portal:refused:SCE001" || all[0].Count != many || all[0].Behind != many/2 || all[1].ID != "portal:refused:other" || all[1].Count != 1 {
		t.Fatalf("%+v", all)
	}
	w.pass(time.Hour)
	preview, err := w.bridge.SettleGroup(ctx, gateway.GroupSettlement{Group: all[0].ID, DryRun: true}, ann)
	if err != nil || preview.Count != many || preview.Left != many || preview.Behind != many/2 || len(preview.Deliveries) != 100 || !preview.DryRun {
		t.Fatalf("%+v %v", preview, err)
	}
	if again := groups(); !slices.Equal(again, all) {
		t.Errorf("the preview changed something: %+v", again)
	}
	for _, bad := range []gateway.GroupSettlement{{Group: "portal"}, {Group: "fax:refused:1"}, {Group: "portal:anger:1"}, {Group: "portal:refused:a b"}, {Group: all[0].ID, Drop: true}} {
		if _, err := w.bridge.SettleGroup(ctx, bad, ann); gateway.CodeOf(err) != gateway.Malformed {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	sound = true
	first, err := w.bridge.SettleGroup(ctx, gateway.GroupSettlement{Group: all[0].ID, Limit: 50}, ann)
	if err != nil || first.Count != 50 || first.Left != many-50 {
		t.Fatalf("%+v %v", first, err)
	}
	rest, err := w.bridge.SettleGroup(ctx, gateway.GroupSettlement{Group: all[0].ID, By: first.By}, ann)
	if err != nil || rest.Count != many-50 || rest.Left != 0 {
		t.Fatalf("%+v %v", rest, err)
	}
	w.deliver()
	if got := w.post.taken(); len(got) != many+many/2 {
		t.Errorf("%d of %d were delivered", len(got), many+many/2)
	}
	dropped, err := w.bridge.SettleGroup(ctx, gateway.GroupSettlement{Group: all[1].ID, Drop: true, Why: "told by letter"}, ann)
	if err != nil || dropped.Count != 1 {
		t.Fatalf("%+v %v", dropped, err)
	}
	if left := groups(); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
	events, err := w.store.Events(ctx, "OTHER-1")
	if err != nil || len(events) != 2 || events[1].Actor.Name != "ann" || !strings.Contains(events[1].Detail, "told by letter") {
		t.Errorf("%+v %v", events, err)
	}
	signed := 0
	if err := w.store.Journal(ctx, 0, "OTHER-1", func(l store.Link) error {
		r, err := journal.Read(l.Body)
		if err == nil && r.Who == "ann" {
			signed++
		}
		return err
	}); err != nil || signed != 1 {
		t.Errorf("%d records in her name, %v", signed, err)
	}
	if a, err := w.store.Audit(ctx); err != nil || len(a.Faults) > 0 {
		t.Errorf("%+v %v", a, err)
	}
}

// rewire makes the bridge anew with other options, on the real clock where
// there is no other.
func (w *town) rewire(change func(*gateway.Options)) {
	w.t.Helper()
	o := w.options(zapcore.NewNopCore())
	change(&o)
	if o.Now == nil {
		w.now = time.Now()
	}
	var err error
	if w.bridge, err = gateway.New(o); err != nil {
		w.t.Fatal(err)
	}
}
