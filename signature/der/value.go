package der

import (
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// want is an error unless v has the tag.
func (v Value) want(tag byte, kind string) error {
	if v.Tag != tag {
		return v.Errorf("tag %#02x where %s is due", v.Tag, kind)
	}
	return nil
}

func (v Value) minimalInteger() error {
	b := v.Body
	if len(b) == 0 {
		return v.Errorf("an integer of no bytes")
	}
	if len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80) {
		return v.Errorf("an integer not in its shortest form")
	}
	return nil
}

// BigInt reads an INTEGER of any size.
func (v Value) BigInt() (*big.Int, error) {
	if err := v.want(Integer, "INTEGER"); err != nil {
		return nil, err
	}
	if err := v.minimalInteger(); err != nil {
		return nil, err
	}
	n := new(big.Int).SetBytes(v.Body)
	if v.Body[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(v.Body))*8))
	}
	return n, nil
}

// Int reads an INTEGER or ENUMERATED between 0 and 2³¹−1.
func (v Value) Int() (int, error) {
	if v.Tag != Integer && v.Tag != Enumerated {
		return 0, v.Errorf("tag %#02x where INTEGER is due", v.Tag)
	}
	return v.ImplicitInt()
}

// ImplicitInt is Int under an implicit tag.
func (v Value) ImplicitInt() (int, error) {
	if err := v.minimalInteger(); err != nil {
		return 0, err
	}
	if v.Body[0] >= 0x80 || len(v.Body) > 5 || len(v.Body) == 5 && v.Body[0] != 0 {
		return 0, v.Errorf("integer out of bounds")
	}
	n := 0
	for _, b := range v.Body {
		n = n<<8 | int(b)
	}
	if n > 1<<31-1 {
		return 0, v.Errorf("integer out of bounds")
	}
	return n, nil
}

// Bool reads a BOOLEAN.
func (v Value) Bool() (bool, error) {
	if err := v.want(Boolean, "BOOLEAN"); err != nil {
		return false, err
	}
	return v.ImplicitBool()
}

// ImplicitBool is Bool under an implicit tag.
func (v Value) ImplicitBool() (bool, error) {
	if len(v.Body) != 1 || v.Body[0] != 0 && v.Body[0] != 0xff {
		return false, v.Errorf("a boolean is one byte, 00 or FF")
	}
	return v.Body[0] == 0xff, nil
}

// OID reads an OBJECT IDENTIFIER into its dotted form.
func (v Value) OID() (string, error) {
	if err := v.want(ObjectID, "OBJECT IDENTIFIER"); err != nil {
		return "", err
	}
	b := v.Body
	if len(b) == 0 || len(b) > 64 || b[len(b)-1] >= 0x80 {
		return "", v.Errorf("an object identifier of %d bytes, or cut off", len(b))
	}
	out := make([]byte, 0, 3*len(b)+2)
	var arc uint64
	start := true
	for _, c := range b {
		if start && c == 0x80 {
			return "", v.Errorf("an arc not in its shortest form")
		}
		if arc > 1<<56 {
			return "", v.Errorf("an arc out of bounds")
		}
		arc = arc<<7 | uint64(c&0x7f)
		if start = c < 0x80; !start {
			continue
		}
		if len(out) == 0 {
			first := min(arc/40, 2)
			out = strconv.AppendUint(out, first, 10)
			arc -= first * 40
		}
		out = append(out, '.')
		out = strconv.AppendUint(out, arc, 10)
		arc = 0
	}
	return string(out), nil
}

// Bits reads a BIT STRING whose bits are whole bytes, as keys and signatures are.
func (v Value) Bits() ([]byte, error) {
	if err := v.want(BitString, "BIT STRING"); err != nil {
		return nil, err
	}
	if len(v.Body) == 0 || v.Body[0] != 0 {
		return nil, v.Errorf("a bit string of whole bytes is due")
	}
	return v.Body[1:], nil
}

// Flags reads a BIT STRING of named bits, at most 16: bit 0 of the standard is
// bit 0 of the result. DER leaves trailing zero bits out; encoders that keep
// them are common and harmless, so they are read.
func (v Value) Flags() (uint16, error) {
	if err := v.want(BitString, "BIT STRING"); err != nil {
		return 0, err
	}
	return v.ImplicitFlags()
}

