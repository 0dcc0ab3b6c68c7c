package xmltree

import (
	"encoding/binary"
	"errors"
	"testing"
	"unicode/utf16"
)

func toUTF16(order binary.AppendByteOrder, s string) []byte {
	out := order.AppendUint16(nil, 0xFEFF)
	for _, u := range utf16.Encode([]rune(s)) {
		out = order.AppendUint16(out, u)
	}
	return out
}

func TestEncodings(t *testing.T) {
	const body = `<r a="Қ">😀 Ә</r>`
	le, be := binary.AppendByteOrder(binary.LittleEndian), binary.AppendByteOrder(binary.BigEndian)
	for name, src := range map[string][]byte{
		"UTF-8":                   []byte(body),
		"UTF-8 with mark":         []byte("\uFEFF" + body),
		"UTF-8 declared":          []byte(`<?xml version='1.0' encoding='utf-8'?>` + body),
		"UTF-16LE with mark":      toUTF16(le, body),
		"UTF-16BE with mark":      toUTF16(be, body),
		"UTF-16 declared":         toUTF16(le, `<?xml version="1.0" encoding="utf-16"?>`+body),
		"UTF-16BE declared as it": toUTF16(be, `<?xml version="1.0" encoding="UTF-16BE"?>`+body),
	} {
		doc, err := Parse(src, Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := string(doc.Canonical(nil, Node{}, C14N{Kind: Inclusive10})); got != body {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestErrorPlace: offsets are those of the bytes given, lines end with LF, CR
// or both, columns count characters.
func TestErrorPlace(t *testing.T) {
	be := binary.AppendByteOrder(binary.BigEndian)
	for name, c := range map[string]struct {
		src                  []byte
		offset, line, column int
	}{
		"bytes":        {[]byte("<r>\n<a>ӘӘ&</a></r>"), 11, 2, 6},
		"mark":         {[]byte("\uFEFF<r>&</r>"), 6, 1, 4},
		"line ends":    {[]byte("<r>\r\n\r\n\r&</r>"), 8, 4, 1},
		"UTF-16":       {toUTF16(be, "<r>😀&</r>"), 2 + 2*5, 1, 5},
		"mark in wide": {toUTF16(be, "&<r/>"), 2, 1, 1},
	} {
		_, err := Parse(c.src, Limits{})
		var e *Error
		if !errors.As(err, &e) || e.Offset != c.offset || e.Line != c.line || e.Column != c.column {
			t.Errorf("%s: %+v", name, err)
		}
	}
}

func TestErrorIs(t *testing.T) {
	_, err := Parse([]byte("<r>"), Limits{})
	if !errors.Is(err, &Error{Code: Unclosed}) || errors.Is(err, &Error{Code: BadTag}) {
		t.Error("errors.Is does not compare by code")
	}
	if got := err.Error(); got != "XML line 1 column 4: the document ends before its root element does" {
		t.Error(got)
	}
}
