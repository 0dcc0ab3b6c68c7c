package signer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"kopir/signature"
	"kopir/signature/nuc"
	"kopir/signature/revocation"
	"kopir/signature/verdict"
)

// method is a way to ask about revocation, as requests and answers name it.
type method string

const (
	byOCSP method = "OCSP"
	byCRL  method = "CRL"
)

// statusEntry is one entry of revocations. Revoked is false only if verified
// evidence in its time says that the certificate is not revoked.
type statusEntry struct {
	Revoked bool    `json:"revoked"`
	By      method  `json:"by"`
	Time    *moment `json:"revocationTime"`
	Reason  *string `json:"reason"`
}

// inquiry is the questions of one request about certificates: what was asked
// for, and the answers so far. It is signature.Revocation for the judge, so
// that verdict and revocations say the same.
type inquiry struct {
	s       *Signer
	methods []method
	at      time.Time
	known   map[[2][32]byte]found
}

var _ signature.Revocation = (*inquiry)(nil)

type found struct {
	entries []statusEntry
	check   verdict.Check
}

func (s *Signer) inquire(methods []method) *inquiry {
	return &inquiry{s: s, methods: methods, at: s.clock(), known: map[[2][32]byte]found{}}
}

// verifier judges with the answers of this inquiry.
func (q *inquiry) verifier() *signature.Verifier {
	return &signature.Verifier{Trust: q.s.trust, Revocation: q}
}

// Check says whether a certificate is revoked, by the methods asked for: each
// must say good. Where none was asked for the question is skipped, unless
// stored evidence knows of a revocation.
func (q *inquiry) Check(ctx context.Context, leaf, issuer *nuc.Certificate, _ time.Time) verdict.Check {
	return q.ask(ctx, leaf, issuer).check
}

func (q *inquiry) ask(ctx context.Context, leaf, issuer *nuc.Certificate) found {
	key := [2][32]byte{leaf.Fingerprint, issuer.Fingerprint}
	if f, ok := q.known[key]; ok {
		return f
	}
	f := found{check: verdict.Check{Name: verdict.CheckRevocation, Skipped: true, Detail: "not asked for"}}
	checker := q.s.revocation
	var told []revocation.Answer
	for _, m := range q.methods {
		kinds := []revocation.Kind{revocation.StoredAnswers, revocation.Responder}
		if m == byCRL {
			kinds = []revocation.Kind{revocation.StoredLists, revocation.Lists}
		}
		a := checker.AskBy(ctx, leaf, issuer, q.at, kinds...)
		told = append(told, a)
		f.entries = append(f.entries, entry(m, a))
		if c := a.Check(); f.check.Skipped || worse(c, f.check) {
			f.check = c
		}
	}
	// What the server was given to know is not forgotten because it was not
	// asked for.
	stored := checker.AskBy(ctx, leaf, issuer, q.at, revocation.StoredAnswers, revocation.StoredLists)
	if stored.Status == revocation.Revoked && !slices.ContainsFunc(told, func(a revocation.Answer) bool { return settles(a, stored) }) {
		by := byCRL
		if len(stored.Proofs) > 0 && stored.Proofs[0].Kind == verdict.ProofOCSP {
			by = byOCSP
		}
		f.entries = append(f.entries, entry(by, stored))
		f.check = stored.Check()
	}
	q.known[key] = f
	return f
}

// settles: an answer that was asked for tells of the stored revocation itself,
// or, being newer, that the certificate is no longer on hold.
func settles(a, stored revocation.Answer) bool {
	return a.Status == revocation.Revoked ||
		a.Status == revocation.Good && stored.Why == onHold && a.ThisUpdate.After(stored.ThisUpdate)
}

// onHold is the one revocation that can be taken back (RFC 5280 section 5.3.1).
const onHold = "certificateHold"

// worse orders checks: failed, undecided, passed.
func worse(a, b verdict.Check) bool {
	rank := map[verdict.Outcome]int{verdict.Passed: 0, verdict.Undetermined: 1, verdict.Failed: 2}
	return rank[a.Outcome] > rank[b.Outcome]
}

// entry puts an answer into the form of the interface.
func entry(by method, a revocation.Answer) statusEntry {
	switch a.Status {
	case revocation.Good:
		return statusEntry{By: by}
	case revocation.Revoked:
		e := statusEntry{Revoked: true, By: by, Reason: text(a.Why)}
		if !a.RevokedAt.IsZero() {
			at := moment(a.RevokedAt)
			e.Time = &at
		}
		return e
	default:
		reason := a.Reason
		if reason == verdict.None {
			reason = verdict.TryLater
		}
		return unknownEntry(by, reason, a.Detail)
	}
}

// unknownEntry is what a status that could not be found out looks like. The
// field is a boolean; of its two values this is the one that lets nothing through.
func unknownEntry(by method, r verdict.Reason, detail string) statusEntry {
	return statusEntry{Revoked: true, By: by, Reason: text(fmt.Sprintf("UNKNOWN: %s: %s", r, detail))}
}

// text is nil, which prints as null, where there is nothing to say.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// about judges a certificate as such and describes it. beside are certificates
// that came with it.
func (q *inquiry) about(ctx context.Context, c *nuc.Certificate, beside []*nuc.Certificate) certificate {
	chain, checks := q.s.trust.ChainWith(c, beside, q.at)
	out := describe(c)
	outcome, reason := verdict.Sum(checks)
	switch {
	case outcome == verdict.Passed && len(chain) > 1:
		f := q.ask(ctx, c, chain[1])
		checks = append(checks, f.check)
		out.Revocations = append(out.Revocations, f.entries...)
	default:
		// Without a chain that holds there is nobody to ask.
		if reason == verdict.None {
			reason = verdict.TryLater
		}
		for _, m := range q.methods {
			checks = append(checks, verdict.Unsure(verdict.CheckRevocation, reason, ""))
			out.Revocations = append(out.Revocations, unknownEntry(m, reason, "nobody can be asked about this certificate"))
		}
	}
	outcome, reason = verdict.Sum(checks)
	out.Valid, out.judged = outcome == verdict.Passed, judgement{outcome, reason}
	return out
}
