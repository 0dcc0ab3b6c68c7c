package signature

import "kopir/signature/xmltree"

// Content is what a signature that passed covers: exactly the octets that
// were digested. There is no way to make one but through a Verdict.
type Content struct {
	octets []byte
	name   string
}

// Bytes are the digested octets, canonical XML in UTF-8, or what a CMS message
// signs, whatever that is. They must not be changed.
func (c Content) Bytes() []byte { return c.octets }

// Name is {namespace}local of the outermost element; of CMS, the content type.
func (c Content) Name() string { return c.name }

// Tree reads the digested octets. Comments, namespaces in scope and all else
// that the signature did not cover are not there: a prefix that occurs only
// within values (xsi:type) has no declaration if exclusive canonicalization
// left it out.
func (c Content) Tree() (*xmltree.Document, error) {
	return xmltree.Parse(c.octets, xmltree.DefaultLimits())
}
