package keystore_test

import (
	"bytes"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"slices"
	"testing"
	"time"

	"kopir/signature/algorithm"
	"kopir/signature/gost"
	"kopir/signature/keystore"
)

type asnAlg struct {
	OID    asn1.ObjectIdentifier
	Params asn1.RawValue `asn1:"optional"`
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// gostCertificate is a certificate of a national key, signed with it.
func gostCertificate(t *testing.T, key *algorithm.GOSTPrivateKey) []byte {
	t.Helper()
	spki, err := key.Public().(algorithm.GOSTPublicKey).MarshalSPKI()
	if err != nil {
		t.Fatal(err)
	}
	row, ok := algorithm.SignatureForKey(key.Kind())
	if !ok {
		t.Fatal("no algorithm for the key")
	}
	type attribute struct {
		Type  asn1.ObjectIdentifier
		Value string `asn1:"utf8"`
	}
	name := marshal(t, []asn1.RawValue{{Class: 0, Tag: 17, IsCompound: true, Bytes: marshal(t, attribute{asn1.ObjectIdentifier{2, 5, 4, 3}, "ТЕСТОВ ТЕСТ"})}})
	alg := asnAlg{row.OIDs[0], asn1.NullRawValue}
	tbs := marshal(t, struct {
		Version  int `asn1:"explicit,tag:0"`
		Serial   *big.Int
		Alg      asnAlg
		Issuer   asn1.RawValue
		Validity struct{ From, To time.Time }
		Subject  asn1.RawValue
		Key      asn1.RawValue
	}{2, big.NewInt(7), alg, asn1.RawValue{FullBytes: name}, struct{ From, To time.Time }{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)},
		asn1.RawValue{FullBytes: name}, asn1.RawValue{FullBytes: spki}})
	sig, err := row.Sign(key, row.Digest.Sum(tbs))
	if err != nil {
		t.Fatal(err)
	}
	return marshal(t, struct {
		TBS asn1.RawValue
		Alg asnAlg
		Sig asn1.BitString
	}{asn1.RawValue{FullBytes: tbs}, alg, asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}})
}

// TestNationalKeys: each way in which a national private key lies in PKCS#8.
func TestNationalKeys(t *testing.T) {
	reversed := func(b []byte) []byte {
		b = bytes.Clone(b)
		slices.Reverse(b)
		return b
	}
	octets := func(d []byte) any { return d }
	for _, c := range []struct {
		name  string
		oid   asn1.ObjectIdentifier
		curve *gost.Curve
		form  func(d []byte) any
	}{
		{"2004", asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 1, 1}, gost.CryptoProA(), func(d []byte) any { return new(big.Int).SetBytes(reversed(d)) }},
		{"2015, 256 bit", asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 1}, gost.TC26A256(), octets},
		{"2015, 512 bit", asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 2}, gost.TC26A512(), octets},
		{"of a vendor", asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 6801, 1, 5, 8}, gost.CryptoProA(), func(d []byte) any {
			return struct {
				Version int
				D       []byte
			}{1, reversed(d)}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inner, err := gost.GenerateKey(c.curve, nil)
			if err != nil {
				t.Fatal(err)
			}
			key := algorithm.NewGOSTPrivateKey(inner)
			file := func(d []byte) []byte {
				pkcs8 := marshal(t, struct {
					Version int
					Alg     asnAlg
					Key     []byte
				}{0, asnAlg{OID: c.oid}, marshal(t, c.form(d))})
				return append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
					pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: gostCertificate(t, key)})...)
			}
			k, err := keystore.Open(file(inner.Bytes()), "")
			if err != nil {
				t.Fatal(err)
			}
			signs(t, k)
			if k.Algorithm.Key != key.Kind() {
				t.Errorf("signs with %s", k.Algorithm.Name)
			}
			// The number written the other way round is another key.
			if _, err := keystore.Open(file(reversed(inner.Bytes())), ""); err == nil {
				t.Error("a key written the wrong way round was accepted")
			}
			if _, err := keystore.Open(file(make([]byte, c.curve.Size())), ""); err == nil {
				t.Error("the number zero was accepted as a key")
			}
		})
	}
}
