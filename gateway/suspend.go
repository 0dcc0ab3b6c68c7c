package gateway

import (
	"context"
	"slices"
	"time"

	"kopir/mappings"
)

// maxDays bounds one extension where the description of the service does not.
const maxDays = 90

// Extension moves the due time of the open step.
type Extension struct {
	Days    int  // working days more
	Reason  Text // goes into the regulated notification, in both languages
	Version int64
}

// Suspension lets the open term stand still, until the applicant has brought
// what is missing or another body has answered.
type Suspension struct {
	Days    int  // working days after which it runs on by itself
	Reason  Text // goes into the notification, in both languages
	Version int64
}

// Extend moves the end of the running term and tells the partners, with the
// reason.
func (b *Bridge) Extend(ctx context.Context, number string, who Actor, e Extension) (*Application, error) {
	if err := reasoned(e.Reason); err != nil {
		return nil, err
	}
	return b.amend(ctx, number, e.Version, func(d *draft) error {
		due, err := d.movable(Extended)
		if err != nil {
			return err
		}
		limit := d.service.Extension
		if limit == nil {
			limit = &mappings.Limit{Longest: mappings.Term{N: maxDays, Unit: mappings.WorkingDays}}
		}
		if err := within(limit, e.Days, due.times(true)); err != nil {
			return err
		}
		due.Moved = append(slices.Clone(due.Moved), Shift{At: d.at, By: who, Reason: e.Reason, Days: e.Days, From: due.DueAt})
		due.Extended++
		if err := d.moved(due); err != nil {
			return err
		}
		d.event(Event{Kind: EventExtended, Actor: who, Text: e.Reason, Detail: d.span(due.DueAt, d.app.DueAt)})
		return d.longer(who, e.Reason)
	})
}

// Suspend lets the term stand still and tells the partners, with the reason. A
// term that has ended is not mended by it.
func (b *Bridge) Suspend(ctx context.Context, number string, who Actor, s Suspension) (*Application, error) {
	if err := reasoned(s.Reason); err != nil {
		return nil, err
	}
	return b.amend(ctx, number, s.Version, func(d *draft) error {
		due, err := d.movable(Suspended)
		switch {
		case err != nil:
			return err
		case d.service.Suspension == nil:
			return refuse(MoveNotAllowed, "state", "the description of this service knows no suspension")
		case !d.at.Before(due.DueAt):
			return refuse(MoveNotAllowed, "state", "the term has ended already; a suspension does not mend that")
		}
		if err := within(d.service.Suspension, s.Days, due.times(false)); err != nil {
			return err
		}
		until, err := b.set().Calendar.Add(d.at, mappings.Term{N: s.Days, Unit: mappings.WorkingDays}, d.hours(&due))
		if err != nil {
			return uncounted("the suspension", err)
		}
		due.ResumeAt = until.UTC()
		due.Moved = append(slices.Clone(due.Moved), Shift{At: d.at, By: who, Reason: s.Reason, Until: due.ResumeAt, From: due.DueAt})
		d.put(due)
		d.why, d.until = s.Reason, due.ResumeAt
		d.event(Event{Kind: EventSuspended, Actor: who, Text: s.Reason, Detail: d.stamp(due.ResumeAt)})
		return d.enter(Suspended, who)
	})
}

// Resume lets a term run on. Where its end has moved, that is an extension,
// and the applicant is told so.
func (b *Bridge) Resume(ctx context.Context, number string, who Actor, version int64) (*Application, error) {
	return b.amend(ctx, number, version, func(d *draft) error { return d.resume(who) })
}

func (d *draft) resume(who Actor) error {
	due, ok := d.open()
	if !ok || due.ResumeAt.IsZero() {
		return refuse(MoveNotAllowed, "state", "the term of this application does not stand still")
	}
	due.Moved, due.ResumeAt = slices.Clone(due.Moved), time.Time{}
	last := &due.Moved[len(due.Moved)-1]
	last.ResumedAt = d.at
	if d.at.After(last.Until) { // the timer came late; nobody gains by it
		last.ResumedAt = last.Until
	}
	if err := d.moved(due); err != nil {
		return err
	}
	d.event(Event{Kind: EventResumed, Actor: who, Text: last.Reason, Detail: d.span(last.From, d.app.DueAt)})
	if d.app.DueAt.After(last.From) {
		return d.longer(who, last.Reason)
	}
	return d.enter(InProgress, who)
}

// longer brings an application into the state that tells of a longer term.
func (d *draft) longer(who Actor, why Text) error {
	d.why = why
	if d.app.State == Extended {
		return d.notify(d.notice())
	}
	return d.enter(Extended, who)
}

// movable is the open term of an application that may be extended or suspended.
func (d *draft) movable(to State) (Due, error) {
	due, ok := d.open()
	switch {
	case d.app.State == Suspended:
		return due, refuse(MoveNotAllowed, "state", "the term stands still; it must run on first")
	case d.app.State != to:
		if err := allowed(d.app.State, to); err != nil {
			return due, &Error{Code: MoveNotAllowed, Field: "state", Say: err.Error()}
		}
	}
	if !ok {
		return due, refuse(MoveNotAllowed, "days", "no term is running that could be moved")
	}
	return due, nil
}

// within says whether a limit lets a term be moved once more by so many
// working days.
func within(l *mappings.Limit, days, before int) error {
	if days < 1 || days > l.Longest.N {
		return refuse(Malformed, "days", "must be from 1 to %d working days", l.Longest.N)
	}
	if l.Times > 0 && before >= l.Times {
		return refuse(MoveNotAllowed, "days", "it was done %d times already, and the description of the service allows no more", before)
	}
	return nil
}

func reasoned(t Text) error {
	if t.RU == "" || t.KK == "" {
		return refuse(Malformed, "reason", "the reason is needed in both languages: it goes to the applicant")
	}
	return nil
}

// span writes an old and a new end for the history.
func (d *draft) span(from, to time.Time) string { return d.stamp(from) + " -> " + d.stamp(to) }

func (d *draft) stamp(t time.Time) string { return t.In(d.b.zone()).Format(time.RFC3339) }
