package xmltree

import "unicode/utf8"

// What a byte means to the scanners. One table for all of them: the loops
// skip bytes whose class has none of the bits they care for.
const (
	cText  uint8 = 1 << iota // must be looked at inside text: < & ] > CR, controls, non-ASCII
	cAttr                    // … inside an attribute value: < & " ' TAB LF CR, controls, non-ASCII
	cRaw                     // … inside comments, PIs, CDATA: - ? ] CR, controls, non-ASCII
	cName                    // NameChar of ASCII without the colon
	cStart                   // NameStartChar of ASCII without the colon
	cSpace                   // white space
	cBad                     // never a character: controls
)

var class = func() (t [256]uint8) {
	for c := range 256 {
		switch {
		case c >= 0x80:
			t[c] = cText | cAttr | cRaw
		case c == '\t' || c == '\n':
			t[c] = cSpace | cAttr
		case c == '\r':
			t[c] = cSpace | cText | cAttr | cRaw
		case c < 0x20:
			t[c] = cBad | cText | cAttr | cRaw
		case c == ' ':
			t[c] = cSpace
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_':
			t[c] = cName | cStart
		case c >= '0' && c <= '9' || c == '.':
			t[c] = cName
		case c == '-':
			t[c] = cName | cRaw
		case c == '<' || c == '&':
			t[c] = cText | cAttr
		case c == '>':
			t[c] = cText
		case c == ']':
			t[c] = cText | cRaw
		case c == '?':
			t[c] = cRaw
		case c == '"' || c == '\'':
			t[c] = cAttr
		}
	}
	return t
}()

// isChar is production [2] Char for a character beyond ASCII or a reference.
func isChar(r rune) bool {
	switch {
	case r < 0x20:
		return r == '\t' || r == '\n' || r == '\r'
	case r < 0xD800:
		return true
	case r < 0xE000:
		return false
	default:
		return r != 0xFFFE && r != 0xFFFF && r <= utf8.MaxRune
	}
}

// isNameStart is production [4] NameStartChar beyond ASCII.
func isNameStart(r rune) bool {
	switch {
	case r < 0xC0:
		return false
	case r <= 0x2FF:
		return r != 0xD7 && r != 0xF7
	case r < 0x370:
		return false
	case r <= 0x1FFF:
		return r != 0x37E
	case r <= 0x200D:
		return r >= 0x200C
	case r < 0x2070:
		return false
	case r <= 0x218F:
		return true
	case r < 0x2C00:
		return false
	case r <= 0x2FEF:
		return true
	case r < 0x3001:
		return false
	case r <= 0xD7FF:
		return true
	case r < 0xF900:
		return false
	case r <= 0xFDCF:
		return true
	case r < 0xFDF0:
		return false
	case r <= 0xFFFD:
		return true
	default:
		return r >= 0x10000 && r <= 0xEFFFF
	}
}

// isName is production [4a] NameChar beyond ASCII.
func isName(r rune) bool {
	return r == 0xB7 || r >= 0x300 && r <= 0x36F || r == 0x203F || r == 0x2040 || isNameStart(r)
}

// charLen is the length of the non-ASCII character at the beginning of b,
// 0 if it is none that XML allows.
func charLen(b []byte) int {
	// Cyrillic and everything else below U+0800 is allowed.
	if len(b) >= 2 && b[0] >= 0xC2 && b[0] < 0xE0 && b[1]&0xC0 == 0x80 {
		return 2
	}
	r, n := utf8.DecodeRune(b)
	if n < 2 || !isChar(r) {
		return 0
	}
	return n
}
