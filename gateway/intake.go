package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"kopir/gateway/failpoint"
	"kopir/gateway/soap"
	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// judgement is what came of a paper: one of reading (accepted), ground
// (refused) or held.
type judgement struct {
	verdict *signature.Verdict
	signer  Party
	reading *mappings.Reading
	ground  *Ground
	reason  verdict.Reason // of a ground that lies in the signature or the signer
	held    verdict.Reason
}

// judge asks, in this order: is the person's signature good; does the document
// read; is the signer the one who must sign; is every field right.
func (b *Bridge) judge(ctx context.Context, p *paper) (*judgement, error) {
	j := &judgement{}
	want := signature.Want{At: p.at}
	// The kind says whether a person must have signed. What CMS is around is not
	// seen before it is verified; a person has signed that anyway.
	p.service = p.service.Kind(string(p.channel), p.doc.Root)
	root, err := b.verified(ctx, p, want, j)
	if err != nil || j.ground != nil || j.held != verdict.None {
		return j, err
	}
	if kind := p.service.Kind(string(p.channel), root); p.doc.Root.IsZero() {
		p.service = kind
	} else if kind != p.service {
		return nil, refuse(Malformed, "data", "what was signed is of another kind than the document around it")
	}
	if err := b.codes(ctx, p.service); err != nil {
		return nil, err
	}
	b.during(ctx, "map", func(context.Context) error {
		j.reading = p.service.Read(root, string(p.channel), p.at)
		return nil
	})
	field := p.service.SignerField(string(p.channel))
	if j.reading.Row.Text(field) != "" {
		var reason verdict.Reason
		if j.signer, reason = b.identify(p.service, p.channel, &j.reading.Row, j.verdict); reason != verdict.None {
			j.unconfirmed(b, p, reason)
			return j, nil
		}
	}
	if len(j.reading.Faults) > 0 {
		j.ground = b.ground(p, "field-faults")
		for _, f := range j.reading.Faults {
			j.ground.Faults = append(j.ground.Faults, FieldFault{Field: f.Field, Path: f.Path, Rule: f.Rule, Text: text(f.Text)})
		}
	}
	return j, nil
}

// verified gives the root of what was signed. Nothing else is ever read.
func (b *Bridge) verified(ctx context.Context, p *paper, want signature.Want, j *judgement) (xmltree.Node, error) {
	if p.service.Request.Data.Signed == "envelope" && p.system != nil {
		// The envelope's signature covers the document as it stands.
		if p.doc.Root.IsZero() {
			return xmltree.Node{}, refuse(Malformed, "data", "this service takes XML without a signature of its own, not CMS")
		}
		j.verdict = p.system
		return p.doc.Root, nil
	}
	b.during(ctx, "verify person", func(ctx context.Context) error {
		j.verdict = b.o.Verifier.Document(ctx, p.doc, want)
		return nil
	})
	b.verdicts.count(ByPerson, j.verdict)
	if askAgain(j.verdict) {
		j.held = j.verdict.Reason
		return xmltree.Node{}, nil
	}
	if j.verdict.Outcome != verdict.Passed {
		if hangsOnTime(j.verdict.Reason) && b.keeper.check(ctx) != nil {
			return xmltree.Node{}, untimely(b.ClockFault())
		}
		j.unconfirmed(b, p, j.verdict.Reason)
		return xmltree.Node{}, nil
	}
	content, ok := j.verdict.Content()
	if !ok {
		j.unconfirmed(b, p, verdict.SigConstraintsFailure)
		return xmltree.Node{}, nil
	}
	tree, err := content.Tree()
	switch {
	case err == nil:
		return tree.Root(), nil
	case p.doc.Root.IsZero(): // CMS may be around anything
		j.unconfirmed(b, p, verdict.FormatFailure)
		return xmltree.Node{}, nil
	default:
		return xmltree.Node{}, &Error{Code: Internal, Say: "what was signed does not read", Cause: err}
	}
}

// unconfirmed is the regulated refusal because of the signature, with the
// reason of the verdict as its one fault.
func (j *judgement) unconfirmed(b *Bridge, p *paper, reason verdict.Reason) {
	g := b.ground(p, "eds-not-confirmed")
	g.Faults = []FieldFault{{Path: "/" + p.service.Request.Data.Root.Name, Rule: string(reason), Text: text(b.set().Texts.Text("reason." + string(reason)))}}
	j.ground, j.reason = g, reason
}

