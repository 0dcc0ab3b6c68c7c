package gateway

import (
	"context"
	"errors"

	"kopir/mappings"
	"kopir/signature/cms"
)

// Issued is a result with everything that goes out beside it.
type Issued struct {
	Document Document
	// Paper is the same printed for people; nil: it could not be printed, which
	// the application's history says.
	Paper *Document
	// Address is where anybody can verify it; empty without a public address.
	Address string
}

// Signature is the official's signature as a file of its own, where it stands
// beside the document and not in it.
func (i *Issued) Signature() (Document, bool) {
	if len(i.Document.Signature) == 0 {
		return Document{}, false
	}
	return Document{Kind: i.Document.Kind, Name: mappings.SignatureName(i.Document.Name), MediaType: mappings.SignatureType, Content: cms.Unwrap(i.Document.Signature)}, true
}

// files are all of them, the one for people first.
func (i *Issued) files() []Document {
	var all []Document
	if i.Paper != nil {
		all = append(all, *i.Paper)
	}
	doc := i.Document
	doc.Signature = nil
	all = append(all, doc)
	if s, ok := i.Signature(); ok {
		all = append(all, s)
	}
	return all
}

// file is what a notice says of it.
func (i *Issued) file() *mappings.ResultFile {
	f := &mappings.ResultFile{ID: i.Document.Kind, Name: i.Document.Name, Type: i.Document.MediaType, Content: i.Document.Content, Address: i.Address}
	if s, ok := i.Signature(); ok {
		f.Signature = s.Content
	}
	if i.Paper != nil {
		f.PaperName, f.Paper = i.Paper.Name, i.Paper.Content
	}
	return f
}

// issued reads the result of an application as it was issued; one that was not
// printed yet is printed now.
func (b *Bridge) issued(ctx context.Context, number string) (*Issued, error) {
	doc, err := b.o.Store.Result(ctx, number)
	if err != nil {
		return nil, err
	}
	i := &Issued{Document: *doc, Address: b.VerifyAddress(doc.Token)}
	var e *Error
	switch i.Paper, err = b.ResultPaper(ctx, number, ""); {
	case errors.As(err, &e) && e.Code == Internal: // it cannot be printed, today or tomorrow
		i.Paper = nil
	case err != nil:
		return nil, err
	}
	return i, nil
}

// issue prints the result of the change, so that it goes out with the very
// notices that tell of it. A result that cannot be printed is told without: the
// signed document is what counts, and the term runs.
func (d *draft) issue() {
	doc := d.change.Result
	d.issued = &Issued{Document: *doc, Address: d.b.VerifyAddress(doc.Token)}
	p, err := d.print(doc, "")
	if err != nil {
		d.event(Event{Kind: EventNote, Actor: Actor{Name: "bridge"}, Detail: "the result could not be printed: " + err.Error()})
		return
	}
	d.change.Papers = append(d.change.Papers, *p)
	d.issued.Paper = &p.Document
}
