package gateway

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// MaxReuse bounds how long an answer may be used again: as long as one visit
// of a person takes, not longer.
const MaxReuse = time.Hour

// maxReused bounds the memory that answers take.
const maxReused = 10_000

// reusing is a registry whose positive answers serve again for a while: the
// same question for the same service. They live in memory alone, so that
// personal data lie nowhere but with their application.
type reusing struct {
	Registry
	keep time.Duration
	now  func() time.Time

	mu      sync.Mutex
	answers map[string]Finding
}

// Reuse lets a registry's positive answers serve again for keep, at most
// MaxReuse; nothing without. "No data" is always asked anew: it may be
// mended by then. now may be nil.
func Reuse(r Registry, keep time.Duration, now func() time.Time) Registry {
	if keep <= 0 {
		return r
	}
	if now == nil {
		now = time.Now
	}
	return &reusing{Registry: r, keep: min(keep, MaxReuse), now: now, answers: map[string]Finding{}}
}

// Ask implements Registry.
func (r *reusing) Ask(ctx context.Context, q Question) (Finding, error) {
	key := q.purpose()
	r.mu.Lock()
	f, ok := r.answers[key]
	r.mu.Unlock()
	if ok && r.now().Sub(f.At) < r.keep {
		f.Reused, f.Asked = true, nil
		return f, nil
	}
	f, err := r.Registry.Ask(ctx, q)
	if err != nil || f.Standing != Found {
		return f, err
	}
	f.At = r.now().UTC()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.answers) >= maxReused {
		clear(r.answers)
	}
	r.answers[key] = f
	time.AfterFunc(r.keep, func() { r.forget(key, f.At) })
	return f, nil
}

func (r *reusing) forget(key string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answers[key].At.Equal(at) {
		delete(r.answers, key)
	}
}

// purpose is the same for questions of one service about the same thing.
func (q Question) purpose() string {
	parts := []string{q.Service, q.Subject}
	for _, name := range slices.Sorted(maps.Keys(q.Values)) {
		parts = append(parts, name, q.Values[name])
	}
	return strings.Join(parts, "\x00")
}
