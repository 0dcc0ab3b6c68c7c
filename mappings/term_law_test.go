package mappings

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawn is a moment in the years of the calendar, more often than not around
// something: the clock going back, a leap day, a new year, Nauryz.
func drawn(t *rapid.T, c *Calendar) time.Time {
	day := rapid.OneOf(
		rapid.Map(rapid.IntRange(0, 5*365), func(n int) time.Time { return time.Date(2023, 1, 2+n, 0, 0, 0, 0, c.Zone()) }),
		rapid.SampledFrom([]time.Time{
			time.Date(2024, 2, 28, 0, 0, 0, 0, c.Zone()), time.Date(2024, 2, 29, 0, 0, 0, 0, c.Zone()), time.Date(2024, 3, 1, 0, 0, 0, 0, c.Zone()),
			time.Date(2028, 2, 29, 0, 0, 0, 0, c.Zone()), time.Date(2026, 12, 31, 0, 0, 0, 0, c.Zone()), time.Date(2026, 3, 20, 0, 0, 0, 0, c.Zone()),
		}),
	).Draw(t, "day")
	return day.Add(time.Duration(rapid.IntRange(0, 24*60-1).Draw(t, "minute")) * time.Minute)
}

func drawnTerm(t *rapid.T, units ...Unit) Term {
	return Term{rapid.IntRange(1, 40).Draw(t, "n"), rapid.SampledFrom(units).Draw(t, "unit")}
}

var everyUnit = []Unit{Minutes, Hours24, Days, WorkingMinutes, WorkingHours, WorkingDays}

// TestTermLaws: what must hold of any term from any moment.
func TestTermLaws(t *testing.T) {
	set := builtinSet(t)
	c := set.Calendar
	all := []Hours{hours(t, set, "department"), hours(t, set, "service-centre")}
	add := func(t *rapid.T, from time.Time, term Term, h Hours) time.Time {
		end, err := c.Add(from, term, h)
		if errors.Is(err, ErrYear) {
			t.Skip("beyond the calendar")
		}
		if err != nil {
			t.Fatal(err)
		}
		return end
	}
	rapid.Check(t, func(t *rapid.T) {
		h, from := rapid.SampledFrom(all).Draw(t, "hours"), drawn(t, c)
		term := drawnTerm(t, everyUnit...)
		end := add(t, from, term, h)
		if !end.After(from) {
			t.Fatalf("%v + %v = %v: not after", from, term, end)
		}
		// Who begins later, or has longer, ends no earlier.
		later := from.Add(time.Duration(rapid.IntRange(1, 7*24*60).Draw(t, "later")) * time.Minute)
		if e := add(t, later, term, h); e.Before(end) {
			t.Fatalf("%v + %v = %v, but from %v it is %v", from, term, end, later, e)
		}
		if e := add(t, from, Term{term.N + 1, term.Unit}, h); !e.After(end) {
			t.Fatalf("%v: one %v more ends at %v, not after %v", from, term, e, end)
		}
		if !term.Working() {
			return
		}
		// It ends in office hours, or as the office closes.
		if open, err := c.Open(end.Add(-time.Second), h); err != nil || !open {
			t.Fatalf("%v + %v = %v: the office is closed before it (%v)", from, term, end, err)
		}
		// A working term is not shorter than the same on a day that nobody rests.
		if term.Unit == WorkingDays && int(end.Sub(from).Hours()/24) < term.N-1 {
			t.Fatalf("%v + %v = %v: too short", from, term, end)
		}
	})
}

// TestTermsCompose: working minutes and hours may be cut anywhere, days
// anywhere; an hour is sixty minutes.
func TestTermsCompose(t *testing.T) {
	set := builtinSet(t)
	c, h := set.Calendar, hours(t, set, "department")
	rapid.Check(t, func(t *rapid.T) {
		from, unit := drawn(t, c), rapid.SampledFrom([]Unit{Minutes, Hours24, WorkingMinutes, WorkingHours, WorkingDays}).Draw(t, "unit")
		a, b := rapid.IntRange(1, 30).Draw(t, "a"), rapid.IntRange(1, 30).Draw(t, "b")
		first, err1 := c.Add(from, Term{a, unit}, h)
		if err1 != nil {
			t.Skip("beyond the calendar")
		}
		second, err2 := c.Add(first, Term{b, unit}, h)
		whole, err3 := c.Add(from, Term{a + b, unit}, h)
		if err2 != nil || err3 != nil {
			t.Skip("beyond the calendar")
		}
		if !second.Equal(whole) {
			t.Fatalf("%v + %d + %d of unit %d: %v, at once %v", from, a, b, unit, second, whole)
		}
		if unit == WorkingHours {
			if m, err := c.Add(from, Term{a * 60, WorkingMinutes}, h); err != nil || !m.Equal(first) {
				t.Fatalf("%v + %dwh = %v, in minutes %v (%v)", from, a, first, m, err)
			}
		}
	})
}

// TestPauses: a term that stood still gains what it lost and no more.
func TestPauses(t *testing.T) {
	set := builtinSet(t)
	c, h := set.Calendar, hours(t, set, "department")
	rapid.Check(t, func(t *rapid.T) {
		from, term := drawn(t, c), drawnTerm(t, everyUnit...)
		due, err := c.Add(from, term, h)
		if err != nil {
			t.Skip("beyond the calendar")
		}
		paused := from.Add(time.Duration(rapid.Int64Range(0, int64(due.Sub(from)-1)).Draw(t, "paused"))).Truncate(time.Second)
		long := time.Duration(rapid.IntRange(0, 20*24*60).Draw(t, "long")) * time.Minute
		end, err := c.Later(due, paused, paused.Add(long), term.Unit, h)
		if err != nil {
			t.Skip("beyond the calendar")
		}
		if end.Before(due) || long == 0 && !end.Equal(due) {
			t.Fatalf("%v + %v = %v, paused at %v for %v: %v", from, term, due, paused, long, end)
		}
		if !end.After(paused.Add(long)) && term.Unit != Days {
			t.Fatalf("%v + %v = %v, paused at %v for %v, ended while it stood: %v", from, term, due, paused, long, end)
		}
		// Longer pauses give no earlier end, and two in a row what one gives.
		more, err := c.Later(due, paused, paused.Add(long+time.Hour), term.Unit, h)
		if err == nil && more.Before(end) {
			t.Fatalf("an hour more: %v before %v", more, end)
		}
		half, err := c.Later(due, paused, paused.Add(long/2), term.Unit, h)
		if err != nil {
			t.Skip("beyond the calendar")
		}
		if both, err := c.Later(half, paused.Add(long/2), paused.Add(long), term.Unit, h); err == nil && !both.Equal(end) {
			t.Fatalf("%v + %v = %v, paused at %v for %v: %v, in two halves %v", from, term, due, paused, long, end, both)
		}
		if term.Unit == WorkingMinutes || term.Unit == WorkingHours {
			lost, err1 := c.Worked(paused, paused.Add(long), h)
			gained, err2 := c.Worked(due, end, h)
			if err1 != nil || err2 != nil || lost != gained {
				t.Fatalf("lost %d s, gained %d s (%v %v)", lost, gained, err1, err2)
			}
		}
	})
}
