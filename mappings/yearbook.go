package mappings

// How Calendar counts: every public holiday and moved day is laid out once into
// a table of working days, so that a term of any length costs one look-up.

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

func (c *yearbook) known(y int) (known, confirmed bool) {
	for _, v := range c.file.Years {
		if v.Year == y {
			return true, v.Confirmed
		}
	}
	return false, false
}

func (c *yearbook) workday(t time.Time, h Hours) (bool, error) {
	w := c.week(h.Days)
	day, _ := c.split(t)
	i, err := w.index(day)
	if err != nil {
		return false, err
	}
	return w.isWork(i), nil
}

func (c *yearbook) open(t time.Time, h Hours) (bool, error) {
	work, err := c.workday(t, h)
	if err != nil || !work {
		return false, err
	}
	_, second := c.split(t)
	m := Clock(second / 60)
	return m >= h.Open && m < h.Close && (h.BreakTo == 0 || m < h.BreakFrom || m >= h.BreakTo), nil
}

func (c *yearbook) add(from time.Time, t Term, h Hours) (time.Time, error) {
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
	w, i, second, err := c.place(from, h)
	if err != nil {
		return time.Time{}, err
	}
	if t.Unit == WorkingDays {
		return c.nth(w, w.before[i]+w.one(i)+int32(t.N)-1, int64(h.Close)*60)
	}
	return c.end(w, w.worked(i, second, h)+t.seconds(), h)
}

// end is the moment at which so much is worked; at closing time, not at the
// next opening.
func (c *yearbook) end(w *workdays, done int64, h Hours) (time.Time, error) {
	length := h.seconds()
	last, rest := done/length, done%length
	if rest == 0 {
		last, rest = last-1, length
	}
	return c.nth(w, int32(last), h.at(rest))
}

// begin is the moment from which on more than so much is worked: at the next
// opening, not at closing time.
func (c *yearbook) begin(w *workdays, done int64, h Hours) (time.Time, error) {
	if done < 0 {
		return time.Time{}, c.outside()
	}
	return c.nth(w, int32(done/h.seconds()), h.at(done%h.seconds()))
}

func (c *yearbook) before(due time.Time, t Term, h Hours) (time.Time, error) {
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
	w, i, second, err := c.place(due, h)
	if err != nil {
		return time.Time{}, err
	}
	if t.Unit == WorkingDays {
		return c.nth(w, w.before[i]-int32(t.N), second)
	}
	return c.begin(w, w.worked(i, second, h)-t.seconds(), h)
}

// place finds the day of t in the table of the office's week.
func (c *yearbook) place(t time.Time, h Hours) (w *workdays, day int, second int64, err error) {
	if !h.valid() {
		return nil, 0, 0, fmt.Errorf("mappings: office hours %q do not follow each other", h.ID)
	}
	w = c.week(h.Days)
	n, second := c.split(t)
	day, err = w.index(n)
	return w, day, second, err
}

// done is how much was worked since the calendar begins.
func (c *yearbook) done(t time.Time, h Hours) (int64, error) {
	w, day, second, err := c.place(t, h)
	if err != nil {
		return 0, err
	}
	return w.worked(day, second, h), nil
}

func (c *yearbook) worked(from, to time.Time, h Hours) (int64, error) {
	a, err := c.done(from, h)
	if err != nil {
		return 0, err
	}
	b, err := c.done(to, h)
	return b - a, err
}

func (c *yearbook) after(from time.Time, seconds int64, h Hours) (time.Time, error) {
	w, day, second, err := c.place(from, h)
	if err != nil {
		return time.Time{}, err
	}
	return c.end(w, w.worked(day, second, h)+seconds, h)
}

func (c *yearbook) later(due, paused, resumed time.Time, unit Unit, h Hours) (time.Time, error) {
	switch unit {
	case NoTerm:
		return due, nil
	case Minutes, Hours24:
		return due.Add(resumed.Sub(paused)), nil
	case Days:
		from, _ := c.split(paused)
		to, _ := c.split(resumed)
		return due.In(c.zone).AddDate(0, 0, int(to-from)), nil
	case WorkingMinutes, WorkingHours:
		lost, err := c.worked(paused, resumed, h)
		if err != nil {
			return time.Time{}, err
		}
		if lost == 0 {
			return due, nil
		}
		return c.after(due, lost, h)
	}
	from, err := c.done(paused, h)
	if err != nil {
		return time.Time{}, err
	}
	to, err := c.done(resumed, h)
	if err != nil {
		return time.Time{}, err
	}
	w, day, second, err := c.place(due, h)
	if err != nil {
		return time.Time{}, err
	}
	lost := to/h.seconds() - from/h.seconds()
	if lost == 0 {
		return due, nil
	}
	return c.nth(w, w.before[day]+int32(lost), second)
}

func (t Term) seconds() int64 {
	if t.Unit == WorkingHours {
		return int64(t.N) * 3600
	}
	return int64(t.N) * 60
}

// split gives the local day, counted from 1 January 1970, and the second of it.
func (c *yearbook) split(t time.Time) (day, second int64) {
	_, offset := t.In(c.zone).Zone()
	local := t.Unix() + int64(offset)
	day = local / 86400
	if local%86400 < 0 {
		day--
	}
	return day, local - day*86400
}

func (c *yearbook) moment(day, second int64) time.Time {
	return time.Date(1970, 1, 1+int(day), 0, 0, int(second), 0, c.zone)
}

func (c *yearbook) nth(w *workdays, n int32, second int64) (time.Time, error) {
	if n < 0 || int(n) >= len(w.work) {
		return time.Time{}, c.outside()
	}
	return c.moment(w.first+int64(w.work[n]), second), nil
}

func (c *yearbook) outside() error {
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

// worked is how much of the hours lies before a second of day i.
func (w *workdays) worked(i int, second int64, h Hours) int64 {
	done := int64(w.before[i]) * h.seconds()
	if w.isWork(i) {
		done += h.worked(second)
	}
	return done
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
func (c *yearbook) week(days Week) *workdays {
	slot := &c.tables[days&127]
	if t := slot.Load(); t != nil {
		return t
	}
	t := c.build(days)
	slot.Store(t)
	return t
}

func (c *yearbook) build(days Week) *workdays {
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
