package signature

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"

	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// XMLDSig judges the signatures of a document that is signed as a whole or in
// a part: ds:Signature elements that are children of the root, or the root
// itself (enveloping), or one alone deeper down. Several on one root are judged
// from the last to the first: each covers those before it and not those after
// it, as the national authority's library signs and verifies. All must pass.
func (v *Verifier) XMLDSig(ctx context.Context, doc *xmltree.Document, want Want) *Verdict {
	return v.xmldsig(ctx, doc, xmltree.Node{}, want)
}

// XMLDSigElement judges an element that was signed as a document of its own
// and then put, unescaped, into the document around it. What its signer saw is
// tried twice: the element in its place, with the namespace declarations that
// it inherits, and cut out, with its own only. Content is what was digested,
// whichever fits.
func (v *Verifier) XMLDSigElement(ctx context.Context, n xmltree.Node, want Want) *Verdict {
	inPlace := v.xmldsig(ctx, n.Document(), n, want)
	if inPlace.Outcome != verdict.Failed || (inPlace.Reason != verdict.HashFailure && inPlace.Reason != verdict.SigCryptoFailure) {
		return inPlace
	}
	alone, err := cutOut(n)
	if err != nil {
		return inPlace
	}
	if own := v.xmldsig(ctx, alone, xmltree.Node{}, want); own.Outcome != verdict.Failed {
		return own
	}
	return inPlace
}

// cutOut reads the element's bytes as a document. Where they end is found by
// the standard library's reader; the strict one then reads them again.
func cutOut(n xmltree.Node) (*xmltree.Document, error) {
	if n.Kind() != xmltree.KindElement {
		return nil, errors.New("not an element")
	}
	source := n.Document().Source()[n.Offset():]
	d := xml.NewDecoder(bytes.NewReader(source))
	if _, err := d.RawToken(); err != nil {
		return nil, err
	}
	for depth := 1; depth > 0; {
		token, err := d.RawToken()
		if err != nil {
			return nil, err
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
	}
	return xmltree.Parse(source[:d.InputOffset()], xmltree.DefaultLimits())
}

func (v *Verifier) xmldsig(ctx context.Context, doc *xmltree.Document, root xmltree.Node, want Want) *Verdict {
	top := root
	if top.IsZero() {
		top = doc.Root()
	}
	nodes, bad := findSignatures(top)
	if bad != nil {
		return failed(bad)
	}
	out, shared := make([]SignatureVerdict, len(nodes)), newWork(doc)
	order := make([]int, 0, len(nodes))
	for i := len(nodes) - 1; i >= 0; i-- {
		out[i] = v.judge(ctx, task{node: nodes[i], scope: scope{doc: doc, root: root, cut: nodes[i:]}, work: shared, outer: i > 0}, want)
		order = append(order, i)
	}
	return sum(out, order)
}

// findSignatures finds the signatures of a document. What is signed inside
// another signature or inside the payload of a signed root is data.
func findSignatures(top xmltree.Node) ([]xmltree.Node, *verdict.Check) {
	if top.Is(nsDS, "Signature") {
		return []xmltree.Node{top}, nil
	}
	var found []xmltree.Node
	for c := range top.Elements() {
		if c.Is(nsDS, "Signature") {
			if len(found) == maxSignatures {
				return nil, refuse(verdict.CheckFormat, verdict.FormatFailure, "more than %d signatures", maxSignatures)
			}
			found = append(found, c)
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	for c := range top.Descendants() {
		if !c.Is(nsDS, "Signature") || (len(found) > 0 && c.Within(found[0])) {
			continue
		}
		if len(found) > 0 {
			return nil, malformed(c, "several signatures, none of them a child of the root: it is not clear what is signed")
		}
		found = append(found, c)
	}
	if len(found) == 0 {
		return nil, unsigned("the document holds no Signature")
	}
	return found, nil
}
