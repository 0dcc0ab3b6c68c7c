package gateway

import (
	"errors"
	"slices"
)

// known judges the terms and gives their partners.
func (t Terms) known() (partners, error) {
	known, err := newPartners(t.Partners, t.Gateway)
	if t.Sender == nil {
		err = errors.Join(err, errors.New("gateway: a sender is needed"))
	}
	if len(t.Partners) == 0 {
		err = errors.Join(err, errors.New("gateway: no partner is named, so every message would be refused"))
	}
	return known, err
}

// Under gives the same bridge under other terms, or says everything that is
// missing. Nothing changes for whoever has the old one: what began under its
// terms ends under them. The loops of Run follow when the new one begins.
func (b *Bridge) Under(t Terms) (*Bridge, error) {
	known, err := t.known()
	if err != nil {
		return nil, err
	}
	next := *b
	next.o.Terms, next.partners = t, known
	return &next, nil
}

// Begin makes these terms those of the loops, from their next round on. Ways
// out are added, and none is taken away: what waits on one goes where the new
// terms lead.
func (b *Bridge) Begin() {
	ways := b.lanes()
	if ways == nil {
		for _, r := range Routes() {
			ways = append(ways, newLane(Lane{Route: r}))
		}
	}
	for _, l := range b.o.Apart {
		if !slices.ContainsFunc(ways, func(have *lane) bool { return have.Lane == l }) {
			ways = append(slices.Clip(ways), newLane(l))
		}
	}
	b.ways.Store(&ways)
	b.latest.Store(b)
	rouse(b.opened)
	for _, l := range ways {
		rouse(l.wake) // what waited for other terms
	}
}

// Latest is the bridge under the terms that began last.
func (b *Bridge) Latest() *Bridge { return b.latest.Load() }

// lanes are all ways out: one of each route, and those of the partners apart.
func (b *Bridge) lanes() []*lane {
	if ways := b.ways.Load(); ways != nil {
		return *ways
	}
	return nil
}
