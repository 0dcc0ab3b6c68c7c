package gateway

import (
	"time"

	"kopir/mappings"
)

// Due is a term of the regulation that runs for an application. StartedAt and
// Moved are what it is counted from, so that another calendar gives another
// end without anything being lost.
type Due struct {
	Application string    `json:"application"`
	Service     string    `json:"service"`
	Edition     string    `json:"edition,omitempty"` // under which the application was filed
	Channel     Channel   `json:"channel"`
	Office      string    `json:"office,omitempty"`
	Step        int       `json:"step"` // number of the regulation's table
	Does        string    `json:"does"`
	Actor       string    `json:"actor"`
	State       State     `json:"state"` // runs while the application is here
	StartedAt   time.Time `json:"started_at"`
	WarnAt      time.Time `json:"warn_at,omitzero"`
	DueAt       time.Time `json:"due_at"`
	// ResumeAt is set while the term stands still: when it runs on by itself.
	ResumeAt  time.Time `json:"resume_at,omitzero"`
	WarnedAt  time.Time `json:"warned_at,omitzero"`
	OverdueAt time.Time `json:"overdue_at,omitzero"` // when it was found overdue
	DoneAt    time.Time `json:"done_at,omitzero"`
	Extended  int       `json:"extended,omitempty"` // how many times
	Moved     []Shift   `json:"moved,omitempty"`    // what moved its end, oldest first
	// Assumed says that it was counted with a year whose days off nobody has
	// confirmed yet.
	Assumed bool `json:"assumed,omitempty"`
	// Took is how long it ran in seconds of office hours; set when it is done.
	Took int64 `json:"took_seconds,omitempty"`
	Pace *Pace `json:"pace,omitempty"`
}

// Shift is an extension or a suspension of a term, with who made it and why.
type Shift struct {
	At     time.Time `json:"at"`
	By     Actor     `json:"by"`
	Reason Text      `json:"reason"`
	Days   int       `json:"days,omitempty"` // working days of an extension
	// Until is when a suspension ends at the latest, ResumedAt when it ended.
	Until     time.Time `json:"until,omitzero"`
	ResumedAt time.Time `json:"resumed_at,omitzero"`
	From      time.Time `json:"from"`        // the end of the term before
	To        time.Time `json:"to,omitzero"` // and after
}

// shifts is what the calendar counts with.
func (due *Due) shifts() (all []mappings.Shift) {
	for _, m := range due.Moved {
		if m.Days != 0 || !m.ResumedAt.IsZero() {
			all = append(all, mappings.Shift{Days: m.Days, Paused: m.At, Resumed: m.ResumedAt})
		}
	}
	return all
}

// times counts the extensions or the suspensions.
func (due *Due) times(extensions bool) (n int) {
	for _, m := range due.Moved {
		if (m.Days != 0) == extensions {
			n++
		}
	}
	return n
}

// DueFilter selects open terms; the zero value selects all.
type DueFilter struct {
	Service string
	Office  string
	// Overdue selects those that have ended, or have not; nil: both.
	Overdue *bool
	Now     time.Time
}

// DuePage is one page of open terms, the next to end first; those that stand
// still come last.
type DuePage struct {
	Dues []Due  `json:"dues"`
	Next string `json:"next,omitempty"`
}

// DueKey is by what open terms are counted.
type DueKey string

// The keys.
const (
	ByOffice  DueKey = "office"
	ByService DueKey = "service"
	ByStep    DueKey = "step"
)

// DueGroup counts the open terms of an office, a service and a step; what was
// not asked for is empty.
type DueGroup struct {
	Office  string `json:"office,omitempty"`
	Service string `json:"service,omitempty"`
	Step    int    `json:"step,omitempty"`
	Open    int64  `json:"open"` // all, with the following
	Warned  int64  `json:"warned"`
	Overdue int64  `json:"overdue"`
	// Suspended stand still and are neither near their end nor overdue.
	Suspended int64 `json:"suspended"`
	// Next is the earliest end; in the past, it is the oldest breach.
	Next time.Time `json:"next,omitzero"`
}
