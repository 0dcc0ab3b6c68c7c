package signature

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"kopir/signature/algorithm"
	"kopir/signature/cms"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// maxStamps bounds the time stamps over one signature.
const maxStamps = 4

// TSP judges a time stamp, or an authority's answer that holds one (RFC 3161).
// data is what was stamped; nil: not at hand, and the imprint is shown only.
// The authority's certificate must be for time stamping and nothing else, and
// its chain and dates hold at the stamped time; its revocation is asked for the
// time of judgement, as long as its certificate lasts. A stamp made after
// want.At proves nothing then.
func (v *Verifier) TSP(ctx context.Context, raw, data []byte, want Want) *Verdict {
	if cms.IsResponse(raw) {
		r, err := cms.ParseResponse(raw)
		if err != nil {
			return failed(refuse(verdict.CheckFormat, verdict.FormatFailure, "%v", err))
		}
		if !r.Status.Granted() {
			return failed(refuse(verdict.CheckFormat, verdict.NoSignature, "the authority gave no time stamp: %s %s", r.Status, quote(r.Text)))
		}
		raw = r.Token
	}
	out, chain := v.judgeToken(raw, data, want)
	if out.Certificate != nil {
		v.checkStatus(ctx, out, chain, statusTime(out.Certificate, want.At))
	}
	out.settle()
	return sum([]SignatureVerdict{*out}, []int{0})
}

// statusTime is the time for which to ask about an authority's certificate: the
// time of judgement, but not after its end, when lists drop it. A key that
// was lost after a stamp spoils the stamp too (RFC 3161 section 4).
func statusTime(c *nuc.Certificate, at time.Time) time.Time {
	if at.After(c.NotAfter) {
		return c.NotAfter
	}
	return at
}

// judgeToken makes every check of a time stamp but that of revocation. The
// chain is nil where there is none.
func (v *Verifier) judgeToken(raw, data []byte, want Want) (*SignatureVerdict, []*nuc.Certificate) {
	out := &SignatureVerdict{}
	end := func(c *verdict.Check) (*SignatureVerdict, []*nuc.Certificate) {
		out.Checks = append(out.Checks, *c)
		return out, nil
	}
	token, err := cms.ParseToken(raw)
	if err != nil {
		return end(refuse(verdict.CheckFormat, verdict.FormatFailure, "%v", err))
	}
	info := &token.Info
	if info.Critical != "" {
		return end(refuse(verdict.CheckFormat, verdict.SigConstraintsFailure, "the time stamp has the critical extension %s, which is not understood", info.Critical))
	}
	certs, bad := v.carried(token.SignedData)
	if bad != nil {
		return end(bad)
	}
	signer := &token.Signers[0]
	t := cmsTask{message: token.SignedData, info: signer, certs: certs, content: token.Content, known: true, sums: map[*algorithm.Digest][]byte{}}
	if bad := v.checkValue(t, out); bad != nil {
		return end(bad)
	}
	if len(signer.CertIDs)+len(signer.CertIDsV2) == 0 {
		return end(refuse(verdict.CheckCertificate, verdict.SigConstraintsFailure, "the time stamp does not name its authority's certificate under the signature"))
	}
	out.Stamp = &Stamp{At: info.Time}
	c := out.Certificate
	if bad := forStamping(c); bad != nil {
		return end(bad)
	}
	if info.Authority != nil && !info.Authority.Equal(c.SubjectName) {
		return end(refuse(verdict.CheckCertificate, verdict.SigConstraintsFailure, "the time stamp speaks for %s and is signed by %s", info.Authority, c.SubjectName))
	}
	chain, checks := v.trust().ChainWith(c, out.others, info.Time)
	out.Checks = append(out.Checks, verdict.Pass(verdict.CheckUsage, "certificate for time stamping"))
	out.Checks = append(out.Checks, checks...)
	out.Checks = append(out.Checks, v.checkImprint(info, data, want.At))
	outcome, _ := verdict.Sum(out.Checks)
	out.Stamp.Trusted = outcome == verdict.Passed
	return out, chain
}

// forStamping is RFC 3161 section 2.3: one purpose, time stamping, marked
// critical. A key usage must allow signing.
func forStamping(c *nuc.Certificate) *verdict.Check {
	switch {
	case c.IsCA:
		return refuse(verdict.CheckUsage, verdict.KeyUsage, "an authority's certificate; time stamps are not signed with it")
	case len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != nuc.EKUTimeStamping:
		return refuse(verdict.CheckUsage, verdict.KeyUsage, "not a certificate for time stamping and nothing else (%s)", strings.Join(c.ExtKeyUsage, " "))
	case !c.ExtKeyUsageCritical:
		return refuse(verdict.CheckUsage, verdict.KeyUsage, "the purpose of time stamping is not marked critical")
	case c.HasKeyUsage && c.KeyUsage&(nuc.DigitalSignature|nuc.NonRepudiation) == 0:
		return refuse(verdict.CheckUsage, verdict.KeyUsage, "the key may not sign by its key usage")
	}
	return nil
}

