package xmltree

import (
	"bytes"
	"unicode/utf8"
)

// reference reads the reference at the beginning of b: one of the five
// predefined entities or a character reference to an allowed character.
// n is its length, 0 if it is none of these.
func reference(b []byte) (r rune, n int) {
	if len(b) < 4 {
		return 0, 0
	}
	switch b[1] {
	case 'l':
		if b[2] == 't' && b[3] == ';' {
			return '<', 4
		}
	case 'g':
		if b[2] == 't' && b[3] == ';' {
			return '>', 4
		}
	case 'a':
		if bytes.HasPrefix(b, []byte("&amp;")) {
			return '&', 5
		}
		if bytes.HasPrefix(b, []byte("&apos;")) {
			return '\'', 6
		}
	case 'q':
		if bytes.HasPrefix(b, []byte("&quot;")) {
			return '"', 6
		}
	case '#':
		return charReference(b)
	}
	return 0, 0
}

// charReference is production [66].
func charReference(b []byte) (r rune, n int) {
	i, base := 2, rune(10)
	if b[2] == 'x' {
		i, base = 3, 16
	}
	first := i
	for ; i < len(b) && b[i] != ';'; i++ {
		var digit rune
		switch c := b[i]; {
		case c >= '0' && c <= '9':
			digit = rune(c - '0')
		case base == 16 && c >= 'a' && c <= 'f':
			digit = rune(c-'a') + 10
		case base == 16 && c >= 'A' && c <= 'F':
			digit = rune(c-'A') + 10
		default:
			return 0, 0
		}
		if r = r*base + digit; r > utf8.MaxRune {
			return 0, 0
		}
	}
	if i == len(b) || i == first || !isChar(r) {
		return 0, 0
	}
	return r, i + 1
}

func (p *parser) badReference(at int) error {
	if p.peek(at+1) == '#' {
		return p.fail(BadReference, at, "there is a character reference that is malformed or names a character that XML does not allow")
	}
	return p.fail(BadReference, at, "there is an ampersand that begins none of the five predefined entities")
}

// validRune says whether b begins with well-formed UTF-8.
func validRune(b []byte) bool {
	_, n := utf8.DecodeRune(b)
	return n > 1
}

// appendValue appends what the raw bytes of a text, a CDATA section or an
// attribute stand for: references replaced, line ends made LF, and in
// attributes white space made blanks.
func appendValue(dst, raw []byte, inAttribute, isVerbatim bool) []byte {
	for i := 0; i < len(raw); {
		c := raw[i]
		switch {
		case c == '&' && !isVerbatim:
			r, n := reference(raw[i:])
			dst = utf8.AppendRune(dst, r)
			i += max(n, 1)
			continue
		case c == '\r':
			if i+1 < len(raw) && raw[i+1] == '\n' {
				i++
			}
			c = '\n'
		}
		if inAttribute && (c == '\n' || c == '\t') {
			c = ' '
		}
		dst = append(dst, c)
		i++
	}
	return dst
}
