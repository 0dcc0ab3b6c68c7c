package sim

import "kopir/gateway/soap"

// Witness is told what passes the gateway, in the order in which it does. It
// sees everything, also what comes twice: whoever wants to know whether a
// bridge says something once only counts here. Its methods must return at once
// and must not call the simulation.
type Witness interface {
	// Taken: the gateway took a message. read is what portal or service centre
	// find in a notice, by the names of the descriptions (number, code …).
	Taken(p Parcel, read map[string]string)
	// Settled: it was delivered, or will not be.
	Settled(p Parcel)
	// Noticed: portal or service centre took a notice that was pushed.
	Noticed(desk string, n Notice)
}

// nobody watches.
type nobody struct{}

func (nobody) Taken(Parcel, map[string]string) {}
func (nobody) Settled(Parcel)                  {}
func (nobody) Noticed(string, Notice)          {}

// shown is a parcel as it is shown to people.
func (p *parcel) shown() Parcel {
	return Parcel{p.id, p.correlation, p.ownID, p.service, string(p.kind), p.signer, p.from, p.to, string(p.state), p.code, p.text, p.tries, p.changed}
}

// observed is what a message to a desk says, for the witness.
func (s *Sim) observed(to *member, data soap.Data) map[string]string {
	if s.witness == Witness(nobody{}) || to == nil || to != s.portal.as && to != s.csc.as {
		return nil
	}
	return s.readNotice(documentOf(data), to.key)
}
