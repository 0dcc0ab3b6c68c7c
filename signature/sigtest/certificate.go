package sigtest

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"math/bits"
	"time"
)

// draft is a certificate before it is signed. crypto/x509 writes no national
// keys and signatures, so certificates of every algorithm are written here;
// it still reads them, but for the key.
type draft struct {
	serial              *big.Int
	subject             []byte // DER of a Name
	notBefore, notAfter time.Time
	extensions          []pkix.Extension
}

// tbsCertificate is that of RFC 5280, 4.1, version 3.
type tbsCertificate struct {
	Version    int `asn1:"explicit,tag:0"`
	Serial     *big.Int
	Algorithm  pkix.AlgorithmIdentifier
	Issuer     asn1.RawValue
	Validity   struct{ NotBefore, NotAfter time.Time }
	Subject    asn1.RawValue
	Key        asn1.RawValue
	Extensions []pkix.Extension `asn1:"explicit,tag:3"`
}

// sign makes the certificate of a key, under the issuer's name and with the issuer's key.
func (d draft) sign(key crypto.Signer, issuer []byte, by crypto.Signer) (*x509.Certificate, error) {
	id, err := identifierOf(by)
	if err != nil {
		return nil, err
	}
	spki, err := marshalPublic(key)
	if err != nil {
		return nil, fmt.Errorf("sigtest: certificate: %w", err)
	}
	tbs := tbsCertificate{
		Version: 2, Serial: d.serial, Algorithm: id, Issuer: asn1.RawValue{FullBytes: issuer},
		Subject: asn1.RawValue{FullBytes: d.subject}, Key: asn1.RawValue{FullBytes: spki}, Extensions: d.extensions,
	}
	tbs.Validity.NotBefore, tbs.Validity.NotAfter = d.notBefore.UTC(), d.notAfter.UTC()
	raw, err := asn1.Marshal(tbs)
	if err != nil {
		return nil, fmt.Errorf("sigtest: certificate: %w", err)
	}
	der, err := signedDER(raw, by)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// extensionList collects extensions and keeps the first error: a failure to
// marshal our own structures comes out with the certificate.
type extensionList struct {
	list []pkix.Extension
	err  error
}

func (l *extensionList) add(e pkix.Extension, err error) {
	if err != nil && l.err == nil {
		l.err = err
	}
	l.list = append(l.list, e)
}

// usageExtension writes key usage bits, without trailing zero bits (DER).
func usageExtension(u x509.KeyUsage) (pkix.Extension, error) {
	n := bits.Len(uint(u))
	raw := make([]byte, (n+7)/8)
	for i := range n {
		if u>>i&1 == 1 {
			raw[i/8] |= 0x80 >> (i % 8)
		}
	}
	return extension(oidKeyUsage, true, asn1.BitString{Bytes: raw, BitLength: n})
}

func authorityExtension() (pkix.Extension, error) {
	return extension(oidBasicConstraints, true, struct {
		CA bool `asn1:"optional"`
	}{true})
}

func subjectKeyExtension(ski []byte) (pkix.Extension, error) {
	return extension(oidSubjectKeyID, false, ski)
}

// authorityKeyExtension names the issuer's key; with a certificate, as those
// of the national authorities of 2022 do, also its issuer and number.
func authorityKeyExtension(ski []byte, issuer []byte, serial *big.Int) (pkix.Extension, error) {
	var value struct {
		Key    []byte        `asn1:"optional,tag:0"`
		Issuer asn1.RawValue `asn1:"optional"`
		Serial *big.Int      `asn1:"optional,tag:2"`
	}
	value.Key = ski
	if issuer != nil {
		directory, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: issuer})
		if err != nil {
			return pkix.Extension{}, err
		}
		value.Issuer = asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 1, IsCompound: true, Bytes: directory}
		value.Serial = serial
	}
	return extension(oidAuthorityKeyID, false, value)
}

// accessExtension gives the addresses of OCSP (may be empty) and of the issuer's certificate.
func accessExtension(ocsp, issuer string) (pkix.Extension, error) {
	type access struct {
		Method   asn1.ObjectIdentifier
		Location asn1.RawValue
	}
	uri := func(s string) asn1.RawValue {
		return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(s)}
	}
	var list []access
	if ocsp != "" {
		list = append(list, access{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1}, uri(ocsp)})
	}
	list = append(list, access{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 2}, uri(issuer)})
	return extension(oidAccess, false, list)
}
