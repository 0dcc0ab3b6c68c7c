package signature

import (
	"bytes"
	"context"
	"errors"

	"kopir/signature/cms"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// Document is what somebody signed, read from any of the forms in which it is
// brought: XML with its signatures inside, as a document of its own or as an
// element of another; a CMS message around anything; or anything with a CMS
// message beside it.
type Document struct {
	// Root is that of XML as it stands, signed or not; zero for the other forms.
	Root xmltree.Node

	element  bool   // Root stands inside another document
	message  []byte // CMS
	detached []byte // what a message stands beside; nil: it is attached
}

// ReadDocument reads XML, or an attached CMS message in DER, PEM or base64.
// Which of them is told by how it begins; what is neither is an *xmltree.Error.
func ReadDocument(src []byte) (*Document, error) {
	if message := cms.Unwrap(src); begins(message) {
		return &Document{message: message}, nil
	}
	// White space before an XML declaration is an accident of carrying it.
	doc, err := xmltree.Parse(bytes.TrimLeft(src, base64Space), xmltree.DefaultLimits())
	if err != nil {
		return nil, err
	}
	return &Document{Root: doc.Root()}, nil
}

// ReadDetached takes content of any kind and the CMS message beside it, in DER,
// PEM or base64.
func ReadDetached(content, message []byte) (*Document, error) {
	message = cms.Unwrap(message)
	if !begins(message) {
		return nil, errors.New("the signature beside the document is not a CMS message (DER, PEM or base64)")
	}
	if content == nil {
		content = []byte{}
	}
	return &Document{message: message, detached: content}, nil
}

// ElementDocument is an element that was signed as a document of its own, as
// of XMLDSigElement.
func ElementDocument(n xmltree.Node) *Document { return &Document{Root: n, element: true} }

// begins: the bytes begin as a SEQUENCE of 128 bytes or more, or of indefinite
// length, does. No XML does.
func begins(src []byte) bool { return len(src) > 1 && src[0] == 0x30 && src[1] >= 0x80 }

// Document judges the signatures of a document, whatever its form. The rules
// are those of XMLDSig, XMLDSigElement and CMS; Content is what was signed.
func (v *Verifier) Document(ctx context.Context, d *Document, want Want) *Verdict {
	switch {
	case d == nil:
		return failed(refuse(verdict.CheckFormat, verdict.FormatFailure, "there is no document"))
	case d.message != nil:
		return v.CMS(ctx, d.message, d.detached, want)
	case d.element:
		return v.XMLDSigElement(ctx, d.Root, want)
	default:
		return v.XMLDSig(ctx, d.Root.Document(), want)
	}
}
