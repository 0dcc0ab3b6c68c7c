package algorithm

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"fmt"

	"kopir/signature/gost"
	"kopir/signature/verdict"
)

// The national algorithms. Identifiers of the arc 1.2.398.3.10 belong to the
// Republic of Kazakhstan; what they stand for was read off the national
// authority's own certificates, lists, answers and documents. Only the
// identifiers of GOST R 34.10-2015 with 256 bits were never met on a real object.

var (
	gost94Row = &Digest{
		Name: "GOST 34.311-95", URI: "http://www.w3.org/2001/04/xmldsig-more#gost34311",
		OIDs: []asn1.ObjectIdentifier{{1, 2, 398, 3, 10, 1, 3, 1}}, New: gost.NewGOST94,
	}
	streebog256Row = &Digest{
		Name: "GOST R 34.11-2015 256", URI: "urn:ietf:params:xml:ns:pkigovkz:xmlsec:algorithms:gostr34112015-256",
		OIDs: []asn1.ObjectIdentifier{{1, 2, 398, 3, 10, 1, 3, 2}}, New: gost.NewStreebog256,
	}
	streebog512Row = &Digest{
		Name: "GOST R 34.11-2015 512", URI: "urn:ietf:params:xml:ns:pkigovkz:xmlsec:algorithms:gostr34112015-512",
		OIDs: []asn1.ObjectIdentifier{{1, 2, 398, 3, 10, 1, 3, 3}}, New: gost.NewStreebog512,
	}

	gost2004 = gostRow("GOST 34.310-2004", "http://www.w3.org/2001/04/xmldsig-more#gost34310-gost34311",
		gost94Row, KeyGOST2004, asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 1, 2})
	gost2015x256 = gostRow("GOST R 34.10-2015 256", "urn:ietf:params:xml:ns:pkigovkz:xmlsec:algorithms:gostr34102015-gostr34112015-256",
		streebog256Row, KeyGOST2015x256, asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 3, 1})
	gost2015x512 = gostRow("GOST R 34.10-2015 512", "urn:ietf:params:xml:ns:pkigovkz:xmlsec:algorithms:gostr34102015-gostr34112015-512",
		streebog512Row, KeyGOST2015x512, asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 3, 2})
)

func gostRow(name, uri string, d *Digest, k KeyKind, oid asn1.ObjectIdentifier) *Signature {
	return &Signature{
		Name: name, URI: uri, OIDs: []asn1.ObjectIdentifier{oid},
		Digest: d, Key: k, verify: verifyGOST, sign: signGOST,
	}
}

// gostKeys says which curve and parameters belong to a key identifier.
var gostKeys = []struct {
	kind   KeyKind
	curve  *gost.Curve
	oid    asn1.ObjectIdentifier
	params []asn1.ObjectIdentifier // of the curve, then of the hash
}{
	{KeyGOST2004, gost.CryptoProA(), asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 1, 1},
		[]asn1.ObjectIdentifier{{1, 2, 398, 3, 10, 1, 1, 1, 1, 1}, {1, 2, 398, 3, 10, 1, 3, 1, 1, 0}}},
	{KeyGOST2015x256, gost.TC26A256(), asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 1},
		[]asn1.ObjectIdentifier{{1, 2, 398, 3, 10, 1, 1, 2, 1, 1}, {1, 2, 398, 3, 10, 1, 3, 2}}},
	{KeyGOST2015x512, gost.TC26A512(), asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 2},
		[]asn1.ObjectIdentifier{{1, 2, 398, 3, 10, 1, 1, 2, 2, 1}, {1, 2, 398, 3, 10, 1, 3, 3}}},
}

// GOSTPublicKey is a national key from a certificate.
type GOSTPublicKey struct {
	*gost.PublicKey
	kind KeyKind
}

// NewGOSTPublicKey says which algorithm a point belongs to: each curve serves one.
func NewGOSTPublicKey(k *gost.PublicKey) GOSTPublicKey {
	for _, row := range gostKeys {
		if row.curve == k.Curve() {
			return GOSTPublicKey{k, row.kind}
		}
	}
	return GOSTPublicKey{k, KeyUnknown}
}

func (k GOSTPublicKey) Kind() KeyKind { return k.kind }

// Bits is the size of the curve's field.
func (k GOSTPublicKey) Bits() int { return 8 * k.Curve().Size() }

// Refusal: none, policy accepts all three curves.
func (k GOSTPublicKey) Refusal() (verdict.Reason, string) { return verdict.None, "" }

func (k GOSTPublicKey) Equal(o PublicKey) bool {
	x, ok := o.(GOSTPublicKey)
	return ok && k.PublicKey.Equal(x.PublicKey)
}

