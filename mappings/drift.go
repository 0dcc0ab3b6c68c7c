package mappings

import (
	"slices"

	"kopir/signature/xmltree"
)

// DriftKind says how a document departs from its description.
type DriftKind string

// The kinds. None is a ground for refusal by itself: request.strict makes one
// of the first three, and a field's code list of the fourth unless it is open.
const (
	DriftElement   DriftKind = "element"   // one that the description does not know
	DriftAttribute DriftKind = "attribute" // the same of an attribute
	DriftNamespace DriftKind = "namespace" // a known element in another namespace: it is read
	DriftCode      DriftKind = "code"      // one that the list does not have
	DriftForm      DriftKind = "form"      // data carried otherwise than described; found by the bridge
)

// DriftKinds is the closed list.
func DriftKinds() []DriftKind {
	return []DriftKind{DriftElement, DriftAttribute, DriftNamespace, DriftCode, DriftForm}
}

// Drift is one place where a document departs from its description. It never
// holds a value.
type Drift struct {
	Kind DriftKind `json:"kind"`
	Path string    `json:"path"`
}

const (
	maxDrift     = 100       // places told of one document
	maxDriftPath = 200       // characters of a path, whose names strangers choose
	maxStrange   = 64 * 1024 // bytes of unknown elements kept beside an application; the message has all
)

// drift notes a departure, and keeps the element where it is unknown.
func (r *reader) drift(kind DriftKind, path string, e xmltree.Node) {
	if runes := []rune(path); len(runes) > maxDriftPath {
		path = string(runes[:maxDriftPath]) + "…"
	}
	d := Drift{kind, path}
	if len(r.out.Drift) < maxDrift && !slices.Contains(r.out.Drift, d) {
		r.out.Drift = append(r.out.Drift, d)
		if r.s.Request.Strict && kind != DriftCode {
			r.fault("", path, "unknown-element", Text{Ru: path, Kk: path, En: path})
		}
	}
	if kind == DriftElement && len(r.out.Strange) < maxStrange {
		one := e.Document().Canonical(nil, e, xmltree.C14N{Kind: xmltree.Exclusive})
		if len(r.out.Strange)+len(one) < maxStrange {
			r.out.Strange = append(append(r.out.Strange, one...), '\n')
		}
	}
}

// renamed finds the branch of an element that bears a known name in another
// namespace: the only one of that name, and none is there as it should be.
func renamed(parent, e xmltree.Node, b *branch) *branch {
	var only *branch
	for _, c := range b.children {
		if c.local != e.Local() {
			continue
		}
		if only != nil {
			return nil
		}
		only = c
	}
	if only == nil {
		return nil
	}
	if _, there, err := parent.Child(only.space, only.local); there || err != nil {
		return nil
	}
	return only
}
