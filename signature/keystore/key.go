package keystore

import (
	"crypto"
	"errors"
	"fmt"
	"math"
	"time"

	"kopir/signature/algorithm"
	"kopir/signature/nuc"
)

// Key is a private key with its certificate.
type Key struct {
	Certificate *nuc.Certificate
	Chain       []*nuc.Certificate   // others that lay in the file, as found
	Algorithm   *algorithm.Signature // with which the key signs new messages
	Name        string               // friendly name in the file; may be empty

	private algorithm.PrivateKey
}

// Private is the key itself, for algorithms other than Algorithm.
func (k *Key) Private() algorithm.PrivateKey { return k.private }

// Sign makes the signature value over a digest of Algorithm.Digest.
func (k *Key) Sign(digest []byte) ([]byte, error) { return k.Algorithm.Sign(k.private, digest) }

// DaysLeft is the number of whole days until the certificate expires,
// negative once it has.
func (k *Key) DaysLeft(at time.Time) int {
	return int(math.Floor(k.Certificate.NotAfter.Sub(at).Hours() / 24))
}

// NewKey joins a certificate with the key of a library or a device.
func NewKey(c *nuc.Certificate, s crypto.Signer) (*Key, error) {
	private, err := algorithm.NewPrivateKey(s)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	return join(private, []*nuc.Certificate{c}, "")
}

// Errors of opening. ErrPassword is wrapped where the password does not open
// the file; a file that no password opens has other errors.
var (
	ErrPassword = errors.New("the password does not open this file")
	ErrNoKey    = errors.New("there is no private key in the file")
)

// MismatchError: the file's key belongs to none of its certificates.
type MismatchError struct {
	Certificate *nuc.Certificate // the first in the file; nil if it has none
}

func (e *MismatchError) Error() string {
	if e.Certificate == nil {
		return "key file: there is a key, but no certificate beside it"
	}
	return fmt.Sprintf("key file: the private key does not belong to the certificate %s", e.Certificate.SerialHex())
}

// UnsupportedKeyError: the file opened, but keys of this kind cannot sign here.
type UnsupportedKeyError struct {
	OID         string           // of the key's algorithm
	Name        string           // as people call it; empty where it is not known either
	Certificate *nuc.Certificate // the first in the file; nil if it has none
}

func (e *UnsupportedKeyError) Error() string {
	if e.Name == "" {
		return fmt.Sprintf("key file: the key has the algorithm %s, which is not known here", e.OID)
	}
	return fmt.Sprintf("key file: it opened, but %s keys (%s) cannot sign here yet", e.Name, e.OID)
}

// join finds the certificate of a key.
func join(private algorithm.PrivateKey, certs []*nuc.Certificate, name string) (*Key, error) {
	k := &Key{private: private, Name: name}
	for _, c := range certs {
		if k.Certificate == nil && c.PublicKey != nil && private.Public().Equal(c.PublicKey) {
			k.Certificate = c
		} else {
			k.Chain = append(k.Chain, c)
		}
	}
	if k.Certificate == nil {
		return nil, &MismatchError{Certificate: firstOf(certs)}
	}
	row, ok := algorithm.SignatureForKey(private.Kind())
	if !ok {
		return nil, &UnsupportedKeyError{OID: k.Certificate.KeyAlgorithm, Name: private.Kind().String(), Certificate: k.Certificate}
	}
	k.Algorithm = row
	return k, nil
}

func firstOf(certs []*nuc.Certificate) *nuc.Certificate {
	if len(certs) == 0 {
		return nil
	}
	return certs[0]
}
