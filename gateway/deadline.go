package gateway

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

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
		due.DoneAt = d.at
		d.put(due)
	}
	if running && open == nil {
		end, warn, err := d.b.set().Due(d.channel.Running(string(d.app.State)), d.app.Office, start)
		if err != nil {
			return &Error{Code: Internal, Say: "the term of the step cannot be counted: the calendar lacks the year", Cause: err}
		}
		if !end.IsZero() {
			due := Due{Application: d.app.Number, Step: step.No, Does: step.Does, Actor: step.Actor, State: d.app.State, StartedAt: start, DueAt: end.UTC()}
			if warn.After(start) {
				due.WarnAt = warn.UTC()
			}
			d.put(due)
			open = &due
		}
	}
	d.app.DueAt, d.app.Overdue = time.Time{}, false
	if open != nil {
		d.app.DueAt, d.app.Overdue = open.DueAt, !open.OverdueAt.IsZero()
	}
	return nil
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

// open is the term that runs now.
func (d *draft) open() (Due, bool) {
	i := slices.IndexFunc(d.dues, func(x Due) bool { return x.DoneAt.IsZero() })
	if i < 0 {
		return Due{}, false
	}
	return d.dues[i], true
}

// extend moves the end of the running term by working days.
func (d *draft) extend(days int) error {
	due, ok := d.open()
	if !ok {
		return refuse(MoveNotAllowed, "days", "no term is running that could be extended")
	}
	hours, _ := d.b.set().Hours(due.Actor, d.app.Office)
	more := mappings.Term{N: days, Unit: mappings.WorkingDays}
	end, err := d.b.set().Calendar.Add(due.DueAt, more, hours)
	if err != nil {
		return &Error{Code: Internal, Say: "the extension cannot be counted: the calendar lacks the year", Cause: err}
	}
	due.DueAt, due.WarnedAt, due.OverdueAt, due.WarnAt = end.UTC(), time.Time{}, time.Time{}, time.Time{}
	due.Extended++
	if step, ok := d.channel.Terms().Step(due.Step); ok && !step.WarnBefore.IsZero() {
		if warn, err := d.b.set().Calendar.Before(end, step.WarnBefore, hours); err == nil && warn.After(d.at) {
			due.WarnAt = warn.UTC()
		}
	}
	d.put(due)
	d.app.DueAt, d.app.Extended, d.app.Overdue = due.DueAt, true, false
	return nil
}

// ripeBatch is how many terms are told of in one go.
const ripeBatch = 100

// tick warns of terms that end soon and finds those that have ended. It gives
// how many applications it changed.
func (b *Bridge) tick(ctx context.Context) (int, error) {
	ripe, err := b.o.Store.Ripe(ctx, b.now(), ripeBatch)
	if err != nil {
		return 0, err
	}
	told := 0
	for _, r := range ripe {
		_, err := b.amend(ctx, r.Application, 0, func(d *draft) error { return d.tell1(r) })
		switch {
		case err == nil:
			told++
		case CodeOf(err) == TryLater:
			return told, err
		default:
			b.log.Error("due time", zap.String("application", r.Application), zap.Int("step", r.Step), zap.Error(err))
		}
	}
	return told, nil
}

// tell1 writes what there is to say about one term.
func (d *draft) tell1(r Due) error {
	i := slices.IndexFunc(d.dues, func(x Due) bool { return x.Step == r.Step && x.StartedAt.Equal(r.StartedAt) })
	if i < 0 || !d.dues[i].DoneAt.IsZero() {
		return nil
	}
	due := d.dues[i]
	step, _ := d.channel.Terms().Step(due.Step)
	what := Event{Actor: Actor{Name: "timer"}, Text: text(step.Action), Detail: due.DueAt.In(d.b.zone()).Format(time.RFC3339)}
	switch {
	case !d.at.Before(due.DueAt):
		due.OverdueAt, due.WarnedAt, what.Kind = d.at, d.at, EventOverdue
		d.app.Overdue = true
	case due.WarnedAt.IsZero() && !due.WarnAt.IsZero() && !d.at.Before(due.WarnAt):
		due.WarnedAt, what.Kind = d.at, EventWarning
	default:
		return nil
	}
	d.put(due)
	d.event(what)
	return nil
}
