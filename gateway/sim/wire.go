package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"kopir/gateway/soap"
	"kopir/signature"
	"kopir/signature/keystore"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// maxMessage is what every door reads: a 20 MB attachment in base64, twice escaped.
const maxMessage = 64 << 20

// Codes of the gateway's faults, as one platform uses them.
const (
	codeFormat    = "SCE001" // bad format
	codeNoService = "SCE004" // service missing or unavailable
	codeSignature = "SCE006" // transport signature wrong
	codeUnsigned  = "SCE007" // not signed
	codeInternal  = "SCE909"
	codeProcessed = "SCSS001" // not an error: processed
)

// trouble words for a fault that a door answers.
type refusal struct {
	code string
	text string
}

func (r *refusal) Error() string { return r.code + ": " + r.text }

func refuse(code, format string, args ...any) *refusal {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// sid is a fresh session id, braced as the contract has it.
func sid() string { return "{" + uuid.NewString() + "}" }

// received is a message with the verdict over its Body.
type received struct {
	message *soap.Message
	verdict *signature.Verdict
	raw     []byte
}

// receive reads an envelope and judges its signature. What it returns is read
// from the verified Body, never from the message as it came.
func (s *Sim) receive(ctx context.Context, raw []byte) (*received, *refusal) {
	doc, err := xmltree.Parse(raw, xmltree.DefaultLimits())
	if err != nil {
		return nil, refuse(codeFormat, "not well-formed: %v", err)
	}
	outer, err := soap.Read(doc)
	if err != nil {
		return nil, refuse(codeFormat, "%v", err)
	}
	if !outer.Signed() {
		return &received{message: outer, raw: raw}, refuse(codeUnsigned, "the message has no WS-Security signature")
	}
	v := s.verifier.WSSE(ctx, doc, signature.Want{At: s.now()})
	content, ok := v.Content()
	if !ok {
		return &received{message: outer, verdict: v, raw: raw}, refuse(codeSignature, "the transport signature was refused: %s", v.Reason)
	}
	body, err := content.Tree()
	if err != nil {
		return nil, refuse(codeFormat, "%v", err)
	}
	m, err := soap.ReadBody(body.Root())
	if err != nil {
		return nil, refuse(codeFormat, "%v", err)
	}
	return &received{message: m, verdict: v, raw: raw}, nil
}

// signedBy is the certificate of the one signature of a verdict that passed.
func signedBy(v *signature.Verdict) *nuc.Certificate {
	if v == nil || v.Outcome != verdict.Passed || len(v.Signatures) == 0 {
		return nil
	}
	return v.Signatures[0].Certificate
}

// readAll reads a request's body within the limit.
func readAll(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessage))
	if err != nil {
		return nil, refuse(codeFormat, "the message is larger than %d bytes or broken off", maxMessage)
	}
	return raw, nil
}

// seal builds and signs a message.
func seal(p soap.Payload, by *keystore.Key) ([]byte, error) {
	envelope, err := soap.Build(p)
	if err != nil {
		return nil, err
	}
	return signature.SignWSSE(envelope, by, signature.SignOptions{})
}

// answer writes a signed message.
func (s *Sim) answer(w http.ResponseWriter, r *http.Request, by *member, p soap.Payload) {
	envelope, err := spoil(troubleOf(r.Context()), p, func() ([]byte, error) { return seal(p, by.signing()) })
	if err != nil {
		s.fault(w, by, operationOf(p), refuse(codeInternal, "%v", err))
		return
	}
	w.Header().Set("Content-Type", soap.ContentType)
	w.Write(envelope)
}

// spoil gives the sealed message, or makes it wrong where trouble asks for it.
func spoil(t Trouble, p soap.Payload, sealed func() ([]byte, error)) ([]byte, error) {
	if t.Unsigned {
		return soap.Build(p)
	}
	envelope, err := sealed()
	if err == nil && t.Tamper {
		envelope = tamperBody(envelope)
	}
	return envelope, err
}

// tamperBody changes one character inside the Body: the last but one letter
// or digit of the text before the Body's end.
func tamperBody(envelope []byte) []byte {
	out := bytes.Clone(envelope)
	end := bytes.LastIndex(out, []byte(":Body>"))
	for i := end - 1; i > 0; i-- {
		if out[i] == '>' || out[i] == '<' || out[i] == '/' {
			continue
		}
		// Only text: the nearest bracket to the left closes a tag.
		if left := bytes.LastIndexAny(out[:i], "<>"); left >= 0 && out[left] == '>' && out[i] >= '0' && out[i] <= '9' {
			out[i] = '0' + (out[i]-'0'+1)%10
			return out
		}
	}
	return out
}

func operationOf(p soap.Payload) soap.Operation {
	switch p.(type) {
	case *soap.SyncSendMessageResponse, *soap.SyncSendMessageRequest:
		return soap.SyncSendMessage
	case *soap.AsyncGetMessageStatusResponse:
		return soap.AsyncGetMessageStatus
	case *soap.AsyncGetMessagesResponse:
		return soap.AsyncGetMessages
	case *soap.AsyncSendDeliveryNotificationResponse:
		return soap.AsyncSendDeliveryNotification
	case *soap.AsyncChangeStatusNotifyResponse:
		return soap.ClientChangeMassageStatusNotification
	}
	return soap.AsyncSendMessage
}

// fault answers with a typed, signed fault and HTTP 500.
func (s *Sim) fault(w http.ResponseWriter, by *member, op soap.Operation, r *refusal) {
	code := "Client"
	if r.code == codeInternal || r.code == codeNoService {
		code = "Server"
	}
	if op == soap.NoOperation {
		op = soap.AsyncSendMessage
	}
	f := soap.NewFault(op, code, r.code, r.text, s.now())
	f.Info.SessionID = sid()
	envelope, err := seal(f, by.signing())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", soap.ContentType)
	w.WriteHeader(http.StatusInternalServerError)
	w.Write(envelope)
}

// errUnanswered says that a system did not answer in the contract's form.
var errUnanswered = errors.New("no answer of the contract")

// post sends an envelope and reads the answer, whose signature is judged. A
// fault comes back as *soap.Fault in the error.
func (s *Sim) post(ctx context.Context, address string, envelope []byte) (*received, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(envelope))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", soap.ContentType)
	req.Header.Set("SOAPAction", `""`)
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxMessage))
	if err != nil {
		return nil, err
	}
	got, bad := s.receive(ctx, raw)
	if got != nil {
		if f, ok := got.message.Payload.(*soap.Fault); ok {
			return got, f
		}
	}
	if bad != nil {
		return got, fmt.Errorf("%w: HTTP %d, %s: %s", errUnanswered, resp.StatusCode, strings.SplitN(resp.Header.Get("Content-Type"), ";", 2)[0], bad)
	}
	return got, nil
}
