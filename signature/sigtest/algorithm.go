package sigtest

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"hash"

	"kopir/signature/gost"
)

// Algorithm says with what an authority, or the holder of a certificate,
// signs. The zero value is RSA.
type Algorithm int

const (
	RSA          Algorithm = iota // RSA with SHA-256: authorities 4096 bits, others 2048
	GOST2015                      // GOST R 34.10-2015 on 512 bits: what is issued since 2022
	GOST2004                      // GOST 34.310-2004: what was issued before
	GOST2015x256                  // GOST R 34.10-2015 on 256 bits: named by the standards, never met
)

// String is the word of commands and configurations.
func (a Algorithm) String() string {
	if row, ok := schemes[a]; ok {
		return row.word
	}
	return "unknown"
}

// scheme is how an algorithm is written down. Identifiers and forms were read
// off real certificates and key files of the national authority.
type scheme struct {
	word      string
	file      string                // begin of a key file's name
	signature asn1.ObjectIdentifier // with explicit NULL parameters, RSA and GOST alike
	hash      func() hash.Hash
	opts      crypto.SignerOpts

	// Of the national algorithms alone.
	curve  *gost.Curve
	key    asn1.ObjectIdentifier
	params []asn1.ObjectIdentifier // curve, then hash
}

var schemes = map[Algorithm]*scheme{
	RSA: {word: "rsa", file: "RSA256_", signature: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, hash: sha256.New, opts: crypto.SHA256},
	GOST2015: {
		word: "gost2015", file: "GOST512_", signature: asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 3, 2}, hash: gost.NewStreebog512, opts: crypto.Hash(0),
		curve: gost.TC26A512(), key: asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 2},
		params: []asn1.ObjectIdentifier{{1, 2, 398, 3, 10, 1, 1, 2, 2, 1}, {1, 2, 398, 3, 10, 1, 3, 3}},
	},
	GOST2004: {
		word: "gost2004", file: "GOSTKNCA_", signature: asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 1, 2}, hash: gost.NewGOST94, opts: crypto.Hash(0),
		curve: gost.CryptoProA(), key: asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 1, 1},
		params: []asn1.ObjectIdentifier{{1, 2, 398, 3, 10, 1, 1, 1, 1, 1}, {1, 2, 398, 3, 10, 1, 3, 1, 1, 0}},
	},
	GOST2015x256: {
		word: "gost2015-256", file: "GOST256_", signature: asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 3, 1}, hash: gost.NewStreebog256, opts: crypto.Hash(0),
		curve: gost.TC26A256(), key: asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 1},
		params: []asn1.ObjectIdentifier{{1, 2, 398, 3, 10, 1, 1, 2, 1, 1}, {1, 2, 398, 3, 10, 1, 3, 2}},
	},
}

// algorithmOf finds the algorithm of a key.
func algorithmOf(key crypto.Signer) (Algorithm, *scheme, error) {
	switch public := key.Public().(type) {
	case *rsa.PublicKey:
		return RSA, schemes[RSA], nil
	case *gost.PublicKey:
		for a, row := range schemes {
			if row.curve == public.Curve() {
				return a, row, nil
			}
		}
	}
	return 0, nil, fmt.Errorf("sigtest: no algorithm for a key of %T", key.Public())
}

// seal signs DER: the AlgorithmIdentifier and the value as a BIT STRING. What
// an authority signs twice is the same twice.
func seal(key crypto.Signer, tbs []byte) (pkix.AlgorithmIdentifier, asn1.BitString, error) {
	_, row, err := algorithmOf(key)
	if err != nil {
		return pkix.AlgorithmIdentifier{}, asn1.BitString{}, err
	}
	h := row.hash()
	h.Write(tbs)
	value, err := key.Sign(noHedge{}, h.Sum(nil), row.opts)
	if err != nil {
		return pkix.AlgorithmIdentifier{}, asn1.BitString{}, fmt.Errorf("sigtest: %w", err)
	}
	return row.identifier(), asn1.BitString{Bytes: value, BitLength: 8 * len(value)}, nil
}

func (row *scheme) identifier() pkix.AlgorithmIdentifier {
	return pkix.AlgorithmIdentifier{Algorithm: row.signature, Parameters: asn1.NullRawValue}
}

// noHedge makes signatures deterministic: the national signer derives its
// nonce from key and digest too, PKCS#1 v1.5 has none.
type noHedge struct{}

func (noHedge) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// signedDER is the form of certificates and lists.
func signedDER(tbs []byte, key crypto.Signer) ([]byte, error) {
	id, value, err := seal(key, tbs)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Value     asn1.BitString
	}{asn1.RawValue{FullBytes: tbs}, id, value})
}

// identifierOf is the AlgorithmIdentifier that stands within what a key signs.
func identifierOf(key crypto.Signer) (pkix.AlgorithmIdentifier, error) {
	_, row, err := algorithmOf(key)
	if err != nil {
		return pkix.AlgorithmIdentifier{}, err
	}
	return row.identifier(), nil
}

// lowered is the national serial number: the key identifier with its top bit
// taken away, so that it is positive.
func lowered(ski []byte) []byte {
	b := bytes.Clone(ski)
	b[0] &= 0x7f
	return b
}
