package keystore

import (
	"fmt"
	"slices"

	"kopir/signature/algorithm"
	"kopir/signature/der"
	"kopir/signature/gost"
)

// The private keys of the national algorithms lie in PKCS#8 in three ways,
// read off the key files of the national authority: GOST R 34.10-2015 as an
// OCTET STRING, little-endian; GOST 34.310-2004 as an INTEGER; and in the
// form of one vendor a sequence of a number and a big-endian OCTET STRING.

func openGOST2015(curve *gost.Curve) func([]byte) (algorithm.PrivateKey, error) {
	return func(raw []byte) (algorithm.PrivateKey, error) {
		v, err := privateValue(raw, der.OctetString)
		if err != nil {
			return nil, err
		}
		return newGOST(curve, v.Body)
	}
}

func openGOST2004(raw []byte) (algorithm.PrivateKey, error) {
	v, err := privateValue(raw, der.Integer)
	if err != nil {
		return nil, err
	}
	d, err := v.BigInt()
	if err != nil {
		return nil, err
	}
	return bigEndianGOST(gost.CryptoProA(), d.Bytes(), d.Sign() < 0)
}

func openVendorGOST(raw []byte) (algorithm.PrivateKey, error) {
	v, err := privateValue(raw, der.Sequence)
	if err != nil {
		return nil, err
	}
	s := v.Seq()
	if _, err := s.Next("version", der.Integer); err != nil {
		return nil, err
	}
	d, err := s.Next("privateKey", der.OctetString)
	if err != nil {
		return nil, err
	}
	return bigEndianGOST(gost.CryptoProA(), d.Body, false)
}

// privateValue gives what the privateKey of a PrivateKeyInfo holds.
func privateValue(raw []byte, tag byte) (der.Value, error) {
	whole, err := der.Parse("private key", raw, der.Sequence)
	if err != nil {
		return der.Value{}, err
	}
	s := whole.Seq()
	if _, err := s.Next("version", der.Integer); err != nil {
		return der.Value{}, err
	}
	if _, err := s.Next("privateKeyAlgorithm", der.Sequence); err != nil {
		return der.Value{}, err
	}
	octets, err := s.Next("privateKey", der.OctetString)
	if err != nil {
		return der.Value{}, err
	}
	return octets.Inner("privateKey", tag)
}

func bigEndianGOST(curve *gost.Curve, d []byte, negative bool) (algorithm.PrivateKey, error) {
	if negative || len(d) > curve.Size() {
		return nil, fmt.Errorf("private key: not a number of at most %d bytes", curve.Size())
	}
	little := make([]byte, curve.Size())
	copy(little, d)
	slices.Reverse(little[:len(d)])
	return newGOST(curve, little)
}

func newGOST(curve *gost.Curve, d []byte) (algorithm.PrivateKey, error) {
	k, err := gost.NewPrivateKey(curve, d)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	return algorithm.NewGOSTPrivateKey(k), nil
}
