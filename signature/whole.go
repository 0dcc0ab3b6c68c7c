package signature

import (
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// Whole tells whether the verdict of XMLDSig on a document passed and every
// signature covers the whole of it, so that who goes on with the document
// itself, and not with Content, goes on with nothing that is not signed.
//
// What a signature cannot cover is its own element; there, only what the
// signature needs may stand: an Object whose content no reference is about
// would be a place for anything. A signature that is itself the root covers the
// document only if the signed Object is its one Object.
func (v *Verdict) Whole(doc *xmltree.Document) bool {
	if v == nil || v.Outcome != verdict.Passed || len(v.Signatures) == 0 {
		return false
	}
	nodes, bad := findSignatures(doc.Root())
	if bad != nil || len(nodes) != len(v.Signatures) {
		return false
	}
	for i := range v.Signatures {
		s := &v.Signatures[i]
		p, ok := s.content()
		if !ok || !s.wholeBut(nodes[i], p.target) {
			return false
		}
	}
	return true
}

// wholeBut: the signature covers everything outside its own element, and has
// nothing strange in it.
func (s *SignatureVerdict) wholeBut(node, content xmltree.Node) bool {
	if node.Parent().IsZero() {
		_, one, err := node.Child(nsDS, "Object")
		return one && err == nil && content.Is(nsDS, "Object")
	}
	if !content.IsZero() && !content.Parent().IsZero() {
		return false
	}
	for object := range node.Elements() {
		if !object.Is(nsDS, "Object") {
			continue
		}
		for c := range object.Children() {
			if c.Kind() == xmltree.KindText && !c.IsBlank() || c.Kind() == xmltree.KindElement && !s.concerns(c) {
				return false
			}
		}
	}
	return true
}

// concerns: a reference is about the element, or about something in or around
// it that lies in the signature too (the signed properties of XAdES).
func (s *SignatureVerdict) concerns(n xmltree.Node) bool {
	for _, p := range s.parts {
		if !p.target.IsZero() && !p.primary && (p.target.Within(n) || n.Within(p.target)) {
			return true
		}
	}
	return false
}
