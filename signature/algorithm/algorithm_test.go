package algorithm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"math/big"
	"testing"

	"kopir/signature/verdict"
)

// Every name leads to one row, and each row can be found by all its names.
func TestNamesAreUnique(t *testing.T) {
	seen := map[string]string{}
	claim := func(name, id string) {
		if id == "" {
			t.Errorf("%s: empty identifier", name)
		}
		if other, ok := seen[id]; ok {
			t.Errorf("%s and %s share %s", name, other, id)
		}
		seen[id] = name
	}
	for _, d := range digests {
		claim(d.Name, d.URI)
		for _, a := range d.Aliases {
			claim(d.Name, a)
			if got, ok := DigestByURI(a); !ok || got != d {
				t.Errorf("%s is not found by %s", d.Name, a)
			}
		}
		for _, o := range d.OIDs {
			claim(d.Name, o.String())
			if got, ok := DigestByOID(o); !ok || got != d {
				t.Errorf("%s is not found by %s", d.Name, o)
			}
		}
		if got, ok := DigestByURI(d.URI); !ok || got != d {
			t.Errorf("%s is not found by its URI", d.Name)
		}
		if d.New == nil && d.Refusal == verdict.None {
			t.Errorf("%s is allowed but cannot be computed", d.Name)
		}
	}
	for _, s := range signatures {
		claim(s.Name, s.URI)
		if got, ok := SignatureByURI(s.URI); !ok || got != s {
			t.Errorf("%s is not found by its URI", s.Name)
		}
		for _, o := range s.OIDs {
			claim(s.Name, o.String())
			if got, ok := SignatureByOID(o); !ok || got != s {
				t.Errorf("%s is not found by %s", s.Name, o)
			}
		}
		if s.Refusal == verdict.None && (s.verify == nil || s.Digest.Refusal != verdict.None) {
			t.Errorf("%s is allowed, but has no verifier or a refused digest", s.Name)
		}
		if s.Refusal != verdict.None && s.Why == "" {
			t.Errorf("%s is refused without a ground", s.Name)
		}
		if s.sign != nil && s.Refusal != verdict.None {
			t.Errorf("%s is refused, and yet we would sign with it", s.Name)
		}
	}
	for _, unknown := range []string{"", "urn:nothing", "http://www.w3.org/2001/04/xmlenc#SHA256"} {
		if _, ok := DigestByURI(unknown); ok {
			t.Errorf("a digest is found for %q", unknown)
		}
		if _, ok := SignatureByURI(unknown); ok {
			t.Errorf("a signature is found for %q", unknown)
		}
	}
}

// Only these may vouch for anything. A change here is a decision.
func TestAllowedAlgorithms(t *testing.T) {
	var got []string
	for _, s := range signatures {
		if s.Refusal == verdict.None {
			got = append(got, s.Name)
		}
	}
	want := []string{"RSA with SHA-256", "RSA with SHA-384", "RSA with SHA-512",
		"GOST 34.310-2004", "GOST R 34.10-2015 256", "GOST R 34.10-2015 512"}
	if len(got) != len(want) {
		t.Fatalf("allowed: %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("allowed: %v, want %v", got, want)
		}
	}
}

// FIPS 180-4's and RFC 1321's value of "abc".
func TestDigestValues(t *testing.T) {
	want := map[string]string{
		"SHA-256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"SHA-384": "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
		"SHA-512": "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
		"SHA-1":   "a9993e364706816aba3e25717850c26c9cd0d89d",
		"SHA-224": "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
		"MD5":     "900150983cd24fb0d6963f7d28e17f72",
		// The first is a published value for the test S-boxes; OpenSSL's engine gives the others.
		"GOST 34.311-95":        "f3134348c44fb1b2a277729e2285ebb5cb5e0f29c975bc753b70497c06a4d51d",
		"GOST R 34.11-2015 256": "4e2919cf137ed41ec4fb6270c61826cc4fffb660341e0af3688cd0626d23b481",
		"GOST R 34.11-2015 512": "28156e28317da7c98f4fe2bed6b542d0dab85bb224445fcedaf75d46e26d7eb8d5997f3e0915dd6b7f0aab08d9c8beb0d8c64bae2ab8b3c8c6bc53b3bf0db728",
	}
	for _, d := range digests {
		if d.New == nil {
			if d.Sum([]byte("abc")) != nil {
				t.Errorf("%s has a value without a function", d.Name)
			}
			continue
		}
		if got := hex.EncodeToString(d.Sum([]byte("abc"))); got != want[d.Name] {
			t.Errorf("%s = %s, want %s", d.Name, got, want[d.Name])
		}
	}
}

