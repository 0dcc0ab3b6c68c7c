package algorithm

import (
	"crypto"
	"encoding/asn1"
	"errors"
	"fmt"

	"kopir/signature/verdict"
)

// errVerification is what a verifier says that gives no reason of its own.
var errVerification = errors.New("verification error")

type (
	verifyFunc func(key PublicKey, digest, sig []byte) error
	signFunc   func(key PrivateKey, digest []byte) ([]byte, error)
)

// Signature is one row of the signature table.
type Signature struct {
	Name    string                  // as people call it: RSA with SHA-256
	URI     string                  // the identifier in XML; what is written
	Aliases []string                // other identifiers met in XML; read, never written
	OIDs    []asn1.ObjectIdentifier // in ASN.1; the first is written
	Digest  *Digest                 // what is done to the bytes first
	Key     KeyKind                 // what key it needs
	Refusal verdict.Reason          // not None: known, but policy refuses it
	Why     string                  // the ground of the refusal, for people

	verify    verifyFunc // the value as certificates, CRLs, OCSP and CMS have it
	verifyXML verifyFunc // the value as XML has it; nil: the same
	sign      signFunc   // the value as XML has it; nil: we do not sign with it
}

// signatures is the table. Rows are compared by their address; never copy one.
var signatures = []*Signature{
	rsaSHA256, rsaSHA384, rsaSHA512,
	gost2004, gost2015x256, gost2015x512,
	{
		Name: "RSA with SHA-1", URI: "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
		// The national library's old spelling, in no W3C list.
		Aliases: []string{"http://www.w3.org/2001/04/xmldsig-more#rsa-sha1"},
		OIDs:    []asn1.ObjectIdentifier{{1, 2, 840, 113549, 1, 1, 5}, {1, 3, 14, 3, 2, 29}},
		Digest:  sha1Row, Key: KeyRSA, verify: verifyPKCS1(crypto.SHA1),
		Refusal: verdict.CryptoConstraintsFailure, Why: "SHA-1 no longer resists collisions",
	},
	{
		Name: "RSA with SHA-224", URI: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha224",
		OIDs:   []asn1.ObjectIdentifier{{1, 2, 840, 113549, 1, 1, 14}},
		Digest: sha224Row, Key: KeyRSA, verify: verifyPKCS1(crypto.SHA224),
		Refusal: verdict.CryptoConstraintsFailure, Why: "SHA-224 is not on the list",
	},
	{
		Name: "RSA with MD5", URI: "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
		OIDs:   []asn1.ObjectIdentifier{{1, 2, 840, 113549, 1, 1, 4}},
		Digest: md5Row, Key: KeyRSA, verify: verifyPKCS1(crypto.MD5),
		Refusal: verdict.CryptoConstraintsFailure, Why: "MD5 is broken",
	},
	refusedByName("RSA with RIPEMD-160", "http://www.w3.org/2001/04/xmldsig-more#rsa-ripemd160", ripemd160Row, KeyRSA, "RIPEMD-160 is not on the list"),

	pss("SHA-256", "sha256", sha256Row, crypto.SHA256),
	pss("SHA-384", "sha384", sha384Row, crypto.SHA384),
	pss("SHA-512", "sha512", sha512Row, crypto.SHA512),
	pss("SHA-224", "sha224", sha224Row, crypto.SHA224),

	ecdsaRow("SHA-256", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", sha256Row, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}),
	ecdsaRow("SHA-384", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384", sha384Row, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}),
	ecdsaRow("SHA-512", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512", sha512Row, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}),
	ecdsaRow("SHA-224", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha224", sha224Row, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 1}),
	ecdsaRow("SHA-1", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1", sha1Row, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}),

	refusedByName("DSA with SHA-1", "http://www.w3.org/2000/09/xmldsig#dsa-sha1", sha1Row, KeyUnknown, whyDSA),
	refusedByName("DSA with SHA-256", "http://www.w3.org/2009/xmldsig11#dsa-sha256", sha256Row, KeyUnknown, whyDSA),
	refusedByName("HMAC with SHA-1", "http://www.w3.org/2000/09/xmldsig#hmac-sha1", sha1Row, KeyUnknown, whyHMAC),
	refusedByName("HMAC with SHA-224", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha224", sha224Row, KeyUnknown, whyHMAC),
	refusedByName("HMAC with SHA-256", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", sha256Row, KeyUnknown, whyHMAC),
	refusedByName("HMAC with SHA-384", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha384", sha384Row, KeyUnknown, whyHMAC),
	refusedByName("HMAC with SHA-512", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha512", sha512Row, KeyUnknown, whyHMAC),
	refusedByName("HMAC with MD5", "http://www.w3.org/2001/04/xmldsig-more#hmac-md5", md5Row, KeyUnknown, whyHMAC),
	refusedByName("HMAC with RIPEMD-160", "http://www.w3.org/2001/04/xmldsig-more#hmac-ripemd160", ripemd160Row, KeyUnknown, whyHMAC),
}

const (
	whyDSA  = "DSA is not on the list"
	whyHMAC = "a shared secret is no signer's key"
	whyPSS  = "PSS is not used by the national authority and is not on the list"
	whyEC   = "ECDSA is not used by the national authority and is not on the list"
)

var (
	rsaSHA256 = pkcs1("SHA-256", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", sha256Row, crypto.SHA256, 11)
	rsaSHA384 = pkcs1("SHA-384", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384", sha384Row, crypto.SHA384, 12)
	rsaSHA512 = pkcs1("SHA-512", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", sha512Row, crypto.SHA512, 13)
)

func pkcs1(hash, uri string, d *Digest, h crypto.Hash, arc int) *Signature {
	return &Signature{
		Name: "RSA with " + hash, URI: uri, OIDs: []asn1.ObjectIdentifier{{1, 2, 840, 113549, 1, 1, arc}},
		Digest: d, Key: KeyRSA, verify: verifyPKCS1(h), sign: signPKCS1(h),
	}
}

// OIDPSS names RSA-PSS in ASN.1, where the hash is a parameter. It has no row;
// a refusal can say what it is.
var OIDPSS = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}

// pss has no OID: in ASN.1 the hash is a parameter, and nothing that we read
// in ASN.1 may be signed with it.
func pss(hash, word string, d *Digest, h crypto.Hash) *Signature {
	return &Signature{
		Name: "RSA-PSS with " + hash, URI: "http://www.w3.org/2007/05/xmldsig-more#" + word + "-rsa-MGF1",
		Digest: d, Key: KeyRSA, verify: verifyPSS(h),
		Refusal: verdict.CryptoConstraintsFailure, Why: whyPSS,
	}
}

func ecdsaRow(hash, uri string, d *Digest, oid asn1.ObjectIdentifier) *Signature {
	return &Signature{
		Name: "ECDSA with " + hash, URI: uri, OIDs: []asn1.ObjectIdentifier{oid},
		Digest: d, Key: KeyEC, verify: verifyECDSA, verifyXML: verifyECDSAXML,
		Refusal: verdict.CryptoConstraintsFailure, Why: whyEC,
	}
}

// refusedByName is a row that exists so that the refusal can name what it refuses.
func refusedByName(name, uri string, d *Digest, k KeyKind, why string) *Signature {
	return &Signature{Name: name, URI: uri, Digest: d, Key: k, Refusal: verdict.CryptoConstraintsFailure, Why: why}
}

// SignatureByURI finds the row of a SignatureMethod. False: no such algorithm here.
func SignatureByURI(uri string) (*Signature, bool) {
	for _, s := range signatures {
		if named(uri, s.URI, s.Aliases) {
			return s, true
		}
	}
	return nil, false
}

// SignatureByOID finds the row of a signatureAlgorithm of a certificate, a
// list or an answer. False: no such algorithm here.
func SignatureByOID(oid asn1.ObjectIdentifier) (*Signature, bool) {
	for _, s := range signatures {
		if listed(oid, s.OIDs) {
			return s, true
		}
	}
	return nil, false
}

// SignatureByKeyOID finds the row for signatures that CMS names by the
// algorithm of the key, with the digest beside it (RFC 3370 section 3.2 for
// RSA; the national library does it with its own keys). False: no such pair.
func SignatureByKeyOID(oid asn1.ObjectIdentifier, d *Digest) (*Signature, bool) {
	for _, k := range keys {
		// The keys of elliptic curves never stand for a signature.
		if k.kind == KeyEC || !listed(oid, k.oids) {
			continue
		}
		for _, s := range signatures {
			if s.Key == k.kind && s.Digest == d && s.verify != nil && len(s.OIDs) > 0 {
				return s, true
			}
		}
	}
	return nil, false
}

// SignatureForKey is the algorithm with which a key of this kind signs new
// messages. False: we do not sign with such keys.
func SignatureForKey(kind KeyKind) (*Signature, bool) {
	for _, s := range signatures {
		if s.Key == kind && s.sign != nil && s.Refusal == verdict.None {
			return s, true
		}
	}
	return nil, false
}

// Verify checks a value as certificates, CRLs, OCSP answers and CMS carry it,
// over the digest of the signed bytes. It does not look at Refusal: callers
// must, first.
func (s *Signature) Verify(key PublicKey, digest, sig []byte) error {
	return s.run(s.verify, key, digest, sig)
}

// VerifyXML checks a value as ds:SignatureValue carries it.
func (s *Signature) VerifyXML(key PublicKey, digest, sig []byte) error {
	if s.verifyXML != nil {
		return s.run(s.verifyXML, key, digest, sig)
	}
	return s.run(s.verify, key, digest, sig)
}

func (s *Signature) run(f verifyFunc, key PublicKey, digest, sig []byte) error {
	if f == nil || s.Digest == nil || s.Digest.New == nil {
		return fmt.Errorf("%s cannot be verified here", s.Name)
	}
	if key == nil || key.Kind() != s.Key {
		return ErrKeyKind
	}
	return f(key, digest, sig)
}

// Sign makes the value for ds:SignatureValue over the digest of the signed bytes.
func (s *Signature) Sign(key PrivateKey, digest []byte) ([]byte, error) {
	if s.sign == nil || s.Refusal != verdict.None {
		return nil, fmt.Errorf("%s is not used for signing here", s.Name)
	}
	if key == nil || key.Kind() != s.Key {
		return nil, ErrKeyKind
	}
	return s.sign(key, digest)
}
