package nuc

import (
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
)

// known finds certificates that a message names without carrying them.
type known struct {
	all      map[[sha256.Size]byte]bool
	bySerial map[string][]*Certificate // key: SerialHex
	byKeyID  map[string][]*Certificate
	byThumb  map[[sha1.Size]byte][]*Certificate
}

func newKnown() known {
	return known{
		all:      map[[sha256.Size]byte]bool{},
		bySerial: map[string][]*Certificate{},
		byKeyID:  map[string][]*Certificate{},
		byThumb:  map[[sha1.Size]byte][]*Certificate{},
	}
}

func (k *known) add(c *Certificate) {
	if k.all[c.Fingerprint] {
		return
	}
	k.all[c.Fingerprint] = true
	k.bySerial[c.SerialHex()] = append(k.bySerial[c.SerialHex()], c)
	if len(c.SubjectKeyID) > 0 {
		k.byKeyID[string(c.SubjectKeyID)] = append(k.byKeyID[string(c.SubjectKeyID)], c)
	}
	k.byThumb[c.Thumbprint()] = append(k.byThumb[c.Thumbprint()], c)
}

// Errors of the lookups.
var (
	ErrUnknownCertificate   = errors.New("no such certificate is known")
	ErrAmbiguousCertificate = errors.New("more than one certificate is known under this name")
)

// ByIssuerSerial finds a certificate by the text of its issuer's name (in
// either order, RFC 4514 or its elders) and its serial number.
func (t *Trust) ByIssuerSerial(issuer string, serial *big.Int) (*Certificate, error) {
	name, err := ParseName(issuer)
	if err != nil {
		return nil, err
	}
	return t.ByIssuerNumber(name, serial)
}

// ByIssuerNumber finds a certificate by its issuer's name and its serial number.
func (t *Trust) ByIssuerNumber(name Name, serial *big.Int) (*Certificate, error) {
	if serial == nil || serial.Sign() < 0 {
		return nil, fmt.Errorf("serial number: %w", ErrUnknownCertificate)
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	var found []*Certificate
	for _, c := range t.known.bySerial[serial.Text(16)] {
		if c.IssuerName.Equal(name) {
			found = append(found, c)
		}
	}
	return only(found)
}

// ByKeyID finds a certificate by its subject key identifier.
func (t *Trust) ByKeyID(id []byte) (*Certificate, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return only(t.known.byKeyID[string(id)])
}

// BySubject finds a certificate by the text of its subject's name. Several
// certificates of one holder make it ambiguous.
func (t *Trust) BySubject(subject string) (*Certificate, error) {
	name, err := ParseName(subject)
	if err != nil {
		return nil, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	var found []*Certificate
	for _, list := range t.known.byThumb {
		for _, c := range list {
			if c.SubjectName.Equal(name) {
				found = append(found, c)
			}
		}
	}
	return only(found)
}

// ByThumbprint finds a certificate by the SHA-1 of its encoding.
func (t *Trust) ByThumbprint(sum []byte) (*Certificate, error) {
	if len(sum) != sha1.Size {
		return nil, fmt.Errorf("a thumbprint has %d bytes, not %d: %w", sha1.Size, len(sum), ErrUnknownCertificate)
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return only(t.known.byThumb[[sha1.Size]byte(sum)])
}

func only(found []*Certificate) (*Certificate, error) {
	switch len(found) {
	case 0:
		return nil, ErrUnknownCertificate
	case 1:
		return found[0], nil
	default:
		return nil, ErrAmbiguousCertificate
	}
}
