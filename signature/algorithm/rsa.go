package algorithm

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"kopir/signature/verdict"
)

// Sizes of RSA moduli, in bits.
const (
	// RSAReadMin and RSAReadMax bound what is read at all: below, crypto/rsa
	// refuses to compute; above, one verification costs a sender nothing and us
	// milliseconds.
	RSAReadMin = 1024
	RSAReadMax = 8192
	// RSAAllowMin is what policy accepts from a signer or an authority
	// (NIST SP 800-131A: 2048 and more).
	RSAAllowMin = 2048
)

// RSAPublicKey is an RSA key from a certificate.
type RSAPublicKey struct{ *rsa.PublicKey }

func (RSAPublicKey) Kind() KeyKind { return KeyRSA }
func (k RSAPublicKey) Bits() int   { return k.N.BitLen() }

// Refusal: shorter than RSAAllowMin.
func (k RSAPublicKey) Refusal() (verdict.Reason, string) {
	if b := k.Bits(); b < RSAAllowMin {
		return verdict.CryptoConstraintsFailure, fmt.Sprintf("the RSA key has %d bits, at least %d are required", b, RSAAllowMin)
	}
	return verdict.None, ""
}

func (k RSAPublicKey) Equal(o PublicKey) bool {
	x, ok := o.(RSAPublicKey)
	return ok && k.PublicKey.Equal(x.PublicKey)
}

// NewRSAPublicKey checks modulus and exponent and wraps the key.
func NewRSAPublicKey(n *big.Int, e int) (RSAPublicKey, error) {
	switch b := n.BitLen(); {
	case n.Sign() <= 0 || n.Bit(0) == 0:
		return RSAPublicKey{}, errors.New("the modulus is not a positive odd number")
	case b < RSAReadMin || b > RSAReadMax:
		return RSAPublicKey{}, fmt.Errorf("the modulus has %d bits, keys of %d to %d bits are read", b, RSAReadMin, RSAReadMax)
	case e < 3 || e&1 == 0: // 1 would make every value its own signature
		return RSAPublicKey{}, fmt.Errorf("the exponent %d is not an odd number from 3", e)
	}
	return RSAPublicKey{&rsa.PublicKey{N: n, E: e}}, nil
}

func parseRSA(params asn1.RawValue, bits []byte) (PublicKey, error) {
	if len(params.FullBytes) != 0 && !bytes.Equal(params.FullBytes, asn1.NullBytes) {
		return nil, errors.New("the algorithm has parameters other than NULL")
	}
	var key struct {
		N *big.Int
		E int
	}
	rest, err := asn1.Unmarshal(bits, &key)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, errors.New("bytes after its end")
	}
	return NewRSAPublicKey(key.N, key.E)
}

// RSAPrivateKey signs with an RSA key that is in memory or in a device.
type RSAPrivateKey struct {
	signer crypto.Signer
	public RSAPublicKey
}

// NewRSAPrivateKey wraps a crypto.Signer whose public key is RSA.
func NewRSAPrivateKey(s crypto.Signer) (*RSAPrivateKey, error) {
	if s == nil {
		return nil, errors.New("no key")
	}
	p, ok := s.Public().(*rsa.PublicKey)
	if !ok {
		return nil, ErrKeyKind
	}
	pub, err := NewRSAPublicKey(p.N, p.E)
	if err != nil {
		return nil, err
	}
	return &RSAPrivateKey{signer: s, public: pub}, nil
}

func (*RSAPrivateKey) Kind() KeyKind       { return KeyRSA }
func (k *RSAPrivateKey) Public() PublicKey { return k.public }

// verifyPKCS1 and signPKCS1 make the functions of an RSASSA-PKCS1-v1_5 row.
func verifyPKCS1(h crypto.Hash) verifyFunc {
	return func(key PublicKey, digest, sig []byte) error {
		k, ok := key.(RSAPublicKey)
		if !ok {
			return ErrKeyKind
		}
		return rsa.VerifyPKCS1v15(k.PublicKey, h, digest, sig)
	}
}

func signPKCS1(h crypto.Hash) signFunc {
	return func(key PrivateKey, digest []byte) ([]byte, error) {
		k, ok := key.(*RSAPrivateKey)
		if !ok {
			return nil, ErrKeyKind
		}
		return k.signer.Sign(rand.Reader, digest, h)
	}
}

// verifyPSS: MGF1 with the same hash, the salt as long as the hash
// (RFC 6931 section 2.3.10).
func verifyPSS(h crypto.Hash) verifyFunc {
	return func(key PublicKey, digest, sig []byte) error {
		k, ok := key.(RSAPublicKey)
		if !ok {
			return ErrKeyKind
		}
		return rsa.VerifyPSS(k.PublicKey, h, digest, sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	}
}
