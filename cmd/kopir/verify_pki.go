package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"time"

	"kopir/signature"
	"kopir/signature/nuc"
	"kopir/signature/revocation"
	"kopir/signature/verdict"
)

// storedEvidence makes a checker of the files of -crl and -ocsp. It has no
// addresses, so it never asks the network. Without files it is nil.
func storedEvidence(o *verifyOptions) (*revocation.Checker, error) {
	if len(o.crl)+len(o.ocsp) == 0 {
		return nil, nil
	}
	at := o.want.At
	c := revocation.NewChecker(revocation.Options{
		// Judged for a time to come, evidence of that time is not from the future.
		Now: func() time.Time {
			if now := time.Now(); now.After(at) {
				return now
			}
			return at
		},
	})
	for _, path := range o.crl {
		raw, err := readFile(path, revocation.MaxCRL)
		if err != nil {
			return nil, err
		}
		l, err := revocation.ParseCRL(derOf(raw))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		c.AddCRL(l)
	}
	for _, path := range o.ocsp {
		raw, err := readFile(path, revocation.MaxOCSP)
		if err != nil {
			return nil, err
		}
		r, err := revocation.ParseOCSP(derOf(raw))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		c.AddOCSP(r)
	}
	return c, nil
}

// derOf takes the armour off a PEM file of one block.
func derOf(raw []byte) []byte {
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("-----BEGIN")) {
		if block, rest := pem.Decode(raw); block != nil && len(bytes.TrimSpace(rest)) == 0 {
			return block.Bytes
		}
	}
	return raw
}

// pkiFormat finds out which of the formats without XML the bytes have; empty
// if none.
func pkiFormat(src []byte) string {
	if block, _ := pem.Decode(src); block != nil {
		if block.Type == "X509 CRL" {
			return "crl"
		}
		return "cert"
	}
	if len(src) == 0 || src[0] != 0x30 {
		return ""
	}
	if _, err := revocation.ParseOCSP(src); err == nil {
		return "ocsp"
	}
	if _, err := revocation.ParseCRL(src); err == nil {
		return "crl"
	}
	return "cert"
}

// judgePKI judges a certificate, a list or an OCSP answer as such.
func (j *judge) judgePKI(ctx context.Context, format string, src []byte) *signature.Verdict {
	switch format {
	case "crl":
		l, err := revocation.ParseCRL(derOf(src))
		if err != nil {
			return unreadable(err)
		}
		return verdictOf(signature.SignatureVerdict{Algorithm: l.Algorithm(), Checks: revocation.JudgeCRL(l, j.verifier.Trust, j.o.want.At)})
	case "ocsp":
		r, err := revocation.ParseOCSP(src)
		if err != nil {
			return unreadable(err)
		}
		return verdictOf(signature.SignatureVerdict{
			Algorithm: r.Algorithm(), Checks: revocation.JudgeOCSP(ctx, r, j.verifier.Trust, j.stored, j.o.want.At),
		})
	default:
		certs, err := nuc.ParsePEMOrDER(src)
		if err != nil {
			return unreadable(err)
		}
		all := make([]signature.SignatureVerdict, len(certs))
		for i, c := range certs {
			all[i] = signature.SignatureVerdict{Algorithm: c.Algorithm.OID, Certificate: c, Checks: j.judgeCertificate(ctx, c)}
		}
		return verdictOf(all...)
	}
}

func (j *judge) judgeCertificate(ctx context.Context, c *nuc.Certificate) []verdict.Check {
	want, trust := j.o.want, j.verifier.Trust
	var own []verdict.Check
	for _, n := range []struct {
		name, have, want string
		reason           verdict.Reason
	}{
		{verdict.CheckIIN, c.Subject.IIN, want.IIN, verdict.IINMismatch},
		{verdict.CheckBIN, c.Subject.BIN, want.BIN, verdict.BINMismatch},
	} {
		switch {
		case n.want == "":
		case n.want == n.have:
			own = append(own, verdict.Pass(n.name, ""))
		default:
			own = append(own, verdict.Fail(n.name, n.reason, "the certificate has another number, or none"))
		}
	}
	if j.verifier.Revoke == signature.RevokeOff {
		_, checks := trust.Chain(c, want.At)
		checks = append(checks, own...)
		return append(checks, verdict.Check{Name: verdict.CheckRevocation, Skipped: true, Detail: "not asked for"})
	}
	checks := revocation.JudgeCertificate(ctx, c, trust, j.stored, j.verifier.Revoke == signature.RevokeChain, want.At)
	return append(checks, own...)
}

// verdictOf sums judged objects: the first that did not pass decides.
func verdictOf(objects ...signature.SignatureVerdict) *signature.Verdict {
	v := &signature.Verdict{Signatures: objects, Outcome: verdict.Passed}
	for i := range v.Signatures {
		s := &v.Signatures[i]
		s.Outcome, s.Reason = verdict.Sum(s.Checks)
		if v.Outcome == verdict.Passed || v.Outcome == verdict.Undetermined && s.Outcome == verdict.Failed {
			v.Outcome, v.Reason = s.Outcome, s.Reason
		}
	}
	return v
}
