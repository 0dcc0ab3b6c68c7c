package signature

import (
	"bytes"
	"context"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"kopir/signature/algorithm"
	"kopir/signature/cms"
	"kopir/signature/gost"
	"kopir/signature/keystore"
	"kopir/signature/nuc"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

var stampsOnly = leafOptions{cn: "TIME-STAMPING AUTHORITY", purposes: []asn1.ObjectIdentifier{purposeStamps}, usage: 0x80}

// tsa gives a time stamping authority's key: RSA or on a curve.
func (w *nationalWorld) tsa(t testing.TB, kind string) *keystore.Key {
	t.Helper()
	switch kind {
	case "RSA":
		return w.key(t, sigtest.Profile{Kind: sigtest.Timestamps, CommonName: "TSA"})
	case "2004":
		return issueNational(t, gost.CryptoProA(), w.roots[gost.CryptoProA()], stampsOnly).key
	default:
		return issueNational(t, gost.TC26A512(), w.roots[gost.TC26A512()], stampsOnly).key
	}
}

// info is what a stamp over data says, with the digest of the key's algorithm.
func stampInfo(key *keystore.Key, data []byte, at time.Time) cms.TSTInfo {
	d := key.Algorithm.Digest
	return cms.TSTInfo{
		Policy: "1.2.398.3.3.2.6.4", Serial: big.NewInt(77), Time: at,
		Imprint: cms.Imprint{Hash: nuc.NewAlgorithm(d.OIDs[0]), Digest: d.Sum(data)},
	}
}

func stampOver(t testing.TB, w *nationalWorld, kind string, data []byte, at time.Time) []byte {
	t.Helper()
	key := w.tsa(t, kind)
	return must2(SignTimestamp(stampInfo(key, data, at), key))(t)
}

func (w *world) tsp(t testing.TB, raw, data []byte, want Want) *Verdict {
	t.Helper()
	return w.verifier.TSP(t.Context(), raw, data, want)
}

// TestTimestamps: tokens and answers of every kind of authority.
func TestTimestamps(t *testing.T) {
	w := newNationalWorld(t)
	made := sigtest.Noon().Add(-time.Hour).Add(123 * time.Millisecond)
	for _, kind := range []string{"RSA", "2004", "2015-512"} {
		t.Run(kind, func(t *testing.T) {
			key := w.tsa(t, kind)
			info := stampInfo(key, []byte(text), made)
			info.Nonce, info.Accuracy, info.Ordering = big.NewInt(-909616459074013941), 2*time.Second, true
			token := must2(SignTimestamp(info, key))(t)
			v := w.tsp(t, token, []byte(text), now())
			decides(t, v, verdict.Passed, verdict.None)
			if at, ok := v.Signatures[0].SignedAt(); !ok || !at.Equal(made) {
				t.Errorf("made at %s", at)
			}
			if content, ok := v.Content(); !ok || content.Name() != cms.TypeTSTInfo {
				t.Error("what was signed is not handed out")
			}
			read := must2(cms.ParseToken(token))(t)
			if read.Info.Nonce.Cmp(info.Nonce) != 0 || read.Info.Accuracy != info.Accuracy || !read.Info.Ordering || read.Info.Policy != info.Policy {
				t.Errorf("%+v", read.Info)
			}
			decides(t, w.tsp(t, token, nil, now()), verdict.Passed, verdict.None)
			decides(t, w.tsp(t, token, []byte("other"), now()), verdict.Failed, verdict.HashFailure)
			decides(t, w.tsp(t, token, []byte(text), Want{At: made.Add(-time.Minute)}), verdict.Undetermined, verdict.TimestampBad)
			// The authority's certificate has ended since: what it stamped stands.
			decides(t, w.tsp(t, token, []byte(text), Want{At: made.AddDate(3, 0, 0)}), verdict.Passed, verdict.None)
			decides(t, w.tsp(t, cms.MarshalGranted(token), []byte(text), now()), verdict.Passed, verdict.None)
			decides(t, w.tsp(t, cms.MarshalRejected("no"), nil, now()), verdict.Failed, verdict.NoSignature)
			decides(t, newWorld(t).tsp(t, append(bytes.Clone(token), 0), nil, now()), verdict.Failed, verdict.FormatFailure)
			for i := range token {
				if kind != "RSA" && i%11 != 0 {
					continue
				}
				broken := bytes.Clone(token)
				broken[i] ^= 1
				v := w.tsp(t, broken, []byte(text), now())
				if at, _ := v.Signatures[0].SignedAt(); v.Outcome == verdict.Passed && !at.Equal(made) {
					t.Fatalf("byte %d: another time passes", i)
				}
				if v := w.tsp(t, token[:i], nil, now()); v.Outcome != verdict.Failed {
					t.Fatalf("cut at %d: %s", i, explain(v))
				}
			}
		})
	}
}

// TestTimestampAuthorities: who may not stamp, and when.
func TestTimestampAuthorities(t *testing.T) {
	w := newNationalWorld(t)
	curve := gost.TC26A512()
	mild, both, encipher, old := stampsOnly, stampsOnly, stampsOnly, stampsOnly
	mild.mild = true
	both.purposes = []asn1.ObjectIdentifier{purposeStamps, purposeMail}
	encipher.usage = 0x20
	old.notAfter = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		o      leafOptions
		reason verdict.Reason
	}{
		"purpose not critical": {mild, verdict.KeyUsage},
		"two purposes":         {both, verdict.KeyUsage},
		"a person":             {leafOptions{cn: "ТЕСТОВ ТЕСТ", purposes: []asn1.ObjectIdentifier{purposeMail}}, verdict.KeyUsage},
		"no signing key":       {encipher, verdict.KeyUsage},
		"ended before":         {old, verdict.Expired},
	} {
		key := issueNational(t, curve, w.roots[curve], c.o).key
		info := stampInfo(key, []byte(text), sigtest.Noon())
		if _, err := SignTimestamp(info, key); (err == nil) != (c.reason == verdict.Expired) {
			t.Errorf("%s: stamps: %v", name, err)
		}
		content := must2(info.Marshal())(t)
		token := must2(signMessage(cms.TypeTSTInfo, content, key, CMSOptions{}))(t)
		decides(t, w.tsp(t, token, []byte(text), now()), verdict.Failed, c.reason)
	}
	stranger := issueNational(t, curve, issueNational(t, curve, nil, leafOptions{cn: "ЧУЖОЙ", ca: true}), stampsOnly).key
	token := must2(SignTimestamp(stampInfo(stranger, []byte(text), sigtest.Noon()), stranger))(t)
	v := w.tsp(t, token, []byte(text), now())
	decides(t, v, verdict.Failed, verdict.NoCertificateChain)
	if v.Signatures[0].Stamp == nil || v.Signatures[0].Stamp.Trusted {
		t.Error("a stranger's time is believed")
	}
}

