package xmltree

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// wide says how the input was encoded.
type wide uint8

const (
	octets       wide = iota // UTF-8
	littleEndian             // UTF-16, FF FE
	bigEndian                // UTF-16, FE FF
)

// decode sets d.src to UTF-8 and d.start behind the byte order mark.
func (d *Document) decode(src []byte) error {
	switch {
	case bytes.HasPrefix(src, []byte("\xEF\xBB\xBF")):
		d.src, d.start = src, 3
		return nil
	case bytes.HasPrefix(src, []byte("\xFF\xFE\x00\x00")), bytes.HasPrefix(src, []byte("\x00\x00\xFE\xFF")):
		d.src = src
		return d.fail(BadEncoding, 0, "the document is in UTF-32; send UTF-8")
	case bytes.HasPrefix(src, []byte("\xFF\xFE")):
		d.wide = littleEndian
	case bytes.HasPrefix(src, []byte("\xFE\xFF")):
		d.wide = bigEndian
	default:
		d.src = src
		return nil
	}
	unit := func(i int) rune {
		if d.wide == littleEndian {
			return rune(src[i]) | rune(src[i+1])<<8
		}
		return rune(src[i])<<8 | rune(src[i+1])
	}
	out := make([]byte, 0, len(src)/2+len(src)/16)
	for i := 2; i < len(src); i += 2 {
		if i+1 == len(src) {
			d.src = out
			return d.fail(BadEncoding, len(out), "the UTF-16 input ends in the middle of a character")
		}
		r := unit(i)
		if utf16.IsSurrogate(r) {
			low := rune(0)
			if i+3 < len(src) {
				low = unit(i + 2)
			}
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				d.src = out
				return d.fail(BadEncoding, len(out), "the UTF-16 input has half of a surrogate pair")
			}
			i += 2
		}
		out = utf8.AppendRune(out, r)
	}
	d.src = out
	return nil
}

// original turns an offset in d.src into one in the bytes given to Parse.
func (d *Document) original(at int) int {
	if d.wide == octets {
		return at
	}
	n := 2
	for _, r := range string(d.src[:at]) {
		n += 2 * utf16.RuneLen(r)
	}
	return n
}
