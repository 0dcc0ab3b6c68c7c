package gateway

import (
	"context"

	"kopir/mappings"
)

// Whose hands an application is in, where the akim forwards it to the
// provider: at first the akim's.
const (
	HolderAkim     = "akim"
	HolderProvider = "provider"
)

// Forwarding hands an application of the akim channel over to the provider, or
// after the decision back to the akim, who gives the result to the applicant.
type Forwarding struct {
	To string // HolderProvider or HolderAkim
	// Letter is the akim's covering letter, signed by an official; nil where it
	// goes on paper.
	Letter  *Document
	Version int64
}

// Forward records that an application went from the akim to the provider or
// back, with the words of the regulation.
func (b *Bridge) Forward(ctx context.Context, number string, who Actor, f Forwarding) (*Application, error) {
	if f.To != HolderAkim && f.To != HolderProvider {
		return nil, refuse(Malformed, "to", "an application is forwarded to the %s or to the %s", HolderProvider, HolderAkim)
	}
	var letter *official
	if f.Letter != nil {
		var err error
		if letter, err = b.judgeOfficial(ctx, f.Letter); err != nil {
			return nil, err
		}
	}
	return b.amend(ctx, number, f.Version, func(d *draft) error {
		if err := d.mine(who); err != nil {
			return err
		}
		state := d.app.State
		switch {
		case d.app.Holder == "":
			return refuse(MoveNotAllowed, "to", "applications of this service and channel stay where they were filed")
		case d.app.Holder == f.To:
			return refuse(MoveNotAllowed, "to", "the %s has it already", f.To)
		case f.To == HolderProvider && state != InProgress && state != Extended:
			return refuse(MoveNotAllowed, "state", "an application that is %s is not forwarded: the akim takes it into work first", state)
		case f.To == HolderAkim && !state.Final():
			return refuse(MoveNotAllowed, "state", "the provider decides before it goes back to the akim")
		}
		step, _ := d.channel.Forwarding(f.To == HolderAkim)
		what := Event{Kind: EventForwarded, Actor: who, Text: text(step.Completion), Detail: f.To}
		if letter != nil {
			d.change.Evidence = append(d.change.Evidence, letter.evidence)
			what.Detail += ", " + letter.doc.Name + " sha256:" + letter.doc.SHA256
		}
		d.app.Holder, d.app.Executor, d.app.ChangedAt = f.To, Actor{}, d.at
		d.event(what)
		return nil
	})
}

// decides says why the application cannot be decided where it is.
func (d *draft) decides() error {
	if d.app.Holder == HolderAkim {
		return refuse(MoveNotAllowed, "state", "the provider decides: the akim forwards the application first")
	}
	return nil
}

// holder is whose hands a new application is in; empty where nobody forwards.
func holder(c *mappings.Channel) string {
	if _, ok := c.Forwarding(true); ok {
		return HolderAkim
	}
	return ""
}
