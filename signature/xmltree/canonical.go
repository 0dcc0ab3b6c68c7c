package xmltree

import (
	"bytes"
	"slices"
)

// Method is a family of canonical forms. The zero value is none.
type Method uint8

// The methods.
const (
	Inclusive10 Method = iota + 1 // http://www.w3.org/TR/2001/REC-xml-c14n-20010315
	Inclusive11                   // http://www.w3.org/2006/12/xml-c14n11
	Exclusive                     // http://www.w3.org/2001/10/xml-exc-c14n#
)

// C14N is one canonicalisation.
type C14N struct {
	Kind     Method
	Comments bool // keep comments (#WithComments)
	// Prefixes is the InclusiveNamespaces PrefixList of Exclusive, with
	// "#default" for the default namespace. Unknown and repeated ones do no harm.
	Prefixes []string
}

// Canonical appends the canonical form of n's subtree to dst and returns it;
// of the whole document, with what stands beside the root, if n is the zero
// Node. The subtrees of without are left out (enveloped signatures).
//
// It panics if m names no method or a node is of another document: both are
// faults of the program, not of the input.
func (d *Document) Canonical(dst []byte, n Node, m C14N, without ...Node) []byte {
	if m.Kind < Inclusive10 || m.Kind > Exclusive {
		panic("xmltree: canonicalisation without a method")
	}
	w := writer{d: d, dst: dst, m: m, apex: none}
	w.setWithout(without)
	if n.d == nil {
		w.whole()
		return w.dst
	}
	if n.d != d {
		panic("xmltree: canonicalisation of another document's node")
	}
	if w.isLeftOut(n.i) {
		return w.dst
	}
	w.apex = n.i
	w.prepare()
	w.subtree(n.i)
	return w.dst
}

// writer is the state of one canonicalisation.
type writer struct {
	d    *Document
	dst  []byte
	m    C14N
	apex int32

	without []int32 // in document order, none within another

	// Exclusive only. What the output has declared: by number of prefix, the
	// number of the namespace name.
	rendered  []int32
	undo      []rendering // what to restore at the end of elements
	inclusive []bool      // by number of prefix: is in the PrefixList
	listed    bool        // any is
	fresh     []int32     // bindings to render in the current tag
	room      [16]int32
	undoRoom  [32]rendering
	freshRoom [8]int32
}

// rendering is a namespace that the tag of node replaced in rendered.
type rendering struct {
	node, prefix, uri int32
}

func (w *writer) setWithout(without []Node) {
	for _, n := range without {
		if n.d == nil {
			continue
		}
		if n.d != w.d {
			panic("xmltree: canonicalisation without another document's node")
		}
		w.without = append(w.without, n.i)
	}
	slices.Sort(w.without)
}

// isLeftOut says whether i lies in one of the subtrees left out.
func (w *writer) isLeftOut(i int32) bool {
	for _, o := range w.without {
		if i >= o && i < w.d.nodes[o].end {
			return true
		}
	}
	return false
}

// whole writes the document: every node beside the root on a line of its own.
func (w *writer) whole() {
	w.apex = w.d.root
	w.prepare()
	for i := int32(0); i < int32(len(w.d.nodes)); i = w.d.nodes[i].end {
		if n := &w.d.nodes[i]; n.kind == KindComment && !w.m.Comments || w.isLeftOut(i) {
			continue
		}
		if i > w.d.root {
			w.dst = append(w.dst, '\n')
		}
		w.subtree(i)
		if i < w.d.root {
			w.dst = append(w.dst, '\n')
		}
	}
}

// subtree writes a node and what is in it.
func (w *writer) subtree(first int32) {
	nodes := w.d.nodes
	end := nodes[first].end
	open := none // the innermost element whose end-tag is due
	next := w.without
	for i := first; i < end; {
		for open != none && i >= nodes[open].end {
			open = w.endTag(open, first)
		}
		for len(next) > 0 && next[0] < i {
			next = next[1:]
		}
		if len(next) > 0 && next[0] == i {
			i = nodes[i].end
			continue
		}
		n := &nodes[i]
		switch n.kind {
		case KindElement:
			w.startTag(i)
			open = i
		case KindText:
			w.text(n)
		case KindComment:
			if w.m.Comments {
				w.dst = append(w.dst, "<!--"...)
				w.verbatim(n.start, n.stop, n.flags)
				w.dst = append(w.dst, "-->"...)
			}
		case KindPI:
			w.dst = append(w.dst, "<?"...)
			w.dst = append(w.dst, w.d.src[n.start:n.start+uint32(n.plen)]...)
			if uint32(n.bind) < n.stop {
				w.dst = append(w.dst, ' ')
				w.verbatim(uint32(n.bind), n.stop, n.flags)
			}
			w.dst = append(w.dst, "?>"...)
		}
		i++
	}
	for open != none {
		open = w.endTag(open, first)
	}
}

