package nuc

import (
	"crypto/sha256"
	"sync"
)

// cacheSize bounds each of the two halves of a cache.
const cacheSize = 4096

// cache remembers what was worked out of a certificate, by its SHA-256. When
// the younger half is full it becomes the older one, and what nobody asked
// for since is forgotten: a flood of strangers costs memory for two halves
// and no more.
type cache[T any] struct {
	mu         sync.Mutex
	young, old map[[sha256.Size]byte]T
}

func (c *cache[T]) get(key [sha256.Size]byte) (T, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.young[key]
	if !ok {
		if v, ok = c.old[key]; ok {
			c.keep(key, v)
		}
	}
	return v, ok
}

func (c *cache[T]) put(key [sha256.Size]byte, v T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(key, v)
}

func (c *cache[T]) keep(key [sha256.Size]byte, v T) {
	if c.young == nil || len(c.young) >= cacheSize {
		c.young, c.old = make(map[[sha256.Size]byte]T), c.young
	}
	c.young[key] = v
}

func (c *cache[T]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.young, c.old = nil, nil
}
