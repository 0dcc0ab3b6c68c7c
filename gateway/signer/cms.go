package signer

import (
	"bytes"
	"context"
	"encoding/hex"

	"kopir/signature"
	"kopir/signature/cms"
	"kopir/signature/keystore"
	"kopir/signature/verdict"
)

// signCMS signs bytes with one key after the other, beside each other.
func (s *Signer) signCMS(ctx context.Context, f *fields) (any, *fail) {
	data := f.requiredBytes("data")
	o, keys, bad := s.readCMSOrder(ctx, f)
	if bad != nil {
		return nil, bad
	}
	return s.sign(ctx, nil, data, keys, o)
}

// addCMS adds signatures to a message. data is needed only if it is detached.
func (s *Signer) addCMS(ctx context.Context, f *fields) (any, *fail) {
	message, data := f.requiredBytes("cms"), f.bytes("data")
	o, keys, bad := s.readCMSOrder(ctx, f)
	if bad != nil {
		return nil, bad
	}
	if len(data) == 0 {
		data = nil // clients send an empty string where they have nothing
	}
	return s.sign(ctx, message, data, keys, o)
}

type cmsOrder struct {
	stamp    bool
	policy   string
	detached bool
}

func (s *Signer) readCMSOrder(ctx context.Context, f *fields) (cmsOrder, []namedKey, *fail) {
	o := cmsOrder{stamp: f.flag("withTsp"), detached: f.flag("detached"), policy: f.one("tsaPolicy", PolicyGOST, PolicyGOSTGT, PolicyGOST2015)}
	keys, bad := s.keys(ctx, f, "signers")
	if bad == nil && o.stamp {
		_, bad = s.authority.address(o.policy) // before anything is signed
	}
	return o, keys, bad
}

func (s *Signer) sign(ctx context.Context, message, data []byte, keys []namedKey, o cmsOrder) (any, *fail) {
	options := signature.CMSOptions{Detached: o.detached, SigningTime: s.clock()}
	for _, k := range keys {
		if ctx.Err() != nil {
			return nil, outOfTime
		}
		var err error
		if message == nil {
			message, err = signature.SignCMS(data, k.Key, options)
		} else {
			message, err = signature.AddCMS(message, data, k.Key, options)
		}
		if err != nil {
			return nil, notSigned(err)
		}
		if o.stamp {
			index, bad := unstamped(message, k.Key)
			if bad != nil {
				return nil, bad
			}
			if message, bad = s.authority.stamp(ctx, message, index, o.policy); bad != nil {
				return nil, bad
			}
		}
	}
	return cmsAnswer{done, message}, nil
}

// unstamped finds the signature that was just made: of this key, and without
// a time stamp.
func unstamped(message []byte, k *keystore.Key) (int, *fail) {
	m, err := cms.Parse(message)
	if err != nil {
		return 0, badRequest("%v", err)
	}
	newest := -1
	for i := range m.Signers {
		one := &m.Signers[i]
		if one.Serial == nil || one.Serial.Cmp(k.Certificate.Serial) != 0 || !bytes.Equal(one.IssuerRaw, k.Certificate.RawIssuer) || len(one.Tokens()) > 0 {
			continue
		}
		if newest < 0 || one.SigningTime.After(m.Signers[newest].SigningTime) {
			newest = i
		}
	}
	if newest < 0 {
		return 0, badRequest("cms: the key has signed this very content already, with a time stamp")
	}
	return newest, nil
}

// verifyCMS judges all signatures of a message.
func (s *Signer) verifyCMS(ctx context.Context, f *fields) (any, *fail) {
	message, data, methods := f.requiredBytes("cms"), f.bytes("data"), f.methods()
	if bad := f.bad(); bad != nil {
		return nil, bad
	}
	m, bad := readCMS(message)
	switch {
	case bad != nil:
		return nil, bad
	case !m.Attached && len(data) == 0:
		return nil, badRequest("data: the message is detached; send the content that it signs")
	}
	if len(data) == 0 {
		data = nil
	}
	q := s.inquire(methods)
	v := q.verifier().CMS(ctx, message, data, signature.Want{At: q.at})
	out := &cmsVerification{status: done, Valid: v.Outcome == verdict.Passed, Signers: []cmsSigner{}, judged: judgement{v.Outcome, v.Reason}}
	for i := range v.Signatures {
		one := &v.Signatures[i]
		signer := cmsSigner{Certificates: []certificate{}}
		if one.Certificate != nil {
			signer.Certificates = append(signer.Certificates, q.about(ctx, one.Certificate, one.Beside()))
		}
		if i < len(m.Signers) {
			signer.TSP = stampOf(&m.Signers[i], one.Stamp)
		}
		if len(m.Signers) > 0 {
			out.Signers = append(out.Signers, signer)
		}
	}
	return out, nil
}

func readCMS(raw []byte) (*cms.SignedData, *fail) {
	m, err := cms.Parse(raw)
	if err != nil {
		return nil, badRequest("cms: %v", err)
	}
	return m, nil
}

// stampOf tells of the time stamp that the judge believes; nil if there is none.
func stampOf(info *cms.SignerInfo, believed *signature.Stamp) *tsp {
	if believed == nil || !believed.Trusted {
		return nil
	}
	for _, raw := range info.Tokens() {
		token, err := cms.ParseToken(raw)
		if err != nil || !token.Info.Time.Equal(believed.At) {
			continue
		}
		t := &token.Info
		out := &tsp{
			SerialNumber: t.Serial.Text(16), GenTime: moment(t.Time), Policy: t.Policy,
			HashName: hashName(t.Imprint.Hash.OID), Hash: hex.EncodeToString(t.Imprint.Digest),
		}
		if t.Authority != nil {
			name := personOf(t.Authority).DN
			out.TSA = &name
		}
		return out
	}
	return nil
}

// hashNames are the digests in the words of the interface.
var hashNames = map[string]string{
	"1.3.14.3.2.26":          "SHA1",
	"2.16.840.1.101.3.4.2.1": "SHA256",
	"2.16.840.1.101.3.4.2.2": "SHA384",
	"2.16.840.1.101.3.4.2.3": "SHA512",
	"1.2.398.3.10.1.3.1":     "GOST34311",
	"1.2.398.3.10.1.3.2":     "GOST3411-2015-256",
	"1.2.398.3.10.1.3.3":     "GOST3411-2015-512",
}

// hashName falls back on the identifier.
func hashName(oid string) string {
	if name, ok := hashNames[oid]; ok {
		return name
	}
	return oid
}

// extractCMS takes the content out of a message. It judges nothing.
func (s *Signer) extractCMS(_ context.Context, f *fields) (any, *fail) {
	message := f.requiredBytes("cms")
	if bad := f.bad(); bad != nil {
		return nil, bad
	}
	m, bad := readCMS(message)
	switch {
	case bad != nil:
		return nil, bad
	case !m.Attached:
		return nil, badRequest("cms: the message is detached: its content is not in it")
	}
	return dataAnswer{done, append([]byte{}, m.Content...)}, nil
}
