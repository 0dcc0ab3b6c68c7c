package sim

import (
	"context"
	"math/big"
	"time"

	"kopir/signature"
	"kopir/signature/nuc"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

// newVerifier judges what portal, service centre and gateway get: trust in the
// simulation's own root, revocation from the authority's own records.
func newVerifier(s *Sim) (*signature.Verifier, error) {
	trust := nuc.NewTrust()
	root, err := nuc.ParseCertificate(s.authority.Root())
	if err != nil {
		return nil, err
	}
	issuing, err := nuc.ParseCertificate(s.authority.Issuing())
	if err != nil {
		return nil, err
	}
	if err := trust.AddRoot(root); err != nil {
		return nil, err
	}
	trust.AddIntermediate(issuing)
	return &signature.Verifier{Trust: trust, Revocation: records{s.authority}}, nil
}

// records answers from the authority's books.
type records struct{ authority *sigtest.Authority }

// Check implements signature.Revocation.
func (r records) Check(_ context.Context, leaf, _ *nuc.Certificate, at time.Time) verdict.Check {
	serial := new(big.Int).Set(leaf.Serial)
	if _, ok := r.authority.Issued(serial); !ok {
		return verdict.Unsure(verdict.CheckRevocation, verdict.TryLater, "not a certificate of this authority")
	}
	if r.authority.Revoked(serial, at) {
		return verdict.Fail(verdict.CheckRevocation, verdict.Revoked, "the authority's records")
	}
	return verdict.Pass(verdict.CheckRevocation, "the authority's records")
}
