package mappings

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// Calendar counts terms in the time of Kazakhstan: public holidays, days off
// that move, and office hours, all from shared/calendar.yaml. It knows only
// the years that the file lists; a term that leaves them is an error, never a
// guess. Safe for concurrent use.
type Calendar struct {
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
	c := &Calendar{}
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
	return c, faults
}

func weekend(d Date) bool {
	w := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Weekday()
	return w == time.Saturday || w == time.Sunday
}

// Zone is the zone in which all terms are counted.
func (c *Calendar) Zone() *time.Location { return c.zone }

// Known says whether a year is listed, and whether a person confirmed it.
func (c *Calendar) Known(y int) (known, confirmed bool) {
	for _, v := range c.file.Years {
		if v.Year == y {
			return true, v.Confirmed
		}
	}
	return false, false
}

// Workday says whether offices with such hours work on the day of t.
func (c *Calendar) Workday(t time.Time, h Hours) (bool, error) {
	w := c.week(h.Days)
	day, _ := c.split(t)
	i, err := w.index(day)
	if err != nil {
		return false, err
	}
	return w.isWork(i), nil
}

// Open says whether an office with such hours is at work at t.
func (c *Calendar) Open(t time.Time, h Hours) (bool, error) {
	work, err := c.Workday(t, h)
	if err != nil || !work {
		return false, err
	}
	_, second := c.split(t)
	m := Clock(second / 60)
	return m >= h.Open && m < h.Close && (h.BreakTo == 0 || m < h.BreakFrom || m >= h.BreakTo), nil
}

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
	switch t.Unit {
	case NoTerm:
		return time.Time{}, fmt.Errorf("mappings: no term to add")
	case Minutes:
		return from.Add(time.Duration(t.N) * time.Minute), nil
	case Hours24:
		return from.Add(time.Duration(t.N) * time.Hour), nil
	case Days:
		day, _ := c.split(from)
		return c.moment(day+int64(t.N)+1, 0).Add(-time.Second), nil
	}
	if !h.valid() {
		return time.Time{}, fmt.Errorf("mappings: office hours %q do not follow each other", h.ID)
	}
	w := c.week(h.Days)
	day, second := c.split(from)
	i, err := w.index(day)
	if err != nil {
		return time.Time{}, err
	}
	if t.Unit == WorkingDays {
		return c.workday(w, w.before[i]+w.one(i)+int32(t.N)-1, int64(h.Close)*60)
	}
	length := h.seconds()
	done := int64(w.before[i]) * length
	if w.isWork(i) {
		done += h.worked(second)
	}
	done += t.seconds()
	last, rest := done/length, done%length
	if rest == 0 {
		last, rest = last-1, length
	}
	return c.workday(w, int32(last), h.at(rest))
}

// Before gives the moment that lies a term before due: when to warn. Working
// days before keep the time of day.
func (c *Calendar) Before(due time.Time, t Term, h Hours) (time.Time, error) {
	switch t.Unit {
	case NoTerm:
		return due, nil
	case Minutes:
		return due.Add(-time.Duration(t.N) * time.Minute), nil
	case Hours24:
		return due.Add(-time.Duration(t.N) * time.Hour), nil
	case Days:
		return due.In(c.zone).AddDate(0, 0, -t.N), nil
	}
	if !h.valid() {
		return time.Time{}, fmt.Errorf("mappings: office hours %q do not follow each other", h.ID)
	}
	w := c.week(h.Days)
	day, second := c.split(due)
	i, err := w.index(day)
	if err != nil {
		return time.Time{}, err
	}
	if t.Unit == WorkingDays {
		return c.workday(w, w.before[i]-int32(t.N), second)
	}
	length := h.seconds()
	done := int64(w.before[i]) * length
	if w.isWork(i) {
		done += h.worked(second)
	}
	if done -= t.seconds(); done < 0 {
		return time.Time{}, c.outside(w.first)
	}
	return c.workday(w, int32(done/length), h.at(done%length))
}

func (t Term) seconds() int64 {
	if t.Unit == WorkingHours {
		return int64(t.N) * 3600
	}
	return int64(t.N) * 60
}

