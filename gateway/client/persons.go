package client

import (
	"bytes"
	"context"
	"encoding/xml"
	"slices"
	"strings"

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

// Persons asks the register of persons (GBD FL) in one of its two variants:
// with the IIN alone, or with the token of the person's consent.
type Persons struct {
	Channel    *Sync
	SenderCode string // as the register knows us
	// ServiceID is empty for PersonService, or with Consent PersonServiceConsent.
	ServiceID string
	// Typed writes an xsi:type on the question, as some of its ends ask.
	Typed bool
	// Consent asks for the person's permission; nil for the variant without.
	Consent *Consents
	// NoData are the result codes by which the register says that it has no such
	// person, NoConsent those by which it does not take the token (any more): a
	// new one is asked for. Any code but these and PersonFound is an error.
	NoData, NoConsent []string
}

var _ gateway.Registry = (*Persons)(nil)

// Ask implements gateway.Registry.
func (r *Persons) Ask(ctx context.Context, q gateway.Question) (gateway.Finding, error) {
	service := r.ServiceID
	var given Consent
	if r.Consent != nil {
		f, err := r.Consent.ask(ctx, q, &given)
		if err != nil || f.Standing == gateway.NoData {
			return f, err
		}
		if service == "" {
			service = PersonServiceConsent
		}
	}
	if service == "" {
		service = PersonService
	}
	data := soap.NestedData(r.question(q, given))
	if r.Typed {
		data.Type = soap.TypeName{Space: personTypes, Prefix: "cs", Local: "Request"}
	}
	info := soap.SyncMessageInfo{MessageID: q.MessageID, ServiceID: service, MessageDate: q.At}
	f, err := inquire(ctx, r.Channel, info, data, func(d soap.Data) (gateway.Finding, error) {
		a, err := ReadPerson(d)
		switch {
		case err != nil:
			return gateway.Finding{}, err
		case a.Result.Code != PersonFound && slices.Contains(r.NoData, a.Result.Code):
			return gateway.Finding{Standing: gateway.NoData}, nil
		case a.Result.Code != PersonFound:
			if slices.Contains(r.NoConsent, a.Result.Code) && r.Consent != nil {
				r.Consent.forget(q)
			}
			return gateway.Finding{}, &ResultError{"the register of persons", a.Result.Code}
		case a.Person == nil:
			return gateway.Finding{Standing: gateway.NoData}, nil
		case a.Person.IIN != q.Subject:
			return gateway.Finding{}, errOther("the register of persons")
		}
		return gateway.Finding{Standing: gateway.Found, Facts: a.Person.facts()}, nil
	})
	f.Consent = given.answer
	return f, err
}

// facts are what the descriptions may compare and show.
func (p *PersonRecord) facts() []gateway.Fact {
	document := ""
	if len(p.Documents) > 0 {
		d := p.Documents[0]
		document = strings.TrimSpace(d.Type.NameRu + " " + d.Number)
	}
	return facts("iin", p.IIN, "surname", p.Surname, "given_name", p.Name, "patronymic", p.Patronymic, "birth_date", p.BirthDate,
		"gender", p.Gender.name(), "citizenship", p.Citizenship.name(), "life_status", p.LifeStatus.name(),
		"address", p.Address.line(), "address_since", p.Address.BeginDate, "document", document)
}

// name is the value in words, or its code where it has none.
func (c Coded) name() string {
	if c.NameRu != "" {
		return c.NameRu
	}
	return c.Code
}

// line is the address on one line, from the country down.
func (r *Registration) line() string {
	parts := []string{r.Country.name(), r.District.name(), r.Region.name(), r.Street, r.Building, r.Flat}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

// question writes the elements of the question.
func (r *Persons) question(q gateway.Question, given Consent) []byte {
	list := []string{"messageId", q.MessageID, "messageDate", soap.FormatDateTime(q.At), "senderCode", r.SenderCode, "iin", q.Subject}
	if r.Consent != nil {
		list = append(list, "kdpToken", given.Token, "publicKey", given.PublicKey)
	}
	return elements(list...)
}

// elements writes name and text of each, in no namespace.
func elements(pairs ...string) []byte {
	var b bytes.Buffer
	for i := 0; i < len(pairs); i += 2 {
		b.WriteString("<" + pairs[i] + ">")
		xml.EscapeText(&b, []byte(pairs[i+1])) // a bytes.Buffer does not fail
		b.WriteString("</" + pairs[i] + ">")
	}
	return b.Bytes()
}
