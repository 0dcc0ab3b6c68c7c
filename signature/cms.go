package signature

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"kopir/signature/algorithm"
	"kopir/signature/cms"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// CMS judges every signature of a message in the Cryptographic Message Syntax:
// CAdES-BES, with or without time stamps (CAdES-T), attached or detached. raw
// is DER. detached is the content where the message does not carry it; nil if
// there is none. All signatures must pass.
//
// Dates are judged at want.At, also where a time stamp could prove that the
// signature is older than the certificate's end: whoever asks "was it good
// then" sets want.AtStamp (ETSI EN 319 102-1 section 5.5, validity at the time
// that a stamp proves). A stamp that is not over the signature value, or is
// itself broken, fails the signature. One whose authority no configured root
// vouches for proves nothing and does no harm.
//
// Revocation lists and answers inside the message are not looked at.
func (v *Verifier) CMS(ctx context.Context, raw, detached []byte, want Want) *Verdict {
	m, err := cms.Parse(raw)
	if err != nil {
		return failed(refuse(verdict.CheckFormat, verdict.FormatFailure, "%v", err))
	}
	switch {
	case len(m.Signers) == 0:
		return failed(unsigned("the message holds no signature"))
	case m.ContentType != cms.TypeData:
		return failed(refuse(verdict.CheckFormat, verdict.SigConstraintsFailure, "what is signed has the content type %s; documents have %s", m.ContentType, cms.TypeData))
	case m.Attached && detached != nil && !bytes.Equal(m.Content, detached):
		return failed(refuse(verdict.CheckReferences, verdict.SigConstraintsFailure, "the message carries its content, and it is not the detached content given with it"))
	}
	certs, bad := v.carried(m)
	if bad != nil {
		return failed(bad)
	}
	t := cmsTask{message: m, certs: certs, content: m.Content, known: m.Attached || detached != nil, sums: map[*algorithm.Digest][]byte{}}
	if !m.Attached {
		t.content = detached
	}
	out := make([]SignatureVerdict, len(m.Signers))
	order := make([]int, len(m.Signers))
	for i := range m.Signers {
		t.info = &m.Signers[i]
		out[i] = v.judgeCMS(ctx, t, want)
		order[i] = i
	}
	return sum(out, order)
}

// cmsTask is one signature of a message that is to be judged.
type cmsTask struct {
	message *cms.SignedData
	info    *cms.SignerInfo
	certs   []*nuc.Certificate // that the message carries
	content []byte
	known   bool                         // the content is at hand
	sums    map[*algorithm.Digest][]byte // of the content, for all signers
}

func (v *Verifier) carried(m *cms.SignedData) ([]*nuc.Certificate, *verdict.Check) {
	var out []*nuc.Certificate
	for i, raw := range m.Certificates {
		c, err := v.trust().Parse(raw)
		if err != nil {
			return nil, refuse(verdict.CheckFormat, verdict.FormatFailure, "certificate %d of the message: %v", i+1, err)
		}
		out = append(out, c)
	}
	return out, nil
}

// judgeCMS makes every check of one signature, in the order of the names in
// package verdict.
func (v *Verifier) judgeCMS(ctx context.Context, t cmsTask, want Want) SignatureVerdict {
	out := SignatureVerdict{Checks: make([]verdict.Check, 0, 14)}
	if bad := v.checkValue(t, &out); bad != nil {
		out.Checks = append(out.Checks, *bad)
		out.settle()
		return out
	}
	var tokens []stampToken
	for _, raw := range t.info.Tokens() {
		tokens = append(tokens, stampToken{raw, t.info.Value})
	}
	stamps, at := v.checkStamps(ctx, tokens, t.stampsContent, &out, want)
	chain := v.checkPerson(&out, want, at)
	out.Checks = append(out.Checks, stamps...)
	v.checkStatus(ctx, &out, chain, at)
	out.settle()
	return out
}

