package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"kopir/gateway/failpoint"
	"kopir/gateway/soap"
	"kopir/signature"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// inbound is a message on its way through the steps.
type inbound struct {
	in    Incoming
	at    time.Time // of receipt
	id    string    // ours
	sha   string    // of the raw bytes, or of what a fetched message says; hex
	key   string    // the sender's id of it, normalised
	trail trail

	doc     *xmltree.Document
	claim   *soap.Message // as it stands there; only what is needed before the signature is judged
	message *soap.Message // read from what was signed
	partner *Partner
	signer  *nuc.Certificate
	system  *signature.Verdict

	reply []byte // set by the step that answers; ends the way
}

// The way of every message through a SOAP door, in this order. The first error
// ends it; there is no way around a step.
var steps = []struct {
	name string
	do   func(*Bridge, context.Context, *inbound) error
	span string // in the trace of the message; none for what takes no time
}{
	{"read", (*Bridge).read, "read"},                    // strictly, and find the operation
	{"seen", (*Bridge).seen, ""},                        // the same bytes: the stored reply
	{"sender", (*Bridge).sender, ""},                    // who it says it is, with the password
	{"signature", (*Bridge).signature, "verify system"}, // of the sending system over the Body
	{"certificate", (*Bridge).certificate, ""},          // the signer is that sender
	{"content", (*Bridge).content, ""},                  // from here on only what was signed exists
	{"freshness", (*Bridge).timely, ""},                 // signed times near ours
	{"operation", (*Bridge).perform, ""},                // what it asks for, and the answer
}

// Receive takes any SOAP message and always has an answer.
func (b *Bridge) Receive(ctx context.Context, in Incoming) Reply {
	m, err := b.take(ctx, in)
	if err != nil {
		return b.fault(m, err)
	}
	return Reply{Bytes: m.reply, Status: 200}
}

// take brings a message through the steps and writes its line of the log.
func (b *Bridge) take(ctx context.Context, in Incoming) (*inbound, error) {
	sum := sha256.Sum256(in.Raw)
	m := &inbound{in: in, at: b.receipt().UTC(), id: b.newID(), sha: hex.EncodeToString(sum[:])}
	m.trail = trail{door: in.Door, remote: in.Remote, request: in.Request, bytes: len(in.Raw)}
	ctx, span := b.arrive(ctx, "receive")
	defer span.End()
	walk := func() error { return b.walk(ctx, m) }
	var err error
	if in.Door == FetchDoor { // no server stands before it that catches defects
		err = b.guard(walk, zap.String("door", string(in.Door)))
	} else {
		err = walk()
	}
	if err != nil {
		m.trail.outcome = "fault"
	}
	m.trail.describe(span, err)
	b.logTrail(ctx, &m.trail, b.now().Sub(m.at), err)
	return m, err
}

func (b *Bridge) walk(ctx context.Context, m *inbound) error {
	for _, s := range steps {
		do := func(ctx context.Context) error { return s.do(b, ctx, m) }
		var err error
		if s.span != "" {
			err = b.during(ctx, s.span, do)
		} else {
			err = do(ctx)
		}
		if err != nil {
			return err
		}
		if m.reply != nil {
			return nil
		}
	}
	return &Error{Code: Internal, Say: "the message was not answered"}
}

// Longest ids that are taken. Real ones have 36 to 40 characters.
const (
	maxMessageID = 256
	maxSenderID  = 128
)

// read reads the envelope and finds out what is asked for, by whom.
func (b *Bridge) read(_ context.Context, m *inbound) error {
	doc, err := xmltree.Parse(m.in.Raw, xmltree.DefaultLimits())
	if err != nil {
		return unreadable(err)
	}
	m.doc = doc
	whole, err := soap.Read(doc)
	if err != nil {
		return malformed(err)
	}
	m.trail.operation = whole.Operation.String()
	m.claim = whole
	asked, err := request(whole, m.in)
	if err != nil {
		return err
	}
	m.claim = asked
	if m.in.Door == FetchDoor {
		m.sha = contentSum(asked)
	}
	if sync := m.claim.Operation == soap.SyncSendMessage; sync != (m.in.Door == SyncDoor) {
		return refuse(UnknownOperation, "Envelope/Body", "%s is not an operation of this address", m.claim.Operation)
	}
	if s := m.claim.Sender(); s != nil {
		if len(s.SenderID) > maxSenderID {
			return refuse(Malformed, "sender/senderId", "longer than %d characters", maxSenderID)
		}
		m.trail.sender = s.SenderID
	}
	id := m.claim.MessageID()
	if len(id) > maxMessageID {
		return refuse(Malformed, "messageId", "longer than %d characters", maxMessageID)
	}
	m.trail.service, m.trail.messageID = clip(m.claim.ServiceID()), id
	m.key = messageKey(id)
	failpoint.Here(failpoint.MessageRead)
	return nil
}

