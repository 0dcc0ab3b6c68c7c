package signature

import (
	"bytes"
	"context"
	"math/big"
	"testing"

	"kopir/signature/cms"
	"kopir/signature/gost"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

// FuzzCMS: no input makes the judge panic, and what passes is what somebody
// with a key signed.
func FuzzCMS(f *testing.F) {
	w := newNationalWorld(f)
	key, other := w.person(f, gost.TC26A512()), w.key(f, sigtest.Profile{})
	seed := func(raw []byte) []byte { f.Add(raw); return raw }
	attached := seed(must2(SignCMS([]byte(text), key, CMSOptions{SigningTime: sigtest.Noon()}))(f))
	seed(must2(AddCMS(attached, nil, other, CMSOptions{}))(f))
	seed(must2(SignCMS([]byte(text), other, CMSOptions{Detached: true}))(f))
	value := must2(cms.Parse(attached))(f).Signers[0].Value
	seed(stamped(f, attached, stampOver(f, w, "2004", value, sigtest.Noon())))
	seed([]byte("\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		v := w.verifier.CMS(context.Background(), raw, nil, now())
		sound(t, v)
		if content, ok := v.Content(); ok && string(content.Bytes()) != text {
			t.Fatalf("passes, but nobody signed %q", content.Bytes())
		}
		sound(t, w.verifier.CMS(context.Background(), raw, []byte(text), Want{At: sigtest.Noon(), AtStamp: true}))
		if added, err := AddCMS(raw, []byte(text), other, CMSOptions{}); err == nil {
			if m, err := cms.Parse(added); err != nil || len(m.Signers) < 2 {
				t.Fatalf("a signer was added, and the message reads no more: %v", err)
			}
		}
	})
}

// FuzzTSP: as FuzzCMS, for time stamps, answers and requests.
func FuzzTSP(f *testing.F) {
	w := newNationalWorld(f)
	key := w.tsa(f, "2015-512")
	info := stampInfo(key, []byte(text), sigtest.Noon())
	info.Nonce = big.NewInt(-7)
	token := must2(SignTimestamp(info, key))(f)
	f.Add(token)
	f.Add(cms.MarshalGranted(token))
	f.Add(cms.MarshalRejected("no"))
	f.Add(must2(cms.Request{Imprint: info.Imprint, Nonce: info.Nonce, Policy: info.Policy, Certificate: true}.Marshal())(f))
	genuine := must2(cms.ParseToken(token))(f).Content
	f.Fuzz(func(t *testing.T, raw []byte) {
		v := w.verifier.TSP(context.Background(), raw, []byte(text), now())
		sound(t, v)
		if content, ok := v.Content(); ok && !bytes.Equal(content.Bytes(), genuine) {
			t.Fatalf("passes, but nobody stamped %x", content.Bytes())
		}
		if r, err := cms.ParseRequest(raw); err == nil {
			again, err := r.Marshal()
			if err != nil {
				return // a hash with parameters, or an identifier that Go cannot write
			}
			if _, err := cms.ParseRequest(again); err != nil {
				t.Fatalf("a request that was read does not read again: %v", err)
			}
		}
	})
}

// sound is what holds for every verdict.
func sound(t *testing.T, v *Verdict) {
	if len(v.Signatures) == 0 || v.Outcome == verdict.Failed && v.Reason == verdict.None {
		t.Fatal("a verdict without a ground")
	}
	if _, ok := v.Content(); ok && v.Outcome != verdict.Passed {
		t.Fatal("content without a pass")
	}
	if _, err := v.MarshalJSON(); err != nil {
		t.Fatal(err)
	}
}
