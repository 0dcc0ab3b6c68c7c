package gateway

import (
	"testing"
	"time"
)

// The circuit opens after failures of the peer in a row, lets one try at the
// end of each pause, and closes with the first answer.
func TestBreaker(t *testing.T) {
	for r, longest := range map[Route]time.Duration{ToPortal: lastPause, ToLocal: localPause} {
		t.Run(string(r), func(t *testing.T) { circuit(t, r, longest) })
	}
}

func circuit(t *testing.T, r Route, longest time.Duration) {
	at := time.Date(2026, 11, 25, 4, 0, 0, 0, time.UTC)
	k := &newLane(Lane{Route: r}).breaker
	allow := func(want int) {
		t.Helper()
		if got := k.allow(at, 16); got != want {
			t.Fatalf("%d may go, want %d", got, want)
		}
	}
	state := func(want Circuit) {
		t.Helper()
		if got, _, _, _ := k.state(at); got != want {
			t.Fatalf("the circuit is %s, want %s", got, want)
		}
	}
	for range openAfter - 1 {
		if k.silent(at, 0) {
			t.Fatal("open too soon")
		}
	}
	if k.answered() {
		t.Fatal("it was not away")
	}
	for range openAfter - 1 {
		k.silent(at, 0)
	}
	allow(16)
	if !k.silent(at, 0) {
		t.Fatal("not open")
	}
	for range 11 {
		k.silent(at, 0) // those that were on their way
	}
	state(Open)
	allow(0)
	began := at
	for i := range 12 {
		_, since, until, _ := k.state(at)
		pause := until.Sub(at)
		want := min(firstPause<<i, longest)
		if pause < want-want/10 || pause > want+want/10 || !since.Equal(began) {
			t.Fatalf("pause %d is %s since %s, want about %s", i, pause, since, want)
		}
		at = until
		state(HalfOpen)
		allow(1)
		allow(0)
		if i == 3 { // there was nothing to carry
			k.unused()
			allow(1)
		}
		k.silent(at, 0)
	}
	_, _, until, _ := k.state(at)
	at = until
	allow(1)
	k.silent(at, 10*time.Minute)
	if _, _, until, _ = k.state(at); until.Sub(at) != 10*time.Minute {
		t.Errorf("the peer asked for ten minutes, and gets %s", until.Sub(at))
	}
	at = until
	allow(1)
	if !k.answered() {
		t.Error("it is back")
	}
	state(Closed)
	allow(16)
	if _, since, _, openings := k.state(at); openings != 1 || !since.IsZero() {
		t.Errorf("opened %d times, since %s", openings, since)
	}
}
