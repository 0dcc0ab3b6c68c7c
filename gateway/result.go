package gateway

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// ResultWish says which result an official is to sign.
type ResultWish struct {
	Result   string            // id of the service's results; may be empty where the state has one only
	State    State             // with an empty Result: Completed when empty, or Refused
	Ground   *Ground           // of a refusal, as in a Decision
	Official Party             // who will sign, if known; with an IIN nobody else can
	Post     Text              // of the official
	Values   map[string]string // what the form of the result asks for, by name
}

// DraftResult gives the document that the official signs: exactly these
// octets, enveloped signature or CMS around them. It changes nothing, and the
// same wish gives the same octets on the same day.
func (b *Bridge) DraftResult(ctx context.Context, number string, w ResultWish) (*Document, error) {
	app, err := b.Application(ctx, number)
	if err != nil {
		return nil, err
	}
	s, err := b.described(app)
	if err != nil {
		return nil, err
	}
	d := b.draft(s, app.Channel, b.now().UTC())
	d.app = app
	r, err := d.choose(w.Result, w.State)
	if err != nil {
		return nil, err
	}
	if err := allowed(app.State, State(r.State)); err != nil {
		return nil, &Error{Code: MoveNotAllowed, Field: "state", Say: err.Error()}
	}
	wish := d.outcomeWish(r, w)
	if State(r.State) == Refused {
		g, err := d.decided(w.Ground)
		if err != nil {
			return nil, err
		}
		wish.GroundCode, wish.Ground = g.Code, g.Text.mapped()
	}
	out, faults, err := s.Outcome(wish)
	if err != nil {
		return nil, &Error{Code: Internal, Say: "the result document could not be drafted", Cause: err}
	}
	if len(faults) > 0 {
		e := &Error{Code: InvalidFields, Say: "the result lacks what its form asks for", Ground: &Ground{}}
		for _, f := range faults {
			e.Ground.Faults = append(e.Ground.Faults, FieldFault{Field: f.Field, Path: f.Path, Rule: f.Rule, Text: text(f.Text)})
		}
		return nil, e
	}
	content, err := out.Document()
	if err != nil {
		return nil, &Error{Code: Internal, Say: "the result document could not be written", Cause: err}
	}
	sum := sha256.Sum256(content)
	return &Document{Kind: r.ID, Name: r.ID + ".xml", MediaType: xmlType, Content: content, SHA256: hex.EncodeToString(sum[:])}, nil
}

const (
	xmlType = "application/xml"
	cmsType = "application/pkcs7-mime"
)

func (d *draft) outcomeWish(r mappings.Result, w ResultWish) mappings.OutcomeWish {
	a, zone := d.app, d.b.zone()
	office, _ := d.b.set().Offices.Office(a.Office)
	return mappings.OutcomeWish{
		Number: a.Number, PartnerNumber: a.PartnerNumber, Channel: string(a.Channel), ReceivedAt: a.ReceivedAt.In(zone), At: d.at.In(zone),
		IIN: string(a.Applicant.IIN), BIN: string(a.Applicant.BIN), Applicant: a.Applicant.Name, Office: office,
		Result: r.ID, Official: w.Official.Name, OfficialIIN: string(w.Official.IIN), Post: w.Post.mapped(), Values: w.Values,
	}
}

// choose finds the result that is meant: by its id, or the only one of a state.
func (d *draft) choose(id string, state State) (mappings.Result, error) {
	if state == "" {
		state = Completed
	}
	if !state.Final() {
		return mappings.Result{}, refuse(Malformed, "state", "a decision is %s or %s", Completed, Refused)
	}
	var ids []string
	var found mappings.Result
	for _, r := range d.service.Results {
		if r.ID == id {
			return r, nil
		}
		if State(r.State) == state {
			ids, found = append(ids, r.ID), r
		}
	}
	if id == "" && len(ids) == 1 {
		return found, nil
	}
	return mappings.Result{}, refuse(Malformed, "result", "which result is it? %s has %s", d.service.ID, strings.Join(ids, ", "))
}

