package revocation

import (
	"context"
	"slices"
	"time"

	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// AskBy is Ask by some kinds of evidence alone, for callers that must say by
// which method they learned what they say. What Policy says of the others'
// turn does not change: without a revocation at hand every kind named is
// looked at.
func (c *Checker) AskBy(ctx context.Context, leaf, issuer *nuc.Certificate, at time.Time, kinds ...Kind) Answer {
	ctx, cancel := context.WithTimeout(ctx, c.o.Budget)
	defer cancel()
	q := question{leaf: leaf, issuer: issuer, at: at, now: c.o.Now(), source: c.source(issuer)}
	for _, r := range policy {
		if slices.Contains(kinds, r.Kind) && q.due(r) {
			c.look(ctx, &q, r.Kind)
		}
	}
	if len(q.found) == 0 {
		return unknown(verdict.TryLater, "revocation", "no source of this kind is configured for %s", issuer.SubjectName)
	}
	return weigh(q.found)
}
