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
	"kopir/signature/verdict"
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

// SignTimestamp makes a time stamp. The key must be an authority's, with a
// certificate for time stamping and nothing else.
func SignTimestamp(info cms.TSTInfo, key *keystore.Key) ([]byte, error) {
	if key == nil || key.Certificate == nil {
		return nil, errors.New("sign: there is no key")
	}
	if bad := forStamping(key.Certificate); bad != nil {
		return nil, fmt.Errorf("sign: %s", bad.Detail)
	}
	content, err := info.Marshal()
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return signMessage(cms.TypeTSTInfo, content, key, CMSOptions{SigningTime: info.Time.Truncate(time.Second)})
}

// TimestampRequest asks for a time stamp over the value of one signature of a
// message, with the digest of that signature.
func TimestampRequest(message []byte, signer int) (*cms.Request, error) {
	m, err := cms.Parse(message)
	if err != nil {
		return nil, fmt.Errorf("time stamp: %w", err)
	}
	if signer < 0 || signer >= len(m.Signers) {
		return nil, errors.New("time stamp: the message has no such signer")
	}
	info := &m.Signers[signer]
	d, bad := (&Verifier{}).plainDigest(info.Digest, "digest")
	if bad != nil {
		return nil, fmt.Errorf("time stamp: %s", bad.Detail)
	}
	return &cms.Request{Imprint: cms.Imprint{Hash: nuc.NewAlgorithm(d.OIDs[0]), Digest: d.Sum(info.Value)}, Certificate: true}, nil
}

// AddTimestamp puts an authority's answer into a message (CAdES-T). The answer
// must be to the request: same imprint, same nonce, and a token that verifies
// with the certificate in it. Whether to believe the authority is for those
// who judge the message.
func AddTimestamp(message []byte, signer int, request *cms.Request, answer []byte) ([]byte, error) {
	m, err := cms.Parse(message)
	if err != nil {
		return nil, fmt.Errorf("time stamp: %w", err)
	}
	if signer < 0 || signer >= len(m.Signers) {
		return nil, errors.New("time stamp: the message has no such signer")
	}
	r, err := cms.ParseResponse(answer)
	if err != nil {
		return nil, fmt.Errorf("time stamp: %w", err)
	}
	if !r.Status.Granted() {
		return nil, fmt.Errorf("time stamp: the authority gave none: %s %s", r.Status, quote(r.Text))
	}
	token, err := cms.ParseToken(r.Token)
	if err != nil {
		return nil, fmt.Errorf("time stamp: %w", err)
	}
	switch {
	case request.Nonce != nil && (token.Info.Nonce == nil || token.Info.Nonce.Cmp(request.Nonce) != 0):
		return nil, errors.New("time stamp: the answer does not repeat the request's nonce, so it may be an old one")
	case request.Policy != "" && token.Info.Policy != request.Policy:
		return nil, fmt.Errorf("time stamp: the policy is %s, %s was asked for", token.Info.Policy, request.Policy)
	case !token.Info.Imprint.Hash.Same(request.Imprint.Hash) || !bytes.Equal(token.Info.Imprint.Digest, request.Imprint.Digest):
		return nil, errors.New("time stamp: the answer is over other bytes than were asked for")
	}
	var v Verifier
	judged, _ := v.judgeToken(r.Token, m.Signers[signer].Value, Want{At: token.Info.Time})
	for _, c := range judged.Checks {
		// An empty trust knows no chain; all else must hold.
		if c.Outcome != verdict.Passed && c.Name != verdict.CheckChain {
			return nil, fmt.Errorf("time stamp: %s: %s", c.Name, c.Detail)
		}
	}
	out, err := m.WithToken(signer, r.Token)
	if err != nil {
		return nil, fmt.Errorf("time stamp: %w", err)
	}
	if _, err := cms.Parse(out); err != nil {
		return nil, fmt.Errorf("time stamp: the stamped message does not read: %w", err)
	}
	return out, nil
}
