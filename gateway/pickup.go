package gateway

import (
	"context"
	"time"
)

// PickupState is where a result is that is handed over in person.
type PickupState string

// The states of a pickup.
const (
	PickupWaiting  PickupState = "waiting"  // lies at its place for the applicant
	PickupReturned PickupState = "returned" // not collected in time, back with the provider
	PickupHanded   PickupState = "handed"   // the applicant has it
)

// Pickup is one line of the register of results that are handed over in
// person: what is ready, where it lies, until when, and who got it.
type Pickup struct {
	State PickupState `json:"state"`
	// Place is the service centre, the office or the akim's office where it
	// lies: the id or name that the application gives.
	Place   string    `json:"place,omitempty"`
	ReadyAt time.Time `json:"ready_at"`
	Until   time.Time `json:"until"` // afterwards it goes back to the provider
	// Of the handing over: by whom, to whom, against which receipt.
	HandedAt time.Time `json:"handed_at,omitzero"`
	By       Actor     `json:"by,omitzero"`
	To       *Party    `json:"to,omitempty"`
	// Authority names the power of attorney of a representative; empty: To is
	// the applicant.
	Authority string `json:"authority,omitempty"`
	Receipt   string `json:"receipt,omitempty"`
}

// Late says whether a result was not collected in time.
func (p *Pickup) Late(at time.Time) bool { return p.State == PickupWaiting && at.After(p.Until) }

// PickupFilter selects results; the zero value selects all that are handed
// over in person.
type PickupFilter struct {
	States  []PickupState
	Place   string
	Office  string
	Service string
	LateAt  time.Time // not zero: only those whose time had passed then
}

// Handing is the handing over of a result.
type Handing struct {
	To        Party  // empty: the applicant
	Authority string // of a representative, who must be named
	Receipt   string // number of the signed receipt
	At        time.Time
	Version   int64
}

// places are the fields that say where an applicant of a channel collects.
var places = map[Channel]string{CSC: "csc_office", Akim: "akim_office"}

// awaitPickup enters a result into the register where it is handed over in
// person: the portal's lie in the cabinet, unless the applicant asked otherwise.
func (d *draft) awaitPickup() {
	if d.app.Channel == Portal && d.value("delivery") != "in_person" || d.value("delivery") == "email" {
		return
	}
	place := d.value(places[d.app.Channel])
	if place == "" {
		place = d.app.Office
	}
	y, m, day := d.at.In(d.b.zone()).Date()
	until := time.Date(y, m, day+d.service.KeepDays()+1, 0, 0, 0, 0, d.b.zone())
	d.app.Pickup = &Pickup{State: PickupWaiting, Place: place, ReadyAt: d.at, Until: until.UTC()}
}

// Results lists results that are handed over in person, the longest waiting first.
func (b *Bridge) Results(ctx context.Context, f PickupFilter, cursor string, limit int) (Page, error) {
	p, err := b.o.Store.Pickups(ctx, f, cursor, limit)
	if err != nil {
		return Page{}, tryLater(err)
	}
	return p, nil
}

// HandResult records that a result was handed over.
func (b *Bridge) HandResult(ctx context.Context, number string, who Actor, h Handing) (*Application, error) {
	return b.amend(ctx, number, h.Version, func(d *draft) error {
		return d.picked(func(p *Pickup) error { return d.hand(p, who, h) })
	})
}

func (d *draft) hand(p *Pickup, who Actor, h Handing) error {
	to := h.To
	if to == (Party{}) {
		to = d.app.Applicant
	}
	other := to.IIN != "" && to.IIN != d.app.Applicant.IIN && to.BIN == ""
	switch {
	case p.State == PickupHanded:
		return refuse(MoveNotAllowed, "state", "this result was handed over before")
	case to.Name == "":
		return refuse(Malformed, "to/name", "who received it must be named")
	case other && h.Authority == "":
		return refuse(Malformed, "authority", "a representative needs a power of attorney: name it")
	case !h.At.IsZero() && (h.At.After(d.at) || h.At.Before(p.ReadyAt)):
		return refuse(Malformed, "at", "the result was not there at that time")
	}
	p.State, p.HandedAt, p.By, p.To, p.Authority, p.Receipt = PickupHanded, d.at, who, &to, h.Authority, h.Receipt
	if !h.At.IsZero() {
		p.HandedAt = h.At.UTC()
	}
	detail := "handed over to the applicant"
	if h.Authority != "" {
		detail = "handed over to a representative"
	}
	if h.Receipt != "" {
		detail += ", receipt " + h.Receipt
	}
	d.event(Event{Kind: EventHanded, Actor: who, Detail: detail})
	return nil
}

// ReturnResult records that a result which nobody collected went back to the
// provider. It can still be handed over from there.
func (b *Bridge) ReturnResult(ctx context.Context, number string, who Actor, version int64) (*Application, error) {
	return b.amend(ctx, number, version, func(d *draft) error {
		return d.picked(func(p *Pickup) error { return d.giveBack(p, who) })
	})
}

func (d *draft) giveBack(p *Pickup, who Actor) error {
	if !p.Late(d.at) {
		return refuse(MoveNotAllowed, "state", "only a result that waited longer than it is kept goes back to the provider")
	}
	p.State, p.Place = PickupReturned, d.app.Office
	d.event(Event{Kind: EventHanded, Actor: who, Detail: "not collected in time, returned to the provider"})
	return nil
}

// picked changes the line of the register of results.
func (d *draft) picked(do func(*Pickup) error) error {
	if d.app.Pickup == nil {
		return refuse(MoveNotAllowed, "state", "this application has no result that is handed over in person")
	}
	p := *d.app.Pickup
	if err := do(&p); err != nil {
		return err
	}
	d.app.Pickup = &p
	return nil
}
