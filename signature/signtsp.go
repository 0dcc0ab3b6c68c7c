package signature

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"time"

	"kopir/signature/algorithm"
	"kopir/signature/cms"
	"kopir/signature/keystore"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

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

// stampDigests are the digests that the national authority's policies take.
var stampDigests = map[string]*algorithm.Digest{
	"1.2.398.3.3.2.6.1": mustDigest(1, 2, 398, 3, 10, 1, 3, 1),
	"1.2.398.3.3.2.6.2": algorithm.SHA256(),
	"1.2.398.3.3.2.6.4": mustDigest(1, 2, 398, 3, 10, 1, 3, 3),
}

func mustDigest(arcs ...int) *algorithm.Digest {
	d, ok := algorithm.DigestByOID(arcs)
	if !ok {
		panic("signature: the table of digests lacks a national one")
	}
	return d
}

// TimestampRequest asks for a time stamp over the value of one signature of a
// message. The digest is the one that the national policy takes; under others,
// or with policy empty (the authority's choice), that of the signature. The
// nonce is random.
func TimestampRequest(message []byte, signer int, policy string) (*cms.Request, error) {
	m, err := cms.Parse(message)
	if err != nil {
		return nil, fmt.Errorf("time stamp: %w", err)
	}
	if signer < 0 || signer >= len(m.Signers) {
		return nil, errors.New("time stamp: the message has no such signer")
	}
	info := &m.Signers[signer]
	d, ok := stampDigests[policy]
	if !ok {
		var bad *verdict.Check
		if d, bad = (&Verifier{}).plainDigest(info.Digest, "digest"); bad != nil {
			return nil, fmt.Errorf("time stamp: %s", bad.Detail)
		}
	}
	var nonce [8]byte
	_, _ = rand.Read(nonce[:]) // never fails (crypto/rand)
	return &cms.Request{
		Imprint: cms.Imprint{Hash: nuc.NewAlgorithm(d.OIDs[0]), Digest: d.Sum(info.Value)},
		Policy:  policy, Nonce: new(big.Int).SetBytes(nonce[:]), Certificate: true,
	}, nil
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