// checkValue makes the checks up to the signature value. The check that it
// returns ends the judgement; those that passed are in out.
func (v *Verifier) checkValue(t cmsTask, out *SignatureVerdict) *verdict.Check {
	pass := func(name, detail string) { out.Checks = append(out.Checks, verdict.Pass(name, detail)) }
	info := t.info
	pass(verdict.CheckFormat, "")
	out.Algorithm = info.Algorithm.OID
	row, digest, bad := v.cmsAlgorithms(info)
	if bad != nil {
		return bad
	}
	pass(verdict.CheckAlgorithms, row.Name)

	switch {
	case info.SignedBytes == nil:
		// A value over the bare content could as well be one over attributes
		// that somebody passes off as the content.
		return refuse(verdict.CheckReferences, verdict.SigConstraintsFailure, "there are no signed attributes")
	case info.MessageDigest == nil:
		return refuse(verdict.CheckReferences, verdict.SigConstraintsFailure, "the signed attributes hold no messageDigest, so no content is signed")
	case info.ContentType == "":
		return refuse(verdict.CheckReferences, verdict.SigConstraintsFailure, "the signed attributes hold no contentType")
	case info.ContentType != t.message.ContentType:
		return refuse(verdict.CheckReferences, verdict.SigConstraintsFailure, "signed as content of type %s, carried as %s", info.ContentType, t.message.ContentType)
	}
	pass(verdict.CheckReferences, "")
	if bad := t.checkDigest(digest, out); bad != nil {
		return bad
	}

	c, bad := v.cmsCertificate(t)
	if bad != nil {
		return bad
	}
	out.Certificate = c
	for _, o := range t.certs {
		if o.IsCA && o.Fingerprint != c.Fingerprint && len(out.others) < maxCertificates {
			out.others = append(out.others, o)
		}
	}
	pass(verdict.CheckCertificate, c.SerialHex())
	if c.PublicKey == nil {
		return refuse(verdict.CheckKey, verdict.CryptoConstraintsFailure, "the key of the certificate cannot be used: %v", c.KeyProblem)
	}
	if err := row.Verify(c.PublicKey, row.Digest.Sum(info.SignedBytes), info.Value); err != nil {
		return refuse(verdict.CheckSignature, verdict.SigCryptoFailure, "the signature value does not fit the signed attributes and the signer's key: %v", err)
	}
	pass(verdict.CheckSignature, "")
	out.claimed = info.SigningTime
	return nil
}

// checkDigest compares the content with messageDigest. Content that is not at
// hand leaves the check undecided, and all that can be said of the signature
// is still said.
func (t cmsTask) checkDigest(d *algorithm.Digest, out *SignatureVerdict) *verdict.Check {
	if !t.known {
		out.Checks = append(out.Checks, verdict.Unsure(verdict.CheckDigest, verdict.SignedDataNotFound, "the message is detached and its content was not given"))
		return nil
	}
	have, ok := t.sums[d]
	if !ok {
		have = d.Sum(t.content)
		t.sums[d] = have
	}
	if !bytes.Equal(have, t.info.MessageDigest) {
		return refuse(verdict.CheckDigest, verdict.HashFailure, "the content is not what was signed: its %s differs from messageDigest", d.Name)
	}
	out.Checks = append(out.Checks, verdict.Pass(verdict.CheckDigest, ""))
	out.parts = []part{{primary: true, octets: t.content, name: t.message.ContentType}}
	out.Signed = []string{t.message.ContentType}
	return nil
}

// cmsAlgorithms finds the rows for digest and signature, which must belong
// together.
func (v *Verifier) cmsAlgorithms(info *cms.SignerInfo) (*algorithm.Signature, *algorithm.Digest, *verdict.Check) {
	digest, bad := v.plainDigest(info.Digest, "digest")
	if bad != nil {
		return nil, nil, bad
	}
	row, ok := info.Algorithm.Row()
	if !ok {
		row, ok = algorithm.SignatureByKeyOID(info.Algorithm.ObjectIdentifier(), digest)
		ok = ok && info.Algorithm.Plain()
	}
	switch {
	case !ok && info.Algorithm.ObjectIdentifier().Equal(algorithm.OIDPSS):
		return nil, nil, refuse(verdict.CheckAlgorithms, verdict.CryptoConstraintsFailure, "RSA-PSS is refused by policy")
	case !ok:
		return nil, nil, refuse(verdict.CheckAlgorithms, verdict.CryptoConstraintsFailure, "the signature algorithm %s with the digest %s is not on the list", info.Algorithm.OID, digest.Name)
	case row.Refusal != verdict.None:
		return nil, nil, refuse(verdict.CheckAlgorithms, row.Refusal, "the signature algorithm %s is refused by policy: %s", row.Name, row.Why)
	case row.Digest != digest:
		return nil, nil, refuse(verdict.CheckAlgorithms, verdict.CryptoConstraintsFailure, "%s does not go with the digest %s", row.Name, digest.Name)
	}
	return row, digest, nil
}

