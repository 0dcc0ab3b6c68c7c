package xmltree

import "bytes"

// parser reads d.src from pos on and appends to d.
type parser struct {
	d       *Document
	src     []byte
	pos     int
	limits  Limits
	open    int32   // the element that is open, or none
	depth   int     // how many are
	current []int32 // by number of prefix: the binding in force, or none
	room    [16]int32
}

// Parse reads one document. src must not be changed as long as the Document
// or anything taken from it is in use. The error is an *Error.
func Parse(src []byte, limits Limits) (*Document, error) {
	limits = limits.orDefault()
	d := new(Document)
	d.init()
	if len(src) > limits.Bytes {
		return nil, &Error{Code: TooLarge, Offset: limits.Bytes, Line: 1, Column: 1,
			Message: "the document has more bytes than are taken"}
	}
	if err := d.decode(src); err != nil {
		return nil, err
	}
	p := parser{d: d, src: d.src, pos: d.start, limits: limits, open: none}
	p.current = append(p.room[:0], noBinding, xmlBinding)
	d.nodes = make([]node, 0, guessNodes(d.src, limits))
	if err := p.document(); err != nil {
		return nil, err
	}
	return d, nil
}

// guessNodes counts what opens, and the texts before what opens or closes: all
// nodes but those of texts that end in ">". It saves the copying of a growing
// slice, and room that nothing would fill: "<a/>b" is the most in the fewest bytes.
func guessNodes(src []byte, limits Limits) int {
	n, most := 2, min(2*len(src)/5+2, limits.Nodes)
	for at := 0; at < len(src) && n < most; at++ {
		i := bytes.IndexByte(src[at:], '<')
		if i < 0 {
			break
		}
		if at += i; at+1 < len(src) && src[at+1] != '/' {
			n++
		}
		if at > 0 && src[at-1] != '>' {
			n++
		}
	}
	return min(n, most)
}

func (p *parser) fail(code Code, at int, message string) error { return p.d.fail(code, at, message) }

// peek is the byte at i, or NUL, which is never allowed, behind the end.
func (p *parser) peek(i int) byte {
	if i < len(p.src) {
		return p.src[i]
	}
	return 0
}

func (p *parser) spaces(i int) int {
	for i < len(p.src) && class[p.src[i]]&cSpace != 0 {
		i++
	}
	return i
}

// document is production [1], without a document type declaration.
func (p *parser) document() error {
	if err := p.declaration(); err != nil {
		return err
	}
	for {
		if p.open != none {
			if err := p.text(); err != nil {
				return err
			}
		} else {
			p.pos = p.spaces(p.pos)
		}
		if p.pos == len(p.src) {
			break
		}
		if p.src[p.pos] != '<' {
			return p.stray()
		}
		var err error
		switch p.peek(p.pos + 1) {
		case '/':
			err = p.endTag()
		case '!':
			err = p.bang()
		case '?':
			err = p.instruction()
		default:
			err = p.startTag()
		}
		if err != nil {
			return err
		}
	}
	if p.open != none {
		return p.fail(Unclosed, len(p.src), "the document ends before its root element does")
	}
	if p.d.root == none {
		return p.fail(NoRoot, len(p.src), "the document has no element")
	}
	return nil
}

// stray explains what stands outside the root and is no markup.
func (p *parser) stray() error {
	switch c := p.src[p.pos]; {
	case class[c]&cBad != 0 || c >= 0x80 && charLen(p.src[p.pos:]) == 0:
		return p.badCharacter(p.pos)
	case p.d.root == none:
		return p.fail(TextOutsideRoot, p.pos, "there is text before the root element; is this XML?")
	default:
		return p.fail(TextOutsideRoot, p.pos, "there is text after the root element")
	}
}

// badCharacter tells broken octets from characters that XML does not allow.
func (p *parser) badCharacter(at int) error {
	if at >= len(p.src) {
		return p.fail(Unclosed, at, "the document ends in the middle of markup")
	}
	switch c := p.src[at]; {
	case c == 0:
		return p.fail(BadCharacter, at, "there is a NUL octet; XML does not allow it")
	case c < 0x80:
		return p.fail(BadCharacter, at, "there is a control character that XML does not allow")
	case !validRune(p.src[at:]):
		return p.fail(BadEncoding, at, "the octets here are not UTF-8")
	default:
		return p.fail(BadCharacter, at, "there is a character that XML does not allow")
	}
}

// add appends a node as the last child of the open element.
func (p *parser) add(n node) error {
	if len(p.d.nodes) >= p.limits.Nodes {
		return p.fail(TooManyNodes, int(n.start), "the document has more nodes than are taken")
	}
	n.parent = p.open
	n.end = int32(len(p.d.nodes)) + 1
	n.attr, n.decl = uint32(len(p.d.attrs)), uint32(len(p.d.bindings))
	p.d.nodes = append(p.d.nodes, n)
	return nil
}

// skip gives the first byte from i on whose class has one of the bits: eight at
// a time, since attachments are long runs of plain characters.
func skip(src []byte, i int, bits uint8) int {
	for i+8 <= len(src) {
		b := src[i : i+8 : i+8]
		if (class[b[0]]|class[b[1]]|class[b[2]]|class[b[3]]|class[b[4]]|class[b[5]]|class[b[6]]|class[b[7]])&bits != 0 {
			break
		}
		i += 8
	}
	for i < len(src) && class[src[i]]&bits == 0 {
		i++
	}
	return i
}

// text reads character data and references up to the next "<".
func (p *parser) text() error {
	src, i, f := p.src, p.pos, flags(0)
	for i < len(src) {
		c := src[i]
		if class[c]&cText == 0 {
			i = skip(src, i+1, cText)
			continue
		}
		if c == '<' {
			break
		}
		switch {
		case c >= 0xC2 && c < 0xE0 && i+1 < len(src) && src[i+1]&0xC0 == 0x80: // as charLen has it
			i += 2
		case c >= 0x80:
			n := charLen(src[i:])
			if n == 0 {
				return p.badCharacter(i)
			}
			i += n
		case c == '&':
			_, n := reference(src[i:])
			if n == 0 {
				return p.badReference(i)
			}
			f |= coded | escaped
			i += n
		case c == '\r':
			f |= coded | escaped
			i++
		case c == '>':
			f |= escaped
			i++
		case c == ']':
			if p.peek(i+1) == ']' && p.peek(i+2) == '>' {
				return p.fail(BadCDATA, i, "the end mark of a CDATA section stands in text")
			}
			i++
		default:
			return p.badCharacter(i)
		}
	}
	if i == p.pos {
		return nil
	}
	start := p.pos
	p.pos = i
	return p.add(node{kind: KindText, start: uint32(start), stop: uint32(i), flags: f})
}