// MarshalSPKI gives the DER SubjectPublicKeyInfo that ParsePublicKey reads.
func (k GOSTPublicKey) MarshalSPKI() ([]byte, error) {
	for _, row := range gostKeys {
		if row.kind != k.kind {
			continue
		}
		params, err := asn1.Marshal(row.params)
		if err != nil {
			return nil, err
		}
		point, err := asn1.Marshal(k.Bytes())
		if err != nil {
			return nil, err
		}
		return asn1.Marshal(struct {
			Algorithm struct {
				OID    asn1.ObjectIdentifier
				Params asn1.RawValue
			}
			Key asn1.BitString
		}{struct {
			OID    asn1.ObjectIdentifier
			Params asn1.RawValue
		}{row.oid, asn1.RawValue{FullBytes: params}}, asn1.BitString{Bytes: point, BitLength: 8 * len(point)}})
	}
	return nil, ErrKeyKind
}

// parseGOST makes the reader of one row of gostKeys: the bits are an OCTET
// STRING with x then y, each little-endian.
func parseGOST(i int) func(asn1.RawValue, []byte) (PublicKey, error) {
	return func(params asn1.RawValue, bits []byte) (PublicKey, error) {
		row := &gostKeys[i]
		var oids []asn1.ObjectIdentifier
		if rest, err := asn1.Unmarshal(params.FullBytes, &oids); err != nil || len(rest) > 0 {
			return nil, errors.New("the parameters are not the identifiers of curve and hash")
		}
		if len(oids) != 2 || !oids[0].Equal(row.params[0]) || !oids[1].Equal(row.params[1]) {
			return nil, fmt.Errorf("unknown parameters %v", oids)
		}
		var point []byte
		if rest, err := asn1.Unmarshal(bits, &point); err != nil || len(rest) > 0 {
			return nil, errors.New("the key is not one OCTET STRING")
		}
		key, err := gost.NewPublicKey(row.curve, point)
		if err != nil {
			return nil, err
		}
		return GOSTPublicKey{key, row.kind}, nil
	}
}

// vendorHeader stands before the point in the keys of one vendor's
// information systems (1.3.6.1.4.1.6801.1.5.8): algorithm and size.
var vendorHeader = []byte{0x06, 0x02, 0, 0, 0x3a, 0xaa, 0, 0, 0, 0x45, 0x43, 0x31, 0, 0x02, 0, 0}

// parseVendorGOST reads that form: no parameters, the header, then x and y on
// CryptoPro-A. The national authority signs such certificates as any other.
func parseVendorGOST(params asn1.RawValue, bits []byte) (PublicKey, error) {
	if len(params.FullBytes) != 0 && !bytes.Equal(params.FullBytes, asn1.NullBytes) {
		return nil, errors.New("the algorithm has parameters other than NULL")
	}
	point, ok := bytes.CutPrefix(bits, vendorHeader)
	if !ok {
		return nil, errors.New("the key does not begin with the vendor's header")
	}
	key, err := gost.NewPublicKey(gost.CryptoProA(), point)
	if err != nil {
		return nil, err
	}
	return GOSTPublicKey{key, KeyGOST2004}, nil
}

// GOSTPrivateKey signs with a national key, wherever it is kept.
type GOSTPrivateKey struct {
	sign   func(digest []byte) ([]byte, error)
	public GOSTPublicKey
}

// NewGOSTPrivateKey wraps a key in memory.
func NewGOSTPrivateKey(k *gost.PrivateKey) *GOSTPrivateKey {
	return &GOSTPrivateKey{
		sign:   func(digest []byte) ([]byte, error) { return k.Sign(nil, digest) },
		public: NewGOSTPublicKey(k.Public()),
	}
}

// newGOSTSigner wraps the key of a library or a device, whose public key is
// of package gost.
func newGOSTSigner(s crypto.Signer, public *gost.PublicKey) *GOSTPrivateKey {
	return &GOSTPrivateKey{
		sign:   func(digest []byte) ([]byte, error) { return s.Sign(rand.Reader, digest, crypto.Hash(0)) },
		public: NewGOSTPublicKey(public),
	}
}

func (k *GOSTPrivateKey) Kind() KeyKind     { return k.public.kind }
func (k *GOSTPrivateKey) Public() PublicKey { return k.public }

var errGOST = errors.New("the value is not the signer's over these bytes")

func verifyGOST(key PublicKey, digest, sig []byte) error {
	k, ok := key.(GOSTPublicKey)
	if !ok {
		return ErrKeyKind
	}
	if !k.Verify(digest, sig) {
		return errGOST
	}
	return nil
}

func signGOST(key PrivateKey, digest []byte) ([]byte, error) {
	k, ok := key.(*GOSTPrivateKey)
	if !ok {
		return nil, ErrKeyKind
	}
	return k.sign(digest)
}
