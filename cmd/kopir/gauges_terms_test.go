package main

import (
	"testing"
	"time"

	"kopir/gateway"
)

// However many offices and services there are, the series stay few, and what
// is beyond is in none of them lost.
func TestTermSeriesAreBounded(t *testing.T) {
	at := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	var all []gateway.DueGroup
	for i := range 10 {
		all = append(all, gateway.DueGroup{Service: "s", Office: string(rune('a' + i)), Step: 5, Open: 4, Warned: 1, Overdue: 1, Suspended: 1, Next: at.Add(time.Duration(-i) * time.Hour)})
	}
	got := bounded(all, 3)
	want := gateway.DueGroup{Service: "other", Office: "other", Open: 28, Warned: 7, Overdue: 7, Suspended: 7, Next: at.Add(-9 * time.Hour)}
	if len(got) != 4 || got[3] != want || got[2] != all[2] {
		t.Errorf("%+v", got)
	}
	if got := bounded(all, 10); len(got) != 10 {
		t.Errorf("%d", len(got))
	}
}
