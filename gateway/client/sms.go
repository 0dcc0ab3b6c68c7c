package client

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"kopir/gateway"
)

// SMS sends messages to phones through an operator's HTTP gateway. There is no
// common interface for that, so the request is a template: the body may hold
// {phone}, {text}, {id} and {secret}, each escaped as its media type asks, a
// header {secret} and {id}. The address holds none of them: addresses are
// logged by everything on the way.
type SMS struct {
	Address string
	Method  string // POST or PUT
	Type    string // media type of the body: application/json, application/x-www-form-urlencoded, an XML type or text/plain
	Headers [][2]string
	Body    string
	Secret  string
	// Success: the statuses, and what the answer must hold. Without statuses any
	// of 200 to 299.
	Statuses []int
	Contains string
	HTTP     *http.Client
	Timeout  time.Duration
	Now      func() time.Time

	escape func(string) string
}

var _ gateway.Post = (*SMS)(nil)

// smsHoles are the placeholders of a body.
var smsHoles = []string{"{phone}", "{text}", "{id}", "{secret}"}

// Check completes an SMS with its defaults, or says what is wrong with it.
func (s *SMS) Check() error {
	u, err := url.Parse(s.Address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("client: sms: the address is no absolute http or https URL")
	}
	if s.Method == "" {
		s.Method = http.MethodPost
	}
	if s.Method != http.MethodPost && s.Method != http.MethodPut {
		return fmt.Errorf("client: sms: the method %q would carry the message in the address; it must be POST or PUT", s.Method)
	}
	kind, _, err := mime.ParseMediaType(s.Type)
	if err != nil {
		return fmt.Errorf("client: sms: %q is no media type", s.Type)
	}
	if s.escape = escapeFor(kind); s.escape == nil {
		return fmt.Errorf("client: sms: it is not known how to escape in a body of type %s; use JSON, a form, XML or text/plain", kind)
	}
	for _, hole := range smsHoles[:2] {
		if !strings.Contains(s.Body, hole) {
			return fmt.Errorf("client: sms: the body has no %s", hole)
		}
	}
	for _, h := range s.Headers {
		if strings.Contains(h[1], "{phone}") || strings.Contains(h[1], "{text}") || strings.ContainsFunc(h[0]+h[1]+s.Secret, unicode.IsControl) {
			return fmt.Errorf("client: sms: the header %s may hold {secret} and {id}, and no control character", h[0])
		}
	}
	if s.Timeout == 0 {
		s.Timeout = DefaultTimeout
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	s.HTTP = withoutRedirects(s.HTTP)
	return nil
}

// escapeFor is how a value is written inside a body of a media type; nil: it is
// not known.
func escapeFor(kind string) func(string) string {
	switch {
	case kind == "application/json" || strings.HasSuffix(kind, "+json"):
		return func(v string) string { // between the quotes that the template has
			b, _ := json.Marshal(v) // a string always encodes
			return string(b[1 : len(b)-1])
		}
	case kind == "application/x-www-form-urlencoded":
		return url.QueryEscape
	case kind == "application/xml" || kind == "text/xml" || strings.HasSuffix(kind, "+xml"):
		return func(v string) string {
			var b bytes.Buffer
			xml.EscapeText(&b, []byte(v)) // a bytes.Buffer does not fail
			return b.String()
		}
	case kind == "text/plain":
		return func(v string) string { return v }
	}
	return nil
}

// Post implements gateway.Post. The operator's 2xx that lacks what the
// configuration calls success is a refusal: sent again, it might come twice.
func (s *SMS) Post(ctx context.Context, l gateway.Letter) error {
	fail := func(e gateway.SendError, format string, args ...any) error {
		e.Err = fmt.Errorf("client: sms: "+format, args...)
		return &e
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	var wrote atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { wrote.Store(true) }})
	body := strings.NewReplacer("{phone}", s.escape(l.To), "{text}", s.escape(l.Text), "{id}", s.escape(l.ID), "{secret}", s.escape(s.Secret)).Replace(s.Body)
	r, err := http.NewRequestWithContext(ctx, s.Method, s.Address, strings.NewReader(body))
	if err != nil {
		return fail(gateway.SendError{Permanent: true, Cause: gateway.CauseOurs}, "the request could not be made")
	}
	r.Header.Set("Content-Type", s.Type)
	r.Header.Set("Idempotency-Key", l.ID)
	for _, h := range s.Headers {
		r.Header.Set(h[0], strings.NewReplacer("{secret}", s.Secret, "{id}", l.ID).Replace(h[1]))
	}
	resp, err := s.HTTP.Do(r)
	if err != nil {
		return fail(gateway.SendError{Unknown: wrote.Load(), Cause: causeOf(err)}, "%w", withoutAddress(err))
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxRESTAnswer))
	if err != nil {
		return fail(gateway.SendError{Unknown: true, Cause: gateway.CauseTimeout}, "the answer broke off")
	}
	code := strconv.Itoa(resp.StatusCode)
	fits := resp.StatusCode/100 == 2
	if len(s.Statuses) > 0 {
		fits = slices.Contains(s.Statuses, resp.StatusCode)
	}
	switch {
	case fits && strings.Contains(string(answer), s.Contains):
		return nil
	case fits:
		return fail(gateway.SendError{Permanent: true, Code: code}, "the operator's answer is not what success looks like")
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode/100 == 5:
		return fail(gateway.SendError{Code: code, Cause: statusCause(resp.StatusCode), RetryAfter: retryAfter(resp.Header.Get("Retry-After"), s.Now())}, "the operator cannot take the message now")
	default:
		return fail(gateway.SendError{Permanent: true, Code: code}, "the operator refused the message")
	}
}