// checkImprint is whether the stamp is over the data, and not from the future.
func (v *Verifier) checkImprint(info *cms.TSTInfo, data []byte, at time.Time) verdict.Check {
	const name = verdict.CheckTimestamp
	row, ok := algorithm.DigestByOID(info.Imprint.Hash.ObjectIdentifier())
	if ok && row.New != nil && row.New().Size() != len(info.Imprint.Digest) {
		return verdict.Fail(name, verdict.FormatFailure, fmt.Sprintf("the imprint has %d bytes, %s has %d", len(info.Imprint.Digest), row.Name, row.New().Size()))
	}
	made := fmt.Sprintf("made at %s under the policy %s, serial number %s", utc(info.Time), info.Policy, info.Serial.Text(16))
	if data == nil {
		hash := info.Imprint.Hash.OID
		if ok {
			hash = row.Name
		}
		made += fmt.Sprintf(", over bytes not at hand with the %s %x", hash, info.Imprint.Digest)
	} else {
		row, bad := v.plainDigest(info.Imprint.Hash, "imprint's digest")
		if bad != nil {
			bad.Name = name
			return *bad
		}
		if !bytes.Equal(row.Sum(data), info.Imprint.Digest) {
			return verdict.Fail(name, verdict.HashFailure, "the time stamp is over other bytes: the imprint differs")
		}
	}
	if info.Time.After(at) {
		return verdict.Unsure(name, verdict.TimestampBad, made+fmt.Sprintf(", which is after the time of judgement %s", utc(at)))
	}
	return verdict.Pass(name, made)
}

// checkStamps judges the time stamps over a signature value and sums each up
// in one check. The earliest trusted one counts. With want.AtStamp the status
// of their authorities is asked too, and at is the time at which the signer is
// to be judged; a status that could not be found out leaves the signature
// undetermined unless another stamp is good.
//
// content recognises a stamp over the content, to say what is wrong with it.
func (v *Verifier) checkStamps(ctx context.Context, tokens []stampToken, content func(raw []byte) bool, out *SignatureVerdict, want Want) (checks []verdict.Check, at time.Time) {
	at = want.At
	if len(tokens) > maxStamps {
		return []verdict.Check{verdict.Fail(verdict.CheckTimestamp, verdict.FormatFailure, fmt.Sprintf("more than %d time stamps over one signature", maxStamps))}, at
	}
	var pending *verdict.Check // of a stamp whose authority's status is not known
	for _, token := range tokens {
		one, chain := v.judgeToken(token.raw, token.data, want)
		if want.AtStamp && one.Stamp != nil && one.Stamp.Trusted && v.Revoke != RevokeOff {
			v.checkStatus(ctx, one, chain, statusTime(one.Certificate, want.At))
			outcome, reason := verdict.Sum(one.Checks)
			one.Stamp.Trusted = outcome == verdict.Passed
			if last := one.Checks[len(one.Checks)-1]; outcome == verdict.Undetermined && pending == nil {
				unsure := verdict.Unsure(verdict.CheckTimestamp, reason, "the authority of the time stamp: "+last.Detail)
				pending, at = &unsure, one.Stamp.At
			}
		}
		check := summary(one, token.raw, content)
		checks = append(checks, check)
		if check.Outcome != verdict.Passed || one.Stamp == nil {
			continue
		}
		if out.Stamp == nil || one.Stamp.Trusted && (!out.Stamp.Trusted || one.Stamp.At.Before(out.Stamp.At)) {
			out.Stamp = one.Stamp
		}
	}
	switch {
	case !want.AtStamp:
	case out.Stamp != nil && out.Stamp.Trusted:
		at = out.Stamp.At
	case pending != nil:
		checks = append(checks, *pending)
	default:
		checks = append(checks, verdict.Unsure(verdict.CheckTimestamp, verdict.NoPOE, "no trusted time stamp proves when the signature was made"))
	}
	return checks, at
}

// summary is one check for a whole time stamp. What is wrong with the stamp
// itself fails it. An authority that no configured root vouches for, a
// revocation that could not be found out and a time after that of judgement
// leave it without weight: it passes as what it is, a stamp over the right
// bytes whose time is not a proof.
func summary(stamp *SignatureVerdict, raw []byte, content func([]byte) bool) verdict.Check {
	const name = verdict.CheckTimestamp
	detail, without := "", ""
	for _, c := range stamp.Checks {
		if c.Name == name {
			detail = c.Detail
		}
		switch {
		case c.Skipped || c.Outcome == verdict.Passed:
		case c.Name == verdict.CheckChain && c.Reason == verdict.NoCertificateChain,
			c.Outcome == verdict.Undetermined:
			if without == "" {
				without = c.Detail
			}
		case c.Name == name && c.Reason == verdict.HashFailure && content(raw):
			return verdict.Fail(name, c.Reason, "the time stamp is over the content; it must be over the signature value")
		case c.Name == verdict.CheckValidity:
			return verdict.Fail(name, verdict.TimestampBad, "time stamp outside its authority's dates: "+c.Detail)
		default:
			return verdict.Fail(name, c.Reason, "time stamp, "+c.Name+": "+c.Detail)
		}
	}
	if without != "" {
		return verdict.Pass(name, detail+"; the time is not a proof: "+without)
	}
	return verdict.Pass(name, detail)
}

// stampsContent recognises the stamps of old servers, to say what is wrong.
func (t cmsTask) stampsContent(raw []byte) bool {
	token, err := cms.ParseToken(raw)
	if err != nil || !t.known {
		return false
	}
	row, ok := algorithm.DigestByOID(token.Info.Imprint.Hash.ObjectIdentifier())
	return ok && row.New != nil && bytes.Equal(row.Sum(t.content), token.Info.Imprint.Digest)
}
