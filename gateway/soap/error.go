package soap

import (
	"fmt"
	"strings"
)

// Code says what is wrong with a message; a closed list.
type Code string

const (
	CodeNotSOAP        Code = "not_soap"           // the root is no SOAP envelope
	CodeVersion        Code = "soap_version"       // an envelope of another SOAP version
	CodeMustUnderstand Code = "must_understand"    // a header that demands what we do not do
	CodeOperation      Code = "unknown_operation"  // the Body holds no message of the contract
	CodeUnexpected     Code = "unexpected_element" // an element that the contract does not have there
	CodeNamespace      Code = "wrong_namespace"    // the right name in the wrong namespace
	CodeRepeated       Code = "repeated_element"   // two where one may be
	CodeMissing        Code = "missing_element"    // none, or an empty one, where one must be
	CodeText           Code = "unexpected_text"    // text between elements
	CodeValue          Code = "wrong_value"        // a value outside its type, list or length
	CodeData           Code = "unbuildable_data"   // Build only: data that cannot be written as asked
)

// Error is the refusal of a message: what is wrong, and where. It quotes no
// value of the message.
type Error struct {
	Code   Code
	Path   string // such as Envelope/Body/SendMessage/request/requestInfo/messageId
	Line   int    // in the source, 0 when there is none
	Detail string // what was expected, for a person
	// Operation is the one whose wrapper was recognised, so that the fault can
	// be of its kind; NoOperation when the fault lies further out.
	Operation Operation
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "soap: %s: %s", e.Code, e.Path)
	if e.Line > 0 {
		fmt.Fprintf(&b, " (line %d)", e.Line)
	}
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	return b.String()
}

// FaultCode is the SOAP 1.1 fault code (section 4.4.1) that answers the error,
// without a prefix.
func (e *Error) FaultCode() string {
	switch e.Code {
	case CodeVersion:
		return "VersionMismatch"
	case CodeMustUnderstand:
		return "MustUnderstand"
	case CodeData:
		return "Server"
	default:
		return "Client"
	}
}
