package revocation

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"kopir/signature/der"
	"kopir/signature/nuc"
)

// plainReason is the encoding of an entry's extensions that hold a reason and
// nothing else, up to the reason itself: nearly every entry has it.
var plainReason = []byte{0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01}

func (c *CRL) readEntries(list der.Value) error {
	n := 0 // counted first, so that the entries take no byte more than they need
	for s := list.Seq(); !s.Empty(); n++ {
		if _, err := s.Next("revokedCertificate", der.Sequence); err != nil {
			return err
		}
	}
	c.entries = make([]entry, 0, n)
	s := list.Seq()
	sorted := true
	for !s.Empty() {
		v, err := s.Next("revokedCertificate", der.Sequence)
		if err != nil {
			return err
		}
		e, err := c.readEntry(v)
		if err != nil {
			return err
		}
		if n := len(c.entries); n > 0 && compareSerials(&c.entries[n-1].serial, &e.serial) >= 0 {
			sorted = false
		}
		c.entries = append(c.entries, e)
	}
	if sorted {
		return nil
	}
	slices.SortFunc(c.entries, func(a, b entry) int { return compareSerials(&a.serial, &b.serial) })
	for i := 1; i < len(c.entries); i++ {
		if c.entries[i].serial == c.entries[i-1].serial {
			return list.Errorf("the certificate %x is listed twice", trimZeros(c.entries[i].serial[:]))
		}
	}
	return nil
}

// compareSerials is bytes.Compare in three steps; sorting a million entries
// spends its time here.
func compareSerials(a, b *[serialSize]byte) int {
	for i := 0; i < 16; i += 8 {
		if x, y := binary.BigEndian.Uint64(a[i:]), binary.BigEndian.Uint64(b[i:]); x != y {
			return cmp.Compare(x, y)
		}
	}
	return cmp.Compare(binary.BigEndian.Uint32(a[16:]), binary.BigEndian.Uint32(b[16:]))
}

func trimZeros(b []byte) []byte { return bytes.TrimLeft(b, "\x00") }

func (c *CRL) readEntry(v der.Value) (entry, error) {
	e := entry{reason: reasonNone}
	s := v.Seq()
	number, err := s.Next("userCertificate", der.Integer)
	if err != nil {
		return e, err
	}
	if err := putSerial(&e.serial, number); err != nil {
		return e, err
	}
	when, err := s.Any("revocationDate")
	if err != nil {
		return e, err
	}
	at, err := when.Time()
	if err != nil {
		return e, err
	}
	e.at = seconds(at)
	if s.Empty() {
		return e, nil
	}
	if rest := s.Rest(); len(rest) == len(plainReason)+1 && bytes.HasPrefix(rest, plainReason) {
		if rest[len(rest)-1] > 10 {
			return e, v.Errorf("unknown reason %d", rest[len(rest)-1])
		}
		e.reason = int8(rest[len(rest)-1])
		return e, nil
	}
	ext, err := s.Next("crlEntryExtensions", der.Sequence)
	if err != nil {
		return e, err
	}
	list := ext.Seq()
	for !list.Empty() {
		x, err := nuc.ReadExtension(&list)
		if err != nil {
			return e, err
		}
		switch {
		case x.OID == "2.5.29.21":
			code, err := x.Value.Inner("reasonCode", der.Enumerated)
			if err != nil {
				return e, err
			}
			n, err := code.Int()
			if err != nil || n > 10 {
				return e, code.Errorf("unknown reason")
			}
			e.reason = int8(n)
		case x.OID == "2.5.29.29":
			c.partial = "it is an indirect list: entries of other authorities are among its own"
		case x.Critical:
			c.partial = "an entry has the critical extension " + x.OID + ", which is not understood"
		}
	}
	return e, s.End()
}

// putSerial left-pads a serial number.
func putSerial(to *[serialSize]byte, v der.Value) error {
	b := v.Body
	if len(b) > 1 && b[0] == 0 {
		if b[1] < 0x80 {
			return v.Errorf("an integer not in its shortest form")
		}
		b = b[1:]
	} else if len(b) == 0 || b[0] >= 0x80 {
		return v.Errorf("a serial number is not negative")
	}
	if len(b) > serialSize {
		return v.Errorf("a serial number has at most %d bytes", serialSize)
	}
	copy(to[serialSize-len(b):], b)
	return nil
}

// seconds clamps a time to what an entry holds: years 1970 to 2106.
func seconds(t time.Time) uint32 {
	return uint32(min(max(t.Unix(), 0), 1<<32-1))
}
