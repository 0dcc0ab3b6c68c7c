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
	close   func() // nil for keys in memory
}

// Private is the key itself, for algorithms other than Algorithm.
func (k *Key) Private() algorithm.PrivateKey { return k.private }

// Sign makes the signature value over a digest of Algorithm.Digest.
func (k *Key) Sign(digest []byte) ([]byte, error) { return k.Algorithm.Sign(k.private, digest) }

// OnDevice says that the key lies on a token, which signs with arithmetic of
// its own.
func (k *Key) OnDevice() bool { return k.close != nil }

// DaysLeft is the number of whole days until the certificate expires,
// negative once it has.
func (k *Key) DaysLeft(at time.Time) int {
	return int(math.Floor(k.Certificate.NotAfter.Sub(at).Hours() / 24))
}

// Close ends the sessions with the token that keeps the key; it signs no more.
// Of a key in memory nothing changes. A key that nobody holds any more needs no
// Close.
func (k *Key) Close() {
	if k != nil && k.close != nil {
		k.close()
	}
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

// MismatchError: the key of a file or token belongs to none of its certificates.
type MismatchError struct {
	Certificate *nuc.Certificate // the first of them; nil if there is none
}

func (e *MismatchError) Error() string {
	if e.Certificate == nil {
		return "there is a private key, but no certificate beside it"
	}
	return fmt.Sprintf("the private key does not belong to the certificate %s", e.Certificate.SerialHex())
}

// UnsupportedKeyError: file or token opened, but keys of this kind cannot sign here.
type UnsupportedKeyError struct {
	OID         string           // of the key's algorithm; empty where it has none
	Name        string           // as people call it; empty where it is not known either
	Certificate *nuc.Certificate // the first in the file; nil if it has none
}

func (e *UnsupportedKeyError) Error() string {
	switch {
	case e.Name == "":
		return fmt.Sprintf("the private key has the algorithm %s, which is not known here", e.OID)
	case e.OID == "":
		return fmt.Sprintf("there is a private key, but %s keys cannot sign here", e.Name)
	default:
		return fmt.Sprintf("there is a private key, but %s keys (%s) cannot sign here yet", e.Name, e.OID)
	}
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
