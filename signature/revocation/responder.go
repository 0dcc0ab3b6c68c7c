package revocation

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"time"

	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// Verify is whether an answer was given by the authority itself or by a
// responder that the same authority appointed for this (RFC 6960 section
// 4.2.2.2), and whether the signature fits. The signer is returned where the
// check passed. Time of judgement, nonce and the status are not looked at.
func (r *Response) Verify(issuer *nuc.Certificate) (*nuc.Certificate, verdict.Check) {
	const name = verdict.CheckSignature
	if r.Status != 0 {
		return nil, verdict.Unsure(name, verdict.TryLater, fmt.Sprintf("the responder answered %v", r.Status))
	}
	if r.critical != "" {
		return nil, verdict.Unsure(name, verdict.ChainConstraintsFailure, fmt.Sprintf("the answer has the critical extension %s, which is not understood", r.critical))
	}
	best := verdict.Fail(name, verdict.NoSigningCertificate, "neither the authority nor an enclosed certificate is the responder that the answer names")
	if r.names(issuer) {
		check := issuer.CheckSigned(name, "the answer", r.algorithm, r.tbs, r.sig)
		if check.Outcome == verdict.Passed {
			return issuer, check
		}
		best = check
	}
	for _, c := range r.certs {
		if !r.names(c) || bytes.Equal(c.Raw, issuer.Raw) {
			continue
		}
		if check := r.appointed(c, issuer); check.Outcome != verdict.Passed {
			best = check
			continue
		}
		check := c.CheckSigned(name, "the answer", r.algorithm, r.tbs, r.sig)
		if check.Outcome == verdict.Passed {
			return c, check
		}
		best = check
	}
	return nil, best
}

// names tells whether a certificate is the one of the responderID.
func (r *Response) names(c *nuc.Certificate) bool {
	if r.responderName != nil {
		return bytes.Equal(r.responderName, c.RawSubject)
	}
	sum := sha1.Sum(c.KeyBits) // what RFC 6960 fixes for byKey: an identifier, not a proof
	return bytes.Equal(r.responderKey, sum[:])
}

// appointed is whether a certificate is that of a responder which the
// authority itself appointed, at the time of the answer.
func (r *Response) appointed(c, issuer *nuc.Certificate) verdict.Check {
	const name = verdict.CheckChain
	refuse := func(format string, args ...any) verdict.Check {
		return verdict.Fail(name, verdict.ChainConstraintsFailure, fmt.Sprintf("the responder %s ", c.SubjectName)+fmt.Sprintf(format, args...))
	}
	switch {
	case !bytes.Equal(c.RawIssuer, issuer.RawSubject),
		len(c.AuthorityKeyID) > 0 && len(issuer.SubjectKeyID) > 0 && !bytes.Equal(c.AuthorityKeyID, issuer.SubjectKeyID):
		return refuse("was not appointed by %s", issuer.SubjectName)
	case !c.HasPurpose(nuc.EKUOCSPSigning):
		return refuse("may not sign OCSP answers: its certificate has no such purpose")
	case c.IsCA:
		return refuse("is another authority")
	case c.HasKeyUsage && c.KeyUsage&(nuc.DigitalSignature|nuc.NonRepudiation) == 0:
		return refuse("may not sign by its key usage")
	case len(c.UnknownCritical) > 0:
		return refuse("has the critical extension %s, which is not understood", c.UnknownCritical[0])
	case r.ProducedAt.Before(c.NotBefore) || r.ProducedAt.After(c.NotAfter):
		return refuse("answered on %s, its certificate is valid from %s to %s", stamp(r.ProducedAt), stamp(c.NotBefore), stamp(c.NotAfter))
	}
	if key := c.CheckKey(); key.Outcome != verdict.Passed {
		return key
	}
	return issuer.CheckSigned(name, "the responder's certificate", c.Algorithm, c.RawTBS, c.SignatureValue)
}

// about finds what a verified answer says of a certificate. Two statements on
// one certificate that differ are as good as none.
func (r *Response) about(leaf, issuer *nuc.Certificate) (*Single, error) {
	var found *Single
	for i := range r.Singles {
		one := &r.Singles[i]
		if !one.ID.Matches(leaf, issuer) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("the answer speaks twice of the certificate %s", leaf.SerialHex())
		}
		found = one
	}
	if found == nil {
		return nil, fmt.Errorf("the answer is not about the certificate %s of %s", leaf.SerialHex(), issuer.SubjectName)
	}
	return found, nil
}

// finding turns a statement into evidence. maxAge bounds one that names no
// end of its own.
func (r *Response) finding(one *Single, responder *nuc.Certificate, maxAge time.Duration) finding {
	f := finding{
		source: "OCSP answer of " + responder.SubjectName.String(), thisUpdate: one.ThisUpdate, nextUpdate: one.NextUpdate,
		until: one.NextUpdate, reason: one.Reason, revokedAt: one.RevokedAt, proofs: []verdict.Proof{verdict.Prove(verdict.ProofOCSP, r.Raw)},
		unissued: one.Status == Unknown || one.unissued(), listed: one.Status == Revoked && !one.unissued(),
	}
	if f.until.IsZero() {
		f.until = one.ThisUpdate.Add(maxAge)
	}
	return f
}
