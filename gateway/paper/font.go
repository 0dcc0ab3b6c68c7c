package paper

import (
	_ "embed"
	"encoding/binary"
	"strings"
	"sync"
)

// PT Serif by ParaType, as published; fonts/LICENSE.txt allows what is done
// here: it lies beside the fonts and they are embedded in documents.
var (
	//go:embed fonts/PTF55F.ttf
	regular []byte
	//go:embed fonts/PTF75F.ttf
	bold []byte
)

// covered are the characters that both fonts have (OpenType, cmap format 4).
var covered = sync.OnceValue(func() map[rune]bool {
	both := map[rune]bool{}
	other := characters(bold)
	for r := range characters(regular) {
		if other[r] {
			both[r] = true
		}
	}
	return both
})

func characters(font []byte) map[rune]bool {
	found := map[rune]bool{}
	u16 := func(at int) int { return int(binary.BigEndian.Uint16(font[at:])) }
	u32 := func(at int) int { return int(binary.BigEndian.Uint32(font[at:])) }
	for i := range u16(4) {
		if at := 12 + 16*i; string(font[at:at+4]) == "cmap" {
			cmap := u32(at + 8)
			for j := range u16(cmap + 2) {
				sub := cmap + u32(cmap+8+8*j)
				if u16(sub) != 4 {
					continue
				}
				segments := u16(sub+6) / 2
				ends, starts := sub+14, sub+16+2*segments
				for k := range segments {
					for c := u16(starts + 2*k); c <= u16(ends+2*k) && c < 0xffff; c++ {
						found[rune(c)] = true
					}
				}
			}
		}
	}
	return found
}

// printable puts a question mark for what the fonts lack: a page with a hole
// in a name would be worse, and .notdef is not allowed (ISO 19005-3, 6.2.11.8).
func printable(s string) string {
	have := covered()
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || have[r] && r >= ' ':
			return r
		case r == '\t' || r == '\r' || r == 0x2028:
			return ' '
		}
		return '?'
	}, s)
}
