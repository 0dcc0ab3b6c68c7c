package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"

	"kopir/gateway"
)

// cut is a store that dies after so many commits.
type cut struct {
	gateway.Store
	left int
}

func (s *cut) Commit(ctx context.Context, c gateway.Change) error {
	if s.left--; s.left < 0 {
		return errors.New("the process is killed")
	}
	return s.Store.Commit(ctx, c)
}

// TestRecountIsCutOff: whenever a count dies, the next one finishes it, and
// each application is counted and told of once.
func TestRecountIsCutOff(t *testing.T) {
	set := otherCalendar(t, "{year: 2026, kurban_ait: [2026-05-28], extra: [2026-11-26]}")
	w := newTownOf(t, set)
	ctx := t.Context()
	const n = 12
	for i := range n {
		number := fmt.Sprintf("UC-2026-%06d", 100+i)
		if err := w.store.Commit(ctx, gateway.Change{
			Application: &gateway.Application{Number: number, Service: certificate, Edition: "2012-03-30-1-231", Channel: gateway.Portal, State: gateway.InProgress, Office: district, ReceivedAt: morning, Version: 1},
			Dues: []gateway.Due{{Application: number, Service: certificate, Channel: gateway.Portal, Office: district, Step: 6, Actor: "district-office", State: gateway.InProgress,
				StartedAt: morning, DueAt: morning.Add(33 * time.Hour)}}, // by the calendar without the day off
		}); err != nil {
			t.Fatal(err)
		}
	}
	store := &cut{Store: w.store}
	o := w.options(zapcore.NewNopCore())
	o.Store = store
	b, err := gateway.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, left := range []int{0, 1, 5} {
		store.left = left
		if err := b.RecountAll(ctx); gateway.CodeOf(err) != gateway.TryLater {
			t.Fatalf("with %d commits: %v", left, err)
		}
	}
	store.left = 1000
	for range 2 {
		if err := b.RecountAll(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if used := 1000 - store.left; used != n-6 {
		t.Errorf("%d were counted at last, want %d", used, n-6)
	}
	for _, a := range w.all() {
		if got := w.kinds(a.Number); got != "recounted" || w.local5(a.DueAt) != "2026-11-27 18:00" {
			t.Errorf("%s: due %s, history %s", a.Number, w.local5(a.DueAt), got)
		}
		p, err := w.store.Deliveries(ctx, gateway.DeliveryFilter{Application: a.Number, Route: gateway.ToPortal}, "", 10)
		if err != nil || len(p.Deliveries) != 1 {
			t.Errorf("%s: the portal is told %d times, %v", a.Number, len(p.Deliveries), err)
		}
	}
}
