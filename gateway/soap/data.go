package soap

import (
	"bytes"
	"fmt"

	"kopir/signature/xmltree"
)

// Form is how a business document is carried in data.
type Form string

const (
	NoData  Form = ""        // no data element
	Empty   Form = "empty"   // a data element without content
	Escaped Form = "escaped" // the document as text, data typed xs:string: the commonest
	Untyped Form = "untyped" // the same without an xsi:type
	CDATA   Form = "cdata"   // written as a CDATA section; read as Escaped or Untyped, as no signature tells them apart
	Nested  Form = "nested"  // elements
)

// TypeName is an xsi:type. Exclusive canonicalisation drops the declaration of
// a prefix that occurs in a value only, so the namespace may be unknown.
type TypeName struct{ Space, Prefix, Local string }

// IsZero reports whether there was no xsi:type.
func (t TypeName) IsZero() bool { return t == TypeName{} }

// Data is the business document of a message.
type Data struct {
	Form  Form
	Type  TypeName // xsi:type. Build gives Escaped and CDATA xs:string whatever stands here
	Space string   // namespace of the data element itself; nearly always none
	// Text is the document of Escaped, Untyped and CDATA with one level of
	// escaping removed. It may be part of the message's own bytes: read only.
	Text []byte
	// Node is the data element as read; the document of Nested is below it.
	Node xmltree.Node
	// XML is what Build writes for Nested: one or more elements, well-formed
	// and declaring the prefixes they use. It is written as it is.
	XML []byte
}

// EscapedData carries a document as text typed xs:string.
func EscapedData(document []byte) Data { return Data{Form: Escaped, Text: document} }

// NestedData carries elements; they are written as they are.
func NestedData(elements []byte) Data { return Data{Form: Nested, XML: elements} }

// InForm carries a document in the form that a partner reads. Of a nested one an
// XML declaration is taken off: it becomes an element of another document.
func InForm(form Form, document []byte) (Data, error) {
	switch form {
	case Escaped:
		return EscapedData(document), nil
	case CDATA:
		return Data{Form: CDATA, Text: document}, nil
	case Nested:
		return NestedData(withoutDeclaration(document)), nil
	default:
		return Data{}, fmt.Errorf("soap: %q is no form in which a document is sent", form)
	}
}

func withoutDeclaration(document []byte) []byte {
	document = bytes.TrimPrefix(document, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(document, []byte("<?xml ")) {
		if end := bytes.Index(document, []byte("?>")); end >= 0 {
			document = bytes.TrimLeft(document[end+2:], "\t\r\n ")
		}
	}
	return document
}

// Document is the text of a textual form, nil of any other.
func (d Data) Document() []byte {
	switch d.Form {
	case Escaped, Untyped, CDATA:
		return d.Text
	default:
		return nil
	}
}