// stamped puts a stamp over the first signature, or over something else.
func stamped(t testing.TB, message, token []byte) []byte {
	t.Helper()
	return must2(must2(cms.Parse(message))(t).WithToken(0, token))(t)
}

// TestStampedSignatures: CAdES-T.
func TestStampedSignatures(t *testing.T) {
	w := newNationalWorld(t)
	key, made := w.person(t, gost.TC26A512()), sigtest.Noon()
	message := must2(SignCMS([]byte(text), key, CMSOptions{SigningTime: made.Add(-time.Minute)}))(t)
	value := must2(cms.Parse(message))(t).Signers[0].Value
	later := Want{At: made.AddDate(2, 0, 0)}
	atStamp := Want{At: later.At, AtStamp: true}

	for _, kind := range []string{"RSA", "2004", "2015-512"} {
		good := stamped(t, message, stampOver(t, w, kind, value, made))
		v := w.cms(t, good, nil, Want{At: made.Add(time.Minute)})
		decides(t, v, verdict.Passed, verdict.None)
		if at, _ := v.Signatures[0].SignedAt(); !at.Equal(made) || !v.Signatures[0].Stamp.Trusted {
			t.Errorf("signed at %s, %+v", at, v.Signatures[0].Stamp)
		}
		decides(t, w.cms(t, good, nil, later), verdict.Failed, verdict.Expired)
		decides(t, w.cms(t, good, nil, atStamp), verdict.Passed, verdict.None)
		decides(t, w.cms(t, good, nil, Want{At: made.Add(-time.Second)}), verdict.Passed, verdict.None) // says nothing yet
	}
	decides(t, w.cms(t, message, nil, atStamp), verdict.Failed, verdict.Expired)
	decides(t, w.cms(t, message, nil, Want{At: made, AtStamp: true}), verdict.Undetermined, verdict.NoPOE)

	overContent := stamped(t, message, stampOver(t, w, "2004", []byte(text), made))
	v := w.cms(t, overContent, nil, Want{At: made})
	decides(t, v, verdict.Failed, verdict.HashFailure)
	if !bytes.Contains([]byte(explain(v)), []byte("over the content")) {
		t.Error(explain(v))
	}
	decides(t, w.cms(t, stamped(t, message, stampOver(t, w, "RSA", []byte("x"), made)), nil, Want{At: made}), verdict.Failed, verdict.HashFailure)

	broken := stampOver(t, w, "RSA", value, made)
	broken[len(broken)-1] ^= 1
	decides(t, w.cms(t, stamped(t, message, broken), nil, Want{At: made}), verdict.Failed, verdict.SigCryptoFailure)
	decides(t, w.cms(t, stamped(t, message, []byte{0x30, 0}), nil, Want{At: made}), verdict.Failed, verdict.FormatFailure)

	sha1, _ := algorithm.DigestByOID(asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26})
	tsa := w.tsa(t, "2004")
	info := stampInfo(tsa, value, made)
	info.Imprint = cms.Imprint{Hash: nuc.NewAlgorithm(sha1.OIDs[0]), Digest: sha1.Sum(value)}
	weak := must2(SignTimestamp(info, tsa))(t)
	decides(t, w.cms(t, stamped(t, message, weak), nil, Want{At: made}), verdict.Failed, verdict.CryptoConstraintsFailure)
	decides(t, w.tsp(t, weak, nil, now()), verdict.Passed, verdict.None) // it is what it says, and no more

	strange := issueNational(t, gost.TC26A512(), issueNational(t, gost.TC26A512(), nil, leafOptions{cn: "ЧУЖОЙ", ca: true}), stampsOnly).key
	unknown := stamped(t, message, must2(SignTimestamp(stampInfo(strange, value, made.AddDate(0, -1, 0)), strange))(t))
	v = w.cms(t, unknown, nil, Want{At: made.Add(time.Minute)})
	decides(t, v, verdict.Passed, verdict.None)
	if at, _ := v.Signatures[0].SignedAt(); v.Signatures[0].Stamp.Trusted || !at.Equal(made.Add(-time.Minute)) {
		t.Errorf("a stranger's time is believed: %s", at)
	}
	decides(t, w.cms(t, unknown, nil, Want{At: made, AtStamp: true}), verdict.Undetermined, verdict.NoPOE)

	many := message
	for range maxStamps + 1 {
		many = stamped(t, many, stampOver(t, w, "2015-512", value, made))
	}
	decides(t, w.cms(t, many, nil, Want{At: made}), verdict.Failed, verdict.FormatFailure)

	// A stamping authority that is revoked proves nothing, and says so.
	w.verifier.Revocation = revokedOnly{serial: tsa.Certificate.SerialHex()}
	byRevoked := stamped(t, message, must2(SignTimestamp(stampInfo(tsa, value, made), tsa))(t))
	decides(t, w.cms(t, byRevoked, nil, Want{At: made.Add(time.Hour), AtStamp: true}), verdict.Failed, verdict.Revoked)
	decides(t, w.tsp(t, must2(SignTimestamp(stampInfo(tsa, value, made), tsa))(t), value, now()), verdict.Failed, verdict.Revoked)
}