// Decide ends an application: with a result that an official signed, positive
// or negative, or with a refusal and its ground. A signed result must be of
// this application; the draft of DraftResult says so itself.
func (b *Bridge) Decide(ctx context.Context, number string, who Actor, dec Decision) (*Application, error) {
	switch {
	case dec.State != "" && !dec.State.Final():
		return nil, refuse(Malformed, "state", "a decision is %s or %s", Completed, Refused)
	case dec.Result == nil && dec.State != Refused:
		return nil, refuse(Malformed, "result", "the result document is missing")
	}
	var result *official
	if dec.Result != nil {
		var err error
		if result, err = b.judgeResult(ctx, dec.Result); err != nil {
			return nil, err
		}
	}
	if dec.State != Refused && (result.outcome == nil || result.outcome.State != string(Refused)) {
		if err := b.settled(ctx, number); err != nil {
			return nil, err
		}
	}
	return b.amend(ctx, number, dec.Version, func(d *draft) error {
		if err := d.mine(who); err != nil {
			return err
		}
		if err := d.decides(); err != nil {
			return err
		}
		to := dec.State
		if result != nil {
			own := *result
			var err error
			if to, d.app.Refusal, err = d.bind(&own, dec); err != nil {
				return err
			}
			if err := allowed(d.app.State, to); err != nil {
				return &Error{Code: MoveNotAllowed, Field: "state", Say: err.Error()}
			}
			d.attach(&own, who)
			d.issue()
		} else {
			var err error
			if d.app.Refusal, err = d.decided(dec.Ground); err != nil {
				return err
			}
		}
		return d.enter(to, who)
	})
}

// decided is the ground of a specialist's refusal: one of the service's own,
// or the specialist's words in the frame of the reasoned refusal.
func (d *draft) decided(g *Ground) (*Ground, error) {
	if g == nil || g.Code == "" && (g.Text.RU == "" || g.Text.KK == "") {
		return nil, refuse(Malformed, "ground", "a refusal needs its ground: a code of the service, or a text in both languages")
	}
	code := g.Code
	if code == "" {
		code = "reasoned-refusal"
	}
	t, ok := d.service.Refusal(code, d.channel.ID, g.Text.mapped())
	switch {
	case !ok:
		return nil, refuse(Malformed, "ground/code", "%q is no refusal of this service", code)
	case strings.Contains(t.Ru, "{") || strings.Contains(t.Kk, "{"), g.Text == Text{} && d.service.NeedsGround(code, d.channel.ID):
		return nil, refuse(Malformed, "ground/text", "this refusal needs its ground in words, in both languages")
	}
	return &Ground{Code: code, Text: text(t), Faults: g.Faults}, nil
}

// official is a result with the verdict over its official's signature.
type official struct {
	doc      Document
	evidence Evidence
	content  signature.Content
	root     xmltree.Node      // of what was signed
	outcome  *mappings.Outcome // of a document of our own shape
}

// readResult reads a result in the form in which it was signed: XML with the
// signature inside, CMS around it, or CMS beside it.
func readResult(r *Document) (*signature.Document, error) {
	if len(r.Signature) == 0 {
		return readDocument("result/content", r.Content)
	}
	doc, err := signature.ReadDetached(r.Content, r.Signature)
	if err != nil {
		return nil, &Error{Code: Malformed, Field: "result/signature", Say: err.Error(), Cause: err}
	}
	return doc, nil
}

