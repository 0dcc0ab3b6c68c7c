package xmltree

import "unicode/utf8"

// appendCanonicalText appends the canonical form of raw character data.
func appendCanonicalText(dst, raw []byte, isVerbatim bool) []byte {
	plain := 0 // raw[plain:i] stands for itself
	for i := 0; i < len(raw); {
		n := 1
		var r rune
		switch c := raw[i]; {
		case c == '&' && !isVerbatim:
			r, n = reference(raw[i:])
		case c == '\r':
			if i+1 < len(raw) && raw[i+1] == '\n' {
				n = 2
			}
			r = '\n'
		case c == '<' || c == '>' || c == '&':
			r = rune(c)
		case c < utf8.RuneSelf:
			i = skip(raw, i+1, cText) // nothing to escape is outside this class
			continue
		default:
			i++
			continue
		}
		dst = append(dst, raw[plain:i]...)
		i += max(n, 1)
		plain = i
		dst = appendTextRune(dst, r)
	}
	return append(dst, raw[plain:]...)
}

func appendTextRune(dst []byte, r rune) []byte {
	switch r {
	case '&':
		return append(dst, "&amp;"...)
	case '<':
		return append(dst, "&lt;"...)
	case '>':
		return append(dst, "&gt;"...)
	case '\r':
		return append(dst, "&#xD;"...)
	default:
		return utf8.AppendRune(dst, r)
	}
}

// appendCanonicalAttribute appends the canonical form of a raw attribute value.
func appendCanonicalAttribute(dst, raw []byte) []byte {
	plain := 0
	for i := 0; i < len(raw); {
		n := 1
		var r rune
		switch c := raw[i]; {
		case c == '&':
			r, n = reference(raw[i:])
		case c == '"':
			r = '"'
		case class[c]&cSpace != 0 && c != ' ':
			if c == '\r' && i+1 < len(raw) && raw[i+1] == '\n' {
				n = 2
			}
			r = ' '
		default:
			i++
			continue
		}
		dst = append(dst, raw[plain:i]...)
		i += max(n, 1)
		plain = i
		dst = appendAttributeRune(dst, r)
	}
	return append(dst, raw[plain:]...)
}

// appendAttributeValue appends the canonical form of a value already decoded.
func appendAttributeValue(dst, value []byte) []byte {
	plain := 0
	for i, c := range value {
		if class[c]&cAttr == 0 || c >= 0x80 || c == '\'' {
			continue
		}
		dst = append(dst, value[plain:i]...)
		dst = appendAttributeRune(dst, rune(c))
		plain = i + 1
	}
	return append(dst, value[plain:]...)
}

func appendAttributeRune(dst []byte, r rune) []byte {
	switch r {
	case '&':
		return append(dst, "&amp;"...)
	case '<':
		return append(dst, "&lt;"...)
	case '"':
		return append(dst, "&quot;"...)
	case '\t':
		return append(dst, "&#x9;"...)
	case '\n':
		return append(dst, "&#xA;"...)
	case '\r':
		return append(dst, "&#xD;"...)
	default:
		return utf8.AppendRune(dst, r)
	}
}
