package client

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"

	"kopir/gateway"
	"kopir/gateway/soap"
)

// The service ids of the register of persons.
const (
	PersonService        = "GBDFL_UniversalServiceSync"
	PersonServiceConsent = "GBDFLUniversal_token" // asks for the person's consent
)

// personTypes is the namespace of the typed question.
const personTypes = "http://message.persistence.interactive.nat"

// Consent is the person's permission, as the consent service gave it.
type Consent struct{ Token, PublicKey string }

// Registry asks the register of persons (GBD FL) through a synchronous channel.
//
// What it believes is what the gateway's signature covers. A signature of the
// register's own inside the answer stays in the evidence; it is not judged, as
// the register signs nested elements whose namespaces the gateway changes.
type Registry struct {
	Channel    *Sync
	SenderCode string // as the register knows us
	// ServiceID is empty for PersonService, or with Consent PersonServiceConsent.
	ServiceID string
	// Typed writes an xsi:type on the question, as some of its ends ask.
	Typed bool
	// Consent gives the permission for a person; nil for the service without.
	Consent func(ctx context.Context, iin gateway.IIN) (Consent, error)
	// NoData are the result codes by which the register says that it has no
	// such person. Any code but these and PersonFound is an error.
	NoData []string
}

var _ gateway.Registry = (*Registry)(nil)

// ResultError is the register's refusal to answer a question.
type ResultError struct{ Result Coded }

func (e *ResultError) Error() string {
	return "client: the register of persons answered with the code " + shortCode(e.Result.Code)
}

// Person implements gateway.Registry. A fault that another try meets again is a
// permanent *gateway.SendError.
func (r *Registry) Person(ctx context.Context, q gateway.PersonQuery) (gateway.Person, error) {
	a, raw, err := r.Ask(ctx, q)
	var e *Error
	if errors.As(err, &e) {
		err = &gateway.SendError{Permanent: !e.Temporary, Code: e.Code, Err: err}
	}
	if err != nil {
		return gateway.Person{Answer: raw}, err
	}
	if a.Person == nil {
		return gateway.Person{IIN: q.IIN, Answer: raw}, nil
	}
	p := a.Person
	return gateway.Person{Found: true, IIN: q.IIN, Surname: p.Surname, GivenName: p.Name, Patronymic: p.Patronymic, Answer: raw}, nil
}

// Ask gives the whole answer, and the bytes that came, for evidence. Person is
// nil only when the register said that it has none. The error is an *Error of
// the exchange, a *ResultError, or says what is wrong with the answer.
func (r *Registry) Ask(ctx context.Context, q gateway.PersonQuery) (*PersonAnswer, []byte, error) {
	service := r.ServiceID
	var consent Consent
	if r.Consent != nil {
		var err error
		if consent, err = r.Consent(ctx, q.IIN); err != nil {
			return nil, nil, fmt.Errorf("client: consent of the person: %w", err)
		}
		if consent.Token == "" {
			return nil, nil, errors.New("client: consent of the person: there is no token")
		}
		if service == "" {
			service = PersonServiceConsent
		}
	}
	if service == "" {
		service = PersonService
	}
	data := soap.NestedData(r.question(q, consent))
	if r.Typed {
		data.Type = soap.TypeName{Space: personTypes, Prefix: "cs", Local: "Request"}
	}
	response, answer, err := r.Channel.SendMessage(ctx, soap.SyncMessageInfo{MessageID: q.MessageID, ServiceID: service, MessageDate: q.At}, data)
	if err != nil {
		return nil, answer.Raw, err
	}
	a, err := ReadPerson(response.ResponseData.Data)
	switch {
	case err != nil:
		return nil, answer.Raw, err
	case a.Result.Code != PersonFound && slices.Contains(r.NoData, a.Result.Code):
		a.Person = nil
	case a.Result.Code != PersonFound:
		return nil, answer.Raw, &ResultError{a.Result}
	case a.Person != nil && a.Person.IIN != string(q.IIN):
		return nil, answer.Raw, errors.New("client: the register of persons answered about somebody else")
	}
	return a, answer.Raw, nil
}

// question writes the elements of the question.
func (r *Registry) question(q gateway.PersonQuery, consent Consent) []byte {
	var b bytes.Buffer
	for _, e := range []struct{ name, value string }{
		{"messageId", q.MessageID}, {"messageDate", soap.FormatDateTime(q.At)}, {"senderCode", r.SenderCode}, {"iin", string(q.IIN)},
		{"kdpToken", consent.Token}, {"publicKey", consent.PublicKey},
	} {
		if e.value == "" && (e.name == "kdpToken" || e.name == "publicKey") {
			continue
		}
		b.WriteString("<" + e.name + ">")
		xml.EscapeText(&b, []byte(e.value)) // a bytes.Buffer does not fail
		b.WriteString("</" + e.name + ">")
	}
	return b.Bytes()
}
