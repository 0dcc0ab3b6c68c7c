package signature

import (
	"encoding/asn1"
	"encoding/pem"
	"testing"

	"kopir/signature/algorithm"
	"kopir/signature/cms"
	"kopir/signature/gost"
	"kopir/signature/sigtest"
)

// TestEngineVerifiesCMS: OpenSSL's gost engine digests the signed attributes
// and verifies the value in our messages. It knows the Russian identifiers and
// layout only, so the key is dressed and the value turned round for it.
func TestEngineVerifiesCMS(t *testing.T) {
	w, dir := newNationalWorld(t), t.TempDir()
	put(t, dir, "content", []byte(text))
	if _, err := openssl(t, dir, "dgst", "-engine", "gost", "-md_gost12_256", "content"); err != nil {
		t.Skip("OpenSSL's gost engine is not installed (Debian: libengine-gost-openssl)")
	}
	type params struct{ Curve, Digest asn1.ObjectIdentifier }
	type spki struct {
		Algorithm struct {
			OID    asn1.ObjectIdentifier
			Params params
		}
		Key asn1.BitString
	}
	for _, c := range []struct {
		curve  *gost.Curve
		digest string
		oid    asn1.ObjectIdentifier
		params params
	}{
		{gost.TC26A256(), "-md_gost12_256", asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 1}, params{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 1, 1}, asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 2, 2}}},
		{gost.TC26A512(), "-md_gost12_512", asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 2}, params{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 2, 1}, asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 2, 3}}},
	} {
		key := w.person(t, c.curve)
		m := must2(cms.Parse(must2(SignCMS([]byte(text), key, CMSOptions{SigningTime: sigtest.Noon()}))(t)))(t)
		point := encode(t, key.Certificate.PublicKey.(algorithm.GOSTPublicKey).Bytes())
		var dressed spki
		dressed.Algorithm.OID, dressed.Algorithm.Params = c.oid, c.params
		dressed.Key = asn1.BitString{Bytes: point, BitLength: 8 * len(point)}
		put(t, dir, "key", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: encode(t, dressed)}))
		put(t, dir, "attributes", m.Signers[0].SignedBytes)
		put(t, dir, "content", m.Content)
		put(t, dir, "value", reversed(m.Signers[0].Value))

		verify := func(file string) error {
			digest := must2(openssl(t, dir, "dgst", "-engine", "gost", c.digest, "-binary", file))(t)
			put(t, dir, "digest", digest)
			_, err := openssl(t, dir, "pkeyutl", "-engine", "gost", "-verify", "-pubin", "-inkey", "key", "-in", "digest", "-sigfile", "value")
			return err
		}
		if err := verify("attributes"); err != nil {
			t.Errorf("%s: %v", c.curve.Name(), err)
		}
		if verify("content") == nil {
			t.Errorf("%s: the witness passes other bytes", c.curve.Name())
		}
		digest := must2(openssl(t, dir, "dgst", "-engine", "gost", c.digest, "-binary", "content"))(t)
		if string(digest) != string(m.Signers[0].MessageDigest) {
			t.Errorf("%s: messageDigest %x, the engine has %x", c.curve.Name(), m.Signers[0].MessageDigest, digest)
		}
	}
}
