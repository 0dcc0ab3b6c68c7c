package revocation

import (
	"context"
	"fmt"
	"time"

	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// JudgeCRL is the verdict on a list as such: made by an authority of the trust
// store, and current at a time. The checks are in the order in which they are
// made; after a failed one come no more.
func JudgeCRL(l *CRL, trust *nuc.Trust, at time.Time) []verdict.Check {
	checks := []verdict.Check{verdict.Pass(verdict.CheckFormat, fmt.Sprintf("%s, %d entries", l, l.Len()))}
	issuer, own := pickIssuer(trust, l.IssuedBy, func(c *nuc.Certificate) verdict.Check { return l.Verify(c) })
	if issuer == nil && own.Name == "" {
		return append(checks, verdict.Fail(verdict.CheckCertificate, verdict.NoSigningCertificate, fmt.Sprintf("no configured authority is %s%s", l.Issuer, keyNote(l.AuthorityKeyID))))
	}
	if checks = append(checks, own); own.Outcome != verdict.Passed {
		return checks
	}
	_, chain := trust.Chain(issuer, at)
	checks = append(checks, chain...)
	if outcome, _ := verdict.Sum(checks); outcome != verdict.Passed {
		return checks
	}
	return append(checks, current(l.ThisUpdate, l.NextUpdate, at))
}

func keyNote(id []byte) string {
	if len(id) == 0 {
		return ""
	}
	return fmt.Sprintf(" with the key identifier %x", id)
}

// pickIssuer finds the authority under which a check passes; without one, the
// best check among those that could have been it.
func pickIssuer(trust *nuc.Trust, mine func(*nuc.Certificate) bool, check func(*nuc.Certificate) verdict.Check) (*nuc.Certificate, verdict.Check) {
	var best verdict.Check
	for _, c := range append(trust.Authorities(), trust.Roots()...) {
		if !mine(c) {
			continue
		}
		got := check(c)
		if got.Outcome == verdict.Passed {
			return c, got
		}
		best = got
	}
	return nil, best
}

// current is the check that evidence covers a time.
func current(from, until, at time.Time) verdict.Check {
	switch {
	case at.Before(from):
		return verdict.Unsure(verdict.CheckFreshness, verdict.TryLater, fmt.Sprintf("made on %s, judged at %s", stamp(from), stamp(at)))
	case at.After(until):
		return verdict.Unsure(verdict.CheckFreshness, verdict.TryLater, fmt.Sprintf("its time ended on %s, judged at %s", stamp(until), stamp(at)))
	default:
		return verdict.Pass(verdict.CheckFreshness, fmt.Sprintf("from %s to %s", stamp(from), stamp(until)))
	}
}

// JudgeOCSP is the verdict on an answer as such: given by an authority of the
// trust store or its responder, current at a time, and what it says. lists
// may hold stored lists, for responders that do not ask to be believed
// unchecked; it may be nil. Of several statements the worst decides.
func JudgeOCSP(ctx context.Context, r *Response, trust *nuc.Trust, lists *Checker, at time.Time) []verdict.Check {
	if r.Status != 0 {
		return []verdict.Check{
			verdict.Pass(verdict.CheckFormat, "OCSP response"),
			verdict.Unsure(verdict.CheckRevocation, verdict.TryLater, fmt.Sprintf("the responder answered %v", r.Status)),
		}
	}
	checks := []verdict.Check{verdict.Pass(verdict.CheckFormat, fmt.Sprintf("OCSP response on %d certificates, produced at %s", len(r.Singles), stamp(r.ProducedAt)))}
	if len(r.Singles) == 0 {
		return append(checks, verdict.Unsure(verdict.CheckRevocation, verdict.TryLater, "the answer speaks of no certificate"))
	}
	if lists == nil {
		lists = NewChecker(Options{})
	}
	seen := map[string]bool{}
	for i := range r.Singles {
		one := &r.Singles[i]
		id := string(one.ID.nameHash) + string(one.ID.keyHash) + one.ID.Serial.String()
		if seen[id] {
			return append(checks, verdict.Fail(verdict.CheckFormat, verdict.FormatFailure, fmt.Sprintf("the answer speaks twice of the certificate %s", one.ID.Serial.Text(16))))
		}
		seen[id] = true
		checks = append(checks, judgeSingle(ctx, r, one, trust, lists, at)...)
		if outcome, _ := verdict.Sum(checks); outcome != verdict.Passed {
			return checks
		}
	}
	return checks
}

func judgeSingle(ctx context.Context, r *Response, one *Single, trust *nuc.Trust, lists *Checker, at time.Time) []verdict.Check {
	var f finding
	issuer, own := pickIssuer(trust, one.ID.of, func(c *nuc.Certificate) verdict.Check {
		_, check := r.Verify(c)
		if check.Outcome != verdict.Passed {
			return check
		}
		found, problem := lists.believe(ctx, r, one, c, false)
		if problem != nil {
			return problem.Check()
		}
		f = found
		return check
	})
	if issuer == nil {
		if own.Name == "" {
			own = verdict.Fail(verdict.CheckCertificate, verdict.NoSigningCertificate, "no configured authority has the name and key that the answer is about")
		}
		return []verdict.Check{own}
	}
	checks := []verdict.Check{own}
	_, chain := trust.Chain(issuer, at)
	if checks = append(checks, chain...); !passed(checks) {
		return checks
	}
	fresh := current(f.thisUpdate.Add(-clockSkew), f.until, at)
	if f.listed && !f.revokedAt.After(at) && f.reason != reasonHold {
		// A revocation stays one when the answer has grown old.
		fresh = verdict.Pass(verdict.CheckFreshness, "a revocation stays")
	}
	if checks = append(checks, fresh); !passed(checks) {
		return checks
	}
	forever := at.AddDate(1000, 0, 0) // the certificate itself is not here, so its end is not known
	return append(checks, f.judge(at, lists.o.Now(), forever).Check())
}

func passed(checks []verdict.Check) bool {
	outcome, _ := verdict.Sum(checks)
	return outcome == verdict.Passed
}

// JudgeCertificate is the verdict on a certificate as such: key, chain, dates
// and revocation. Whether documents may be signed with it is not asked. all
// asks about the authorities of the chain too; checker nil leaves revocation
// undecided.
func JudgeCertificate(ctx context.Context, c *nuc.Certificate, trust *nuc.Trust, checker *Checker, all bool, at time.Time) []verdict.Check {
	checks := []verdict.Check{verdict.Pass(verdict.CheckFormat, "certificate "+c.SerialHex()+" of "+c.SubjectName.String())}
	chain, links := trust.Chain(c, at)
	checks = append(checks, links...)
	if !passed(checks) {
		return checks
	}
	if len(chain) == 1 {
		return append(checks, verdict.Pass(verdict.CheckRevocation, "a configured root: it is believed until the configuration says otherwise"))
	}
	last := 1
	if all {
		last = len(chain) - 1
	}
	for i := range last {
		if checker == nil {
			return append(checks, verdict.Unsure(verdict.CheckRevocation, verdict.TryLater, "no source of revocation information is configured"))
		}
		if checks = append(checks, checker.Check(ctx, chain[i], chain[i+1], at)); !passed(checks) {
			break
		}
	}
	return checks
}
