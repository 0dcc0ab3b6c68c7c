package mappings

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func almaty(t testing.TB, c *Calendar, s string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", s, c.Zone())
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func hours(t testing.TB, set *Set, id string) Hours {
	t.Helper()
	h, ok := set.Offices.hoursByID(id)
	if !ok {
		t.Fatalf("no hours %s", id)
	}
	return h
}

// TestDaysOff: days known from the published production calendars.
func TestDaysOff(t *testing.T) {
	set := builtinSet(t)
	c, five, six := set.Calendar, hours(t, set, "department"), hours(t, set, "service-centre")
	for _, d := range []struct {
		day       string
		five, six bool
	}{
		{"2023-01-03", false, false},                            // 1 January on a Sunday
		{"2023-01-09", true, true},                              // Christmas on a Saturday does not move
		{"2023-07-07", false, true}, {"2023-07-01", true, true}, // a Saturday moved by order: the six-day week works anyway
		{"2024-05-08", false, true}, {"2024-05-04", true, true},
		{"2025-01-03", false, false}, {"2025-01-05", true, true}, {"2025-01-06", true, true}, // a Sunday moved: for both
		{"2024-06-17", true, true},  // nor does Kurban Ait on a Sunday
		{"2025-10-27", false, true}, // Republic Day on a Saturday
		{"2025-06-06", false, false},
		{"2026-01-02", false, false}, {"2026-01-03", false, true}, {"2026-01-05", true, true}, {"2026-01-07", false, false},
		{"2026-03-09", false, false},                              // 8 March on a Sunday
		{"2026-03-24", false, false}, {"2026-03-25", false, true}, // Nauryz from Saturday to Monday
		{"2026-03-26", true, true},
		{"2026-11-21", false, true}, {"2026-11-22", false, false}, {"2026-11-23", true, true},
		{"2025-09-01", false, true}, {"2026-08-31", true, true}, {"2027-03-15", false, false}, // Constitution Day, until 2025 and since 2027
		{"2026-05-11", false, true}, {"2026-10-26", false, false},
		{"2028-02-29", true, true},
	} {
		at := almaty(t, c, d.day+" 12:00")
		for _, w := range []struct {
			h    Hours
			want bool
		}{{five, d.five}, {six, d.six}} {
			if got, err := c.Workday(at, w.h); err != nil || got != w.want {
				t.Errorf("%s %s: working %v, %v", d.day, w.h.ID, got, err)
			}
		}
	}
}

func TestAdd(t *testing.T) {
	set := builtinSet(t)
	c, office := set.Calendar, hours(t, set, "department")
	for _, k := range []struct{ from, term, want string }{
		{"2026-11-20 10:00", "1m", "2026-11-20 10:01"}, // by the clock
		{"2026-11-20 23:59", "1m", "2026-11-21 00:00"},
		{"2026-11-20 10:00", "2h", "2026-11-20 12:00"},
		{"2026-11-20 10:00", "10wm", "2026-11-20 10:10"},
		{"2026-11-20 12:55", "10wm", "2026-11-20 14:05"}, // over lunch
		{"2026-11-20 13:30", "10wm", "2026-11-20 14:10"}, // in it
		{"2026-11-20 17:50", "10wm", "2026-11-20 18:00"}, // ends at closing time
		{"2026-11-20 17:51", "10wm", "2026-11-23 09:01"}, // Friday to Monday
		{"2026-11-20 18:00", "10wm", "2026-11-23 09:10"},
		{"2026-11-21 12:00", "10wm", "2026-11-23 09:10"}, // Saturday
		{"2026-11-20 03:00", "10wm", "2026-11-20 09:10"}, // before opening
		{"2026-11-20 09:00", "8wh", "2026-11-20 18:00"},
		{"2026-11-20 09:00", "9wh", "2026-11-23 10:00"},
		{"2026-11-20 10:00", "1wd", "2026-11-23 18:00"},
		{"2026-11-20 23:00", "1wd", "2026-11-23 18:00"},
		{"2026-11-21 10:00", "1wd", "2026-11-23 18:00"}, // Saturday: Monday is the first day
		{"2026-11-23 08:00", "3wd", "2026-11-26 18:00"},
		{"2026-03-20 10:00", "1wd", "2026-03-26 18:00"}, // Nauryz
		{"2026-12-31 10:00", "1wd", "2027-01-05 18:00"}, // 1, 2 January on Friday and Saturday: Monday is off
		{"2026-11-20 10:00", "3d", "2026-11-23 23:59"},
		{"2024-02-29 17:00", "2wh", "2024-03-01 10:00"}, // the night in which the clock went back
		{"2024-02-29 17:00", "1wd", "2024-03-01 18:00"},
	} {
		term, err := ParseTerm(k.term)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Add(almaty(t, c, k.from), term, office)
		if err != nil || got.In(c.Zone()).Format("2006-01-02 15:04") != k.want {
			t.Errorf("%s + %s: %v %v, want %s", k.from, k.term, got, err, k.want)
		}
	}
	// The same moment, whatever zone it is written in.
	at := almaty(t, c, "2026-11-20 23:30")
	a, _ := c.Add(at, Term{1, WorkingDays}, office)
	b, _ := c.Add(at.UTC(), Term{1, WorkingDays}, office)
	if !a.Equal(b) {
		t.Errorf("local %v, UTC %v", a, b)
	}
	if _, offset := almaty(t, c, "2024-02-29 12:00").Zone(); offset != 6*3600 {
		t.Errorf("before 1 March 2024 the offset is %d", offset)
	}
	if _, offset := almaty(t, c, "2024-03-01 12:00").Zone(); offset != 5*3600 {
		t.Errorf("since 1 March 2024 the offset is %d", offset)
	}
}

func TestUnknownYearsAreErrors(t *testing.T) {
	set := builtinSet(t)
	c, office := set.Calendar, hours(t, set, "department")
	for _, k := range []struct{ from, term string }{
		{"2022-12-30 10:00", "1wd"}, {"2029-01-01 10:00", "10wm"}, {"2028-12-29 10:00", "5wd"}, {"2026-01-05 10:00", "2000wd"}, {"2028-12-29 17:59", "30wm"},
	} {
		term, _ := ParseTerm(k.term)
		if got, err := c.Add(almaty(t, c, k.from), term, office); !errors.Is(err, ErrYear) {
			t.Errorf("%s + %s: %v %v", k.from, k.term, got, err)
		}
	}
	if got, err := c.Before(almaty(t, c, "2023-01-04 09:10"), Term{20, WorkingMinutes}, office); !errors.Is(err, ErrYear) {
		t.Errorf("before the first year: %v %v", got, err)
	}
	if known, _ := c.Known(2050); known {
		t.Error("2050 is known")
	}
	if _, err := c.Add(almaty(t, c, "2026-11-20 10:00"), Term{}, office); err == nil {
		t.Error("no term was added")
	}
	if _, err := c.Add(almaty(t, c, "2026-11-20 10:00"), Term{1, WorkingDays}, Hours{}); err == nil {
		t.Error("office hours that do not exist gave a deadline")
	}
}

func TestBefore(t *testing.T) {
	set := builtinSet(t)
	c, office := set.Calendar, hours(t, set, "department")
	for _, k := range []struct{ due, term, want string }{
		{"2026-11-23 18:00", "2wh", "2026-11-23 16:00"},
		{"2026-11-23 15:00", "2wh", "2026-11-23 12:00"},
		{"2026-11-23 09:05", "10wm", "2026-11-20 17:55"},
		{"2026-11-23 18:00", "1wd", "2026-11-20 18:00"},
		{"2026-11-23 18:00", "5m", "2026-11-23 17:55"},
	} {
		term, _ := ParseTerm(k.term)
		got, err := c.Before(almaty(t, c, k.due), term, office)
		if err != nil || got.Format("2006-01-02 15:04") != k.want {
			t.Errorf("%s - %s: %v %v, want %s", k.due, k.term, got, err, k.want)
		}
	}
}

// slow counts minute by minute and day by day, as a clerk would.
func slow(t *rapid.T, c *Calendar, from time.Time, term Term, h Hours) time.Time {
	left := term.N
	if term.Unit == WorkingHours {
		left *= 60
	}
	if term.Unit == WorkingDays {
		for d := from.In(c.Zone()); ; {
			d = d.AddDate(0, 0, 1)
			if work, err := c.Workday(d, h); err != nil {
				t.Fatal(err)
			} else if work {
				if left--; left == 0 {
					return time.Date(d.Year(), d.Month(), d.Day(), int(h.Close)/60, int(h.Close)%60, 0, 0, c.Zone())
				}
			}
		}
	}
	for m := from; ; m = m.Add(time.Minute) {
		open, err := c.Open(m, h)
		if err != nil {
			t.Fatal(err)
		}
		if open {
			if left--; left == 0 {
				return m.Add(time.Minute)
			}
		}
	}
}

// TestAddAgainstCounting compares the look-up with counting.
func TestAddAgainstCounting(t *testing.T) {
	set := builtinSet(t)
	c := set.Calendar
	all := []Hours{hours(t, set, "department"), hours(t, set, "service-centre")}
	rapid.Check(t, func(t *rapid.T) {
		h := rapid.SampledFrom(all).Draw(t, "hours")
		from := time.Date(2023, 1, 1, 0, 0, 0, 0, c.Zone()).Add(time.Duration(rapid.IntRange(0, 5*365*24*60).Draw(t, "minute")) * time.Minute)
		unit := rapid.SampledFrom([]Unit{WorkingMinutes, WorkingHours, WorkingDays}).Draw(t, "unit")
		term := Term{rapid.IntRange(1, map[Unit]int{WorkingMinutes: 900, WorkingHours: 30, WorkingDays: 40}[unit]).Draw(t, "n"), unit}
		got, err := c.Add(from, term, h)
		if err != nil {
			t.Fatal(err)
		}
		if want := slow(t, c, from, term, h); !got.Equal(want) {
			t.Fatalf("%v + %v (%s): %v, counted %v", from, term, h.ID, got, want)
		}
		// Going back the same working time gives the start, or the same point of working time.
		if unit == WorkingDays {
			return
		}
		back, err := c.Before(got, term, h)
		if errors.Is(err, ErrYear) {
			return
		}
		again, err2 := c.Add(back, term, h)
		if err != nil || err2 != nil || !again.Equal(got) {
			t.Fatalf("%v - %v = %v, and again %v (%v %v)", got, term, back, again, err, err2)
		}
	})
}

func TestDue(t *testing.T) {
	set := builtinSet(t)
	s, _ := set.Service(certificateService)
	from := almaty(t, set.Calendar, "2026-11-20 16:30")
	for _, k := range []struct {
		channel, state, due, warn string
	}{
		{"portal", Received, "2026-11-20 16:40", "2026-11-20 16:35"},
		{"portal", InProgress, "2026-11-23 18:00", "2026-11-23 16:00"},
		{"csc", InProgress, "2026-11-25 18:00", "2026-11-25 13:00"},
	} {
		ch, _ := s.Channel(k.channel)
		due, warn, err := set.Due(ch.Running(k.state), "almaty-alatau-district-department", from)
		if got := fmt.Sprintf("%s|%s", due.Format("2006-01-02 15:04"), warn.Format("2006-01-02 15:04")); err != nil || got != k.due+"|"+k.warn {
			t.Errorf("%s %s: %s %v", k.channel, k.state, got, err)
		}
	}
	ch, _ := s.Channel("portal")
	last, _ := ch.Step(15)
	if due, warn, err := set.Due([]Step{last}, "", from); err != nil || !due.IsZero() || !warn.IsZero() {
		t.Errorf("the last step of the portal has no term: %v %v %v", due, warn, err)
	}
}

func BenchmarkDeadlineOverAYear(b *testing.B) {
	set := builtinSet(b)
	c, office := set.Calendar, hours(b, set, "department")
	from := almaty(b, c, "2026-03-11 10:17")
	for name, term := range map[string]Term{"days": {247, WorkingDays}, "minutes": {247 * 8 * 60, WorkingMinutes}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Add(from, term, office); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