// TestStampOfUnknownStatus: what could not be found out about the stamping
// authority leaves the signature undetermined, never failed for its age.
func TestStampOfUnknownStatus(t *testing.T) {
	w := newNationalWorld(t)
	key, made := w.person(t, gost.TC26A512()), sigtest.Noon()
	message := must2(SignCMS([]byte(text), key, CMSOptions{}))(t)
	value := must2(cms.Parse(message))(t).Signers[0].Value
	tsa := w.tsa(t, "2015-512")
	one := stamped(t, message, must2(SignTimestamp(stampInfo(tsa, value, made), tsa))(t))
	w.verifier.Revocation = silentOn{serial: tsa.Certificate.SerialHex()}
	later := Want{At: made.AddDate(2, 0, 0), AtStamp: true}
	decides(t, w.cms(t, one, nil, later), verdict.Undetermined, verdict.TryLater)
	two := stamped(t, one, stampOver(t, w, "2004", value, made.Add(time.Hour)))
	decides(t, w.cms(t, two, nil, later), verdict.Passed, verdict.None)
	w.verifier.Revocation = nil
	decides(t, w.cms(t, two, nil, later), verdict.Undetermined, verdict.TryLater)
}

// silentOn knows nothing about one certificate and good of all others.
type silentOn struct{ serial string }

