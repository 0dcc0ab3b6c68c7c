package gateway

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"kopir/signature"
	"kopir/signature/verdict"
)

// mine says whether somebody may go on with an application that another took.
func (d *draft) mine(who Actor) error {
	if e := d.app.Executor; !e.IsZero() && e.Name != who.Name {
		return refuse(NotYours, "number", "%s has this application; it must be handed over first", e.Name)
	}
	return nil
}

// Take brings an application into work.
func (b *Bridge) Take(ctx context.Context, number string, who Actor) (*Application, error) {
	return b.amend(ctx, number, 0, func(d *draft) error {
		d.app.Executor = who
		return d.enter(InProgress, who)
	})
}

// Return hands it back for another specialist. Its term runs on.
func (b *Bridge) Return(ctx context.Context, number string, who Actor, why Text) (*Application, error) {
	return b.amend(ctx, number, 0, func(d *draft) error {
		if err := d.mine(who); err != nil {
			return err
		}
		d.app.Executor = Actor{}
		if err := d.enter(Received, who); err != nil {
			return err
		}
		d.event(Event{Kind: EventNote, Actor: who, Text: why})
		return nil
	})
}

// HandOver gives an application in work to another specialist.
func (b *Bridge) HandOver(ctx context.Context, number string, who, to Actor) (*Application, error) {
	return b.amend(ctx, number, 0, func(d *draft) error {
		switch {
		case to.Name == "":
			return refuse(Malformed, "to", "the specialist who takes over must be named")
		case d.app.State != Received && d.app.State != InProgress && d.app.State != Extended && d.app.State != Suspended:
			return refuse(MoveNotAllowed, "state", "an application that is %s is in nobody's hands", d.app.State)
		}
		if err := d.mine(who); err != nil {
			return err
		}
		d.app.Executor = to
		d.event(Event{Kind: EventNote, Actor: who, Detail: "handed over to " + to.Name})
		if d.app.State == Received { // the head's resolution
			return d.enter(InProgress, who)
		}
		return nil
	})
}

// Decide ends an application: with a result that an official signed, or with
// a refusal and its ground.
func (b *Bridge) Decide(ctx context.Context, number string, who Actor, dec Decision) (*Application, error) {
	var result *official
	switch dec.State {
	case Completed:
		if dec.Result == nil {
			return nil, refuse(Malformed, "result", "the result document is missing")
		}
	case Refused:
		if dec.Ground == nil || dec.Ground.Code == "" && (dec.Ground.Text.RU == "" || dec.Ground.Text.KK == "") {
			return nil, refuse(Malformed, "ground", "a refusal needs its ground: a code of the service, or a text in both languages")
		}
	default:
		return nil, refuse(Malformed, "state", "a decision is %s or %s", Completed, Refused)
	}
	if dec.Result != nil {
		var err error
		if result, err = b.judgeResult(ctx, dec.Result); err != nil {
			return nil, err
		}
	}
	if dec.State == Completed {
		if err := b.settled(ctx, number); err != nil {
			return nil, err
		}
	}
	return b.amend(ctx, number, dec.Version, func(d *draft) error {
		if err := d.mine(who); err != nil {
			return err
		}
		if err := allowed(d.app.State, dec.State); err != nil {
			return &Error{Code: MoveNotAllowed, Field: "state", Say: err.Error()}
		}
		if err := d.decides(); err != nil {
			return err
		}
		if dec.State == Refused {
			g, err := d.decided(dec.Ground)
			if err != nil {
				return err
			}
			d.app.Refusal = g
		}
		if result != nil {
			d.attach(result, dec.State, who)
		}
		return d.enter(dec.State, who)
	})
}

// decided is the ground of a specialist's refusal: one of the service's own,
// or the specialist's words in the frame of the reasoned refusal.
func (d *draft) decided(g *Ground) (*Ground, error) {
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
}

// readResult reads a result in the form in which it was signed: XML with the
// signature inside, CMS around it, or anything with CMS beside it.
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

