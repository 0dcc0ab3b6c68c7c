package signer

import (
	"context"
	"time"

	"kopir/signature"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// signWSSE signs the Body of a SOAP envelope for the gateway.
func (s *Signer) signWSSE(_ context.Context, f *fields) (any, *fail) {
	source, trim := []byte(f.required("xml")), f.flag("trimXml")
	key := f.key()
	if bad := f.bad(); bad != nil {
		return nil, bad
	}
	if trim {
		var bad *fail
		if source, bad = trimmed(source); bad != nil {
			return nil, bad
		}
	}
	out, err := signature.SignWSSE(source, key, signature.SignOptions{})
	if err != nil {
		return nil, notSigned(err)
	}
	return xmlAnswer{done, string(out)}, nil
}

// verifyWSSE judges the system's signature over the Body.
func (s *Signer) verifyWSSE(ctx context.Context, f *fields) (any, *fail) {
	doc, q, bad := s.readForVerdict(f)
	if bad != nil {
		return nil, bad
	}
	v := q.verifier().WSSE(ctx, doc, signature.Want{At: q.at})
	out := q.verification(ctx, v)
	if out.Valid && stale(v, q.at) {
		out.Valid, out.judged = false, judgement{verdict.Failed, verdict.TimestampBad}
	}
	return out, nil
}

// clockSkew is how far the sender's clock may be from ours.
const clockSkew = 5 * time.Minute

// stale: a Timestamp that the sender signed says that the message is not for
// this time. Whether it came before is for the receiver to know, by its id.
func stale(v *signature.Verdict, at time.Time) bool {
	for i := range v.Signatures {
		t := v.Signatures[i].Timestamp
		if t == nil || !t.Signed {
			continue
		}
		if !t.Expires.IsZero() && at.After(t.Expires.Add(clockSkew)) || t.Created.After(at.Add(clockSkew)) {
			return true
		}
	}
	return false
}

// readForVerdict reads the document and what is asked of it.
func (s *Signer) readForVerdict(f *fields) (*xmltree.Document, *inquiry, *fail) {
	source, methods := f.required("xml"), f.methods()
	if bad := f.bad(); bad != nil {
		return nil, nil, bad
	}
	doc, err := xmltree.Parse([]byte(source), xmltree.DefaultLimits())
	if err != nil {
		return nil, nil, badRequest("xml: %v", err)
	}
	return doc, s.inquire(methods), nil
}

// verification puts a verdict into the form of the interface.
func (q *inquiry) verification(ctx context.Context, v *signature.Verdict) *verification {
	out := &verification{status: done, Valid: v.Outcome == verdict.Passed, Signers: []certificate{}, judged: judgement{v.Outcome, v.Reason}}
	for i := range v.Signatures {
		if one := &v.Signatures[i]; one.Certificate != nil {
			out.Signers = append(out.Signers, q.about(ctx, one.Certificate, one.Beside()))
		}
	}
	return out
}
