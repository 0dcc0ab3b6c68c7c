package xmltree

import (
	"bytes"
	"unicode/utf8"
)

// name reads an NCName at i and gives the offset behind it, or i if there is none.
func (p *parser) name(i int) int {
	src := p.src
	if i >= len(src) {
		return i
	}
	if c := src[i]; class[c]&cStart == 0 {
		if c < 0x80 {
			return i
		}
		r, n := utf8.DecodeRune(src[i:])
		if !isNameStart(r) || n == 1 {
			return i
		}
		i += n
	}
	for i < len(src) {
		c := src[i]
		if class[c]&cName != 0 {
			i++
			continue
		}
		if c < 0x80 {
			break
		}
		r, n := utf8.DecodeRune(src[i:])
		if !isName(r) || n == 1 {
			break
		}
		i += n
	}
	return i
}

// qname reads a QName at i; plen is the length of its prefix.
func (p *parser) qname(i int) (end, plen int, err error) {
	end = p.name(i)
	if end == i {
		return 0, 0, p.badName(i)
	}
	if p.peek(end) == ':' {
		plen = end - i
		local := end + 1
		if end = p.name(local); end == local {
			return 0, 0, p.badName(local)
		}
		if p.peek(end) == ':' {
			return 0, 0, p.fail(BadName, end, "a name has more than one colon")
		}
	}
	if end-i > p.limits.NameLength {
		return 0, 0, p.fail(NameTooLong, i, "a name is longer than is taken")
	}
	return end, plen, nil
}

func (p *parser) badName(at int) error {
	switch c := p.peek(at); {
	case at >= len(p.src), class[c]&cBad != 0, c >= 0x80 && charLen(p.src[at:]) == 0:
		return p.badCharacter(at)
	case c == ':':
		return p.fail(BadName, at, "a name begins or ends with a colon")
	default:
		return p.fail(BadName, at, "a name is expected here")
	}
}

// startTag reads a start-tag or an empty-element tag.
func (p *parser) startTag() error {
	d, at := p.d, p.pos
	i, plen, err := p.qname(at + 1)
	if err != nil {
		return err
	}
	if p.open == none && d.root != none {
		return p.fail(SeveralRoots, at, "there is a second root element")
	}
	if p.depth >= p.limits.Depth {
		return p.fail(TooDeep, at, "elements are nested deeper than is taken")
	}
	if err := p.add(node{kind: KindElement, start: uint32(at + 1), stop: uint32(i), plen: uint16(plen)}); err != nil {
		return err
	}
	self := int32(len(d.nodes) - 1)
	empty := false
	for {
		next := p.spaces(i)
		switch p.peek(next) {
		case '>':
			p.pos = next + 1
		case '/':
			if p.peek(next+1) != '>' {
				return p.badTag(next + 1)
			}
			empty = true
			p.pos = next + 2
		default:
			if next == i {
				return p.badTag(next)
			}
			if i, err = p.attribute(self, next); err != nil {
				return err
			}
			continue
		}
		break
	}
	if err := p.settle(self); err != nil {
		return err
	}
	if d.root == none {
		d.root = self
	}
	p.open = self
	p.depth++
	if empty {
		p.close()
	}
	return nil
}

func (p *parser) badTag(at int) error {
	c := p.peek(at)
	if at >= len(p.src) || class[c]&cBad != 0 || c >= 0x80 && charLen(p.src[at:]) == 0 {
		return p.badCharacter(at)
	}
	return p.fail(BadTag, at, "a tag is malformed here")
}

