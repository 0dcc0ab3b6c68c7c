package client

import (
	"context"
	"errors"
	"fmt"

	"kopir/gateway"
	"kopir/gateway/soap"
)

// Every registry is asked through the gateway's SyncChannel, and what is
// believed is what the gateway's signature covers. A signature of the
// registry's own inside the answer stays in the evidence; it is not judged, as
// registries sign nested elements whose namespaces the gateway changes.

// inquire asks one question and lets read tell what the answer means. The
// finding holds what went out and came in, also beside an error.
func inquire(ctx context.Context, channel *Sync, info soap.SyncMessageInfo, data soap.Data, read func(soap.Data) (gateway.Finding, error)) (gateway.Finding, error) {
	response, answer, err := channel.SendMessage(ctx, info, data)
	var f gateway.Finding
	if err == nil {
		f, err = read(response.ResponseData.Data)
	}
	f.Asked, f.Answer, f.Verdict = answer.Sent, answer.Raw, answer.Verdict
	return f, sendError(err)
}

// sendError tells whether asking again can help. Of a fault only the code goes
// on: its text is a registry's, and may name the person.
func sendError(err error) error {
	var e *Error
	if errors.As(err, &e) {
		if e.Outcome == Refused {
			bare := *e
			bare.Err = errors.New("answered with a fault")
			e, err = &bare, &bare
		}
		return &gateway.SendError{Permanent: !e.Temporary, Cause: e.Cause, Code: e.code(), RetryAfter: e.RetryAfter, Err: err}
	}
	var said *ResultError
	if errors.As(err, &said) {
		return &gateway.SendError{Cause: gateway.CauseFault, Code: said.Code, Err: err}
	}
	return err
}

// ResultError is a registry's refusal to answer a question: a code that means
// neither that it found something nor that it has no such thing.
type ResultError struct{ Registry, Code string }

func (e *ResultError) Error() string {
	return fmt.Sprintf("client: %s answered with the code %s", e.Registry, shortCode(e.Code))
}

// errOther is an answer to another question than ours. Whose data it holds is
// in the evidence of nobody: it is not kept.
func errOther(registry string) error {
	return fmt.Errorf("client: %s answered about somebody else", registry)
}

// facts leaves out what the registry does not say.
func facts(pairs ...string) []gateway.Fact {
	var all []gateway.Fact
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			all = append(all, gateway.Fact{Name: pairs[i], Value: pairs[i+1]})
		}
	}
	return all
}
