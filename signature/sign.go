package signature

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"kopir/signature/algorithm"
	"kopir/signature/keystore"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// KeyInfo says how a signature names its certificate. The zero value is the
// usual one of each shape: KeyIdentifier in WS-Security, X509Data in documents.
type KeyInfo uint8

// The ways of naming.
const (
	KeyInfoUsual         KeyInfo = iota
	KeyInfoKeyIdentifier         // the certificate in wsse:KeyIdentifier
	KeyInfoBST                   // the certificate in wsse:BinarySecurityToken
	KeyInfoIssuerSerial          // issuer and serial number; the receiver must know the certificate
	KeyInfoX509Data              // the certificate in ds:X509Data
)

// ParseKeyInfo reads the word of `kopir sign -keyinfo`.
func ParseKeyInfo(word string) (KeyInfo, error) {
	switch word {
	case "":
		return KeyInfoUsual, nil
	case "keyidentifier":
		return KeyInfoKeyIdentifier, nil
	case "bst":
		return KeyInfoBST, nil
	case "issuerserial":
		return KeyInfoIssuerSerial, nil
	case "x509data":
		return KeyInfoX509Data, nil
	}
	return 0, fmt.Errorf("%q is no way to name a certificate: keyidentifier, bst, issuerserial or x509data", word)
}

// SignOptions are the choices of a signer. The zero value is the usual form.
type SignOptions struct {
	KeyInfo KeyInfo
	// Exclusive has SignEnveloped use the exclusive canonical form, so that the
	// signature holds wherever the signed element is put. SignWSSE always does.
	Exclusive bool
	// Reference is how SignEnveloped refers to the document: empty, as the field
	// does, or "#" and the id of its root.
	Reference string
}

// Prefixes are fixed: partners look for the literal names wsse:Security,
// ds:Signature and wsse:SecurityTokenReference.
const declareDS = ` xmlns:ds="` + nsDS + `"`

// signing puts one ds:Signature together.
type signing struct {
	key        *keystore.Key
	form       string // of SignedInfo
	references []signedPart
	keyInfo    string   // content of ds:KeyInfo
	sealed     digested // SignedInfo, once signed
}

type signedPart struct {
	uri        string
	transforms []string
	digested
}

// digested are octets with the digest that was made of them.
type digested struct {
	octets []byte
	digest []byte
	by     *algorithm.Digest
}

func (s *signing) sum(octets []byte) digested {
	return digested{octets, s.digest().Sum(octets), s.digest()}
}

func newSigning(key *keystore.Key) (*signing, error) {
	switch {
	case key == nil || key.Certificate == nil || key.Algorithm == nil:
		return nil, errors.New("sign: there is no key")
	case key.Algorithm.Refusal != verdict.None:
		return nil, fmt.Errorf("sign: %s is refused by policy", key.Algorithm.Name)
	}
	return &signing{key: key}, nil
}

func (s *signing) digest() *algorithm.Digest { return s.key.Algorithm.Digest }

// open and close are the Signature's text around the value. It is canonical
// as it stands: no white space, attributes with double quotes, no empty-element tags.
func (s *signing) open() string {
	var b strings.Builder
	b.WriteString("<ds:Signature" + declareDS + "><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"" + s.form +
		"\"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm=\"" + s.key.Algorithm.URI + "\"></ds:SignatureMethod>")
	for _, r := range s.references {
		b.WriteString(`<ds:Reference URI="` + escapeAttribute(r.uri) + `"><ds:Transforms>`)
		for _, t := range r.transforms {
			b.WriteString(`<ds:Transform Algorithm="` + t + `"></ds:Transform>`)
		}
		b.WriteString(`</ds:Transforms><ds:DigestMethod Algorithm="` + s.digest().URI + `"></ds:DigestMethod><ds:DigestValue>`)
		b.WriteString(base64.StdEncoding.EncodeToString(r.digest))
		b.WriteString("</ds:DigestValue></ds:Reference>")
	}
	b.WriteString("</ds:SignedInfo><ds:SignatureValue>")
	return b.String()
}

func (s *signing) close() string {
	return "</ds:SignatureValue><ds:KeyInfo>" + s.keyInfo + "</ds:KeyInfo></ds:Signature>"
}

