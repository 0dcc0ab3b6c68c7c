package sigtest

import (
	"bytes"
	"crypto"
	_ "crypto/sha1" // CertID of older clients
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Response statuses of RFC 6960, 4.2.1.
const (
	OCSPSuccessful   = 0
	OCSPMalformed    = 1
	OCSPInternal     = 2
	OCSPTryLater     = 3
	OCSPSigRequired  = 5
	OCSPUnauthorized = 6
)

// OCSPOptions make the responder err on purpose. The zero value answers as the
// national responder does.
type OCSPOptions struct {
	Status     int         // other than OCSPSuccessful: that status and nothing else
	ThisUpdate time.Time   // zero: the moment of the answer
	NextUpdate time.Time   // zero: left out, as the national responder does
	NoNonce    bool        // do not echo
	Nonce      []byte      // echo this instead
	Serial     *big.Int    // answer about this certificate instead of the one asked
	Signer     *Credential // sign as this one instead of the responder
	NoCert     bool        // leave the responder's certificate out
	Good       bool        // call everything good
}

var (
	oidBasic          = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}
	oidNonce          = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}
	oidExtendedRevoke = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 9}
)

// certIDHashes are those a CertID may be made with.
var certIDHashes = []struct {
	oid  asn1.ObjectIdentifier
	hash crypto.Hash
}{
	{asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}, crypto.SHA1},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, crypto.SHA256},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}, crypto.SHA384},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, crypto.SHA512},
}

type certID struct {
	Algorithm pkix.AlgorithmIdentifier
	NameHash  []byte
	KeyHash   []byte
	Serial    *big.Int
}

type ocspRequest struct {
	TBS struct {
		Version   int           `asn1:"explicit,tag:0,default:0,optional"`
		Requestor asn1.RawValue `asn1:"explicit,tag:1,optional"`
		List      []struct {
			ID         certID
			Extensions []pkix.Extension `asn1:"explicit,tag:0,optional"`
		}
		Extensions []pkix.Extension `asn1:"explicit,tag:2,optional"`
	}
	Signature asn1.RawValue `asn1:"explicit,tag:0,optional"`
}

type ocspSingle struct {
	ID         certID
	Status     asn1.RawValue
	ThisUpdate time.Time `asn1:"generalized"`
	NextUpdate time.Time `asn1:"generalized,explicit,tag:0,optional"`
}

type ocspData struct {
	Responder  asn1.RawValue
	ProducedAt time.Time `asn1:"generalized"`
	List       []ocspSingle
	Extensions []pkix.Extension `asn1:"explicit,tag:1,optional"`
}

type ocspBasic struct {
	Data      asn1.RawValue
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
	Certs     []asn1.RawValue `asn1:"explicit,tag:0,optional"`
}

type ocspRevoked struct {
	At     time.Time       `asn1:"generalized"`
	Reason asn1.Enumerated `asn1:"explicit,tag:0,optional"`
}

type ocspResponse struct {
	Status asn1.Enumerated
	Bytes  struct {
		Type asn1.ObjectIdentifier
		Body []byte
	} `asn1:"explicit,tag:0,optional"`
}

// OCSP answers a DER request at a moment. What cannot be read gets the
// malformedRequest answer; a certificate of another issuer is unknown; a
// number this authority never issued is revoked since 1970-01-01 (hold).
func (a *Authority) OCSP(request []byte, at time.Time, o OCSPOptions) ([]byte, error) {
	if o.Status != OCSPSuccessful {
		return ocspError(o.Status)
	}
	var req ocspRequest
	if rest, err := asn1.Unmarshal(request, &req); err != nil || len(rest) != 0 || len(req.TBS.List) == 0 {
		return ocspError(OCSPMalformed)
	}
	signer := a.responder
	if o.Signer != nil {
		signer = o.Signer
	}
	at = at.UTC().Truncate(time.Second)
	data := ocspData{ProducedAt: at, Responder: asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 1, IsCompound: true, Bytes: signer.Certificate.RawSubject}}
	for _, one := range req.TBS.List {
		single := ocspSingle{ID: one.ID, ThisUpdate: at}
		if o.Serial != nil {
			single.ID.Serial = o.Serial
		}
		if !o.ThisUpdate.IsZero() {
			single.ThisUpdate = o.ThisUpdate.UTC().Truncate(time.Second)
		}
		if !o.NextUpdate.IsZero() {
			single.NextUpdate = o.NextUpdate.UTC().Truncate(time.Second)
		}
		status, err := a.status(one.ID, at, o.Good)
		if err != nil {
			return ocspError(OCSPMalformed)
		}
		single.Status = status
		data.List = append(data.List, single)
	}
	if nonce, ok := nonceOf(req, o); ok {
		data.Extensions = append(data.Extensions, nonce)
	}
	data.Extensions = append(data.Extensions, pkix.Extension{Id: oidExtendedRevoke, Value: asn1.NullBytes})
	return sealOCSP(data, signer, !o.NoCert)
}

