package signature

import (
	"crypto/sha1"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"math/rand"
	"testing"
	"time"

	"kopir/signature/algorithm"
	"kopir/signature/gost"
	"kopir/signature/keystore"
	"kopir/signature/sigtest"
)

// national is a certificate with a national key, and the key.
type national struct {
	der     []byte
	name    []byte
	private *algorithm.GOSTPrivateKey
	key     *keystore.Key
}

// leafOptions are what differs between the certificates of the tests.
type leafOptions struct {
	cn       string
	ca       bool
	purposes []asn1.ObjectIdentifier
	mild     bool // the purposes are not critical
	usage    byte // of keyUsage; zero: digitalSignature and nonRepudiation
	notAfter time.Time
}

var (
	purposeStamps = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}
	purposeMail   = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 4}
	purposePerson = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 4, 1, 1}
)

func must[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := asn1.Marshal(v)
	return must(t, raw, err)
}

type extensionASN struct {
	ID       asn1.ObjectIdentifier
	Critical bool `asn1:"optional"`
	Value    []byte
}

var nationalSerial int64 = 1000

// issueNational makes a key on a curve and its certificate; parent nil: a root.
func issueNational(t testing.TB, curve *gost.Curve, parent *national, o leafOptions) *national {
	t.Helper()
	nationalSerial++
	// The same keys in every process, so that fuzzing can hand inputs around.
	private, err := gost.GenerateKey(curve, rand.New(rand.NewSource(nationalSerial)))
	n := &national{private: algorithm.NewGOSTPrivateKey(must(t, private, err))}
	spki, err := n.private.Public().(algorithm.GOSTPublicKey).MarshalSPKI()
	must(t, spki, err)

	type attribute struct {
		Type  asn1.ObjectIdentifier
		Value string `asn1:"utf8"`
	}
	rdn := func(oid asn1.ObjectIdentifier, value string) asn1.RawValue {
		return asn1.RawValue{Tag: 17, IsCompound: true, Bytes: encode(t, attribute{oid, value})}
	}
	n.name = encode(t, []asn1.RawValue{rdn(asn1.ObjectIdentifier{2, 5, 4, 3}, o.cn), rdn(asn1.ObjectIdentifier{2, 5, 4, 5}, "IIN"+testIIN)})
	issuer := parent
	if issuer == nil {
		issuer = n
	}
	row, ok := algorithm.SignatureForKey(issuer.private.Kind())
	if !ok {
		t.Fatal("no algorithm for the key")
	}
	keyID := sha1.Sum(spki)
	usage := o.usage
	if usage == 0 {
		usage = 0xc0
	}
	extensions := []extensionASN{
		{asn1.ObjectIdentifier{2, 5, 29, 14}, false, encode(t, keyID[:])},
		{asn1.ObjectIdentifier{2, 5, 29, 15}, true, encode(t, asn1.BitString{Bytes: []byte{usage}, BitLength: 8})},
	}
	if o.ca {
		extensions[1].Value = encode(t, asn1.BitString{Bytes: []byte{0x06}, BitLength: 7})
		extensions = append(extensions, extensionASN{asn1.ObjectIdentifier{2, 5, 29, 19}, true, encode(t, struct{ CA bool }{true})})
	} else {
		extensions = append(extensions, extensionASN{asn1.ObjectIdentifier{2, 5, 29, 37}, o.purposes[0].Equal(purposeStamps) && !o.mild, encode(t, o.purposes)})
	}
	if o.notAfter.IsZero() {
		o.notAfter = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	type alg struct {
		OID    asn1.ObjectIdentifier
		Params asn1.RawValue
	}
	tbs := encode(t, struct {
		Version    int `asn1:"explicit,tag:0"`
		Serial     *big.Int
		Alg        alg
		Issuer     asn1.RawValue
		Validity   struct{ From, To time.Time }
		Subject    asn1.RawValue
		Key        asn1.RawValue
		Extensions []extensionASN `asn1:"explicit,tag:3"`
	}{2, big.NewInt(nationalSerial), alg{row.OIDs[0], asn1.NullRawValue}, asn1.RawValue{FullBytes: issuer.name},
		struct{ From, To time.Time }{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), o.notAfter},
		asn1.RawValue{FullBytes: n.name}, asn1.RawValue{FullBytes: spki}, extensions})
	value, err := row.Sign(issuer.private, row.Digest.Sum(tbs))
	must(t, value, err)
	n.der = encode(t, struct {
		TBS asn1.RawValue
		Alg alg
		Sig asn1.BitString
	}{asn1.RawValue{FullBytes: tbs}, alg{row.OIDs[0], asn1.NullRawValue}, asn1.BitString{Bytes: value, BitLength: 8 * len(value)}})

	var info struct {
		Algorithm asn1.RawValue
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(spki, &info); err != nil {
		t.Fatal(err)
	}
	secret := encode(t, private.Bytes()) // little-endian in an OCTET STRING
	if curve == gost.CryptoProA() {
		big := new(big.Int)
		for _, b := range reversed(private.Bytes()) {
			big.Lsh(big, 8).Or(big, newInt(b))
		}
		secret = encode(t, big)
	}
	pkcs8 := encode(t, struct {
		Version   int
		Algorithm asn1.RawValue
		Key       []byte
	}{0, info.Algorithm, secret})
	file := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: n.der})...)
	n.key, err = keystore.OpenPEM(file, "")
	must(t, n.key, err)
	return n
}

func newInt(b byte) *big.Int { return big.NewInt(int64(b)) }

func reversed(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		out[len(b)-1-i] = c
	}
	return out
}

// nationalWorld is a verifier that trusts the RSA authority of the tests and a
// national one on each of two curves.
type nationalWorld struct {
	*world
	roots map[*gost.Curve]*national
}

func newNationalWorld(t testing.TB) *nationalWorld {
	t.Helper()
	w := &nationalWorld{world: newWorld(t), roots: map[*gost.Curve]*national{}}
	for i, curve := range []*gost.Curve{gost.CryptoProA(), gost.TC26A512(), gost.TC26A256()} {
		root := issueNational(t, curve, nil, leafOptions{cn: []string{"ТЕСТ 2004", "ТЕСТ 2015", "ТЕСТ 2015-256"}[i], ca: true})
		if err := w.trust.AddRoot(certificate(t, root.der)); err != nil {
			t.Fatal(err)
		}
		w.roots[curve] = root
	}
	return w
}

// person issues a signer's certificate with a national key.
func (w *nationalWorld) person(t testing.TB, curve *gost.Curve) *keystore.Key {
	t.Helper()
	return issueNational(t, curve, w.roots[curve], leafOptions{cn: "ТЕСТОВ ТЕСТ", purposes: []asn1.ObjectIdentifier{purposeMail, purposePerson}}).key
}

// signers are one key of every kind with which documents are signed.
func (w *nationalWorld) signers(t testing.TB) map[string]*keystore.Key {
	return map[string]*keystore.Key{
		"RSA": w.key(t, sigtest.Profile{}), "2004": w.person(t, gost.CryptoProA()),
		"2015-256": w.person(t, gost.TC26A256()), "2015-512": w.person(t, gost.TC26A512()),
	}
}
