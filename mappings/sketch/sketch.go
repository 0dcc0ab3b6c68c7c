// Package sketch writes a first description of a service from what a partner
// hands over: a schema of the document, or messages as they were sent.
//
// Rules it keeps: what stands in the source goes into the description; what
// could only be guessed, or not known at all, is marked in it by a comment
// that begins with DECIDE and says what to do. Nothing is left out in silence.
// It reads the part of XML Schema 1.0 that business documents use; what it
// does not read (lists, unions, any, redefine, attributes with values) is told
// in the description's head.
package sketch

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"kopir/mappings"
)

// Many is the Max of an element that may repeat without a bound.
const Many = -1

// Element is one element of a document, as its source describes it.
type Element struct {
	Space, Local string
	Prefix       string // as a sample has it
	Min, Max     int
	Label        mappings.Text
	Children     []*Element
	Kind         string // of a leaf: a type of the mapping language, or base64
	Guessed      bool   // the kind comes from name or value alone
	Codes        []mappings.Code
	Pattern      string
	MinLen       int
	MaxLen       int
	Low, High    string // smallest and greatest value
	Signed       bool   // holds an XML signature of its own

	values []string
}

// Sketch is what is known of a document.
type Sketch struct {
	Root  *Element
	Notes []string // what the source holds and a description cannot say
}

func (e *Element) leaf() bool { return len(e.Children) == 0 }

// words of names that tell what a value is, in lower case.
var nameHints = []struct {
	kind  string
	words []string
}{
	{"iin", []string{"iin", "uin", "\u0438\u0438\u043d", "\u0436\u0441\u043d"}},
	{"bin", []string{"bin", "\u0431\u0438\u043d", "\u0431\u0441\u043d"}},
	{"email", []string{"email", "mail"}},
	{"phone", []string{"phone", "tel", "telephone", "mobile", "\u0442\u0435\u043b\u0435\u0444\u043e\u043d"}},
}

// hint is the kind that the name of an element suggests; empty: none.
func hint(local string) string {
	parts := strings.Split(snake(local), "_")
	for _, h := range nameHints {
		if slices.ContainsFunc(parts, func(p string) bool { return slices.Contains(h.words, p) }) {
			return h.kind
		}
	}
	return ""
}

// snake turns requesterIin, RequesterIIN and requester-iin into requester_iin.
func snake(s string) string {
	var b strings.Builder
	runes := []rune(s)
	for i, r := range runes {
		switch {
		case r == '-' || r == '.' || r == '_':
			r = '_'
		case unicode.IsUpper(r):
			before := i > 0 && (unicode.IsLower(runes[i-1]) || unicode.IsDigit(runes[i-1]))
			after := i > 0 && i+1 < len(runes) && unicode.IsUpper(runes[i-1]) && unicode.IsLower(runes[i+1])
			if (before || after) && !strings.HasSuffix(b.String(), "_") {
				b.WriteByte('_')
			}
			r = unicode.ToLower(r)
		}
		if r != '_' || b.Len() > 0 && !strings.HasSuffix(b.String(), "_") {
			b.WriteRune(r)
		}
	}
	return strings.Trim(b.String(), "_")
}

// less orders notes.
func less(a, b string) int { return cmp.Compare(a, b) }
