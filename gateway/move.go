package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

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

// Submit takes an application through the office or the akim channel.
func (b *Bridge) Submit(ctx context.Context, sub Submission, who Actor) (*Application, error) {
	at := b.now().UTC()
	if sub.Channel == "" {
		sub.Channel = Office
	}
	if sub.Channel != Office && sub.Channel != Akim {
		return nil, refuse(Malformed, "channel", "%s or %s: what partners bring comes through their doors", Office, Akim)
	}
	s, ok := b.set().InForce(sub.Service, at)
	if ok {
		_, ok = s.Channel(string(sub.Channel))
	}
	if !ok {
		return nil, refuse(UnknownService, "service", "this service is not offered through the channel %s", sub.Channel)
	}
	sum := sha256.Sum256(sub.Document)
	m := &Message{ID: b.newID(), Sender: "office/" + who.Name, SHA256: hex.EncodeToString(sum[:]), Operation: "submit", Service: s.ID, At: at, Raw: sub.Document}
	if m.Key = messageKey(sub.ID); m.Key == "" {
		m.Key = "sha256:" + m.SHA256
	}
	if kept, err := b.o.Store.Message(ctx, m.Sender, m.Key); err == nil {
		return b.submitted(ctx, kept, m)
	} else if !errors.Is(err, ErrNotFound) {
		return nil, tryLater(err)
	}
	doc, err := readDocument("document", sub.Document)
	if err != nil {
		return nil, err
	}
	p := &paper{service: s, channel: sub.Channel, at: at, doc: doc, body: sub.Document}
	j, err := b.judge(ctx, p)
	if err == nil {
		err = b.atCounter(p, j, sub.Office, who)
	}
	if err != nil {
		return nil, err
	}
	d, err := b.intake(p, j, arrival{message: m, messageID: sub.ID})
	if err != nil {
		return nil, err
	}
	if j.ground != nil {
		if m.Reply, err = groundJSON(j); err != nil {
			return nil, err
		}
	}
	kept, err := b.commitIntake(ctx, d)
	if err != nil {
		return nil, err
	}
	if kept == nil {
		kept = d.change.Message
	}
	return b.submitted(ctx, kept, m)
}