// ImplicitFlags is Flags under an implicit tag.
func (v Value) ImplicitFlags() (uint16, error) {
	b := v.Body
	if len(b) < 1 || len(b) > 3 || b[0] > 7 || len(b) == 1 && b[0] != 0 {
		return 0, v.Errorf("not a bit string of up to 16 flags")
	}
	if len(b) > 1 && b[len(b)-1]&(1<<b[0]-1) != 0 {
		return 0, v.Errorf("padding bits are set")
	}
	var f uint16
	for i, c := range b[1:] {
		for bit := range 8 {
			if c&(0x80>>bit) != 0 {
				f |= 1 << (i*8 + bit)
			}
		}
	}
	return f, nil
}

// Octets reads an OCTET STRING.
func (v Value) Octets() ([]byte, error) {
	if err := v.want(OctetString, "OCTET STRING"); err != nil {
		return nil, err
	}
	return v.Body, nil
}

// Time reads UTCTime (years 1950 to 2049) or GeneralizedTime, in UTC and with
// seconds, as RFC 5280 section 4.1.2.5 asks.
func (v Value) Time() (time.Time, error) {
	b := v.Body
	year, n := 0, 0
	switch v.Tag {
	case UTCTime:
		n = 2
	case GeneralizedTime:
		n = 4
	default:
		return time.Time{}, v.Errorf("tag %#02x where a time is due", v.Tag)
	}
	if len(b) != n+11 || b[len(b)-1] != 'Z' {
		return time.Time{}, v.Errorf("a time is written in UTC, to the second, with a Z")
	}
	for _, c := range b[:len(b)-1] {
		if c < '0' || c > '9' {
			return time.Time{}, v.Errorf("a time holds digits only")
		}
	}
	for _, c := range b[:n] {
		year = year*10 + int(c-'0')
	}
	if n == 2 {
		if year += 1900; year < 1950 {
			year += 100
		}
	}
	two := func(i int) int { return int(b[n+i]-'0')*10 + int(b[n+i+1]-'0') }
	t := time.Date(year, time.Month(two(0)), two(2), two(4), two(6), two(8), 0, time.UTC)
	if t.Year() != year || int(t.Month()) != two(0) || t.Day() != two(2) || t.Hour() != two(4) || t.Minute() != two(6) || t.Second() != two(8) {
		return time.Time{}, v.Errorf("no such date or time")
	}
	return t, nil
}

// Text reads a character string of any of the kinds that names use.
func (v Value) Text() (string, error) {
	b := v.Body
	switch v.Tag {
	case UTF8String:
		if !utf8.Valid(b) {
			return "", v.Errorf("not UTF-8")
		}
		return string(b), nil
	case PrintableString, IA5String, NumericString, VisibleString:
		for _, c := range b {
			if c >= 0x80 {
				// Seen in the wild: UTF-8 under a wrong tag. Anything else is refused.
				if utf8.Valid(b) {
					return string(b), nil
				}
				return "", v.Errorf("not ASCII")
			}
		}
		return string(b), nil
	case BMPString:
		if len(b)%2 != 0 {
			return "", v.Errorf("a BMP string has two bytes a character")
		}
		u := make([]uint16, len(b)/2)
		for i := range u {
			u[i] = binary.BigEndian.Uint16(b[2*i:])
		}
		return string(utf16.Decode(u)), nil
	case UniversalString:
		if len(b)%4 != 0 {
			return "", v.Errorf("a universal string has four bytes a character")
		}
		r := make([]rune, len(b)/4)
		for i := range r {
			n := binary.BigEndian.Uint32(b[4*i:])
			if n > utf8.MaxRune {
				return "", v.Errorf("no such character")
			}
			r[i] = rune(n)
		}
		return string(r), nil
	case T61String: // in practice Latin-1
		r := make([]rune, len(b))
		for i, c := range b {
			r[i] = rune(c)
		}
		return string(r), nil
	default:
		return "", v.Errorf("tag %#02x is no character string", v.Tag)
	}
}

// ObjectIdentifier reads an OBJECT IDENTIFIER into the form of encoding/asn1.
func (v Value) ObjectIdentifier() (asn1.ObjectIdentifier, error) {
	if _, err := v.OID(); err != nil {
		return nil, err
	}
	var oid asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(v.Raw, &oid); err != nil {
		return nil, v.Errorf("%v", err)
	}
	return oid, nil
}