// ground is a regulated refusal of the service.
func (b *Bridge) ground(p *paper, id string) *Ground {
	t, ok := p.service.Refusal(id, string(p.channel), mappings.Text{})
	if !ok {
		t = b.set().Texts.Text("error." + string(ServiceRefused))
	}
	return &Ground{Code: id, Text: text(t)}
}

// whole is a ground with all its faults in one sentence.
func (g *Ground) whole() Text {
	if g == nil {
		return Text{}
	}
	t := g.Text
	var ru, kk, en []string
	for _, f := range g.Faults {
		ru, kk, en = append(ru, f.Text.RU), append(kk, f.Text.KK), append(en, f.Text.In(mappings.English))
	}
	if len(ru) > 0 {
		t.RU += ": " + strings.Join(ru, "; ")
		t.KK += ": " + strings.Join(kk, "; ")
		if t.EN != "" {
			t.EN += ": " + strings.Join(en, "; ")
		}
	}
	return t
}

// serviceFor finds the service that a message is for.
func (b *Bridge) serviceFor(ctx context.Context, m *inbound, serviceID string) (*mappings.Service, error) {
	if err := b.room(ctx, m.at); err != nil {
		return nil, err
	}
	s, ok := b.set().Offered(serviceID, m.at)
	if ok {
		_, ok = s.Channel(string(m.partner.Channel))
	}
	if !ok || !m.partner.mayUse(serviceID) {
		return nil, refuse(UnknownService, "serviceId", "this service is not offered here to this sender")
	}
	m.trail.service = s.ID
	return s, nil
}

// accept is the way of a paper through whichever door it came: judge it, and
// draft the change that follows.
func (b *Bridge) accept(ctx context.Context, p *paper, from arrival, t *trail) (*draft, *judgement, error) {
	j, err := b.judge(ctx, p)
	if err == nil {
		err = b.expected(p, j)
	}
	if err == nil {
		err = b.atCounter(p, j)
	}
	if err != nil {
		return nil, nil, err
	}
	d, err := b.intake(p, j, from)
	t.outcome = "accepted"
	switch {
	case j.ground != nil:
		t.outcome = "refused: " + j.ground.Code
		if j.reason != verdict.None {
			t.outcome += " " + string(j.reason)
		}
	case j.held != verdict.None:
		t.outcome = "held"
	}
	return d, j, err
}

// expected refuses what only looks like a message that something here awaits.
func (b *Bridge) expected(p *paper, j *judgement) error {
	if _, about := p.service.About(); p.as == soap.TypeResponse || p.as != soap.TypeRequest && !about && (j.reading == nil || !j.reading.NoKind || len(p.service.Messages) == 0) {
		return refuse(UnknownOperation, "messageInfo/messageType", "only a REQUEST opens an application; nothing here awaits a %s", p.as)
	}
	return nil
}

// arrival is what an intake needs to know of the message that brought it.
type arrival struct {
	message       *Message // with everything but Reply, Code and Application
	evidence      []Evidence
	correlationID string // under which its sender awaits news; empty: none
	messageID     string
	sender        string
}

// partner is who is told of as its source.
func (a *arrival) partner(p *paper) string {
	if a.sender == "" {
		return string(p.channel)
	}
	return a.sender
}

// intake turns a judged paper into a Change. The application is nil when it
// was refused: a refusal for form or signature gives no number, the message
// and the verdicts are what is kept.
func (b *Bridge) intake(p *paper, j *judgement, from arrival) (*draft, error) {
	d := b.draft(p.service, p.channel, p.at)
	d.change.Message = from.message
	d.change.Evidence = append(from.evidence, b.evidence(ByPerson, p.at, j.verdict))
	partner := from.partner(p)
	if m, ok := p.service.About(); ok && j.ground == nil {
		return b.further(m, p, j, from)
	}
	if j.ground != nil {
		from.message.Code = ServiceRefused
		d.drifted(p, j, partner)
		return d, nil
	}
	number, err := b.number(d.ctx(), p.service, p.at)
	if err != nil {
		return nil, tryLater(err)
	}
	d.app = &Application{
		Number: number, Service: p.service.ID, Edition: p.service.Edition, Channel: p.channel, Holder: holder(d.channel),
		ReceivedAt: p.at, ChangedAt: p.at, Version: 1,
		Sender: from.sender, MessageID: from.messageID, CorrelationID: from.correlationID,
	}
	if j.held != verdict.None {
		d.change.Hold = &Hold{Application: number, Document: p.body, Reason: j.held, Since: p.at, NextAt: p.at.Add(askAfter(0))}
		return d, d.enter(Held, Actor{Name: "intake"})
	}
	d.fill(j)
	d.remark(j)
	d.drifted(p, j, partner)
	return d, d.enter(Received, Actor{Name: "intake"})
}

