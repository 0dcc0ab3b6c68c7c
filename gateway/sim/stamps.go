package sim

import (
	"fmt"
	"io"
	"math/big"
	"net/http"
	"slices"
	"sync/atomic"

	"kopir/signature"
	"kopir/signature/algorithm"
	"kopir/signature/cms"
	"kopir/signature/keystore"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

// pathStamps is the time-stamping authority's door below an authority's path.
const pathStamps = "/tsp"

// maxStampRequest bounds a request: a digest, a policy and a nonce.
const maxStampRequest = 4 << 10

// stampPolicies are the national policies by the keys of the stamping authority.
var stampPolicies = map[Keys]string{KeysRSA: "1.2.398.3.3.2.6.2", KeysGOST: "1.2.398.3.3.2.6.4"}

// stamps is a time-stamping authority (RFC 3161) with a certificate of one of
// the certification authorities.
type stamps struct {
	key    *keystore.Key
	policy string
	last   atomic.Int64 // serial number
}

func newStamps(a *authority) (*stamps, error) {
	c, err := a.Issue(sigtest.Profile{Kind: sigtest.Timestamps, CommonName: "TIME-STAMPING AUTHORITY"})
	if err != nil {
		return nil, err
	}
	key, err := c.Key()
	if err != nil {
		return nil, err
	}
	return &stamps{key: key, policy: stampPolicies[a.keys]}, nil
}

// postStamp answers a request; what cannot be stamped gets an answer that says
// why, as the protocol has it.
func (s *Sim) postStamp(by *stamps) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxStampRequest))
		if err != nil {
			http.Error(w, "the request is too large or broken off", http.StatusBadRequest)
			return
		}
		answer := []byte(nil)
		if token, err := by.stamp(s, raw); err != nil {
			answer = cms.MarshalRejected(err.Error())
		} else {
			answer = cms.MarshalGranted(token)
		}
		w.Header().Set("Content-Type", "application/timestamp-reply")
		w.Write(answer)
	}
}

func (b *stamps) stamp(s *Sim, raw []byte) ([]byte, error) {
	request, err := cms.ParseRequest(raw)
	if err != nil {
		return nil, err
	}
	d, ok := algorithm.DigestByOID(request.Imprint.Hash.ObjectIdentifier())
	switch {
	case !ok || d.New == nil:
		return nil, fmt.Errorf("the digest %v is not known", request.Imprint.Hash.ObjectIdentifier())
	case d.Refusal != verdict.None:
		return nil, fmt.Errorf("%s is not stamped", d.Name)
	case len(request.Imprint.Digest) != d.New().Size():
		return nil, fmt.Errorf("%d bytes are no digest of %s", len(request.Imprint.Digest), d.Name)
	case !slices.Contains([]string{"", b.policy}, request.Policy):
		return nil, fmt.Errorf("the policy is %s, not %s", b.policy, request.Policy)
	}
	return signature.SignTimestamp(cms.TSTInfo{
		Policy: b.policy, Imprint: request.Imprint, Serial: big.NewInt(b.last.Add(1)), Time: s.now().UTC(), Nonce: request.Nonce,
	}, b.key)
}
