package gateway

import (
	"slices"
	"time"

	"kopir/mappings"
)

// clock stops the terms that the new state ends and starts the one that it
// opens. A term never starts anew because an application went back: the law
// counts from the first time. start is when the new term begins.
func (d *draft) clock(start time.Time) error {
	step, running := d.channel.Open(string(d.app.State))
	if d.app.State.Final() {
		running = false
	}
	var open *Due
	for i := range d.dues {
		due := d.dues[i]
		if !due.DoneAt.IsZero() {
			continue
		}
		if running && due.Step >= step.No {
			open = &d.dues[i]
			continue
		}
		d.finish(&due)
		d.put(due)
	}
	if running && open == nil {
		due := Due{Application: d.app.Number, Service: d.service.ID, Edition: d.service.Edition, Channel: d.app.Channel, Office: d.app.Office, Step: step.No, Does: step.Does, Actor: step.Actor,
			State: d.app.State, StartedAt: start}
		if err := d.count(&due); err != nil {
			return err
		}
		if !due.DueAt.IsZero() {
			due.Pace = d.b.pace(d.ctx(), due.Service, due.Office, due.Step)
			d.put(due)
			open = &due
		}
	}
	d.show(open)
	return nil
}

// count sets the end of a term and when to warn of it, from what is recorded.
func (d *draft) count(due *Due) error {
	end, warn, err := d.b.set().Due(d.channel.Running(string(due.State)), d.app.Office, due.StartedAt, due.shifts()...)
	if err != nil {
		return uncounted("the term of the step", err)
	}
	due.DueAt, due.WarnAt, due.Assumed = time.Time{}, time.Time{}, false
	if end.IsZero() {
		return nil
	}
	due.DueAt, due.Assumed = end.UTC(), d.b.set().Calendar.Assumed(due.StartedAt, end)
	if warn.After(due.StartedAt) {
		due.WarnAt = warn.UTC()
	}
	return nil
}

func uncounted(what string, cause error) error {
	return &Error{Code: Internal, Say: what + " cannot be counted: the calendar lacks the year", Cause: cause}
}

// show puts on the application what is open, nil for nothing.
func (d *draft) show(open *Due) {
	d.app.DueAt, d.app.Forecast = time.Time{}, nil
	if open == nil {
		return
	}
	if open.ResumeAt.IsZero() {
		d.app.DueAt = open.DueAt
	}
	d.app.Forecast = d.forecast(open)
}

// finish ends a term and measures how long it took.
func (d *draft) finish(due *Due) {
	due.DoneAt, due.ResumeAt = d.at, time.Time{}
	due.Took, _ = d.worked(due, due.StartedAt, d.at) // without it, only the measure is missing
	for _, m := range due.Moved {
		if m.Days == 0 {
			end := m.ResumedAt
			if end.IsZero() {
				end = d.at
			}
			still, _ := d.worked(due, m.At, end)
			due.Took -= still
		}
	}
}

// worked gives the seconds of office hours between two moments.
func (d *draft) worked(due *Due, from, to time.Time) (int64, error) {
	return d.b.set().Calendar.Worked(from, to, d.hours(due))
}

func (d *draft) hours(due *Due) mappings.Hours {
	h, _ := d.b.set().Hours(due.Actor, d.app.Office)
	return h
}

// put replaces a term among those known and in the Change.
func (d *draft) put(due Due) {
	same := func(x Due) bool { return x.Step == due.Step && x.StartedAt.Equal(due.StartedAt) }
	for _, list := range []*[]Due{&d.dues, &d.change.Dues} {
		if i := slices.IndexFunc(*list, same); i >= 0 {
			(*list)[i] = due
		} else {
			*list = append(*list, due)
		}
	}
}

// open is the term that runs now, or stands still.
func (d *draft) open() (Due, bool) {
	i := slices.IndexFunc(d.dues, func(x Due) bool { return x.DoneAt.IsZero() })
	if i < 0 {
		return Due{}, false
	}
	return d.dues[i], true
}

// moved counts the open term again after a Shift and notes the new end.
func (d *draft) moved(due Due) error {
	last := &due.Moved[len(due.Moved)-1]
	if err := d.count(&due); err != nil {
		return err
	}
	last.To = due.DueAt
	if due.DueAt.After(last.From) {
		due.WarnedAt, due.OverdueAt = time.Time{}, time.Time{}
		if !due.WarnAt.After(d.at) {
			due.WarnAt = time.Time{}
		}
		d.app.Extended = true
	}
	d.put(due)
	d.show(&due)
	return nil
}
