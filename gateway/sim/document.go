package sim

import (
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/sigtest"
)

// changed applies tweaks to a document that is not signed yet.
func changed(document []byte, service *mappings.Service, t Tweaks) ([]byte, error) {
	was := newDocument()
	was.Child = nil
	if err := was.ReadFromBytes(document); err != nil {
		return nil, err
	}
	doc := newDocument()
	doc.SetRoot(was.Root())
	root := doc.Root()
	for _, p := range t.Drop {
		if e := root.FindElement("./" + p); e != nil {
			e.Parent().RemoveChild(e)
		}
	}
	for p, value := range t.Set {
		reach(root, p).SetText(value)
	}
	if t.AttachmentKB > 0 {
		i := slices.IndexFunc(service.Request.Attachments, func(a mappings.AttachmentKind) bool { return slices.Contains(a.Types, "application/pdf") })
		if i < 0 {
			return nil, fmt.Errorf("the form of %s takes no PDF", service.ID)
		}
		kind := &service.Request.Attachments[i]
		attach(root, kind.Path, mappings.AttachmentOf(kind, mappings.SampleFile("application/pdf", t.AttachmentKB<<10)))
	}
	return doc.WriteToBytes()
}

// newDocument is an empty document with an XML declaration that is written
// so that what is signed survives (line ends and tabs as references).
func newDocument() *etree.Document {
	doc := etree.NewDocument()
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
	doc.CreateProcInst("xml", `version="1.0" encoding="UTF-8"`)
	return doc
}

// reach gives the element at a path of local names, making what is missing.
func reach(e *etree.Element, p string) *etree.Element {
	for _, name := range strings.Split(p, "/") {
		next := e.SelectElement(name)
		if next == nil {
			next = e.CreateElement(name)
		}
		e = next
	}
	return e
}

// attach encloses one document more at the path of its kind.
func attach(root *etree.Element, p string, a mappings.Attachment) {
	parent := root
	if dir := path.Dir(p); dir != "." {
		parent = reach(root, dir)
	}
	prefix, local, ok := strings.Cut(path.Base(p), ":")
	if !ok {
		prefix, local = "", path.Base(p)
	}
	e := parent.CreateElement(local)
	e.Space = prefix
	for _, part := range [][2]string{{"name", a.Name}, {"type", a.Type}, {"sha256", a.SHA256}, {"content", base64.StdEncoding.EncodeToString(a.Content)}} {
		c := e.CreateElement(part[0])
		c.Space = prefix
		c.SetText(part[1])
	}
}

// signEnveloped puts an enveloped signature into a document, as its last
// element: whole document, inclusive canonical form, certificate in X509Data.
// Signing a signed document adds a second signature. goxmldsig signs with RSA;
// it knows no national algorithm, so with those the bridge's own signer does,
// whose documents OpenSSL's gost engine and Bouncy Castle check in its tests.
func signEnveloped(document []byte, by *sigtest.Credential) ([]byte, error) {
	if _, isRSA := by.Signer.Public().(*rsa.PublicKey); !isRSA {
		key, err := by.Key()
		if err != nil {
			return nil, err
		}
		return signature.SignEnveloped(document, key, signature.SignOptions{})
	}
	doc := newDocument()
	doc.Child = nil // the declaration comes from the document
	if err := doc.ReadFromBytes(document); err != nil {
		return nil, fmt.Errorf("not an XML document: %w", err)
	}
	root := doc.Root()
	if root == nil {
		return nil, fmt.Errorf("not an XML document: no root element")
	}
	ctx, err := dsig.NewSigningContext(by.Signer, [][]byte{by.DER})
	if err != nil {
		return nil, err
	}
	ctx.Canonicalizer = dsig.MakeC14N10RecCanonicalizer()
	ctx.IdAttribute = "\x00" // no attribute: the whole document is meant, URI=""
	signed, err := ctx.SignEnveloped(root)
	if err != nil {
		return nil, fmt.Errorf("goxmldsig: %w", err)
	}
	doc.SetRoot(signed)
	return doc.WriteToBytes()
}

// tampered changes one character of the first text of a signed document that
// stands outside its signature.
func tampered(document []byte) []byte {
	doc := newDocument()
	doc.Child = nil
	if doc.ReadFromBytes(document) != nil || doc.Root() == nil {
		return document
	}
	if e := firstText(doc.Root()); e != nil {
		e.SetText(e.Text() + "1")
	}
	out, err := doc.WriteToBytes()
	if err != nil {
		return document
	}
	return out
}

func firstText(e *etree.Element) *etree.Element {
	if e.Tag == "Signature" {
		return nil
	}
	children := e.ChildElements()
	if len(children) == 0 && strings.TrimSpace(e.Text()) != "" {
		return e
	}
	// The last fields first: the number of a person is what other tweaks change.
	for _, child := range slices.Backward(children) {
		if found := firstText(child); found != nil {
			return found
		}
	}
	return nil
}
