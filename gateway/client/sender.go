package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"kopir/gateway"
	"kopir/gateway/failpoint"
	"kopir/gateway/soap"
	"kopir/mappings"
)

// Sender sends the bridge's notices to portal and service centres through an
// asynchronous channel. The service's description says how the notice is
// carried and whether it is signed by itself.
type Sender struct {
	o        SenderOptions
	services atomic.Pointer[mappings.Set]
}

// SenderOptions is what a Sender is made of; Outlets and Services are required.
type SenderOptions struct {
	// Outlets gives the way out of each route; empty where every partner fetches
	// what it is told.
	Outlets map[gateway.Route]Outlet
	// REST are the partners that are told in JSON, by sender id.
	REST map[string]*REST
	// StatusServices are the partners' own services, by sender id: for notices
	// that belong to no conversation. Without one the route's own is meant.
	StatusServices map[string]string
	// Services are the descriptions to begin with, see Sender.Use.
	Services *mappings.Set
	// SignDocument signs a notice by itself (enveloped); required when a
	// service's partner expects that.
	SignDocument func(document []byte) ([]byte, error)
	// NoMessage are the codes of the faults by which the gateway says that it has
	// no message of an id; nil: NoMessage.
	NoMessage []string
	// RouteID is filled in where the gateway asks for it, by the gateway's
	// service id.
	RouteID map[string]string
}

// NewSender makes a Sender, or says everything that is missing.
func NewSender(o SenderOptions) (*Sender, error) {
	var faults []error
	bad := func(format string, args ...any) { faults = append(faults, fmt.Errorf("client: "+format, args...)) }
	if o.Outlets == nil {
		bad("a sender without any way out")
	}
	for route, out := range o.Outlets {
		if out.Channel == nil && out.REST == nil {
			bad("the route %q has no channel", route)
		}
	}
	if o.Services == nil {
		bad("a sender needs the descriptions of the services")
		return nil, errors.Join(faults...)
	}
	for _, s := range o.Services.Services() {
		for _, notice := range s.Notices {
			if notice.Data.Signed == "inner" && o.SignDocument == nil {
				bad("service %s: notices to %s must be signed by themselves, and there is nothing to sign with", s.ID, notice.Partner)
			}
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if o.NoMessage == nil {
		o.NoMessage = NoMessage
	}
	s := &Sender{o: o}
	s.services.Store(o.Services)
	return s, nil
}

// Use takes over other descriptions.
func (s *Sender) Use(set *mappings.Set) { s.services.Store(set) }

// Outlet is the way to a partner.
type Outlet struct {
	// Channel is the same one for several routes where one gateway serves them.
	Channel *Async
	// ServiceID is the partner's own service, for notices that belong to no
	// conversation which the partner opened.
	ServiceID string
	// REST is the partner of the route that takes JSON, where there is no Channel.
	REST *REST
}

var _ gateway.Sender = (*Sender)(nil)

// Send implements gateway.Sender. The same delivery gives the same bytes each
// time, as long as the key is the same.
func (s *Sender) Send(ctx context.Context, d gateway.Delivery) (gateway.Receipt, error) {
	never := func(err error) (gateway.Receipt, error) {
		return gateway.Receipt{}, &gateway.SendError{Permanent: true, Cause: gateway.CauseOurs, Err: err}
	}
	out := s.o.Outlets[d.Route]
	rest := s.o.REST[d.Receiver]
	if rest == nil && out.Channel == nil {
		rest = out.REST
	}
	if rest != nil {
		return s.sendREST(ctx, rest, d)
	}
	if out.Channel == nil {
		return never(fmt.Errorf("client: no way out for the route %q", d.Route))
	}
	serviceID := d.ServiceID
	if serviceID == "" {
		serviceID = s.o.StatusServices[d.Receiver]
	}
	if serviceID == "" {
		serviceID = out.ServiceID
	}
	shape, err := s.shape(d)
	if err != nil {
		return never(err)
	}
	document := d.Body
	if shape.Data.Signed == "inner" {
		if document, err = s.o.SignDocument(document); err != nil {
			return gateway.Receipt{}, &gateway.SendError{Cause: gateway.CauseOurs, Err: fmt.Errorf("client: sign the notice: %w", err)} // a key may come back
		}
	}
	data, err := soap.InForm(soap.Form(shape.Data.Form), document)
	if err != nil {
		return never(err)
	}
	if d.Unsure {
		receipt, arrived, err := s.ask(ctx, out.Channel, d)
		failpoint.Here(failpoint.SendAsked)
		if arrived || err != nil {
			return receipt, err
		}
	}
	response, answer, err := out.Channel.SendMessage(ctx, soap.AsyncMessageInfo{
		MessageID: d.MessageID, CorrelationID: d.CorrelationID, ServiceID: serviceID,
		MessageType: soap.MessageType(d.MessageType), MessageDate: d.MessageDate, RouteID: s.o.RouteID[serviceID],
	}, data)
	receipt := gateway.Receipt{Sent: answer.Sent, Answer: answer.Raw}
	var e *Error
	switch {
	case errors.As(err, &e):
		return receipt, &gateway.SendError{Permanent: !e.Temporary, Unknown: e.unsure(), Cause: e.Cause, Code: e.code(), RetryAfter: e.RetryAfter, Err: err}
	case err != nil:
		return receipt, err
	}
	receipt.MessageID, receipt.CorrelationID = response.MessageID, response.CorrelationID
	return receipt, nil
}

// ask finds out whether a message whose answer was lost has arrived, so that
// its receiver does not get it twice. Only the id that we gave it is known; when
// the gateway says that it has no message of it, it is sent again, under the same
// id. By any other fault, and without an answer, nothing is known and nothing is
// sent: it is asked again, until it is given up as whatever does not go.
func (s *Sender) ask(ctx context.Context, channel *Async, d gateway.Delivery) (receipt gateway.Receipt, arrived bool, err error) {
	status, answer, err := channel.Status(ctx, d.MessageID)
	receipt = gateway.Receipt{Answer: answer.Raw}
	var e *Error
	switch {
	case errors.As(err, &e) && e.Outcome == Refused && slices.Contains(s.o.NoMessage, e.Code):
		return receipt, false, nil
	case err != nil:
		unsure := &gateway.SendError{Unknown: true, Err: fmt.Errorf("client: whether an earlier try arrived is not known: %w", err)}
		if e != nil {
			unsure.Cause, unsure.Code, unsure.RetryAfter = e.Cause, e.code(), e.RetryAfter
		}
		return receipt, false, unsure
	case status.MessageState == soap.NotDelivered || status.MessageState == soap.DeliveryStopped:
		return receipt, false, nil
	}
	receipt.State = string(status.MessageState)
	return receipt, true, nil
}

// shape is how the service describes the notice.
func (s *Sender) shape(d gateway.Delivery) (*mappings.Shape, error) {
	service, ok := s.services.Load().Edition(d.Service, d.Edition)
	if !ok {
		return nil, fmt.Errorf("client: no description of the service %q, edition %q", d.Service, d.Edition)
	}
	shape, ok := service.Shape(d.Partner)
	if !ok {
		return nil, fmt.Errorf("client: service %s has no notice for %q", d.Service, d.Partner)
	}
	return shape, nil
}
