package crash

import (
	"sync"

	"kopir/gateway/sim"
)

// Arrival is a message that the bridge brought to the gateway, as the gateway
// counted it.
type Arrival struct {
	Own    string // the bridge's id of it
	Parcel string // the gateway's
	To     string // portal, csc or another system
	Number string // of the application that it speaks of
	Code   string // the partner's word for the state
}

// handed is a message of a partner at the gateway.
type handed struct {
	parcel string
	state  string // ON_DELIVERY, DELIVERED …
	fault  string
}

// witness counts what passes the gateway, each time that it does.
type witness struct {
	mu       sync.Mutex
	arrivals []Arrival
	partners map[string]handed // by the partner's own id
	taken    func(Arrival)     // called for each, without the lock
}

func newWitness() *witness {
	return &witness{partners: map[string]handed{}, taken: func(Arrival) {}}
}

func (w *witness) Taken(p sim.Parcel, read map[string]string) {
	if p.From != "bridge" {
		w.mu.Lock()
		w.partners[p.OwnID] = handed{parcel: p.MessageID, state: p.State}
		w.mu.Unlock()
		return
	}
	a := Arrival{Own: p.OwnID, Parcel: p.MessageID, To: p.To, Number: read["number"], Code: read["code"]}
	w.mu.Lock()
	w.arrivals = append(w.arrivals, a)
	w.mu.Unlock()
	w.taken(a)
}

func (w *witness) Settled(p sim.Parcel) {
	if p.From == "bridge" {
		return
	}
	h := handed{parcel: p.MessageID, state: p.State}
	if p.State != "DELIVERED" {
		h.fault = p.Code + " " + p.Text
	}
	w.mu.Lock()
	w.partners[p.OwnID] = h
	w.mu.Unlock()
}

// Noticed proves nothing: between gateway and desk the bridge has no part.
func (w *witness) Noticed(string, sim.Notice) {}

// handed finds a partner's message by its own id.
func (w *witness) handed(own string) (handed, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h, ok := w.partners[own]
	return h, ok
}