// text gives the whole Signature. context is the start-tags around it that
// its canonical form depends on, and their end-tags.
func (s *signing) text(before, after string) (string, error) {
	open, end := s.open(), s.close()
	doc, err := xmltree.Parse([]byte(before+open+end+after), xmltree.DefaultLimits())
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	form, _ := canonicalForm(s.form)
	for n := range doc.Root().Descendants() {
		if n.Is(nsDS, "SignedInfo") {
			return s.seal(doc.Canonical(nil, n, form), open, end)
		}
	}
	if info, ok, err := doc.Root().Child(nsDS, "SignedInfo"); err == nil && ok {
		return s.seal(doc.Canonical(nil, info, form), open, end)
	}
	return "", errors.New("sign: the signature that was put together has no SignedInfo")
}

func (s *signing) seal(octets []byte, open, end string) (string, error) {
	s.sealed = s.sum(octets)
	value, err := s.key.Sign(s.sealed.digest)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return open + base64.StdEncoding.EncodeToString(value) + end, nil
}

// x509DataText, certificateText and issuerSerialText write ds:X509Data and what it may hold.
func x509DataText(content string) string { return "<ds:X509Data>" + content + "</ds:X509Data>" }

func certificateText(c *nuc.Certificate) string {
	return "<ds:X509Certificate>" + base64.StdEncoding.EncodeToString(c.Raw) + "</ds:X509Certificate>"
}

func issuerSerialText(c *nuc.Certificate) string {
	return "<ds:X509IssuerSerial><ds:X509IssuerName>" + escapeText(c.IssuerName.RFC4514()) +
		"</ds:X509IssuerName><ds:X509SerialNumber>" + c.Serial.String() + "</ds:X509SerialNumber></ds:X509IssuerSerial>"
}

// newID makes an identifier in the usual form: a prefix and a random UUID.
func newID(prefix string) string {
	var u [16]byte
	_, _ = rand.Read(u[:]) // never fails (crypto/rand)
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return fmt.Sprintf("%s%x-%x-%x-%x-%x", prefix, u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// Canonical XML section 2.3: what must be escaped in values and in text.
var (
	attributeEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;", "\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;")
	textEscapes      = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")
)

func escapeAttribute(s string) string { return attributeEscapes.Replace(s) }
func escapeText(s string) string      { return textEscapes.Replace(s) }

// parseForSigning reads what is to be signed. The bytes are kept as they are,
// so only UTF-8 can be spliced.
func parseForSigning(src []byte) (*xmltree.Document, error) {
	doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if len(src) != len(doc.Source()) {
		return nil, errors.New("sign: the document is in UTF-16; convert it to UTF-8 first")
	}
	return doc, nil
}

// selfCheck judges what was just signed as a receiver would, but for the
// chain: a fault of ours, or of a key device, must not leave the house. Octets
// that come out as they were digested are not digested again. The value itself is verified where a device made it; the arithmetic of keys in
// memory checks itself (crypto/rsa, gost), and verifying would cost thrice the
// signing.
func (s *signing) selfCheck(out []byte, locate func(*xmltree.Document) (task, *verdict.Check)) error {
	doc, err := xmltree.Parse(out, xmltree.DefaultLimits())
	if err != nil {
		return fmt.Errorf("sign: the signed document does not read: %w", err)
	}
	t, bad := locate(doc)
	if bad == nil {
		for _, r := range s.references {
			t.scope.digested = append(t.scope.digested, r.digested)
		}
		bad = s.integrity(t)
	}
	if bad != nil {
		return fmt.Errorf("sign: the signature just made does not verify: %s", bad.Detail)
	}
	return nil
}

func (s *signing) integrity(t task) *verdict.Check {
	var v Verifier
	var out SignatureVerdict
	sig, bad := v.readSignature(t.node, t.profile)
	if bad == nil {
		bad = v.checkReferences(sig, t)
	}
	if bad == nil {
		bad = v.checkDigests(sig, t, &out)
	}
	if bad != nil {
		return bad
	}
	octets := t.scope.doc.Canonical(nil, sig.info, sig.form)
	if sig.method.Digest != s.sealed.by || !bytes.Equal(octets, s.sealed.octets) {
		return refuse(verdict.CheckSignature, verdict.HashFailure, "SignedInfo reads otherwise than it was signed")
	}
	if !s.key.OnDevice() {
		return nil
	}
	if err := sig.method.VerifyXML(s.key.Certificate.PublicKey, s.sealed.digest, sig.value); err != nil {
		return refuse(verdict.CheckSignature, verdict.SigCryptoFailure, "%v", err)
	}
	return nil
}
