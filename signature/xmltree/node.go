package xmltree

import (
	"bytes"
	"iter"
	"strings"
)

// Kind is what a node is. The zero value is no node.
type Kind uint8

// The kinds.
const (
	KindNone Kind = iota
	KindElement
	KindText // character data, or one CDATA section
	KindComment
	KindPI
)

// Node is a handle on one node of a Document. Handles may be copied and
// compared with ==. The zero Node is no node: it has no name, no content, no
// children, and canonicalises to nothing but itself: see Document.Canonical.
type Node struct {
	d *Document
	i int32
}

func (n Node) rec() *node { return &n.d.nodes[n.i] }

// IsZero says whether n is no node.
func (n Node) IsZero() bool { return n.d == nil }

// Document is the tree that n belongs to.
func (n Node) Document() *Document { return n.d }

// Kind is what n is.
func (n Node) Kind() Kind {
	if n.d == nil {
		return KindNone
	}
	return n.rec().kind
}

func (n Node) isElement() bool { return n.d != nil && n.rec().kind == KindElement }

func (n Node) name() []byte {
	if !n.isElement() {
		return nil
	}
	r := n.rec()
	return n.d.src[r.start:r.stop]
}

func (n Node) localName() []byte {
	name := n.name()
	if len(name) == 0 {
		return nil
	}
	if plen := n.rec().plen; plen > 0 {
		return name[plen+1:]
	}
	return name
}

// Local is an element's name without the prefix; a processing instruction's target.
func (n Node) Local() string {
	if n.Kind() == KindPI {
		r := n.rec()
		return string(n.d.src[r.start : r.start+uint32(r.plen)])
	}
	return string(n.localName())
}

// Prefix is the prefix of an element's name, empty if it has none.
func (n Node) Prefix() string {
	if !n.isElement() {
		return ""
	}
	return string(n.name()[:n.rec().plen])
}

// Space is the namespace of an element's name, empty if it has none.
func (n Node) Space() string {
	if !n.isElement() {
		return ""
	}
	return string(n.d.uri(n.rec().bind))
}

// Is says whether n is the element of that namespace and local name. It
// allocates nothing.
func (n Node) Is(space, local string) bool {
	return n.isElement() && string(n.localName()) == local && string(n.d.uri(n.rec().bind)) == space
}

func (d *Document) uri(bind int32) []byte { return d.uris.list[d.bindings[bind].uri] }

// Parent is the element around n, zero for the root and what stands beside it.
func (n Node) Parent() Node {
	if n.d == nil || n.rec().parent == none {
		return Node{}
	}
	return Node{n.d, n.rec().parent}
}

// Within says whether n is outer or lies in it.
func (n Node) Within(outer Node) bool {
	return n.d != nil && n.d == outer.d && n.i >= outer.i && n.i < outer.rec().end
}

// Children are the nodes directly in n, in document order.
func (n Node) Children() iter.Seq[Node] {
	return func(yield func(Node) bool) {
		if n.d == nil {
			return
		}
		for i, end := n.i+1, n.rec().end; i < end; i = n.d.nodes[i].end {
			if !yield(Node{n.d, i}) {
				return
			}
		}
	}
}

// Elements are the elements directly in n, in document order.
func (n Node) Elements() iter.Seq[Node] {
	return func(yield func(Node) bool) {
		if n.d == nil {
			return
		}
		for i, end := n.i+1, n.rec().end; i < end; i = n.d.nodes[i].end {
			if n.d.nodes[i].kind == KindElement && !yield(Node{n.d, i}) {
				return
			}
		}
	}
}

// Descendants are n's elements at any depth, n itself left out, in document order.
func (n Node) Descendants() iter.Seq[Node] {
	return func(yield func(Node) bool) {
		if n.d == nil {
			return
		}
		for i, end := n.i+1, n.rec().end; i < end; i++ {
			if n.d.nodes[i].kind == KindElement && !yield(Node{n.d, i}) {
				return
			}
		}
	}
}

// HasElements says whether any element lies directly in n.
func (n Node) HasElements() bool {
	for range n.Elements() {
		return true
	}
	return false
}

// Child is the element of that name directly in n; ok is false if there is
// none. More than one is an error with the code Repeated, and no node: which
// one is meant must not depend on who reads.
func (n Node) Child(space, local string) (child Node, ok bool, err error) {
	for e := range n.Elements() {
		if !e.Is(space, local) {
			continue
		}
		if ok {
			return Node{}, false, n.d.fail(Repeated, int(e.rec().start)-1,
				"the element "+local+" stands more than once in "+n.Local())
		}
		child, ok = e, true
	}
	return child, ok, nil
}

// Attr is one attribute that is not a namespace declaration.
type Attr struct {
	Space, Prefix, Local, Value string
}

func (d *Document) local(a *attribute) []byte {
	name := d.src[a.name : a.name+uint32(a.nlen)]
	if a.plen > 0 {
		return name[a.plen+1:]
	}
	return name
}

func (n Node) attributes() []attribute {
	if !n.isElement() {
		return nil
	}
	r := n.rec()
	return n.d.attrs[r.attr : r.attr+uint32(r.nattr)]
}

