package gateway

import (
	"context"
	"strings"

	"kopir/gateway/soap"
	"kopir/mappings"
)

// syncRequest takes an application through SyncChannel. Its answer, an
// ordinary one also when the service is refused, holds the status document
// that the sender's channel expects.
func (b *Bridge) syncRequest(ctx context.Context, m *inbound, r *soap.SyncSendMessageRequest) error {
	d, j, err := b.takeIn(ctx, m, r.RequestInfo.ServiceID, r.RequestData.Data, soap.TypeRequest, "")
	if err != nil {
		return err
	}
	data, status, err := b.statusData(d, j, m.partner)
	if err != nil {
		return err
	}
	return b.reply(ctx, m, d, &soap.SyncSendMessageResponse{
		ResponseInfo: soap.SyncMessageInfoResponse{
			MessageID: m.id, CorrelationID: r.RequestInfo.MessageID, ResponseDate: m.at.In(b.zone()),
			Status: soap.StatusInfo{Code: processed, Message: soap.ClipStatus(status)}, SessionID: echo(r.RequestInfo.SessionID),
		},
		ResponseData: soap.ResponseData{Data: data},
	})
}

// asyncRequest takes an application through AsyncChannel, or by the gateway's
// push. The answer says only that it was taken; what came of it follows as a
// message of its own.
func (b *Bridge) asyncRequest(ctx context.Context, m *inbound, r *soap.AsyncSendMessageRequest) error {
	i := r.MessageInfo
	correlation := strings.TrimSpace(i.CorrelationID)
	if correlation == "" {
		correlation = m.id // we are the channel that gives it
	}
	d, j, err := b.takeIn(ctx, m, i.ServiceID, r.MessageData.Data, i.MessageType, correlation)
	if err != nil {
		return err
	}
	switch {
	case i.MessageType != soap.TypeRequest: // informs, in a conversation that says other things
	case j.ground != nil:
		d.app = nil
		err = d.refusal(m, correlation, j.ground)
	case d.about != nil:
		err = d.answerIn(correlation)
	}
	if err != nil {
		return err
	}
	id := i.MessageID
	if id == "" {
		id = m.id
	}
	return b.reply(ctx, m, d, &soap.AsyncSendMessageResponse{
		MessageID: id, CorrelationID: correlation, ResponseDate: m.at.In(b.zone()), SessionID: echo(i.SessionID),
	})
}

// takeIn is what both channels share: unwrap, and accept.
func (b *Bridge) takeIn(ctx context.Context, m *inbound, serviceID string, data soap.Data, as soap.MessageType, correlation string) (*draft, *judgement, error) {
	s, err := b.serviceFor(ctx, m, serviceID)
	if err != nil {
		return nil, nil, err
	}
	p, err := b.unwrap(s, m.partner.Channel, m.at, m.system, data)
	if err != nil {
		return nil, nil, err
	}
	p.as = as
	return b.accept(ctx, p, arrival{
		message: m.kept(), evidence: []Evidence{b.evidence(BySystem, m.at, m.system)},
		correlationID: correlation, messageID: m.message.MessageID(), sender: m.partner.SenderID,
	}, &m.trail)
}

// kept is the message as it will be stored, without its answer.
func (m *inbound) kept() *Message {
	return &Message{
		ID: m.id, Sender: m.partner.SenderID, Key: m.key, SHA256: m.sha, Door: m.in.Door, Operation: m.claim.Operation.String(),
		Service: m.trail.service, At: m.at, Raw: m.in.Raw,
	}
}

// reply signs the answer and writes everything in one transaction; only then
// is anything answered.
func (b *Bridge) reply(ctx context.Context, m *inbound, d *draft, p soap.Payload) error {
	answer, err := b.answer(p)
	if err != nil {
		return err
	}
	d.change.Message.Reply = answer
	if d.app != nil {
		m.trail.application = d.app.Number
	}
	kept, err := b.commitIntake(ctx, d)
	if err != nil {
		return err
	}
	if kept != nil {
		return m.repeat(kept)
	}
	m.reply = answer
	return nil
}

// statusData is the status document that goes back at once, and its sentence.
// While an application is held there is nothing to tell a partner but the
// sentence.
func (b *Bridge) statusData(d *draft, j *judgement, to *Partner) (soap.Data, string, error) {
	n := d.status()
	if j.ground != nil {
		n.State, n.Reason = string(Refused), j.ground.whole().mapped()
	}
	sentence, err := d.service.NoticeText(n)
	if err != nil {
		return soap.Data{}, "", &Error{Code: Internal, Say: "the status has no text", Cause: err}
	}
	if !d.tells(string(to.Channel), n.State) {
		return soap.Data{Form: soap.Empty}, sentence.Ru, nil
	}
	doc, err := d.service.Notice(string(to.Channel), n)
	if err != nil {
		return soap.Data{}, "", &Error{Code: Internal, Say: "the status document could not be built", Cause: err}
	}
	data, err := carried(d.service, string(to.Channel), doc)
	return data, sentence.Ru, err
}

// carried puts a document into the form that a partner expects.
func carried(s *mappings.Service, partner string, doc []byte) (soap.Data, error) {
	form := soap.Escaped
	if shape, ok := s.Shape(partner); ok {
		form = soap.Form(shape.Data.Form)
	}
	data, err := soap.InForm(form, doc)
	if err != nil {
		return soap.Data{}, &Error{Code: Internal, Say: "the status document could not be carried", Cause: err}
	}
	return data, nil
}
