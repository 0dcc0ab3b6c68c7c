package gateway

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"

	"kopir/signature"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// PartnerKey is a key with which a partner signs its HTTP requests.
type PartnerKey struct {
	ID string // keyid
	// Certificate is judged at every call: chain, dates, usage, revocation. Nil:
	// a bare public key, which is good as long as the configuration names it.
	Certificate *nuc.Certificate
}

// Call is an HTTP request that a partner signed by RFC 9421, as the door found
// it: the value fits the key, and the body fits its digest.
type Call struct {
	KeyID     string
	Algorithm string
	Nonce     string
	Public    []byte // the key in DER, as package httpsig has it
	// Until is when the signature is too old whatever its nonce.
	Until time.Time
	// Proof is what the signature can be verified by again, kept as evidence.
	Proof []byte
}

// Admission is a partner whose call is believed. Admit makes it.
type Admission struct {
	Sender  string // its sender id
	Channel Channel

	partner *Partner
	verdict *signature.Verdict
	call    Call
	bare    bool              // the key has no certificate
	span    trace.SpanContext // in which it was judged
}

// evidence is what proves later who brought a document: the judgement, the
// signed base with its value, the body where the document is but a part of it.
func (a *Admission) evidence(b *Bridge, at time.Time, body []byte) Evidence {
	e := b.evidence(BySystem, at, a.verdict)
	e.Document = append(slices.Clone(a.call.Proof), body...)
	if a.bare {
		e.Proofs = append(e.Proofs, verdict.Prove(verdict.ProofKey, a.call.Public))
	}
	return e
}

// Admit finds out whose call it is: the certificate is judged, and the nonce
// is spent for good, so that the same signed bytes are admitted once.
func (b *Bridge) Admit(ctx context.Context, c Call) (_ *Admission, err error) {
	ctx, span := b.arrive(ctx, "admit")
	defer func() { failed(span, err); span.End() }()
	p, key := b.partners.byKey(c.KeyID)
	if p == nil {
		return nil, refuse(UnknownSender, "keyid", "no partner has this key; ask the operator of this bridge")
	}
	at := b.now().UTC()
	v := b.caller(ctx, key, c, at)
	b.verdicts.count(byRequest, v)
	switch {
	case v.Outcome == verdict.Passed:
	case askAgain(v):
		return nil, &Error{Code: TryLater, Field: "keyid", Reason: v.Reason, Say: "it could not be found out whether the certificate of this key is revoked; sign and send again"}
	default:
		return nil, &Error{Code: SignatureRefused, Field: "keyid", Reason: v.Reason, Say: detail(v)}
	}
	switch err := b.o.Store.Spend(ctx, c.KeyID, c.Nonce, c.Until); {
	case errors.Is(err, ErrDuplicate):
		return nil, refuse(Replayed, "nonce", "this nonce was used before; sign every request anew")
	case err != nil:
		return nil, tryLater(err)
	}
	return &Admission{Sender: p.SenderID, Channel: p.Channel, partner: p, verdict: v, call: c, bare: key.Certificate == nil, span: span.SpanContext()}, nil
}

// Doubt counts a request whose signature does not hold, whoever made it.
func (b *Bridge) Doubt(reason verdict.Reason) {
	b.verdicts.count(byRequest, &signature.Verdict{Outcome: verdict.Failed, Reason: reason})
}

// caller judges who holds the key.
func (b *Bridge) caller(ctx context.Context, key PartnerKey, c Call, at time.Time) *signature.Verdict {
	found := []verdict.Check{verdict.Pass(verdict.CheckSignature, "RFC 9421, keyid "+key.ID)}
	return JudgeCaller(ctx, b.o.Verifier, key.Certificate, c.Algorithm, found, at)
}

// JudgeCaller judges who signed an HTTP request: whoever holds the key of a
// certificate, or with none a key that the configuration names. found are the
// checks of the signature itself.
func JudgeCaller(ctx context.Context, v *signature.Verifier, c *nuc.Certificate, algorithm string, found []verdict.Check, at time.Time) *signature.Verdict {
	if c != nil {
		return v.Holder(ctx, c, algorithm, found, signature.Want{At: at})
	}
	one := signature.SignatureVerdict{Algorithm: algorithm, Checks: found}
	one.Outcome, one.Reason = verdict.Sum(found)
	return &signature.Verdict{Outcome: one.Outcome, Reason: one.Reason, Signatures: []signature.SignatureVerdict{one}}
}

// nonces are looked through for those that nobody can use again anyway.
const noncesPause = 10 * time.Minute

func (b *Bridge) forgetNonces(ctx context.Context) (time.Duration, error) {
	return noncesPause, b.o.Store.ForgetSpent(ctx, b.now())
}
