//go:build race

package main

import "time"

// The race detector keeps values in memory that are else on the stack, and
// makes everything ten times slower: here it is only seen that nothing races
// and nothing is quadratic.
const (
	barMemory = 30
	barTime   = time.Minute
	barTries  = 1
)
