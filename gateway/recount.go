package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
)

// The marks under which the store keeps by which calendar the open terms were
// counted last, and how far a count that is under way has come.
const (
	countedMark  = "timetable"
	countingMark = "timetable/counting"
)

// recountBatch is how many terms are counted before the place is kept.
const recountBatch = 200

// errSame leaves an application as it is.
var errSame = errors.New("nothing changes")

// Recount says that the calendar was replaced.
func (b *Bridge) Recount() {
	select {
	case b.recounts <- struct{}{}:
	default:
	}
}

// recountAll counts all open terms again if they were counted by another
// calendar or by other hours than those of now. A term that comes out the same
// is not touched, so that a count that was cut off, or made twice, changes
// nothing; it goes on where it was cut off.
func (b *Bridge) recountAll(ctx context.Context) error {
	table := b.set().Timetable()
	counted, err := b.o.Store.Mark(ctx, countedMark)
	if err != nil || counted == table {
		return err
	}
	mark, err := b.o.Store.Mark(ctx, countingMark)
	if err != nil {
		return err
	}
	after, ok := strings.CutPrefix(mark, table+" ")
	if !ok {
		after = "" // of another calendar
	}
	moved := 0
	for {
		dues, err := b.o.Store.DuesAfter(ctx, after, recountBatch)
		if err != nil {
			return err
		}
		if len(dues) == 0 {
			break
		}
		for _, due := range dues {
			after = due.Application
			changed, err := b.recount(ctx, due)
			switch {
			case CodeOf(err) == TryLater || ctx.Err() != nil:
				return err
			case err != nil:
				b.log.Error("a term is not counted again", zap.String("application", due.Application), zap.Int("step", due.Step), zap.Error(err))
			case changed:
				moved++
			}
		}
		if b.set().Timetable() != table {
			return b.recountAll(ctx) // replaced meanwhile
		}
		if err := b.o.Store.SetMark(ctx, countingMark, table+" "+after); err != nil {
			return err
		}
	}
	b.log.Info("open terms are counted by this calendar", zap.String("timetable", table), zap.Int("moved", moved))
	return b.o.Store.SetMark(ctx, countedMark, table)
}

// recount counts one term again. The applicant is told where the term of the
// service, that is of the step that ends it, became longer: of that the
// regulations ask a notice, as of any extension.
func (b *Bridge) recount(ctx context.Context, seen Due) (bool, error) {
	changed := false
	_, err := b.amend(ctx, seen.Application, 0, func(d *draft) error {
		changed = false
		i := slices.IndexFunc(d.dues, func(x Due) bool { return x.Step == seen.Step && x.StartedAt.Equal(seen.StartedAt) })
		if i < 0 || !d.dues[i].DoneAt.IsZero() || d.dues[i].Extended != d.dues[i].times(true) {
			return errSame
		}
		due := d.dues[i]
		before := due
		if err := d.count(&due); err != nil {
			return err
		}
		if due.DueAt.Equal(before.DueAt) && due.WarnAt.Equal(before.WarnAt) && due.Assumed == before.Assumed {
			return errSame
		}
		changed = true
		if due.DueAt.IsZero() {
			due.DueAt = before.DueAt // the description has no such term any more; what was promised stays
		}
		if due.WarnAt.After(d.at) {
			due.WarnedAt = time.Time{}
		}
		if due.DueAt.After(d.at) {
			due.OverdueAt = time.Time{}
		}
		d.put(due)
		d.show(&due)
		if due.DueAt.Equal(before.DueAt) {
			return nil
		}
		d.event(Event{Kind: EventRecounted, Actor: Actor{Name: "calendar"}, Detail: d.span(before.DueAt, due.DueAt)})
		step, _ := d.channel.Terms().Step(due.Step)
		if step.LeadsTo != string(Completed) || due.DueAt.Before(before.DueAt) || !due.ResumeAt.IsZero() || d.app.State == Held {
			return nil
		}
		d.app.Extended = true
		n := d.notice() // the state stays: nobody has done anything
		n.State, n.Due, n.Reason = string(Extended), due.DueAt.In(b.zone()), b.set().Texts.Text("term.calendar")
		return d.notify(n)
	})
	if err == errSame {
		return false, nil
	}
	return changed, err
}
