package revocation

import (
	"crypto/rand"
	"encoding/asn1"
	"fmt"
	"math/big"

	"kopir/signature/algorithm"
	"kopir/signature/nuc"
)

// nonceSize is what RFC 9654 section 2.1 asks of a client; the national
// responder echoes it.
const nonceSize = 32

// NewNonce makes a fresh nonce.
func NewNonce() []byte {
	n := make([]byte, nonceSize)
	rand.Read(n) // never fails: crypto/rand ends the program instead
	return n
}

type asnAlgorithm struct {
	OID    asn1.ObjectIdentifier
	Params asn1.RawValue
}

type asnRequest struct {
	TBS struct {
		List       []asnSingle
		Extensions []asnExtension `asn1:"explicit,tag:2,optional"`
	}
}

type asnSingle struct {
	ID struct {
		Hash     asnAlgorithm
		NameHash []byte
		KeyHash  []byte
		Serial   *big.Int
	}
}

type asnExtension struct {
	OID   asn1.ObjectIdentifier
	Value []byte
}

// NewOCSPRequest asks about one certificate, by SHA-256 as the national
// clients do. The nonce, which may be nil, goes as an OCTET STRING inside the
// extension's value.
func NewOCSPRequest(leaf, issuer *nuc.Certificate, nonce []byte) ([]byte, error) {
	row := algorithm.SHA256()
	var single asnSingle
	single.ID.Hash = asnAlgorithm{OID: row.OIDs[0], Params: asn1.NullRawValue}
	single.ID.NameHash = row.Sum(issuer.RawSubject)
	single.ID.KeyHash = row.Sum(issuer.KeyBits)
	single.ID.Serial = leaf.Serial
	var request asnRequest
	request.TBS.List = []asnSingle{single}
	if nonce != nil {
		inner, err := asn1.Marshal(nonce)
		if err != nil {
			return nil, fmt.Errorf("OCSP request: %w", err)
		}
		request.TBS.Extensions = []asnExtension{{OID: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}, Value: inner}}
	}
	out, err := asn1.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("OCSP request: %w", err)
	}
	return out, nil
}

// hasNonce tells whether an answer carries the nonce that was sent.
func (r *Response) hasNonce(nonce []byte) bool {
	inner, err := asn1.Marshal(nonce)
	return err == nil && string(r.Nonce) == string(inner)
}
