package revocation

import (
	"bytes"
	"fmt"
	"math/big"
	"time"

	"kopir/signature/algorithm"
	"kopir/signature/der"
	"kopir/signature/nuc"
)

// MaxOCSP is the largest answer that is read, in bytes. Real ones have 2 to 4 KB.
const MaxOCSP = 256 << 10

// Bounds of what one answer may hold.
const (
	maxSingles      = 64
	maxCertificates = 16
)

const (
	oidBasicResponse = "1.3.6.1.5.5.7.48.1.1"
	oidNonce         = "1.3.6.1.5.5.7.48.1.2"
)

// ResponseStatus is the outer status of an answer (RFC 6960 section 4.2.1).
type ResponseStatus int

const (
	statusInternalError ResponseStatus = 2
	statusTryLater      ResponseStatus = 3
)

var responseStatuses = map[ResponseStatus]string{
	0: "successful", 1: "malformedRequest", statusInternalError: "internalError", statusTryLater: "tryLater", 5: "sigRequired", 6: "unauthorized",
}

func (s ResponseStatus) String() string {
	if t, ok := responseStatuses[s]; ok {
		return t
	}
	return fmt.Sprintf("status %d", int(s))
}

// Response is one OCSP answer. It is not believed before Verify.
type Response struct {
	Raw        []byte
	Status     ResponseStatus // anything but successful has nothing below
	ProducedAt time.Time
	Singles    []Single
	Nonce      []byte // content of the nonce extension as it stands; nil where there is none

	responderName []byte // DER of the name; nil if the responder is named by its key
	responderKey  []byte // SHA-1 of its public key
	certs         []*nuc.Certificate
	critical      string // a critical extension that is not understood

	algorithm nuc.Algorithm
	tbs, sig  []byte
}

// Algorithm is the identifier of the signature's algorithm; empty without content.
func (r *Response) Algorithm() string { return r.algorithm.OID }

// Single is what an answer says of one certificate.
type Single struct {
	ID         CertID
	Status     Status
	RevokedAt  time.Time
	Reason     int // -1 where none is given
	ThisUpdate time.Time
	NextUpdate time.Time // zero where none is given
}

// CertID names a certificate by digests of its issuer's name and key and its number.
type CertID struct {
	hash              nuc.Algorithm
	nameHash, keyHash []byte
	Serial            *big.Int
}

// Matches tells whether the id is that of a certificate under an issuer.
func (id CertID) Matches(leaf, issuer *nuc.Certificate) bool {
	return id.Serial.Cmp(leaf.Serial) == 0 && id.of(issuer)
}

// of tells whether the id names an authority as issuer. The digests identify
// and prove nothing, so SHA-1 is as good as another.
func (id CertID) of(issuer *nuc.Certificate) bool {
	row, ok := algorithm.DigestByOID(id.hash.ObjectIdentifier())
	return ok && row.New != nil && bytes.Equal(row.Sum(issuer.RawSubject), id.nameHash) && bytes.Equal(row.Sum(issuer.KeyBits), id.keyHash)
}

// ParseOCSP reads an answer from DER. Bytes after it are refused. Errors are *der.Error.
func ParseOCSP(raw []byte) (*Response, error) {
	const object = "OCSP response"
	if len(raw) > MaxOCSP {
		return nil, &der.Error{Object: object, Message: fmt.Sprintf("%d bytes; at most %d are read", len(raw), MaxOCSP)}
	}
	raw = bytes.Clone(raw)
	whole, err := der.Parse(object, raw, der.Sequence)
	if err != nil {
		return nil, err
	}
	r := &Response{Raw: raw}
	s := whole.Seq()
	status, err := s.Next("responseStatus", der.Enumerated)
	if err != nil {
		return nil, err
	}
	n, err := status.Int()
	if err != nil {
		return nil, err
	}
	r.Status = ResponseStatus(n)
	body, ok, err := s.Optional("responseBytes", der.ContextConstructed(0))
	if err != nil {
		return nil, err
	}
	if err := s.End(); err != nil {
		return nil, err
	}
	if ok != (r.Status == 0) {
		return nil, status.Errorf("%v, with content: %v", r.Status, ok)
	}
	if !ok {
		return r, nil
	}
	bytesValue, err := body.Inner("responseBytes", der.Sequence)
	if err != nil {
		return nil, err
	}
	parts := bytesValue.Seq()
	kind, err := parts.Next("responseType", der.ObjectID)
	if err != nil {
		return nil, err
	}
	if oid, err := kind.OID(); err != nil || oid != oidBasicResponse {
		return nil, kind.Errorf("the response type %s is not read", oid)
	}
	octets, err := parts.Next("response", der.OctetString)
	if err != nil {
		return nil, err
	}
	if err := parts.End(); err != nil {
		return nil, err
	}
	basic, err := octets.Inner("basicOCSPResponse", der.Sequence)
	if err != nil {
		return nil, err
	}
	return r, r.readBasic(basic)
}

