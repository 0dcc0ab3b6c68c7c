package mappings

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"regexp/syntax"
	"strings"
)

// typeSample is what a type of field takes, and what it does not: a row for
// each row of fieldTypes.
type typeSample struct {
	good func(f *filler, field *Field) string
	bad  string // breaks the type itself; empty: nothing can
}

var typeSamples = map[string]typeSample{
	"string": {func(f *filler, field *Field) string {
		if field.Pattern != "" {
			return f.matching(field)
		}
		return f.word(field)
	}, ""},
	"iin":      {func(f *filler, _ *Field) string { return f.iin() }, "12345678901"},
	"bin":      {func(f *filler, _ *Field) string { return f.bin() }, "1234567890123"},
	"date":     {(*filler).day, "2016-02-30"},
	"datetime": {func(f *filler, field *Field) string { return f.day(field) + "T09:00:00+05:00" }, "2016-02-30T09:00:00"},
	"code":     {(*filler).code, "no-such-code"},
	"int":      {(*filler).wholeNumber, "1.5"},
	"decimal":  {(*filler).sum, "1,5"},
	"email":    {func(*filler, *Field) string { return "test@example.kz" }, "test"},
	"phone":    {func(f *filler, _ *Field) string { return fmt.Sprintf("+7701000%04d", f.between(1, 9999)) }, "112"},
	"bool":     {func(f *filler, field *Field) string { return "true" }, "maybe"},
}

// crossSample makes a form keep a cross rule, or break it.
type crossSample struct {
	mend    func(f *filler)
	violate func(v map[string]string)
	fault   string // the field that the rule then names
}

// crossSamples has a row for each row of crossRules.
var crossSamples = map[string]crossSample{
	"email-for-delivery": {
		mend: func(f *filler) {
			if v := f.form.Values; v["delivery"] == "email" && v["email"] == "" {
				v["email"] = typeSamples["email"].good(f, nil)
			}
		},
		violate: func(v map[string]string) { v["delivery"] = "email"; delete(v, "email") },
		fault:   "email",
	},
	"operator-is-not-applicant": {
		violate: func(v map[string]string) { v["operator_iin"] = v["applicant_iin"] },
		fault:   "operator_iin",
	},
	"power-of-attorney": {
		mend: func(f *filler) {
			v := f.form.Values
			if v["representative_iin"] == "" || v["poa_notarised"] == "false" || !f.has("representative_iin") {
				delete(v, "poa_number")
				delete(v, "poa_date")
			}
			switch {
			case v["representative_iin"] == "":
				delete(v, "poa_notarised")
				delete(v, "representative_name")
			case v["poa_notarised"] != "false":
				v["poa_notarised"] = "true"
				for _, name := range []string{"poa_number", "poa_date"} {
					if field, ok := f.s.Field(name); ok && v[name] == "" {
						v[name] = f.sample("", field)
					}
				}
			}
		},
		violate: func(v map[string]string) { v["poa_notarised"] = "false"; v["poa_number"] = "1" },
		fault:   "poa_number",
	},
	"representative-is-not-applicant": {
		mend: func(f *filler) {
			if v := f.form.Values; v["representative_iin"] != "" && v["representative_iin"] == v["applicant_iin"] {
				v["representative_iin"] = f.iin()
			}
		},
		violate: func(v map[string]string) {
			v["representative_iin"], v["poa_notarised"] = v["applicant_iin"], "false"
			delete(v, "poa_number")
			delete(v, "poa_date")
		},
		fault: "representative_iin",
	},
}

// matching writes a text that the field's pattern matches: of every choice the
// first one, repeated as seldom as allowed, or as often as its length needs.
func (f *filler) matching(field *Field) string {
	re, err := syntax.Parse(field.Pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	var text string
	for more := range 64 {
		var b strings.Builder
		f.write(&b, re, more)
		if text = b.String(); len([]rune(text)) >= max(field.MinLen, 1) {
			break
		}
	}
	return text
}

// write adds a text for a part of a pattern; more is how often beyond the
// least a part without an upper bound is repeated.
func (f *filler) write(b *strings.Builder, re *syntax.Regexp, more int) {
	times := func(n int) {
		for range n {
			for _, sub := range re.Sub {
				f.write(b, sub, more)
			}
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		ranges := 1
		if f.how.Seed != 0 {
			ranges = len(re.Rune) / 2
		}
		i := 2 * f.pick.IntN(ranges)
		lo, hi := re.Rune[i], re.Rune[i+1]
		b.WriteRune(lo + rune(f.between(0, int64(min(hi-lo, 25)))))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('A')
	case syntax.OpAlternate:
		f.write(b, re.Sub[0], more)
	case syntax.OpStar, syntax.OpQuest:
		times(min(more, 1) * map[bool]int{true: more, false: 1}[re.Op == syntax.OpStar])
	case syntax.OpPlus:
		times(1 + more)
	case syntax.OpRepeat:
		n := re.Min + more
		if re.Max >= 0 {
			n = min(n, re.Max)
		}
		times(n)
	case syntax.OpConcat, syntax.OpCapture:
		times(1)
	}
}

// SampleFile is a small real document of a media type: an empty page, a white
// point. A PDF is filled up to a size with comments.
func SampleFile(media string, size int) []byte {
	var b bytes.Buffer
	point := image.NewGray(image.Rect(0, 0, 1, 1))
	point.Pix[0] = 255
	switch media {
	case "image/png":
		png.Encode(&b, point)
	case "image/jpeg":
		jpeg.Encode(&b, point, nil)
	case "image/tiff":
		b.Write(tiffPoint)
	default:
		emptyPage(&b, size)
	}
	return b.Bytes()
}

// tiffPoint is one white point: the header, a directory of five entries, no
// more (TIFF 6.0, section 2).
var tiffPoint = []byte("II*\x00\x08\x00\x00\x00\x05\x00" +
	"\x00\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00" + // width 1
	"\x01\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00" + // height 1
	"\x06\x01\x03\x00\x01\x00\x00\x00\x00\x00\x00\x00" + // white is zero
	"\x11\x01\x04\x00\x01\x00\x00\x00\x4a\x00\x00\x00" + // the strip at 74
	"\x17\x01\x04\x00\x01\x00\x00\x00\x01\x00\x00\x00" + // of one octet
	"\x00\x00\x00\x00" + "\x00")

// emptyPage writes a readable empty page, filled up with comments to a size.
func emptyPage(b *bytes.Buffer, size int) {
	b.WriteString("%PDF-1.4\n")
	offsets := []int{}
	for i, object := range []string{"<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>", "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>"} {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(b, "%d 0 obj%sendobj\n", i+1, object)
	}
	for b.Len() < size-200 {
		b.WriteString("%" + strings.Repeat("-", min(78, max(0, size-202-b.Len()))) + "\n")
	}
	start := b.Len()
	b.WriteString("xref\n0 4\n0000000000 65535 f \n")
	for _, o := range offsets {
		fmt.Fprintf(b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(b, "trailer<</Size 4/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", start)
}
