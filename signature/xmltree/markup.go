package xmltree

import "bytes"

// bang reads what begins with "<!": a comment or a CDATA section.
func (p *parser) bang() error {
	rest := p.src[p.pos:]
	switch {
	case bytes.HasPrefix(rest, []byte("<!--")):
		return p.comment()
	case bytes.HasPrefix(rest, []byte("<![CDATA[")):
		return p.cdata()
	case len(rest) >= 9 && bytes.EqualFold(rest[:9], []byte("<!DOCTYPE")):
		return p.fail(HasDoctype, p.pos, "there is a document type declaration; these are refused because of what they can make a reader do")
	default:
		return p.fail(BadTag, p.pos, "there is a markup declaration that is neither comment nor CDATA section")
	}
}

// raw skips content without markup up to the next mark byte, or to the end.
func (p *parser) raw(i int, mark byte, f *flags) (int, error) {
	src := p.src
	for i < len(src) {
		c := src[i]
		if class[c]&cRaw == 0 {
			i = skip(src, i+1, cRaw)
			continue
		}
		switch {
		case c == mark:
			return i, nil
		case c >= 0x80:
			n := charLen(src[i:])
			if n == 0 {
				return 0, p.badCharacter(i)
			}
			i += n
		case c == '\r':
			*f |= coded | escaped
			i++
		case class[c]&cBad != 0:
			return 0, p.badCharacter(i)
		default:
			i++
		}
	}
	return i, nil
}

// comment is production [15].
func (p *parser) comment() error {
	start, f := p.pos+4, flags(0)
	i, err := p.raw(start, '-', &f)
	for ; err == nil; i, err = p.raw(i+1, '-', &f) {
		if i == len(p.src) {
			return p.fail(Unclosed, i, "the document ends in a comment")
		}
		if p.peek(i+1) == '-' {
			break
		}
	}
	if err != nil {
		return err
	}
	if p.peek(i+2) != '>' {
		return p.fail(BadComment, i, "there are two hyphens in a comment")
	}
	p.pos = i + 3
	return p.add(node{kind: KindComment, start: uint32(start), stop: uint32(i), flags: f})
}

// cdata is production [18].
func (p *parser) cdata() error {
	if p.open == none {
		return p.fail(TextOutsideRoot, p.pos, "there is a CDATA section outside the root element")
	}
	start, f := p.pos+9, verbatim
	i, err := p.raw(start, ']', &f)
	for ; err == nil; i, err = p.raw(i+1, ']', &f) {
		if i == len(p.src) {
			return p.fail(Unclosed, i, "the document ends in a CDATA section")
		}
		if p.peek(i+1) == ']' && p.peek(i+2) == '>' {
			break
		}
	}
	if err != nil {
		return err
	}
	p.pos = i + 3
	if i == start {
		return nil
	}
	return p.add(node{kind: KindText, start: uint32(start), stop: uint32(i), flags: f | escaped})
}

// instruction is production [16], with the target an NCName as Namespaces in
// XML asks.
func (p *parser) instruction() error {
	start := p.pos + 2
	end := p.name(start)
	switch {
	case end == start:
		return p.badName(start)
	case end-start > p.limits.NameLength:
		return p.fail(NameTooLong, start, "a processing instruction's target is longer than is taken")
	case end-start == 3 && bytes.EqualFold(p.src[start:end], xmlName):
		return p.fail(BadDeclaration, p.pos, "an XML declaration stands elsewhere than at the very beginning")
	}
	data := p.spaces(end)
	if data == end && !(p.peek(end) == '?' && p.peek(end+1) == '>') {
		if end >= len(p.src) {
			return p.badCharacter(end)
		}
		return p.fail(BadPI, end, "a processing instruction's target is malformed")
	}
	f := flags(0)
	i, err := p.raw(data, '?', &f)
	for ; err == nil; i, err = p.raw(i+1, '?', &f) {
		if i == len(p.src) {
			return p.fail(Unclosed, i, "the document ends in a processing instruction")
		}
		if p.peek(i+1) == '>' {
			break
		}
	}
	if err != nil {
		return err
	}
	p.pos = i + 2
	return p.add(node{kind: KindPI, start: uint32(start), stop: uint32(i), plen: uint16(end - start), bind: int32(data), flags: f})
}

// declaration is production [23] XMLDecl. Without one the document is XML 1.0.
func (p *parser) declaration() error {
	src := p.src[p.pos:]
	if !bytes.HasPrefix(src, []byte("<?xml")) || len(src) < 6 || class[src[5]]&cSpace == 0 {
		return nil
	}
	p.pos += 5
	version, at, err := p.pseudo("version")
	if err != nil {
		return err
	}
	if version == nil {
		return p.fail(BadDeclaration, p.pos, "the XML declaration does not begin with a version")
	}
	if string(version) != "1.0" {
		return p.fail(BadVersion, at, "the document is not XML 1.0")
	}
	encoding, at, err := p.pseudo("encoding")
	if err != nil {
		return err
	}
	if encoding != nil && !p.d.isEncoding(encoding) {
		return p.fail(BadEncoding, at, "the declared encoding is not UTF-8, or not UTF-16 with a byte order mark; send UTF-8")
	}
	standalone, at, err := p.pseudo("standalone")
	if err != nil {
		return err
	}
	if standalone != nil && string(standalone) != "yes" && string(standalone) != "no" {
		return p.fail(BadDeclaration, at, "standalone is neither yes nor no")
	}
	p.pos = p.spaces(p.pos)
	if p.peek(p.pos) != '?' || p.peek(p.pos+1) != '>' {
		return p.fail(BadDeclaration, p.pos, "the XML declaration is malformed")
	}
	p.pos += 2
	return nil
}

// pseudo reads name="value" if it comes next; value is nil if it does not.
func (p *parser) pseudo(name string) (value []byte, at int, err error) {
	i := p.spaces(p.pos)
	if !bytes.HasPrefix(p.src[i:], []byte(name)) {
		return nil, i, nil
	}
	if i == p.pos {
		return nil, i, p.fail(BadDeclaration, i, "white space is missing in the XML declaration")
	}
	i = p.spaces(i + len(name))
	if p.peek(i) != '=' {
		return nil, i, p.fail(BadDeclaration, i, "the XML declaration is malformed")
	}
	i = p.spaces(i + 1)
	quote := p.peek(i)
	if quote != '"' && quote != '\'' {
		return nil, i, p.fail(BadDeclaration, i, "a value in the XML declaration is not in quotes")
	}
	i++
	n := bytes.IndexByte(p.src[i:min(len(p.src), i+64)], quote)
	if n < 0 {
		return nil, i, p.fail(BadDeclaration, i, "a value in the XML declaration does not end")
	}
	p.pos = i + n + 1
	return p.src[i : i+n : i+n], i, nil
}

// isEncoding says whether the declared encoding is the one the octets have.
func (d *Document) isEncoding(name []byte) bool {
	is := func(s string) bool { return bytes.EqualFold(name, []byte(s)) }
	switch d.wide {
	case littleEndian:
		return is("UTF-16") || is("UTF-16LE")
	case bigEndian:
		return is("UTF-16") || is("UTF-16BE")
	default:
		return is("UTF-8")
	}
}
