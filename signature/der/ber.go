package der

import "fmt"

// maxBERDepth bounds the nesting of what FromBER reads.
const maxBERDepth = 32

// FromBER rewrites one value from the Basic Encoding Rules into definite
// lengths and unbroken strings, so that Parse can read it: lengths may be
// indefinite or longer than needed, octet strings in pieces. Key files and
// some CMS messages are written so. The order of sets and the content of
// primitive values stay as they are. Bytes after the value are an error.
func FromBER(object string, data []byte) ([]byte, error) {
	b := ber{object: object, whole: len(data)}
	out, rest, err := b.value(make([]byte, 0, len(data)), data, 0)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, b.errorf(rest, "%d bytes follow where nothing may", len(rest))
	}
	return out, nil
}

type ber struct {
	object string
	whole  int
}

// errorf points at the place where rest begins.
func (b *ber) errorf(rest []byte, format string, args ...any) error {
	return &Error{Object: b.object, Offset: b.whole - len(rest), Message: fmt.Sprintf(format, args...)}
}

// header reads tag and length; length -1 is the indefinite form.
func (b *ber) header(d []byte) (tag byte, length int, body []byte, err error) {
	if len(d) < 2 {
		return 0, 0, nil, b.errorf(d, "missing, or cut off")
	}
	if d[0]&0x1f == 0x1f {
		return 0, 0, nil, b.errorf(d, "tag numbers above 30 do not occur here")
	}
	switch n := int(d[1]); {
	case n < 0x80:
		return d[0], n, d[2:], b.fits(d, n, len(d)-2)
	case n == 0x80:
		if d[0]&0x20 == 0 {
			return 0, 0, nil, b.errorf(d, "indefinite length of a primitive value")
		}
		return d[0], -1, d[2:], nil
	default:
		k := n - 0x80
		if k > 8 || len(d) < 2+k {
			return 0, 0, nil, b.errorf(d, "length of %d bytes is out of bounds", k)
		}
		length := 0
		for _, c := range d[2 : 2+k] {
			if length > 1<<40 {
				return 0, 0, nil, b.errorf(d, "length is out of bounds")
			}
			length = length<<8 | int(c)
		}
		return d[0], length, d[2+k:], b.fits(d, length, len(d)-2-k)
	}
}

func (b *ber) fits(d []byte, says, there int) error {
	if says > there {
		return b.errorf(d, "says %d bytes, %d are there", says, there)
	}
	return nil
}

// value appends the next value of d to out.
func (b *ber) value(out, d []byte, depth int) (_, rest []byte, err error) {
	if depth > maxBERDepth {
		return nil, nil, b.errorf(d, "nested deeper than %d", maxBERDepth)
	}
	tag, length, body, err := b.header(d)
	if err != nil {
		return nil, nil, err
	}
	if tag&0x20 == 0 {
		return append(appendHeader(out, tag, length), body[:length]...), body[length:], nil
	}
	if tag == OctetString|0x20 {
		text, rest, err := b.pieces(nil, length, body, depth)
		if err != nil {
			return nil, nil, err
		}
		return append(appendHeader(out, OctetString, len(text)), text...), rest, nil
	}
	var inner []byte
	err = b.members(length, body, func(d []byte) ([]byte, error) {
		var err error
		inner, d, err = b.value(inner, d, depth+1)
		return d, err
	}, &rest)
	if err != nil {
		return nil, nil, err
	}
	return append(appendHeader(out, tag, len(inner)), inner...), rest, nil
}

// pieces joins the octet strings that a constructed one consists of.
func (b *ber) pieces(text []byte, length int, body []byte, depth int) (_, rest []byte, err error) {
	if depth > maxBERDepth {
		return nil, nil, b.errorf(body, "nested deeper than %d", maxBERDepth)
	}
	err = b.members(length, body, func(d []byte) ([]byte, error) {
		tag, n, in, err := b.header(d)
		switch {
		case err != nil:
			return nil, err
		case tag == OctetString:
			text = append(text, in[:n]...)
			return in[n:], nil
		case tag == OctetString|0x20:
			var after []byte
			text, after, err = b.pieces(text, n, in, depth+1)
			return after, err
		default:
			return nil, b.errorf(d, "tag %#02x within an octet string in pieces", tag)
		}
	}, &rest)
	return text, rest, err
}

// members calls each for the values inside a constructed one, up to its
// length or to its end-of-contents mark.
func (b *ber) members(length int, body []byte, each func([]byte) ([]byte, error), rest *[]byte) error {
	d := body
	for {
		if length >= 0 {
			used := len(body) - len(d)
			if used == length {
				*rest = d
				return nil
			}
			if used > length {
				return b.errorf(d, "a value ends outside the one it stands in")
			}
		} else if len(d) >= 2 && d[0] == 0 && d[1] == 0 {
			*rest = d[2:]
			return nil
		}
		var err error
		if d, err = each(d); err != nil {
			return err
		}
	}
}

func appendHeader(out []byte, tag byte, n int) []byte {
	out = append(out, tag)
	switch {
	case n < 0x80:
		return append(out, byte(n))
	case n < 0x100:
		return append(out, 0x81, byte(n))
	case n < 0x10000:
		return append(out, 0x82, byte(n>>8), byte(n))
	case n < 0x1000000:
		return append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	default:
		return append(out, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
}