// attribute reads one attribute or namespace declaration of the element self.
func (p *parser) attribute(self int32, at int) (next int, err error) {
	d, n := p.d, &p.d.nodes[self]
	if len(d.attrs)-int(n.attr)+len(d.bindings)-int(n.decl) >= p.limits.Attributes {
		return 0, p.fail(TooManyAttributes, at, "an element has more attributes than are taken")
	}
	end, plen, err := p.qname(at)
	if err != nil {
		return 0, err
	}
	i := p.spaces(end)
	if p.peek(i) != '=' {
		return 0, p.badAttribute(i, "an attribute has no value")
	}
	i = p.spaces(i + 1)
	quote := p.peek(i)
	if quote != '"' && quote != '\'' {
		return 0, p.badAttribute(i, "an attribute's value is not in quotes")
	}
	i++
	stop, f, err := p.value(i, quote)
	if err != nil {
		return 0, err
	}
	name := p.src[at:end]
	switch {
	case plen == 0 && string(name) == "xmlns":
		err = p.declare(at, emptyName, p.src[i:stop], f)
	case plen == 5 && string(name[:5]) == "xmlns":
		err = p.declare(at, name[6:], p.src[i:stop], f)
	default:
		d.attrs = push(d.attrs, attribute{name: uint32(at), nlen: uint16(end - at), plen: uint16(plen),
			value: uint32(i), vlen: uint32(stop - i), flags: f})
	}
	return stop + 1, err
}

func (p *parser) badAttribute(at int, message string) error {
	if at >= len(p.src) || class[p.src[at]]&cBad != 0 {
		return p.badCharacter(at)
	}
	return p.fail(BadAttribute, at, message)
}

// value reads an attribute's value from i to the quote.
func (p *parser) value(i int, quote byte) (stop int, f flags, err error) {
	src := p.src
	for i < len(src) {
		c := src[i]
		if class[c]&cAttr == 0 {
			i++
			continue
		}
		switch {
		case c == quote:
			return i, f, nil
		case c == '"':
			f |= escaped
			i++
		case c == '\'':
			i++
		case c >= 0x80:
			n := charLen(src[i:])
			if n == 0 {
				return 0, 0, p.badCharacter(i)
			}
			i += n
		case c == '&':
			_, n := reference(src[i:])
			if n == 0 {
				return 0, 0, p.badReference(i)
			}
			f |= coded | escaped
			i += n
		case c == '<':
			return 0, 0, p.fail(BadAttribute, i, "an attribute's value has a less-than sign")
		case class[c]&cSpace != 0:
			f |= coded | escaped
			i++
		default:
			return 0, 0, p.badCharacter(i)
		}
	}
	return 0, 0, p.fail(Unclosed, len(src), "the document ends in an attribute's value")
}

// endTag reads an end-tag, which must be that of the open element.
func (p *parser) endTag() error {
	at := p.pos
	if p.open == none {
		return p.fail(Mismatch, at, "there is an end-tag without its start-tag")
	}
	n := &p.d.nodes[p.open]
	name, rest := p.src[n.start:n.stop], p.src[at+2:]
	if !bytes.HasPrefix(rest, name) {
		if end, _, err := p.qname(at + 2); err != nil {
			return err
		} else if end == len(p.src) {
			return p.badCharacter(end)
		}
		return p.fail(Mismatch, at, "an end-tag does not fit the start-tag of the open element")
	}
	i := at + 2 + len(name)
	if p.peek(i) != '>' {
		next := p.spaces(i)
		if next == i && next < len(p.src) && p.nameGoesOn(i) {
			return p.fail(Mismatch, at, "an end-tag does not fit the start-tag of the open element")
		}
		if p.peek(next) != '>' {
			return p.badTag(next)
		}
		i = next
	}
	p.pos = i + 1
	p.close()
	return nil
}

func (p *parser) nameGoesOn(i int) bool {
	c := p.src[i]
	if c < 0x80 {
		return c == ':' || class[c]&cName != 0
	}
	r, _ := utf8.DecodeRune(p.src[i:])
	return isName(r)
}

// close ends the open element.
func (p *parser) close() {
	d := p.d
	n := &d.nodes[p.open]
	n.end = int32(len(d.nodes))
	for _, b := range d.bindings[n.decl : n.decl+uint32(n.ndecl)] {
		p.current[b.prefix] = b.outer
	}
	p.open = n.parent
	p.depth--
}