// judgeResult verifies the signature of a result document: of an employee of
// the provider.
func (b *Bridge) judgeResult(ctx context.Context, r *Document) (*official, error) {
	at := b.now().UTC()
	signed, err := readResult(r)
	if err != nil {
		return nil, err
	}
	v := b.o.Verifier.Document(ctx, signed, signature.Want{At: at})
	switch {
	case v.Outcome == verdict.Passed:
	case v.Reason == verdict.NoSignature:
		return nil, &Error{Code: SignatureMissing, Field: "result/content", Reason: v.Reason, Say: "the result must be signed by an official of the provider"}
	case askAgain(v):
		return nil, &Error{Code: TryLater, Field: "result/content", Reason: v.Reason, Say: "it could not be found out whether the official's certificate is revoked"}
	default:
		return nil, &Error{Code: SignatureRefused, Field: "result/content", Reason: v.Reason, Say: detail(v)}
	}
	var by *Party
	for _, s := range v.Signatures {
		if p := party(s.Certificate); b.official(p) && p.IIN != "" {
			by = &p
		}
	}
	if by == nil {
		return nil, &Error{Code: SignatureRefused, Field: "result/content", Reason: verdict.BINMismatch, Say: "the result is signed, but by nobody of the provider's organisation"}
	}
	sum := sha256.Sum256(r.Content)
	doc := *r
	doc.SHA256, doc.SignedBy, doc.SignedAt = hex.EncodeToString(sum[:]), by, at
	mediaType, name := "application/xml", "result.xml"
	switch {
	case len(r.Signature) > 0:
		mediaType, name = "application/octet-stream", "result"
	case signed.Root.IsZero():
		mediaType, name = "application/pkcs7-mime", "result.p7m"
	}
	doc.MediaType, doc.Name = cmp.Or(doc.MediaType, mediaType), cmp.Or(doc.Name, name)
	ev := b.evidence(ByOfficial, at, v)
	ev.Document = r.Content
	return &official{doc: doc, evidence: ev}, nil
}

// attach puts the result into the change; its content travels in Result alone.
func (d *draft) attach(o *official, to State, who Actor) {
	doc := o.doc
	for _, r := range d.service.Results {
		if State(r.State) == to && (doc.Kind == "" || doc.Kind == r.ID) {
			doc.Kind = r.ID
			break
		}
	}
	d.change.Result = &doc
	meta := doc
	meta.Content, meta.Signature = nil, nil
	d.app.Result = &meta
	d.change.Evidence = append(d.change.Evidence, o.evidence)
	d.event(Event{Kind: EventResult, Actor: who, Detail: doc.Name + " sha256:" + doc.SHA256})
}

// Submit takes an application through the office or the akim channel.
func (b *Bridge) Submit(ctx context.Context, sub Submission, who Actor) (*Application, error) {
	at := b.now().UTC()
	if sub.Channel == "" {
		sub.Channel = Office
	}
	if sub.Channel != Office && sub.Channel != Akim {
		return nil, refuse(Malformed, "channel", "%s or %s: what partners bring comes through their doors", Office, Akim)
	}
	s, ok := b.set().InForce(sub.Service, at)
	if ok {
		_, ok = s.Channel(string(sub.Channel))
	}
	if !ok {
		return nil, refuse(UnknownService, "service", "this service is not offered through the channel %s", sub.Channel)
	}
	sum := sha256.Sum256(sub.Document)
	m := &Message{ID: b.newID(), Sender: "office/" + who.Name, SHA256: hex.EncodeToString(sum[:]), Operation: "submit", Service: s.ID, At: at, Raw: sub.Document}
	if m.Key = messageKey(sub.ID); m.Key == "" {
		m.Key = "sha256:" + m.SHA256
	}
	if kept, err := b.o.Store.Message(ctx, m.Sender, m.Key); err == nil {
		return b.submitted(ctx, kept, m)
	} else if !errors.Is(err, ErrNotFound) {
		return nil, tryLater(err)
	}
	doc, err := readDocument("document", sub.Document)
	if err != nil {
		return nil, err
	}
	p := &paper{service: s, channel: sub.Channel, at: at, doc: doc, body: sub.Document}
	j, err := b.judge(ctx, p)
	if err == nil {
		err = b.atCounter(p, j, sub.Office, who)
	}
	if err != nil {
		return nil, err
	}
	d, err := b.intake(p, j, arrival{message: m, messageID: sub.ID})
	if err != nil {
		return nil, err
	}
	if j.ground != nil {
		if m.Reply, err = groundJSON(j); err != nil {
			return nil, err
		}
	}
	kept, err := b.commitIntake(ctx, d)
	if err != nil {
		return nil, err
	}
	if kept == nil {
		kept = d.change.Message
	}
	return b.submitted(ctx, kept, m)
}
