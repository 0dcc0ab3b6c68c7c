package signature

import (
	"bytes"
	"math/big"
	"strings"

	"kopir/signature/nuc"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// x509Data reads ds:X509Data (XML Signature section 4.5.4): certificates, or
// names of one that is known beforehand. With certificates, the names must fit.
func (k *keyInfo) x509Data(n xmltree.Node) *verdict.Check {
	var certs []*nuc.Certificate
	var names []xmltree.Node
	for c := range n.Elements() {
		switch {
		case c.Is(nsDS, "X509Certificate"):
			if len(certs) == maxCertificates {
				return unnamed(n, "more than %d certificates", maxCertificates)
			}
			raw, bad := readBase64(c, "X509Certificate")
			if bad != nil {
				return bad
			}
			cert, err := k.trust.Parse(raw)
			if err != nil {
				return unnamed(c, "X509Certificate is not a certificate: %v", err)
			}
			certs = append(certs, cert)
		case c.Is(nsDS, "X509IssuerSerial"), c.Is(nsDS, "X509SKI"), c.Is(nsDS, "X509SubjectName"):
			if len(names) == maxCertificates {
				return unnamed(n, "more than %d names of certificates", maxCertificates)
			}
			names = append(names, c)
		case c.Is(nsDS, "X509CRL"): // revocation is asked of configured sources only
		default:
			return unnamed(c, "a certificate is not looked up by %s", quote(c.Local()))
		}
	}
	if len(certs) == 0 {
		return k.byName(n, names)
	}
	leaf := onlyLeaf(certs)
	if leaf == nil {
		return unnamed(n, "it is not clear which of %d certificates is the signer's", len(certs))
	}
	for _, name := range names {
		if !fits(leaf, certs, name) {
			return unnamed(name, "%s is not that of a certificate beside it", name.Local())
		}
	}
	for _, c := range certs {
		if c.Fingerprint != leaf.Fingerprint {
			k.others = append(k.others, c)
		}
	}
	return k.take(leaf, n)
}

// onlyLeaf is the one certificate that is not the issuer of another; the
// others only come along: a chain may lead through them, to a configured root. nil: there is none, or two.
func onlyLeaf(certs []*nuc.Certificate) *nuc.Certificate {
	var leaf *nuc.Certificate
	for _, c := range certs {
		issues := false
		for _, o := range certs {
			if o.Fingerprint != c.Fingerprint && bytes.Equal(o.RawIssuer, c.RawSubject) {
				issues = true
			}
		}
		if issues {
			continue
		}
		if leaf != nil && leaf.Fingerprint != c.Fingerprint {
			return nil
		}
		leaf = c
	}
	return leaf
}

// fits: a name is that of the leaf, or of one of the certificates that come
// along. The leaf's own must not contradict it: a subject name that no
// certificate has does not fit.
func fits(leaf *nuc.Certificate, certs []*nuc.Certificate, name xmltree.Node) bool {
	if named(leaf, name) {
		return true
	}
	for _, c := range certs {
		if c != leaf && named(c, name) {
			return true
		}
	}
	return false
}

func named(c *nuc.Certificate, n xmltree.Node) bool {
	switch n.Local() {
	case "X509IssuerSerial":
		issuer, serial, bad := issuerSerial(n)
		if bad != nil || c.Serial == nil || c.Serial.Cmp(serial) != 0 {
			return false
		}
		name, err := nuc.ParseName(issuer)
		return err == nil && name.Equal(c.IssuerName)
	case "X509SKI":
		raw, bad := readBase64(n, "X509SKI")
		return bad == nil && len(raw) > 0 && bytes.Equal(raw, c.SubjectKeyID)
	case "X509SubjectName":
		name, err := nuc.ParseName(n.Text())
		return err == nil && name.Equal(c.SubjectName)
	}
	return false
}

// byName finds the certificate among those known beforehand. Each name must
// lead to the same one.
func (k *keyInfo) byName(n xmltree.Node, names []xmltree.Node) *verdict.Check {
	if len(names) == 0 {
		return unnamed(n, "X509Data names no certificate")
	}
	for _, name := range names {
		var c *nuc.Certificate
		var err error
		switch name.Local() {
		case "X509IssuerSerial":
			issuer, serial, bad := issuerSerial(name)
			if bad != nil {
				return bad
			}
			c, err = k.trust.ByIssuerSerial(issuer, serial)
		case "X509SKI":
			if bad := k.lookUp(name, "X509SKI", k.trust.ByKeyID); bad != nil {
				return bad
			}
			continue
		default:
			c, err = k.trust.BySubject(name.Text())
		}
		if err != nil {
			return unnamed(name, "%s: %v", name.Local(), err)
		}
		if bad := k.take(c, name); bad != nil {
			return bad
		}
	}
	return nil
}

// issuerSerial reads ds:X509IssuerSerial: the issuer's name as text, the
// serial number in decimal.
func issuerSerial(n xmltree.Node) (string, *big.Int, *verdict.Check) {
	name, ok1, err1 := n.Child(nsDS, "X509IssuerName")
	serial, ok2, err2 := n.Child(nsDS, "X509SerialNumber")
	if err1 != nil || err2 != nil || !ok1 || !ok2 {
		return "", nil, malformed(n, "X509IssuerSerial must hold one X509IssuerName and one X509SerialNumber")
	}
	digits := strings.TrimSpace(serial.Text())
	if digits == "" || len(digits) > maxSerial || strings.Trim(digits, "0123456789") != "" {
		return "", nil, malformed(serial, "X509SerialNumber is not a decimal number of at most %d digits", maxSerial)
	}
	number, _ := new(big.Int).SetString(digits, 10)
	return name.Text(), number, nil
}
