package httpsig

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"

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
	return Key{ID: KeyID(c), Algorithm: name, Verify: func(base, value []byte) error {
		h := row.Digest.New()
		h.Write(base)
		return row.Verify(c.PublicKey, h.Sum(nil), value)
	}}, nil
}

// ParseKey reads a partner's bare public key: one PEM block "PUBLIC KEY" with
// Ed25519, ECDSA on P-256, or RSA of at least 2048 bits. It is named by the
// SHA-256 of its SubjectPublicKeyInfo, in hexadecimal.
func ParseKey(text []byte) (Key, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" {
		return Key{}, errors.New("httpsig: there is no PEM block PUBLIC KEY")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return Key{}, errors.New("httpsig: the public key does not read")
	}
	sum := sha256.Sum256(block.Bytes)
	k := Key{ID: hex.EncodeToString(sum[:])}
	switch p := public.(type) {
	case ed25519.PublicKey:
		k.Algorithm = "ed25519"
		k.Verify = func(base, value []byte) error { return truth(ed25519.Verify(p, base, value)) }
	case *ecdsa.PublicKey:
		if p.Curve != elliptic.P256() {
			return Key{}, errors.New("httpsig: of elliptic curves P-256 alone is taken")
		}
		k.Algorithm = "ecdsa-p256-sha256"
		k.Verify = func(base, value []byte) error { return verifyP256(p, base, value) }
	case *rsa.PublicKey:
		if p.N.BitLen() < 2048 {
			return Key{}, errors.New("httpsig: RSA keys need 2048 bits")
		}
		own, err := algorithm.ParsePublicKey(block.Bytes)
		if err != nil {
			return Key{}, fmt.Errorf("httpsig: %w", err)
		}
		row, _ := algorithm.SignatureForKey(own.Kind())
		k.Algorithm = names[own.Kind()]
		k.Verify = func(base, value []byte) error {
			h := row.Digest.New()
			h.Write(base)
			return row.Verify(own, h.Sum(nil), value)
		}
	default:
		return Key{}, errors.New("httpsig: of public keys Ed25519, P-256 and RSA are taken")
	}
	return k, nil
}

// verifyP256 reads the two numbers side by side (RFC 9421, 3.3.4).
func verifyP256(p *ecdsa.PublicKey, base, value []byte) error {
	if len(value) != 64 {
		return errors.New("not 64 bytes")
	}
	sum := sha256.Sum256(base)
	r, s := new(big.Int).SetBytes(value[:32]), new(big.Int).SetBytes(value[32:])
	return truth(ecdsa.Verify(p, sum[:], r, s))
}

func truth(ok bool) error {
	if !ok {
		return errors.New("the value is wrong")
	}
	return nil
}
