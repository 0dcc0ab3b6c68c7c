package revocation

import (
	"cmp"
	"fmt"
	"time"

	"kopir/signature/verdict"
)

// Status is what is known about a certificate at a time. The zero value is Unknown.
type Status uint8

const (
	Unknown Status = iota
	Good
	Revoked
)

func (s Status) String() string {
	switch s {
	case Good:
		return "good"
	case Revoked:
		return "revoked"
	default:
		return "unknown"
	}
}

// Reasons for revocation (RFC 5280 section 5.3.1) that are treated apart.
const (
	reasonNone   = -1 // the entry gives none
	reasonHold   = 6
	reasonRemove = 8 // in a delta: no longer on hold
)

var reasonNames = map[int]string{
	reasonNone: "", 0: "unspecified", 1: "keyCompromise", 2: "cACompromise", 3: "affiliationChanged", 4: "superseded",
	5: "cessationOfOperation", reasonHold: "certificateHold", reasonRemove: "removeFromCRL", 9: "privilegeWithdrawn", 10: "aACompromise",
}

// Answer is a status with the evidence for it.
type Answer struct {
	Status    Status
	Reason    verdict.Reason // None if Good; Revoked; else why it is not known
	RevokedAt time.Time      // zero unless a revocation is on record, even a later one
	Why       string         // reason of the revocation: keyCompromise …; may be empty
	Source    string         // which list or responder
	Detail    string         // for people

	ThisUpdate time.Time // of the evidence
	NextUpdate time.Time // zero where it names none
	Proofs     []verdict.Proof

	unissued bool // the responder does not know the certificate
}

// Check turns the answer into the check of a verdict.
func (a Answer) Check() verdict.Check {
	c := verdict.Unsure(verdict.CheckRevocation, cmp.Or(a.Reason, verdict.TryLater), a.Detail)
	switch a.Status {
	case Good:
		c = verdict.Pass(verdict.CheckRevocation, a.Detail)
	case Revoked:
		c = verdict.Fail(verdict.CheckRevocation, verdict.Revoked, a.Detail)
	}
	c.Proofs = a.Proofs
	return c
}

func unknown(r verdict.Reason, source, format string, args ...any) Answer {
	return Answer{Reason: r, Source: source, Detail: source + ": " + fmt.Sprintf(format, args...)}
}

// finding is what one piece of verified evidence says about a certificate.
type finding struct {
	source     string
	listed     bool // revoked, on hold included
	unissued   bool // the responder does not know the certificate
	reason     int
	revokedAt  time.Time
	thisUpdate time.Time
	nextUpdate time.Time // zero where the evidence names none
	until      time.Time // until when it may be relied on
	proofs     []verdict.Proof
}

// clockSkew is how far another clock may be ahead of ours.
const clockSkew = 5 * time.Minute

// judge reads a finding for one time. now is our clock: nothing may come from
// beyond it. notAfter is the certificate's: authorities drop expired ones
// from their lists, so silence after that date says nothing.
func (f finding) judge(at, now, notAfter time.Time) Answer {
	a := Answer{Source: f.source, ThisUpdate: f.thisUpdate, NextUpdate: f.nextUpdate, Proofs: f.proofs, unissued: f.unissued}
	set := func(s Status, r verdict.Reason, format string, args ...any) Answer {
		a.Status, a.Reason, a.Detail = s, r, f.source+": "+fmt.Sprintf(format, args...)
		return a
	}
	if f.listed {
		a.RevokedAt, a.Why = f.revokedAt, reasonNames[f.reason]
	}
	later, stale := f.thisUpdate.After(at), at.After(f.until)
	switch {
	case f.thisUpdate.After(now.Add(clockSkew)):
		return set(Unknown, verdict.TryLater, "dated %s, which is in the future", stamp(f.thisUpdate))
	case f.unissued:
		return set(Unknown, verdict.TryLater, "the responder does not know this certificate")
	case f.listed && !f.revokedAt.After(at) && f.reason == reasonHold && stale:
		return set(Unknown, verdict.TryLater, "on hold since %s by evidence that ended on %s", stamp(f.revokedAt), stamp(f.until))
	case f.listed && !f.revokedAt.After(at):
		why := ""
		if a.Why != "" {
			why = " (" + a.Why + ")"
		}
		return set(Revoked, verdict.Revoked, "revoked on %s%s", stamp(f.revokedAt), why)
	case f.listed && later:
		return set(Good, verdict.None, "not revoked at %s; it was on %s", stamp(at), stamp(f.revokedAt))
	case later && notAfter.Before(f.thisUpdate):
		return set(Unknown, verdict.NoPOE, "made on %s, when the certificate had expired and would not be listed any more", stamp(f.thisUpdate))
	case stale:
		return set(Unknown, verdict.TryLater, "its time ended on %s", stamp(f.until))
	default:
		return set(Good, verdict.None, "not revoked, as of %s", stamp(f.thisUpdate))
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
