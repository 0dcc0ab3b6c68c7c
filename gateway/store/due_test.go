package store

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kopir/gateway"
)

// due is a term of an application that is there too.
func due(t *testing.T, s *Store, number, office string, step int, after time.Duration) gateway.Due {
	t.Helper()
	d := gateway.Due{Application: number, Service: "svc", Channel: gateway.Portal, Office: office, Step: step, State: gateway.Received, StartedAt: t0, DueAt: t0.Add(after)}
	a := application(number, t0)
	a.Office, a.DueAt = office, d.DueAt
	commit(t, s, gateway.Change{Application: a, Dues: []gateway.Due{d}})
	return d
}

// fire gives what was told as "step kind".
func fire(t *testing.T, s *Store, after time.Duration) (got []string) {
	t.Helper()
	at := t0.Add(after)
	_, err := s.Fire(t.Context(), at, 100, func(d gateway.Due) gateway.Event {
		e := gateway.Event{Application: d.Application, At: at, Kind: gateway.EventWarning}
		if !d.OverdueAt.IsZero() {
			e.Kind = gateway.EventOverdue
		}
		got = append(got, fmt.Sprintf("%d %s", d.Step, e.Kind))
		return e
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func told(t *testing.T, s *Store) {
	d := due(t, s, "A", "o", 5, time.Hour)
	d.WarnAt = t0.Add(time.Minute)
	commit(t, s, gateway.Change{Dues: []gateway.Due{d}})
	due(t, s, "B", "o", 6, 3*time.Hour)
	next := func(want time.Duration) {
		t.Helper()
		if at, err := s.NextDue(t.Context()); err != nil || !at.Equal(t0.Add(want)) {
			t.Errorf("next %v, %v", at, err)
		}
	}
	for _, k := range []struct {
		after time.Duration
		want  []string
	}{
		{0, nil}, {time.Minute, []string{"5 warning"}}, {59 * time.Minute, nil}, {time.Hour, []string{"5 overdue"}}, {2 * time.Hour, nil},
		{4 * time.Hour, []string{"6 overdue"}}, {5 * time.Hour, nil},
	} {
		if got := fire(t, s, k.after); !slices.Equal(got, k.want) {
			t.Errorf("after %v: %v, want %v", k.after, got, k.want)
		}
		if k.after == time.Minute {
			next(time.Hour)
		}
	}
	if at, err := s.NextDue(t.Context()); err != nil || !at.IsZero() {
		t.Errorf("something is left to say at %v, %v", at, err)
	}
	events, err := s.Events(t.Context(), "A")
	if err != nil || len(events) != 2 || events[0].Kind != gateway.EventWarning || events[1].Kind != gateway.EventOverdue || events[1].Seq != 2 {
		t.Errorf("history %+v, %v", events, err)
	}
	kept, err := s.Dues(t.Context(), "A")
	if err != nil || len(kept) != 1 || !kept[0].WarnedAt.Equal(t0.Add(time.Minute)) || !kept[0].OverdueAt.Equal(t0.Add(time.Hour)) {
		t.Errorf("marks %+v, %v", kept, err)
	}

	// Several that look at once find each once.
	for i := range 50 {
		due(t, s, fmt.Sprintf("C%02d", i), "o", 7, 10*time.Hour)
	}
	var wg sync.WaitGroup
	found := make([]int, 4)
	for i := range found {
		wg.Go(func() {
			for {
				got, err := s.Fire(t.Context(), t0.Add(11*time.Hour), 7, func(d gateway.Due) gateway.Event {
					return gateway.Event{Application: d.Application, Kind: gateway.EventOverdue}
				})
				if err != nil {
					t.Error(err)
					return
				}
				if len(got) == 0 {
					return
				}
				found[i] += len(got)
			}
		})
	}
	wg.Wait()
	if a := audit(t, s); len(a.Faults) > 0 || a.Rows == 0 {
		t.Errorf("what was told is not as the journal has it: %+v", a)
	}
	if n := found[0] + found[1] + found[2] + found[3]; n != 50 {
		t.Errorf("%d of 50 were found: %v", n, found)
	}
}

// What is left of a spoilt term are its columns: enough that its end is not missed.
func spoiltDue(t *testing.T, s *Store) {
	d := due(t, s, "A", "o", 5, time.Hour)
	due(t, s, "B", "o", 6, 2*time.Hour)
	tamper(t, s, `UPDATE dues SET body = '{"step":' WHERE application = 'A'`)
	numbers := func(all []gateway.Due) (numbers []string) {
		for _, d := range all {
			numbers = append(numbers, d.Application)
		}
		return numbers
	}
	both := []string{"A", "B"}
	page, err := s.OpenDues(t.Context(), gateway.DueFilter{Now: t0}, "", 10)
	if err != nil || !slices.Equal(numbers(page.Dues), both) || !page.Dues[0].DueAt.Equal(d.DueAt) || page.Dues[0].Office != "o" {
		t.Errorf("listed: %+v, %v", page.Dues, err)
	}
	if all, err := s.DuesAfter(t.Context(), "", 10); err != nil || !slices.Equal(numbers(all), both) {
		t.Errorf("counted again: %v, %v", all, err)
	}
	if _, err := s.Dues(t.Context(), "A"); err == nil || !strings.Contains(err.Error(), "term 5 of A") {
		t.Errorf("read to be written again: %v", err)
	}
	tell := func(d gateway.Due) gateway.Event {
		return gateway.Event{Application: d.Application, Kind: gateway.EventOverdue}
	}
	if got, err := s.Fire(t.Context(), t0.Add(3*time.Hour), 10, tell); err == nil || !strings.Contains(err.Error(), "term 5 of A") || !slices.Equal(numbers(got), both) || got[0].OverdueAt.IsZero() {
		t.Errorf("told of %v, %v", got, err)
	}
	if got, err := s.Fire(t.Context(), t0.Add(3*time.Hour), 10, tell); err != nil || len(got) > 0 {
		t.Errorf("told twice: %v, %v", got, err)
	}
	if events, err := s.Events(t.Context(), "A"); err != nil || len(events) != 1 {
		t.Errorf("history %v, %v", events, err)
	}
}

// A change that was made on what stood before Fire does not undo its mark; one
// that moves the end does.
func staysTold(t *testing.T, s *Store) {
	d := due(t, s, "A", "o", 5, time.Hour)
	if got := fire(t, s, 2*time.Hour); len(got) != 1 {
		t.Fatal(got)
	}
	d.Extended = 1 // anything but the end
	commit(t, s, gateway.Change{Dues: []gateway.Due{d}})
	if got := fire(t, s, 2*time.Hour); got != nil {
		t.Errorf("told twice: %v", got)
	}
	if kept, _ := s.Dues(t.Context(), "A"); kept[0].OverdueAt.IsZero() || kept[0].Extended != 1 {
		t.Errorf("kept %+v", kept)
	}
	d.DueAt = t0.Add(3 * time.Hour)
	commit(t, s, gateway.Change{Dues: []gateway.Due{d}})
	if got := fire(t, s, 2*time.Hour); got != nil {
		t.Errorf("early: %v", got)
	}
	if got := fire(t, s, 3*time.Hour); !slices.Equal(got, []string{"5 overdue"}) {
		t.Errorf("the new end: %v", got)
	}
	d.DueAt, d.ResumeAt = t0.Add(9*time.Hour), t0.Add(5*time.Hour)
	commit(t, s, gateway.Change{Dues: []gateway.Due{d}})
	if got := fire(t, s, 10*time.Hour); got != nil {
		t.Errorf("told while it stands still: %v", got)
	}
	if still, err := s.Suspended(t.Context(), t0.Add(5*time.Hour), 10); err != nil || len(still) != 1 {
		t.Errorf("suspended %v, %v", still, err)
	}
	if err := s.PutOff(t.Context(), d, t0.Add(5*time.Hour), t0.Add(6*time.Hour)); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[time.Duration]int{6*time.Hour - time.Second: 0, 6 * time.Hour: 1} {
		if still, err := s.Suspended(t.Context(), t0.Add(at), 10); err != nil || len(still) != want || want == 1 && !still[0].ResumeAt.Equal(d.ResumeAt) {
			t.Errorf("put off, after %v: %v, %v", at, still, err)
		}
	}
	if next, err := s.NextDue(t.Context()); err != nil || !next.Equal(t0.Add(6*time.Hour)) {
		t.Errorf("next %v, %v", next, err)
	}
	if err := s.PutOff(t.Context(), d, t0.Add(5*time.Hour), t0.Add(9*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if still, err := s.Suspended(t.Context(), t0.Add(6*time.Hour), 10); err != nil || len(still) != 1 {
		t.Errorf("one with another end was put off: %v, %v", still, err)
	}
	if a := audit(t, s); len(a.Faults) > 0 {
		t.Errorf("%+v", a)
	}
	d.ResumeAt, d.DoneAt = time.Time{}, t0.Add(6*time.Hour)
	commit(t, s, gateway.Change{Dues: []gateway.Due{d}})
	if got := fire(t, s, 10*time.Hour); got != nil {
		t.Errorf("told when it is done: %v", got)
	}
}

func openTerms(t *testing.T, s *Store) {
	for i := range 5 {
		d := due(t, s, fmt.Sprintf("A%d", i), "east", 5, time.Duration(i+1)*time.Hour)
		if i == 4 {
			d.ResumeAt = t0.Add(time.Minute)
			commit(t, s, gateway.Change{Dues: []gateway.Due{d}})
		}
	}
	done := due(t, s, "B", "west", 6, time.Hour)
	done.DoneAt = t0
	commit(t, s, gateway.Change{Dues: []gateway.Due{done}})
	due(t, s, "C", "west", 6, 90*time.Minute)
	fire(t, s, 2*time.Hour)

	now := t0.Add(2 * time.Hour)
	groups, err := s.Deadlines(t.Context(), gateway.DueFilter{Now: now}, []gateway.DueKey{gateway.ByOffice, gateway.ByStep})
	want := []gateway.DueGroup{
		{Office: "east", Step: 5, Open: 5, Overdue: 2, Suspended: 1, Next: t0.Add(time.Hour)},
		{Office: "west", Step: 6, Open: 1, Overdue: 1, Next: t0.Add(90 * time.Minute)},
	}
	if err != nil || !slices.Equal(groups, want) {
		t.Errorf("groups %+v, %v", groups, err)
	}
	if all, err := s.Deadlines(t.Context(), gateway.DueFilter{Now: now, Office: "nowhere"}, nil); err != nil || len(all) != 1 || all[0].Open != 0 {
		t.Errorf("nowhere: %+v, %v", all, err)
	}
	list := func(f gateway.DueFilter) (numbers []string) {
		t.Helper()
		f.Now = now
		for cursor := ""; ; {
			p, err := s.OpenDues(t.Context(), f, cursor, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range p.Dues {
				numbers = append(numbers, d.Application)
			}
			if cursor = p.Next; cursor == "" {
				return numbers
			}
		}
	}
	yes, no := true, false
	for _, k := range []struct {
		f    gateway.DueFilter
		want []string
	}{
		{gateway.DueFilter{}, []string{"A0", "C", "A1", "A2", "A3", "A4"}},
		{gateway.DueFilter{Office: "east", Overdue: &yes}, []string{"A0", "A1"}},
		{gateway.DueFilter{Overdue: &no}, []string{"A2", "A3", "A4"}},
		{gateway.DueFilter{Service: "other"}, nil},
	} {
		if got := list(k.f); !slices.Equal(got, k.want) {
			t.Errorf("%+v: %v, want %v", k.f, got, k.want)
		}
	}
	var walked []string
	for after := ""; ; {
		dues, err := s.DuesAfter(t.Context(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(dues) == 0 {
			break
		}
		for _, d := range dues {
			walked, after = append(walked, d.Application), d.Application
		}
	}
	if want := []string{"A0", "A1", "A2", "A3", "A4", "C"}; !slices.Equal(walked, want) {
		t.Errorf("walked over %v", walked)
	}
	page, err := s.Applications(t.Context(), gateway.Filter{LateExpected: true, Now: now}, "", 10)
	if err != nil || len(page.Applications) != 4 { // A0, A1, B (its application was not told), C
		t.Errorf("late: %d, %v", len(page.Applications), err)
	}
}

func measured(t *testing.T, s *Store) {
	for i := range 10 {
		d := due(t, s, fmt.Sprintf("A%d", i), "east", 5, time.Hour)
		d.DoneAt, d.Took = t0.Add(time.Duration(i)*time.Minute), int64(i)
		commit(t, s, gateway.Change{Dues: []gateway.Due{d}})
	}
	due(t, s, "B", "east", 5, time.Hour)
	if got, err := s.Pace(t.Context(), "svc", "east", 5, 3); err != nil || !slices.Equal(got, []int64{9, 8, 7}) {
		t.Errorf("took %v, %v", got, err)
	}
	if got, err := s.Pace(t.Context(), "svc", "west", 5, 3); err != nil || got != nil {
		t.Errorf("elsewhere %v, %v", got, err)
	}
}

// Rows from before the migration get their columns at the next start.
func TestFill(t *testing.T) {
	path := t.TempDir() + "/kopir.db"
	s := openAt(t, path)
	d := due(t, s, "A", "east", 5, time.Hour)
	for _, q := range []string{"UPDATE applications SET due_at = -1", "UPDATE dues SET done_at = -1, service = '', office = '', warn_at = 0"} {
		err := s.writer.write(t.Context(), func(t *tx) error {
			_, err := t.exec(q)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	s = openAt(t, path)
	p, err := s.OpenDues(t.Context(), gateway.DueFilter{Office: "east", Service: "svc"}, "", 10)
	if err != nil || len(p.Dues) != 1 || !p.Dues[0].DueAt.Equal(d.DueAt) {
		t.Errorf("%+v, %v", p, err)
	}
	yes := true
	if a, err := s.Applications(t.Context(), gateway.Filter{Overdue: &yes, Now: d.DueAt}, "", 10); err != nil || len(a.Applications) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
}
