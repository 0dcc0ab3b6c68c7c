package sim

import (
	"net/http"
	"slices"

	"kopir/gateway/soap"
)

// defaultAmount is how many messages getMessages hands out when it is not told.
const defaultAmount = 50

// asyncDoor is the gateway's AsyncChannel.
func (s *Sim) asyncDoor(w http.ResponseWriter, r *http.Request) {
	gateway := s.members["gateway"]
	if code := troubleOf(r.Context()).Fault; code != "" {
		s.fault(w, gateway, soap.AsyncSendMessage, refuse(code, "ordered"))
		return
	}
	got, from, bad := s.admit(w, r, soap.Async)
	if bad != nil {
		op := soap.AsyncSendMessage
		if got != nil && got.message.Operation != soap.NoOperation {
			op = got.message.Operation
		}
		s.fault(w, gateway, op, bad)
		return
	}
	var out soap.Payload
	switch p := got.message.Payload.(type) {
	case *soap.AsyncSendMessageRequest:
		out, bad = s.takeMessage(from, p, signedBy(got.verdict).Subject.CN)
	case *soap.AsyncGetMessageStatusRequest:
		out, bad = s.messageStatus(from, p)
	case *soap.AsyncGetMessagesRequest:
		out, bad = s.handOut(from, p)
	case *soap.AsyncSendDeliveryNotificationRequest:
		out, bad = s.confirm(from, p)
	default:
		bad = refuse(codeFormat, "%s is not an operation of this door", got.message.Operation)
	}
	if bad != nil {
		s.fault(w, gateway, got.message.Operation, bad)
		return
	}
	if taken, ok := out.(*soap.AsyncSendMessageResponse); ok && troubleOf(r.Context()).WrongID {
		s.gateway.mu.Lock()
		taken.MessageID = s.gateway.number()
		s.gateway.mu.Unlock()
	}
	s.answer(w, r, gateway, out)
}

// admit reads a message at one of the gateway's doors: well-formed, signed by
// a system of ours, sent by a member whose password is right and whose
// organisation's certificate signed it.
func (s *Sim) admit(w http.ResponseWriter, r *http.Request, channel soap.Channel) (*received, *member, *refusal) {
	raw, bad := readAll(w, r)
	if bad != nil {
		return nil, nil, bad
	}
	got, bad := s.receive(r.Context(), raw)
	if bad != nil {
		return got, nil, bad
	}
	m := got.message
	if m.Kind != soap.Request || m.Operation.Channel() != channel {
		return got, nil, refuse(codeFormat, "%s is not a request of %s", m.Operation, channel)
	}
	info := m.Sender()
	if info == nil {
		return got, nil, refuse(codeFormat, "the message names no sender")
	}
	from := s.memberBySender(info.SenderID)
	if from == nil || from.password == "" || string(info.Password) != from.password {
		return got, nil, refuse(codeFormat, "unknown sender, or its password is wrong")
	}
	cert := signedBy(got.verdict)
	if cert == nil || cert.Subject.BIN != from.bin {
		return got, nil, refuse(codeSignature, "signed by another organisation than that of sender %s", from.sender)
	}
	return got, from, nil
}

// takeMessage is sendMessage: gives the ids and starts delivery.
func (s *Sim) takeMessage(from *member, p *soap.AsyncSendMessageRequest, signer string) (soap.Payload, *refusal) {
	info := p.MessageInfo
	data, bad := carry(p.MessageData.Data)
	if bad != nil {
		return nil, bad
	}
	e := &s.gateway
	e.mu.Lock()
	defer e.mu.Unlock()
	to := s.memberForService(info.ServiceID)
	talk := e.conversations[info.CorrelationID]
	switch {
	case info.MessageType == soap.TypeRequest && info.CorrelationID != "":
		return nil, refuse(codeFormat, "a REQUEST opens a conversation: correlationId must be empty")
	case talk != nil && talk.service == info.ServiceID && (talk.opener == from.key || talk.receiver == from.key):
		to = s.members[talk.other(from.key)]
	case info.CorrelationID != "" && talk == nil:
		return nil, refuse(codeFormat, "no conversation has this correlationId")
	case talk != nil && talk.opener != from.key && talk.receiver != from.key && talk.service == info.ServiceID:
		return nil, refuse(codeFormat, "the conversation of this correlationId is not yours")
	case to == nil || to == from:
		return nil, refuse(codeNoService, "nobody receives serviceId %s", info.ServiceID)
	}
	id := e.number()
	correlation := info.CorrelationID
	if correlation == "" {
		correlation = e.number()
		e.conversations[correlation] = &conversation{id: correlation, service: info.ServiceID, opener: from.key, receiver: to.key}
	}
	one := &parcel{
		id: id, correlation: correlation, session: sid(), service: info.ServiceID, kind: info.MessageType,
		from: from.key, to: to.key, data: data, routeID: info.RouteID, properties: info.Properties, date: info.MessageDate, ownID: info.MessageID, signer: signer,
	}
	one.settle(soap.OnDelivery, "ON_DELIVERY", "accepted for delivery", s.now())
	e.keep(one)
	s.witness.Taken(one.shown(), s.observed(to, data))
	s.dispatch(to, one)
	return &soap.AsyncSendMessageResponse{MessageID: id, CorrelationID: correlation, ResponseDate: s.now(), SessionID: one.session}, nil
}

