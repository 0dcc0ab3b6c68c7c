package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"kopir/gateway"
	"kopir/gateway/failpoint"
	"kopir/gateway/soap"
	"kopir/signature"
	"kopir/signature/xmltree"
)

// Answer is what came back.
type Answer struct {
	Message *soap.Message      // of the expected operation; read from the signed bytes where it is signed
	Verdict *signature.Verdict // nil when the answer was not signed
	Sent    []byte             // the envelope as it went out
	Raw     []byte             // the answer as it came

	after time.Duration // how long the peer wants to be left alone
}

// exchange sends a request and reads its answer. The error is an *Error; Sent
// and Raw of the Answer are set as far as it came, for evidence.
func (p *Peer) exchange(ctx context.Context, request soap.Payload) (*Answer, error) {
	op, _ := soap.OperationOf(request)
	a := &Answer{}
	failed := func(e Error) (*Answer, error) {
		e.Peer, e.Operation = p.Name, op
		if e.Temporary && a.after > 0 {
			e.RetryAfter = a.after
			if e.Cause != gateway.CauseUnbelieved {
				e.Cause = gateway.CauseBusy
			}
		}
		return a, &e
	}
	fail := func(outcome Outcome, temporary bool, cause gateway.Cause, status int, err error) (*Answer, error) {
		return failed(Error{Outcome: outcome, Temporary: temporary, Cause: cause, Status: status, Err: err})
	}
	envelope, err := soap.Build(request)
	if err != nil {
		return fail(NotSent, false, gateway.CauseOurs, 0, err)
	}
	if p.Sign != nil {
		if envelope, err = p.Sign(envelope); err != nil {
			return fail(NotSent, true, gateway.CauseOurs, 0, fmt.Errorf("sign: %w", err))
		}
	}
	a.Sent = envelope
	if op == soap.AsyncSendMessage {
		failpoint.Here(failpoint.SendBefore)
	}
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	status, written, err := p.post(ctx, a)
	switch {
	case err != nil && !written:
		return fail(NotSent, true, causeOf(err), 0, err)
	case err != nil && status == 0:
		return fail(Unknown, true, causeOf(err), 0, err)
	case err != nil:
		return fail(Unknown, true, gateway.CauseUnreadable, status, err)
	}
	m, err := p.read(ctx, a)
	if err != nil {
		cause := gateway.CauseUnreadable
		var doubt *unbelieved
		switch {
		case errors.As(err, &doubt):
			cause = gateway.CauseUnbelieved
		case status != http.StatusOK:
			cause = statusCause(status)
			err = fmt.Errorf("no answer of the contract: %w", err)
		}
		return fail(Unknown, status == http.StatusOK || temporaryStatus(status), cause, status, err)
	}
	if fault, ok := m.Payload.(*soap.Fault); ok {
		code, temporary := faultCode(fault)
		cause := gateway.CauseRefused
		switch {
		case passing[code]:
			cause = gateway.CauseUnavailable
		case temporary:
			cause = gateway.CauseFault
		}
		return failed(Error{Outcome: Refused, Temporary: temporary, Cause: cause, Code: code, Status: status, Err: fault})
	}
	got := m.Operation
	if got == soap.ClientSendMessage {
		got = soap.AsyncSendMessage
	}
	if status/100 != 2 || m.Kind != soap.Response || got != op {
		return fail(Unknown, true, gateway.CauseUnreadable, status, fmt.Errorf("answered with %s %s", m.Operation, m.Kind))
	}
	a.Message = m
	return a, nil
}

// post sends the envelope and reads the whole answer within the limit. written
// is false when it is certain that nothing of the message left.
func (p *Peer) post(ctx context.Context, a *Answer) (status int, written bool, err error) {
	var wrote atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { wrote.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Address, bytes.NewReader(a.Sent))
	if err != nil {
		return 0, false, withoutAddress(err)
	}
	req.Header.Set("Content-Type", soap.ContentType)
	req.Header.Set("Accept", "text/xml")
	req.Header["SOAPAction"] = []string{`""`} // spelled as the contract's old servers look for it
	if p.May != nil {
		if err := p.May(); err != nil {
			return 0, false, err
		}
	}
	resp, err := p.HTTP.Do(req)
	if err != nil {
		return 0, wrote.Load(), withoutAddress(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode/100 == 5 {
		a.after = retryAfter(resp.Header.Get("Retry-After"), p.Now())
	}
	a.Raw, err = io.ReadAll(io.LimitReader(resp.Body, p.MaxAnswer+1))
	switch {
	case err != nil:
		return resp.StatusCode, true, fmt.Errorf("the answer broke off: %w", err)
	case int64(len(a.Raw)) > p.MaxAnswer:
		a.Raw = nil
		return resp.StatusCode, true, fmt.Errorf("the answer is larger than %d bytes", p.MaxAnswer)
	case resp.StatusCode/100 == 3:
		return resp.StatusCode, true, errors.New("redirected, and redirects are not followed: configure the address itself")
	}
	return resp.StatusCode, true, nil
}

// read reads the answer, from the signed bytes where it is signed.
func (p *Peer) read(ctx context.Context, a *Answer) (*soap.Message, error) {
	doc, err := xmltree.Parse(a.Raw, xmltree.Limits{Bytes: int(p.MaxAnswer)})
	if err != nil {
		return nil, err
	}
	outer, err := soap.Read(doc)
	if err != nil {
		return nil, err
	}
	if !outer.Signed() {
		if p.Answers == Always {
			if f, ok := outer.Payload.(*soap.Fault); ok {
				code, _ := faultCode(f)
				return nil, doubt("the answer must be signed and is not; it says to be a fault with code %s", shortCode(code))
			}
			return nil, doubt("the answer must be signed and is not")
		}
		return outer, nil
	}
	if p.Judge == nil {
		return nil, errors.New("the answer is signed, and there is nothing to judge signatures with")
	}
	a.Verdict = p.Judge.WSSE(ctx, doc, signature.Want{At: p.Now()})
	content, ok := a.Verdict.Content()
	if !ok {
		return nil, doubt("the answer's signature is not believed: %s %s", a.Verdict.Outcome, a.Verdict.Reason)
	}
	for i := range a.Verdict.Signatures {
		if !p.holds(a.Verdict.Signatures[i].Certificate) {
			return nil, doubt("the answer is signed with a certificate that is not the peer's")
		}
	}
	body, err := content.Tree()
	if err != nil {
		return nil, err
	}
	return soap.ReadBody(body.Root())
}

// unbelieved is an answer that may be anybody's.
type unbelieved struct{ say string }

func (e *unbelieved) Error() string { return e.say }

func doubt(format string, args ...any) error { return &unbelieved{fmt.Sprintf(format, args...)} }

// shortCode keeps a code that is no code out of logs.
func shortCode(code string) string {
	if len(code) > 40 || strings.ContainsAny(code, " \t\r\n<>") {
		return "(unreadable)"
	}
	return code
}

// withoutAddress takes the URL out of an error of net/http: it may carry a
// password.
func withoutAddress(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
