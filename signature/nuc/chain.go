package nuc

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"kopir/signature/verdict"
)

// Bounds of the search for a chain. Real chains have three certificates;
// namesakes are a handful.
const (
	maxChain      = 8  // certificates in one chain
	maxSignatures = 64 // verified for one leaf
	maxPaths      = 8  // kept for one leaf
)

// paths is what the search found for a leaf, whatever the time: chains whose
// links hold, or why there is none.
type paths struct {
	chains []path
	would  []path        // that would hold if candidates were trusted
	fault  verdict.Check // the fault of the chain that came furthest; zero if no issuer was found
	depth  int
}

// path is one chain whose links hold, with the checks that do not hang on
// the time.
type path struct {
	certs      []*Certificate
	keys, link verdict.Check
	dates      verdict.Check // as it reads when all dates hold
	candidate  *Certificate  // the highest one that is not trusted; nil: all are
}

// Chain builds the chain from a leaf to a configured root and judges it at a
// time. The checks are CheckKey (every key of the chain allowed), CheckChain
// (links, constraints, critical extensions) and CheckValidity (every
// certificate within its dates). Whether documents may be signed with the leaf
// is CheckUsage, which the caller asks of the certificate itself. The chain
// starts with the leaf and ends with the root; it is nil unless CheckChain
// passed. Several chains can exist (an authority with renewed certificates):
// the first that is valid at the time is taken.
//
// A chain that needs a candidate is none; but where the verdict is against the
// certificate and a chain over candidates would hold, the detail says so and
// Hits counts it.
func (t *Trust) Chain(leaf *Certificate, at time.Time) ([]*Certificate, []verdict.Check) {
	found := t.find(leaf)
	chain, checks := found.judge(leaf, at)
	t.report(found, checks, at)
	return chain, checks
}

