package cms

import (
	"fmt"
	"math/big"
	"time"

	"kopir/signature/der"
	"kopir/signature/nuc"
)

// Token is a time stamp (RFC 3161 section 2.4.2): a signed message with one
// signer whose content is a TSTInfo.
type Token struct {
	*SignedData
	Info TSTInfo
}

// TSTInfo is what a time stamp says: that a digest was shown to the authority
// at a time.
type TSTInfo struct {
	Policy    string // object identifier
	Imprint   Imprint
	Serial    *big.Int
	Time      time.Time // UTC; may have a fraction of a second
	Accuracy  time.Duration
	Ordering  bool
	Nonce     *big.Int // nil if there is none; some authorities make it negative
	Authority nuc.Name // nil if not given or not a directory name
	Critical  string   // a critical extension, none of which is understood
}

// Imprint is the digest of the stamped bytes.
type Imprint struct {
	Hash   nuc.Algorithm
	Digest []byte
}

const tokenName = "time stamp token"

// ParseToken reads a time stamp. Errors are *der.Error.
func ParseToken(raw []byte) (*Token, error) {
	d, err := parse(tokenName, raw, MaxToken)
	if err != nil {
		return nil, err
	}
	fault := func(field, format string, args ...any) error {
		return &der.Error{Object: tokenName, Field: field, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case d.ContentType != TypeTSTInfo:
		return nil, fault("encapContentInfo.eContentType", "%s is not that of a time stamp (%s)", d.ContentType, TypeTSTInfo)
	case !d.Attached:
		return nil, fault("encapContentInfo.eContent", "missing: a time stamp carries its content")
	case len(d.Signers) != 1:
		return nil, fault("signerInfos", "%d signers; a time stamp has the authority's signature and no other", len(d.Signers))
	}
	t := &Token{SignedData: d}
	v, err := der.Parse("TSTInfo", d.Content, der.Sequence)
	if err != nil {
		return nil, err
	}
	return t, t.Info.read(v)
}

func (t *TSTInfo) read(v der.Value) error {
	s := v.Seq()
	version, err := s.Next("version", der.Integer)
	if err != nil {
		return err
	}
	if n, err := version.Int(); err != nil || n != 1 {
		return version.Errorf("only version 1 is read")
	}
	policy, err := s.Next("policy", der.ObjectID)
	if err != nil {
		return err
	}
	if t.Policy, err = policy.OID(); err != nil {
		return err
	}
	imprint, err := s.Next("messageImprint", der.Sequence)
	if err != nil {
		return err
	}
	if t.Imprint, err = readImprint(imprint); err != nil {
		return err
	}
	serial, err := s.Next("serialNumber", der.Integer)
	if err != nil {
		return err
	}
	if t.Serial, err = boundedInt(serial); err != nil {
		return err
	}
	when, err := s.Next("genTime", der.GeneralizedTime)
	if err != nil {
		return err
	}
	if t.Time, err = readFraction(when); err != nil {
		return err
	}
	if accuracy, ok, err := s.Optional("accuracy", der.Sequence); err != nil {
		return err
	} else if ok {
		if t.Accuracy, err = readAccuracy(accuracy); err != nil {
			return err
		}
	}
	if ordering, ok, err := s.Optional("ordering", der.Boolean); err != nil {
		return err
	} else if ok {
		if t.Ordering, err = ordering.Bool(); err != nil {
			return err
		}
		if !t.Ordering {
			return ordering.Errorf("the default is written out; DER leaves it out")
		}
	}
	if nonce, ok, err := s.Optional("nonce", der.Integer); err != nil {
		return err
	} else if ok {
		if t.Nonce, err = boundedInt(nonce); err != nil {
			return err
		}
	}
	if err := t.readAuthority(&s); err != nil {
		return err
	}
	if err := t.readExtensions(&s); err != nil {
		return err
	}
	return s.End()
}

func readImprint(v der.Value) (Imprint, error) {
	var i Imprint
	s := v.Seq()
	alg, err := s.Next("hashAlgorithm", der.Sequence)
	if err != nil {
		return i, err
	}
	if i.Hash, err = nuc.ReadAlgorithm(alg); err != nil {
		return i, err
	}
	hash, err := s.Next("hashedMessage", der.OctetString)
	if err != nil {
		return i, err
	}
	if i.Digest = hash.Body; len(i.Digest) == 0 || len(i.Digest) > 64 {
		return i, hash.Errorf("a digest of %d bytes", len(i.Digest))
	}
	return i, s.End()
}

// boundedInt reads an INTEGER of at most 160 bits and a sign.
func boundedInt(v der.Value) (*big.Int, error) {
	if len(v.Body) > 21 {
		return nil, v.Errorf("a number of %d bytes", len(v.Body))
	}
	return v.BigInt()
}

// readFraction reads GeneralizedTime that may have a fraction of a second,
// without trailing zeros (RFC 3161 section 2.4.2).
func readFraction(v der.Value) (time.Time, error) {
	b := v.Body
	if len(b) < 17 || b[14] != '.' {
		return v.Time()
	}
	digits := b[15 : len(b)-1]
	if len(digits) > 9 || b[len(b)-1] != 'Z' || digits[len(digits)-1] == '0' {
		return time.Time{}, v.Errorf("a fraction of a second has one to nine digits, the last not 0, and a Z behind")
	}
	nanos := 0
	for i := range 9 {
		nanos *= 10
		if i < len(digits) {
			if digits[i] < '0' || digits[i] > '9' {
				return time.Time{}, v.Errorf("a time holds digits only")
			}
			nanos += int(digits[i] - '0')
		}
	}
	whole := v
	whole.Body = append(append([]byte(nil), b[:14]...), 'Z')
	t, err := whole.Time()
	return t.Add(time.Duration(nanos)), err
}

func readAccuracy(v der.Value) (time.Duration, error) {
	s := v.Seq()
	var total time.Duration
	if seconds, ok, err := s.Optional("seconds", der.Integer); err != nil {
		return 0, err
	} else if ok {
		n, err := seconds.Int()
		if err != nil {
			return 0, err
		}
		total = time.Duration(n) * time.Second
	}
	for i, part := range []struct {
		field string
		unit  time.Duration
	}{{"millis", time.Millisecond}, {"micros", time.Microsecond}} {
		one, ok, err := s.Optional(part.field, der.Context(byte(i)))
		if err != nil {
			return 0, err
		}
		if !ok {
			continue
		}
		n, err := one.ImplicitInt()
		if err != nil {
			return 0, err
		}
		if n < 1 || n > 999 {
			return 0, one.Errorf("%d is not between 1 and 999", n)
		}
		total += time.Duration(n) * part.unit
	}
	return total, s.End()
}

func (t *TSTInfo) readAuthority(s *der.Seq) error {
	wrapped, ok, err := s.Optional("tsa", der.ContextConstructed(0))
	if err != nil || !ok {
		return err
	}
	inner := wrapped.Seq()
	name, err := inner.Any("tsa")
	if err != nil {
		return err
	}
	if err := inner.End(); err != nil {
		return err
	}
	if name.Tag != der.ContextConstructed(4) {
		return nil // a name of another kind, for people
	}
	directory, err := name.Inner("directoryName", der.Sequence)
	if err != nil {
		return err
	}
	t.Authority, err = nuc.ReadName(directory)
	return err
}

func (t *TSTInfo) readExtensions(s *der.Seq) error {
	list, ok, err := s.Optional("extensions", der.ContextConstructed(1))
	if err != nil || !ok {
		return err
	}
	x := list.Seq()
	if x.Empty() {
		return list.Errorf("an empty list")
	}
	for n := 0; !x.Empty(); n++ {
		if n == maxExtensions {
			return list.Errorf("more than %d extensions", maxExtensions)
		}
		ext, err := nuc.ReadExtension(&x)
		if err != nil {
			return err
		}
		if ext.Critical {
			t.Critical = ext.OID
		}
	}
	return nil
}
