package gateway

import (
	"context"
	"errors"
	"strings"
	"time"

	"kopir/gateway/soap"
)

// The operations by which partners fetch messages and ask about them. A
// fetched message stays until sendDeliveryNotification confirms it.

const (
	defaultAmount = 10
	maxAmount     = 100
)

// partnerRoute is the way to a partner, by its channel.
func (p *Partner) route() Route { return RouteOf(p.Channel) }

// send answers a question without keeping it.
func (b *Bridge) sendAnswer(m *inbound, p soap.Payload) (err error) {
	m.trail.outcome = "answered"
	m.reply, err = b.answer(p)
	return err
}

// getMessages hands out what waits for the caller, oldest first.
func (b *Bridge) getMessages(ctx context.Context, m *inbound, r *soap.AsyncGetMessagesRequest) error {
	limit := int(r.Amount)
	if limit <= 0 {
		limit = defaultAmount
	}
	s, ok := b.set().ByGateway(r.ServiceID)
	if !ok || !m.partner.mayUse(r.ServiceID) {
		return refuse(UnknownService, "serviceId", "this service is not offered here to this sender")
	}
	answer := &soap.AsyncGetMessagesResponse{ResponseDate: m.at.In(b.zone()), SessionID: b.guid()}
	filter := DeliveryFilter{Route: m.partner.route(), Receiver: m.partner.SenderID, States: []DeliveryState{Queued}, Unblocked: true, Service: s.ID, CorrelationID: strings.TrimSpace(r.CorrelationID), MessageID: strings.TrimSpace(r.MessageID)}
	page, err := b.o.Store.Deliveries(ctx, filter, "", min(limit, maxAmount))
	if err != nil {
		return tryLater(err)
	}
	for _, d := range page.Deliveries {
		body, err := b.inner(&d)
		if err != nil {
			return err
		}
		edition, ok := b.set().Edition(d.Service, d.Edition)
		if !ok {
			edition = s
		}
		data, err := carried(edition, d.Partner, body)
		if err != nil {
			return err
		}
		answer.Messages = append(answer.Messages, soap.AsyncMessage{
			MessageInfo: soap.AsyncMessageInfo{
				MessageID: d.MessageID, CorrelationID: d.CorrelationID, ServiceID: r.ServiceID, MessageType: soap.MessageType(d.MessageType),
				MessageDate: d.MessageDate.In(b.zone()), Sender: soap.SenderInfo{SenderID: b.o.SenderID},
			},
			MessageData: soap.MessageData{Data: data},
		})
	}
	return b.sendAnswer(m, answer)
}

// own finds a delivery to the caller by either id. The gateway carries them
// all.
func (b *Bridge) own(ctx context.Context, p *Partner, id string) (*Delivery, error) {
	f := DeliveryFilter{Route: p.route(), MessageID: strings.TrimSpace(id)}
	if p != b.partners.gateway {
		f.Receiver = p.SenderID
	}
	if f.MessageID == "" || f.Route == "" && p != b.partners.gateway {
		return nil, refuse(UnknownMessage, "messageId", "no message of this id is known here for this sender")
	}
	page, err := b.o.Store.Deliveries(ctx, f, "", 1)
	if err != nil {
		return nil, tryLater(err)
	}
	if len(page.Deliveries) == 0 {
		return nil, refuse(UnknownMessage, "messageId", "no message of this id is known here for this sender")
	}
	return &page.Deliveries[0], nil
}

// deliveryWords are the contract's words for a delivery's state.
var deliveryWords = map[DeliveryState]soap.MessageState{
	Queued: soap.OnDelivery, Done: soap.Delivered, Dead: soap.NotDelivered, Dropped: soap.DeliveryStopped,
}

// getMessageStatus tells how far a message has come: one that the caller sent,
// or one that is for it.
func (b *Bridge) getMessageStatus(ctx context.Context, m *inbound, r *soap.AsyncGetMessageStatusRequest) error {
	say := func(state soap.MessageState, at time.Time) error {
		return b.sendAnswer(m, &soap.AsyncGetMessageStatusResponse{
			MessageState: state, ResponseDate: m.at.In(b.zone()), SessionID: b.guid(),
			Status: soap.MessageStatusInfo{StatusCode: processed, StatusMessage: string(state), StatusDate: at.In(b.zone())},
		})
	}
	kept, err := b.o.Store.Message(ctx, m.partner.SenderID, messageKey(r.MessageID))
	switch {
	case err == nil:
		return say(soap.Delivered, kept.At)
	case !errors.Is(err, ErrNotFound):
		return tryLater(err)
	}
	d, err := b.own(ctx, m.partner, r.MessageID)
	if err != nil {
		return err
	}
	at := d.CreatedAt
	if !d.DoneAt.IsZero() {
		at = d.DoneAt
	}
	return say(deliveryWords[d.State], at)
}

