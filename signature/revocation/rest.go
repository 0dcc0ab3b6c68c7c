package revocation

import (
	"time"
)

// rest is an address that failed: it is left alone until a time, each time in a
// row twice as long, at most longestRest.
type rest struct {
	until time.Time
	times int
}

const longestRest = time.Minute

// rests says whether an address is left alone. Who comes first after its rest
// finds out whether it is back, and the others go on leaving it alone meanwhile:
// an address that hangs holds up one question and not all.
func (c *Checker) rests(url string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.resting[url]
	if !ok {
		return false
	}
	now := c.o.Now()
	if now.Before(r.until) {
		return true
	}
	r.until = now.Add(c.o.Timeout)
	c.resting[url] = r
	return false
}

func (c *Checker) rest(url string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.resting[url]
	pause := min(c.o.Pause<<min(r.times, 8), max(longestRest, c.o.Pause))
	c.resting[url] = rest{until: c.o.Now().Add(pause), times: r.times + 1}
}

// wakes notes that an address answers.
func (c *Checker) wakes(url string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.resting, url)
}
