package signature

import (
	"bytes"
	"encoding/asn1"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"kopir/signature/keystore"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

var nationalAlgorithms = []sigtest.Algorithm{sigtest.GOST2015, sigtest.GOST2004, sigtest.GOST2015x256}

// The URIs that a message of each kind of key must bear.
var nationalURIs = map[sigtest.Algorithm][2]string{
	sigtest.GOST2015: {"urn:ietf:params:xml:ns:pkigovkz:xmlsec:algorithms:gostr34102015-gostr34112015-512", "urn:ietf:params:xml:ns:pkigovkz:xmlsec:algorithms:gostr34112015-512"},
	sigtest.GOST2015x256: {"urn:ietf:params:xml:ns:pkigovkz:xmlsec:algorithms:gostr34102015-gostr34112015-256",
		"urn:ietf:params:xml:ns:pkigovkz:xmlsec:algorithms:gostr34112015-256"},
	sigtest.GOST2004: {"http://www.w3.org/2001/04/xmldsig-more#gost34310-gost34311", "http://www.w3.org/2001/04/xmldsig-more#gost34311"},
}

// TestNationalAttacks plays every trick with national keys: each is refused for
// the same reason as with RSA, each honest neighbour passes.
func TestNationalAttacks(t *testing.T) {
	for _, alg := range nationalAlgorithms {
		t.Run(alg.String(), func(t *testing.T) {
			a := newArenaOf(t, newWorldWith(t, alg))
			if uris := nationalURIs[alg]; !strings.Contains(a.signed, `"`+uris[0]+`"`) || !strings.Contains(a.signed, `"`+uris[1]+`"`) || strings.Contains(a.signed, "rsa-sha256") {
				t.Fatalf("the tricks are not played with %v:\n%s", alg, a.signed)
			}
			for _, trick := range tricks {
				t.Run(trick.name, func(t *testing.T) { judgeTrick(t, a, trick, []byte(trick.make(a))) })
			}
		})
	}
}

// layouts are the other ways in which r and s are written elsewhere. The
// corpus has none of them; a verifier that takes one takes what nobody signed.
var layouts = map[string]func(rs []byte) []byte{
	"s then r, little-endian":              func(b []byte) []byte { return slices.Concat(b[len(b)/2:], b[:len(b)/2]) },
	"s then r, big-endian (RFC 9215)":      reversed,
	"r then s, big-endian":                 func(b []byte) []byte { return slices.Concat(reversed(b[:len(b)/2]), reversed(b[len(b)/2:])) },
	"a SEQUENCE of two numbers":            func(b []byte) []byte { return append([]byte{0x30, byte(len(b))}, b...) },
	"one byte more":                        func(b []byte) []byte { return append(bytes.Clone(b), 0) },
	"one byte less":                        func(b []byte) []byte { return b[:len(b)-1] },
	"r is zero":                            func(b []byte) []byte { return slices.Concat(make([]byte, len(b)/2), b[len(b)/2:]) },
	"s is zero":                            func(b []byte) []byte { return slices.Concat(b[:len(b)/2], make([]byte, len(b)/2)) },
	"both are as large as they can be":     func(b []byte) []byte { return bytes.Repeat([]byte{0xff}, len(b)) },
	"nothing":                              func([]byte) []byte { return nil },
	"the value of a signer long forgotten": func(b []byte) []byte { return bytes.Repeat([]byte{1}, len(b)) },
}

// TestNationalLayouts: only r then s, each little-endian, is a signature, in
// messages and in certificates.
func TestNationalLayouts(t *testing.T) {
	for _, alg := range nationalAlgorithms {
		t.Run(alg.String(), func(t *testing.T) {
			w := newWorldWith(t, alg)
			key := w.key(t, sigtest.Profile{})
			src := string(signed(t, key))
			start := strings.Index(src, "<ds:SignatureValue>") + len("<ds:SignatureValue>")
			end := strings.Index(src, "</ds:SignatureValue>")
			value, err := base64.StdEncoding.DecodeString(src[start:end])
			if err != nil {
				t.Fatal(err)
			}
			if v := w.wsse(t, []byte(src), now()); v.Outcome != verdict.Passed {
				t.Fatal(explain(v))
			}
			for name, layout := range layouts {
				changed := src[:start] + base64.StdEncoding.EncodeToString(layout(value)) + src[end:]
				want := verdict.SigCryptoFailure
				if name == "nothing" {
					want = verdict.FormatFailure
				}
				if v := w.wsse(t, []byte(changed), now()); v.Outcome != verdict.Failed || v.Reason != want {
					t.Errorf("message, %s: %s", name, explain(v))
				}
				credential, err := w.authority.Issue(sigtest.Profile{Kind: sigtest.Head, IIN: testIIN, BIN: testBIN, Surname: "ТЕСТОВ", GivenName: "ТЕСТ"})
				if err != nil {
					t.Fatal(err)
				}
				leaf, err := keystore.NewKey(certificate(t, relaid(t, credential.DER, layout)), credential.Signer)
				if err != nil {
					t.Fatal(err)
				}
				if v := w.wsse(t, signed(t, leaf), now()); v.Outcome != verdict.Failed || v.Reason != verdict.SigCryptoFailure || !strings.Contains(explain(v), "; chain ") {
					t.Errorf("certificate, %s: %s", name, explain(v))
				}
			}
			// The digest is read one way too.
			i, j := strings.Index(src, "<ds:DigestValue>")+len("<ds:DigestValue>"), strings.Index(src, "</ds:DigestValue>")
			digest, err := base64.StdEncoding.DecodeString(src[i:j])
			if err != nil {
				t.Fatal(err)
			}
			if v := w.wsse(t, []byte(src[:i]+base64.StdEncoding.EncodeToString(reversed(digest))+src[j:]), now()); v.Outcome != verdict.Failed || v.Reason != verdict.HashFailure {
				t.Errorf("the digest turned round: %s", explain(v))
			}
		})
	}
}

// relaid writes a certificate's signature in another layout.
func relaid(t *testing.T, der []byte, layout func([]byte) []byte) []byte {
	t.Helper()
	var c struct {
		TBS, Algorithm asn1.RawValue
		Value          asn1.BitString
	}
	if rest, err := asn1.Unmarshal(der, &c); err != nil || len(rest) > 0 {
		t.Fatal(err)
	}
	c.Value.Bytes = layout(c.Value.Bytes)
	c.Value.BitLength = 8 * len(c.Value.Bytes)
	out, err := asn1.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestForeignLabels: the name of an algorithm cannot be changed for another,
// neither one of the same family nor one of the same key size.
func TestForeignLabels(t *testing.T) {
	everyone := append([]sigtest.Algorithm{sigtest.RSA}, nationalAlgorithms...)
	for _, alg := range everyone {
		w := newWorldWith(t, alg)
		key := w.key(t, sigtest.Profile{})
		src := string(signed(t, key))
		for _, other := range everyone {
			if other == alg {
				continue
			}
			foreign := newWorldWith(t, other).key(t, sigtest.Profile{}).Algorithm
			v := w.wsse(t, []byte(strings.Replace(src, key.Algorithm.URI+`"`, foreign.URI+`"`, 1)), now())
			if v.Outcome != verdict.Failed || v.Reason != verdict.SigCryptoFailure {
				t.Errorf("%v called %v: %s", alg, other, explain(v))
			}
		}
	}
}

// TestMixedSigners: an RSA and a national signature in one document, from two
// authorities, in either order, as people and systems of a time of change sign.
func TestMixedSigners(t *testing.T) {
	for _, alg := range nationalAlgorithms {
		w, other := newWorld(t), newWorldWith(t, alg)
		if err := w.trust.AddRoot(certificate(t, other.authority.Root())); err != nil {
			t.Fatal(err)
		}
		w.trust.AddIntermediate(certificate(t, other.authority.Issuing()))
		first, second := w.key(t, sigtest.Profile{}), other.key(t, sigtest.Profile{})
		for _, keys := range [][]*keystore.Key{{first, second}, {second, first}} {
			src := []byte("<application><iin>" + testIIN + "</iin></application>")
			for _, key := range keys {
				var err error
				if src, err = SignEnveloped(src, key, SignOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			v := w.xmldsig(t, src, Want{At: now().At, IIN: testIIN})
			if v.Outcome != verdict.Passed || len(v.Signatures) != 2 || v.Signatures[0].Algorithm != keys[0].Algorithm.URI {
				t.Errorf("%v: %s", alg, explain(v))
			}
			if v := w.xmldsig(t, bytes.Replace(src, []byte(testIIN), []byte("850505400454"), 1), now()); v.Outcome != verdict.Failed {
				t.Errorf("%v, changed: %s", alg, explain(v))
			}
			if v := other.xmldsig(t, src, now()); v.Outcome == verdict.Passed {
				t.Errorf("%v: the RSA signer is trusted without his authority: %s", alg, explain(v))
			}
		}
	}
}