func (s silentOn) Check(_ context.Context, leaf, _ *nuc.Certificate, _ time.Time) verdict.Check {
	if leaf.SerialHex() == s.serial {
		return verdict.Unsure(verdict.CheckRevocation, verdict.TryLater, "no answer")
	}
	return verdict.Pass(verdict.CheckRevocation, "not revoked")
}

// revokedOnly answers that one certificate is revoked and all others are not.
type revokedOnly struct{ serial string }

func (r revokedOnly) Check(_ context.Context, leaf, _ *nuc.Certificate, _ time.Time) verdict.Check {
	if leaf.SerialHex() == r.serial {
		return verdict.Fail(verdict.CheckRevocation, verdict.Revoked, "revoked")
	}
	return verdict.Pass(verdict.CheckRevocation, "not revoked")
}

// TestAddTimestamp: the answer must be to the request.
func TestAddTimestamp(t *testing.T) {
	w := newNationalWorld(t)
	message := must2(SignCMS([]byte(text), w.key(t, sigtest.Profile{}), CMSOptions{}))(t)
	request := must2(TimestampRequest(message, 0, "1.2.398.3.3.2.6.4"))(t)
	if len(request.Imprint.Digest) != 64 || request.Nonce.BitLen() < 32 {
		t.Errorf("%+v", request)
	}
	request.Nonce = big.NewInt(-5)
	sent := must2(cms.ParseRequest(must2(request.Marshal())(t)))(t)
	if sent.Nonce.Cmp(request.Nonce) != 0 || !sent.Certificate || sent.Policy != request.Policy || !bytes.Equal(sent.Imprint.Digest, request.Imprint.Digest) {
		t.Errorf("%+v", sent)
	}
	tsa := w.tsa(t, "2015-512")
	answer := func(change func(*cms.TSTInfo)) []byte {
		info := cms.TSTInfo{Policy: sent.Policy, Imprint: sent.Imprint, Serial: big.NewInt(1), Time: sigtest.Noon(), Nonce: sent.Nonce}
		if change != nil {
			change(&info)
		}
		return cms.MarshalGranted(must2(SignTimestamp(info, tsa))(t))
	}
	out := must2(AddTimestamp(message, 0, request, answer(nil)))(t)
	v := w.cms(t, out, nil, now())
	decides(t, v, verdict.Passed, verdict.None)
	if v.Signatures[0].Stamp == nil || !v.Signatures[0].Stamp.Trusted {
		t.Error("the stamp is not there")
	}
	for name, bad := range map[string][]byte{
		"rejected":       cms.MarshalRejected("busy"),
		"not an answer":  {0x30, 0},
		"another nonce":  answer(func(i *cms.TSTInfo) { i.Nonce = big.NewInt(5) }),
		"no nonce":       answer(func(i *cms.TSTInfo) { i.Nonce = nil }),
		"another policy": answer(func(i *cms.TSTInfo) { i.Policy = "1.2.3" }),
		"other bytes":    answer(func(i *cms.TSTInfo) { i.Imprint.Digest = make([]byte, 64) }),
		"altered":        func() []byte { a := answer(nil); a[len(a)-3] ^= 1; return a }(),
	} {
		if _, err := AddTimestamp(message, 0, request, bad); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := AddTimestamp(message, 1, request, answer(nil)); err == nil {
		t.Error("a stamp on a signature that is not there")
	}
}
