package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"kopir/gateway"
)

func questionnaires(t *testing.T, s *Store) {
	for i := range 3 {
		commit(t, s, gateway.Change{Application: application(fmt.Sprintf("N-%d", i), t0), Offer: &gateway.Offer{Hash: fmt.Sprintf("h%d", i), Service: "svc", Channel: gateway.Portal}})
	}
	o, err := s.Offered(t.Context(), "h1")
	if err != nil || o.Service != "svc" || o.Channel != gateway.Portal {
		t.Errorf("%+v %v", o, err)
	}
	if _, err := s.Offered(t.Context(), "h9"); !errors.Is(err, gateway.ErrNotFound) {
		t.Error(err)
	}
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs { // the same link in many hands
		wg.Go(func() { errs[i] = s.Answer(context.Background(), "h0", "2026-11", map[string]int{"a": 3, "b": 1}) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, gateway.ErrNotFound):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("answered %d times", won)
	}
	if err := s.Answer(t.Context(), "h1", "2026-12", map[string]int{"a": 3, "b": 2}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Answers(t.Context())
	want := []gateway.AnswerCount{{Service: "svc", Channel: gateway.Portal, Question: "a", Answer: 3, Count: 2}, {Service: "svc", Channel: gateway.Portal, Question: "b", Answer: 1, Count: 1}, {Service: "svc", Channel: gateway.Portal, Question: "b", Answer: 2, Count: 1}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v %v", got, err)
	}
}
