// Package der reads ASN.1 in the Distinguished Encoding Rules (X.690 clauses 8
// and 10) over the original bytes, and says of every fault which object, which
// field and which offset. Certificates, revocation lists, OCSP answers and
// signed messages are read with it.
//
// Rules kept: definite lengths in the fewest bytes, tag numbers below 31,
// nothing after the object, integers in the fewest bytes, booleans 00 or FF,
// times in UTC with seconds, bit strings with zero padding bits. Nothing is
// copied: a Value refers to the bytes it was read from, so whoever keeps one
// must not change them. Cost is linear in the bytes looked at.
package der

import "fmt"

// Tags of the universal class that the objects of a public key infrastructure use.
const (
	Boolean         = 0x01
	Integer         = 0x02
	BitString       = 0x03
	OctetString     = 0x04
	Null            = 0x05
	ObjectID        = 0x06
	Enumerated      = 0x0a
	UTF8String      = 0x0c
	NumericString   = 0x12
	PrintableString = 0x13
	T61String       = 0x14
	IA5String       = 0x16
	UTCTime         = 0x17
	GeneralizedTime = 0x18
	VisibleString   = 0x1a
	UniversalString = 0x1c
	BMPString       = 0x1e
	Sequence        = 0x30
	Set             = 0x31
)

// Context gives the tag [n] of a primitive value, ContextConstructed that of a
// constructed one.
func Context(n byte) byte            { return 0x80 | n }
func ContextConstructed(n byte) byte { return 0xa0 | n }

// Error says what is wrong with an object, where.
type Error struct {
	Object  string // certificate, CRL, OCSP response …
	Field   string // name as in the standard, e.g. tbsCertificate.validity
	Offset  int    // bytes from the start of the object
	Message string
}

func (e *Error) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("%s: offset %d: %s", e.Object, e.Offset, e.Message)
	}
	return fmt.Sprintf("%s: %s at offset %d: %s", e.Object, e.Field, e.Offset, e.Message)
}

// Value is one encoded value. Raw is tag, length and content; Body the content.
type Value struct {
	Tag  byte
	Raw  []byte
	Body []byte
	Off  int // of Raw in the object

	object string
	field  string
}

// Seq walks over values that stand one after another.
type Seq struct {
	data   []byte
	off    int
	object string
	field  string // of the value they stand in
}

// Parse reads the one value with the given tag that data consists of. object
// is the name under which errors speak of it.
func Parse(object string, data []byte, tag byte) (Value, error) {
	s := Seq{data: data, object: object}
	v, err := s.Next("", tag)
	if err != nil {
		return Value{}, err
	}
	return v, s.End()
}

// Seq gives the values inside a constructed value.
func (v Value) Seq() Seq {
	return Seq{data: v.Body, off: v.Off + len(v.Raw) - len(v.Body), object: v.object, field: v.field}
}

// Inner reads the one value with the given tag that fills the content of v: an
// explicit tag, or an OCTET STRING that carries an encoding.
func (v Value) Inner(field string, tag byte) (Value, error) {
	s := v.Seq()
	in, err := s.Next(field, tag)
	if err != nil {
		return Value{}, err
	}
	return in, s.End()
}

// Is tells whether the value has a tag.
func (v Value) Is(tag byte) bool { return v.Raw != nil && v.Tag == tag }

// IsZero tells whether this is no value at all.
func (v Value) IsZero() bool { return v.Raw == nil }

// Errorf builds an Error that points at the value.
func (v Value) Errorf(format string, args ...any) error {
	return &Error{Object: v.object, Field: v.field, Offset: v.Off, Message: fmt.Sprintf(format, args...)}
}

// Empty tells whether nothing is left.
func (s *Seq) Empty() bool { return len(s.data) == 0 }

// Peek tells whether the next value has a tag.
func (s *Seq) Peek(tag byte) bool { return len(s.data) > 0 && s.data[0] == tag }

// End is an error where something is left.
func (s *Seq) End() error {
	if len(s.data) == 0 {
		return nil
	}
	return s.errorf(s.field, "%d bytes follow where nothing may", len(s.data))
}

// Rest gives what is left, unread.
func (s *Seq) Rest() []byte { return s.data }

func (s *Seq) errorf(field, format string, args ...any) error {
	return &Error{Object: s.object, Field: field, Offset: s.off, Message: fmt.Sprintf(format, args...)}
}

func (s *Seq) name(field string) string {
	if s.field == "" || field == "" {
		return s.field + field
	}
	return s.field + "." + field
}

// Any reads the next value, whatever its tag.
func (s *Seq) Any(field string) (Value, error) {
	d := s.data
	if len(d) < 2 {
		return Value{}, s.errorf(s.name(field), "missing, or cut off")
	}
	if d[0]&0x1f == 0x1f {
		return Value{}, s.errorf(s.name(field), "tag numbers above 30 do not occur here")
	}
	head, n := 2, int(d[1])
	switch {
	case n == 0x80:
		return Value{}, s.errorf(s.name(field), "indefinite length; DER asks for a definite one")
	case n > 0x80:
		k := n - 0x80
		if k > 4 {
			return Value{}, s.errorf(s.name(field), "length of %d bytes is out of bounds", k)
		}
		if len(d) < 2+k {
			return Value{}, s.errorf(s.name(field), "cut off in its length")
		}
		n = 0
		for _, b := range d[2 : 2+k] {
			n = n<<8 | int(b)
		}
		if n < 0x80 || d[2] == 0 {
			return Value{}, s.errorf(s.name(field), "length is not in its shortest form")
		}
		head += k
	}
	if n > len(d)-head {
		return Value{}, s.errorf(s.name(field), "says %d bytes, %d are there", n, len(d)-head)
	}
	v := Value{Tag: d[0], Raw: d[:head+n], Body: d[head : head+n], Off: s.off, object: s.object, field: field}
	s.data, s.off = d[head+n:], s.off+head+n
	return v, nil
}

// Next reads the next value, which must have a tag.
func (s *Seq) Next(field string, tag byte) (Value, error) {
	if len(s.data) > 0 && s.data[0] != tag {
		return Value{}, s.errorf(s.name(field), "tag %#02x where %#02x is due", s.data[0], tag)
	}
	return s.Any(field)
}

// Optional reads the next value if it has a tag; the second result says whether.
func (s *Seq) Optional(field string, tag byte) (Value, bool, error) {
	if !s.Peek(tag) {
		return Value{}, false, nil
	}
	v, err := s.Any(field)
	return v, err == nil, err
}
