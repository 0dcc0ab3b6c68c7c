package sim

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"kopir/gateway/soap"
)

// exchange is what the gateway keeps: messages and conversations.
type exchange struct {
	mu            sync.Mutex
	next          int64
	parcels       map[string]*parcel       // by the gateway's messageId
	conversations map[string]*conversation // by correlationId
	order         []*parcel
	most          int // of messages, see Config.Messages
}

// conversation is what a REQUEST opened.
type conversation struct {
	id, service      string
	opener, receiver string // member keys
	parcels          []*parcel
}

// parcel is one message on its way.
type parcel struct {
	id, correlation, session string
	service                  string
	kind                     soap.MessageType
	from, to                 string // member keys
	data                     soap.Data
	routeID                  string
	properties               []soap.Property
	date                     time.Time
	// ownID is the sender's own messageId, for the control interface.
	ownID string
	// signer is the common name of the system certificate that signed it.
	signer string

	state   soap.MessageState
	code    string
	text    string
	changed time.Time
	tries   int
}

// newExchange numbers messages from the clock, so that a restarted simulator
// does not give the ids of its former life to other messages.
func newExchange(at time.Time, most int) exchange {
	return exchange{most: most, next: at.UnixMilli(), parcels: map[string]*parcel{}, conversations: map[string]*conversation{}}
}

// number gives the next short decimal id. The caller holds mu.
func (e *exchange) number() string {
	e.next++
	return strconv.FormatInt(e.next, 10)
}

// other is the far end of a conversation for one of its ends.
func (c *conversation) other(key string) string {
	if key == c.opener {
		return c.receiver
	}
	return c.opener
}

// info is what the gateway writes above a message that it hands on.
func (s *Sim) info(p *parcel) soap.AsyncMessageInfo {
	from := s.members[p.from]
	return soap.AsyncMessageInfo{
		MessageID: p.id, CorrelationID: p.correlation, ServiceID: p.service, MessageType: p.kind, RouteID: p.routeID,
		MessageDate: p.date, SessionID: p.session, Properties: p.properties,
		Sender: soap.SenderInfo{SenderID: from.sender, Password: soap.Secret(s.PushPassword(from.sender))},
	}
}

// settle moves a parcel to a state; one that is no longer on its way loses its
// data. The caller holds mu.
func (p *parcel) settle(state soap.MessageState, code, text string, at time.Time) {
	p.state, p.code, p.text, p.changed = state, code, text, at
	if state != soap.OnDelivery {
		p.data = soap.Data{}
	}
}

// keepParcels is how many messages the gateway remembers; twice as many are
// the signal to forget the oldest.
const keepParcels = 50_000

// keep enters a parcel. The caller holds mu.
func (e *exchange) keep(one *parcel) {
	e.parcels[one.id] = one
	e.order = append(e.order, one)
	talk := e.conversations[one.correlation]
	talk.parcels = append(talk.parcels, one)
	if len(e.order) < 2*e.most {
		return
	}
	old := e.order[:e.most]
	e.order = append([]*parcel(nil), e.order[e.most:]...)
	for _, p := range old {
		if p.state == soap.OnDelivery {
			e.order = append(e.order, p) // whatever its age, it is still to be delivered
			continue
		}
		delete(e.parcels, p.id)
		if talk := e.conversations[p.correlation]; talk != nil {
			talk.parcels = slices.DeleteFunc(talk.parcels, func(other *parcel) bool { return other == p })
			if len(talk.parcels) == 0 {
				delete(e.conversations, talk.id)
			}
		}
	}
}

// sentAs finds the newest message that a member sent under an id of its own.
// The caller holds mu.
func (e *exchange) sentAs(from, ownID string) *parcel {
	for _, one := range slices.Backward(e.order) {
		if one.from == from && one.ownID == ownID && ownID != "" {
			return one
		}
	}
	return nil
}

// Parcel is a message at the gateway, for the control interface.
type Parcel struct {
	MessageID     string    `json:"message_id"`
	CorrelationID string    `json:"correlation_id"`
	OwnID         string    `json:"own_id,omitempty"`
	Service       string    `json:"service"`
	Type          string    `json:"type"`
	SignedBy      string    `json:"signed_by"` // name in the system certificate
	From          string    `json:"from"`
	To            string    `json:"to"`
	State         string    `json:"state"`
	Code          string    `json:"code"`
	Text          string    `json:"text"`
	Tries         int       `json:"tries"`
	ChangedAt     time.Time `json:"changed_at"`
}

// Parcels lists the messages at the gateway, oldest first.
func (s *Sim) Parcels() []Parcel {
	e := &s.gateway
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]Parcel, 0, len(e.order))
	for _, p := range e.order {
		out = append(out, p.shown())
	}
	return out
}

// forget stops what is under way and empties the gateway; its numbers go on.
func (e *exchange) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, one := range e.order {
		if one.state == soap.OnDelivery {
			one.state = soap.DeliveryStopped
		}
	}
	e.parcels, e.conversations, e.order = map[string]*parcel{}, map[string]*conversation{}, nil
}
