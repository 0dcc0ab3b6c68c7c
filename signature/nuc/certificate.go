package nuc

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"sync/atomic"
	"time"

	"kopir/signature/algorithm"
	"kopir/signature/der"
)

// MaxCertificate is the largest certificate that is read, in bytes. Real ones
// have 1 to 3 KB.
const MaxCertificate = 64 << 10

// Certificate is one X.509 v3 certificate. It is read-only: the trust store
// hands the same one to many goroutines.
type Certificate struct {
	Raw        []byte // everything
	RawTBS     []byte // what is signed
	RawSubject []byte
	RawIssuer  []byte
	RawSPKI    []byte
	KeyBits    []byte // content of the public key's BIT STRING, for key hashes

	Fingerprint [sha256.Size]byte // SHA-256 of Raw

	Serial      *big.Int
	NotBefore   time.Time
	NotAfter    time.Time
	SubjectName Name
	IssuerName  Name
	Subject     Subject

	Algorithm      Algorithm // with which the issuer signed
	SignatureValue []byte

	// PublicKey is nil where the table of algorithms does not know the key's
	// kind or refuses to read it; KeyProblem then says why.
	PublicKey    algorithm.PublicKey
	KeyProblem   error
	KeyAlgorithm string // object identifier

	Extensions

	asked atomic.Uint32 // how often Trust.Parse was asked for it again
}

// Algorithm is an AlgorithmIdentifier.
type Algorithm struct {
	OID    string
	Params []byte // encoded; empty where absent

	id []int
}

// ParseCertificate reads one certificate from DER. Nothing may follow it.
// Errors are *der.Error.
func ParseCertificate(raw []byte) (*Certificate, error) {
	const object = "certificate"
	if len(raw) > MaxCertificate {
		return nil, &der.Error{Object: object, Message: fmt.Sprintf("%d bytes; at most %d are read", len(raw), MaxCertificate)}
	}
	raw = bytes.Clone(raw)
	whole, err := der.Parse(object, raw, der.Sequence)
	if err != nil {
		return nil, err
	}
	c := &Certificate{Raw: raw, Fingerprint: sha256.Sum256(raw)}
	s := whole.Seq()
	tbs, err := s.Next("tbsCertificate", der.Sequence)
	if err != nil {
		return nil, err
	}
	alg, err := s.Next("signatureAlgorithm", der.Sequence)
	if err != nil {
		return nil, err
	}
	sig, err := s.Next("signatureValue", der.BitString)
	if err != nil {
		return nil, err
	}
	if err := s.End(); err != nil {
		return nil, err
	}
	c.RawTBS = tbs.Raw
	if c.Algorithm, err = ReadAlgorithm(alg); err != nil {
		return nil, err
	}
	if c.SignatureValue, err = sig.Bits(); err != nil {
		return nil, err
	}
	if err := c.readTBS(tbs); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Certificate) readTBS(tbs der.Value) error {
	s := tbs.Seq()
	version, ok, err := s.Optional("version", der.ContextConstructed(0))
	if err != nil {
		return err
	}
	v3 := false
	if ok {
		n, err := version.Inner("version", der.Integer)
		if err != nil {
			return err
		}
		number, err := n.Int()
		if err != nil {
			return err
		}
		if number != 1 && number != 2 {
			return n.Errorf("version %d; 2 and 3 are written as 1 and 2, and 1 is left out", number)
		}
		v3 = number == 2
	}
	serial, err := s.Next("serialNumber", der.Integer)
	if err != nil {
		return err
	}
	if c.Serial, err = serial.BigInt(); err != nil {
		return err
	}
	if c.Serial.Sign() < 0 || len(serial.Body) > 21 {
		return serial.Errorf("a serial number is not negative and has at most 20 bytes")
	}
	inner, err := s.Next("signature", der.Sequence)
	if err != nil {
		return err
	}
	if within, err := ReadAlgorithm(inner); err != nil {
		return err
	} else if !within.Same(c.Algorithm) {
		return inner.Errorf("names another algorithm than the signature beside it")
	}
	issuer, err := s.Next("issuer", der.Sequence)
	if err != nil {
		return err
	}
	c.RawIssuer = issuer.Raw
	if c.IssuerName, err = ReadName(issuer); err != nil {
		return err
	}
	if len(c.IssuerName) == 0 {
		return issuer.Errorf("the issuer has no name")
	}
	validity, err := s.Next("validity", der.Sequence)
	if err != nil {
		return err
	}
	if err := c.readValidity(validity); err != nil {
		return err
	}
	subject, err := s.Next("subject", der.Sequence)
	if err != nil {
		return err
	}
	c.RawSubject = subject.Raw
	if c.SubjectName, err = ReadName(subject); err != nil {
		return err
	}
	if c.Subject, err = readSubject(subject, c.SubjectName); err != nil {
		return err
	}
	key, err := s.Next("subjectPublicKeyInfo", der.Sequence)
	if err != nil {
		return err
	}
	if err := c.readKey(key); err != nil {
		return err
	}
	for _, tag := range []byte{1, 2} { // unique identifiers: never used, never looked at
		if _, _, err := s.Optional("uniqueID", der.Context(tag)); err != nil {
			return err
		}
	}
	c.PathLen = -1
	ext, ok, err := s.Optional("extensions", der.ContextConstructed(3))
	if err != nil {
		return err
	}
	if ok {
		if !v3 {
			return ext.Errorf("extensions in a certificate that is not of version 3")
		}
		list, err := ext.Inner("extensions", der.Sequence)
		if err != nil {
			return err
		}
		if err := c.Extensions.read(list); err != nil {
			return err
		}
	}
	if c.Subject.Email == "" {
		c.Subject.Email = c.AlternativeEmail
	}
	return s.End()
}

