package gateway

import (
	"context"
	"slices"
	"time"

	"kopir/mappings"
	"kopir/signature/xmltree"
)

// Notification is one line that a partner was told about an application, as
// the applicant reads it there: in the cabinet under the section that the
// regulation names.
type Notification struct {
	At      time.Time `json:"at"`
	Partner string    `json:"partner"` // portal, csc
	Section Text      `json:"section,omitzero"`
	Code    string    `json:"code"` // the partner's status code
	Text    Text      `json:"text"`
	Reason  Text      `json:"reason,omitzero"`
	Result  string    `json:"result,omitempty"` // name of the document that came with it
	// State and DoneAt say whether it has arrived.
	State  DeliveryState `json:"state"`
	DoneAt time.Time     `json:"done_at,omitzero"`
}

// Notifications are the lines that partners were told of an application,
// oldest first, read from the very documents that went out.
func (b *Bridge) Notifications(ctx context.Context, number string) ([]Notification, error) {
	t, err := b.Timeline(ctx, number)
	if err != nil {
		return nil, err
	}
	s, err := b.described(&t.Application)
	if err != nil {
		return nil, err
	}
	all := []Notification{}
	for _, d := range t.Deliveries {
		if d.Partner == "" {
			continue
		}
		doc, err := xmltree.Parse(d.Body, xmltree.DefaultLimits())
		if err != nil {
			continue // a question to a registry, a job
		}
		said, err := s.ReadNotice(d.Partner, doc.Root())
		if err != nil || said["code"] == "" {
			continue
		}
		all = append(all, Notification{
			At: d.MessageDate, Partner: d.Partner, Section: section(s, d.Partner, t.Application.Channel), Code: said["code"],
			Text: Text{RU: said["text_ru"], KK: said["text_kk"]}, Reason: Text{RU: said["reason_ru"], KK: said["reason_kk"]},
			Result: said["result_name"], State: d.State, DoneAt: d.DoneAt,
		})
	}
	slices.SortStableFunc(all, func(a, b Notification) int { return a.At.Compare(b.At) })
	return all, nil
}

// section is where a partner shows the notifications of a channel.
func section(s *mappings.Service, partner string, ch Channel) Text {
	for _, n := range s.Notifications {
		if slices.Contains(n.To, partner) && (len(n.Channels) == 0 || slices.Contains(n.Channels, string(ch))) && !n.Section.IsZero() {
			return text(n.Section)
		}
	}
	return Text{}
}
