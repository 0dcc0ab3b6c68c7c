package soap

import (
	"reflect"
	"strings"

	"kopir/signature/xmltree"
)

// readFault reads a SOAP 1.1 fault. It forgives more than requests are
// forgiven: a fault that cannot be read leaves its receiver not knowing
// whether the message arrived.
func readFault(fault xmltree.Node, path string) (*Message, error) {
	f := &Fault{}
	seen := map[string]bool{}
	for child, err := range elementsOnly(fault, path) {
		if err != nil {
			return nil, err
		}
		at := path + "/" + child.Local()
		if child.Space() != "" && child.Space() != Envelope11 {
			return nil, refuse(CodeNamespace, child, at, "must be in no namespace")
		}
		if seen[child.Local()] {
			return nil, refuse(CodeRepeated, child, at, "one at most")
		}
		seen[child.Local()] = true
		switch text := strings.Trim(child.Text(), space); child.Local() {
		case "faultcode":
			f.Code = faultCode(child, text)
		case "faultstring":
			f.String = text
		case "faultactor":
			f.Actor = text
		case "detail":
			if err := f.readDetail(child, at); err != nil {
				return nil, err
			}
		default:
			return nil, refuse(CodeUnexpected, child, at, "not a part of a SOAP 1.1 fault")
		}
	}
	if f.Code == "" {
		return nil, refuse(CodeMissing, fault, path+"/faultcode", "exactly one, not empty")
	}
	return &Message{Operation: f.Operation, Kind: FaultKind, Payload: f}, nil
}

// faultCode takes the envelope's prefix off SOAP's own codes and leaves any
// other value as it is.
func faultCode(n xmltree.Node, value string) string {
	prefix, local, found := strings.Cut(value, ":")
	if !found {
		return value
	}
	if uri, ok := n.Namespace(prefix); ok && uri == Envelope11 {
		return local
	}
	// A prefix that occurs in a value only loses its declaration in exclusive
	// canonicalisation.
	if class, _, _ := strings.Cut(local, "."); soapCodes[class] {
		return local
	}
	return value
}

// readDetail reads the typed element; what others put into detail is noted and
// passed over.
func (f *Fault) readDetail(detail xmltree.Node, path string) *Error {
	for child := range detail.Elements() {
		op := NoOperation
		for candidate, row := range operations {
			if child.Is(row.space, row.fault) {
				op = candidate
			}
		}
		if op == NoOperation {
			f.Foreign = true
			continue
		}
		at := path + "/" + child.Local()
		if f.Operation != NoOperation {
			return refuse(CodeRepeated, child, at, "one typed detail at most")
		}
		f.Operation = op
		if isNil(child) && isBlank(child) {
			continue
		}
		f.Info = new(ErrorInfo)
		if err := readGroup(child, reflect.ValueOf(f.Info).Elem(), at); err != nil {
			return err
		}
	}
	return nil
}
