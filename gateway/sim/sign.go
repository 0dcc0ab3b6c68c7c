package sim

import (
	"bytes"
	"context"
	"time"

	"kopir/signature"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// newVerifier judges what portal, service centre and gateway get: trust in the
// simulation's own roots, revocation from the authorities' own records.
func newVerifier(s *Sim) (*signature.Verifier, error) {
	trust := nuc.NewTrust()
	for _, a := range s.authorities {
		root, err := nuc.ParseCertificate(a.Root())
		if err != nil {
			return nil, err
		}
		issuing, err := nuc.ParseCertificate(a.Issuing())
		if err != nil {
			return nil, err
		}
		if err := trust.AddRoot(root); err != nil {
			return nil, err
		}
		trust.AddIntermediate(issuing)
	}
	return &signature.Verifier{Trust: trust, Revocation: records(s.authorities)}, nil
}

// records answers from the authorities' books.
type records []*authority

// Check implements signature.Revocation.
func (r records) Check(_ context.Context, leaf, _ *nuc.Certificate, at time.Time) verdict.Check {
	for _, a := range r {
		if c, ok := a.Issued(leaf.Serial); !ok || !bytes.Equal(c.DER, leaf.Raw) {
			continue
		}
		if a.Revoked(leaf.Serial, at) {
			return verdict.Fail(verdict.CheckRevocation, verdict.Revoked, "the authority's records")
		}
		return verdict.Pass(verdict.CheckRevocation, "the authority's records")
	}
	return verdict.Unsure(verdict.CheckRevocation, verdict.TryLater, "not a certificate of this authority")
}
