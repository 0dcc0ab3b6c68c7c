package algorithm

import (
	"crypto"
	"encoding/asn1"
	"errors"
	"fmt"

	"kopir/signature/gost"
	"kopir/signature/verdict"
)

// KeyKind is the mathematics of a key. The zero value fits no algorithm.
type KeyKind uint8

const (
	KeyUnknown KeyKind = iota
	KeyRSA
	KeyEC
	KeyGOST2004
	KeyGOST2015x256
	KeyGOST2015x512
)

func (k KeyKind) String() string {
	switch k {
	case KeyRSA:
		return "RSA"
	case KeyEC:
		return "EC"
	case KeyGOST2004:
		return "GOST 34.310-2004"
	case KeyGOST2015x256:
		return "GOST R 34.10-2015 256"
	case KeyGOST2015x512:
		return "GOST R 34.10-2015 512"
	default:
		return "unknown"
	}
}

// PublicKey is the public half of a signer's key.
type PublicKey interface {
	Kind() KeyKind
	// Bits is the size by which the key's strength is spoken of: the modulus
	// of RSA, the field of a curve.
	Bits() int
	// Refusal says why policy does not accept the key whatever it signs; None
	// if it does. The text is for people.
	Refusal() (verdict.Reason, string)
	Equal(PublicKey) bool
}

// PrivateKey is the other half, wherever it is kept.
type PrivateKey interface {
	Kind() KeyKind
	Public() PublicKey
}

// NewPrivateKey takes the key of a library or a device: a crypto.Signer whose
// public key is an *rsa.PublicKey or a *gost.PublicKey.
func NewPrivateKey(s crypto.Signer) (PrivateKey, error) {
	if s != nil {
		if public, ok := s.Public().(*gost.PublicKey); ok {
			return newGOSTSigner(s, public), nil
		}
	}
	k, err := NewRSAPrivateKey(s)
	if err != nil {
		return nil, err
	}
	return k, nil
}

// ErrKeyKind is the answer when a key of one kind meets an algorithm of another.
var ErrKeyKind = errors.New("the key does not belong to this algorithm")

// keyRow reads the keys of one SubjectPublicKeyInfo algorithm.
type keyRow struct {
	kind  KeyKind
	oids  []asn1.ObjectIdentifier
	parse func(params asn1.RawValue, bits []byte) (PublicKey, error)
}

var keys = []keyRow{
	{KeyRSA, []asn1.ObjectIdentifier{{1, 2, 840, 113549, 1, 1, 1}}, parseRSA},
	{KeyEC, []asn1.ObjectIdentifier{{1, 2, 840, 10045, 2, 1}}, parseEC},
	{KeyGOST2004, []asn1.ObjectIdentifier{gostKeys[0].oid}, parseGOST(0)},
	{KeyGOST2015x256, []asn1.ObjectIdentifier{gostKeys[1].oid}, parseGOST(1)},
	{KeyGOST2015x512, []asn1.ObjectIdentifier{gostKeys[2].oid}, parseGOST(2)},
	{KeyGOST2004, []asn1.ObjectIdentifier{{1, 3, 6, 1, 4, 1, 6801, 1, 5, 8}}, parseVendorGOST},
}

// UnknownKeyError says that a SubjectPublicKeyInfo is well formed but of a
// kind that is not in the table.
type UnknownKeyError struct{ OID asn1.ObjectIdentifier }

func (e *UnknownKeyError) Error() string {
	return fmt.Sprintf("the key algorithm %s is not known here", e.OID)
}

// ParsePublicKey reads a DER SubjectPublicKeyInfo (RFC 5280 section 4.1).
// Nothing may follow it. A kind that is not in the table is an *UnknownKeyError.
func ParsePublicKey(spki []byte) (PublicKey, error) {
	var info struct {
		Algorithm struct {
			OID    asn1.ObjectIdentifier
			Params asn1.RawValue `asn1:"optional"`
		}
		Key asn1.BitString
	}
	rest, err := asn1.Unmarshal(spki, &info)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	if len(rest) > 0 {
		return nil, errors.New("public key: bytes after its end")
	}
	if info.Key.BitLength%8 != 0 {
		return nil, errors.New("public key: not a whole number of bytes")
	}
	for _, row := range keys {
		if listed(info.Algorithm.OID, row.oids) {
			key, err := row.parse(info.Algorithm.Params, info.Key.Bytes)
			if err != nil {
				return nil, fmt.Errorf("%s public key: %w", row.kind, err)
			}
			return key, nil
		}
	}
	return nil, &UnknownKeyError{OID: info.Algorithm.OID}
}
