package server

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"

	"kopir/gateway"
	"kopir/gateway/httpsig"
)

// Partners sign their requests by RFC 9421 instead of holding an API key.
// They see the applications that they brought, and no other.

// PartnerKey verifies a partner's requests.
type PartnerKey struct {
	httpsig.Key
	Answers bool // what the partner is answered is signed
}

// Codes and rules of refused signatures; those of package httpsig follow
// ruleSignature.
const (
	codeRequestSignature = "request_signature_refused"
	ruleSignature        = "signature_"
	ruleUnknownKey       = ruleSignature + "unknown_key"
	ruleReplayed         = ruleSignature + "replayed"
	ruleTwoWays          = ruleSignature + "and_key"
)

// acceptSignature tells what a signature must cover (RFC 9421, 5.1).
const acceptSignature = `sig=("@method" "@target-uri" "content-digest" "content-type");created;keyid;nonce`

// deciding are the headers of a request that decide about what is done.
func deciding(r *http.Request) (names []string) {
	for _, h := range []string{"Idempotency-Key", "If-Match"} {
		if r.Header.Get(h) != "" {
			names = append(names, strings.ToLower(h))
		}
	}
	return names
}

// notBelieved refuses a signed request: where it is at fault, and what to do.
func notBelieved(field, rule, what, detail string, cause error) *fail {
	return &fail{code: codeRequestSignature, detail: detail, cause: cause, header: map[string]string{"WWW-Authenticate": `Bearer realm="kopir"`, "Accept-Signature": acceptSignature},
		faults: []inputFault{{name: field, rule: rule, values: []any{"what", what, "minutes", int(httpsig.RequestAge.Minutes())}}}}
}

// believed asks of a signature error what it means to the caller.
func believed(err error) *fail {
	var e *httpsig.Error
	if !errors.As(err, &e) {
		return &fail{code: codeInternal, cause: err}
	}
	return notBelieved(e.Field, ruleSignature+string(e.Reason), e.What, e.Say, e)
}

// admit finds out which partner signed a request. First everything that needs
// no other, then the body, and only then the certificate and the nonce.
func (s *Server) admit(c *gin.Context) (Principal, *fail) {
	r := c.Request
	if r.Header.Get("Authorization") != "" {
		return Principal{}, notBelieved("Authorization", ruleTwoWays, "", "", nil)
	}
	m, err := httpsig.Incoming(r, s.origin)
	if err != nil {
		return Principal{}, s.doubted(err)
	}
	signed, err := httpsig.Read(m)
	if err == nil {
		err = signed.Check(httpsig.OfRequest(r.ContentLength != 0, deciding(r)...), s.clock())
	}
	if err != nil {
		return Principal{}, s.doubted(err)
	}
	key, ok := s.signers[signed.KeyID]
	if !ok {
		return Principal{}, notBelieved("Signature-Input", ruleUnknownKey, "keyid", "no partner has the key of this keyid", nil)
	}
	if err := signed.Verify(key.Key); err != nil {
		return Principal{}, s.doubted(err)
	}
	body, f := s.readBody(r)
	if f != nil {
		return Principal{}, f
	}
	if r.ContentLength != 0 {
		if err := httpsig.CheckDigest(r.Header, body); err != nil {
			return Principal{}, s.doubted(err)
		}
	}
	by, err := s.doors.Admit(r.Context(), gateway.Call{
		KeyID: signed.KeyID, Algorithm: key.Algorithm, Nonce: signed.Nonce, Proof: signed.Proof(), Public: key.Public,
		Until: signed.Created.Add(httpsig.RequestAge + 2*time.Minute), // nodes' clocks differ by a minute at most
	})
	if err != nil {
		return Principal{}, s.notAdmitted(err)
	}
	return Principal{Name: "partner/" + by.Sender, Partner: by, Answered: key.Answers}, nil
}

// doubted is believed of what was judged: it counts.
func (s *Server) doubted(err error) *fail {
	if e := (*httpsig.Error)(nil); errors.As(err, &e) {
		s.doors.Doubt(e.Verdict())
	}
	return believed(err)
}

// notAdmitted is a key or a nonce that does not serve.
func (s *Server) notAdmitted(err error) *fail {
	var e *gateway.Error
	if !errors.As(err, &e) {
		return failOf(err)
	}
	switch e.Code {
	case gateway.Replayed:
		return notBelieved("Signature-Input", ruleReplayed, "nonce", e.Say, e)
	case gateway.UnknownSender:
		return notBelieved("Signature-Input", ruleUnknownKey, "keyid", e.Say, e)
	case gateway.SignatureRefused:
		f := notBelieved("Signature-Input", string(e.Reason), "keyid", e.Say, e)
		t := s.texts().Text("reason." + string(e.Reason))
		f.faults[0].text = &gateway.Text{RU: t.Ru, KK: t.Kk, EN: t.En}
		return f
	}
	return failOf(err)
}

// readNotices lists what the partner was told.
func (s *Server) readNotices(c *gin.Context) *fail {
	q := readQuery(c, "after", "limit")
	limit := q.limit()
	if bad := q.fail(); bad != nil {
		return bad
	}
	p, _ := principalOf(c)
	page, err := s.doors.Notices(c.Request.Context(), p.Partner, q.one("after"), limit)
	if err != nil {
		return failOf(err)
	}
	writeJSON(c, http.StatusOK, page)
	return nil
}

// forPartner leaves out what is the provider's own business.
func forPartner(a *gateway.Application) {
	a.Executor, a.Forecast = gateway.Actor{}, nil
}

// heldWriter keeps an answer back until it is signed.
type heldWriter struct {
	gin.ResponseWriter
	body bytes.Buffer
}

func (w *heldWriter) Write(b []byte) (int, error)       { return w.body.Write(b) }
func (w *heldWriter) WriteString(s string) (int, error) { return w.body.WriteString(s) }
func (w *heldWriter) WriteHeaderNow()                   {}

// answerSigned lets the handlers answer, and signs what they say, bound to the
// request by its own signature. A partner's refused signature is not answered
// so: anybody could make us sign.
func (s *Server) answerSigned(c *gin.Context, handle func()) {
	plain := c.Writer
	held := &heldWriter{ResponseWriter: plain}
	c.Writer = held
	func() {
		defer func() { c.Writer = plain }() // a panic is answered without us
		handle()
	}()
	covered := []string{"@status", "content-digest", "@method;req", "@target-uri;req", "signature;req"}
	if plain.Header().Get("Content-Type") != "" {
		covered = append(covered, "content-type")
	}
	request, err := httpsig.Incoming(c.Request, s.origin)
	if err == nil {
		var with httpsig.Signer
		if with, err = s.answers(); err == nil {
			err = httpsig.SignAnswer(httpsig.Answer(plain.Status(), plain.Header(), request), held.body.Bytes(), covered, with, s.clock())
		}
	}
	if err != nil { // what was done is done: better told without our signature than not at all
		s.log.Error("answer not signed", zap.String("request", requestID(c)), zap.Error(err))
	}
	if held.body.Len() > 0 {
		plain.Write(held.body.Bytes())
	}
}