// clip keeps what a stranger wrote from filling the log.
func clip(s string) string {
	if len(s) > 128 {
		return s[:128] + "…"
	}
	return s
}

// messageKey is how ids are compared: a UUID without regard to case and
// braces, anything else as it stands.
func messageKey(id string) string {
	id = strings.TrimSpace(id)
	if u, err := uuid.Parse(id); err == nil && len(id) >= 36 && !strings.HasPrefix(id, "urn:") {
		return u.String()
	}
	return id
}

func unreadable(err error) error {
	var x *xmltree.Error
	if !errors.As(err, &x) {
		return &Error{Code: Malformed, Say: "the message is not XML", Cause: err}
	}
	code := Malformed
	switch x.Code {
	case xmltree.TooLarge, xmltree.TooDeep, xmltree.TooManyNodes, xmltree.TooManyAttributes, xmltree.NameTooLong:
		code = TooLarge
	}
	return &Error{Code: code, Say: x.Error(), Cause: err}
}

func malformed(err error) error {
	var s *soap.Error
	if !errors.As(err, &s) {
		return &Error{Code: Malformed, Cause: err}
	}
	code := Malformed
	if s.Code == soap.CodeOperation || s.Code == soap.CodeNamespace {
		code = UnknownOperation
	}
	return &Error{Code: code, Field: s.Path, Say: s.Detail, Cause: err}
}

// seen answers a repeated message with the stored reply, byte for byte.
// Messages without an id of their own are told by their bytes.
func (b *Bridge) seen(ctx context.Context, m *inbound) error {
	switch m.claim.Operation {
	case soap.AsyncGetMessages, soap.AsyncGetMessageStatus:
		return nil // questions: asked again, answered anew
	}
	if m.key == "" {
		m.key = "sha256:" + m.sha
	}
	kept, err := b.o.Store.Message(ctx, m.trail.sender, m.key)
	switch {
	case errors.Is(err, ErrNotFound):
		failpoint.Here(failpoint.MessageNew)
		return nil
	case err != nil:
		return tryLater(err)
	}
	return m.repeat(kept)
}

// repeat answers with what was kept, or refuses other bytes under the same id.
func (m *inbound) repeat(kept *Message) error {
	if !m.same(kept) {
		return refuse(DuplicateID, "messageId", "this messageId was used before for another message; repeat the same bytes, or use a new id")
	}
	m.trail.outcome, m.trail.application = "repeated", kept.Application
	if m.in.Door == FetchDoor && kept.Keeping != ReplyPlain {
		m.reply = []byte{} // nobody is answered
		return nil
	}
	var err error
	m.reply, err = kept.stored(m.in.Raw)
	return err
}

// sender finds the partner and compares its password.
func (b *Bridge) sender(_ context.Context, m *inbound) error {
	s := m.claim.Sender()
	if s == nil {
		return nil // found by its certificate
	}
	p := b.partners.byID[s.SenderID]
	ok := false
	if p != nil {
		ok, m.trail.former = p.password(string(s.Password))
	}
	if !ok {
		// One sentence for both, so that nobody can try out names.
		return refuse(UnknownSender, "sender", "senderId or password is not known here; ask the operator of this bridge")
	}
	m.partner = p
	return nil
}

// signature judges the sending system's signature over the Body.
func (b *Bridge) signature(ctx context.Context, m *inbound) error {
	v := b.o.Verifier.WSSE(ctx, m.doc, signature.Want{At: m.at})
	m.system = v
	b.verdicts.count(BySystem, v)
	switch {
	case v.Outcome == verdict.Passed:
	case v.Reason == verdict.NoSignature:
		return &Error{Code: SignatureMissing, Field: "Envelope/Header", Reason: v.Reason, Say: "the message is not signed; sign the Body by WS-Security"}
	case askAgain(v):
		return &Error{Code: TryLater, Reason: v.Reason, Say: "it could not be found out whether the signer's certificate is revoked; send the same bytes again"}
	case hangsOnTime(v.Reason) && b.misled(ctx, m.at):
		return untimely(b.ClockFault())
	default:
		return &Error{Code: SignatureRefused, Field: "Envelope/Header", Reason: v.Reason, Say: detail(v)}
	}
	m.signer = v.Signatures[0].Certificate
	failpoint.Here(failpoint.MessageVerified)
	return nil
}

