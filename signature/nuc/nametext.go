package nuc

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"kopir/signature/der"
)

// ParseName reads a distinguished name from text: RFC 4514 and its elders
// (RFC 2253, RFC 1779 with quotes and semicolons), the spellings E=, OID.1.2.3=
// and 1.2.3=#hex among them. The order of the relative names is kept as written:
// programs disagree on it, so compare with Equal.
func ParseName(text string) (Name, error) {
	if len(text) > 8192 {
		return nil, errors.New("name: longer than 8192 bytes")
	}
	if !utf8.ValidString(text) {
		return nil, errors.New("name: not UTF-8")
	}
	p := nameText{rest: strings.TrimSpace(text), whole: len(text)}
	var name Name
	var rdn []Attribute
	for p.rest != "" {
		a, end, err := p.attribute()
		if err != nil {
			return nil, err
		}
		rdn = append(rdn, a)
		if end != '+' {
			name, rdn = append(name, rdn), nil
		}
		if end != 0 && strings.TrimSpace(p.rest) == "" {
			return nil, fmt.Errorf("name: ends with %q", end)
		}
		if len(name)+len(rdn) > maxAttributes {
			return nil, fmt.Errorf("name: more than %d attributes", maxAttributes)
		}
	}
	return name, nil
}

type nameText struct {
	rest  string
	whole int
}

func (p *nameText) errorf(format string, args ...any) error {
	return fmt.Errorf("name: byte %d: %s", p.whole-len(p.rest), fmt.Sprintf(format, args...))
}

// attribute reads one type=value and the separator after it (0 at the end).
func (p *nameText) attribute() (Attribute, byte, error) {
	eq := strings.IndexByte(p.rest, '=')
	if eq < 0 {
		return Attribute{}, 0, p.errorf("no = after an attribute type")
	}
	typ, err := attributeType(strings.TrimSpace(p.rest[:eq]))
	if err != nil {
		return Attribute{}, 0, p.errorf("%v", err)
	}
	p.rest = strings.TrimLeft(p.rest[eq+1:], " \t\r\n")
	var value string
	switch {
	case strings.HasPrefix(p.rest, `"`):
		value, err = p.quoted()
	case strings.HasPrefix(p.rest, "#"):
		value, err = p.hex()
	default:
		value, err = p.plain()
	}
	if err != nil {
		return Attribute{}, 0, err
	}
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	if p.rest == "" {
		return Attribute{typ, value}, 0, nil
	}
	end := p.rest[0]
	if end != ',' && end != ';' && end != '+' {
		return Attribute{}, 0, p.errorf("%q where a separator is due", end)
	}
	p.rest = p.rest[1:]
	return Attribute{typ, value}, end, nil
}

func attributeType(word string) (string, error) {
	upper := strings.ToUpper(word)
	for _, t := range attributeTypes {
		if t.keyword == upper {
			return t.oid, nil
		}
	}
	dotted := strings.TrimPrefix(upper, "OID.")
	if dotted != "" && strings.Trim(dotted, "0123456789.") == "" {
		return dotted, nil
	}
	return "", fmt.Errorf("unknown attribute type %q", word)
}

func (p *nameText) quoted() (string, error) {
	var b []byte
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; c {
		case '"':
			p.rest = p.rest[i+1:]
			return string(b), nil
		case '\\':
			esc, n, err := escape(p.rest[i:])
			if err != nil {
				return "", p.errorf("%v", err)
			}
			b, i = append(b, esc), i+n-1
		default:
			b = append(b, c)
		}
	}
	return "", p.errorf("a quotation mark is not closed")
}

func (p *nameText) hex() (string, error) {
	end := strings.IndexAny(p.rest, ",;+ \t\r\n")
	if end < 0 {
		end = len(p.rest)
	}
	raw, err := hex.DecodeString(p.rest[1:end])
	if err != nil || len(raw) == 0 {
		return "", p.errorf("# is not followed by hexadecimal digits")
	}
	v, err := der.Parse("name", raw, raw[0])
	if err != nil {
		return "", p.errorf("%v", err)
	}
	p.rest = p.rest[end:]
	return attributeText(v)
}

func (p *nameText) plain() (string, error) {
	var b []byte
	keep := 0 // length up to which trailing spaces are escaped, thus meant
	i := 0
loop:
	for ; i < len(p.rest); i++ {
		switch c := p.rest[i]; c {
		case ',', ';', '+':
			break loop
		case '\\':
			esc, n, err := escape(p.rest[i:])
			if err != nil {
				return "", p.errorf("%v", err)
			}
			b, i = append(b, esc), i+n-1
			keep = len(b)
		default:
			b = append(b, c)
		}
	}
	p.rest = p.rest[i:]
	for len(b) > keep && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t' || b[len(b)-1] == '\r' || b[len(b)-1] == '\n') {
		b = b[:len(b)-1]
	}
	if !utf8.Valid(b) {
		return "", p.errorf("a value is not UTF-8")
	}
	return string(b), nil
}

// escape reads \c or \XX and says how many bytes it took.
func escape(s string) (byte, int, error) {
	if len(s) >= 3 {
		if raw, err := hex.DecodeString(s[1:3]); err == nil {
			return raw[0], 3, nil
		}
	}
	if len(s) < 2 {
		return 0, 0, errors.New(`nothing after \`)
	}
	return s[1], 2, nil
}

func hexValue(raw []byte) string { return "#" + hex.EncodeToString(raw) }

// Equal compares two names as sets: the order of relative names and of
// attributes, case and the amount of white space do not matter. It is for
// finding a certificate by what a message says of it; chains are built on the
// encoded bytes.
func (n Name) Equal(m Name) bool { return slices.Equal(n.folded(), m.folded()) }

func (n Name) folded() []string {
	var out []string
	for _, rdn := range n {
		for _, a := range rdn {
			out = append(out, a.Type+"="+strings.ToLower(strings.Join(strings.Fields(a.Value), " ")))
		}
	}
	slices.Sort(out)
	return out
}