// judgeOfficial verifies the signature of a document: of an employee of the
// provider, over the whole of it.
func (b *Bridge) judgeOfficial(ctx context.Context, r *Document) (*official, error) {
	at := b.now().UTC()
	signed, err := readResult(r)
	if err != nil {
		return nil, err
	}
	v := b.o.Verifier.Document(ctx, signed, signature.Want{At: at})
	b.verdicts.count(ByOfficial, v)
	switch {
	case v.Outcome == verdict.Passed:
	case v.Reason == verdict.NoSignature:
		return nil, &Error{Code: SignatureMissing, Field: "result/content", Reason: v.Reason, Say: "the result must be signed by an official of the provider"}
	case askAgain(v):
		return nil, &Error{Code: TryLater, Field: "result/content", Reason: v.Reason, Say: "it could not be found out whether the official's certificate is revoked"}
	default:
		return nil, &Error{Code: SignatureRefused, Field: "result/content", Reason: v.Reason, Say: detail(v)}
	}
	o := &official{doc: *r, evidence: b.evidence(ByOfficial, at, v)}
	for _, s := range v.Signatures {
		if p := party(s.Certificate); b.official(p) && p.IIN != "" {
			o.doc.SignedBy, o.doc.Certificate = &p, &Certificate{Serial: s.Signer().Serial, NotAfter: s.Certificate.NotAfter}
		}
	}
	if o.doc.SignedBy == nil {
		return nil, &Error{Code: SignatureRefused, Field: "result/content", Reason: verdict.BINMismatch, Say: "the result is signed, but by nobody of the provider's organisation"}
	}
	var ok bool
	if o.content, ok = v.Content(); !ok || !signed.Root.IsZero() && !v.Whole(signed.Root.Document()) {
		// What is shown and sent is the document, so nothing in it may be unsigned.
		return nil, &Error{Code: SignatureRefused, Field: "result/content", Reason: verdict.SigConstraintsFailure, Say: "the signatures do not cover the whole document"}
	}
	sum := sha256.Sum256(r.Content)
	o.doc.SHA256, o.doc.SignedAt = hex.EncodeToString(sum[:]), at
	media, name := xmlType, "result.xml"
	switch {
	case len(r.Signature) > 0:
		media, name = cmp.Or(r.MediaType, "application/octet-stream"), "result"
	case signed.Root.IsZero():
		media, name = cmsType, "result.p7m"
	}
	o.doc.MediaType, o.doc.Name = media, cmp.Or(r.Name, name)
	o.evidence.Document = r.Content
	if len(r.Signature) > 0 {
		o.evidence.Proofs = append(o.evidence.Proofs, verdict.Prove(verdict.ProofBeside, r.Signature))
	}
	return o, nil
}

// judgeResult verifies a result document and reads what was signed.
func (b *Bridge) judgeResult(ctx context.Context, r *Document) (*official, error) {
	o, err := b.judgeOfficial(ctx, r)
	if err != nil {
		return nil, err
	}
	tree, err := o.content.Tree()
	if err != nil {
		return nil, &Error{Code: WrongResult, Field: "result/content", Say: "what is signed is no XML, so that it cannot be told whose result it is", Cause: err}
	}
	if o.root = tree.Root(); o.root.Is(mappings.OutcomeNS, "result") {
		if o.outcome, err = mappings.ReadOutcome(o.root); err != nil {
			return nil, &Error{Code: WrongResult, Field: "result/content", Say: err.Error(), Cause: err}
		}
	}
	if len(r.Signature) > 0 {
		o.doc.MediaType, o.doc.Name = xmlType, cmp.Or(r.Name, "result.xml")
	}
	return o, nil
}

