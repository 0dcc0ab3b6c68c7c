package mappings

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Hours are the working hours of an office. The zero BreakTo means no break.
type Hours struct {
	ID        string `yaml:"id,required"`
	Days      Week   `yaml:"days,required"`
	Open      Clock  `yaml:"open,required"`
	Close     Clock  `yaml:"close,required"`
	BreakFrom Clock  `yaml:"break_from"`
	BreakTo   Clock  `yaml:"break_to"`
	Text      Text   `yaml:"text,required"`
	Note      string `yaml:"note"`
	Source    string `yaml:"source"`
}

// valid says whether the hours follow each other.
func (h Hours) valid() bool {
	if h.BreakTo == 0 && h.BreakFrom == 0 {
		return h.Days != 0 && h.Open < h.Close
	}
	return h.Days != 0 && h.Open < h.BreakFrom && h.BreakFrom < h.BreakTo && h.BreakTo < h.Close
}

// seconds of work in one day.
func (h Hours) seconds() int64 {
	return 60 * int64(h.Close-h.Open-(h.BreakTo-h.BreakFrom))
}

// worked gives how many seconds of work lie before a second of the day.
func (h Hours) worked(second int64) int64 {
	open, from, to, end := int64(h.Open)*60, int64(h.BreakFrom)*60, int64(h.BreakTo)*60, int64(h.Close)*60
	if to == 0 {
		from, to = end, end
	}
	return max(0, min(second, from)-open) + max(0, min(second, end)-to)
}

// at is the inverse of worked: the second of the day at which so much is worked.
func (h Hours) at(worked int64) int64 {
	open, from, to := int64(h.Open)*60, int64(h.BreakFrom)*60, int64(h.BreakTo)*60
	if to == 0 || worked <= from-open {
		return open + worked
	}
	return to + worked - (from - open)
}

// Week is a set of weekdays; bit n is time.Weekday n.
type Week uint8

var weekdays = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// UnmarshalText reads "mon-fri", "mon-sat" or a list "mon,wed,fri".
func (w *Week) UnmarshalText(b []byte) error {
	*w = 0
	for part := range strings.SplitSeq(string(b), ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			last = first
		}
		i, j := slices.Index(weekdays[:], first), slices.Index(weekdays[:], last)
		if i < 0 || j < 0 || j < i {
			return fmt.Errorf("mappings: %q is not a list of weekdays", b)
		}
		for ; i <= j; i++ {
			*w |= 1 << i
		}
	}
	return nil
}

func (w Week) has(d time.Weekday) bool { return w&(1<<d) != 0 }
