package signature

import (
	"bytes"
	"errors"
	"fmt"

	"kopir/signature/xmltree"
)

// insertion is text to put into a document at an offset. Nothing else of the
// document is touched: what was there is signed as it stands.
type insertion struct {
	at   int
	cut  int // bytes of the source that the text replaces
	text string
}

// splice makes the insertions, which must be in ascending order.
func splice(src []byte, list ...insertion) []byte {
	size := len(src)
	for _, i := range list {
		size += len(i.text) - i.cut
	}
	out := make([]byte, 0, size)
	from := 0
	for _, i := range list {
		out = append(out, src[from:i.at]...)
		out = append(out, i.text...)
		from = i.at + i.cut
	}
	return append(out, src[from:]...)
}

// qname is the element's name as it is written.
func qname(n xmltree.Node) string {
	if p := n.Prefix(); p != "" {
		return p + ":" + n.Local()
	}
	return n.Local()
}

// afterName is the offset behind the element's name in its start-tag.
func afterName(n xmltree.Node) int { return n.Offset() + 1 + len(qname(n)) }

// startTagEnd is the offset of the > that ends the element's start-tag, and
// whether it is an empty-element tag.
func startTagEnd(n xmltree.Node) (at int, empty bool) {
	src := n.Document().Source()
	var quote byte
	for i := afterName(n); i < len(src); i++ {
		switch c := src[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i, src[i-1] == '/'
		}
	}
	return len(src), false // the tree exists, so the tag ends
}

// firstIn is the insertion of text as the element's first content.
func firstIn(n xmltree.Node, text string) insertion {
	at, empty := startTagEnd(n)
	if empty {
		return insertion{at: at - 1, cut: 2, text: ">" + text + "</" + qname(n) + ">"}
	}
	return insertion{at: at + 1, text: text}
}

// lastInRoot is the insertion of text as the last content of the root. After
// the root's end-tag only comments and processing instructions can follow,
// and those may hold something that looks like the tag.
func lastInRoot(doc *xmltree.Document, text string) (insertion, error) {
	root, src := doc.Root(), doc.Source()
	if at, empty := startTagEnd(root); empty {
		return insertion{at: at - 1, cut: 2, text: ">" + text + "</" + qname(root) + ">"}, nil
	}
	tag := []byte("</" + qname(root))
	for end := len(src); ; {
		at := bytes.LastIndex(src[:end], tag)
		if at < 0 {
			return insertion{}, errors.New("the root's end-tag is not found")
		}
		if rest := bytes.TrimLeft(src[at+len(tag):], " \t\r\n"); len(rest) > 0 && rest[0] == '>' && onlyMisc(rest[1:]) {
			return insertion{at: at, text: text}, nil
		}
		end = at
	}
}

// onlyMisc: production [27] of XML 1.0, as often as it comes.
func onlyMisc(b []byte) bool {
	for {
		b = bytes.TrimLeft(b, " \t\r\n")
		var end []byte
		switch {
		case len(b) == 0:
			return true
		case bytes.HasPrefix(b, []byte("<!--")):
			b, end = b[4:], []byte("-->")
		case bytes.HasPrefix(b, []byte("<?")):
			b, end = b[2:], []byte("?>")
		default:
			return false
		}
		i := bytes.Index(b, end)
		if i < 0 {
			return false
		}
		b = b[i+len(end):]
	}
}

// declaredPrefix is a prefix under which the namespace can be used in the
// element's start-tag, and the declaration to write there: none if it is in
// scope already.
func declaredPrefix(n xmltree.Node, prefix, space string) (use, declaration string) {
	for i := 0; ; i++ {
		use = prefix
		if i > 0 {
			use = fmt.Sprintf("%s%d", prefix, i)
		}
		switch uri, ok := n.Namespace(use); {
		case ok && uri == space:
			return use, ""
		case !ok:
			return use, " xmlns:" + use + `="` + space + `"`
		}
	}
}
