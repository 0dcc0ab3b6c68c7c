package signature

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"kopir/signature/cms"
	"kopir/signature/gost"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

const text = "Заявление о выдаче справки\x00\xff"

func (w *world) cms(t testing.TB, raw, detached []byte, want Want) *Verdict {
	t.Helper()
	return w.verifier.CMS(t.Context(), raw, detached, want)
}

// decides is an error unless the verdict is as expected.
func decides(t testing.TB, v *Verdict, outcome verdict.Outcome, reason verdict.Reason) {
	t.Helper()
	if v.Outcome != outcome || v.Reason != reason {
		t.Errorf("want %s %s, got %s", outcome, reason, explain(v))
	}
}

// TestCMSRoundTrip signs with every kind of key, attached and detached.
func TestCMSRoundTrip(t *testing.T) {
	w := newNationalWorld(t)
	at := sigtest.Noon().Add(-time.Hour)
	for name, key := range w.signers(t) {
		t.Run(name, func(t *testing.T) {
			attached := must2(SignCMS([]byte(text), key, CMSOptions{SigningTime: at}))(t)
			v := w.cms(t, attached, nil, Want{At: sigtest.Noon(), IIN: testIIN})
			decides(t, v, verdict.Passed, verdict.None)
			content, ok := v.Content()
			if !ok || string(content.Bytes()) != text || content.Name() != cms.TypeData {
				t.Errorf("content %v %q", ok, content.Bytes())
			}
			if said, ok := v.Signatures[0].SignedAt(); !ok || !said.Equal(at) || v.Signatures[0].Algorithm != key.Algorithm.OIDs[0].String() {
				t.Errorf("%s %s", said, v.Signatures[0].Algorithm)
			}
			decides(t, w.cms(t, attached, nil, Want{At: sigtest.Noon(), IIN: "900101300131"}), verdict.Failed, verdict.IINMismatch)
			decides(t, w.cms(t, attached, []byte(text), now()), verdict.Passed, verdict.None)
			decides(t, w.cms(t, attached, []byte("other"), now()), verdict.Failed, verdict.SigConstraintsFailure)
			decides(t, w.cms(t, attached, nil, Want{At: sigtest.Noon().AddDate(9, 0, 0)}), verdict.Failed, verdict.Expired)

			detached := must2(SignCMS([]byte(text), key, CMSOptions{Detached: true}))(t)
			if bytes.Contains(detached, []byte(text)) {
				t.Error("the content is inside")
			}
			v = w.cms(t, detached, []byte(text), now())
			decides(t, v, verdict.Passed, verdict.None)
			if _, ok := v.Signatures[0].SignedAt(); ok {
				t.Error("a time that nobody stated")
			}
			decides(t, w.cms(t, detached, []byte(text+"."), now()), verdict.Failed, verdict.HashFailure)
			v = w.cms(t, detached, nil, now())
			decides(t, v, verdict.Undetermined, verdict.SignedDataNotFound)
			if _, ok := v.Content(); ok {
				t.Error("content that is not there")
			}
			decides(t, w.cms(t, detached, nil, Want{At: sigtest.Noon().AddDate(9, 0, 0)}), verdict.Failed, verdict.Expired)

			m := must2(cms.Parse(attached))(t)
			var order []string
			for _, a := range m.Signers[0].Signed {
				order = append(order, a.Type)
			}
			want := []string{cms.AttrContentType, cms.AttrSigningTime, cms.AttrSigningCertificateV2, cms.AttrMessageDigest}
			if name != "2015-512" { // the order of DER: a short digest comes first
				want[2], want[3] = want[3], want[2]
			}
			if !slices.Equal(order, want) {
				t.Errorf("attributes in the order %v", order)
			}
		})
	}
}

// must2 is must for a call with two results.
func must2[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		return must(t, v, err)
	}
}

