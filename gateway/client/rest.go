package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"kopir/gateway"
	"kopir/gateway/httpsig"
)

// REST is a partner that takes its notices as JSON by POST, each signed by
// RFC 9421 and under an Idempotency-Key that is the same at every try, so that
// it may be sent again when nobody knows whether it arrived.
type REST struct {
	Name    string // for errors
	Address string // http or https URL
	// Sign gives the key to sign with; it is asked at every try.
	Sign func() (httpsig.Signer, error)
	// HTTP is the client to use; nil: NewHTTP. Redirects are never followed.
	HTTP    *http.Client
	Timeout time.Duration // of one exchange; zero: 30 s
	Now     func() time.Time
}

// Check completes a REST with its defaults, or says what is wrong with it.
func (p *REST) Check() error {
	u, err := url.Parse(p.Address)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("client: partner %q: its address is no absolute http or https URL", p.Name)
	case p.Sign == nil:
		return fmt.Errorf("client: partner %q: there is nothing to sign with", p.Name)
	}
	if p.Timeout == 0 {
		p.Timeout = DefaultTimeout
	}
	if p.Now == nil {
		p.Now = time.Now
	}
	p.HTTP = withoutRedirects(p.HTTP)
	return nil
}

// callbackCovered is what the signature of a call-back covers.
var callbackCovered = []string{"@method", "@target-uri", "content-digest", "content-type", "idempotency-key"}

// sendREST sends a delivery to a partner that takes JSON.
func (s *Sender) sendREST(ctx context.Context, to *REST, d gateway.Delivery) (gateway.Receipt, error) {
	body, err := s.noticeJSON(d)
	if err != nil {
		return gateway.Receipt{}, &gateway.SendError{Permanent: true, Cause: gateway.CauseOurs, Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, to.Timeout)
	defer cancel()
	return to.post(ctx, d.MessageID, body)
}

// noticeJSON is the body of a call-back.
func (s *Sender) noticeJSON(d gateway.Delivery) ([]byte, error) {
	notice, err := gateway.ReadPartnerNotice(s.services.Load(), &d)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(notice); err != nil {
		return nil, fmt.Errorf("client: the notice: %w", err)
	}
	return b.Bytes(), nil
}

// maxRESTAnswer is what is kept of an answer: it is evidence, and nothing in it
// is asked for.
const maxRESTAnswer = 64 << 10

func (p *REST) post(ctx context.Context, id string, body []byte) (gateway.Receipt, error) {
	fail := func(permanent, unknown bool, cause gateway.Cause, err error) (gateway.Receipt, error) {
		return gateway.Receipt{}, &gateway.SendError{Permanent: permanent, Unknown: unknown, Cause: cause, Err: fmt.Errorf("client: %s: %w", p.Name, err)}
	}
	var wrote atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { wrote.Store(true) }})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Address, bytes.NewReader(body))
	if err != nil {
		return fail(true, false, gateway.CauseOurs, withoutAddress(err))
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Idempotency-Key", id)
	signer, err := p.Sign()
	if err == nil {
		err = httpsig.Sign(r, body, callbackCovered, signer, p.Now(), rand.Text())
	}
	if err != nil {
		return fail(false, false, gateway.CauseOurs, err) // a key may come back
	}
	sent := evidence(r, body)
	resp, err := p.HTTP.Do(r)
	if err != nil {
		return fail(false, wrote.Load(), causeOf(err), withoutAddress(err))
	}
	defer resp.Body.Close()
	receipt := gateway.Receipt{Sent: sent}
	if receipt.Answer, err = io.ReadAll(io.LimitReader(resp.Body, maxRESTAnswer)); err != nil {
		receipt.Answer = nil // the status says it all
	}
	return receipt, p.judge(resp)
}

// judge says what a status means for the message; nil: it arrived.
func (p *REST) judge(resp *http.Response) error {
	e := &gateway.SendError{Permanent: true, Cause: statusCause(resp.StatusCode), Code: strconv.Itoa(resp.StatusCode), Err: fmt.Errorf("client: %s refused the message", p.Name)}
	switch status := resp.StatusCode; {
	case status/100 == 2, status == http.StatusConflict: // it has it already
		return nil
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests, status/100 == 5:
		e.Permanent, e.RetryAfter = false, retryAfter(resp.Header.Get("Retry-After"), p.Now())
		e.Err = fmt.Errorf("client: %s cannot take the message now", p.Name)
		if e.RetryAfter > 0 {
			e.Cause = gateway.CauseBusy
		}
	case status/100 == 3:
		e.Err = fmt.Errorf("client: %s redirects, and redirects are not followed: configure the address itself", p.Name)
	}
	return e
}

// retryAfter reads RFC 9110, 10.2.3: seconds or a date; what does not read is
// not said.
func retryAfter(value string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(value); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

// evidence is the request as it went out: what was signed, and the signature.
func evidence(r *http.Request, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.URL.Redacted())
	r.Header.Write(&b) // a bytes.Buffer does not fail
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

// withoutRedirects copies a client, nil being a new one.
func withoutRedirects(c *http.Client) *http.Client {
	client := NewHTTP(nil, nil)
	if c != nil {
		copied := *c
		client = &copied
	}
	client.Transport = traced{client.Transport}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client
}
