package sigtest

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"unicode/utf16"
)

// The key file of the national authority, as 115 of its files have it (RFC
// 7292): DER outside; inside two parts in BER of indefinite lengths, the key
// under triple DES, the certificate under RC2 with 40 bits; SHA-1 throughout,
// salts of 20 bytes, 1024 iterations; the name is the key identifier in hex.
// No writer of ours or of a library makes this form, and it protects nothing.

const p12Iterations = 1024

var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidEncryptedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	oidShroudedKey   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidCertBag       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}
	oidX509Bag       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}
	oidFriendlyName  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 20}
	oidLocalKeyID    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 21}
	oidTripleDES     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}
	oidRC2           = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 6}
	oidSHA1          = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
)

type p12Attribute struct {
	ID     asn1.ObjectIdentifier
	Values []asn1.RawValue `asn1:"set"`
}

// p12Parameters are those of RFC 7292, appendix C.
type p12Parameters struct {
	Salt       []byte
	Iterations int
}

// p12Writer puts the file together and keeps the first error.
type p12Writer struct {
	password []byte // BMPString with its zero character
	err      error
}

// nationalPKCS12 packs a PKCS#8 key and its certificate.
func nationalPKCS12(key, certificate, ski []byte, password string) ([]byte, error) {
	w := &p12Writer{password: append(bmp(password), 0, 0)}
	keyAlgorithm, shrouded := w.encrypt(oidTripleDES, key)
	keyBag := w.bag(oidShroudedKey, w.der(struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}{keyAlgorithm, shrouded}), ski)
	certBag := w.bag(oidCertBag, w.der(struct {
		ID   asn1.ObjectIdentifier
		Cert []byte `asn1:"explicit,tag:0"`
	}{oidX509Bag, certificate}), ski)
	certAlgorithm, hidden := w.encrypt(oidRC2, w.der([]asn1.RawValue{{FullBytes: certBag}}))

	const sequence, content = 0x30, 0xa0 // of indefinite length
	safe := endless(sequence,
		endless(sequence, w.der(oidData), endless(content, w.der(w.der([]asn1.RawValue{{FullBytes: keyBag}})))),
		endless(sequence, w.der(oidEncryptedData), endless(content, endless(sequence, w.der(0),
			endless(sequence, w.der(oidData), w.der(certAlgorithm), endless(content, w.der(hidden)))))))

	salt := w.salt()
	mac := hmac.New(sha1.New, w.derive(3, salt, sha1.Size))
	mac.Write(safe)
	file := w.der(struct {
		Version int
		Safe    struct {
			ID      asn1.ObjectIdentifier
			Content []byte `asn1:"explicit,tag:0"`
		}
		MAC struct {
			Digest struct {
				Algorithm pkix.AlgorithmIdentifier
				Value     []byte
			}
			Salt       []byte
			Iterations int
		}
	}{3, struct {
		ID      asn1.ObjectIdentifier
		Content []byte `asn1:"explicit,tag:0"`
	}{oidData, safe}, struct {
		Digest struct {
			Algorithm pkix.AlgorithmIdentifier
			Value     []byte
		}
		Salt       []byte
		Iterations int
	}{struct {
		Algorithm pkix.AlgorithmIdentifier
		Value     []byte
	}{pkix.AlgorithmIdentifier{Algorithm: oidSHA1, Parameters: asn1.NullRawValue}, mac.Sum(nil)}, salt, p12Iterations}})
	return file, w.err
}

func (w *p12Writer) der(v any) []byte {
	b, err := asn1.Marshal(v)
	w.fail(err)
	return b
}

func (w *p12Writer) fail(err error) {
	if err != nil && w.err == nil {
		w.err = fmt.Errorf("sigtest: PKCS#12: %w", err)
	}
}

// endless writes a constructed value of indefinite length (X.690, 8.1.3.6).
func endless(tag byte, parts ...[]byte) []byte {
	return append(append([]byte{tag, 0x80}, slices.Concat(parts...)...), 0, 0)
}

// bag is a SafeBag with the name that joins key and certificate.
func (w *p12Writer) bag(id asn1.ObjectIdentifier, value, ski []byte) []byte {
	return w.der(struct {
		ID         asn1.ObjectIdentifier
		Value      asn1.RawValue
		Attributes []p12Attribute `asn1:"set"`
	}{id, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: value}, []p12Attribute{
		{oidFriendlyName, []asn1.RawValue{{Tag: asn1.TagBMPString, Bytes: bmp(hex.EncodeToString(ski))}}},
		{oidLocalKeyID, []asn1.RawValue{{Tag: asn1.TagOctetString, Bytes: ski}}},
	}})
}

// bmp is big-endian UTF-16.
func bmp(s string) []byte {
	var b []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		b = append(b, byte(unit>>8), byte(unit))
	}
	return b
}

func (w *p12Writer) salt() []byte {
	b := make([]byte, 20)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return b
}

// encrypt hides bytes under the password with one of the two old ciphers.
func (w *p12Writer) encrypt(id asn1.ObjectIdentifier, plain []byte) (pkix.AlgorithmIdentifier, []byte) {
	salt := w.salt()
	params := w.der(p12Parameters{salt, p12Iterations})
	var block cipher.Block
	var err error
	if id.Equal(oidRC2) {
		block = newRC2x40([5]byte(w.derive(1, salt, 5)))
	} else {
		block, err = des.NewTripleDESCipher(w.derive(1, salt, 24))
	}
	if w.fail(err); err != nil {
		return pkix.AlgorithmIdentifier{}, nil
	}
	pad := 8 - len(plain)%8
	out := append(slices.Clone(plain), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, w.derive(2, salt, 8)).CryptBlocks(out, out)
	return pkix.AlgorithmIdentifier{Algorithm: id, Parameters: asn1.RawValue{FullBytes: params}}, out
}

// derive is RFC 7292, appendix B.2 with SHA-1: purpose 1 gives a key, 2 an
// initialisation vector, 3 a MAC key.
func (w *p12Writer) derive(purpose byte, salt []byte, size int) []byte {
	const v = 64
	fill := func(b []byte) []byte {
		n := (len(b) + v - 1) / v * v
		return bytes.Repeat(b, n/max(1, len(b))+1)[:n]
	}
	in := slices.Concat(fill(salt), fill(w.password))
	modulus := new(big.Int).Lsh(big.NewInt(1), 8*v)
	var out []byte
	for len(out) < size {
		a := sha1.Sum(slices.Concat(bytes.Repeat([]byte{purpose}, v), in))
		for range p12Iterations - 1 {
			a = sha1.Sum(a[:])
		}
		out = append(out, a[:]...)
		b := new(big.Int).SetBytes(bytes.Repeat(a[:], v/len(a)+1)[:v])
		b.Add(b, big.NewInt(1))
		for at := 0; at < len(in); at += v {
			sum := new(big.Int).SetBytes(in[at : at+v])
			sum.Add(sum, b).Mod(sum, modulus).FillBytes(in[at : at+v])
		}
	}
	return out[:size]
}
