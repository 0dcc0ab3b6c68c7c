package soap

import (
	"errors"
	"reflect"
	"testing"

	"kopir/signature/xmltree"
)

// FuzzRead: no input panics, every refusal is a located *Error, and a message
// that is read can be built again with the same content, unless it uses what
// only reading forgives.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"sync-request.xml", "async-request.xml", "fault.xml"} {
		f.Add([]byte(sample(f, name)))
	}
	for _, p := range payloads {
		out, err := Build(filled(p, true))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(out)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		doc, err := xmltree.Parse(src, xmltree.Limits{Bytes: 1 << 20})
		if err != nil {
			return
		}
		m, err := Read(doc)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Code == "" || e.Path == "" || m != nil {
				t.Fatalf("refused with %#v", err)
			}
			return
		}
		if op, kind := m.Payload.message(); kind != m.Kind || op != m.Operation && m.Operation != ClientSendMessage {
			t.Fatalf("%s %s holds %T", m.Operation, m.Kind, m.Payload)
		}
		if m.Data().Form == Nested {
			return // Build writes Data.XML, which reading does not set
		}
		out, err := Build(m.Payload)
		if err != nil {
			return
		}
		again, err := xmltree.Parse(out, xmltree.Limits{})
		if err != nil {
			t.Fatalf("built what cannot be parsed: %v\n%s", err, out)
		}
		back, err := Read(again)
		if err != nil {
			t.Fatalf("built what cannot be read: %v\n%s", err, out)
		}
		if back.Kind != m.Kind || reflect.TypeOf(back.Payload) != reflect.TypeOf(m.Payload) || back.MessageID() != m.MessageID() ||
			string(back.Data().Document()) != string(m.Data().Document()) {
			t.Fatalf("came back as another message:\n%s\nfrom\n%s", out, src)
		}
	})
}