// fill puts what was read into the application.
func (d *draft) fill(j *judgement) {
	row := &j.reading.Row
	d.app.Signer = j.signer
	// The request's own signer field is the applicant's number; a channel may
	// let somebody else sign, that does not change who applies.
	d.app.Applicant = Party{Name: fullName(row.Text)}
	if f, ok := d.service.Field(d.service.Request.Signer); ok && f.Type == "bin" {
		d.app.Applicant.BIN = BIN(row.Text(f.Name))
	} else if ok {
		d.app.Applicant.IIN = IIN(row.Text(f.Name))
	}
	d.app.PartnerNumber = row.Text(d.service.Numbering.Linked)
	d.app.Fields, d.app.Groups = fields(row.Values), nil
	for _, g := range row.Groups {
		d.app.Groups = append(d.app.Groups, GroupRow{Group: g.Group, Number: g.Number, Fields: fields(g.Values)})
	}
	for _, v := range row.Values {
		if f, ok := d.service.Field(v.Field); ok && f.Codes == mappings.CodesOfOffices {
			d.app.Office = v.Text()
		}
	}
	d.files = nil
	d.app.Attachments = nil
	for _, a := range j.reading.Attachments {
		doc := Document{Kind: a.Kind, Name: a.Name, MediaType: a.Type, SHA256: a.SHA256}
		d.app.Attachments = append(d.app.Attachments, doc)
		doc.Content = a.Content
		d.files = append(d.files, doc)
	}
}

// remark puts into the history what is doubtful about the values and is no
// ground for refusal.
func (d *draft) remark(j *judgement) {
	for _, r := range j.reading.Remarks {
		d.event(Event{Kind: EventNote, Actor: Actor{Name: "intake"}, Text: text(r.Text), Detail: r.Path + ": " + r.Rule})
	}
}

func fields(values []mappings.Value) []Field {
	var all []Field
	for _, v := range values {
		all = append(all, Field{Name: v.Field, Value: v.Text(), Column: v.Column, Label: text(v.Label)})
	}
	return all
}

func fullName(value func(name string) string) string {
	var parts []string
	for _, f := range []string{"surname", "given_name", "patronymic"} {
		if v := value(f); v != "" {
			parts = append(parts, v)
		}
	}
	return strings.Join(parts, " ")
}

// evidence keeps a verdict as `kopir verify` prints it.
func (b *Bridge) evidence(kind EvidenceKind, at time.Time, v *signature.Verdict) Evidence {
	e := Evidence{Kind: kind, At: at, Outcome: v.Outcome, Reason: v.Reason}
	if j, err := json.Marshal(v); err == nil {
		e.Verdict = j
	}
	for i := range v.Signatures {
		e.Proofs = append(e.Proofs, v.Signatures[i].Proofs()...)
	}
	return e
}

// room says whether new work of this time is taken: a message that is not is sent
// again, and one that came before gets its stored answer all the same.
func (b *Bridge) room(ctx context.Context, at time.Time) error {
	if b.o.Room != nil {
		if err := b.o.Room(); err != nil {
			return &Error{Code: TryLater, Say: "no new work is taken for the moment; nothing was kept, send the same bytes again later", Cause: err}
		}
	}
	return b.alone(ctx, at)
}

// commitIntake writes it. When the same message was written meanwhile by
// another hand, that one's answer counts.
func (b *Bridge) commitIntake(ctx context.Context, d *draft) (*Message, error) {
	if err := b.room(ctx, d.at); err != nil {
		return nil, err
	}
	b.switching.RLock()
	defer b.switching.RUnlock()
	if err := b.stillThere(d); err != nil {
		return nil, err
	}
	d.traced(ctx)
	failpoint.Here(failpoint.MessageJudged)
	c := d.done()
	if c.Message.Code != "" && c.Application == nil {
		c.KeepRefused = b.o.KeepRefused
	}
	places := b.reserve(&c)
	err := b.during(ctx, "commit", func(ctx context.Context) error { return b.o.Store.Commit(ctx, c) })
	if err == nil {
		failpoint.Here(failpoint.MessageKept)
	}
	b.leave(places, err)
	if errors.Is(err, ErrDuplicate) {
		kept, err := b.o.Store.Message(ctx, c.Message.Sender, c.Message.Key)
		if err != nil {
			return nil, tryLater(err)
		}
		return kept, nil
	}
	if err != nil {
		return nil, tryLater(err)
	}
	b.stir(c)
	return nil, nil
}