// plainDigest finds the row of a digest that something hangs on.
func (v *Verifier) plainDigest(a nuc.Algorithm, what string) (*algorithm.Digest, *verdict.Check) {
	d, ok := algorithm.DigestByOID(a.ObjectIdentifier())
	switch {
	case !ok || !a.Plain():
		return nil, refuse(verdict.CheckAlgorithms, verdict.CryptoConstraintsFailure, "the %s algorithm %s is not on the list", what, a.OID)
	case d.Refusal != verdict.None:
		return nil, refuse(verdict.CheckAlgorithms, d.Refusal, "the %s algorithm %s is refused by policy", what, d.Name)
	}
	return d, nil
}

// cmsCertificate finds the signer's certificate, in the message or among those
// known beforehand, and compares it with the identifiers that the signer put
// under his signature.
func (v *Verifier) cmsCertificate(t cmsTask) (*nuc.Certificate, *verdict.Check) {
	info := t.info
	var found *nuc.Certificate
	for _, c := range t.certs {
		if !names(info, c) || found != nil && found.Fingerprint == c.Fingerprint {
			continue
		}
		if found != nil {
			return nil, refuse(verdict.CheckCertificate, verdict.NoSigningCertificate, "the message holds two certificates that could be the signer's")
		}
		found = c
	}
	if found == nil {
		var err error
		if info.KeyID != nil {
			found, err = v.trust().ByKeyID(info.KeyID)
		} else {
			found, err = v.trust().ByIssuerNumber(info.Issuer, info.Serial)
		}
		if err != nil {
			return nil, refuse(verdict.CheckCertificate, verdict.NoSigningCertificate, "the message does not hold the signer's certificate (%s): %v", wanted(info), err)
		}
	}
	for _, list := range []struct {
		ids  []cms.CertID
		name string
	}{{info.CertIDs, "signingCertificate"}, {info.CertIDsV2, "signingCertificateV2"}} {
		if len(list.ids) == 0 {
			continue
		}
		if bad := identifies(list.ids[0], found, list.name); bad != nil {
			return nil, bad
		}
	}
	return found, nil
}

func names(info *cms.SignerInfo, c *nuc.Certificate) bool {
	if info.KeyID != nil {
		return bytes.Equal(info.KeyID, c.SubjectKeyID)
	}
	return info.Serial.Cmp(c.Serial) == 0 && (bytes.Equal(info.IssuerRaw, c.RawIssuer) || info.Issuer.Equal(c.IssuerName))
}

func wanted(info *cms.SignerInfo) string {
	if info.KeyID != nil {
		return fmt.Sprintf("key identifier %x", info.KeyID)
	}
	return fmt.Sprintf("%s of %s", info.Serial.Text(16), info.Issuer)
}

// identifies is whether an ESS identifier is that of a certificate. SHA-1, the
// only digest of the first version, is let pass: it tells certificates apart
// whose signer has vouched for one of them, and collides for nobody's gain.
func identifies(id cms.CertID, c *nuc.Certificate, attribute string) *verdict.Check {
	row := algorithm.SHA256()
	if attribute == "signingCertificate" {
		row = algorithm.SHA1()
	}
	if id.Hash.OID != "" {
		var ok bool
		if row, ok = algorithm.DigestByOID(id.Hash.ObjectIdentifier()); !ok || row.New == nil || !id.Hash.Plain() {
			return refuse(verdict.CheckCertificate, verdict.CryptoConstraintsFailure, "%s is made with the digest %s, which is not on the list", attribute, id.Hash.OID)
		}
	}
	if !bytes.Equal(row.Sum(c.Raw), id.Digest) {
		return refuse(verdict.CheckCertificate, verdict.SigConstraintsFailure, "%s names another certificate than %s", attribute, c.SerialHex())
	}
	if id.Issuer != nil && (id.Serial.Cmp(c.Serial) != 0 || !id.Issuer.Equal(c.IssuerName)) {
		return refuse(verdict.CheckCertificate, verdict.SigConstraintsFailure, "%s gives another issuer or serial number than the certificate %s has", attribute, c.SerialHex())
	}
	return nil
}

// utc prints a time for people.
func utc(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
