package keystore

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"kopir/signature/der"
	"kopir/signature/nuc"
)

// Open opens a key file of either form: PKCS#12, or PEM with a private key and
// its certificate. Errors as of OpenPKCS12.
func Open(data []byte, password string) (*Key, error) {
	if bytes.Contains(data, []byte("-----BEGIN")) {
		return OpenPEM(data, password)
	}
	return OpenPKCS12(data, password)
}

// OpenPEM opens a file with one private key (PKCS#8, encrypted PKCS#8 or
// PKCS#1) and certificates, in any order.
func OpenPEM(data []byte, password string) (*Key, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("key file: %d bytes; at most %d are read", len(data), MaxFile)
	}
	var c content
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if len(c.keys)+len(c.certs) > maxBags {
			return nil, fmt.Errorf("key file: more than %d PEM blocks", maxBags)
		}
		if err := c.readBlock(block, password); err != nil {
			return nil, err
		}
	}
	return c.key()
}

func (c *content) readBlock(block *pem.Block, password string) error {
	switch block.Type {
	case "CERTIFICATE":
		cert, err := nuc.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("key file: %w", err)
		}
		c.certs = append(c.certs, cert)
	case "PRIVATE KEY":
		c.keys = append(c.keys, block.Bytes)
	case "RSA PRIVATE KEY":
		if block.Headers["DEK-Info"] != "" {
			return errors.New("key file: the PEM key is encrypted in a way without integrity; convert it: openssl pkcs8 -topk8")
		}
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return fmt.Errorf("key file: %w", err)
		}
		raw, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return fmt.Errorf("key file: %w", err)
		}
		c.keys = append(c.keys, raw)
	case "ENCRYPTED PRIVATE KEY":
		info, err := der.Parse("key file", block.Bytes, der.Sequence)
		if err != nil {
			return err
		}
		raw, err := newSecret(password, maxWork).readEncryptedKey(info)
		if errors.Is(err, errDecrypt) {
			return fmt.Errorf("key file: %w", ErrPassword)
		}
		if err != nil {
			return err
		}
		c.keys = append(c.keys, raw)
	}
	return nil
}