// TestCMSSeveralSigners: algorithms mixed; all must pass, and each says its own.
func TestCMSSeveralSigners(t *testing.T) {
	w := newNationalWorld(t)
	for _, detached := range []bool{false, true} {
		var message, given []byte
		if detached {
			given = []byte(text)
		}
		count := 0
		for _, key := range w.signers(t) {
			if count++; message == nil {
				message = must2(SignCMS([]byte(text), key, CMSOptions{Detached: detached}))(t)
				continue
			}
			message = must2(AddCMS(message, given, key, CMSOptions{SigningTime: sigtest.Noon()}))(t)
		}
		v := w.cms(t, message, given, now())
		decides(t, v, verdict.Passed, verdict.None)
		if content, ok := v.Content(); len(v.Signatures) != count || !ok || string(content.Bytes()) != text {
			t.Errorf("%d signatures, content %v", len(v.Signatures), ok)
		}
		m := must2(cms.Parse(message))(t)
		for i := range m.Signers {
			broken := bytes.Clone(message)
			at := bytes.Index(broken, m.Signers[i].Value)
			broken[at+9] ^= 4
			v := w.cms(t, broken, given, now())
			decides(t, v, verdict.Failed, verdict.SigCryptoFailure)
			for j := range v.Signatures {
				if (v.Signatures[j].Outcome == verdict.Passed) != (j != i) {
					t.Errorf("broken %d, signature %d: %s", i, j, v.Signatures[j].Outcome)
				}
			}
			if _, ok := v.Content(); ok {
				t.Error("content of a message that failed")
			}
		}
	}
}

func TestAddCMSRefuses(t *testing.T) {
	w := newNationalWorld(t)
	key := w.person(t, gost.TC26A512())
	attached := must2(SignCMS([]byte(text), key, CMSOptions{}))(t)
	detached := must2(SignCMS([]byte(text), key, CMSOptions{Detached: true}))(t)
	for name, c := range map[string]struct{ message, content []byte }{
		"not a message":        {[]byte("0"), nil},
		"no content":           {detached, nil},
		"other content":        {attached, []byte("other")},
		"content of another":   {detached, []byte("other")},
		"signed already":       {attached, nil},
		"bytes after":          {append(bytes.Clone(attached), 0), nil},
		"a time stamp is none": {stampOver(t, w, "2015-512", []byte("x"), sigtest.Noon()), nil},
	} {
		signer := w.person(t, gost.CryptoProA())
		if name == "signed already" {
			signer = key
		}
		if _, err := AddCMS(c.message, c.content, signer, CMSOptions{}); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
	if _, err := SignCMS(nil, key, CMSOptions{Detached: true}); err == nil {
		t.Error("nothing was signed, detached")
	}
	if _, err := SignCMS([]byte(text), nil, CMSOptions{}); err == nil {
		t.Error("signed without a key")
	}
	empty := must2(SignCMS(nil, key, CMSOptions{}))(t)
	decides(t, w.cms(t, empty, nil, now()), verdict.Passed, verdict.None)
}

// TestCMSEveryByte: whatever byte is changed, what passes is what was signed.
func TestCMSEveryByte(t *testing.T) {
	w := newNationalWorld(t)
	key := w.key(t, sigtest.Profile{})
	message := must2(SignCMS([]byte(text), key, CMSOptions{SigningTime: sigtest.Noon()}))(t)
	passed := 0
	for i := range message {
		for _, flip := range []byte{1, 0x80} {
			if flip != 1 && i%5 != 0 {
				continue
			}
			broken := bytes.Clone(message)
			broken[i] ^= flip
			v := w.cms(t, broken, nil, now())
			if v.Outcome != verdict.Passed {
				continue
			}
			passed++
			if content, ok := v.Content(); !ok || string(content.Bytes()) != text {
				t.Errorf("byte %d: other content passes", i)
			}
		}
	}
	if passed > 30 { // versions and lists that nobody signs
		t.Errorf("%d changes pass", passed)
	}
	for i := range message {
		if v := w.cms(t, message[:i], nil, now()); v.Outcome != verdict.Failed || v.Reason != verdict.FormatFailure {
			t.Fatalf("cut at %d: %s", i, explain(v))
		}
	}
}
