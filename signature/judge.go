package signature

import (
	"context"
	"fmt"
	"time"

	"kopir/signature/algorithm"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// task is one signature to be judged.
type task struct {
	node     xmltree.Node // ds:Signature
	scope    scope
	profile  profile
	security xmltree.Node // the wsse:Security header around it; zero: none
	body     xmltree.Node // the soap:Body that must be signed; zero: no Body
	stamp    *stampNode   // wsu:Timestamp of the header
	work     *work        // shared by the signatures of a document; nil: there is one
	outer    bool         // another signature's octets become the content
}

// work is what the signatures of one document may cost together.
type work struct {
	left  int    // octets that may still be digested
	spare []byte // room for octets
}

func newWork(doc *xmltree.Document) *work {
	return &work{left: max(minDigested, maxDigested*len(doc.Source()))}
}

// judge makes every check of one signature, in the order of the names in
// package verdict, and stops where the next one would have nothing to stand on.
func (v *Verifier) judge(ctx context.Context, t task, want Want) SignatureVerdict {
	out := SignatureVerdict{Checks: make([]verdict.Check, 0, 12)}
	pass := func(name, detail string) { out.Checks = append(out.Checks, verdict.Pass(name, detail)) }
	end := func(c *verdict.Check) SignatureVerdict {
		out.Checks = append(out.Checks, *c)
		out.settle()
		return out
	}

	sig, bad := v.readSignature(t.node, t.profile)
	if bad != nil {
		if bad.Name != verdict.CheckFormat {
			pass(verdict.CheckFormat, "")
		}
		return end(bad)
	}
	pass(verdict.CheckFormat, "")
	out.Algorithm = sig.method.URI
	pass(verdict.CheckAlgorithms, sig.method.Name)

	if bad := v.checkReferences(sig, t); bad != nil {
		return end(bad)
	}
	pass(verdict.CheckReferences, "")
	if bad := v.checkDigests(sig, t, &out); bad != nil {
		return end(bad)
	}
	pass(verdict.CheckDigest, "")

	key, bad := v.findKey(sig, t, &out)
	if bad != nil {
		return end(bad)
	}
	octets := t.scope.doc.Canonical(make([]byte, 0, 1024), sig.info, sig.form)
	if v.lab != nil && v.lab.signed != nil {
		v.lab.signed(octets)
	}
	if err := sig.method.VerifyXML(key, sig.method.Digest.Sum(octets), sig.value); err != nil {
		return end(refuse(verdict.CheckSignature, verdict.SigCryptoFailure, "the signature value does not fit the signed bytes and the signer's key: %v", err))
	}
	pass(verdict.CheckSignature, "")
	if out.Certificate == nil { // a test supplied the key
		out.settle()
		return out
	}
	tokens, bad := xmlStamps(sig, t.scope.doc)
	if bad != nil {
		bad.Name = verdict.CheckTimestamp
		return end(bad)
	}
	stamps, at := v.checkStamps(ctx, tokens, func([]byte) bool { return false }, &out, want)
	chain := v.checkPerson(&out, want, at)
	out.Checks = append(out.Checks, stamps...)
	v.checkStatus(ctx, &out, chain, at)
	out.settle()
	return out
}

// checkReferences resolves every reference and asks whether what must be
// signed is among them, once.
func (v *Verifier) checkReferences(sig *xmlSignature, t task) *verdict.Check {
	for i := range sig.references {
		r := &sig.references[i]
		if bad := t.scope.resolve(r, sig, t.profile); bad != nil {
			return bad
		}
		for _, earlier := range sig.references[:i] {
			if earlier.target == r.target && t.profile.soap {
				return refuse(verdict.CheckReferences, verdict.SigConstraintsFailure, "%stwo references to one element", place(r.node))
			}
		}
		if m, ok := manifest(r.target); ok {
			if v.lab == nil || v.lab.manifest == nil || !v.lab.manifest(m) {
				return refuse(verdict.CheckReferences, verdict.SigConstraintsFailure, "%sa manifest's references are not followed, so it vouches for nothing", place(m))
			}
		}
	}
	if t.profile.soap {
		for i := range sig.references {
			if sig.references[i].target == t.body {
				return nil
			}
		}
		return refuse(verdict.CheckReferences, verdict.SigConstraintsFailure, "the soap:Body is not signed")
	}
	for i := range sig.references {
		if t.primary(sig.references[i].target) {
			return nil
		}
	}
	return refuse(verdict.CheckReferences, verdict.SigConstraintsFailure, "the signature covers nothing but itself")
}

// manifest finds a ds:Manifest that a reference is about: the target, or a
// child of the ds:Object that is the target.
func manifest(n xmltree.Node) (xmltree.Node, bool) {
	if n.Is(nsDS, "Manifest") {
		return n, true
	}
	if n.Is(nsDS, "Object") {
		for c := range n.Elements() {
			if c.Is(nsDS, "Manifest") {
				return c, true
			}
		}
	}
	return xmltree.Node{}, false
}

// primary: a part that the signer meant to sign, not one of the signature's
// own (its properties, its KeyInfo). Within an enveloping signature the
// Objects are the document.
func (t task) primary(n xmltree.Node) bool {
	switch {
	case t.profile.soap:
		return n == t.body
	case n.IsZero() || !n.Within(t.node):
		return !insideSignature(n)
	case n.Is(nsDS, "SignatureProperties"), n.Is(nsDS, "SignatureProperty"):
		return false
	default:
		root := t.scope.root
		if root.IsZero() {
			root = t.scope.doc.Root()
		}
		return t.node == root && insideObject(n, t.node)
	}
}

// insideObject: the element is an Object of the signature, or lies in one.
func insideObject(n, signature xmltree.Node) bool {
	for ; !n.IsZero() && n != signature; n = n.Parent() {
		if n.Parent() == signature {
			return n.Is(nsDS, "Object")
		}
	}
	return false
}

// insideSignature: the element lies within some ds:Signature.
func insideSignature(n xmltree.Node) bool {
	for ; !n.IsZero(); n = n.Parent() {
		if n.Is(nsDS, "Signature") {
			return true
		}
	}
	return false
}

// checkDigests digests every part. Only the octets that may become content
// are kept, those of the part that the others lie in: a message must not cost
// a copy of itself for each reference.
func (v *Verifier) checkDigests(sig *xmlSignature, t task, out *SignatureVerdict) *verdict.Check {
	w := t.work
	if w == nil {
		w = newWork(t.scope.doc)
	}
	kept := -1
	for i := range sig.references {
		r := &sig.references[i]
		if w.left < 0 {
			return refuse(verdict.CheckReferences, verdict.FormatFailure, "%sthe signatures of the document cover it more than %d times altogether", place(r.node), maxDigested)
		}
		if w.spare == nil {
			w.spare = make([]byte, 0, canonicalRoom(t.scope.doc, r.target))
		}
		octets, bad := t.scope.digest(r, w.spare)
		if v.lab != nil && v.lab.digested != nil {
			v.lab.digested(i, octets)
		}
		w.spare = octets
		w.left -= len(octets)
		if bad != nil {
			return bad
		}
		p := part{target: r.target, primary: t.primary(r.target), name: partName(t.scope.doc, r.target)}
		if p.primary && !t.outer && (kept < 0 || covers(p.target, out.parts[kept].target)) {
			p.octets, w.spare = octets, nil
			if kept >= 0 {
				w.spare, out.parts[kept].octets = out.parts[kept].octets, nil
			}
			kept = i
		}
		out.parts = append(out.parts, p)
		out.Signed = append(out.Signed, p.name)
		if t.stamp != nil && r.target == t.stamp.node {
			t.stamp.Signed = true
		}
	}
	if t.stamp != nil {
		out.Timestamp = &t.stamp.Timestamp
	}
	return nil
}

// canonicalRoom guesses how many bytes a canonical form takes, so that large
// messages are not copied while the buffer grows.
func canonicalRoom(doc *xmltree.Document, n xmltree.Node) int {
	size := len(doc.Source())
	if !n.IsZero() {
		size -= n.Offset()
	}
	return size + size/64 + 256
}

// findKey resolves KeyInfo.
func (v *Verifier) findKey(sig *xmlSignature, t task, out *SignatureVerdict) (algorithm.PublicKey, *verdict.Check) {
	if v.lab != nil && v.lab.key != nil {
		if key, ok := v.lab.key(sig.keyInfo); ok {
			return key, nil
		}
	}
	k := keyInfo{trust: v.trust(), security: t.security, doc: t.scope.doc}
	c, bad := k.certificate(sig.keyInfo)
	if bad != nil {
		return nil, bad
	}
	out.Certificate, out.others = c, k.others
	out.Checks = append(out.Checks, verdict.Pass(verdict.CheckCertificate, c.SerialHex()))
	if c.PublicKey == nil {
		return nil, refuse(verdict.CheckKey, verdict.CryptoConstraintsFailure, "the key of the certificate cannot be used: %v", c.KeyProblem)
	}
	return c.PublicKey, nil
}

// checkPerson asks what of the signer needs no network, at a time of judgement:
// chain, dates, usage, person.
func (v *Verifier) checkPerson(out *SignatureVerdict, want Want, at time.Time) []*nuc.Certificate {
	c := out.Certificate
	chain, checks := v.trust().ChainWith(c, out.others, at)
	out.proofs = []verdict.Proof{verdict.Prove(verdict.ProofSigner, c.Raw)}
	for _, authority := range chain[min(1, len(chain)):] {
		out.proofs = append(out.proofs, verdict.Prove(verdict.ProofAuthority, authority.Raw))
	}
	out.Checks = append(out.Checks, checks...)
	out.Checks = append(out.Checks, c.CheckUsage())
	if want.IIN != "" {
		out.Checks = append(out.Checks, sameNumber(verdict.CheckIIN, verdict.IINMismatch, "IIN", c.Subject.IIN, want.IIN))
	}
	if want.BIN != "" {
		out.Checks = append(out.Checks, sameNumber(verdict.CheckBIN, verdict.BINMismatch, "BIN", c.Subject.BIN, want.BIN))
	}
	return chain
}

// checkStatus asks whether the signer's certificate is revoked, if nothing
// else has failed.
func (v *Verifier) checkStatus(ctx context.Context, out *SignatureVerdict, chain []*nuc.Certificate, at time.Time) {
	if v.Revoke == RevokeOff {
		out.Checks = append(out.Checks, verdict.Check{Name: verdict.CheckRevocation, Skipped: true, Detail: "not asked for"})
		return
	}
	if outcome, _ := verdict.Sum(out.Checks); outcome != verdict.Passed {
		return // nothing that a network could add would make it pass
	}
	out.Checks = append(out.Checks, v.checkRevocation(ctx, chain, at)...)
}

func (v *Verifier) checkRevocation(ctx context.Context, chain []*nuc.Certificate, at time.Time) []verdict.Check {
	if v.Revocation == nil {
		return []verdict.Check{verdict.Unsure(verdict.CheckRevocation, verdict.TryLater, "no source of revocation information is configured")}
	}
	if len(chain) < 2 {
		return []verdict.Check{verdict.Unsure(verdict.CheckRevocation, verdict.TryLater, "there is no issuer to ask about this certificate")}
	}
	last := 1
	if v.Revoke == RevokeChain {
		last = len(chain) - 1
	}
	var out []verdict.Check
	for i := 0; i < last; i++ {
		check := v.Revocation.Check(ctx, chain[i], chain[i+1], at)
		out = append(out, check)
		if check.Outcome != verdict.Passed {
			break
		}
	}
	return out
}

// sameNumber compares a number of the certificate with the expected one. The
// certificate's own is shown, it is in the message; the expected one is not.
func sameNumber(name string, reason verdict.Reason, what, have, want string) verdict.Check {
	switch {
	case have == want:
		return verdict.Pass(name, "")
	case have == "":
		return verdict.Fail(name, reason, fmt.Sprintf("the certificate has no %s", what))
	default:
		return verdict.Fail(name, reason, fmt.Sprintf("the certificate's %s is not the expected one", what))
	}
}