// carry makes data fit to be written again: text as it is, elements in a form
// that stands by itself.
func carry(d soap.Data) (soap.Data, *refusal) {
	switch d.Form {
	case soap.Nested:
		return soap.Data{Form: soap.Nested, Type: d.Type, Space: d.Space, XML: nestedXML(d.Node)}, nil
	case soap.NoData, soap.Empty:
		return d, refuse(codeFormat, "the message carries no data")
	default:
		return soap.Data{Form: d.Form, Type: d.Type, Space: d.Space, Text: slices.Clone(d.Text)}, nil
	}
}

func (s *Sim) messageStatus(from *member, p *soap.AsyncGetMessageStatusRequest) (soap.Payload, *refusal) {
	e := &s.gateway
	e.mu.Lock()
	defer e.mu.Unlock()
	one := e.parcels[p.MessageID]
	if one == nil { // a sender that lost the answer knows its own id only
		one = e.sentAs(from.key, p.MessageID)
	}
	if one == nil || one.from != from.key && one.to != from.key {
		return nil, refuse(codeFormat, "no message of yours has this messageId")
	}
	return &soap.AsyncGetMessageStatusResponse{
		MessageState: one.state, Status: soap.MessageStatusInfo{StatusCode: one.code, StatusMessage: one.text, StatusDate: one.changed},
		ResponseDate: s.now(), SessionID: one.session,
	}, nil
}

// handOut is getMessages: what waits for the caller. A message stays until it
// is confirmed with sendDeliveryNotification.
func (s *Sim) handOut(from *member, p *soap.AsyncGetMessagesRequest) (soap.Payload, *refusal) {
	amount := int(p.Amount)
	if amount <= 0 {
		amount = defaultAmount
	}
	out := &soap.AsyncGetMessagesResponse{ResponseDate: s.now(), SessionID: sid()}
	e := &s.gateway
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, one := range e.order {
		mine := one.to == from.key && one.state == soap.OnDelivery && one.service == p.ServiceID
		if !mine || p.MessageID != "" && p.MessageID != one.id || p.CorrelationID != "" && p.CorrelationID != one.correlation {
			continue
		}
		if len(out.Messages) == amount {
			break
		}
		one.tries++
		out.Messages = append(out.Messages, soap.AsyncMessage{MessageInfo: s.info(one), MessageData: soap.MessageData{Data: one.data}})
	}
	return out, nil
}

// confirm is sendDeliveryNotification: the receiver took a message, or did
// not and says whether to try again.
func (s *Sim) confirm(from *member, p *soap.AsyncSendDeliveryNotificationRequest) (soap.Payload, *refusal) {
	e := &s.gateway
	e.mu.Lock()
	defer e.mu.Unlock()
	n := p.Notification
	one := e.parcels[n.MessageID]
	if one == nil || one.to != from.key || one.service != n.ServiceID {
		return nil, refuse(codeFormat, "no message to you has this messageId and serviceId")
	}
	switch {
	case n.DeliveryStatus.ReceiveStatus == soap.MessageAccepted:
		one.settle(soap.Delivered, "DELIVERED", "confirmed by the receiver", s.now())
	case one.state == soap.Delivered:
		return nil, refuse(codeFormat, "the message is delivered already")
	case n.DeliveryStatus.ResendMessage == soap.Resend:
		one.settle(soap.OnDelivery, "RESEND", "refused by the receiver, which asks for another try", s.now())
		s.dispatch(from, one)
	default:
		one.settle(soap.DeliveryStopped, "NOT_ACCEPTED", "refused by the receiver", s.now())
	}
	if one.state != soap.OnDelivery {
		s.tellSender(one)
	}
	return &soap.AsyncSendDeliveryNotificationResponse{NotificationID: e.number(), ResponseDate: s.now(), SessionID: sid()}, nil
}