// split gives the local day, counted from 1 January 1970, and the second of it.
func (c *Calendar) split(t time.Time) (day, second int64) {
	_, offset := t.In(c.zone).Zone()
	local := t.Unix() + int64(offset)
	day = local / 86400
	if local%86400 < 0 {
		day--
	}
	return day, local - day*86400
}

func (c *Calendar) moment(day, second int64) time.Time {
	return time.Date(1970, 1, 1+int(day), 0, 0, int(second), 0, c.zone)
}

func (c *Calendar) workday(w *workdays, n int32, second int64) (time.Time, error) {
	if n < 0 || int(n) >= len(w.work) {
		return time.Time{}, c.outside(w.first)
	}
	return c.moment(w.first+int64(w.work[n]), second), nil
}

func (c *Calendar) outside(int64) error {
	years := c.file.Years
	return fmt.Errorf("mappings: the term leaves the years %d to %d: %w", years[0].Year, years[len(years)-1].Year, ErrYear)
}

// workdays is the calendar of one working week, laid out so that a term of any
// length costs one look-up.
type workdays struct {
	first  int64   // day number of the first 1 January
	before []int32 // working days before each day
	work   []int32 // the working days, as indices of before
}

func (w *workdays) index(day int64) (int, error) {
	if i := day - w.first; i >= 0 && i < int64(len(w.before)) {
		return int(i), nil
	}
	return 0, fmt.Errorf("mappings: %s: %w", time.Unix(day*86400, 0).UTC().Format(time.DateOnly), ErrYear)
}

func (w *workdays) one(i int) int32 {
	if w.isWork(i) {
		return 1
	}
	return 0
}

func (w *workdays) isWork(i int) bool {
	n := w.before[i]
	return int(n) < len(w.work) && w.work[n] == int32(i)
}

// week gives the table of a working week, built when it is first asked for.
func (c *Calendar) week(days Week) *workdays {
	slot := &c.tables[days&127]
	if t := slot.Load(); t != nil {
		return t
	}
	t := c.build(days)
	slot.Store(t)
	return t
}

func (c *Calendar) build(days Week) *workdays {
	years := c.file.Years
	if len(years) == 0 {
		return &workdays{}
	}
	number := func(d Date) int64 {
		return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Unix() / 86400
	}
	w := &workdays{first: number(Date{years[0].Year, 1, 1})}
	total := int(number(Date{years[len(years)-1].Year + 1, 1, 1}) - w.first)
	off := make([]bool, total)
	var moving []int
	for _, y := range years {
		for _, h := range c.file.Holidays {
			if y.Year < h.From || h.To != 0 && y.Year > h.To {
				continue
			}
			i := int(number(Date{y.Year, h.Day.Month, h.Day.Day}) - w.first)
			off[i] = true
			if h.Moves {
				moving = append(moving, i)
			}
		}
		for _, d := range slices.Concat(y.KurbanAit, y.Extra) {
			off[number(d)-w.first] = true
		}
	}
	in := func(i int) bool { return days.has(time.Weekday((w.first + int64(i) + 4) % 7)) } // day 0 was a Thursday
	// Order matters: of two holidays on one weekend the first takes the first day after.
	slices.SortFunc(moving, func(a, b int) int { return cmp.Compare(a, b) })
	for _, i := range moving {
		if in(i) {
			continue
		}
		for j := i + 1; j < total; j++ {
			if in(j) && !off[j] {
				off[j] = true
				break
			}
		}
	}
	working := make([]bool, total)
	for i := range working {
		working[i] = in(i) && !off[i]
	}
	// A day of this week that is moved to a day that this week does not have:
	// a moved Saturday changes nothing for those who work on Saturdays anyway.
	for _, y := range years {
		for _, m := range y.Moved {
			if i, j := int(number(m.Off)-w.first), int(number(m.Work)-w.first); in(i) && !in(j) {
				working[i], working[j] = false, true
			}
		}
	}
	w.before = make([]int32, total)
	for i, is := range working {
		w.before[i] = int32(len(w.work))
		if is {
			w.work = append(w.work, int32(i))
		}
	}
	return w
}
