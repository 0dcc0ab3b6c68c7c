package main

import (
	"fmt"
	"math"
	"time"

	"kopir/signature/nuc"
)

// warnAt are the days before a certificate's end at which it is mentioned. An
// authority's successor has to be asked for, handed over and tried as a
// candidate first, so the first mention comes early.
var warnAt = []int{60, 30, 14, 3}

// daysLeft is the number of whole days until a certificate ends, negative once it has.
func daysLeft(c *nuc.Certificate, at time.Time) int {
	return int(math.Floor(c.NotAfter.Sub(at).Hours() / 24))
}

// ending is a certificate that the bridge depends on, and when it ends.
type ending struct {
	kind        string // root, intermediate, candidate, key, next key, previous key, partner key, sender certificate
	sender      string // whose it is, of a partner's
	certificate *nuc.Certificate
	days        int
	within      int // the nearest of warnAt that has come; 0: none
}

func newEnding(kind string, c *nuc.Certificate, at time.Time) ending {
	e := ending{kind: kind, certificate: c, days: daysLeft(c, at)}
	for _, n := range warnAt {
		if e.days <= n {
			e.within = n
		}
	}
	return e
}

func (e ending) String() string {
	what := fmt.Sprintf("the %s %s (%x)", e.kind, e.certificate.SubjectName, e.certificate.Fingerprint[:8])
	if e.sender != "" {
		what += " of " + e.sender
	}
	end := e.certificate.NotAfter.Format(time.DateOnly)
	if e.days < 0 {
		return fmt.Sprintf("%s ended %d days ago, on %s", what, -e.days, end)
	}
	return fmt.Sprintf("%s ends in %d days, on %s", what, e.days, end)
}

// trustEndings are those of everything that is trusted or on trial.
func trustEndings(t *nuc.Trust, at time.Time) []ending {
	var out []ending
	for _, e := range t.Entries() {
		kind := e.Kind()
		if e.Candidate {
			kind = "candidate"
		}
		out = append(out, newEnding(kind, e.Certificate, at))
	}
	return out
}