// bind says whether a signed result is one of this application, and what it
// decides. A genuine result of somebody else must never end this one.
func (d *draft) bind(o *official, dec Decision) (to State, ground *Ground, err error) {
	wrong := func(field, format string, args ...any) error {
		return refuse(WrongResult, "result/content/"+field, "the signed document %s", fmt.Sprintf(format, args...))
	}
	if o.outcome == nil {
		return d.bindForeign(o, dec)
	}
	out := o.outcome
	r, known := d.service.Result(out.Result)
	today := d.at.In(d.b.zone()).Format(time.DateOnly)
	switch {
	case out.Number != d.app.Number:
		err = wrong("application/number", "is of another application")
	case out.Service != d.service.ID:
		err = wrong("service/id", "is of another service")
	case out.IIN != string(d.app.Applicant.IIN) || out.BIN != string(d.app.Applicant.BIN):
		err = wrong("applicant", "is of another applicant")
	case !known || r.State != out.State || r.Kind != out.Kind:
		err = wrong("decision", "does not decide as a result of this service can; draw it up anew by GET /result/draft")
	case dec.State != "" && State(out.State) != dec.State:
		err = wrong("decision/state", "decides otherwise: %s", out.State)
	case dec.Result.Kind != "" && dec.Result.Kind != out.Result:
		err = wrong("decision/result", "is another result: %s", out.Result)
	case out.Date > today || out.Date < min(today, d.app.ReceivedAt.In(d.b.zone()).Format(time.DateOnly)): // what came tomorrow was dated by a wrong clock
		err = wrong("decision/date", "is dated in the future or before the application came")
	case out.OfficialIIN != "" && out.OfficialIIN != string(o.doc.SignedBy.IIN):
		err = wrong("official/iin", "was drawn up for another official to sign")
	}
	if err != nil {
		return "", nil, err
	}
	o.doc.Kind = out.Result
	if State(out.State) == Refused {
		// The words are those that were signed; the code must be one of the service.
		ground = &Ground{Code: out.GroundCode, Text: text(out.Ground)}
		if _, ok := d.service.Refusal(out.GroundCode, d.channel.ID, mappings.Text{}); !ok || ground.Text.RU == "" || ground.Text.KK == "" {
			return "", nil, wrong("ground", "refuses without a ground of this service in both languages")
		}
	}
	return State(out.State), ground, nil
}

// bindForeign does the same for a document of the akimat's own system, by the
// paths that the description names.
func (d *draft) bindForeign(o *official, dec Decision) (to State, ground *Ground, err error) {
	shape, ok := d.service.ForeignResult(o.root)
	if !ok {
		return "", nil, refuse(WrongResult, "result/content", "the root %s is neither that of a draft (GET /result/draft) nor one that foreign_results of %s names, so that it cannot be told whose result it is", o.root.Local(), d.service.ID)
	}
	values, err := shape.Read(o.root)
	if err != nil {
		return "", nil, &Error{Code: WrongResult, Field: "result/content", Say: err.Error(), Cause: err}
	}
	switch {
	case values.Number != d.app.Number:
		return "", nil, refuse(WrongResult, "result/content/"+shape.Number, "the signed document does not name this application there")
	case shape.Applicant != "" && values.Applicant != string(d.app.Applicant.IIN) && values.Applicant != string(d.app.Applicant.BIN):
		return "", nil, refuse(WrongResult, "result/content/"+shape.Applicant, "the signed document does not name this applicant there")
	case shape.Result != "" && dec.Result.Kind != "" && values.Result != dec.Result.Kind:
		return "", nil, refuse(WrongResult, "result/content/"+shape.Result, "the signed document is another result: %s", values.Result)
	}
	id := values.Result
	if id == "" {
		id = dec.Result.Kind
	}
	r, err := d.choose(id, dec.State)
	switch {
	case err != nil:
		return "", nil, err
	case dec.State != "" && State(r.State) != dec.State:
		return "", nil, refuse(WrongResult, "state", "the result %s leads to %s", r.ID, r.State)
	}
	o.doc.Kind = r.ID
	if State(r.State) == Refused {
		if ground, err = d.decided(dec.Ground); err != nil {
			return "", nil, err
		}
	}
	return State(r.State), ground, nil
}

// attach puts the result into the change; its content travels in Result alone.
func (d *draft) attach(o *official, who Actor) {
	doc := o.doc
	doc.Token = strings.ReplaceAll(d.b.newToken(), "-", "")
	d.change.Result = &doc
	meta := doc
	meta.Content, meta.Signature = nil, nil
	d.app.Result = &meta
	d.change.Evidence = append(d.change.Evidence, o.evidence)
	d.awaitPickup()
	d.event(Event{Kind: EventResult, Actor: who, Detail: doc.Name + " sha256:" + doc.SHA256})
}
