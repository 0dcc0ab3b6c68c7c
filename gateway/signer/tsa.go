package signer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"kopir/signature"
	"kopir/signature/cms"
	"kopir/signature/hop"
)

// The policies of time stamps, by their words in requests.
const (
	PolicyGOST     = "TSA_GOST_POLICY"
	PolicyGOSTGT   = "TSA_GOSTGT_POLICY"
	PolicyGOST2015 = "TSA_GOST2015_POLICY"
)

var policies = map[string]string{
	PolicyGOST:     "1.2.398.3.3.2.6.1",
	PolicyGOSTGT:   "1.2.398.3.3.2.6.3",
	PolicyGOST2015: "1.2.398.3.3.2.6.4",
}

// stampTimeout is how long one time stamp may take.
const stampTimeout = 10 * time.Second

// Authority asks for time stamps at configured addresses and no others.
type Authority struct {
	addresses map[string]string // by policy; empty: for all others
	client    *http.Client
}

// NewAuthority takes an address for each policy. That of the empty policy
// serves all that have none of their own. proxy nil: what the environment says.
func NewAuthority(addresses map[string]string, proxy func(*http.Request) (*url.URL, error)) (*Authority, error) {
	for policy, address := range addresses {
		if _, known := policies[policy]; !known && policy != "" {
			return nil, fmt.Errorf("time stamps: unknown policy %q; it is %s, %s, %s or none", policy, PolicyGOST, PolicyGOSTGT, PolicyGOST2015)
		}
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("time stamps: %q is not an http or https address", address)
		}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = stampTimeout
	if proxy != nil {
		transport.Proxy = proxy
	}
	return &Authority{addresses: addresses, client: &http.Client{
		Transport: transport,
		// Whoever answers at a configured address does not choose others for us.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// address finds where to ask for a policy; the empty one is the authority's choice.
func (a *Authority) address(policy string) (string, *fail) {
	if a != nil {
		for _, p := range []string{policy, "", PolicyGOST2015} {
			if at, found := a.addresses[p]; found && (p == policy || p == "" || policy == "") {
				return at, nil
			}
		}
	}
	if policy == "" {
		return "", &fail{http.StatusInternalServerError, "no time stamp authority is configured (kopir signer -tsa URL); sign with withTsp false"}
	}
	return "", &fail{http.StatusInternalServerError, "no time stamp authority is configured for " + policy + " (kopir signer -tsa " + policy + "=URL); sign with withTsp false"}
}

// stamp puts a time stamp over one signature of a message.
func (a *Authority) stamp(ctx context.Context, message []byte, signer int, policy string) ([]byte, *fail) {
	at, bad := a.address(policy)
	if bad != nil {
		return nil, bad
	}
	request, err := signature.TimestampRequest(message, signer, policies[policy])
	if err != nil {
		return nil, badRequest("%v", err)
	}
	outcome := hop.NoAnswer
	ctx, end := hop.Ask(ctx, "tsa", at, &outcome)
	defer end()
	answer, err := a.ask(ctx, at, request)
	if err != nil {
		return nil, &fail{http.StatusInternalServerError, "the time stamp authority: " + err.Error()}
	}
	outcome = hop.Unusable
	out, err := signature.AddTimestamp(message, signer, request, answer)
	if err != nil {
		return nil, &fail{http.StatusInternalServerError, "the time stamp authority's answer is not to be used: " + err.Error()}
	}
	outcome = hop.Answered
	return out, nil
}

// Stamp puts a time stamp over the one signature of a message (CAdES-T).
func (a *Authority) Stamp(ctx context.Context, message []byte) ([]byte, error) {
	out, bad := a.stamp(ctx, message, 0, "")
	if bad != nil {
		return nil, errors.New(bad.message)
	}
	return out, nil
}

func (a *Authority) ask(ctx context.Context, address string, request *cms.Request) ([]byte, error) {
	body, err := request.Marshal()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, stampTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/timestamp-query")
	r.Header.Set("Accept", "application/timestamp-reply")
	res, err := a.client.Do(r)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, errors.New("no answer in time")
	case err != nil:
		return nil, errors.New("it cannot be reached")
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answered with HTTP %d", res.StatusCode)
	}
	out, err := io.ReadAll(io.LimitReader(res.Body, cms.MaxToken+4096+1))
	switch {
	case err != nil:
		return nil, errors.New("its answer broke off")
	case len(out) > cms.MaxToken+4096:
		return nil, errors.New("its answer is too large")
	}
	return out, nil
}
