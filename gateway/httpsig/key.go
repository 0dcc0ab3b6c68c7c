package httpsig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"kopir/signature/algorithm"
	"kopir/signature/keystore"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// Signer signs requests.
type Signer struct {
	KeyID     string
	Algorithm string // alg
	Sign      func(base []byte) ([]byte, error)
}

// Key verifies them.
type Key struct {
	ID        string
	Algorithm string
	Public    []byte // DER: the certificate, or the SubjectPublicKeyInfo of a bare key
	Verify    func(base, value []byte) error
}

// names are the values of alg for keys with certificates: RFC 9421, 3.3.2 for
// RSA. No national algorithm is registered, so their names are private ones.
var names = map[algorithm.KeyKind]string{
	algorithm.KeyRSA:          "rsa-v1_5-sha256",
	algorithm.KeyGOST2004:     "x-gost34310-2004",
	algorithm.KeyGOST2015x256: "x-gost34102015-256",
	algorithm.KeyGOST2015x512: "x-gost34102015-512",
}

// KeyID names a certificate: the SHA-256 of the whole, in hexadecimal.
func KeyID(c *nuc.Certificate) string { return hex.EncodeToString(c.Fingerprint[:]) }

// SignerOf signs with a key and names it by its certificate.
func SignerOf(k *keystore.Key) (Signer, error) {
	name, ok := names[k.Private().Kind()]
	if !ok {
		return Signer{}, fmt.Errorf("httpsig: %s keys do not sign requests", k.Private().Kind())
	}
	return Signer{KeyID: KeyID(k.Certificate), Algorithm: name, Sign: func(base []byte) ([]byte, error) {
		h := k.Algorithm.Digest.New()
		h.Write(base)
		return k.Sign(h.Sum(nil))
	}}, nil
}

// KeyOf is the key of a certificate. Whether the certificate is good is asked
// elsewhere.
func KeyOf(c *nuc.Certificate) (Key, error) {
	if c.PublicKey == nil {
		return Key{}, errors.New("httpsig: the key of the certificate cannot be used")
	}
	if reason, why := c.PublicKey.Refusal(); reason != verdict.None {
		return Key{}, errors.New("httpsig: the key of the certificate is not accepted: " + why)
	}
	name, ok := names[c.PublicKey.Kind()]
	row, known := algorithm.SignatureForKey(c.PublicKey.Kind())
	if !ok || !known {
		return Key{}, fmt.Errorf("httpsig: %s keys do not sign requests", c.PublicKey.Kind())
	}
	return Key{ID: KeyID(c), Algorithm: name, Public: c.Raw, Verify: func(base, value []byte) error {
		h := row.Digest.New()
		h.Write(base)
		return row.Verify(c.PublicKey, h.Sum(nil), value)
	}}, nil
}

// ParseKey reads a partner's bare public key: one PEM block "PUBLIC KEY" with
// Ed25519, ECDSA on P-256 or P-384, or RSA of at least 2048 bits. It is named by
// the SHA-256 of its SubjectPublicKeyInfo, in hexadecimal. A key serves one
// algorithm: alg says which (RFC 9421, 6.2.2); empty: rsa-v1_5-sha256 for RSA,
// the others have but one.
func ParseKey(text []byte, alg string) (Key, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" {
		return Key{}, errors.New("httpsig: there is no PEM block PUBLIC KEY")
	}
	return ParsePublic(block.Bytes, alg)
}

// ParsePublic does it with the DER of the block.
func ParsePublic(der []byte, alg string) (Key, error) {
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return Key{}, errors.New("httpsig: the public key does not read")
	}
	serves, err := bare(public)
	if err != nil {
		return Key{}, err
	}
	if alg == "" {
		alg = serves[0].Algorithm
	}
	i := slices.IndexFunc(serves, func(k Key) bool { return k.Algorithm == alg })
	if i < 0 {
		return Key{}, fmt.Errorf("httpsig: the key does not serve the algorithm %q", alg)
	}
	sum := sha256.Sum256(der)
	serves[i].Public, serves[i].ID = der, hex.EncodeToString(sum[:])
	return serves[i], nil
}

// bare gives what a public key can serve, the usual first.
func bare(public any) ([]Key, error) {
	switch p := public.(type) {
	case ed25519.PublicKey:
		return []Key{{Algorithm: "ed25519", Verify: func(base, value []byte) error { return truth(ed25519.Verify(p, base, value)) }}}, nil
	case *ecdsa.PublicKey:
		switch p.Curve {
		case elliptic.P256():
			return []Key{{Algorithm: "ecdsa-p256-sha256", Verify: func(base, value []byte) error {
				sum := sha256.Sum256(base)
				return verifyECDSA(p, sum[:], value, 32)
			}}}, nil
		case elliptic.P384():
			return []Key{{Algorithm: "ecdsa-p384-sha384", Verify: func(base, value []byte) error {
				sum := sha512.Sum384(base)
				return verifyECDSA(p, sum[:], value, 48)
			}}}, nil
		}
		return nil, errors.New("httpsig: of elliptic curves P-256 and P-384 are taken")
	case *rsa.PublicKey:
		if p.N.BitLen() < 2048 {
			return nil, errors.New("httpsig: RSA keys need 2048 bits")
		}
		return []Key{{Algorithm: "rsa-v1_5-sha256", Verify: func(base, value []byte) error {
			sum := sha256.Sum256(base)
			return rsa.VerifyPKCS1v15(p, crypto.SHA256, sum[:], value)
		}}, {Algorithm: "rsa-pss-sha512", Verify: func(base, value []byte) error {
			sum := sha512.Sum512(base)
			return rsa.VerifyPSS(p, crypto.SHA512, sum[:], value, &rsa.PSSOptions{SaltLength: 64})
		}}}, nil
	}
	return nil, errors.New("httpsig: of public keys Ed25519, P-256, P-384 and RSA are taken")
}

// verifyECDSA reads the two numbers side by side (RFC 9421, 3.3.4 and 3.3.5).
func verifyECDSA(p *ecdsa.PublicKey, sum, value []byte, size int) error {
	if len(value) != 2*size {
		return fmt.Errorf("not %d bytes", 2*size)
	}
	r, s := new(big.Int).SetBytes(value[:size]), new(big.Int).SetBytes(value[size:])
	return truth(ecdsa.Verify(p, sum, r, s))
}

func truth(ok bool) error {
	if !ok {
		return errors.New("the value is wrong")
	}
	return nil
}
