package signature

import (
	"strings"

	"kopir/signature/algorithm"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// xmlSignature is one ds:Signature whose shape is right (XML Signature
// section 4): what it says, before anything of it is believed.
type xmlSignature struct {
	node       xmltree.Node
	info       xmltree.Node // ds:SignedInfo
	form       xmltree.C14N // of ds:SignedInfo
	method     *algorithm.Signature
	references []reference
	value      []byte
	keyInfo    xmltree.Node // zero: none
}

// reference is one ds:Reference.
type reference struct {
	node      xmltree.Node
	uri       string
	enveloped bool         // the enveloped-signature transform comes first
	form      xmltree.C14N // the last transform, or Canonical XML 1.0 by default
	digest    *algorithm.Digest
	value     []byte

	target xmltree.Node // what uri means; zero: the whole document
}

// malformed is the check for a structure that is not what the standard has.
func malformed(n xmltree.Node, format string, args ...any) *verdict.Check {
	c := refuse(verdict.CheckFormat, verdict.FormatFailure, format, args...)
	if !n.IsZero() {
		c.Detail = place(n) + c.Detail
	}
	return c
}

func (v *Verifier) readSignature(n xmltree.Node, p profile) (*xmlSignature, *verdict.Check) {
	s := &xmlSignature{node: n}
	var valueNode xmltree.Node
	step := 0 // what was last seen: 1 SignedInfo, 2 SignatureValue, 3 KeyInfo, 4 Object
	for c := range n.Elements() {
		switch {
		case step == 0 && c.Is(nsDS, "SignedInfo"):
			s.info, step = c, 1
		case step == 1 && c.Is(nsDS, "SignatureValue"):
			valueNode, step = c, 2
		case step == 2 && c.Is(nsDS, "KeyInfo"):
			s.keyInfo, step = c, 3
		case step >= 2 && c.Is(nsDS, "Object"):
			if p.soap {
				return nil, malformed(c, "a WS-Security signature carries no Object")
			}
			step = 4
		default:
			return nil, malformed(c, "Signature must hold one SignedInfo, one SignatureValue, at most one KeyInfo, and then Objects; %s is out of place", quote(c.Local()))
		}
	}
	if step < 2 {
		return nil, malformed(n, "Signature must hold one SignedInfo and one SignatureValue")
	}
	if bad := v.readSignedInfo(s, p); bad != nil {
		return nil, bad
	}
	value, bad := readBase64(valueNode, "SignatureValue")
	if bad != nil {
		return nil, bad
	}
	if len(value) == 0 {
		return nil, malformed(valueNode, "SignatureValue is empty")
	}
	s.value = value
	return s, nil
}

func (v *Verifier) readSignedInfo(s *xmlSignature, p profile) (bad *verdict.Check) {
	step := 0 // 1 CanonicalizationMethod, 2 SignatureMethod, 3 Reference
	for c := range s.info.Elements() {
		switch {
		case step == 0 && c.Is(nsDS, "CanonicalizationMethod"):
			if s.form, bad = readForm(c, "canonicalization method"); bad != nil {
				return bad
			}
			step = 1
		case step == 1 && c.Is(nsDS, "SignatureMethod"):
			uri, _ := c.Attr("", "Algorithm")
			if s.method, bad = v.methodAllowed(uri); bad != nil {
				return bad
			}
			if c.HasElements() {
				return malformed(c, "SignatureMethod has parameters that its algorithm does not take")
			}
			step = 2
		case step >= 2 && c.Is(nsDS, "Reference"):
			if len(s.references) == maxReferences {
				return refuse(verdict.CheckReferences, verdict.SigConstraintsFailure, "more than %d references", maxReferences)
			}
			if s.references == nil {
				s.references = make([]reference, 0, 2)
			}
			r, bad := v.readReference(c, p)
			if bad != nil {
				return bad
			}
			s.references = append(s.references, r)
			step = 3
		default:
			return malformed(c, "SignedInfo must hold one CanonicalizationMethod, one SignatureMethod and then References; %s is out of place", quote(c.Local()))
		}
	}
	if step != 3 {
		return malformed(s.info, "SignedInfo must hold a CanonicalizationMethod, a SignatureMethod and at least one Reference")
	}
	return nil
}

func (v *Verifier) readReference(n xmltree.Node, p profile) (r reference, bad *verdict.Check) {
	r.node, r.form = n, xmltree.C14N{Kind: xmltree.Inclusive10}
	uri, ok := n.Attr("", "URI")
	if !ok {
		return r, refuse(verdict.CheckReferences, verdict.SigConstraintsFailure, "%sa Reference without URI says nothing about what it covers", place(n))
	}
	r.uri = uri
	step := 0 // 1 Transforms, 2 DigestMethod, 3 DigestValue
	for c := range n.Elements() {
		switch {
		case step == 0 && c.Is(nsDS, "Transforms"):
			if bad = readTransforms(c, &r, p); bad != nil {
				return r, bad
			}
			step = 1
		case step <= 1 && c.Is(nsDS, "DigestMethod"):
			uri, _ := c.Attr("", "Algorithm")
			if r.digest, bad = v.digestAllowed(uri); bad != nil {
				return r, bad
			}
			if c.HasElements() {
				return r, malformed(c, "DigestMethod has parameters that its algorithm does not take")
			}
			step = 2
		case step == 2 && c.Is(nsDS, "DigestValue"):
			if r.value, bad = readBase64(c, "DigestValue"); bad != nil {
				return r, bad
			}
			step = 3
		default:
			return r, malformed(c, "Reference must hold at most one Transforms, one DigestMethod and one DigestValue; %s is out of place", quote(c.Local()))
		}
	}
	if step != 3 {
		return r, malformed(n, "Reference must hold one DigestMethod and one DigestValue")
	}
	return r, nil
}

// readTransforms takes nothing, enveloped-signature, one canonical form, or
// both in this order. Everything else could make the digested bytes differ
// from what is seen (XML Signature Best Practices 1 and 2).
func readTransforms(n xmltree.Node, r *reference, p profile) (bad *verdict.Check) {
	count := 0
	canonical := false
	for c := range n.Elements() {
		if !c.Is(nsDS, "Transform") {
			return malformed(c, "Transforms must hold Transform only; %s is out of place", quote(c.Local()))
		}
		if count++; count > maxTransforms {
			return refuse(verdict.CheckAlgorithms, verdict.SigConstraintsFailure, "%smore than %d transforms", place(n), maxTransforms)
		}
		uri, _ := c.Attr("", "Algorithm")
		if uri == uriEnveloped {
			if p.soap || count > 1 {
				return refuse(verdict.CheckAlgorithms, verdict.SigConstraintsFailure, "%sthe enveloped-signature transform is out of place", place(c))
			}
			if c.HasElements() {
				return malformed(c, "the enveloped-signature transform takes no parameters")
			}
			r.enveloped = true
			continue
		}
		if canonical {
			return refuse(verdict.CheckAlgorithms, verdict.SigConstraintsFailure, "%sa transform after the canonical form", place(c))
		}
		if r.form, bad = readForm(c, "transform"); bad != nil {
			bad.Reason = verdict.SigConstraintsFailure
			return bad
		}
		canonical = true
	}
	if count == 0 {
		return malformed(n, "Transforms is empty")
	}
	return nil
}

// readForm reads the canonical form that an element names, with its PrefixList.
func readForm(n xmltree.Node, what string) (xmltree.C14N, *verdict.Check) {
	uri, _ := n.Attr("", "Algorithm")
	form, ok := canonicalForm(uri)
	if !ok {
		return form, refuse(verdict.CheckAlgorithms, verdict.CryptoConstraintsFailure, "%sthe %s %s is not on the list", place(n), what, quote(uri))
	}
	seen := false
	for c := range n.Elements() {
		if seen || form.Kind != xmltree.Exclusive || !c.Is(nsExc, "InclusiveNamespaces") {
			return form, malformed(c, "%s is not a parameter of this %s", quote(c.Local()), what)
		}
		seen = true
		list, _ := c.Attr("", "PrefixList")
		if strings.TrimSpace(list) == "" {
			continue
		}
		form.Prefixes = strings.Fields(list)
		if len(form.Prefixes) > maxPrefixes {
			return form, refuse(verdict.CheckAlgorithms, verdict.SigConstraintsFailure, "%sa PrefixList of more than %d names", place(c), maxPrefixes)
		}
	}
	return form, nil
}

// readBase64 reads an element of type ds:CryptoBinary or xs:base64Binary.
func readBase64(n xmltree.Node, what string) ([]byte, *verdict.Check) {
	if n.HasElements() {
		return nil, malformed(n, "%s has child elements", what)
	}
	text := n.Text()
	if len(text) > maxBase64 {
		return nil, malformed(n, "%s has more than %d characters", what, maxBase64)
	}
	raw, err := decodeBase64(text)
	if err != nil {
		return nil, malformed(n, "%s is not base64", what)
	}
	return raw, nil
}