// askAgain says whether a verdict lacks nothing but an answer about
// revocation. Anything else that is undecided will not decide itself.
func askAgain(v *signature.Verdict) bool {
	if v.Outcome != verdict.Undetermined || len(v.Signatures) == 0 {
		return false
	}
	for _, s := range v.Signatures {
		for _, c := range s.Checks {
			unknown := (c.Name == verdict.CheckRevocation || c.Name == verdict.CheckFreshness) && c.Reason == verdict.TryLater
			if c.Outcome != verdict.Passed && !c.Skipped && !unknown {
				return false
			}
		}
	}
	return true
}

// detail is the sentence of the check that decided.
func detail(v *signature.Verdict) string {
	if v.Detail != "" {
		return v.Detail
	}
	for _, s := range v.Signatures {
		for _, c := range s.Checks {
			if c.Outcome == v.Outcome && c.Reason == v.Reason {
				return c.Detail
			}
		}
	}
	return ""
}

// certificate compares the signer with the partner.
func (b *Bridge) certificate(_ context.Context, m *inbound) error {
	if m.partner == nil {
		p, ok := b.partners.gateway, m.claim.Operation == soap.ClientChangeMassageStatusNotification
		if !ok || !p.holds(m.signer) {
			p, ok = b.partners.byCertificate(m.signer)
		}
		if !ok {
			return refuse(UnknownSender, "", "the signer's certificate belongs to no partner, or to several; name the sender in the message")
		}
		m.partner, m.trail.sender = p, p.SenderID
		return nil
	}
	if m.partner.bound() && !m.partner.holds(m.signer) {
		return refuse(UnknownSender, "sender/senderId", "the message is signed with a certificate that is not this sender's")
	}
	return nil
}

// content reads the message again, from the bytes that were digested.
func (b *Bridge) content(_ context.Context, m *inbound) error {
	content, ok := m.system.Content()
	if !ok {
		return &Error{Code: SignatureRefused, Reason: verdict.SigConstraintsFailure, Say: "the signature does not cover the Body alone"}
	}
	tree, err := content.Tree()
	if err != nil {
		return &Error{Code: Internal, Say: "what was signed does not read", Cause: err}
	}
	whole, err := soap.ReadBody(tree.Root())
	if err != nil {
		return malformed(err)
	}
	if m.message, err = request(whole, m.in); err != nil {
		return err
	}
	// What was asked about before must be what was signed.
	if m.message.Operation != m.claim.Operation || m.message.MessageID() != m.claim.MessageID() || !sameSender(m.message.Sender(), m.claim.Sender()) ||
		m.in.Door == FetchDoor && contentSum(m.message) != m.sha {
		return refuse(Malformed, "Envelope/Body", "what was signed is not what stands in the message")
	}
	return nil
}

func sameSender(a, b *soap.SenderInfo) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.SenderID == b.SenderID && a.Password == b.Password
}

// perform does what the operation asks for.
func (b *Bridge) perform(ctx context.Context, m *inbound) error {
	switch p := m.message.Payload.(type) {
	case *soap.SyncSendMessageRequest:
		return b.syncRequest(ctx, m, p)
	case *soap.AsyncSendMessageRequest:
		return b.asyncRequest(ctx, m, p)
	case *soap.AsyncGetMessagesRequest:
		return b.getMessages(ctx, m, p)
	case *soap.AsyncGetMessageStatusRequest:
		return b.getMessageStatus(ctx, m, p)
	case *soap.AsyncSendDeliveryNotificationRequest:
		return b.deliveryNotification(ctx, m, p)
	case *soap.AsyncChangeStatusNotifyRequest:
		return b.statusNotification(ctx, m, p)
	default:
		return refuse(UnknownOperation, "Envelope/Body", "%s is not supported", m.message.Operation)
	}
}

// tryLater is for what we could not do now; nothing was kept.
func tryLater(err error) error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: TryLater, Say: "nothing was kept; send the same bytes again later", Cause: err}
}
