package sim

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"kopir/gateway/httpsig"
	"kopir/signature"
	"kopir/signature/verdict"
)

// callback is what a partner that speaks REST is sent.
type callback struct {
	MessageID     string            `json:"message_id"`
	MessageType   string            `json:"message_type"`
	MessageDate   time.Time         `json:"message_date"`
	CorrelationID string            `json:"correlation_id"`
	Service       string            `json:"service"`
	Notice        map[string]string `json:"notice"`
}

// restPolicy is what the desk asks of a signature.
var restPolicy = httpsig.Policy{
	Covered: []string{"@method", "@target-uri", "content-digest", "content-type", "idempotency-key"},
	MaxAge:  5 * time.Minute, Ahead: time.Minute, Nonce: true,
}

// restCallback is the desk's door for signed JSON: 204, or 409 for a message
// that it has already.
func (d *desk) restCallback(w http.ResponseWriter, r *http.Request) {
	raw, bad := readAll(w, r)
	if bad != nil {
		problem(w, http.StatusRequestEntityTooLarge, bad.text)
		return
	}
	if err := d.sim.signedByBridge(r, raw); err != nil {
		problem(w, http.StatusUnauthorized, err.Error())
		return
	}
	var c callback
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	if c.MessageID == "" || c.MessageID != r.Header.Get("Idempotency-Key") {
		problem(w, http.StatusBadRequest, "message_id is not the Idempotency-Key")
		return
	}
	known, _ := d.list(func(x *Case) bool {
		return slices.ContainsFunc(x.Notices, func(n Notice) bool { return n.MessageID == c.MessageID })
	})
	if len(known) > 0 {
		problem(w, http.StatusConflict, "this message is here already")
		return
	}
	if c.Notice == nil {
		c.Notice = map[string]string{}
	}
	c.Notice["service"] = c.Service
	d.keepNotice(r.Context(), c.CorrelationID, c.Notice, Notice{
		At: d.sim.now(), Type: c.MessageType, From: d.sim.members["bridge"].sender, MessageID: c.MessageID, Document: string(raw),
		Transport: d.sim.bridgeVerdict(r.Context()),
	})
	w.WriteHeader(http.StatusNoContent)
}

// signedByBridge checks the signature of a request and the digest of its body.
func (s *Sim) signedByBridge(r *http.Request, body []byte) error {
	m, err := httpsig.Incoming(r, s.base)
	if err != nil {
		return err
	}
	return s.signedBy(m, body, restPolicy)
}

// signedBy checks that the bridge signed a message, whose body this is.
func (s *Sim) signedBy(m httpsig.Message, body []byte, policy httpsig.Policy) error {
	signed, err := httpsig.Read(m)
	if err != nil {
		return err
	}
	if err := signed.Check(policy, s.now()); err != nil {
		return err
	}
	key, err := httpsig.KeyOf(s.members["bridge"].signing().Certificate)
	if err != nil {
		return err
	}
	if err := signed.Verify(key); err != nil {
		return err
	}
	return httpsig.CheckDigest(m.Header, body)
}

// bridgeVerdict is that on the bridge's certificate, where its key fits.
func (s *Sim) bridgeVerdict(ctx context.Context) *signature.Verdict {
	key := s.members["bridge"].signing()
	return s.verifier.Holder(ctx, key.Certificate, key.Algorithm.Name, []verdict.Check{verdict.Pass(verdict.CheckSignature, "RFC 9421")}, signature.Want{At: s.now()})
}
