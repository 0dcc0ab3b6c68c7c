package soap

import (
	"testing"
	"time"

	"kopir/signature/xmltree"
)

// What InForm carries is read again as the document that it was.
func TestInForm(t *testing.T) {
	const document = "\ufeff<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<a xmlns=\"urn:a\">&lt;]]&gt;</a>"
	for form, want := range map[Form]Form{Escaped: Escaped, CDATA: Escaped, Nested: Nested} {
		d, err := InForm(form, []byte(document))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := Build(&AsyncSendMessageRequest{MessageInfo: AsyncMessageInfo{ServiceID: "S", MessageType: TypeRequest, MessageDate: time.Now(), Sender: SenderInfo{SenderID: "A"}}, MessageData: MessageData{Data: d}})
		if err != nil {
			t.Fatal(err)
		}
		doc, err := xmltree.Parse(raw, xmltree.DefaultLimits())
		if err != nil {
			t.Fatalf("%s: %v\n%s", form, err, raw)
		}
		m, err := Read(doc)
		if err != nil {
			t.Fatal(err)
		}
		got := m.Data()
		if got.Form != want {
			t.Errorf("%s is read as %s", form, got.Form)
		}
		root := got.Node
		if form == Nested {
			for n := range got.Node.Elements() {
				root = n
			}
		} else {
			inner, err := xmltree.Parse(got.Document(), xmltree.DefaultLimits())
			if err != nil {
				t.Fatalf("%s: %v\n%s", form, err, got.Document())
			}
			root = inner.Root()
		}
		if !root.Is("urn:a", "a") || root.Text() != "<]]>" {
			t.Errorf("%s: %s %q", form, root.Local(), root.Text())
		}
	}
	for _, form := range []Form{NoData, Empty, Untyped, "base64"} {
		if _, err := InForm(form, []byte("<a/>")); err == nil {
			t.Errorf("%q was carried", form)
		}
	}
}
