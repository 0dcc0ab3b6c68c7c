package cms

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"kopir/signature/der"
	"kopir/signature/nuc"
)

// tlv writes one value that consists of parts.
func tlv(tag byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	out := make([]byte, 0, n+6)
	out = append(out, tag)
	switch {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 0x100:
		out = append(out, 0x81, byte(n))
	case n < 0x10000:
		out = append(out, 0x82, byte(n>>8), byte(n))
	case n < 0x1000000:
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	default:
		out = append(out, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// setOf writes the elements in the order of DER (X.690 section 11.6), each once.
func setOf(tag byte, elements ...[]byte) []byte {
	sorted := slices.Clone(elements)
	slices.SortFunc(sorted, bytes.Compare)
	return tlv(tag, slices.CompactFunc(sorted, bytes.Equal)...)
}

func oidDER(dotted string) ([]byte, error) {
	var oid asn1.ObjectIdentifier
	for part := range strings.SplitSeq(dotted, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, fmt.Errorf("%q is no object identifier", dotted)
		}
		oid = append(oid, n)
	}
	return asn1.Marshal(oid)
}

// algorithmDER writes an AlgorithmIdentifier with NULL, as the national
// programs do for digests and signatures alike.
func algorithmDER(oid asn1.ObjectIdentifier) ([]byte, error) {
	id, err := asn1.Marshal(oid)
	if err != nil {
		return nil, err
	}
	return tlv(der.Sequence, id, asn1.NullBytes), nil
}

func intDER(n *big.Int) []byte {
	out, _ := asn1.Marshal(n) // a *big.Int that is not nil always encodes
	return out
}

// timeDER writes UTCTime up to 2049 and GeneralizedTime after (RFC 5652 section 11.3).
func timeDER(t time.Time) []byte {
	t = t.UTC()
	if y := t.Year(); y >= 1950 && y < 2050 {
		return tlv(der.UTCTime, []byte(t.Format("060102150405Z")))
	}
	return tlv(der.GeneralizedTime, []byte(t.Format("20060102150405Z")))
}

// Draft is a signature that is about to be made.
type Draft struct {
	Certificate   *nuc.Certificate
	Digest        asn1.ObjectIdentifier // of the content
	Algorithm     asn1.ObjectIdentifier // of the signature
	ContentType   string
	MessageDigest []byte
	SigningTime   time.Time // zero: not stated
	CertDigest    []byte    // SHA-256 of the certificate
}

// Attributes gives the signed attributes as a SET: what is to be signed. With
// a 512-bit digest their order is contentType, signingTime,
// signingCertificateV2, messageDigest, as NCALayer writes them; it is the order
// of DER, so that a verifier that sorts before it verifies agrees.
func (d Draft) Attributes() ([]byte, error) {
	kind, err := oidDER(d.ContentType)
	if err != nil {
		return nil, err
	}
	certs := tlv(der.Sequence, tlv(der.Sequence, tlv(der.Sequence, tlv(der.OctetString, d.CertDigest))))
	list := []struct {
		oid   string
		value []byte
	}{
		{AttrContentType, kind},
		{AttrSigningCertificateV2, certs},
		{AttrMessageDigest, tlv(der.OctetString, d.MessageDigest)},
	}
	if !d.SigningTime.IsZero() {
		list = append(list, struct {
			oid   string
			value []byte
		}{AttrSigningTime, timeDER(d.SigningTime)})
	}
	var out [][]byte
	for _, a := range list {
		oid, err := oidDER(a.oid)
		if err != nil {
			return nil, err
		}
		out = append(out, tlv(der.Sequence, oid, tlv(der.Set, a.value)))
	}
	return setOf(der.Set, out...), nil
}

// SignerInfo puts the signature together. attributes is what Attributes gave.
func (d Draft) SignerInfo(attributes, value []byte) ([]byte, error) {
	digest, err := algorithmDER(d.Digest)
	if err != nil {
		return nil, err
	}
	algorithm, err := algorithmDER(d.Algorithm)
	if err != nil {
		return nil, err
	}
	signed := bytes.Clone(attributes)
	signed[0] = der.ContextConstructed(0)
	return tlv(der.Sequence,
		tlv(der.Integer, []byte{1}),
		tlv(der.Sequence, d.Certificate.RawIssuer, intDER(d.Certificate.Serial)),
		digest, signed, algorithm, tlv(der.OctetString, value)), nil
}

// Marshal gives a message with one signer. content nil: detached.
func (d Draft) Marshal(content, signer []byte) ([]byte, error) {
	m := &SignedData{ContentType: d.ContentType, Attached: content != nil, Content: content}
	var err error
	if m.contentTypeRaw, err = oidDER(d.ContentType); err != nil {
		return nil, err
	}
	return d.Add(m, signer)
}

// Add gives the message with one signer more. What is in it stays byte for byte.
func (d Draft) Add(m *SignedData, signer []byte) ([]byte, error) {
	if len(m.Signers) >= maxSigners {
		return nil, fmt.Errorf("the message already has %d signers", len(m.Signers))
	}
	digest, err := algorithmDER(d.Digest)
	if err != nil {
		return nil, err
	}
	digests := append(slices.Clone(m.digestsRaw), digest)
	certs := append(append(slices.Clone(m.Certificates), m.otherCerts...), d.Certificate.Raw)
	signers := make([][]byte, 0, len(m.Signers)+1)
	for i := range m.Signers {
		signers = append(signers, m.Signers[i].Raw)
	}
	return m.marshal(digests, certs, append(signers, signer)), nil
}

// WithToken gives the message with a time stamp over the value of one signature.
func (m *SignedData) WithToken(signer int, token []byte) ([]byte, error) {
	if signer < 0 || signer >= len(m.Signers) {
		return nil, errors.New("the message has no such signer")
	}
	oid, err := oidDER(AttrSignatureTimeStamp)
	if err != nil {
		return nil, err
	}
	var signers [][]byte
	for i := range m.Signers {
		info := &m.Signers[i]
		raw := info.Raw
		if i == signer {
			attributes := [][]byte{tlv(der.Sequence, oid, tlv(der.Set, token))}
			for _, a := range info.Unsigned {
				attributes = append(attributes, a.Raw)
			}
			raw = tlv(der.Sequence, info.head, setOf(der.ContextConstructed(1), attributes...))
		}
		signers = append(signers, raw)
	}
	return m.marshal(m.digestsRaw, append(slices.Clone(m.Certificates), m.otherCerts...), signers), nil
}

func (m *SignedData) marshal(digests, certs, signers [][]byte) []byte {
	// RFC 5652 section 5.1: 3 if a signer is named by its key identifier or the
	// content is not plain data, 4 or 5 with other kinds of certificates or lists.
	version := byte(1)
	if m.ContentType != TypeData {
		version = 3
	}
	for i := range m.Signers {
		if m.Signers[i].KeyID != nil {
			version = 3
		}
	}
	if m.Version > int(version) {
		version = byte(m.Version)
	}
	content := [][]byte{m.contentTypeRaw}
	if m.Attached {
		content = append(content, tlv(der.ContextConstructed(0), tlv(der.OctetString, m.Content)))
	}
	signedData, _ := oidDER(TypeSignedData)
	var carried []byte
	if len(certs) > 0 {
		carried = setOf(der.ContextConstructed(0), certs...)
	}
	return tlv(der.Sequence, signedData, tlv(der.ContextConstructed(0), tlv(der.Sequence,
		tlv(der.Integer, []byte{version}), setOf(der.Set, digests...), tlv(der.Sequence, content...),
		carried, m.crlsRaw, setOf(der.Set, signers...))))
}

// Marshal gives TSTInfo in DER, without tsa and extensions.
func (t TSTInfo) Marshal() ([]byte, error) {
	policy, err := oidDER(t.Policy)
	if err != nil {
		return nil, err
	}
	alg, err := algorithmDER(t.Imprint.Hash.ObjectIdentifier())
	if err != nil {
		return nil, err
	}
	when := strings.TrimRight(t.Time.UTC().Format("20060102150405.000000"), "0")
	parts := [][]byte{
		tlv(der.Integer, []byte{1}), policy, tlv(der.Sequence, alg, tlv(der.OctetString, t.Imprint.Digest)),
		intDER(t.Serial), tlv(der.GeneralizedTime, []byte(strings.TrimSuffix(when, ".")+"Z")),
	}
	if s := int64(t.Accuracy / time.Second); s > 0 {
		parts = append(parts, tlv(der.Sequence, intDER(big.NewInt(s))))
	}
	if t.Ordering {
		parts = append(parts, tlv(der.Boolean, []byte{0xff}))
	}
	if t.Nonce != nil {
		parts = append(parts, intDER(t.Nonce))
	}
	return tlv(der.Sequence, parts...), nil
}

// MarshalGranted wraps a token in an answer.
func MarshalGranted(token []byte) []byte {
	return tlv(der.Sequence, tlv(der.Sequence, tlv(der.Integer, []byte{0})), token)
}

// MarshalRejected is an answer without a token; text is for people.
func MarshalRejected(text string) []byte {
	return tlv(der.Sequence, tlv(der.Sequence, tlv(der.Integer, []byte{2}), tlv(der.Sequence, tlv(der.UTF8String, []byte(text)))))
}
