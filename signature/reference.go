package signature

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"kopir/signature/algorithm"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// scope is the document, or the element taken for one, in which a signature's
// references are resolved.
type scope struct {
	doc  *xmltree.Document
	root xmltree.Node   // zero: the whole document, with what stands beside its root
	cut  []xmltree.Node // what the enveloped-signature transform takes out: the signature, and those made after it

	digested []digested // for selfCheck
}

// place names where a node stands, for the beginning of a sentence.
func place(n xmltree.Node) string {
	path := n.Path()
	const most = 200
	if len(path) > most {
		path = "…" + strings.ToValidUTF8(path[len(path)-most:], "")
	}
	return fmt.Sprintf("%s (line %d): ", path, n.Line())
}

// resolve finds what a reference means. Only this document is looked at.
func (s scope) resolve(r *reference, sig *xmlSignature, p profile) *verdict.Check {
	target, comments, bad := s.target(r.uri, p)
	if bad != nil {
		bad.Detail = place(r.node) + bad.Detail
		return bad
	}
	if !comments {
		// Under "" and "#id" comments are not in the node set, whatever the
		// canonical form is called (XML Signature section 4.4.3.3).
		r.form.Comments = false
	}
	r.target = target
	around := target.IsZero() || sig.node.Within(target)
	switch {
	case around && !r.enveloped:
		return refuse(verdict.CheckReferences, verdict.SigConstraintsFailure, "%sthe reference covers its own signature", place(r.node))
	case !around && r.enveloped:
		// Honest signers put the transform only where the signature is inside. A
		// signed root that was moved elsewhere in a false document looks so.
		return refuse(verdict.CheckReferences, verdict.SigConstraintsFailure, "%sthe signature is not inside what it says it is enveloped in", place(r.node))
	}
	return nil
}

// target takes "", "#id", "#xpointer(/)" and "#xpointer(id('…'))".
func (s scope) target(uri string, p profile) (n xmltree.Node, comments bool, bad *verdict.Check) {
	fragment, ok := strings.CutPrefix(uri, "#")
	switch {
	case p.soap && (uri == "" || strings.Contains(fragment, "(")):
		return n, false, refuse(verdict.CheckReferences, verdict.SigConstraintsFailure, "a WS-Security signature refers to parts by their ids, not by %s", quote(uri))
	case uri == "":
		return s.root, false, nil
	case !ok:
		return n, false, refuse(verdict.CheckReferences, verdict.SigConstraintsFailure, "the reference %s leaves the document; nothing is fetched", quote(uri))
	case fragment == "xpointer(/)":
		return s.root, true, nil
	case strings.ContainsAny(fragment, "()"):
		id, ok := xpointerID(fragment)
		if !ok {
			return n, false, refuse(verdict.CheckReferences, verdict.SigConstraintsFailure, "the pointer %s is not one of xpointer(/) and xpointer(id('…'))", quote(uri))
		}
		fragment, comments = id, true
	}
	n, err := s.doc.ByID(fragment)
	if err == nil && !s.root.IsZero() && !n.Within(s.root) {
		err = &xmltree.Error{Code: xmltree.NoSuchID}
	}
	switch {
	case err == nil:
		return n, comments, nil
	case errors.Is(err, &xmltree.Error{Code: xmltree.AmbiguousID}):
		return n, false, refuse(verdict.CheckReferences, verdict.SigConstraintsFailure, "more than one element has the id %s", quote(fragment))
	default:
		return n, false, refuse(verdict.CheckReferences, verdict.SignedDataNotFound, "no element has the id %s", quote(fragment))
	}
}

func xpointerID(fragment string) (string, bool) {
	s, ok := strings.CutPrefix(fragment, "xpointer(id(")
	if !ok || len(s) < 4 {
		return "", false
	}
	quote := s[:1]
	id, end, ok := strings.Cut(s[1:], quote)
	return id, ok && end == "))" && (quote == "'" || quote == `"`) && id != ""
}

// digest makes the octets in the buffer, which it may leave for a larger one,
// and compares.
func (s scope) digest(r *reference, buffer []byte) ([]byte, *verdict.Check) {
	var cut []xmltree.Node
	if r.enveloped {
		cut = s.cut
	}
	octets := s.doc.Canonical(buffer[:0], r.target, r.form, cut...)
	if !bytes.Equal(s.sum(r.digest, octets), r.value) {
		return octets, refuse(verdict.CheckDigest, verdict.HashFailure, "%sthe digest of %s is not the one that was signed", place(r.node), partName(s.doc, r.target))
	}
	return octets, nil
}

// sum is the digest of octets; of those that were digested before, the same.
func (s scope) sum(by *algorithm.Digest, octets []byte) []byte {
	for _, d := range s.digested {
		if d.by == by && bytes.Equal(d.octets, octets) {
			return d.digest
		}
	}
	return by.Sum(octets)
}

// partName is {namespace}local of the element, or of the document's root.
func partName(doc *xmltree.Document, n xmltree.Node) string {
	if n.IsZero() {
		n = doc.Root()
	}
	return "{" + n.Space() + "}" + n.Local()
}
