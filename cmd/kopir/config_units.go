package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// size is a number of bytes with an optional unit: 512KB, 25MB.
type size int64

func (s *size) parse(t string) error {
	unit := int64(1)
	num := t
	for _, u := range []struct {
		name string
		n    int64
	}{{"KB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30}} {
		if n, ok := strings.CutSuffix(t, u.name); ok {
			num, unit = strings.TrimSpace(n), u.n
		}
	}
	n, err := strconv.ParseInt(num, 10, 64)
	if err != nil || n < 0 || n > (1<<40)/unit {
		return fmt.Errorf("%q is not a size; write for example 512KB or 25MB", t)
	}
	*s = size(n * unit)
	return nil
}

// duration is Go's notation: 30s, 10m, 1h30m.
type duration time.Duration

func (d *duration) parse(t string) error {
	v, err := time.ParseDuration(t)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a length of time; write for example 30s, 10m or 1h30m", t)
	}
	*d = duration(v)
	return nil
}
