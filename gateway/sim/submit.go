package sim

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"kopir/gateway/soap"
	"kopir/mappings"
)

// Submission orders an application.
type Submission struct {
	Service  string `json:"service,omitempty"`   // empty: almaty-unemployed-certificate
	Person   string `json:"person"`              // applicant, by key
	SignedBy string `json:"signed_by,omitempty"` // empty: the applicant at the portal, the operator at the service centre
	Via      string `json:"via,omitempty"`       // async (default) or sync: the gateway's channel; of mobile rest
	// Signed is how the document is signed: xml (default), with the signature
	// inside, or cms around it.
	Signed string `json:"signed,omitempty"`
	// Seed picks what stands in the form beside what is known of the people: 0
	// what is required only. Values are fields of the description by name.
	Seed   uint64            `json:"seed,omitempty"`
	Values map[string]string `json:"values,omitempty"`
	// Representative is who applies for the person, by key, and Attorney how
	// his power of attorney is certified: notarised (default) or plain.
	Representative string `json:"representative,omitempty"`
	Attorney       string `json:"attorney,omitempty"`
	Login          Login  `json:"login,omitzero"`
	Tweaks         Tweaks `json:"tweaks,omitzero"`
}

// send makes the document, has it signed, and sends it through the gateway.
func (d *desk) send(ctx context.Context, sub Submission) (*Case, error) {
	s := d.sim
	d.mu.Lock()
	number := d.number()
	d.mu.Unlock()
	document, f, err := s.document(d.channel, number, &sub)
	if err == nil {
		err = s.login(ctx, f, d.channel, &sub)
	}
	if err != nil {
		return nil, err
	}
	c := &Case{Number: number, Service: f.ID, Person: sub.Person, SignedBy: sub.SignedBy, SentAt: s.now(), Delivery: string(soap.OnDelivery), Notices: []Notice{}, Document: string(document)}
	if sub.Signed == signedCMS {
		c.Document = base64.StdEncoding.EncodeToString(document)
	}
	// Entered before it is sent: the first notice can be here before the
	// gateway's answer is read.
	d.mu.Lock()
	d.keep(c)
	d.mu.Unlock()
	if d == s.mobile {
		err = d.sendREST(ctx, c, f, document, sub.Signed == signedCMS)
	} else {
		err = d.sendSOAP(ctx, c, f, &sub, document)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.drop(c)
		return nil, err
	}
	d.changed()
	out := *c
	out.Notices = slices.Clone(c.Notices)
	return &out, nil
}

// sendSOAP sends a document through the gateway.
func (d *desk) sendSOAP(ctx context.Context, c *Case, f *mappings.Service, sub *Submission, document []byte) error {
	form := sub.Tweaks.Form
	if form == "" {
		form = f.Request.Data.Form
	}
	if sub.Signed == signedCMS { // as text, in base64
		document = base64.StdEncoding.AppendEncode(nil, document)
	}
	data, err := inForm(document, form)
	if err != nil {
		return err
	}
	sender := soap.SenderInfo{SenderID: d.as.sender, Password: soap.Secret(d.as.password)}
	switch sub.Via {
	case "", "async":
		return d.sendAsync(ctx, c, f.Gateway.ServiceID, sender, data)
	case "sync":
		return d.sendSync(ctx, c, f.Gateway.ServiceID, sender, data)
	}
	return fmt.Errorf("via %q is neither async nor sync", sub.Via)
}

// sendAsync opens a conversation; everything else comes as a push.
func (d *desk) sendAsync(ctx context.Context, c *Case, serviceID string, sender soap.SenderInfo, data soap.Data) error {
	got, err := d.hand(ctx, AsyncPath, &soap.AsyncSendMessageRequest{
		MessageInfo: soap.AsyncMessageInfo{ServiceID: serviceID, MessageType: soap.TypeRequest, MessageDate: d.sim.now(), Sender: sender},
		MessageData: soap.MessageData{Data: data},
	})
	if err != nil {
		return err
	}
	answer, ok := got.message.Payload.(*soap.AsyncSendMessageResponse)
	if !ok {
		return fmt.Errorf("the gateway answered with %s", got.message.Operation)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settle(c, answer)
	return nil
}

// sendSync gets its first notice as the answer.
func (d *desk) sendSync(ctx context.Context, c *Case, serviceID string, sender soap.SenderInfo, data soap.Data) error {
	id := uuid.NewString()
	got, err := d.hand(ctx, SyncPath, &soap.SyncSendMessageRequest{
		RequestInfo: soap.SyncMessageInfo{MessageID: id, ServiceID: serviceID, MessageDate: d.sim.now(), Sender: sender},
		RequestData: soap.RequestData{Data: data},
	})
	if err != nil {
		return err
	}
	answer, ok := got.message.Payload.(*soap.SyncSendMessageResponse)
	if !ok {
		return fmt.Errorf("the gateway answered with %s", got.message.Operation)
	}
	d.mu.Lock()
	c.MessageID, c.Delivery = id, string(soap.Delivered)
	// Under its own message id until then: what is no notice of a known form
	// stays with the application too.
	d.byTalk[id] = c
	d.mu.Unlock()
	d.note(ctx, id, documentOf(answer.ResponseData.Data), Notice{
		At: d.sim.now(), Type: "ANSWER", From: serviceID, MessageID: answer.ResponseInfo.MessageID, Transport: got.verdict,
	})
	return nil
}

// hand gives a message to one of the gateway's doors.
func (d *desk) hand(ctx context.Context, path string, p soap.Payload) (*received, error) {
	envelope, err := seal(p, d.as.signing())
	if err != nil {
		return nil, err
	}
	got, err := d.sim.post(ctx, d.sim.base+path, envelope)
	var fault *soap.Fault
	if errors.As(err, &fault) {
		return nil, fmt.Errorf("the gateway refused: %s: %s", faultCode(fault), fault.String)
	}
	if err != nil {
		return nil, fmt.Errorf("the gateway did not take it: %w", err)
	}
	return got, nil
}

// settle gives a case the gateway's ids, and what came for them too early. The
// caller holds mu.
func (d *desk) settle(c *Case, answer *soap.AsyncSendMessageResponse) {
	c.MessageID, c.CorrelationID = answer.MessageID, answer.CorrelationID
	d.byMessage[c.MessageID] = c
	if other := d.byTalk[c.CorrelationID]; other != nil && other != c {
		c.Notices = append(other.Notices, c.Notices...)
		c.Status, c.BridgeNumber, c.Result = other.Status, other.BridgeNumber, other.Result
		d.drop(other)
		if c.BridgeNumber != "" {
			d.byBridge[c.BridgeNumber] = c
		}
	}
	d.byTalk[c.CorrelationID] = c
	if n, ok := d.early[c.MessageID]; ok {
		delete(d.early, c.MessageID)
		c.Delivery = string(n.MessageState)
		if n.MessageState != soap.Delivered {
			c.Fault = n.Status.StatusCode + ": " + n.Status.StatusMessage
		}
	}
}
