package mappings

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Calendar counts terms in the time of Kazakhstan: public holidays, days off
// that move, and office hours, all from shared/calendar.yaml. It knows only
// the years that the file lists; a term that leaves them is an error, never a
// guess. Safe for concurrent use.
type Calendar struct{ book *yearbook }

// yearbook is one issue of the file. What a method of Calendar promises is
// written there.
type yearbook struct {
	zone   *time.Location
	file   calendarFile
	tables [128]atomic.Pointer[workdays] // by working week
}

// ErrYear is wrapped by every error about a year that the calendar lacks.
var ErrYear = errors.New("year not in the calendar")

// calendarFile is shared/calendar.yaml.
type calendarFile struct {
	Zone     string    `yaml:"zone,required"`
	Holidays []holiday `yaml:"holidays,required"`
	Years    []year    `yaml:"years,required"`
}

// holiday is a day off of every year between From and To. Moves says that it
// is a national or state holiday: on a day off, the next working day is off instead.
type holiday struct {
	Day    MonthDay `yaml:"day,required"`
	Name   Text     `yaml:"name,required"`
	Moves  bool     `yaml:"moves"`
	From   int      `yaml:"from"`
	To     int      `yaml:"to"`
	Source string   `yaml:"source"`
}

// year lists what no rule can tell: the first day of Kurban Ait and the days
// that the government moved. Confirmed says that a person compared it with the
// published order; an operator does so every December.
type year struct {
	Year      int    `yaml:"year,required"`
	KurbanAit []Date `yaml:"kurban_ait,required"`
	Moved     []move `yaml:"moved"`
	Extra     []Date `yaml:"extra"` // days off declared once
	Confirmed bool   `yaml:"confirmed"`
	Source    string `yaml:"source"`
}

// move swaps a working day (Off) and a day of rest (Work) by an order of the
// government or the minister (Labour Code, article 85).
type move struct {
	Off    Date   `yaml:"off,required"`
	Work   Date   `yaml:"work,required"`
	Source string `yaml:"source"`
}

// MonthDay is a day of every year, written 03-08.
type MonthDay struct {
	Month time.Month
	Day   int
}

// UnmarshalText reads 03-08.
func (m *MonthDay) UnmarshalText(b []byte) error {
	t, err := time.Parse("01-02", string(b))
	if err != nil {
		return fmt.Errorf("mappings: %q is not a month and day", b)
	}
	m.Month, m.Day = t.Month(), t.Day()
	return nil
}

func readCalendar(files []source) (*Calendar, []Fault) {
	found := sharedFiles(files, "calendar")
	if len(found) == 0 {
		return nil, []Fault{{File: "shared/calendar.yaml", Line: 1, Column: 1, Code: "missing-file"}}
	}
	f := found[0]
	c := &yearbook{}
	places, faults := decode(f.shown, f.data, &c.file)
	fault := func(path, code string, args ...any) {
		at := places[path]
		faults = append(faults, Fault{File: f.shown, Line: at.line, Column: at.column, Code: code, Path: path, args: args})
	}
	zone, err := time.LoadLocation(c.file.Zone)
	if err != nil {
		fault("zone", "unknown-zone", "value", c.file.Zone)
		zone = time.UTC
	}
	c.zone = zone
	for i, y := range c.file.Years {
		path := fmt.Sprintf("years[%d]", i)
		if i > 0 && y.Year != c.file.Years[i-1].Year+1 {
			fault(path, "year-order", "value", y.Year)
		}
		for _, d := range y.KurbanAit {
			if d.Year != y.Year {
				fault(path, "year-date", "value", d, "year", y.Year)
			}
		}
		for _, m := range y.Moved {
			if m.Off.Year != y.Year || m.Work.Year != y.Year || !weekend(m.Work) || weekend(m.Off) {
				fault(path, "year-move", "off", m.Off, "work", m.Work)
			}
		}
	}
	return &Calendar{c}, faults
}

func weekend(d Date) bool {
	w := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Weekday()
	return w == time.Saturday || w == time.Sunday
}

// Zone is the zone in which all terms are counted.
func (c *Calendar) Zone() *time.Location { return c.book.zone }

// Known says whether a year is listed, and whether a person confirmed it.
func (c *Calendar) Known(y int) (known, confirmed bool) { return c.book.known(y) }

// Assumed says that a year from one moment to another is not confirmed: what
// was counted there rests on days that no person compared with the order.
func (c *Calendar) Assumed(from, to time.Time) bool {
	b := c.book
	for y := from.In(b.zone).Year(); y <= to.In(b.zone).Year(); y++ {
		if _, confirmed := b.known(y); !confirmed {
			return true
		}
	}
	return false
}

// Workday says whether offices with such hours work on the day of t.
func (c *Calendar) Workday(t time.Time, h Hours) (bool, error) { return c.book.workday(t, h) }

// Open says whether an office with such hours is at work at t.
func (c *Calendar) Open(t time.Time, h Hours) (bool, error) { return c.book.open(t, h) }

// Add gives the moment at which a term that starts at from ends.
//
// Minutes and hours (m, h) are lengths of time. Days (d) end with the day.
// Working minutes and hours (wm, wh) run only in office hours; what ends
// exactly at closing time ends then, not at the next opening. Working days
// (wd) are counted from the day after the day of from (Civil Code, article
// 173) and end at closing time of the last one.
//
// The error wraps ErrYear when the term leaves the years of the calendar.
func (c *Calendar) Add(from time.Time, t Term, h Hours) (time.Time, error) {
	return c.book.add(from, t, h)
}

// Before gives the moment that lies a term before due: when to warn. Working
// days before keep the time of day.
func (c *Calendar) Before(due time.Time, t Term, h Hours) (time.Time, error) {
	return c.book.before(due, t, h)
}

// Later gives the end of a term of unit that stood still from paused to
// resumed.
//
// Minutes and hours lose as much as passed, working ones as much as passed in
// office hours. Days are lost whole: each on which the term stood when the day
// ended, of working days those on which the office works; the time of day of
// the end stays. A pause that begins or ends while the office is closed does so
// when it opens next.
func (c *Calendar) Later(due, paused, resumed time.Time, unit Unit, h Hours) (time.Time, error) {
	return c.book.later(due, paused, resumed, unit, h)
}

// Worked gives how many seconds an office with such hours works from one
// moment to another.
func (c *Calendar) Worked(from, to time.Time, h Hours) (int64, error) {
	return c.book.worked(from, to, h)
}

// After gives the moment at which an office with such hours has worked so many
// seconds since from.
func (c *Calendar) After(from time.Time, seconds int64, h Hours) (time.Time, error) {
	return c.book.after(from, seconds, h)
}
