// Package algorithm is the table of digests, signature algorithms and key
// kinds that Kopir knows, and of what its policy says about each. XML
// signatures, certificates, revocation lists, OCSP answers and CMS all look
// here, so that one row decides everywhere.
//
// Rules kept: an algorithm that is not in the table is refused; one that is
// there only to be named in a refusal has Refusal set; nothing at run time can
// add a row or lift a refusal. A row carries everything that differs between
// algorithms (names in XML and in ASN.1, the hash, how the value is laid out,
// how the key is read), so that a new algorithm is a row in digests,
// signatures or keys and nothing else.
//
// Documents: RFC 6931 and RFC 9231 (identifiers in XML), RFC 3279, RFC 4055,
// RFC 5758 (identifiers in ASN.1), RFC 8017 (RSA), FIPS 186-5 (ECDSA),
// XML Signature 1.1 section 6.
package algorithm

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"hash"

	"kopir/signature/verdict"
)

// Digest is one row of the digest table.
type Digest struct {
	Name    string                  // as people call it: SHA-256
	URI     string                  // the identifier in XML; what is written
	Aliases []string                // other identifiers met in XML; read, never written
	OIDs    []asn1.ObjectIdentifier // in ASN.1; the first is written
	New     func() hash.Hash        // nil if the digest is known by name only
	Refusal verdict.Reason          // not None: known, but policy refuses it
}

// digests is the table. Rows are compared by their address; never copy one.
var digests = []*Digest{gost94Row, streebog256Row, streebog512Row, sha256Row, sha384Row, sha512Row, sha1Row, sha224Row, md5Row, ripemd160Row}

var (
	sha256Row = &Digest{
		Name: "SHA-256", URI: "http://www.w3.org/2001/04/xmlenc#sha256",
		OIDs: []asn1.ObjectIdentifier{{2, 16, 840, 1, 101, 3, 4, 2, 1}}, New: sha256.New,
	}
	sha384Row = &Digest{
		Name: "SHA-384", URI: "http://www.w3.org/2001/04/xmldsig-more#sha384",
		OIDs: []asn1.ObjectIdentifier{{2, 16, 840, 1, 101, 3, 4, 2, 2}}, New: sha512.New384,
	}
	sha512Row = &Digest{
		Name: "SHA-512", URI: "http://www.w3.org/2001/04/xmlenc#sha512",
		OIDs: []asn1.ObjectIdentifier{{2, 16, 840, 1, 101, 3, 4, 2, 3}}, New: sha512.New,
	}
	// SHA-1 and older: collisions are a matter of money or minutes. They still
	// occur in identifiers (thumbprints, OCSP certificate ids), where no
	// collision resistance is asked for; there they are used directly.
	sha1Row = &Digest{
		Name: "SHA-1", URI: "http://www.w3.org/2000/09/xmldsig#sha1",
		// The national library's old spelling, in no W3C list.
		Aliases: []string{"http://www.w3.org/2001/04/xmldsig-more#sha1"},
		OIDs:    []asn1.ObjectIdentifier{{1, 3, 14, 3, 2, 26}}, New: sha1.New,
		Refusal: verdict.CryptoConstraintsFailure,
	}
	// SHA-224 is not broken; nothing in this field uses it, and 112 bits of
	// collision resistance is the least that is still recommended.
	sha224Row = &Digest{
		Name: "SHA-224", URI: "http://www.w3.org/2001/04/xmldsig-more#sha224",
		OIDs: []asn1.ObjectIdentifier{{2, 16, 840, 1, 101, 3, 4, 2, 4}}, New: sha256.New224,
		Refusal: verdict.CryptoConstraintsFailure,
	}
	md5Row = &Digest{
		Name: "MD5", URI: "http://www.w3.org/2001/04/xmldsig-more#md5",
		OIDs: []asn1.ObjectIdentifier{{1, 2, 840, 113549, 2, 5}}, New: md5.New,
		Refusal: verdict.CryptoConstraintsFailure,
	}
	ripemd160Row = &Digest{
		Name: "RIPEMD-160", URI: "http://www.w3.org/2001/04/xmlenc#ripemd160",
		OIDs:    []asn1.ObjectIdentifier{{1, 3, 36, 3, 2, 1}},
		Refusal: verdict.CryptoConstraintsFailure,
	}
)

// SHA256 is the digest that new signatures use with RSA keys.
func SHA256() *Digest { return sha256Row }

// SHA1 is refused for everything that a signature hangs on; it is here for
// identifiers that are defined with it.
func SHA1() *Digest { return sha1Row }

// Sum is the digest of the data; nil if the row is known by name only.
func (d *Digest) Sum(data []byte) []byte {
	if d.New == nil {
		return nil
	}
	if d == sha256Row { // by far the commonest, without a hash object
		s := sha256.Sum256(data)
		return s[:]
	}
	h := d.New()
	h.Write(data)
	return h.Sum(nil)
}

// DigestByURI finds the row of a DigestMethod. False: no such algorithm here.
func DigestByURI(uri string) (*Digest, bool) {
	for _, d := range digests {
		if named(uri, d.URI, d.Aliases) {
			return d, true
		}
	}
	return nil, false
}

// DigestByOID finds the row of an ASN.1 digest algorithm. False: no such algorithm here.
func DigestByOID(oid asn1.ObjectIdentifier) (*Digest, bool) {
	for _, d := range digests {
		if listed(oid, d.OIDs) {
			return d, true
		}
	}
	return nil, false
}

func named(uri, first string, others []string) bool {
	if uri == "" {
		return false
	}
	if uri == first {
		return true
	}
	for _, o := range others {
		if uri == o {
			return true
		}
	}
	return false
}

func listed(oid asn1.ObjectIdentifier, list []asn1.ObjectIdentifier) bool {
	for _, o := range list {
		if o.Equal(oid) {
			return true
		}
	}
	return false
}
