package soap

import (
	"reflect"
	"strings"

	"kopir/signature/xmltree"
)

// Read reads an envelope. The error is an *Error.
//
// What it returns is what stands in the message, not what was signed: for a
// signed message judge the signature first and give the verified Body to
// ReadBody.
func Read(doc *xmltree.Document) (*Message, error) {
	root := doc.Root()
	switch {
	case root.Is(Envelope12, "Envelope"):
		return nil, refuse(CodeVersion, root, "Envelope", "SOAP 1.2; this channel speaks SOAP 1.1")
	case !root.Is(Envelope11, "Envelope"):
		return nil, refuse(CodeNotSOAP, root, root.Local(), "the root must be the Envelope of SOAP 1.1")
	}
	var header, body xmltree.Node
	for child, err := range elementsOnly(root, "Envelope") {
		switch {
		case err != nil:
			return nil, err
		case child.Is(Envelope11, "Header"):
			if !header.IsZero() {
				return nil, refuse(CodeRepeated, child, "Envelope/Header", "one Header at most")
			}
			if !body.IsZero() {
				return nil, refuse(CodeUnexpected, child, "Envelope/Header", "the Header stands before the Body")
			}
			header = child
		case child.Is(Envelope11, "Body"):
			if !body.IsZero() {
				return nil, refuse(CodeRepeated, child, "Envelope/Body", "exactly one Body")
			}
			body = child
		default:
			return nil, refuse(CodeUnexpected, child, "Envelope/"+child.Local(), "an Envelope holds Header and Body")
		}
	}
	if body.IsZero() {
		return nil, refuse(CodeMissing, root, "Envelope/Body", "exactly one Body")
	}
	m, err := ReadBody(body)
	if err != nil {
		return nil, err
	}
	if !header.IsZero() {
		if err := m.readHeader(header); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// actorNext is the actor that every node is (SOAP 1.1, 4.2.2).
const actorNext = "http://schemas.xmlsoap.org/soap/actor/next"

// readHeader finds the security header. Entries for other nodes are let alone;
// an unknown one is passed over unless it demands to be understood (SOAP 1.1,
// 4.2.2 and 4.2.3).
func (m *Message) readHeader(header xmltree.Node) error {
	const path = "Envelope/Header"
	for entry, err := range elementsOnly(header, path) {
		if err != nil {
			return err
		}
		if actor, _ := entry.Attr(Envelope11, "actor"); actor != "" && actor != actorNext {
			continue
		}
		switch at := path + "/" + entry.Local(); {
		case entry.Is(WSSE, "Security"):
			if !m.Security.IsZero() {
				return refuse(CodeRepeated, entry, at, "one Security header at most")
			}
			m.Security = entry
		case entry.Is(DSig, "Signature"):
			if !m.Signature.IsZero() {
				return refuse(CodeRepeated, entry, at, "one Signature at most")
			}
			m.Signature = entry
		default:
			if must, ok := entry.Attr(Envelope11, "mustUnderstand"); ok && strings.Trim(must, space) != "0" {
				return refuse(CodeMustUnderstand, entry, at, "this header is not supported")
			}
		}
	}
	return nil
}

// ReadBody reads a message from its Body: that of an envelope, or one parsed
// from the verified bytes of a signature. The error is an *Error.
func ReadBody(body xmltree.Node) (*Message, error) {
	if !body.Is(Envelope11, "Body") {
		return nil, refuse(CodeNotSOAP, body, body.Local(), "not the Body of SOAP 1.1")
	}
	const path = "Envelope/Body"
	var content xmltree.Node
	for child, err := range elementsOnly(body, path) {
		if err != nil {
			return nil, err
		}
		if !content.IsZero() {
			return nil, refuse(CodeRepeated, child, path+"/"+child.Local(), "a Body holds one message")
		}
		content = child
	}
	if content.IsZero() {
		return nil, refuse(CodeMissing, body, path, "the Body is empty")
	}
	if content.Is(Envelope11, "Fault") {
		return readFault(content, path+"/Fault")
	}
	return readWrapper(content, path+"/"+content.Local())
}

func readWrapper(wrapper xmltree.Node, path string) (*Message, error) {
	op, kind := operationOf(wrapper)
	if op == NoOperation {
		for _, row := range operations {
			if wrapper.Local() == row.name || wrapper.Local() == row.name+"Response" {
				return nil, refuse(CodeNamespace, wrapper, path, "no operation of this name in that namespace")
			}
		}
		return nil, refuse(CodeOperation, wrapper, path, "not a message of SyncChannel or AsyncChannel")
	}
	payload, name := operations[op].request(), "request"
	if kind == Response {
		payload, name = operations[op].answer(), "response"
	}
	m := &Message{Operation: op, Kind: kind, Payload: payload}
	if err := m.readContent(wrapper, name, path+"/"+name); err != nil {
		err.Operation = op
		return nil, err
	}
	return m, nil
}

// readContent reads the wrapper's one child into the payload.
func (m *Message) readContent(wrapper xmltree.Node, name, path string) *Error {
	var content xmltree.Node
	for child, err := range elementsOnly(wrapper, path) {
		if err != nil {
			return err
		}
		if err := expectLocal(child, name, path); err != nil {
			return err
		}
		if !content.IsZero() {
			return refuse(CodeRepeated, child, path, "exactly one")
		}
		content = child
	}
	group := reflect.ValueOf(m.Payload).Elem()
	if !content.IsZero() && isNil(content) && !isBlank(content) {
		return refuse(CodeValue, content, path, "says to be nil and holds something")
	}
	if content.IsZero() || isNil(content) {
		// The schema lets it be nil; that is worth nothing unless every part
		// of it may be missing, as in the empty answers to a push.
		if path, missing := firstMissing(group.Type(), path); missing {
			return refuse(CodeMissing, wrapper, path, "exactly one")
		}
		return nil
	}
	return readGroup(content, group, path)
}

// operationOf finds the operation by the wrapper's namespace and name.
func operationOf(wrapper xmltree.Node) (Operation, Kind) {
	for op, row := range operations {
		switch {
		case wrapper.Is(row.space, row.name):
			return op, Request
		case wrapper.Is(row.space, row.name+"Response"):
			return op, Response
		}
	}
	return NoOperation, NoKind
}

// firstMissing names the first element that must not be missing from a group.
func firstMissing(t reflect.Type, path string) (string, bool) {
	for _, f := range plan(t) {
		if !f.optional && !f.tolerate {
			return path + "/" + f.name, true
		}
	}
	return "", false
}
