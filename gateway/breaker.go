package gateway

import (
	"errors"
	"hash/fnv"
	"sync"
	"time"
)

// Circuit is how a breaker stands.
type Circuit string

// The states of a circuit.
const (
	Closed   Circuit = "closed"    // everything goes
	Open     Circuit = "open"      // nothing goes until the pause is over
	HalfOpen Circuit = "half-open" // one delivery tries whether the peer is back
)

const (
	openAfter  = 5 // failures of a peer in a row
	firstPause = time.Second
	lastPause  = time.Minute
	// localPause is the same for the local database: it is the body's own, and
	// its rows should be there soon after it is.
	localPause = 5 * time.Second
)

// breaker keeps a lane from spending tries on a peer that is down. Failures
// that lie in a message do not count: those of others still go. Each process
// has its own, as the way to the peer is each machine's own; nothing is lost
// by that, since a closed one costs a peer that is down openAfter tries.
type breaker struct {
	mu       sync.Mutex
	name     string        // for the jitter
	longest  time.Duration // of its pauses
	failed   int           // in a row
	opened   int           // times in a row without an answer between
	since    time.Time
	until    time.Time
	trying   bool // a delivery is finding out
	openings uint64
}

// allow says how many of so many deliveries may go now.
func (k *breaker) allow(at time.Time, want int) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.opened == 0:
		return want
	case k.trying || at.Before(k.until) || want == 0:
		return 0
	}
	k.trying = true
	return 1
}

// unused gives back a try that found nothing to carry.
func (k *breaker) unused() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.trying = false
}

// answered notes that the peer answers, whatever it said; true: it had not
// before.
func (k *breaker) answered() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	back := k.opened > 0
	k.failed, k.opened, k.trying = 0, 0, false
	k.since, k.until = time.Time{}, time.Time{}
	return back
}

// silent notes a failure that is the peer's, which may have asked for a pause;
// true: the circuit is open from now on.
func (k *breaker) silent(at time.Time, asked time.Duration) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.failed++
	if k.opened > 0 && !k.trying || k.opened == 0 && k.failed < openAfter {
		return false
	}
	first := k.opened == 0
	k.opened, k.trying = k.opened+1, false
	if first {
		k.since = at
		k.openings++
	}
	pause := k.longest
	if k.opened < 7 { // 2^6 s is more than a minute
		pause = min(pause, firstPause<<(k.opened-1))
	}
	k.until = at.Add(max(jittered(pause, k.name, k.opened), min(asked, maxRetry)))
	return first
}

// state is for those who look on. until is when the next try is made.
func (k *breaker) state(at time.Time) (c Circuit, since, until time.Time, openings uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.opened == 0:
		c = Closed
	case k.trying || !at.Before(k.until):
		c = HalfOpen
	default:
		c = Open
	}
	return c, k.since, k.until, k.openings
}

// jittered moves a pause by up to a tenth, so that what failed together is not
// tried together. The same history gives the same pause.
func jittered(d time.Duration, id string, n int) time.Duration {
	h := fnv.New32a()
	h.Write([]byte(id))
	h.Write([]byte{byte(n)})
	jitter := time.Duration(h.Sum32()%2001) - 1000 // -1000 … 1000 ‰ of a tenth
	return d + d/10*jitter/1000
}

// askedPause is how long the peer of a failed try wants to be left alone.
func askedPause(err error) time.Duration {
	if se := (*SendError)(nil); errors.As(err, &se) {
		return se.RetryAfter
	}
	return 0
}
