package gateway

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"kopir/mappings"
	"kopir/signature/xmltree"
)

// PartnerNotice is what a partner that speaks REST is told: the body of a call-back,
// and an entry of the list of its notices.
type PartnerNotice struct {
	MessageID     string    `json:"message_id"`
	MessageType   string    `json:"message_type"` // NOTIFICATION, or RESPONSE that ends the conversation
	MessageDate   time.Time `json:"message_date"`
	CorrelationID string    `json:"correlation_id,omitempty"` // the id under which the partner sent the application
	Service       string    `json:"service"`
	// Values are those of the service's notice to this partner, by the names
	// that the description gives them (`kopir mapping show`).
	Values map[string]string `json:"notice"`
}

// ReadPartnerNotice says of a delivery what its document says in XML.
func ReadPartnerNotice(set *mappings.Set, d *Delivery) (*PartnerNotice, error) {
	service, ok := set.Edition(d.Service, d.Edition)
	if !ok { // nobody needs that edition any more but the list of what was told
		service, ok = set.Service(d.Service)
	}
	if !ok {
		return nil, fmt.Errorf("gateway: no description of the service %q", d.Service)
	}
	doc, err := xmltree.Parse(d.Body, xmltree.DefaultLimits())
	if err != nil {
		return nil, fmt.Errorf("gateway: the notice: %w", err)
	}
	values, err := service.ReadNotice(d.Partner, doc.Root())
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	return &PartnerNotice{MessageID: d.MessageID, MessageType: d.MessageType, MessageDate: d.MessageDate.UTC(), CorrelationID: d.CorrelationID, Service: d.Service, Values: values}, nil
}

// NoticePage is a piece of the list of a partner's notices, in the order in
// which they were written. Next is where to go on; nothing that is written
// later comes before it.
type NoticePage struct {
	Notices []PartnerNotice `json:"notices"`
	Next    string          `json:"next"`
}

// Notices lists what a partner was told, from after a place on.
func (b *Bridge) Notices(ctx context.Context, by *Admission, after string, limit int) (NoticePage, error) {
	place := int64(0)
	if after != "" {
		var err error
		if place, err = strconv.ParseInt(after, 10, 64); err != nil || place < 0 {
			return NoticePage{}, refuse(Malformed, "after", "not the `next` of an earlier answer")
		}
	}
	all, err := b.o.Store.Noticed(ctx, by.Sender, place, limit)
	if err != nil {
		return NoticePage{}, tryLater(err)
	}
	page := NoticePage{Notices: []PartnerNotice{}}
	for i := range all {
		n, err := ReadPartnerNotice(b.set(), &all[i])
		if err != nil {
			return NoticePage{}, &Error{Code: Internal, Say: "a notice does not read", Cause: err}
		}
		page.Notices = append(page.Notices, *n)
		place = all[i].Place
	}
	page.Next = strconv.FormatInt(place, 10)
	return page, nil
}
