package algorithm

import (
	"bytes"
	"encoding/asn1"
	"testing"

	"kopir/signature/gost"
)

func TestGOSTKeys(t *testing.T) {
	for _, row := range gostKeys {
		key, err := gost.GenerateKey(row.curve, nil)
		if err != nil {
			t.Fatal(err)
		}
		private := NewGOSTPrivateKey(key)
		spki, err := private.public.MarshalSPKI()
		if err != nil {
			t.Fatal(err)
		}
		public, err := ParsePublicKey(spki)
		if err != nil {
			t.Fatalf("%s: %v", row.kind, err)
		}
		if !public.Equal(private.Public()) || public.Kind() != row.kind {
			t.Errorf("%s: read back as another key", row.kind)
		}
		alg, ok := SignatureForKey(row.kind)
		if !ok {
			t.Fatalf("%s: nothing signs with it", row.kind)
		}
		digest := alg.Digest.Sum([]byte("to be signed"))
		sig, err := alg.Sign(private, digest)
		if err != nil {
			t.Fatal(err)
		}
		if err := alg.Verify(public, digest, sig); err != nil {
			t.Errorf("%s: %v", alg.Name, err)
		}
		if err := alg.VerifyXML(public, alg.Digest.Sum([]byte("other")), sig); err == nil {
			t.Errorf("%s: another digest is accepted", alg.Name)
		}
		for name, bad := range map[string][]byte{
			"cut":           spki[:len(spki)-1],
			"long":          append(append([]byte{}, spki...), 0),
			"other curve":   bytes.Replace(spki, oidBytes(t, row.params[0]), oidBytes(t, otherArc(row.params[0])), 1),
			"other hash":    bytes.Replace(spki, oidBytes(t, row.params[1]), oidBytes(t, otherArc(row.params[1])), 1),
			"off the curve": append(append([]byte{}, spki[:len(spki)-1]...), spki[len(spki)-1]^1),
		} {
			if bytes.Equal(bad, spki) {
				t.Fatalf("%s: nothing was damaged", name)
			}
			if _, err := ParsePublicKey(bad); err == nil {
				t.Errorf("%s: a key that is %s is read", row.kind, name)
			}
		}
	}
}

func oidBytes(t *testing.T, oid asn1.ObjectIdentifier) []byte {
	t.Helper()
	b, err := asn1.Marshal(oid)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func otherArc(oid asn1.ObjectIdentifier) asn1.ObjectIdentifier {
	o := append(asn1.ObjectIdentifier{}, oid...)
	o[len(o)-1] = 9
	return o
}

// One vendor's form: NULL parameters, a header, the point.
func TestVendorKey(t *testing.T) {
	key, err := gost.GenerateKey(gost.CryptoProA(), nil)
	if err != nil {
		t.Fatal(err)
	}
	make := func(header []byte) []byte {
		bits := append(append([]byte{}, header...), key.Public().Bytes()...)
		spki, err := asn1.Marshal(struct {
			Algorithm struct {
				OID    asn1.ObjectIdentifier
				Params asn1.RawValue
			}
			Key asn1.BitString
		}{struct {
			OID    asn1.ObjectIdentifier
			Params asn1.RawValue
		}{asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 6801, 1, 5, 8}, asn1.NullRawValue}, asn1.BitString{Bytes: bits, BitLength: 8 * len(bits)}})
		if err != nil {
			t.Fatal(err)
		}
		return spki
	}
	public, err := ParsePublicKey(make(vendorHeader))
	if err != nil {
		t.Fatal(err)
	}
	if !public.Equal(NewGOSTPublicKey(key.Public())) {
		t.Error("read as another key")
	}
	if _, err := ParsePublicKey(make(vendorHeader[1:])); err == nil {
		t.Error("a damaged header is read")
	}
}
