package store

import (
	"testing"
	"time"
)

// orphanedKey: a key that a process claimed and did not settle is free when
// that process is gone, and not before.
func orphanedKey(t *testing.T, s *Store) {
	claim := func() string {
		t.Helper()
		state, _, err := s.Begin(t.Context(), "staff", "k", []byte("digest"), t0, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return state
	}
	do := func(q string, args ...any) {
		t.Helper()
		if err := s.writer.write(t.Context(), func(t *tx) error { _, err := t.exec(q, args...); return err }); err != nil {
			t.Fatal(err)
		}
	}
	if got := claim() + " " + claim(); got != "new busy" {
		t.Errorf("ours: %s", got)
	}
	do(`UPDATE replays SET process = ''`)
	if got := claim(); got != "busy" {
		t.Errorf("of a bridge that does not say: %s", got)
	}
	if s.d.shared {
		do(`INSERT INTO processes (id, seen_at, commits) VALUES ('beside', {now}, 0)`)
		do(`UPDATE replays SET process = 'beside'`)
		if got := claim(); got != "busy" {
			t.Errorf("of a process beside: %s", got)
		}
		do(`UPDATE processes SET seen_at = {now} - ? WHERE id = 'beside'`, 2*silentAfter.Microseconds())
	} else {
		do(`UPDATE replays SET process = 'before'`)
	}
	if got := claim() + " " + claim(); got != "new busy" {
		t.Errorf("of one that is gone: %s", got)
	}
	if err := s.Finish(t.Context(), "staff", "k", "", []byte("answer")); err != nil {
		t.Fatal(err)
	}
	if got := claim(); got != "done" {
		t.Errorf("after the answer: %s", got)
	}
	do(`DELETE FROM processes WHERE id = 'beside'`) // the next round meets the same database
}

// TestAwake: a process that was not heard of for long must not speak, by
// whichever clock; one with a database of its own always may.
func TestAwake(t *testing.T) {
	s := &Store{d: postgres}
	if err := s.Awake(); err != nil {
		t.Errorf("before its first beat: %v", err)
	}
	for name, k := range map[string]struct {
		last time.Time
		may  bool
	}{
		"a moment ago":           {time.Now(), true},
		"shortly before":         {time.Now().Add(-drowsyAfter + 5*time.Second), true},
		"others are about to":    {time.Now().Add(-drowsyAfter - time.Second), false},
		"the machine was asleep": {time.Now().Round(0).Add(-time.Hour), false},
	} {
		s.beaten.Store(&k.last)
		if err := s.Awake(); (err == nil) != k.may {
			t.Errorf("%s: %v", name, err)
		}
	}
	alone := &Store{d: sqlite}
	old := time.Now().Add(-time.Hour)
	alone.beaten.Store(&old)
	if err := alone.Awake(); err != nil {
		t.Errorf("alone: %v", err)
	}
}
