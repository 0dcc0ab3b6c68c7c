package signature

import (
	"encoding/base64"
	"errors"
	"fmt"

	"kopir/signature/keystore"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// SignWSSE puts a system's signature over the Body into the header of a SOAP
// 1.1 message (CONTRACT: wsse:Security with mustUnderstand, exclusive c14n,
// one Reference to the Body's wsu:Id). The message's bytes stay as they are:
// an id is added to the Body if it has none, a Header if there is none. A
// Timestamp with an id in an unsigned Security header is signed with it.
//
// A message that is signed already, or has a second Security header for the
// same node, is refused.
func SignWSSE(envelope []byte, key *keystore.Key, o SignOptions) ([]byte, error) {
	s, err := newSigning(key)
	if err != nil {
		return nil, err
	}
	doc, err := parseForSigning(envelope)
	if err != nil {
		return nil, err
	}
	t, bad := locate(doc)
	switch {
	case bad == nil:
		return nil, errors.New("sign: the message is signed already")
	case bad.Reason != verdict.NoSignature:
		return nil, fmt.Errorf("sign: %s", bad.Detail)
	}
	out := make([]insertion, 0, 2)

	// The Body and its id.
	id, idInsertion := bodyID(t.body)
	body := t.body
	if idInsertion.text != "" {
		out = append(out, idInsertion)
		// The id is part of what is signed.
		marked, err := xmltree.Parse(splice(envelope, idInsertion), xmltree.DefaultLimits())
		if err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
		again, bad := locate(marked)
		if bad != nil && bad.Reason != verdict.NoSignature {
			return nil, fmt.Errorf("sign: %s", bad.Detail)
		}
		body = again.body
	} else if n, err := doc.ByID(id); err != nil || n != body {
		return nil, errors.New("sign: the id of the Body is borne by another element too")
	}
	form, _ := canonicalForm(uriExc)
	add := func(n xmltree.Node, id string) {
		octets := n.Document().Canonical(nil, n, form)
		s.references = append(s.references, signedPart{uri: "#" + id, transforms: []string{uriExc}, digested: s.sum(octets)})
	}
	add(body, id)
	if t.stamp != nil {
		if id, ok := t.stamp.node.Attr(nsWSU, "Id"); ok {
			add(t.stamp.node, id)
		}
	}

	token, err := s.tokenKeyInfo(o.KeyInfo)
	if err != nil {
		return nil, err
	}
	s.form = uriExc
	// Exclusive canonicalization does not see what is around the Signature, but
	// for prefixes that it uses itself: wsse and wsu of the Security header.
	const security = `<wsse:Security xmlns:wsse="` + nsWSSE + `" xmlns:wsu="` + nsWSU + `"`
	text, err := s.text(security+">", "</wsse:Security>")
	if err != nil {
		return nil, err
	}
	out = append([]insertion{t.headerInsertion(security, token+text)}, out...)
	signed := splice(envelope, out...)
	if err := s.selfCheck(signed, locate); err != nil {
		return nil, err
	}
	return signed, nil
}

// bodyID finds the Body's identifier, or makes one and says where to put it.
func bodyID(body xmltree.Node) (string, insertion) {
	for _, space := range [...]string{nsWSU, ""} {
		if id, ok := body.Attr(space, "Id"); ok && id != "" {
			return id, insertion{}
		}
	}
	id := newID("id-")
	prefix, declaration := declaredPrefix(body, "wsu", nsWSU)
	return id, insertion{at: afterName(body), text: declaration + " " + prefix + `:Id="` + id + `"`}
}

// headerInsertion puts the token and the Signature into the Security header,
// the Security header into the Header, the Header before the Body: whatever
// is there already is used.
func (t *task) headerInsertion(security, content string) insertion {
	root := t.body.Parent()
	if !t.security.IsZero() {
		// The prefixes may be others there: the content declares its own.
		return firstIn(t.security, content)
	}
	header, inside, _ := root.Child(nsSOAP, "Header")
	around := root
	if inside {
		around = header
	}
	prefix, declaration := around.Prefix(), ""
	if prefix == "" {
		prefix, declaration = declaredPrefix(around, "soap", nsSOAP)
	}
	whole := security + declaration + " " + prefix + `:mustUnderstand="1">` + content + "</wsse:Security>"
	if inside {
		return firstIn(header, whole)
	}
	name := "Header"
	if p := root.Prefix(); p != "" {
		name = p + ":Header"
	}
	return insertion{at: t.body.Offset(), text: "<" + name + ">" + whole + "</" + name + ">"}
}

// tokenKeyInfo makes the content of KeyInfo and, for a direct reference, the
// token that goes before the Signature.
func (s *signing) tokenKeyInfo(form KeyInfo) (token string, err error) {
	const (
		openSTR  = `<wsse:SecurityTokenReference xmlns:wsse="` + nsWSSE + `">`
		closeSTR = `</wsse:SecurityTokenReference>`
		types    = ` EncodingType="` + encodingBase64 + `" ValueType="` + typeX509v3 + `"`
	)
	c := s.key.Certificate
	switch form {
	case KeyInfoUsual, KeyInfoKeyIdentifier:
		s.keyInfo = openSTR + "<wsse:KeyIdentifier" + types + ">" + base64.StdEncoding.EncodeToString(c.Raw) + "</wsse:KeyIdentifier>" + closeSTR
	case KeyInfoBST:
		id := newID("X509-")
		token = `<wsse:BinarySecurityToken xmlns:wsse="` + nsWSSE + `" xmlns:wsu="` + nsWSU + `"` + types + ` wsu:Id="` + id + `">` +
			base64.StdEncoding.EncodeToString(c.Raw) + "</wsse:BinarySecurityToken>"
		s.keyInfo = openSTR + `<wsse:Reference URI="#` + id + `" ValueType="` + typeX509v3 + `"></wsse:Reference>` + closeSTR
	case KeyInfoIssuerSerial:
		s.keyInfo = openSTR + x509DataText(issuerSerialText(c)) + closeSTR
	case KeyInfoX509Data:
		// In a token reference and with the serial number beside it: WSS4J reads
		// neither X509Data straight in KeyInfo nor a certificate within it.
		s.keyInfo = openSTR + x509DataText(issuerSerialText(c)+certificateText(c)) + closeSTR
	default:
		return "", errors.New("sign: unknown way to name the certificate")
	}
	return token, nil
}
