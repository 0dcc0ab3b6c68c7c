package main

import (
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// bodyShare is how many times its size a message may cost while it is worked
// on: what large bodies take together is that part of the memory there is.
const bodyShare = 16

// bodyMemory is what large bodies may take together: as configured, or by the
// memory that the process may use (GOMEMLIMIT, else its container's limit,
// which the runtime is told of then), at least two of the largest, at most 1 GB.
func (l *loaded) bodyMemory() int64 {
	if l.Limits.Memory > 0 {
		return int64(l.Limits.Memory)
	}
	most := debug.SetMemoryLimit(-1)
	if most == math.MaxInt64 {
		if most = containerMemory(); most > 0 {
			debug.SetMemoryLimit(most / 10 * 9)
		}
	}
	if most <= 0 || most == math.MaxInt64 {
		most = 8 << 30
	}
	return min(max(most/bodyShare, 2*int64(l.Limits.Body)), 1<<30)
}

// garbage is how much garbage is made before it is looked for, in percent of what
// lives. What a message needs is dropped with it and what lives beside is some
// tens of megabytes, so that Go's own 100 costs a tenth of the processor for
// little memory. A limit of the process's memory goes before it.
const garbage = 400

// collectLess sets it, unless GOGC says otherwise.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
}

// containerMemory is the memory of the container; nought: it has no limit.
func containerMemory() int64 {
	if memoryLimitFile == "" {
		return 0
	}
	b, err := os.ReadFile(memoryLimitFile)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return 0 // "max"
	}
	return n
}
