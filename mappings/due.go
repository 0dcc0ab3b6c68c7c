package mappings

import (
	"crypto/sha256"
	"fmt"
	"time"
)

// Limit bounds what an act leaves open: how often a term may be moved, and by
// how much each time.
type Limit struct {
	Times   int  `yaml:"times,required"`
	Longest Term `yaml:"longest,required"` // in working days
}

// Shift is what moved the end of a term after it began: working days more, or
// a time in which it stood still.
type Shift struct {
	Days            int
	Paused, Resumed time.Time
}

// Due gives the moment at which steps that are made one after the other, the
// first beginning at from, must all be done, and the moment to warn before it;
// zero where none of them has a term. Each term runs in the hours of its actor;
// what moved the end follows in the order in which it happened.
func (s *Set) Due(steps []Step, office string, from time.Time, moved ...Shift) (due, warn time.Time, err error) {
	unit := NoTerm
	for _, step := range steps {
		if step.Within.IsZero() {
			continue
		}
		if due.IsZero() {
			due = from
		}
		hours, _ := s.Hours(step.Actor, office)
		if due, err = s.Calendar.Add(due, step.Within, hours); err != nil {
			return time.Time{}, time.Time{}, err
		}
		unit = coarser(unit, step.Within.Unit)
	}
	if due.IsZero() {
		return due, time.Time{}, nil
	}
	last := steps[len(steps)-1]
	hours, _ := s.Hours(last.Actor, office)
	for _, m := range moved {
		if m.Days != 0 {
			due, err = s.Calendar.Add(due, Term{m.Days, WorkingDays}, hours)
		} else {
			due, err = s.Calendar.Later(due, m.Paused, m.Resumed, unit, hours)
		}
		if err != nil {
			return time.Time{}, time.Time{}, err
		}
	}
	if last.WarnBefore.IsZero() {
		return due, time.Time{}, nil
	}
	if warn, err = s.Calendar.Before(due, last.WarnBefore, hours); err != nil {
		return time.Time{}, time.Time{}, err
	}
	return due, warn, nil
}

// coarser gives the unit in which a sum of terms stands still: in days as soon
// as one of them counts days.
func coarser(a, b Unit) Unit {
	order := [...]int{NoTerm: 0, Minutes: 1, Hours24: 1, WorkingMinutes: 2, WorkingHours: 2, Days: 3, WorkingDays: 4}
	if order[b] > order[a] {
		return b
	}
	return a
}

// Timetable names everything that terms are counted by beside the descriptions
// of services: days off and hours. Another name means another count.
func (s *Set) Timetable() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%v %v", s.Calendar.book.file, s.Offices.hours))
	return fmt.Sprintf("%x", sum[:16])
}