func (c *Certificate) readValidity(v der.Value) error {
	s := v.Seq()
	from, err := s.Any("notBefore")
	if err != nil {
		return err
	}
	to, err := s.Any("notAfter")
	if err != nil {
		return err
	}
	if err := s.End(); err != nil {
		return err
	}
	if c.NotBefore, err = from.Time(); err != nil {
		return err
	}
	if c.NotAfter, err = to.Time(); err != nil {
		return err
	}
	return nil
}

func (c *Certificate) readKey(v der.Value) error {
	c.RawSPKI = v.Raw
	s := v.Seq()
	alg, err := s.Next("algorithm", der.Sequence)
	if err != nil {
		return err
	}
	id, err := ReadAlgorithm(alg)
	if err != nil {
		return err
	}
	c.KeyAlgorithm = id.OID
	bits, err := s.Next("subjectPublicKey", der.BitString)
	if err != nil {
		return err
	}
	if c.KeyBits, err = bits.Bits(); err != nil {
		return err
	}
	if err := s.End(); err != nil {
		return err
	}
	c.PublicKey, c.KeyProblem = algorithm.ParsePublicKey(v.Raw)
	if c.KeyProblem != nil {
		c.PublicKey = nil
	}
	return nil
}

// NewAlgorithm names an algorithm without parameters.
func NewAlgorithm(id asn1.ObjectIdentifier) Algorithm { return Algorithm{OID: id.String(), id: id} }

// ReadAlgorithm reads an AlgorithmIdentifier.
func ReadAlgorithm(v der.Value) (Algorithm, error) {
	s := v.Seq()
	oid, err := s.Next("algorithm", der.ObjectID)
	if err != nil {
		return Algorithm{}, err
	}
	var a Algorithm
	if a.OID, err = oid.OID(); err != nil {
		return Algorithm{}, err
	}
	id, err := oid.ObjectIdentifier()
	if err != nil {
		return Algorithm{}, err
	}
	a.id = id
	if !s.Empty() {
		p, err := s.Any("parameters")
		if err != nil {
			return Algorithm{}, err
		}
		a.Params = p.Raw
	}
	return a, s.End()
}

// SerialHex is the serial number in lower-case hexadecimal, without leading zeros.
func (c *Certificate) SerialHex() string { return c.Serial.Text(16) }

// Thumbprint is the SHA-1 of the certificate, by which WS-Security may name it.
// It only finds; what is found is judged like any other certificate.
func (c *Certificate) Thumbprint() [sha1.Size]byte { return sha1.Sum(c.Raw) }

// SelfIssued tells whether subject and issuer are one name and, where both key
// identifiers are given, one key.
func (c *Certificate) SelfIssued() bool {
	return bytes.Equal(c.RawSubject, c.RawIssuer) &&
		(len(c.AuthorityKeyID) == 0 || len(c.SubjectKeyID) == 0 || bytes.Equal(c.AuthorityKeyID, c.SubjectKeyID))
}

var (
	errNoCertificate  = errors.New("PEM without a CERTIFICATE block")
	errNotCertificate = errors.New("neither a certificate in DER nor one in PEM")
)

// ParsePEMOrDER reads all certificates of a file: one in DER, or any number in
// PEM, among other PEM blocks. A file without a certificate is an error.
func ParsePEMOrDER(data []byte) ([]*Certificate, error) {
	if !bytes.Contains(data, []byte("-----BEGIN")) {
		if len(data) == 0 || data[0] != 0x30 { // a SEQUENCE
			return nil, errNotCertificate
		}
		c, err := ParseCertificate(data)
		if err != nil {
			return nil, err
		}
		return []*Certificate{c}, nil
	}
	var out []*Certificate
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" && block.Type != "X509 CERTIFICATE" {
			continue
		}
		c, err := ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("PEM block %d: %w", len(out)+1, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errNoCertificate
	}
	return out, nil
}
