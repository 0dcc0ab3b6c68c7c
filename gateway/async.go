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
func (p *Partner) route() Route { return routeOf[string(p.Channel)] }

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
	s, ok := b.o.Services.ByGateway(r.ServiceID)
	if !ok || !m.partner.mayUse(r.ServiceID) {
		return refuse(UnknownService, "serviceId", "this service is not offered here to this sender")
	}
	answer := &soap.AsyncGetMessagesResponse{ResponseDate: m.at.In(b.zone()), SessionID: b.guid()}
	filter := DeliveryFilter{Route: m.partner.route(), States: []DeliveryState{Queued}, Unblocked: true, Service: s.ID, CorrelationID: strings.TrimSpace(r.CorrelationID), MessageID: strings.TrimSpace(r.MessageID)}
	page, err := b.o.Store.Deliveries(ctx, filter, "", min(limit, maxAmount))
	if err != nil {
		return tryLater(err)
	}
	for _, d := range page.Deliveries {
		body, err := b.inner(&d)
		if err != nil {
			return err
		}
		answer.Messages = append(answer.Messages, soap.AsyncMessage{
			MessageInfo: soap.AsyncMessageInfo{
				MessageID: d.MessageID, CorrelationID: d.CorrelationID, ServiceID: r.ServiceID, MessageType: soap.MessageType(d.MessageType),
				MessageDate: d.MessageDate.In(b.zone()), Sender: soap.SenderInfo{SenderID: b.o.SenderID},
			},
			MessageData: soap.MessageData{Data: carried(s, d.Partner, body)},
		})
	}
	return b.sendAnswer(m, answer)
}

// own finds a delivery to the caller by either id.
func (b *Bridge) own(ctx context.Context, p *Partner, id string) (*Delivery, error) {
	page, err := b.o.Store.Deliveries(ctx, DeliveryFilter{Route: p.route(), MessageID: strings.TrimSpace(id)}, "", 1)
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
	note := Event{Kind: EventDelivered, Actor: Actor{Name: m.partner.SenderID}, Detail: string(d.Route) + ": " + d.PeerState}
	switch {
	case d.State != Queued: // said before
	case n.DeliveryStatus.ReceiveStatus == soap.MessageAccepted:
		d.State, d.DoneAt, d.Error = Done, m.at, ""
	case n.DeliveryStatus.ResendMessage == soap.Resend:
		d.Tries++
		d.NextAt, d.Error = m.at, "refused by the receiver, who asks for it again"
	default:
		d.Tries++
		d.State, d.Error = Dead, "refused by the receiver for good"
		note.Kind = EventDead
	}
	return b.keepNotice(ctx, m, d, note, &soap.AsyncSendDeliveryNotificationResponse{
		NotificationID: m.id, ResponseDate: m.at.In(b.zone()), SessionID: b.guid(),
	})
}

// statusNotification is the gateway's word on a message of ours. One that it
// did not deliver waits for a person.
func (b *Bridge) statusNotification(ctx context.Context, m *inbound, r *soap.AsyncChangeStatusNotifyRequest) error {
	n := r.Notification
	page, err := b.o.Store.Deliveries(ctx, DeliveryFilter{MessageID: strings.TrimSpace(n.MessageID)}, "", 1)
	if err != nil {
		return tryLater(err)
	}
	if len(page.Deliveries) == 0 {
		return refuse(UnknownMessage, "notification/messageId", "no message of this id was sent from here")
	}
	d := page.Deliveries[0]
	d.PeerState = string(n.MessageState)
	note := Event{Kind: EventDelivered, Actor: Actor{Name: m.partner.SenderID}, Detail: string(d.Route) + ": " + d.PeerState}
	if n.MessageState == soap.NotDelivered || n.MessageState == soap.DeliveryStopped {
		note.Kind = EventDead
		if d.State == Done {
			d.State, d.DoneAt, d.Error = Dead, time.Time{}, "the gateway says "+d.PeerState
		}
	}
	answer := &soap.AsyncChangeStatusNotifyResponse{ResponseDate: m.at.In(b.zone()), SessionID: echo(r.SessionID)}
	if answer.SessionID == "" {
		answer.SessionID = b.guid()
	}
	return b.keepNotice(ctx, m, &d, note, answer)
}

// keepNotice writes what a partner said about a delivery, with the message
// that said it, and answers.
func (b *Bridge) keepNotice(ctx context.Context, m *inbound, d *Delivery, note Event, p soap.Payload) error {
	answer, err := b.answer(p)
	if err != nil {
		return err
	}
	msg := m.kept()
	msg.Reply, msg.Application = answer, d.Application
	put := func(c *Change) {
		c.Message = msg
		c.Evidence = append(c.Evidence, b.evidence(BySystem, m.at, m.system))
		c.Deliveries = append(c.Deliveries, *d)
	}
	_, err = b.amend(ctx, d.Application, 0, func(dr *draft) error {
		put(&dr.change)
		dr.event(note)
		return nil
	})
	if CodeOf(err) == NotFound {
		var c Change
		put(&c)
		c.Evidence[0].Message = msg.ID
		err = b.o.Store.Commit(ctx, c)
		b.stir(c)
	}
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
	m.trail.outcome, m.trail.application = "answered", d.Application
	m.reply = answer
	return nil
}
