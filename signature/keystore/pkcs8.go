package keystore

import (
	"crypto/rsa"
	"crypto/x509"
	"fmt"

	"kopir/signature/algorithm"
	"kopir/signature/der"
	"kopir/signature/gost"
)

// maxPKCS8 bounds a private key, in bytes; RSA of 8192 bits takes 5 KB.
const maxPKCS8 = 16 << 10

// privateForm is one way in which a private key lies in PKCS#8. A kind of key
// is a row here.
type privateForm struct {
	oid, name string // name as people call it
	open      func(pkcs8 []byte) (algorithm.PrivateKey, error)
}

var privateForms = []privateForm{
	{"1.2.840.113549.1.1.1", "RSA", openRSA},
	{"1.2.398.3.10.1.1.1.1", "GOST 34.310-2004", openGOST2004},
	{"1.2.398.3.10.1.1.2.1", "GOST R 34.10-2015 (256 bit)", openGOST2015(gost.TC26A256())},
	{"1.2.398.3.10.1.1.2.2", "GOST R 34.10-2015 (512 bit)", openGOST2015(gost.TC26A512())},
	{"1.3.6.1.4.1.6801.1.5.8", "GOST 34.310-2004 (vendor form)", openVendorGOST},
}

// parsePKCS8 reads a PrivateKeyInfo (RFC 5958).
func parsePKCS8(raw []byte) (algorithm.PrivateKey, error) {
	oid, err := pkcs8Algorithm(raw)
	if err != nil {
		return nil, err
	}
	for _, f := range privateForms {
		if f.oid == oid {
			return f.open(raw)
		}
	}
	return nil, &UnsupportedKeyError{OID: oid}
}

func pkcs8Algorithm(raw []byte) (string, error) {
	if len(raw) > maxPKCS8 {
		return "", fmt.Errorf("private key: %d bytes; at most %d are read", len(raw), maxPKCS8)
	}
	whole, err := der.Parse("private key", raw, der.Sequence)
	if err != nil {
		return "", err
	}
	s := whole.Seq()
	version, err := s.Next("version", der.Integer)
	if err != nil {
		return "", err
	}
	if n, err := version.Int(); err != nil || n > 1 {
		return "", version.Errorf("version 0 or 1 is due")
	}
	alg, err := s.Next("privateKeyAlgorithm", der.Sequence)
	if err != nil {
		return "", err
	}
	id := alg.Seq()
	oid, err := id.Next("algorithm", der.ObjectID)
	if err != nil {
		return "", err
	}
	if _, err := s.Next("privateKey", der.OctetString); err != nil {
		return "", err
	}
	return oid.OID()
}

func openRSA(raw []byte) (algorithm.PrivateKey, error) {
	k, err := x509.ParsePKCS8PrivateKey(raw)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	key, ok := k.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("private key: says RSA, holds %T", k)
	}
	return algorithm.NewRSAPrivateKey(key)
}