func (r *Response) readBasic(v der.Value) error {
	s := v.Seq()
	tbs, err := s.Next("tbsResponseData", der.Sequence)
	if err != nil {
		return err
	}
	r.tbs = tbs.Raw
	alg, err := s.Next("signatureAlgorithm", der.Sequence)
	if err != nil {
		return err
	}
	if r.algorithm, err = nuc.ReadAlgorithm(alg); err != nil {
		return err
	}
	sig, err := s.Next("signature", der.BitString)
	if err != nil {
		return err
	}
	if r.sig, err = sig.Bits(); err != nil {
		return err
	}
	wrapped, ok, err := s.Optional("certs", der.ContextConstructed(0))
	if err != nil {
		return err
	}
	if err := s.End(); err != nil {
		return err
	}
	if ok {
		list, err := wrapped.Inner("certs", der.Sequence)
		if err != nil {
			return err
		}
		for certs := list.Seq(); !certs.Empty(); {
			if len(r.certs) >= maxCertificates {
				return list.Errorf("more than %d certificates", maxCertificates)
			}
			one, err := certs.Next("certificate", der.Sequence)
			if err != nil {
				return err
			}
			c, err := nuc.ParseCertificate(one.Raw)
			if err != nil {
				return one.Errorf("%v", err)
			}
			r.certs = append(r.certs, c)
		}
	}
	return r.readData(tbs)
}

func (r *Response) readData(tbs der.Value) error {
	s := tbs.Seq()
	if version, ok, err := s.Optional("version", der.ContextConstructed(0)); err != nil {
		return err
	} else if ok {
		n, err := version.Inner("version", der.Integer)
		if err != nil {
			return err
		}
		if number, err := n.Int(); err != nil || number != 0 {
			return n.Errorf("only version 1 is read")
		}
	}
	id, err := s.Any("responderID")
	if err != nil {
		return err
	}
	switch id.Tag {
	case der.ContextConstructed(1):
		name, err := id.Inner("byName", der.Sequence)
		if err != nil {
			return err
		}
		r.responderName = name.Raw
	case der.ContextConstructed(2):
		key, err := id.Inner("byKey", der.OctetString)
		if err != nil {
			return err
		}
		r.responderKey = key.Body
	default:
		return id.Errorf("tag %#02x is neither byName nor byKey", id.Tag)
	}
	produced, err := s.Next("producedAt", der.GeneralizedTime)
	if err != nil {
		return err
	}
	if r.ProducedAt, err = produced.Time(); err != nil {
		return err
	}
	list, err := s.Next("responses", der.Sequence)
	if err != nil {
		return err
	}
	for singles := list.Seq(); !singles.Empty(); {
		if len(r.Singles) >= maxSingles {
			return list.Errorf("more than %d certificates are answered for", maxSingles)
		}
		v, err := singles.Next("singleResponse", der.Sequence)
		if err != nil {
			return err
		}
		one, err := r.readSingle(v)
		if err != nil {
			return err
		}
		r.Singles = append(r.Singles, one)
	}
	if err := r.readExtensions(&s, "responseExtensions"); err != nil {
		return err
	}
	return s.End()
}