// deliveryNotification confirms or refuses a fetched message.
func (b *Bridge) deliveryNotification(ctx context.Context, m *inbound, r *soap.AsyncSendDeliveryNotificationRequest) error {
	n := r.Notification
	d, err := b.own(ctx, m.partner, n.MessageID)
	if err != nil {
		return err
	}
	d.PeerState = string(n.DeliveryStatus.ReceiveStatus)
	ends := d.State == Queued // a try, by what is said
	note := Event{Kind: EventDelivered, Actor: Actor{Name: m.partner.SenderID}, Detail: string(d.Route) + ": " + d.PeerState}
	switch {
	case d.State != Queued: // said before
	case n.DeliveryStatus.ReceiveStatus == soap.MessageAccepted:
		d.State, d.DoneAt, d.Error = Done, m.at, ""
		d.Cause, d.Code, d.FailedAt = "", "", time.Time{}
	case n.DeliveryStatus.ResendMessage == soap.Resend:
		d.Tries++
		d.NextAt, d.Error = m.at, "refused by the receiver, who asks for it again"
	default:
		d.Tries++
		d.State, d.Error = Dead, "refused by the receiver for good"
		d.Cause, d.Code, d.FailedAt = CauseRefused, "", m.at
		note.Kind = EventDead
	}
	return b.keepNotice(ctx, m, d, ends, note, &soap.AsyncSendDeliveryNotificationResponse{
		NotificationID: m.id, ResponseDate: m.at.In(b.zone()), SessionID: b.guid(),
	})
}

// settleWait is how long a word about a message waits for sends under way.
const settleWait = 2 * time.Second

// spokenOf finds what a status is about. The gateway may speak of a message
// before we have written down which id it gave it; so while anything is on its
// way out, an unknown id is looked for again.
func (b *Bridge) spokenOf(ctx context.Context, p *Partner, id string) (*Delivery, error) {
	for end := time.Now().Add(settleWait); ; {
		busy := b.sending.Load() > 0
		d, err := b.own(ctx, p, id)
		if !busy || CodeOf(err) != UnknownMessage {
			return d, err
		}
		if time.Now().After(end) {
			return nil, &Error{Code: TryLater, Field: "messageId", Say: "no message of this id is known yet, and some are still on their way; say it again"}
		}
		select {
		case <-ctx.Done():
			return nil, tryLater(ctx.Err())
		case <-time.After(settleWait / 100):
		}
	}
}

// statusNotification is the gateway's word on a message of ours. One that it
// delivered needs no further try, whatever became of our own; one that it did
// not deliver waits for a person.
func (b *Bridge) statusNotification(ctx context.Context, m *inbound, r *soap.AsyncChangeStatusNotifyRequest) error {
	n := r.Notification
	d, err := b.spokenOf(ctx, m.partner, n.MessageID)
	if err != nil {
		return err
	}
	d.PeerState = string(n.MessageState)
	before := d.State
	note := Event{Kind: EventDelivered, Actor: Actor{Name: m.partner.SenderID}, Detail: string(d.Route) + ": " + d.PeerState}
	switch n.MessageState {
	case soap.Delivered:
		if d.State == Queued || d.State == Dead {
			d.State, d.DoneAt, d.Error, d.Unsure = Done, m.at, "", false
			d.Cause, d.Code, d.FailedAt = "", "", time.Time{}
		}
	case soap.NotDelivered, soap.DeliveryStopped:
		note.Kind = EventDead
		if d.State == Done {
			d.State, d.DoneAt, d.Error = Dead, time.Time{}, "the gateway says "+d.PeerState
			d.Cause, d.Code, d.FailedAt = CauseUndelivered, plainCode(d.PeerState), m.at
		}
	}
	answer := &soap.AsyncChangeStatusNotifyResponse{ResponseDate: m.at.In(b.zone()), SessionID: echo(r.SessionID)}
	if answer.SessionID == "" {
		answer.SessionID = b.guid()
	}
	return b.keepNotice(ctx, m, d, d.State != before, note, answer)
}

// keepNotice writes what a partner said about a delivery, with the message
// that said it, and answers. The application is not touched: a specialist who
// decides on it meanwhile is not told that it was changed. ends: what was said
// ends a try.
func (b *Bridge) keepNotice(ctx context.Context, m *inbound, d *Delivery, ends bool, note Event, p soap.Payload) error {
	answer, err := b.answer(p)
	if err != nil {
		return err
	}
	msg := m.kept()
	msg.Reply, msg.Application = answer, d.Application
	said := b.evidence(BySystem, m.at, m.system)
	said.Message, said.Application = msg.ID, d.Application
	c := Change{Message: msg, Evidence: []Evidence{said}, Deliveries: []Delivery{*d}}
	if !refusedOnly(d.Application) {
		note.Application, note.At = d.Application, m.at
		c.Events = append(c.Events, note)
	}
	err = b.o.Store.Commit(ctx, c)
	if errors.Is(err, ErrDuplicate) {
		kept, err := b.o.Store.Message(ctx, msg.Sender, msg.Key)
		if err != nil {
			return tryLater(err)
		}
		return m.repeat(kept)
	}
	if err != nil {
		return tryLater(err)
	}
	b.stir(c)
	if ends {
		b.counted(d)
	}
	m.trail.outcome, m.trail.application = "answered", d.Application
	m.reply = answer
	return nil
}
