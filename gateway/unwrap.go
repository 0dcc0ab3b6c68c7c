package gateway

import (
	"time"

	"kopir/gateway/soap"
	"kopir/mappings"
	"kopir/signature"
)

// paper is the document in which somebody applies, as it was unwrapped.
type paper struct {
	service *mappings.Service
	channel Channel
	at      time.Time // of receipt: the time of judgement
	doc     *signature.Document
	system  *signature.Verdict // of the envelope, where that is all that is signed
	body    []byte             // what a later judgement begins from
	form    soap.Form          // how data carried it; none where it came bare
	as      soap.MessageType   // what the message says it is
	counter *counter           // where a specialist brings it; nil: a partner does
}

// unwrap finds the document in the data of a message, in whatever form it is
// carried.
func (b *Bridge) unwrap(s *mappings.Service, ch Channel, at time.Time, system *signature.Verdict, d soap.Data) (*paper, error) {
	p := &paper{service: s, channel: ch, at: at, system: system}
	if c, ok := system.Content(); ok {
		p.body = c.Bytes()
	}
	return p, p.open(d)
}

func (p *paper) open(d soap.Data) error {
	p.form = d.Form
	switch d.Form {
	case soap.Escaped, soap.Untyped, soap.CDATA:
		var err error
		p.doc, err = readDocument("data", d.Document())
		return err
	case soap.Nested:
		if p.service.Begins(d.Node) {
			p.doc = signature.ElementDocument(d.Node) // data itself is the document
			return nil
		}
		for n := range d.Node.Elements() {
			if p.doc != nil {
				return refuse(Malformed, "data", "more than one document")
			}
			p.doc = signature.ElementDocument(n)
		}
		if p.doc == nil {
			return refuse(Malformed, "data", "no document")
		}
		return nil
	default:
		return refuse(Malformed, "data", "the document of the application is missing")
	}
}

// readDocument reads a document from the bytes of a field: XML, or CMS around it.
func readDocument(field string, src []byte) (*signature.Document, error) {
	doc, err := signature.ReadDocument(src)
	if err != nil {
		e := unreadable(err).(*Error)
		e.Field = field
		return nil, e
	}
	return doc, nil
}

// reopen opens a paper that was kept: the Body of its message, or the bare
// document of the office channel. id is that of its message.
func reopen(s *mappings.Service, ch Channel, at time.Time, kept []byte, id string) (*paper, error) {
	doc, err := readDocument("", kept)
	if err != nil {
		return nil, err
	}
	p := &paper{service: s, channel: ch, at: at, doc: doc, body: kept}
	if !doc.Root.Is(soap.Envelope11, "Body") {
		return p, nil
	}
	m, err := soap.ReadBody(doc.Root)
	if err != nil {
		return nil, malformed(err)
	}
	if got, ok := m.Payload.(*soap.AsyncGetMessagesResponse); ok {
		if m, err = pick(m, got, id); err != nil {
			return nil, err
		}
	}
	p.doc = nil
	return p, p.open(m.Data())
}

// Reopen opens a document as it was opened when it came, to judge it again:
// out of the signed Body of its message, or as it was filed. id is the messageId
// by which a message was fetched.
func Reopen(s *mappings.Service, kept []byte, id string) (*signature.Document, error) {
	p, err := reopen(s, "", time.Time{}, kept, id)
	if err != nil {
		return nil, err
	}
	return p.doc, nil
}
