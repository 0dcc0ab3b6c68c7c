package signature

import (
	"errors"
	"fmt"
	"strings"

	"kopir/signature/keystore"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// SignEnveloped signs a whole document in the usual form of the field
// (CONTRACT: ds:Signature as the last child of the root, URI="", transforms
// enveloped-signature and inclusive c14n with comments, SignedInfo in inclusive
// c14n, the certificate in X509Data). The document's bytes stay as they are.
// Signatures that are there already are covered by the new one.
func SignEnveloped(doc []byte, key *keystore.Key, o SignOptions) ([]byte, error) {
	s, err := newSigning(key)
	if err != nil {
		return nil, err
	}
	tree, err := parseForSigning(doc)
	if err != nil {
		return nil, err
	}
	root := tree.Root()
	if root.Is(nsDS, "Signature") {
		return nil, errors.New("sign: the document is itself a Signature; there is nothing to envelop it in")
	}
	switch o.KeyInfo {
	case KeyInfoUsual, KeyInfoX509Data:
		s.keyInfo = x509DataText(certificateText(key.Certificate))
	case KeyInfoIssuerSerial:
		s.keyInfo = x509DataText(issuerSerialText(key.Certificate))
	default:
		return nil, errors.New("sign: a document's signature names its certificate by x509data or issuerserial")
	}
	s.form = uriC14N10
	form, transform := xmltree.C14N{Kind: xmltree.Inclusive10}, uriC14N10+"#WithComments"
	if o.Exclusive {
		s.form, form, transform = uriExc, xmltree.C14N{Kind: xmltree.Exclusive}, uriExc
	}
	// Under URI="" comments are left out, whatever the transform is called. The
	// document as it is now is what remains when the new Signature is taken out.
	target := xmltree.Node{}
	if o.Reference != "" {
		if target, err = rootByReference(tree, o.Reference); err != nil {
			return nil, err
		}
	}
	octets := tree.Canonical(nil, target, form)
	s.references = []signedPart{{
		uri:        o.Reference,
		transforms: []string{uriEnveloped, transform},
		digested:   s.sum(octets),
	}}
	// The canonical SignedInfo depends on the declarations of the root alone.
	end, empty := startTagEnd(root)
	tag := string(tree.Source()[root.Offset() : end+1])
	if empty {
		tag = strings.TrimSuffix(tag, "/>") + ">"
	}
	text, err := s.text(tag, "</"+qname(root)+">")
	if err != nil {
		return nil, err
	}
	where, err := lastInRoot(tree, text)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	signed := splice(doc, where)
	if err := s.selfCheck(signed, locateLast); err != nil {
		return nil, err
	}
	return signed, nil
}

// rootByReference finds the root under "#" and its id. A part of a document is
// not signed: whoever reads the signature takes it for the document's.
func rootByReference(tree *xmltree.Document, reference string) (xmltree.Node, error) {
	id, ok := strings.CutPrefix(reference, "#")
	if !ok || id == "" {
		return xmltree.Node{}, fmt.Errorf("sign: the reference %s is not \"#\" and an id of this document", quote(reference))
	}
	n, err := tree.ByID(id)
	switch {
	case err != nil:
		return n, fmt.Errorf("sign: the reference %s: %w", quote(reference), err)
	case n != tree.Root():
		return n, fmt.Errorf("sign: the reference %s is to a part of the document; only the whole of it is signed", quote(reference))
	}
	return n, nil
}

// locateLast finds the signature that was added last.
func locateLast(doc *xmltree.Document) (task, *verdict.Check) {
	nodes, bad := findSignatures(doc.Root())
	if bad != nil {
		return task{}, bad
	}
	last := nodes[len(nodes)-1]
	return task{node: last, scope: scope{doc: doc, cut: []xmltree.Node{last}}}, nil
}
