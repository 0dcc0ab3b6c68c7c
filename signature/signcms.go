package signature

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"kopir/signature/algorithm"
	"kopir/signature/cms"
	"kopir/signature/keystore"
	"kopir/signature/nuc"
)

// CMSOptions are the choices of a signer. The zero value carries the content
// and states no time.
type CMSOptions struct {
	Detached    bool      // the content stays outside
	SigningTime time.Time // the signer's word on when; zero: not stated
}

// SignCMS makes a CAdES-BES message with one signer, in DER: signed attributes
// contentType, signingTime, signingCertificateV2 and messageDigest, the
// certificate enclosed. Empty content is refused where it would be detached:
// such a signature says nothing.
func SignCMS(content []byte, key *keystore.Key, o CMSOptions) ([]byte, error) {
	if o.Detached && len(content) == 0 {
		return nil, errors.New("sign: there is no content to sign")
	}
	if content == nil {
		content = []byte{}
	}
	return signMessage(cms.TypeData, content, key, o)
}

func signMessage(kind string, content []byte, key *keystore.Key, o CMSOptions) ([]byte, error) {
	draft, signer, err := signInfo(kind, content, key, o.SigningTime)
	if err != nil {
		return nil, err
	}
	carried := content
	if o.Detached {
		carried = nil
	}
	out, err := draft.Marshal(carried, signer)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return out, checkSigned(out, content, key)
}

// AddCMS adds a signer to a message. The signatures in it stay as they are and
// are not judged. content is that of a detached message; of one that carries
// its own it may be nil, and must be the same otherwise.
func AddCMS(message, content []byte, key *keystore.Key, o CMSOptions) ([]byte, error) {
	m, err := cms.Parse(message)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	switch {
	case len(m.Signers) == 0:
		return nil, errors.New("sign: the message holds no signature to add one to")
	case m.ContentType != cms.TypeData:
		return nil, fmt.Errorf("sign: what is signed has the content type %s; documents have %s", m.ContentType, cms.TypeData)
	case !m.Attached && len(content) == 0:
		return nil, errors.New("sign: the message is detached, so its content is needed to sign it too")
	case m.Attached && content != nil && !bytes.Equal(content, m.Content):
		return nil, errors.New("sign: the content is not the one that the message carries")
	case m.Attached:
		content = m.Content
	}
	for i := range m.Signers {
		if key != nil && key.Certificate != nil && names(&m.Signers[i], key.Certificate) {
			return nil, fmt.Errorf("sign: %s has already signed this message", key.Certificate.SerialHex())
		}
		d, ok := algorithm.DigestByOID(m.Signers[i].Digest.ObjectIdentifier())
		if ok && d.New != nil && m.Signers[i].MessageDigest != nil && !bytes.Equal(d.Sum(content), m.Signers[i].MessageDigest) {
			return nil, fmt.Errorf("sign: signature %d of the message is over other content", i+1)
		}
	}
	draft, signer, err := signInfo(cms.TypeData, content, key, o.SigningTime)
	if err != nil {
		return nil, err
	}
	out, err := draft.Add(m, signer)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return out, checkSigned(out, content, key)
}

// signInfo makes one signature.
func signInfo(kind string, content []byte, key *keystore.Key, at time.Time) (cms.Draft, []byte, error) {
	if _, err := newSigning(key); err != nil {
		return cms.Draft{}, nil, err
	}
	row := key.Algorithm
	if len(row.OIDs) == 0 || len(row.Digest.OIDs) == 0 {
		return cms.Draft{}, nil, fmt.Errorf("sign: %s has no identifier for CMS", row.Name)
	}
	draft := cms.Draft{
		Certificate: key.Certificate, Digest: row.Digest.OIDs[0], Algorithm: row.OIDs[0],
		ContentType: kind, MessageDigest: row.Digest.Sum(content), SigningTime: at,
		CertDigest: key.Certificate.Fingerprint[:],
	}
	attributes, err := draft.Attributes()
	if err != nil {
		return draft, nil, fmt.Errorf("sign: %w", err)
	}
	value, err := key.Sign(row.Digest.Sum(attributes))
	if err != nil {
		return draft, nil, fmt.Errorf("sign: %w", err)
	}
	signer, err := draft.SignerInfo(attributes, value)
	if err != nil {
		return draft, nil, fmt.Errorf("sign: %w", err)
	}
	return draft, signer, nil
}

// checkSigned reads what was just made and verifies the key's signature in it,
// as a receiver would: a fault of ours, or of a key device, must not leave the
// house.
func checkSigned(out, content []byte, key *keystore.Key) error {
	m, err := cms.Parse(out)
	if err != nil {
		return fmt.Errorf("sign: the signed message does not read: %w", err)
	}
	var v Verifier
	for i := range m.Signers {
		if !names(&m.Signers[i], key.Certificate) {
			continue
		}
		t := cmsTask{
			message: m, info: &m.Signers[i], certs: []*nuc.Certificate{key.Certificate},
			content: content, known: true, sums: map[*algorithm.Digest][]byte{},
		}
		if bad := v.checkValue(t, &SignatureVerdict{}); bad != nil {
			return fmt.Errorf("sign: the signature just made does not verify: %s", bad.Detail)
		}
		return nil
	}
	return errors.New("sign: the signature just made is not in the message")
}
