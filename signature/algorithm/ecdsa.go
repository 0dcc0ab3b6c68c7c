package algorithm

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"kopir/signature/verdict"
)

// ECPublicKey is a point on one of the NIST curves.
type ECPublicKey struct{ *ecdsa.PublicKey }

func (ECPublicKey) Kind() KeyKind { return KeyEC }
func (k ECPublicKey) Bits() int   { return k.Curve.Params().BitSize }

// Refusal: none by the key alone; every ECDSA algorithm is refused by its row.
func (k ECPublicKey) Refusal() (verdict.Reason, string) { return verdict.None, "" }

func (k ECPublicKey) Equal(o PublicKey) bool {
	x, ok := o.(ECPublicKey)
	return ok && k.PublicKey.Equal(x.PublicKey)
}

var curves = []struct {
	oid   asn1.ObjectIdentifier
	curve elliptic.Curve
}{
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, elliptic.P256()},
	{asn1.ObjectIdentifier{1, 3, 132, 0, 34}, elliptic.P384()},
	{asn1.ObjectIdentifier{1, 3, 132, 0, 35}, elliptic.P521()},
	{asn1.ObjectIdentifier{1, 3, 132, 0, 33}, elliptic.P224()},
}

// parseEC reads a point on a named curve (RFC 5480). Explicit curve
// parameters are refused: with them the sender would choose the mathematics.
func parseEC(params asn1.RawValue, bits []byte) (PublicKey, error) {
	var oid asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(params.FullBytes, &oid); err != nil || len(rest) > 0 {
		return nil, errors.New("the curve is not given by its name")
	}
	for _, c := range curves {
		if c.oid.Equal(oid) {
			k, err := ecdsa.ParseUncompressedPublicKey(c.curve, bits)
			if err != nil {
				return nil, err
			}
			return ECPublicKey{k}, nil
		}
	}
	return nil, fmt.Errorf("the curve %s is not known here", oid)
}

func verifyECDSA(key PublicKey, digest, sig []byte) error {
	k, ok := key.(ECPublicKey)
	if !ok {
		return ErrKeyKind
	}
	if !ecdsa.VerifyASN1(k.PublicKey, digest, sig) {
		return errVerification
	}
	return nil
}

// verifyECDSAXML takes r and s beside each other (XML Signature 1.1 section
// 6.4.3), not the DER of certificates. Both should be as wide as the order;
// Java makes them as wide as the larger of the two needs, so narrower halves
// are read too.
func verifyECDSAXML(key PublicKey, digest, sig []byte) error {
	k, ok := key.(ECPublicKey)
	if !ok {
		return ErrKeyKind
	}
	width := (k.Curve.Params().N.BitLen() + 7) / 8
	if len(sig) == 0 || len(sig)%2 != 0 || len(sig) > 2*width {
		return fmt.Errorf("the value has %d bytes, r and s of this curve have %d", len(sig), 2*width)
	}
	r, s := new(big.Int).SetBytes(sig[:len(sig)/2]), new(big.Int).SetBytes(sig[len(sig)/2:])
	if !ecdsa.Verify(k.PublicKey, digest, r, s) {
		return errVerification
	}
	return nil
}
