package main

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestOpenCountStands: however often it is read, the store is asked once in a
// while; what could not be read is asked for again.
func TestOpenCountStands(t *testing.T) {
	var c openCount[int]
	asked := 0
	count := func(answer error) (int, error) {
		all, err := c.count(t.Context(), func(context.Context) ([]int, error) { asked++; return []int{asked}, answer })
		return all[0], err
	}
	away := errors.New("away")
	if _, err := count(away); err != away {
		t.Error(err)
	}
	for range 3 {
		if n, err := count(nil); n != 2 || err != nil {
			t.Error(n, err)
		}
	}
	c.at = time.Now().Add(-openFor)
	if n, err := count(nil); n != 3 || err != nil {
		t.Error(n, err)
	}
}
