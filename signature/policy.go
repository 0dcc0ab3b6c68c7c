package signature

import (
	"fmt"
	"strings"

	"kopir/signature/algorithm"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// Bounds on the work that one signature may ask for before its value is known
// to be right. Honest signatures have one to three references with one or two
// transforms, one to three certificates, and a handful of prefixes.
const (
	maxSignatures   = 16  // on one document
	maxReferences   = 16  // of one signature
	maxTransforms   = 2   // enveloped-signature, then one canonical form
	maxPrefixes     = 100 // of one PrefixList
	maxCertificates = 8   // in one KeyInfo; tokens in one Security header
	maxBase64       = 128 << 10

	// Octets that all signatures of a document may have digested: this many
	// times the document, and a small one with many signers always. Each
	// honest signer digests it once. A reference costs the sender 200 bytes.
	maxDigested = 8
	minDigested = 1 << 20
)

// canonicalForm finds a canonical form by its identifier.
func canonicalForm(uri string) (m xmltree.C14N, ok bool) {
	switch uri {
	case uriExc:
		return xmltree.C14N{Kind: xmltree.Exclusive}, true
	case uriExc + "WithComments":
		return xmltree.C14N{Kind: xmltree.Exclusive, Comments: true}, true
	case uriC14N10:
		return xmltree.C14N{Kind: xmltree.Inclusive10}, true
	case uriC14N10 + "#WithComments":
		return xmltree.C14N{Kind: xmltree.Inclusive10, Comments: true}, true
	case uriC14N11:
		return xmltree.C14N{Kind: xmltree.Inclusive11}, true
	case uriC14N11 + "#WithComments":
		return xmltree.C14N{Kind: xmltree.Inclusive11, Comments: true}, true
	}
	return xmltree.C14N{}, false
}

// profile is what differs between the two shapes of signature.
type profile struct {
	soap bool // WS-Security: the Body by its id, nothing enveloped, no Object
}

// digestAllowed says why a digest is refused; nil: it is allowed.
func (v *Verifier) digestAllowed(uri string) (*algorithm.Digest, *verdict.Check) {
	d, ok := algorithm.DigestByURI(uri)
	if !ok {
		return nil, refuse(verdict.CheckAlgorithms, verdict.CryptoConstraintsFailure, "the digest algorithm %s is not on the list", quote(uri))
	}
	if d.Refusal != verdict.None && !v.lab.allows(d.Name) {
		return nil, refuse(verdict.CheckAlgorithms, d.Refusal, "the digest algorithm %s is refused by policy", d.Name)
	}
	return d, nil
}

// methodAllowed says why a signature algorithm is refused; nil: it is allowed.
func (v *Verifier) methodAllowed(uri string) (*algorithm.Signature, *verdict.Check) {
	s, ok := algorithm.SignatureByURI(uri)
	if !ok {
		return nil, refuse(verdict.CheckAlgorithms, verdict.CryptoConstraintsFailure, "the signature algorithm %s is not on the list", quote(uri))
	}
	if s.Refusal != verdict.None && !v.lab.allows(s.Name) {
		return nil, refuse(verdict.CheckAlgorithms, s.Refusal, "the signature algorithm %s is refused by policy: %s", s.Name, s.Why)
	}
	return s, nil
}

func (l *lab) allows(row string) bool { return l != nil && l.allow != nil && l.allow(row) }

// refuse makes the check that ends a judgement.
func refuse(name string, reason verdict.Reason, format string, args ...any) *verdict.Check {
	c := verdict.Fail(name, reason, fmt.Sprintf(format, args...))
	return &c
}

// quote shows a short piece of what the sender wrote; a long one is cut.
func quote(s string) string {
	const most = 120
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}
