package signature

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"kopir/signature/nuc"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// Verdict is the answer about one document. The zero value is Undetermined
// and hands out nothing.
type Verdict struct {
	Outcome    verdict.Outcome
	Reason     verdict.Reason
	Detail     string             // for people, when there was no signature to say it of
	Signatures []SignatureVerdict // in document order
}

// SignatureVerdict is the answer about one signature of the document.
type SignatureVerdict struct {
	Outcome     verdict.Outcome
	Reason      verdict.Reason
	Algorithm   string           // identifier of the signature algorithm; empty if it could not be read
	Signed      []string         // {namespace}local of each part that a digest was found right for
	Timestamp   *Timestamp       // WS-Security only; nil if the header has none
	Stamp       *Stamp           // CMS and time stamps only; nil if there is none over the right bytes
	Certificate *nuc.Certificate // the signer's; nil if none was found
	Checks      []verdict.Check

	proofs  []verdict.Proof // certificates of the chain
	claimed time.Time       // signingTime of CMS: the signer's word
	parts   []part
	others  []*nuc.Certificate // that came beside the signer's; believed only as far as a root vouches for them
}

// Timestamp is what wsu:Timestamp says. Whether that is fresh is for the
// receiver to judge, and only if Signed.
type Timestamp struct {
	Created time.Time // UTC; zero if absent
	Expires time.Time // UTC; zero if absent
	Signed  bool
}

// part is one digested piece of the document.
type part struct {
	target  xmltree.Node // zero: the whole document
	primary bool         // outside the signature itself: what the signer meant to sign
	octets  []byte       // of the one part that the others lie in; nil for those
	name    string
}

// Stamp is a time stamp (RFC 3161) over a signature value, or the time stamp
// that was judged.
type Stamp struct {
	At time.Time // UTC
	// Trusted: a configured root vouches for the authority at that time, so
	// the signature existed then. Without it the time is anybody's word.
	Trusted bool
}

// SignedAt is when the signature was made: the time of a trusted stamp, else
// what the signer says himself under his signature, which proves nothing.
// False if neither is there.
func (s *SignatureVerdict) SignedAt() (time.Time, bool) {
	switch {
	case s.Stamp != nil && s.Stamp.Trusted:
		return s.Stamp.At, true
	case !s.claimed.IsZero():
		return s.claimed, true
	case s.Timestamp == nil || !s.Timestamp.Signed || s.Timestamp.Created.IsZero():
		return time.Time{}, false
	}
	return s.Timestamp.Created, true
}

// Proofs are what the judgement relied on besides the document: the chain of
// certificates, OCSP answers, lists.
func (s *SignatureVerdict) Proofs() []verdict.Proof {
	all := slices.Clone(s.proofs)
	for _, c := range s.Checks {
		all = append(all, c.Proofs...)
	}
	return all
}

// Signer is whom the certificate is about; the zero Signer without a certificate.
func (s *SignatureVerdict) Signer() nuc.Signer {
	if s.Certificate == nil {
		return nuc.Signer{}
	}
	return s.Certificate.Signer()
}

// Beside gives the certificates that came beside the signer's, believed only
// as far as a root vouches for them.
func (s *SignatureVerdict) Beside() []*nuc.Certificate { return s.others }

// Content is what all signatures cover. False unless the verdict is Passed
// and all signatures cover the same one element (or the whole document).
func (v *Verdict) Content() (Content, bool) {
	if v == nil || v.Outcome != verdict.Passed || len(v.Signatures) == 0 {
		return Content{}, false
	}
	// The first signature is the innermost: it covers the document without any
	// later signature, which is what all of them have in common.
	first, ok := v.Signatures[0].content()
	if !ok {
		return Content{}, false
	}
	for i := 1; i < len(v.Signatures); i++ {
		p, ok := v.Signatures[i].content()
		if !ok || p.target != first.target {
			return Content{}, false
		}
	}
	return Content{octets: first.octets, name: first.name}, true
}

// content is the part that the signature is about: the largest one, if all
// others lie within it.
func (s *SignatureVerdict) content() (part, bool) {
	if s.Outcome != verdict.Passed {
		return part{}, false
	}
	var best part
	found := false
	for _, p := range s.parts {
		if p.primary && (!found || covers(p.target, best.target)) {
			best, found = p, true
		}
	}
	for _, p := range s.parts {
		if p.primary && !covers(best.target, p.target) {
			return part{}, false // two parts beside each other: neither is "the" content
		}
	}
	return best, found
}

// covers: a is b or an ancestor of it. The zero node is the whole document.
func covers(a, b xmltree.Node) bool {
	return a.IsZero() || b.Within(a)
}

// settle sums the checks into the outcome.
func (s *SignatureVerdict) settle() {
	s.Outcome, s.Reason = verdict.Sum(s.Checks)
}

// failed is the verdict about a document in which no signature could be judged.
func failed(c *verdict.Check) *Verdict {
	return &Verdict{
		Outcome: c.Outcome, Reason: c.Reason, Detail: c.Detail,
		Signatures: []SignatureVerdict{{Outcome: c.Outcome, Reason: c.Reason, Checks: []verdict.Check{*c}}},
	}
}

type checkJSON struct {
	Name    string         `json:"name"`
	Outcome string         `json:"outcome"`
	Reason  verdict.Reason `json:"reason"`
	Detail  string         `json:"detail"`
}

type signatureJSON struct {
	Outcome   verdict.Outcome `json:"outcome"`
	Reason    verdict.Reason  `json:"reason"`
	Algorithm string          `json:"algorithm"`
	Signed    []string        `json:"signed"`
	SignedAt  string          `json:"signed_at"`
	Signer    *nuc.Signer     `json:"signer"`
	Checks    []checkJSON     `json:"checks"`
}

// MarshalJSON prints what `kopir verify` prints.
func (s SignatureVerdict) MarshalJSON() ([]byte, error) { return plainJSON(s.printed()) }

// printed is the verdict as it is printed. A check that the caller asked to leave
// out has the outcome SKIPPED.
func (s *SignatureVerdict) printed() signatureJSON {
	out := signatureJSON{
		Outcome: s.Outcome, Reason: s.Reason, Algorithm: s.Algorithm,
		Signed: s.Signed, Checks: make([]checkJSON, 0, len(s.Checks)),
	}
	if out.Signed == nil {
		out.Signed = []string{}
	}
	if at, ok := s.SignedAt(); ok {
		out.SignedAt = at.Format(time.RFC3339Nano)
	}
	if s.Certificate != nil {
		signer := s.Certificate.Signer()
		out.Signer = &signer
	}
	for _, c := range s.Checks {
		j := checkJSON{Name: c.Name, Outcome: c.Outcome.String(), Reason: c.Reason, Detail: c.Detail}
		if c.Skipped {
			j.Outcome = "SKIPPED"
		}
		out.Checks = append(out.Checks, j)
	}
	return out
}

// MarshalJSON prints the object of `kopir verify`.
func (v Verdict) MarshalJSON() ([]byte, error) {
	signatures := make([]signatureJSON, len(v.Signatures))
	for i := range signatures {
		signatures[i] = v.Signatures[i].printed()
	}
	return plainJSON(struct {
		Outcome    verdict.Outcome `json:"outcome"`
		Reason     verdict.Reason  `json:"reason"`
		Signatures []signatureJSON `json:"signatures"`
	}{v.Outcome, v.Reason, signatures})
}

// plainJSON leaves < and > as they are: details hold them, and no browser reads this.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}
