package sim

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"kopir/gateway/httpsig"
	"kopir/gateway/soap"
	"kopir/mappings"
)

// A desk that speaks REST: it files signed documents at the bridge's REST door,
// signs its requests by RFC 9421, and asks of the answers that they are signed so.

// requestCovered is what the signature of a request with a document covers.
var requestCovered = []string{"@method", "@target-uri", "content-digest", "content-type"}

// answerPolicy is what the desk asks of an answer's signature.
var answerPolicy = httpsig.Policy{
	Covered: []string{"@status", "content-digest", "@method;req", "@target-uri;req", "signature;req"},
	MaxAge:  restPolicy.MaxAge, Ahead: restPolicy.Ahead,
}

// restProblem is what the desk reads of a refusal.
type restProblem struct {
	Code, Title, Detail string
	Faults              []struct{ Rule, Message string }
}

// sendREST files a document. A refusal of the service is a notice, as the
// answer of SyncChannel is.
func (d *desk) sendREST(ctx context.Context, c *Case, service *mappings.Service, document []byte, cms bool) error {
	d.sim.members["bridge"].mu.Lock()
	base := d.sim.members["bridge"].rest
	d.sim.members["bridge"].mu.Unlock()
	if base == "" {
		return errors.New("where the bridge's REST door is was not said: PUT /sim/bridge, rest_url")
	}
	id, media := uuid.NewString(), "application/xml"
	if cms {
		media = "application/pkcs7-mime"
	}
	d.mu.Lock()
	c.MessageID, c.CorrelationID, d.byTalk[id] = id, id, c // the first notice can be here before the answer
	d.mu.Unlock()
	status, body, err := d.callREST(ctx, base+"/applications?"+url.Values{"service": {service.ID}, "id": {id}}.Encode(), media, document)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch status {
	case http.StatusCreated, http.StatusAccepted:
		var app struct{ Number string }
		if err := json.Unmarshal(body, &app); err != nil || app.Number == "" {
			return errors.New("the bridge's answer names no application")
		}
		c.Delivery, c.BridgeNumber = string(soap.Delivered), app.Number
		d.byBridge[app.Number] = c
		return nil
	case http.StatusUnprocessableEntity:
		var p restProblem
		if err := json.Unmarshal(body, &p); err != nil {
			return fmt.Errorf("the bridge's answer: %w", err)
		}
		return d.refusedREST(c, service, p)
	}
	return fmt.Errorf("the bridge answered %d %.300s", status, body)
}

// refusedREST keeps a refusal as the notice that it would be elsewhere. The
// caller holds mu.
func (d *desk) refusedREST(c *Case, service *mappings.Service, p restProblem) error {
	refused, _ := service.Status(mappings.Refused)
	n := Notice{At: d.sim.now(), Type: "ANSWER", From: d.sim.members["bridge"].sender, MessageID: c.MessageID, Code: refused.Code(d.channel), Transport: d.sim.bridgeVerdict(context.Background())}
	switch p.Code {
	case "service_refused":
	case "invalid_fields": // the faults alone; the regulated frame is ours to say
		frame, _ := service.Refusal("field-faults", d.channel, mappings.Text{})
		n.ReasonRU = frame.Ru + ": "
	default:
		return fmt.Errorf("the bridge refused: %s %s", p.Code, p.Detail)
	}
	for i, f := range p.Faults {
		if i > 0 {
			n.ReasonRU += "; "
		}
		n.ReasonRU += f.Message
	}
	c.Delivery, c.Status = string(soap.Delivered), n.Code
	c.Notices = append(c.Notices, n)
	return nil
}

// callREST posts a document with the desk's signature and checks the answer's.
func (d *desk) callREST(ctx context.Context, address, media string, document []byte) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(document))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", media)
	r.Header.Set("Accept-Language", mappings.Russian)
	signer, err := httpsig.SignerOf(d.as.signing())
	if err == nil {
		err = httpsig.Sign(r, document, requestCovered, signer, d.sim.now(), rand.Text())
	}
	if err != nil {
		return 0, nil, err
	}
	resp, err := d.sim.client.Do(r)
	if err != nil {
		return 0, nil, fmt.Errorf("the bridge did not take it: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxMessage))
	if err != nil {
		return 0, nil, err
	}
	if resp.Header.Get("Signature") == "" {
		return 0, nil, fmt.Errorf("the bridge answered %d without a signature: %.300s", resp.StatusCode, body)
	}
	if err := d.sim.signedBy(httpsig.Answer(resp.StatusCode, resp.Header, httpsig.Outgoing(r)), body, answerPolicy); err != nil {
		return 0, nil, fmt.Errorf("the bridge's answer: %s", strings.TrimPrefix(err.Error(), "httpsig: "))
	}
	return resp.StatusCode, body, nil
}
