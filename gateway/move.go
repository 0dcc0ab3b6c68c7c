package gateway

import "context"

// mine says whether somebody may go on with an application that another took.
func (d *draft) mine(who Actor) error {
	if e := d.app.Executor; !e.IsZero() && e.Name != who.Name {
		return refuse(NotYours, "number", "%s has this application; it must be handed over first", e.Name)
	}
	return nil
}

// Take brings an application into work.
func (b *Bridge) Take(ctx context.Context, number string, who Actor) (*Application, error) {
	return b.amend(ctx, number, 0, func(d *draft) error {
		d.app.Executor = who
		return d.enter(InProgress, who)
	})
}

// Return hands it back for another specialist. Its term runs on.
func (b *Bridge) Return(ctx context.Context, number string, who Actor, why Text) (*Application, error) {
	return b.amend(ctx, number, 0, func(d *draft) error {
		if err := d.mine(who); err != nil {
			return err
		}
		d.app.Executor = Actor{}
		if err := d.enter(Received, who); err != nil {
			return err
		}
		d.event(Event{Kind: EventNote, Actor: who, Text: why})
		return nil
	})
}

// HandOver gives an application in work to another specialist.
func (b *Bridge) HandOver(ctx context.Context, number string, who, to Actor) (*Application, error) {
	return b.amend(ctx, number, 0, func(d *draft) error {
		switch {
		case to.Name == "":
			return refuse(Malformed, "to", "the specialist who takes over must be named")
		case d.app.State != Received && d.app.State != InProgress && d.app.State != Extended && d.app.State != Suspended:
			return refuse(MoveNotAllowed, "state", "an application that is %s is in nobody's hands", d.app.State)
		}
		if err := d.mine(who); err != nil {
			return err
		}
		d.app.Executor = to
		d.event(Event{Kind: EventNote, Actor: who, Detail: "handed over to " + to.Name})
		if d.app.State == Received { // the head's resolution
			return d.enter(InProgress, who)
		}
		return nil
	})
}