func (r *Response) readSingle(v der.Value) (Single, error) {
	one := Single{Reason: reasonNone}
	s := v.Seq()
	id, err := s.Next("certID", der.Sequence)
	if err != nil {
		return one, err
	}
	if one.ID, err = readCertID(id); err != nil {
		return one, err
	}
	status, err := s.Any("certStatus")
	if err != nil {
		return one, err
	}
	switch status.Tag {
	case der.Context(0):
		one.Status = Good
	case der.ContextConstructed(1):
		one.Status = Revoked
		err = one.readRevoked(status)
	case der.Context(2):
		one.Status = Unknown
	default:
		err = status.Errorf("tag %#02x is no status", status.Tag)
	}
	if err != nil {
		return one, err
	}
	if status.Tag != der.ContextConstructed(1) && len(status.Body) > 0 {
		return one, status.Errorf("a status with content")
	}
	this, err := s.Next("thisUpdate", der.GeneralizedTime)
	if err != nil {
		return one, err
	}
	if one.ThisUpdate, err = this.Time(); err != nil {
		return one, err
	}
	if next, ok, err := s.Optional("nextUpdate", der.ContextConstructed(0)); err != nil {
		return one, err
	} else if ok {
		t, err := next.Inner("nextUpdate", der.GeneralizedTime)
		if err != nil {
			return one, err
		}
		if one.NextUpdate, err = t.Time(); err != nil {
			return one, err
		}
	}
	if err := r.readExtensions(&s, "singleExtensions"); err != nil {
		return one, err
	}
	return one, s.End()
}

func (one *Single) readRevoked(v der.Value) error {
	s := v.Seq()
	when, err := s.Next("revocationTime", der.GeneralizedTime)
	if err != nil {
		return err
	}
	if one.RevokedAt, err = when.Time(); err != nil {
		return err
	}
	reason, ok, err := s.Optional("revocationReason", der.ContextConstructed(0))
	if err != nil {
		return err
	}
	if ok {
		n, err := reason.Inner("revocationReason", der.Enumerated)
		if err != nil {
			return err
		}
		if one.Reason, err = n.Int(); err != nil || one.Reason > 10 {
			return n.Errorf("unknown reason")
		}
	}
	return s.End()
}

// unissued is RFC 6960's answer for a number that was never issued (section
// 2.2, extended revoked), which the national responder gives without its
// extension.
func (one Single) unissued() bool {
	return one.Status == Revoked && one.RevokedAt.Unix() == 0 && one.Reason == reasonHold
}

func readCertID(v der.Value) (CertID, error) {
	s := v.Seq()
	alg, err := s.Next("hashAlgorithm", der.Sequence)
	if err != nil {
		return CertID{}, err
	}
	var id CertID
	if id.hash, err = nuc.ReadAlgorithm(alg); err != nil {
		return CertID{}, err
	}
	name, err := s.Next("issuerNameHash", der.OctetString)
	if err != nil {
		return CertID{}, err
	}
	key, err := s.Next("issuerKeyHash", der.OctetString)
	if err != nil {
		return CertID{}, err
	}
	serial, err := s.Next("serialNumber", der.Integer)
	if err != nil {
		return CertID{}, err
	}
	id.nameHash, id.keyHash = name.Body, key.Body
	if id.Serial, err = serial.BigInt(); err != nil {
		return CertID{}, err
	}
	return id, s.End()
}

// readExtensions takes the nonce and passes over what need not be understood:
// the national responder adds one of its own.
func (r *Response) readExtensions(s *der.Seq, field string) error {
	wrapped, ok, err := s.Optional(field, der.ContextConstructed(1))
	if err != nil || !ok {
		return err
	}
	list, err := wrapped.Inner(field, der.Sequence)
	if err != nil {
		return err
	}
	n := 0
	for x := list.Seq(); !x.Empty(); {
		if n++; n > 32 {
			return list.Errorf("more than 32 extensions")
		}
		ext, err := nuc.ReadExtension(&x)
		if err != nil {
			return err
		}
		switch {
		case ext.OID == oidNonce && field == "responseExtensions":
			if r.Nonce != nil {
				return ext.Value.Errorf("a second nonce")
			}
			r.Nonce = append([]byte{}, ext.Value.Body...)
		case ext.Critical:
			r.critical = ext.OID
		}
	}
	return nil
}
