package signature

import (
	"math/big"

	"kopir/signature/algorithm"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// maxSerial bounds the digits of a serial number in decimal: 20 bytes make 49.
const maxSerial = 60

// unnamed is the check for a KeyInfo from which no certificate follows.
func unnamed(n xmltree.Node, format string, args ...any) *verdict.Check {
	c := refuse(verdict.CheckCertificate, verdict.NoSigningCertificate, format, args...)
	if !n.IsZero() {
		c.Detail = place(n) + c.Detail
	}
	return c
}

// keyInfo resolves one ds:KeyInfo to one certificate. Whatever else stands in
// it must fit that certificate: a key from one place and a name from another
// is how one pretends to be somebody.
type keyInfo struct {
	trust    *nuc.Trust
	security xmltree.Node // the wsse:Security header in which tokens are looked up; zero: no tokens
	doc      *xmltree.Document
	found    *nuc.Certificate
	others   []*nuc.Certificate // authorities that came along
}

// certificate finds the signer's certificate.
func (k *keyInfo) certificate(n xmltree.Node) (*nuc.Certificate, *verdict.Check) {
	if n.IsZero() {
		return nil, unnamed(n, "the signature has no KeyInfo: nothing says who signed")
	}
	var values []xmltree.Node
	for c := range n.Elements() {
		var bad *verdict.Check
		switch {
		case c.Is(nsWSSE, "SecurityTokenReference"):
			bad = k.tokenReference(c)
		case c.Is(nsDS, "X509Data"):
			bad = k.x509Data(c)
		case c.Is(nsDS, "KeyValue"):
			if values = append(values, c); len(values) > 1 {
				bad = malformed(c, "KeyInfo has more than one KeyValue")
			}
		case c.Is(nsDS, "KeyName"): // a label for people; nothing is looked up by it
		default:
			bad = unnamed(c, "KeyInfo holds %s, by which no signer is looked up", quote(c.Local()))
		}
		if bad != nil {
			return nil, bad
		}
	}
	if k.found == nil {
		return nil, unnamed(n, "KeyInfo names no certificate; a bare key or name is nobody's")
	}
	for _, v := range values {
		if !k.sameKey(v) {
			return nil, unnamed(v, "KeyValue is not the key of the certificate beside it")
		}
	}
	return k.found, nil
}

// take notes a certificate; a second, different one is a refusal.
func (k *keyInfo) take(c *nuc.Certificate, n xmltree.Node) *verdict.Check {
	if k.found != nil && k.found.Fingerprint != c.Fingerprint {
		return unnamed(n, "KeyInfo names two different certificates")
	}
	k.found = c
	return nil
}

func (k *keyInfo) takeDER(n xmltree.Node, what string) *verdict.Check {
	raw, bad := readBase64(n, what)
	if bad != nil {
		return bad
	}
	c, err := k.trust.Parse(raw)
	if err != nil {
		return unnamed(n, "%s is not a certificate: %v", what, err)
	}
	return k.take(c, n)
}

// tokenReference reads wsse:SecurityTokenReference (SOAP Message Security
// section 7, X.509 Token Profile section 3.2): exactly one way to the token.
func (k *keyInfo) tokenReference(n xmltree.Node) (bad *verdict.Check) {
	count := 0
	for c := range n.Elements() {
		if count++; count > 1 {
			return malformed(n, "SecurityTokenReference must refer in one way only")
		}
		switch {
		case c.Is(nsWSSE, "KeyIdentifier"):
			bad = k.keyIdentifier(c)
		case c.Is(nsWSSE, "Reference"):
			bad = k.directReference(c)
		case c.Is(nsDS, "X509Data"):
			bad = k.x509Data(c)
		default:
			bad = unnamed(c, "a token is not looked up by %s", quote(c.Local()))
		}
		if bad != nil {
			return bad
		}
	}
	if count == 0 {
		return malformed(n, "SecurityTokenReference is empty")
	}
	return nil
}

func (k *keyInfo) keyIdentifier(n xmltree.Node) *verdict.Check {
	if e, ok := n.Attr("", "EncodingType"); ok && e != encodingBase64 {
		return unnamed(n, "the encoding %s of a key identifier is not known", quote(e))
	}
	switch t, _ := n.Attr("", "ValueType"); t {
	case typeX509v3:
		return k.takeDER(n, "KeyIdentifier")
	case typeSKI:
		return k.lookUp(n, "KeyIdentifier", k.trust.ByKeyID)
	case typeThumbprint:
		return k.lookUp(n, "KeyIdentifier", k.trust.ByThumbprint)
	default:
		return unnamed(n, "the key identifier type %s is not known", quote(t))
	}
}

// lookUp finds a certificate that is known beforehand by bytes that name it.
func (k *keyInfo) lookUp(n xmltree.Node, what string, by func([]byte) (*nuc.Certificate, error)) *verdict.Check {
	raw, bad := readBase64(n, what)
	if bad != nil {
		return bad
	}
	if len(raw) == 0 {
		return malformed(n, "%s is empty", what)
	}
	c, err := by(raw)
	if err != nil {
		return unnamed(n, "%s: %v", what, err)
	}
	return k.take(c, n)
}

// directReference follows wsse:Reference to a wsse:BinarySecurityToken of the
// same header. Nothing outside of it is a token.
func (k *keyInfo) directReference(n xmltree.Node) *verdict.Check {
	uri, _ := n.Attr("", "URI")
	if len(uri) < 2 || uri[0] != '#' {
		return unnamed(n, "the token reference %s leaves the document; nothing is fetched", quote(uri))
	}
	if t, ok := n.Attr("", "ValueType"); ok && t != typeX509v3 {
		return unnamed(n, "the token type %s is not known", quote(t))
	}
	token, err := k.doc.ByID(uri[1:])
	if err != nil {
		return unnamed(n, "the token %s: %v", quote(uri), err)
	}
	if k.security.IsZero() || token.Parent() != k.security || !token.Is(nsWSSE, "BinarySecurityToken") {
		return unnamed(n, "%s is not a BinarySecurityToken of this Security header", quote(uri))
	}
	if t, _ := token.Attr("", "ValueType"); t != typeX509v3 {
		return unnamed(token, "the token type %s is not known", quote(t))
	}
	if e, ok := token.Attr("", "EncodingType"); ok && e != encodingBase64 {
		return unnamed(token, "the encoding %s of a token is not known", quote(e))
	}
	return k.takeDER(token, "BinarySecurityToken")
}

// sameKey compares ds:RSAKeyValue with the key of the certificate. Other kinds
// of KeyValue are never the same: nobody here sends them beside a certificate.
func (k *keyInfo) sameKey(n xmltree.Node) bool {
	value, ok, err := n.Child(nsDS, "RSAKeyValue")
	if err != nil || !ok {
		return false
	}
	number := func(local string) *big.Int {
		c, ok, err := value.Child(nsDS, local)
		if err != nil || !ok {
			return nil
		}
		raw, bad := readBase64(c, local)
		if bad != nil {
			return nil
		}
		return new(big.Int).SetBytes(raw)
	}
	modulus, exponent := number("Modulus"), number("Exponent")
	if modulus == nil || exponent == nil || !exponent.IsInt64() || exponent.Int64() > 1<<31-1 {
		return false
	}
	key, err := algorithm.NewRSAPublicKey(modulus, int(exponent.Int64()))
	return err == nil && k.found.PublicKey != nil && key.Equal(k.found.PublicKey)
}
