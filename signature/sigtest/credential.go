package sigtest

import (
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"

	"kopir/signature/keystore"
	"kopir/signature/nuc"
)

// Credential is an issued certificate with its private key.
type Credential struct {
	Profile     Profile
	DER         []byte // of the certificate
	Certificate *x509.Certificate
	Signer      crypto.Signer
	Chain       [][]byte // DER: leaf, issuing CA, root
}

// Serial is the certificate's number.
func (c *Credential) Serial() *big.Int { return c.Certificate.SerialNumber }

// PEM is the certificate alone.
func (c *Credential) PEM() []byte { return certPEM(c.DER) }

// KeyPEM is the private key in PKCS#8.
func (c *Credential) KeyPEM() ([]byte, error) {
	der, err := marshalPrivate(c.Signer)
	if err != nil {
		return nil, fmt.Errorf("sigtest: key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// PKCS12 packs key and certificate the way the national authority hands them
// out: BER inside, RC2-40 for the certificate, 3DES for the key, HMAC-SHA-1,
// no chain.
func (c *Credential) PKCS12(password string) ([]byte, error) {
	key, err := marshalPrivate(c.Signer)
	if err != nil {
		return nil, fmt.Errorf("sigtest: key: %w", err)
	}
	return nationalPKCS12(key, c.DER, c.Certificate.SubjectKeyId, password)
}

// FileName is the national form: RSA256_, AUTH_RSA256_, GOST512_ or GOSTKNCA_,
// and the key identifier.
func (c *Credential) FileName() string {
	prefix := "KEY_"
	if a, row, err := algorithmOf(c.Signer); err == nil {
		if prefix = row.file; a == RSA && c.Profile.Usage == Auth {
			prefix = "AUTH_" + prefix
		}
	}
	return prefix + hex.EncodeToString(c.Certificate.SubjectKeyId) + ".p12"
}

// Key gives the credential in the form in which the bridge signs.
func (c *Credential) Key() (*keystore.Key, error) {
	cert, err := nuc.ParseCertificate(c.DER)
	if err != nil {
		return nil, err
	}
	return keystore.NewKey(cert, c.Signer)
}
