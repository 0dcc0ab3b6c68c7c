package mappings

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Unit says how a term is counted.
type Unit uint8

// The units. The zero value means that there is no term at all.
const (
	NoTerm Unit = iota
	Minutes
	Hours24
	Days
	WorkingMinutes // minutes of office hours, the lunch break left out
	WorkingHours
	WorkingDays // ends with the office hours of the last day
)

var unitNames = [...]string{NoTerm: "", Minutes: "m", Hours24: "h", Days: "d", WorkingMinutes: "wm", WorkingHours: "wh", WorkingDays: "wd"}

// Term is a length of time as a regulation states it: 1m, 10wm, 2wh, 3wd. The
// zero Term means that the text gives none.
type Term struct {
	N    int
	Unit Unit
}

// maxTerm bounds the number of a term: no regulation counts further, and sums stay far from overflow.
const maxTerm = 100_000

// ParseTerm reads a number with one of the units m, h, d, wm, wh, wd.
func ParseTerm(s string) (Term, error) {
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyz")
	n, err := strconv.Atoi(digits)
	if err == nil && n > 0 && n <= maxTerm {
		for u, name := range unitNames {
			if name != "" && s[len(digits):] == name {
				return Term{n, Unit(u)}, nil
			}
		}
	}
	return Term{}, fmt.Errorf("mappings: %q is not a term", s)
}

// UnmarshalText reads a Term in YAML and JSON.
func (t *Term) UnmarshalText(b []byte) (err error) {
	*t, err = ParseTerm(string(b))
	return err
}

// MarshalText writes what ParseTerm reads.
func (t Term) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// String gives the form of the YAML, empty for no term.
func (t Term) String() string {
	if t.IsZero() {
		return ""
	}
	return strconv.Itoa(t.N) + unitNames[t.Unit]
}

// IsZero says that there is no term.
func (t Term) IsZero() bool { return t.Unit == NoTerm }

// Working says whether only working time counts.
func (t Term) Working() bool { return t.Unit >= WorkingMinutes }

// Clock is a time of day in minutes after midnight, written 09:00.
type Clock int

// UnmarshalText reads 09:00.
func (c *Clock) UnmarshalText(b []byte) error {
	t, err := time.Parse("15:04", string(b))
	if err != nil {
		return fmt.Errorf("mappings: %q is not a time of day", b)
	}
	*c = Clock(t.Hour()*60 + t.Minute())
	return nil
}

// MarshalText writes 09:00.
func (c Clock) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// String gives 09:00.
func (c Clock) String() string { return fmt.Sprintf("%02d:%02d", int(c)/60, int(c)%60) }

// Date is a calendar day without time and zone.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// ParseDate reads 2006-01-02.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Date{}, fmt.Errorf("mappings: %q is not a date", s)
	}
	return dateOf(t), nil
}

func dateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// UnmarshalText reads 2006-01-02.
func (d *Date) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDate(string(b))
	return err
}

// MarshalText writes 2006-01-02.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String gives 2006-01-02.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// IsZero says that there is no date.
func (d Date) IsZero() bool { return d == Date{} }

// Size is a number of bytes, written 5MB or 512KB (powers of 1024).
type Size int64

// UnmarshalText reads 512B, 512KB, 5MB.
func (z *Size) UnmarshalText(b []byte) error {
	s := string(b)
	for _, u := range []struct {
		name string
		size int64
	}{{"KB", 1 << 10}, {"MB", 1 << 20}, {"B", 1}} {
		if digits, ok := strings.CutSuffix(s, u.name); ok {
			n, err := strconv.ParseInt(digits, 10, 32)
			if err != nil || n <= 0 {
				break
			}
			*z = Size(n * u.size)
			return nil
		}
	}
	return fmt.Errorf("mappings: %q is not a size", s)
}

// String gives the form of the YAML.
func (z Size) String() string {
	switch {
	case z%(1<<20) == 0:
		return strconv.FormatInt(int64(z>>20), 10) + "MB"
	case z%(1<<10) == 0:
		return strconv.FormatInt(int64(z>>10), 10) + "KB"
	default:
		return strconv.FormatInt(int64(z), 10) + "B"
	}
}
