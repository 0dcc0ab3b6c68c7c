package signature

import (
	"context"
	"strings"

	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// WSSE judges the system's signature of a SOAP 1.1 message: one Signature in
// the one wsse:Security header that is for this node, over the Body. The older
// form, ds:Signature straight under soap:Header over a Body with a plain Id and
// the certificate in X509Data, without any element of WS-Security, is read too.
//
// The content of a verdict that passed is the Body.
func (v *Verifier) WSSE(ctx context.Context, doc *xmltree.Document, want Want) *Verdict {
	t, bad := locate(doc)
	if bad != nil {
		return failed(bad)
	}
	s := v.judge(ctx, t, want)
	return sum([]SignatureVerdict{s}, []int{0})
}

// sum makes the verdict about the document; order is that of the judgement.
func sum(signatures []SignatureVerdict, order []int) *Verdict {
	out := &Verdict{Outcome: verdict.Passed, Signatures: signatures}
	for _, i := range order {
		s := &signatures[i]
		switch {
		case s.Outcome == verdict.Failed && out.Outcome != verdict.Failed:
			out.Outcome, out.Reason = s.Outcome, s.Reason
		case s.Outcome == verdict.Undetermined && out.Outcome == verdict.Passed:
			out.Outcome, out.Reason = s.Outcome, s.Reason
		}
	}
	if len(order) == 0 {
		out.Outcome, out.Reason = verdict.Undetermined, verdict.GenericReason
	}
	return out
}

// locate finds the Body and the one signature that is meant for us.
func locate(doc *xmltree.Document) (t task, bad *verdict.Check) {
	t.profile.soap = true
	t.scope.doc = doc
	root := doc.Root()
	if !root.Is(nsSOAP, "Envelope") {
		if root.Is(nsSOAP12, "Envelope") {
			return t, malformed(root, "a SOAP 1.2 envelope; the contract is SOAP 1.1")
		}
		return t, malformed(root, "the document is not a SOAP 1.1 Envelope")
	}
	var header xmltree.Node
	for c := range root.Children() {
		switch {
		case c.Kind() == xmltree.KindText && !c.IsBlank():
			return t, malformed(root, "text between Header and Body")
		case c.Kind() != xmltree.KindElement:
		case c.Is(nsSOAP, "Header") && header.IsZero() && t.body.IsZero():
			header = c
		case c.Is(nsSOAP, "Body") && t.body.IsZero():
			t.body = c
		default:
			return t, malformed(c, "Envelope must hold one Header and then one Body, nothing else")
		}
	}
	if t.body.IsZero() {
		return t, malformed(root, "Envelope has no Body")
	}
	bare, bad := t.readHeader(header)
	if bad != nil {
		return t, bad
	}
	switch {
	case !t.security.IsZero() && !bare.IsZero():
		return t, malformed(bare, "a second Signature beside the Security header")
	case !t.security.IsZero():
		bad = t.readSecurity()
		return t, bad
	case !bare.IsZero():
		bad = t.readLegacy(bare)
		return t, bad
	}
	return t, unsigned("the message has no wsse:Security header for this node")
}

func unsigned(why string) *verdict.Check {
	return refuse(verdict.CheckFormat, verdict.NoSignature, "%s", why)
}

// readHeader walks the header blocks: those for other nodes are let alone,
// those that must be understood and are not end the matter (SOAP 1.1 section 4.2.3).
func (t *task) readHeader(header xmltree.Node) (bare xmltree.Node, bad *verdict.Check) {
	for c := range header.Children() {
		if c.Kind() == xmltree.KindText && !c.IsBlank() {
			return bare, malformed(header, "text between header blocks")
		}
		if c.Kind() != xmltree.KindElement {
			continue
		}
		if actor, _ := c.Attr(nsSOAP, "actor"); actor != "" && actor != actorNext {
			continue
		}
		switch {
		case c.Is(nsWSSE, "Security"):
			if !t.security.IsZero() {
				return bare, malformed(c, "a second Security header for this node")
			}
			t.security = c
			continue
		case c.Is(nsDS, "Signature"):
			if !bare.IsZero() {
				return bare, malformed(c, "a second Signature in the header")
			}
			bare = c
		}
		if must, ok := c.Attr(nsSOAP, "mustUnderstand"); ok && strings.TrimSpace(must) != "0" && c != bare {
			return bare, malformed(c, "this header block must be understood, and is not")
		}
	}
	return bare, nil
}

// readSecurity finds the one Signature and the Timestamp.
func (t *task) readSecurity() *verdict.Check {
	for c := range t.security.Elements() {
		switch {
		case c.Is(nsDS, "Signature"):
			if !t.node.IsZero() {
				return refuse(verdict.CheckFormat, verdict.FormatFailure, "%sthe Security header has more than one Signature: it is not clear whose message this is", place(c))
			}
			t.node = c
		case c.Is(nsWSU, "Timestamp"):
			if t.stamp != nil {
				return malformed(c, "the Security header has more than one Timestamp")
			}
			stamp, bad := readTimestamp(c)
			if bad != nil {
				return bad
			}
			t.stamp = stamp
		}
	}
	if t.node.IsZero() {
		return unsigned("the wsse:Security header holds no Signature")
	}
	t.scope.cut = []xmltree.Node{t.node}
	return nil
}

// readLegacy takes the older form only whole: nothing of WS-Security may be
// mixed in, so that a Signature moved out of its header is not taken for it.
func (t *task) readLegacy(signature xmltree.Node) *verdict.Check {
	const rule = "a Signature outside a Security header is read only in the older form: a plain Id on the Body, the certificate in X509Data"
	if _, ok := t.body.Attr("", "Id"); !ok {
		return malformed(signature, rule)
	}
	for _, space := range [...]string{nsWSU, nsWSSE} {
		if _, ok := t.body.Attr(space, "Id"); ok {
			return malformed(signature, rule)
		}
	}
	for c := range signature.Descendants() {
		if c.Is(nsWSSE, "SecurityTokenReference") {
			return malformed(c, rule)
		}
	}
	t.node = signature
	t.scope.cut = []xmltree.Node{signature}
	return nil
}
