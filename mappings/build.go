package mappings

import (
	"bytes"
	"strings"
)

// builder puts elements into an outgoing document by their paths. Such a
// document has elements, text and the root's namespaces and nothing else, so it
// is written as a list of elements: a library's tree takes longer to make than
// the document takes to read.
type builder struct {
	elements []element // the root first
	head     string    // of the root: its name with the namespaces
}

// element is one element; children are linked by their places in the list, 0
// being none.
type element struct {
	name, text        string
	first, last, next int
}

func newBuilder(d Data) *builder {
	name := d.Root.Name
	var head strings.Builder
	declare := func(prefix, space string) {
		head.WriteString(" xmlns")
		if prefix != "" {
			head.WriteString(":" + prefix)
		}
		head.WriteString(`="`)
		attributeText.WriteString(&head, space)
		head.WriteByte('"')
	}
	if d.Root.NS != "" {
		declare(d.Root.Prefix, d.Root.NS)
		if d.Root.Prefix != "" {
			name = d.Root.Prefix + ":" + name
		}
	}
	for _, p := range d.Namespaces {
		if p.Prefix != d.Root.Prefix || d.Root.NS == "" {
			declare(p.Prefix, p.NS)
		}
	}
	b := &builder{elements: make([]element, 1, 48), head: name + head.String()}
	b.elements[0].name = name
	return b
}

// set gives the element of a path its text; elements on the way that are not
// there are made.
func (b *builder) set(path, value string) { b.elements[b.at(path, false)].text = value }

// add makes a new last element of a path even where one exists, and gives its place.
func (b *builder) add(path string) int { return b.at(path, true) }

// child makes a last child of an element.
func (b *builder) child(parent int, name, text string) int {
	i := len(b.elements)
	b.elements = append(b.elements, element{name: name, text: text})
	if p := &b.elements[parent]; p.first == 0 {
		p.first, p.last = i, i
	} else {
		b.elements[p.last].next = i
		p.last = i
	}
	return i
}

// at finds the last element of a path, or makes it.
func (b *builder) at(path string, fresh bool) int {
	at := 0
	for more := true; more; {
		var name string
		name, path, more = strings.Cut(path, "/")
		found := 0
		if more || !fresh {
			for c := b.elements[at].first; c != 0; c = b.elements[c].next {
				if b.elements[c].name == name {
					found = c
				}
			}
		}
		if found == 0 {
			found = b.child(at, name, "")
		}
		at = found
	}
	return at
}

// What is written comes out of a canonicaliser as it went in.
var (
	elementText   = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")
	attributeText = strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;", "\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;")
)

// bytes writes the document.
func (b *builder) bytes() []byte {
	size := 0
	for i := range b.elements {
		size += 2*len(b.elements[i].name) + len(b.elements[i].text) + 8
	}
	var out bytes.Buffer
	out.Grow(size + len(b.head))
	b.write(&out, 0)
	return out.Bytes()
}

func (b *builder) write(out *bytes.Buffer, i int) {
	e := &b.elements[i]
	out.WriteByte('<')
	if i == 0 {
		out.WriteString(b.head)
	} else {
		out.WriteString(e.name)
	}
	if e.text == "" && e.first == 0 {
		out.WriteString("/>")
		return
	}
	out.WriteByte('>')
	if strings.ContainsAny(e.text, "&<>\r") {
		elementText.WriteString(out, e.text)
	} else {
		out.WriteString(e.text)
	}
	for c := e.first; c != 0; c = b.elements[c].next {
		b.write(out, c)
	}
	out.WriteString("</")
	out.WriteString(e.name)
	out.WriteByte('>')
}