// Attr is the value of the attribute of that namespace (empty: without a
// prefix) and local name.
func (n Node) Attr(space, local string) (value string, ok bool) {
	attrs := n.attributes()
	for i := range attrs {
		a := &attrs[i]
		if string(n.d.local(a)) == local && string(n.d.uri(a.bind)) == space {
			return string(n.d.valueOf(a)), true
		}
	}
	return "", false
}

// Attrs are the attributes ordered by namespace, then by local name.
// Namespace declarations are not among them.
func (n Node) Attrs() iter.Seq[Attr] {
	return func(yield func(Attr) bool) {
		attrs := n.attributes()
		for i := range attrs {
			a := &attrs[i]
			if !yield(Attr{
				Space:  string(n.d.uri(a.bind)),
				Prefix: string(n.d.src[a.name : a.name+uint32(a.plen)]),
				Local:  string(n.d.local(a)),
				Value:  string(n.d.valueOf(a)),
			}) {
				return
			}
		}
	}
}

// valueOf is an attribute's value, in the source where it stands there as it is.
func (d *Document) valueOf(a *attribute) []byte {
	raw := d.src[a.value : a.value+a.vlen]
	if a.flags&coded == 0 {
		return raw
	}
	return appendValue(make([]byte, 0, len(raw)), raw, true, false)
}

// Namespace is the namespace that the prefix (empty: the default) stands for
// at n. ok is false if the prefix is not declared; without a default
// namespace, the empty prefix gives "" and true.
func (n Node) Namespace(prefix string) (uri string, ok bool) {
	switch {
	case n.d == nil:
		return "", false
	case prefix == "xml":
		return XMLNamespace, true
	}
	number := n.d.prefixes.find([]byte(prefix))
	if number >= 0 {
		for i := n.i; i != none; i = n.d.nodes[i].parent {
			for _, b := range n.d.declared(i) {
				if b.prefix == number {
					return string(n.d.uris.list[b.uri]), true
				}
			}
		}
	}
	return "", prefix == ""
}

// declared are the namespace declarations in the start-tag of an element.
func (d *Document) declared(i int32) []binding {
	n := &d.nodes[i]
	return d.bindings[n.decl : n.decl+uint32(n.ndecl)]
}

// Text is the character data directly in an element, joined across comments,
// processing instructions and CDATA sections: whole, whatever stands between.
// That of child elements is not in it. Of a text, comment or processing
// instruction it is the content.
func (n Node) Text() string { return string(n.TextBytes()) }

// TextBytes is Text without copying where the text stands in the source as it
// is. The bytes must not be changed.
func (n Node) TextBytes() []byte {
	if n.d == nil {
		return nil
	}
	if n.rec().kind != KindElement {
		return n.d.content(nil, n.i)
	}
	first, size, count := none, 0, 0
	for c := range n.Children() {
		if r := c.rec(); r.kind == KindText {
			if count++; count == 1 {
				first = c.i
			}
			size += int(r.stop - r.start)
		}
	}
	switch count {
	case 0:
		return nil
	case 1:
		return n.d.content(nil, first)
	}
	out := make([]byte, 0, size)
	for c := range n.Children() {
		if c.rec().kind == KindText {
			out = n.d.content(out, c.i)
		}
	}
	return out
}

// content appends the content of a node that is no element to dst; with dst
// nil it may be in the source.
func (d *Document) content(dst []byte, i int32) []byte {
	r := &d.nodes[i]
	raw := d.src[r.start:r.stop:r.stop]
	if r.kind == KindPI {
		raw = d.src[r.bind:r.stop:r.stop]
	}
	switch {
	case r.flags&coded != 0:
		if dst == nil {
			dst = make([]byte, 0, len(raw))
		}
		return appendValue(dst, raw, false, r.kind != KindText || r.flags&verbatim != 0)
	case dst == nil:
		return raw
	default:
		return append(dst, raw...)
	}
}

// Offset is where n begins in Document.Source.
func (n Node) Offset() int {
	if n.d == nil {
		return 0
	}
	r := n.rec()
	switch {
	case r.kind == KindElement:
		return int(r.start) - 1
	case r.kind == KindComment:
		return int(r.start) - len("<!--")
	case r.kind == KindPI:
		return int(r.start) - len("<?")
	case r.flags&verbatim != 0:
		return int(r.start) - len("<![CDATA[")
	default:
		return int(r.start)
	}
}

// Line is the line on which n begins, from 1. It is counted anew each time.
func (n Node) Line() int {
	if n.d == nil {
		return 0
	}
	line, _ := place(n.d.src[n.d.start:n.Offset()])
	return line
}

// Path is the local names from the root to n, for error messages:
// Envelope/Body/SendMessage.
func (n Node) Path() string {
	var names []string
	for ; n.d != nil; n = n.Parent() {
		if n.isElement() {
			names = append(names, n.Local())
		}
	}
	for i, j := 0, len(names)-1; i < j; i, j = i+1, j-1 {
		names[i], names[j] = names[j], names[i]
	}
	return strings.Join(names, "/")
}

// IsBlank says whether n is a text of white space only.
func (n Node) IsBlank() bool {
	return n.Kind() == KindText && len(bytes.Trim(n.TextBytes(), " \t\r\n")) == 0
}