// Asked tells whether a request is about a certificate of this authority: a
// responder that serves several chooses by it.
func (a *Authority) Asked(request []byte) bool {
	var req ocspRequest
	if rest, err := asn1.Unmarshal(request, &req); err != nil || len(rest) != 0 || len(req.TBS.List) == 0 {
		return false
	}
	by, err := a.issuerOf(req.TBS.List[0].ID)
	return err == nil && by != nil
}

// nonceOf gives the extension to echo: its value untouched, unless told otherwise.
func nonceOf(req ocspRequest, o OCSPOptions) (pkix.Extension, bool) {
	for _, e := range req.TBS.Extensions {
		if !e.Id.Equal(oidNonce) || o.NoNonce {
			continue
		}
		e.Critical = false
		if o.Nonce != nil {
			e.Value, _ = asn1.Marshal(o.Nonce) // an OCTET STRING always marshals
		}
		return e, true
	}
	return pkix.Extension{}, false
}

// status is the CertStatus CHOICE for one certificate.
func (a *Authority) status(id certID, at time.Time, good bool) (asn1.RawValue, error) {
	goodStatus := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0}
	unknown := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 2}
	if good {
		return goodStatus, nil
	}
	by, err := a.issuerOf(id)
	if err != nil {
		return unknown, err
	}
	if by == nil {
		return unknown, nil
	}
	ofCA := by == a.root
	if r, ok := a.find(id.Serial, ofCA, at); ok {
		return revokedStatus(r.at, r.reason)
	}
	if ofCA && id.Serial.Cmp(a.issuing.cert.SerialNumber) == 0 {
		return goodStatus, nil
	}
	if _, ok := a.Issued(id.Serial); ok && !ofCA {
		return goodStatus, nil
	}
	return revokedStatus(time.Unix(0, 0).UTC(), ReasonHold)
}

func revokedStatus(at time.Time, reason int) (asn1.RawValue, error) {
	der, err := asn1.Marshal(ocspRevoked{at, asn1.Enumerated(reason)})
	if err != nil {
		return asn1.RawValue{}, err
	}
	// [1] IMPLICIT RevokedInfo: the SEQUENCE with another tag.
	der[0] = 0xa1
	return asn1.RawValue{FullBytes: der}, nil
}

// issuerOf finds which of the two CAs the hashes name; nil: neither.
func (a *Authority) issuerOf(id certID) (*link, error) {
	for _, row := range certIDHashes {
		if !row.oid.Equal(id.Algorithm.Algorithm) {
			continue
		}
		for _, by := range []*link{a.issuing, a.root} {
			key, err := keyBits(by)
			if err != nil {
				return nil, err
			}
			if bytes.Equal(digest(row.hash, by.cert.RawSubject), id.NameHash) && bytes.Equal(digest(row.hash, key), id.KeyHash) {
				return by, nil
			}
		}
		return nil, nil
	}
	return nil, errors.New("sigtest: CertID with an unknown hash")
}

func keyBits(l *link) ([]byte, error) {
	var spki publicKeyInfo
	_, err := asn1.Unmarshal(l.cert.RawSubjectPublicKeyInfo, &spki)
	return spki.Key.Bytes, err
}

func digest(h crypto.Hash, b []byte) []byte {
	w := h.New()
	w.Write(b)
	return w.Sum(nil)
}

func ocspError(status int) ([]byte, error) {
	return asn1.Marshal(struct{ Status asn1.Enumerated }{asn1.Enumerated(status)})
}

func sealOCSP(data ocspData, signer *Credential, withCert bool) ([]byte, error) {
	tbs, err := asn1.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("sigtest: OCSP: %w", err)
	}
	id, value, err := seal(signer.Signer, tbs)
	if err != nil {
		return nil, err
	}
	basic := ocspBasic{Data: asn1.RawValue{FullBytes: tbs}, Algorithm: id, Signature: value}
	if withCert {
		basic.Certs = []asn1.RawValue{{FullBytes: signer.DER}}
	}
	response := ocspResponse{Status: OCSPSuccessful}
	response.Bytes.Type = oidBasic
	if response.Bytes.Body, err = asn1.Marshal(basic); err != nil {
		return nil, fmt.Errorf("sigtest: OCSP: %w", err)
	}
	return asn1.Marshal(response)
}
