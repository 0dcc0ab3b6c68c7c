package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"kopir/gateway"
	"kopir/gateway/soap"
	"kopir/mappings"
)

// Notaries asks the notaries' registry (ENIS) about a power of attorney. No
// contract of it is public, so the shape of its messages is a file that the
// akimat fills in by what the operator gives it.
type Notaries struct {
	Channel             *Sync
	Shape               *mappings.RegistryShape
	SenderID, SenderBIN string
	// Sign puts our signature into the question, where the shape asks for one.
	Sign func(document []byte) ([]byte, error)
	// Zone is that in which a day of validity begins and ends.
	Zone *time.Location
}

var _ gateway.Registry = (*Notaries)(nil)

// Ask implements gateway.Registry. Validity is judged for the time of the
// question: the day on which the application came.
func (r *Notaries) Ask(ctx context.Context, q gateway.Question) (gateway.Finding, error) {
	values := map[string]string{
		"number": q.Subject, "sender_id": r.SenderID, "sender_bin": r.SenderBIN, "message_id": q.MessageID, "message_date": soap.FormatDateTime(q.At),
		"date": q.Values["date"], "principal_iin": q.Values["principal_iin"], "representative_iin": q.Values["representative_iin"],
	}
	document, err := r.Shape.Question(values)
	if err == nil && r.Shape.Request.Data.Signed == "inner" {
		document, err = r.Sign(document)
	}
	if err != nil {
		return gateway.Finding{}, fmt.Errorf("client: notaries' registry: the question: %w", err)
	}
	data, err := soap.InForm(soap.Form(r.Shape.Request.Data.Form), document)
	if err != nil {
		return gateway.Finding{}, &gateway.SendError{Permanent: true, Cause: gateway.CauseOurs, Err: err}
	}
	info := soap.SyncMessageInfo{MessageID: q.MessageID, ServiceID: r.Shape.ServiceID, MessageDate: q.At}
	return inquire(ctx, r.Channel, info, data, func(d soap.Data) (gateway.Finding, error) { return r.read(d, q) })
}

func (r *Notaries) read(d soap.Data, q gateway.Question) (gateway.Finding, error) {
	root, err := documentOf(d, "notaries' registry")
	if err != nil {
		return gateway.Finding{}, err
	}
	if d.Document() == nil {
		root = onlyElement(root)
	}
	code, said, err := r.Shape.ReadAnswer(root)
	if err != nil {
		return gateway.Finding{}, fmt.Errorf("client: notaries' registry: %w", err)
	}
	answer := &r.Shape.Answer
	f := gateway.Finding{Standing: gateway.Found}
	switch answer.Says(code) {
	case "found":
	case "no_data":
		return gateway.Finding{Standing: gateway.NoData}, nil
	case "revoked":
		f.Standing, f.Reason = gateway.Invalid, gateway.POARevoked
	case "expired":
		f.Standing, f.Reason = gateway.Invalid, gateway.POAExpired
	default:
		return gateway.Finding{}, &ResultError{"the notaries' registry", code}
	}
	if number := said["number"]; number != "" && number != q.Subject {
		return gateway.Finding{}, errOther("the notaries' registry")
	}
	for _, name := range mappings.RegistryFacts(mappings.Notaries) {
		if value := said[name]; value != "" {
			f.Facts = append(f.Facts, gateway.Fact{Name: name, Value: value})
		}
	}
	if f.Standing == gateway.Invalid {
		return f, nil
	}
	if said["number"] == "" || said["valid_until"] == "" {
		return gateway.Finding{}, errors.New("client: notaries' registry: found, but without number or end of validity: correct the shape file")
	}
	if f.Reason, err = r.validity(said, q.At); err != nil {
		return gateway.Finding{}, err
	}
	if f.Reason == "" && len(answer.Scopes) > 0 && !slices.Contains(answer.Scopes, said["scope"]) {
		f.Reason = gateway.POAOutOfScope
	}
	if f.Reason != "" {
		f.Standing = gateway.Invalid
	}
	return f, nil
}

// validity says why the power of attorney did not hold at a time; the last
// day counts whole.
func (r *Notaries) validity(said map[string]string, at time.Time) (reason string, err error) {
	zone := r.Zone
	if zone == nil {
		zone = time.UTC
	}
	day := at.In(zone).Format(time.DateOnly)
	for _, bound := range []struct {
		name, reason string
		broken       func(date string) bool
	}{
		{"valid_from", gateway.POANotYetValid, func(date string) bool { return day < date }},
		{"valid_until", gateway.POAExpired, func(date string) bool { return day > date }},
	} {
		date := said[bound.name]
		if date == "" {
			continue
		}
		if len(date) > len(time.DateOnly) {
			date = date[:len(time.DateOnly)] // a time or an offset behind the day
		}
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			return "", fmt.Errorf("client: notaries' registry: %s is no date", bound.name)
		}
		if bound.broken(date) && reason == "" {
			reason = bound.reason
		}
	}
	return reason, nil
}
