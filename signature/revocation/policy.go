package revocation

import (
	"context"
	"slices"
	"time"

	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// Kind is a kind of evidence.
type Kind uint8

const (
	StoredAnswers Kind = iota + 1 // OCSP answers handed over beforehand
	StoredLists                   // lists handed over beforehand, each with the newest of its deltas
	Responder                     // the configured OCSP addresses, asked now or minutes ago
	Lists                         // the configured lists with their deltas, as last fetched
)

// Asking says when a kind of evidence is looked at.
type Asking uint8

const (
	Always        Asking = iota + 1
	UnlessSpent          // not if what is at hand already proves a revocation that stays
	UnlessSettled        // nor if the network has already given a status
)

// Rule is one line of the policy: what is looked at, and when. The lines are
// gone through in order; what they bring is weighed together at the end.
type Rule struct {
	Kind   Kind
	Asking Asking
	// Silence is until when "not revoked" is believed: by the evidence's own
	// end, or for an age of ours.
	Silence string
}

// policy is what is asked when. Nothing else in this package decides it.
//
// The responder comes before the lists because it knows a revocation at once
// and they know it by their next issue; the lists are there for when it is
// silent. Stored evidence comes first because it costs nothing, and it never
// spares the question to the living authority: it may be older than a
// revocation. Only a revocation at hand does, since nothing takes it back; a
// hold may be released, so it is asked about.
//
// Authorities drop certificates that have ended. After a certificate's end
// only evidence made before it says "not revoked": stored evidence, then, for
// past times, while what the network says can speak against alone.
var policy = []Rule{
	{StoredAnswers, Always, "nextUpdate, or MaxOCSPAge after thisUpdate"},
	{StoredLists, Always, "nextUpdate of list or delta"},
	{Responder, UnlessSpent, "nextUpdate, or MaxOCSPAge after thisUpdate; the answer is used again for CacheFor"},
	{Lists, UnlessSettled, "nextUpdate, and MaxListAge after the last fetch"},
}

// Policy lists what is asked when, in order.
func Policy() []Rule { return slices.Clone(policy) }

// question is one Ask under way.
type question struct {
	leaf, issuer *nuc.Certificate
	at, now      time.Time
	source       Source
	found        []Answer
	settled      bool // the network has given a status
}

// due tells whether a rule's turn has come.
func (q *question) due(r Rule) bool {
	switch r.Asking {
	case Always:
		return true
	case UnlessSpent:
		return !q.spent()
	case UnlessSettled:
		return !q.spent() && !q.settled
	}
	return false
}

// spent: a revocation that nothing takes back is already proved.
func (q *question) spent() bool {
	return slices.ContainsFunc(q.found, func(a Answer) bool { return a.Status == Revoked && a.Why != reasonNames[reasonHold] })
}

// look takes what one kind of evidence says.
func (c *Checker) look(ctx context.Context, q *question, k Kind) {
	switch k {
	case StoredAnswers:
		q.found = append(q.found, c.fromAnswers(ctx, q.leaf, q.issuer, q.at, q.now)...)
	case StoredLists:
		q.found = append(q.found, c.fromStored(q.leaf, q.issuer, q.at, q.now)...)
	case Responder:
		if len(q.source.OCSP) == 0 {
			return
		}
		live := c.fromResponder(ctx, q.source, q.leaf, q.issuer, q.at, q.now)
		q.found, q.settled = append(q.found, live), live.Status != Unknown
	case Lists:
		if len(q.source.CRL) > 0 {
			q.found = append(q.found, c.fromPublication(ctx, q.source, q.leaf, q.issuer, q.at, q.now))
		}
	}
}

// Ask finds out whether a certificate was revoked at a time, by the rules of
// Policy. issuer is the next certificate of its verified chain. It takes no
// longer than the budget, nor than ctx allows.
func (c *Checker) Ask(ctx context.Context, leaf, issuer *nuc.Certificate, at time.Time) Answer {
	ctx, cancel := context.WithTimeout(ctx, c.o.Budget)
	defer cancel()
	q := question{leaf: leaf, issuer: issuer, at: at, now: c.o.Now(), source: c.source(issuer)}
	for _, r := range policy {
		if q.due(r) {
			c.look(ctx, &q, r.Kind)
		}
	}
	if len(q.found) == 0 {
		return unknown(verdict.TryLater, "revocation", "no source is configured for %s", issuer.SubjectName)
	}
	a := weigh(q.found)
	c.note(issuer, at, c.o.Now(), a)
	return a
}