// endTag writes the end-tag of i and gives the element around it, none if i is
// the outermost that is written.
func (w *writer) endTag(i, first int32) int32 {
	n := &w.d.nodes[i]
	w.dst = append(w.dst, '<', '/')
	w.dst = append(w.dst, w.d.src[n.start:n.stop]...)
	w.dst = append(w.dst, '>')
	for k := len(w.undo); k > 0 && w.undo[k-1].node == i; k-- {
		w.rendered[w.undo[k-1].prefix] = w.undo[k-1].uri
		w.undo = w.undo[:k-1]
	}
	if i == first {
		return none
	}
	return n.parent
}

// startTag writes name, namespace declarations and attributes, in that order.
func (w *writer) startTag(i int32) {
	d, n := w.d, &w.d.nodes[i]
	w.dst = append(w.dst, '<')
	w.dst = append(w.dst, d.src[n.start:n.stop]...)
	switch {
	case w.m.Kind == Exclusive:
		w.exclusiveDeclarations(i)
	case i == w.apex:
		w.scope(i)
	default:
		for k := n.decl; k < n.decl+uint32(n.ndecl); k++ {
			if !d.bindings[k].idle {
				w.declaration(&d.bindings[k])
			}
		}
	}
	if i == w.apex && w.m.Kind != Exclusive && n.parent != none {
		w.attributesWithInherited(i)
	} else {
		attrs := d.attrs[n.attr : n.attr+uint32(n.nattr)]
		for k := range attrs {
			w.attribute(&attrs[k])
		}
	}
	w.dst = append(w.dst, '>')
}

// declaration writes one namespace declaration.
func (w *writer) declaration(b *binding) {
	w.dst = append(w.dst, " xmlns"...)
	if b.prefix != noPrefix {
		w.dst = append(w.dst, ':')
		w.dst = append(w.dst, w.d.prefixes.list[b.prefix]...)
	}
	w.dst = append(w.dst, '=', '"')
	w.dst = appendAttributeValue(w.dst, w.d.uris.list[b.uri])
	w.dst = append(w.dst, '"')
}

// attribute writes one attribute.
func (w *writer) attribute(a *attribute) {
	w.dst = append(w.dst, ' ')
	w.dst = append(w.dst, w.d.src[a.name:a.name+uint32(a.nlen)]...)
	w.dst = append(w.dst, '=', '"')
	raw := w.d.src[a.value : a.value+a.vlen]
	if a.flags&escaped == 0 {
		w.dst = append(w.dst, raw...)
	} else {
		w.dst = appendCanonicalAttribute(w.dst, raw)
	}
	w.dst = append(w.dst, '"')
}

// text writes character data or a CDATA section.
func (w *writer) text(n *node) {
	raw := w.d.src[n.start:n.stop]
	if n.flags&escaped == 0 {
		w.dst = append(w.dst, raw...)
		return
	}
	w.dst = appendCanonicalText(w.dst, raw, n.flags&verbatim != 0)
}

// verbatim writes the content of a comment or processing instruction, in
// which only line ends change.
func (w *writer) verbatim(start, stop uint32, f flags) {
	raw := w.d.src[start:stop]
	if f&coded == 0 {
		w.dst = append(w.dst, raw...)
		return
	}
	w.dst = appendValue(w.dst, raw, false, true)
}

// scope writes the namespaces in scope at the outermost element of an
// inclusive form: the nearest declaration of each prefix.
func (w *writer) scope(i int32) {
	for _, k := range w.d.inScope(i, nil) {
		w.declaration(&w.d.bindings[k])
	}
}

// inScope gives the bindings in force at element i, ordered by prefix,
// without the prefix xml and an empty default namespace.
func (d *Document) inScope(i int32, wanted []bool) []int32 {
	seen := make([]bool, len(d.prefixes.list))
	var found []int32
	for ; i != none; i = d.nodes[i].parent {
		n := &d.nodes[i]
		for k := n.decl; k < n.decl+uint32(n.ndecl); k++ {
			b := &d.bindings[k]
			if seen[b.prefix] || wanted != nil && !wanted[b.prefix] {
				continue
			}
			seen[b.prefix] = true
			if b.uri != noURI && b.prefix != xmlPrefix {
				found = append(found, int32(k))
			}
		}
	}
	slices.SortFunc(found, d.comparePrefixes)
	return found
}

func (d *Document) comparePrefixes(a, b int32) int {
	return bytes.Compare(d.prefixes.list[d.bindings[a].prefix], d.prefixes.list[d.bindings[b].prefix])
}
