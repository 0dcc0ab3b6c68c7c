package xmltree

import (
	"testing"
	"unicode/utf8"
)

// The productions as the recommendation writes them.
var (
	charRanges      = [][2]rune{{0x9, 0xA}, {0xD, 0xD}, {0x20, 0xD7FF}, {0xE000, 0xFFFD}, {0x10000, 0x10FFFF}} // [2]
	nameStartRanges = [][2]rune{{'A', 'Z'}, {'_', '_'}, {'a', 'z'}, {0xC0, 0xD6}, {0xD8, 0xF6}, {0xF8, 0x2FF},
		{0x370, 0x37D}, {0x37F, 0x1FFF}, {0x200C, 0x200D}, {0x2070, 0x218F}, {0x2C00, 0x2FEF}, {0x3001, 0xD7FF},
		{0xF900, 0xFDCF}, {0xFDF0, 0xFFFD}, {0x10000, 0xEFFFF}} // [4] without the colon
	nameRanges = append([][2]rune{{'-', '.'}, {'0', '9'}, {0xB7, 0xB7}, {0x300, 0x36F}, {0x203F, 0x2040}}, nameStartRanges...) // [4a]
)

func in(ranges [][2]rune, r rune) bool {
	for _, x := range ranges {
		if r >= x[0] && r <= x[1] {
			return true
		}
	}
	return false
}

// TestEveryCharacter reads each code point as text, as the first and as a
// later character of a name, as a reference, and in an attribute and a comment.
func TestEveryCharacter(t *testing.T) {
	reads := func(src string) bool {
		_, err := Parse([]byte(src), Limits{})
		return err == nil
	}
	step := rune(1)
	for r := rune(0); r <= utf8.MaxRune; r += step {
		if r == 0x3100 { // the rest in steps that meet no range's end; the ends below
			step = 1009
		}
		checkCharacter(t, reads, r)
	}
	for _, ranges := range [][][2]rune{charRanges, nameRanges} {
		for _, x := range ranges {
			for _, r := range []rune{x[0] - 1, x[0], x[1], x[1] + 1} {
				checkCharacter(t, reads, r)
			}
		}
	}
}

func checkCharacter(t *testing.T, reads func(string) bool, r rune) {
	c := string(r)
	if r >= 0xD800 && r < 0xE000 {
		c = string([]byte{0xED, 0xA0 | byte(r>>6&0x1F), 0x80 | byte(r&0x3F)}) // what string would make U+FFFD
	} else if r > utf8.MaxRune {
		return
	}
	char := in(charRanges, r)
	for what, got := range map[string]bool{
		"in text":       reads("<r>" + c + "</r>"),
		"in CDATA":      reads("<r><![CDATA[" + c + "]]></r>"),
		"in an value":   reads("<r a='" + c + "'/>"),
		"in a comment":  reads("<r><!--" + c + " --></r>"),
		"by number":     reads("<r>&#" + itoa(r) + ";</r>"),
		"in a PI's end": reads("<r><?p " + c + " ?></r>"),
	} {
		want := char
		switch {
		case what == "in text" && (r == '<' || r == '&'), what == "in an value" && (r == '<' || r == '&' || r == '\''):
			want = false
		}
		if got != want {
			t.Errorf("U+%04X %s: %v", r, what, got)
		}
	}
	if got, want := reads("<"+c+"/>"), in(nameStartRanges, r); got != want {
		t.Errorf("U+%04X as first character of a name: %v", r, got)
	}
	// White space ends the name, the rest of "/" is an empty-element tag's.
	if got, want := reads("<n"+c+"n/>"), in(nameRanges, r); got != want && r != '>' {
		t.Errorf("U+%04X within a name: %v", r, got)
	}
}

func itoa(r rune) string {
	if r < 10 {
		return string('0' + r)
	}
	return itoa(r/10) + string('0'+r%10)
}
