package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	printing "kopir/gateway/paper"
	"kopir/mappings"
	"kopir/signature/cms"
	"kopir/signature/xmltree"
)

// Paper is a result printed for people: made once, then always the same
// bytes, whatever becomes of the templates.
type Paper struct {
	Application string
	// Languages are those in it: "kk", "ru", or "" for both as the template says.
	Languages string
	Document
}

// ResultPaper is the result printed for people, in one language or in both.
func (b *Bridge) ResultPaper(ctx context.Context, number, language string) (*Document, error) {
	if language != "" && language != mappings.Kazakh && language != mappings.Russian {
		return nil, refuse(Malformed, "lang", "results are printed in kk, in ru, or in both")
	}
	kept, err := b.o.Store.Paper(ctx, number, language)
	if err == nil {
		return kept, nil
	} else if !errors.Is(err, ErrNotFound) {
		return nil, tryLater(err)
	}
	app, err := b.Application(ctx, number)
	if err != nil {
		return nil, err
	}
	result, err := b.Result(ctx, number)
	if err != nil {
		return nil, err
	}
	s, err := b.described(app)
	if err != nil {
		return nil, err
	}
	d := b.draft(s, app.Channel, b.now().UTC())
	d.app = app
	p, err := d.print(result, language)
	if err != nil {
		return nil, &Error{Code: Internal, Say: "the result could not be printed", Cause: err}
	}
	if err := b.o.Store.Commit(ctx, Change{Papers: []Paper{*p}}); err != nil {
		return nil, tryLater(err)
	}
	// Another may have been faster: the one that is kept counts.
	if kept, err = b.o.Store.Paper(ctx, number, language); err != nil {
		return nil, tryLater(err)
	}
	return kept, nil
}

// print makes the paper of a result that was judged.
func (d *draft) print(result *Document, language string) (*Paper, error) {
	r, ok := d.service.Result(result.Kind)
	if !ok {
		return nil, errors.New("the service has no result " + result.Kind)
	}
	p, ok := d.service.Paper(r)
	if !ok {
		return nil, errors.New("there is no paper " + r.Paper)
	}
	out, err := d.says(result, r)
	if err != nil {
		return nil, err
	}
	doc := printing.Document{Paper: p, Outcome: out, Address: d.b.VerifyAddress(result.Token), SignedAt: result.SignedAt.In(d.b.zone()),
		File: printing.File{Name: result.Name, MediaType: result.MediaType, Content: result.Content, SHA256: result.SHA256}}
	if s, ok := (&Issued{Document: *result}).Signature(); ok {
		doc.Beside = &printing.File{Name: s.Name, MediaType: s.MediaType, Content: s.Content}
	}
	if language != "" {
		doc.Languages = []string{language}
	}
	if by := result.SignedBy; by != nil {
		doc.Signer, doc.Organization = by.Name, by.Department
	}
	if c := result.Certificate; c != nil {
		doc.Serial, doc.ValidTo = c.Serial, c.NotAfter.In(d.b.zone())
	}
	content, err := printing.Print(doc)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	name := d.app.Number + ".pdf"
	if language != "" {
		name = d.app.Number + "-" + language + ".pdf"
	}
	return &Paper{Application: d.app.Number, Languages: language, Document: Document{
		Kind: result.Kind, Name: name, MediaType: mappings.PaperType, Content: content, SHA256: hex.EncodeToString(sum[:]), SignedAt: result.SignedAt,
	}}, nil
}

// says reads the kept result, which was judged when it was taken: what it says
// if it is of our own shape, else what our draft would have said.
func (d *draft) says(result *Document, r mappings.Result) (*mappings.Outcome, error) {
	content := cms.Unwrap(result.Content)
	if message, err := cms.Parse(content); err == nil && message.Attached {
		content = message.Content
	}
	tree, err := xmltree.Parse(bytes.TrimSpace(content), xmltree.DefaultLimits())
	if err != nil {
		return nil, err
	}
	if tree.Root().Is(mappings.OutcomeNS, "result") {
		return mappings.ReadOutcome(tree.Root())
	}
	wish := d.outcomeWish(r, ResultWish{})
	wish.At = result.SignedAt.In(d.b.zone())
	if g := d.app.Refusal; g != nil {
		wish.GroundCode, wish.Ground = g.Code, g.Text.mapped()
	}
	out, _, err := d.service.Outcome(wish) // what its form asks for stands in the document itself
	return out, err
}

// VerifyAddress is where anybody can verify the result of a token.
func (b *Bridge) VerifyAddress(token string) string {
	if b.o.PublicURL == "" || token == "" {
		return ""
	}
	return b.public("/verify/" + token)
}

// public is a path of ours as everybody reaches it.
func (b *Bridge) public(path string) string { return strings.TrimRight(b.o.PublicURL, "/") + path }

// Verification is what anybody who holds the address of a result learns: no
// name and no number of a person.
type Verification struct {
	Number  string    `json:"number"`
	Service Text      `json:"service"`
	Result  Text      `json:"result"`
	Outcome string    `json:"outcome"` // positive, negative
	At      time.Time `json:"date"`
	SHA256  string    `json:"sha256"` // of the signed electronic document
	// Match says what the digest that was asked about is of: "document", a
	// "paper" that the bridge printed, or "nothing" that it knows; empty when
	// none was asked about.
	Match string `json:"match,omitempty"`
}

// Verify tells what the holder of a token may know, and whether a digest
// (hexadecimal) is that of the result or of one of its papers.
func (b *Bridge) Verify(ctx context.Context, token, digest string) (*Verification, error) {
	unknown := &Error{Code: NotFound, Field: "token", Say: "there is no result with this token"}
	if len(token) != 32 {
		return nil, unknown
	}
	number, err := b.o.Store.Verifiable(ctx, token)
	if errors.Is(err, ErrNotFound) {
		return nil, unknown
	} else if err != nil {
		return nil, tryLater(err)
	}
	app, err := b.Application(ctx, number)
	if err != nil {
		return nil, err
	}
	v := &Verification{Number: number, At: app.Result.SignedAt, SHA256: app.Result.SHA256}
	if s, err := b.described(app); err == nil {
		r, _ := s.Result(app.Result.Kind)
		v.Service, v.Result, v.Outcome = text(s.Title), text(r.Name), r.Kind
	}
	if digest == "" {
		return v, nil
	}
	papers, err := b.o.Store.PaperDigests(ctx, number)
	if err != nil {
		return nil, tryLater(err)
	}
	v.Match = "nothing"
	for _, p := range papers {
		if strings.EqualFold(p, digest) {
			v.Match = "paper"
		}
	}
	if strings.EqualFold(app.Result.SHA256, digest) {
		v.Match = "document"
	}
	return v, nil
}
