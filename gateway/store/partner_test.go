package store

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"kopir/gateway"
)

func nonces(t *testing.T, s *Store) {
	spend := func(key, nonce string) error { return s.Spend(t.Context(), key, nonce, t0.Add(time.Minute)) }
	for _, c := range []struct {
		key, nonce string
		used       bool
	}{{"a", "1", false}, {"a", "1", true}, {"b", "1", false}, {"a", "2", false}, {"a", "2", true}} {
		if err := spend(c.key, c.nonce); errors.Is(err, gateway.ErrDuplicate) != c.used || err != nil && !c.used {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if err := s.ForgetSpent(t.Context(), t0.Add(30*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := spend("a", "1"); !errors.Is(err, gateway.ErrDuplicate) {
		t.Errorf("forgotten before its time: %v", err)
	}
	if err := s.ForgetSpent(t.Context(), t0.Add(2*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := spend("a", "1"); err != nil {
		t.Errorf("not forgotten: %v", err)
	}
	// One of many at once.
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for range 20 {
		wg.Go(func() {
			if spend("c", "1") == nil {
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d spent the same nonce", won)
	}
}

func noticePlaces(t *testing.T, s *Store) {
	put := func(i int, receiver string, listed bool) {
		t.Helper()
		number := fmt.Sprintf("N-%d", i)
		commit(t, s, gateway.Change{Deliveries: []gateway.Delivery{{
			ID: fmt.Sprintf("d-%d-%s", i, receiver), Application: number, Route: gateway.ToPortal, State: gateway.Done, MessageID: fmt.Sprint(i), CreatedAt: t0, NextAt: t0,
			Receiver: receiver, Listed: listed, Body: []byte(number),
		}}})
	}
	for i := range 5 {
		put(i, "A", true)
		put(i, "B", i%2 == 0)
	}
	var seen []string
	for after := int64(0); ; {
		page, err := s.Noticed(t.Context(), "A", after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, d := range page {
			if d.Place != after+1 {
				t.Errorf("place %d follows %d", d.Place, after)
			}
			after = d.Place
			seen = append(seen, string(d.Body))
		}
	}
	if fmt.Sprint(seen) != "[N-0 N-1 N-2 N-3 N-4]" {
		t.Errorf("%v", seen)
	}
	if page, err := s.Noticed(t.Context(), "B", 0, 10); err != nil || len(page) != 3 {
		t.Errorf("B has %d, %v", len(page), err)
	}
	// Each partner of a route sees what is its own, or nobody's.
	put(9, "", false)
	if page, err := s.Deliveries(t.Context(), gateway.DeliveryFilter{Route: gateway.ToPortal, Receiver: "B"}, "", 50); err != nil || len(page.Deliveries) != 6 {
		t.Errorf("%d deliveries, %v", len(page.Deliveries), err)
	}
	// Many at once have places without gaps that all can see.
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() { put(100+i, "C", true) })
	}
	wg.Wait()
	page, err := s.Noticed(t.Context(), "C", 0, 50)
	if err != nil || len(page) != 20 || page[19].Place != 20 {
		t.Errorf("%d notices, %v", len(page), err)
	}
}
