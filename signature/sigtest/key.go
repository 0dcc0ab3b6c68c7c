package sigtest

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha3"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"math/big"
	"slices"

	"kopir/signature/gost"
)

// GOSTKey is a national private key as a crypto.Signer. Its public key is a
// *gost.PublicKey; the value is r then s, each little-endian.
type GOSTKey struct{ key *gost.PrivateKey }

// Public implements crypto.Signer.
func (k GOSTKey) Public() crypto.PublicKey { return k.key.Public() }

// Sign implements crypto.Signer: over a digest of the curve's size.
func (k GOSTKey) Sign(random io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return k.key.Sign(random, digest)
}

// TestKey gives the n-th key of an algorithm: the same n is the same key in
// every process. RSA keys are those of the pool, counted round; national keys
// are derived from the number, so there is no end to them. All are public.
func TestKey(a Algorithm, n int) (crypto.Signer, error) {
	if a == RSA {
		return PoolKey(n)
	}
	return derivedKey(a, fmt.Sprintf("key %d", n))
}

// derivedKey makes a national key out of a text.
func derivedKey(a Algorithm, text string) (crypto.Signer, error) {
	row, ok := schemes[a]
	if !ok || row.curve == nil {
		return nil, fmt.Errorf("sigtest: %v is no national algorithm", a)
	}
	stream := sha3.NewSHAKE256()
	stream.Write([]byte("kopir/signature/sigtest\x00" + row.word + "\x00" + text))
	key, err := gost.GenerateKey(row.curve, stream)
	return GOSTKey{key}, err
}

// freshKeyOf generates.
func freshKeyOf(a Algorithm, bits int) (crypto.Signer, error) {
	row, ok := schemes[a]
	switch {
	case !ok:
		return nil, fmt.Errorf("sigtest: no algorithm %d", a)
	case row.curve == nil:
		return freshKey(bits)
	}
	key, err := gost.GenerateKey(row.curve, nil)
	return GOSTKey{key}, err
}

// keyAlgorithm is the AlgorithmIdentifier of a national key, in certificates
// and in key files alike.
func (row *scheme) keyAlgorithm() (pkix.AlgorithmIdentifier, error) {
	params, err := asn1.Marshal(row.params)
	return pkix.AlgorithmIdentifier{Algorithm: row.key, Parameters: asn1.RawValue{FullBytes: params}}, err
}

type publicKeyInfo struct {
	Algorithm pkix.AlgorithmIdentifier
	Key       asn1.BitString
}

// marshalPublic gives the SubjectPublicKeyInfo. In a national one the BIT STRING
// holds an OCTET STRING: x then y, each little-endian.
func marshalPublic(key crypto.Signer) ([]byte, error) {
	public, ok := key.Public().(*gost.PublicKey)
	if !ok {
		return x509.MarshalPKIXPublicKey(key.Public())
	}
	_, row, err := algorithmOf(key)
	if err != nil {
		return nil, err
	}
	id, err := row.keyAlgorithm()
	if err != nil {
		return nil, err
	}
	point, err := asn1.Marshal(public.Bytes())
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(publicKeyInfo{id, asn1.BitString{Bytes: point, BitLength: 8 * len(point)}})
}

// marshalPrivate gives the PKCS#8 PrivateKeyInfo: of GOST R 34.10-2015 with an
// OCTET STRING in it, little-endian; of GOST 34.310-2004 with an INTEGER.
func marshalPrivate(key crypto.Signer) ([]byte, error) {
	national, ok := key.(GOSTKey)
	if !ok {
		if _, isRSA := key.(*rsa.PrivateKey); !isRSA {
			return nil, fmt.Errorf("sigtest: a key of type %T cannot be exported", key)
		}
		return x509.MarshalPKCS8PrivateKey(key)
	}
	a, row, err := algorithmOf(key)
	if err != nil {
		return nil, err
	}
	id, err := row.keyAlgorithm()
	if err != nil {
		return nil, err
	}
	d := national.key.Bytes()
	var value any = d
	if a == GOST2004 {
		slices.Reverse(d)
		value = new(big.Int).SetBytes(d)
	}
	inner, err := asn1.Marshal(value)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}{0, id, inner})
}

// keyID is SHA-1 of the content of the public key's BIT STRING (RFC 5280, 4.2.1.2 (1)).
func keyID(key crypto.Signer) ([]byte, error) {
	der, err := marshalPublic(key)
	if err != nil {
		return nil, err
	}
	var spki publicKeyInfo
	if _, err := asn1.Unmarshal(der, &spki); err != nil {
		return nil, err
	}
	sum := sha1.Sum(spki.Key.Bytes)
	return sum[:], nil
}