// find searches, or remembers what was found.
func (t *Trust) find(leaf *Certificate) *paths {
	if found, ok := t.paths.get(leaf.Fingerprint); ok {
		return found
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	found := t.search(leaf, nil)
	// Within the read lock, so that nothing found before an Add is kept after it.
	t.paths.put(leaf.Fingerprint, found)
	return found
}

func (found *paths) judge(leaf *Certificate, at time.Time) ([]*Certificate, []verdict.Check) {
	if len(found.chains) == 0 {
		fault := found.fault
		if fault.Name == "" {
			fault = verdict.Fail(verdict.CheckChain, verdict.NoCertificateChain,
				fmt.Sprintf("no configured authority has the name %s%s", leaf.IssuerName, keyIDNote(leaf)))
		}
		return nil, []verdict.Check{leaf.CheckKey(), fault, validity([]*Certificate{leaf}, at)}
	}
	for _, p := range found.chains {
		if within(p.certs, at) {
			return slices.Clone(p.certs), []verdict.Check{p.keys, p.link, p.dates}
		}
	}
	p := found.chains[0]
	return slices.Clone(p.certs), []verdict.Check{p.keys, p.link, validity(p.certs, at)}
}

// report says in the check that decided against a chain which candidate would
// have made it hold, and counts it.
func (t *Trust) report(found *paths, checks []verdict.Check, at time.Time) {
	if len(found.would) == 0 {
		return
	}
	if outcome, _ := verdict.Sum(checks); outcome == verdict.Passed {
		return
	}
	for _, p := range found.would {
		if p.keys.Outcome != verdict.Passed || !within(p.certs, at) {
			continue
		}
		for i := range checks {
			if checks[i].Outcome != verdict.Passed {
				checks[i].Detail += fmt.Sprintf("; it would hold if the candidate %s (%x) were trusted, which is report-only", p.candidate.SubjectName, p.candidate.Fingerprint[:8])
				break
			}
		}
		t.count(p.candidate)
		return
	}
}

// ChainWith is Chain where others may stand between the leaf and the
// configured authorities: certificates that came with a message. They are
// believed only as far as a configured root vouches for them, and nothing is
// remembered of such a chain.
func (t *Trust) ChainWith(leaf *Certificate, others []*Certificate, at time.Time) ([]*Certificate, []verdict.Check) {
	found := t.find(leaf)
	if len(found.chains) == 0 && len(others) > 0 {
		t.mu.RLock()
		more := t.search(leaf, others)
		t.mu.RUnlock()
		if len(more.chains) == 0 && len(more.would) > 0 {
			more = &paths{would: more.would, fault: found.fault, depth: found.depth}
		}
		if len(more.chains)+len(more.would) > 0 {
			found = more
		}
	}
	chain, checks := found.judge(leaf, at)
	t.report(found, checks, at)
	return chain, checks
}

func within(chain []*Certificate, at time.Time) bool {
	for _, c := range chain {
		if at.Before(c.NotBefore) || at.After(c.NotAfter) {
			return false
		}
	}
	return true
}

func keyIDNote(c *Certificate) string {
	if len(c.AuthorityKeyID) == 0 {
		return ""
	}
	return fmt.Sprintf(" and the key identifier %x", c.AuthorityKeyID)
}

func describe(chain []*Certificate) string {
	names := make([]string, len(chain))
	for i, c := range chain {
		names[i] = c.SubjectName.String()
		if i == 0 {
			names[i] = c.SerialHex()
		}
	}
	return strings.Join(names, " < ")
}

func keys(chain []*Certificate) verdict.Check {
	first := chain[0].CheckKey()
	for _, c := range chain {
		if check := c.CheckKey(); check.Outcome != verdict.Passed {
			return check
		}
	}
	return first
}

// validity judges the dates from the leaf up: the signer's own decide first.
func validity(chain []*Certificate, at time.Time) verdict.Check {
	for _, c := range chain {
		switch {
		case at.Before(c.NotBefore):
			return verdict.Fail(verdict.CheckValidity, verdict.NotYetValid,
				fmt.Sprintf("%s is valid from %s, judged at %s", c.label(), stamp(c.NotBefore), stamp(at)))
		case at.After(c.NotAfter):
			return verdict.Fail(verdict.CheckValidity, verdict.Expired,
				fmt.Sprintf("%s was valid until %s, judged at %s", c.label(), stamp(c.NotAfter), stamp(at)))
		}
	}
	return datesHold(chain[0])
}

func datesHold(c *Certificate) verdict.Check {
	return verdict.Pass(verdict.CheckValidity, fmt.Sprintf("valid from %s to %s", stamp(c.NotBefore), stamp(c.NotAfter)))
}

func (c *Certificate) label() string {
	if c.IsCA {
		return "the authority's certificate " + c.SubjectName.String()
	}
	return "the certificate " + c.SerialHex()
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// search walks from the leaf up through every configured authority that may
// have issued it. What it finds does not depend on time. Called with the lock
// held.
func (t *Trust) search(leaf *Certificate, others []*Certificate) *paths {
	s := search{trust: t, out: &paths{depth: -1}, others: others, purpose: purposeOf(leaf)}
	s.from([]*Certificate{leaf})
	if len(s.out.chains) > 0 {
		s.out.fault = verdict.Check{}
	}
	if len(t.candidates) > 0 {
		// Once more with the candidates, apart, so that they can neither stand in
		// the way of a real chain nor become part of one.
		c := search{trust: t, out: &paths{depth: -1}, others: others, purpose: s.purpose, candidates: true}
		c.from([]*Certificate{leaf})
		for _, p := range c.out.chains {
			if p.candidate != nil {
				s.out.would = append(s.out.would, p)
			}
		}
	}
	return s.out
}

type search struct {
	trust      *Trust
	out        *paths
	others     []*Certificate // that came with a message
	purpose    Purpose        // that the leaf needs; zero: any
	candidates bool           // may be used: for reporting alone
	signatures int
}

// fault keeps the fault of the chain that came furthest: the nearer to a
// root, the more it says.
func (s *search) fault(depth int, c verdict.Check) {
	if depth > s.out.depth {
		s.out.depth, s.out.fault = depth, c
	}
}

func (s *search) broken(depth int, r verdict.Reason, format string, args ...any) {
	s.fault(depth, verdict.Fail(verdict.CheckChain, r, fmt.Sprintf(format, args...)))
}

func (s *search) newPath(chain []*Certificate) path {
	p := path{
		certs: chain, keys: keys(chain), dates: datesHold(chain[0]),
		link: verdict.Pass(verdict.CheckChain, describe(chain)),
	}
	if s.candidates {
		for _, c := range chain {
			if s.trust.entries[c.Fingerprint].Candidate {
				p.candidate = c
			}
		}
	}
	return p
}

func (s *search) from(path []*Certificate) {
	last, depth := path[len(path)-1], len(path)
	if len(s.out.chains) >= maxPaths {
		return
	}
	if len(last.UnknownCritical) > 0 {
		s.broken(depth, verdict.ChainConstraintsFailure, "%s has the critical extension %s, which is not understood", last.label(), last.UnknownCritical[0])
		return
	}
	if e, ok := s.trust.entries[last.Fingerprint]; ok && s.purpose != 0 && e.Purpose&s.purpose == 0 && (s.candidates || !e.Candidate) {
		s.broken(depth, verdict.ChainConstraintsFailure, "%s is configured for the purpose %s, not for %s", last.label(), e.Purpose, s.purpose)
		return
	}
	if s.trust.anchor(last, s.candidates) {
		s.out.chains = append(s.out.chains, s.newPath(path))
		return
	}
	if depth >= maxChain {
		s.broken(depth, verdict.ChainConstraintsFailure, "the chain is longer than %d certificates", maxChain)
		return
	}
	name := string(last.RawIssuer)
	issuers := s.trust.trusted[name]
	if s.candidates {
		issuers = slices.Concat(issuers, s.trust.candidates[name])
	}
	for _, o := range s.others {
		if bytes.Equal(o.RawSubject, last.RawIssuer) {
			issuers = append(issuers[:len(issuers):len(issuers)], o)
		}
	}
	if len(issuers) == 0 && depth > 1 {
		s.broken(depth, verdict.NoCertificateChain, "the chain ends at %s: no configured root %s", last.label(), last.IssuerName)
	}
	for _, issuer := range issuers {
		if len(last.AuthorityKeyID) > 0 && len(issuer.SubjectKeyID) > 0 && !bytes.Equal(last.AuthorityKeyID, issuer.SubjectKeyID) {
			continue // a namesake with another key
		}
		if inPath(path, issuer) || !s.link(path, issuer) {
			continue
		}
		s.from(append(path[:depth:depth], issuer))
	}
}

// inPath finds a circle: the same name and key once more.
func inPath(path []*Certificate, c *Certificate) bool {
	for _, p := range path {
		if bytes.Equal(p.RawSubject, c.RawSubject) && bytes.Equal(p.RawSPKI, c.RawSPKI) {
			return true
		}
	}
	return false
}

// link checks one step up: may this authority have issued the last
// certificate of the path, and did it?
func (s *search) link(path []*Certificate, issuer *Certificate) bool {
	last, depth := path[len(path)-1], len(path)
	switch {
	case !issuer.HasBasicConstraints || !issuer.IsCA:
		s.broken(depth, verdict.ChainConstraintsFailure, "the issuer %s is no certification authority", issuer.SubjectName)
		return false
	case issuer.HasKeyUsage && issuer.KeyUsage&KeyCertSign == 0:
		s.broken(depth, verdict.ChainConstraintsFailure, "the issuer %s may not sign certificates by its key usage", issuer.SubjectName)
		return false
	case issuer.PathLen >= 0 && authoritiesBelow(path) > issuer.PathLen:
		s.broken(depth, verdict.ChainConstraintsFailure, "%s allows %d authorities below it, the chain has %d", issuer.SubjectName, issuer.PathLen, authoritiesBelow(path))
		return false
	}
	if s.signatures++; s.signatures > maxSignatures {
		s.broken(depth, verdict.ChainConstraintsFailure, "more than %d signatures were tried", maxSignatures)
		return false
	}
	check := issuer.CheckSigned(verdict.CheckChain, last.label(), last.Algorithm, last.RawTBS, last.SignatureValue)
	if check.Outcome != verdict.Passed {
		s.fault(depth, check)
		return false
	}
	return true
}

// authoritiesBelow counts the certificates that a path length speaks of:
// those of authorities between the issuer and the leaf that are not
// self-issued (RFC 5280 section 4.2.1.9).
func authoritiesBelow(path []*Certificate) int {
	n := 0
	for _, c := range path[1:] {
		if !bytes.Equal(c.RawSubject, c.RawIssuer) {
			n++
		}
	}
	return n
}