func spki(t *testing.T, key any) PublicKey {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	k, err := ParsePublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestRSASignVerify(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pub := spki(t, &key.PublicKey)
	if pub.Kind() != KeyRSA || pub.Bits() != 2048 {
		t.Fatalf("read as %s of %d bits", pub.Kind(), pub.Bits())
	}
	if r, _ := pub.Refusal(); r != verdict.None {
		t.Errorf("a 2048-bit key is refused: %s", r)
	}
	priv, err := NewRSAPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if !priv.Public().Equal(pub) {
		t.Error("the private key's public half is another")
	}
	for _, s := range []*Signature{rsaSHA256, rsaSHA384, rsaSHA512} {
		d := s.Digest.Sum([]byte("signed"))
		sig, err := s.Sign(priv, d)
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		if err := s.Verify(pub, d, sig); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
		if err := s.VerifyXML(pub, d, sig); err != nil {
			t.Errorf("%s in XML: %v", s.Name, err)
		}
		other := s.Digest.Sum([]byte("changed"))
		if s.Verify(pub, other, sig) == nil {
			t.Errorf("%s: another digest passes", s.Name)
		}
		sig[7] ^= 1
		if s.Verify(pub, d, sig) == nil {
			t.Errorf("%s: a changed value passes", s.Name)
		}
		if s.Verify(nil, d, sig) == nil {
			t.Errorf("%s: passes without a key", s.Name)
		}
	}
	if row, ok := SignatureForKey(KeyRSA); !ok || row != rsaSHA256 {
		t.Error("an RSA key does not sign with SHA-256 by default")
	}
	row, _ := SignatureByURI("http://www.w3.org/2000/09/xmldsig#rsa-sha1")
	if _, err := row.Sign(priv, make([]byte, 20)); err == nil {
		t.Error("a refused algorithm signs")
	}
	pssRow, _ := SignatureByURI("http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1")
	d := sha256Row.Sum([]byte("signed"))
	sig, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, d, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	if err != nil {
		t.Fatal(err)
	}
	if err := pssRow.VerifyXML(pub, d, sig); err != nil {
		t.Errorf("PSS: %v", err)
	}
}

func TestECDSALayouts(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pub := spki(t, &key.PublicKey)
	row, _ := SignatureByURI("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256")
	d := sha256Row.Sum([]byte("signed"))
	der, err := ecdsa.SignASN1(rand.Reader, key, d)
	if err != nil {
		t.Fatal(err)
	}
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &rs); err != nil {
		t.Fatal(err)
	}
	plain := append(rs.R.FillBytes(make([]byte, 32)), rs.S.FillBytes(make([]byte, 32))...)
	if err := row.Verify(pub, d, der); err != nil {
		t.Errorf("DER in ASN.1: %v", err)
	}
	if err := row.VerifyXML(pub, d, plain); err != nil {
		t.Errorf("r||s in XML: %v", err)
	}
	if row.VerifyXML(pub, d, der) == nil {
		t.Error("DER passes in XML")
	}
	if row.Verify(pub, d, plain) == nil {
		t.Error("r||s passes in ASN.1")
	}
	if rsaSHA256.Verify(pub, d, der) == nil {
		t.Error("an EC key serves an RSA algorithm")
	}
}

func TestPublicKeysRefused(t *testing.T) {
	small := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 1023), big.NewInt(1)) // 1023 bits, odd
	big8193 := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 8192), big.NewInt(1))
	odd2048 := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 2047), big.NewInt(1))
	for name, c := range map[string]struct {
		n *big.Int
		e int
	}{
		"short":         {small, 65537},
		"long":          {big8193, 65537},
		"even modulus":  {new(big.Int).Lsh(big.NewInt(1), 2047), 65537},
		"zero":          {big.NewInt(0), 65537},
		"negative":      {new(big.Int).Neg(odd2048), 65537},
		"exponent 1":    {odd2048, 1},
		"exponent 0":    {odd2048, 0},
		"even exponent": {odd2048, 65536},
	} {
		if _, err := NewRSAPublicKey(c.n, c.e); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	k1024 := RSAPublicKey{&rsa.PublicKey{N: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 1023), big.NewInt(1)), E: 65537}}
	if r, why := k1024.Refusal(); r != verdict.CryptoConstraintsFailure || why == "" {
		t.Errorf("1024 bits: %q %q", r, why)
	}

	good, _ := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: odd2048, E: 65537})
	if _, err := ParsePublicKey(append(good, 0)); err == nil {
		t.Error("a byte after the key is accepted")
	}
	if _, err := ParsePublicKey(nil); err == nil {
		t.Error("nothing is accepted")
	}
	gost, err := asn1.Marshal(struct {
		A struct{ OID asn1.ObjectIdentifier }
		K asn1.BitString
	}{A: struct{ OID asn1.ObjectIdentifier }{asn1.ObjectIdentifier{1, 2, 3, 4}}, K: asn1.BitString{Bytes: []byte{0}, BitLength: 8}})
	if err != nil {
		t.Fatal(err)
	}
	var unknown *UnknownKeyError
	if _, err := ParsePublicKey(gost); !errors.As(err, &unknown) || unknown.OID.String() != "1.2.3.4" {
		t.Errorf("an unknown kind: %v", err)
	}
}
