package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"

	"kopir/gateway/soap"
	"kopir/mappings"
	"kopir/signature/verdict"
)

// What partners send about an application that is there: a withdrawal, a
// correction, a question, a status in their own code. The document is judged as
// an application is; the description's kind says what it does.

// further turns a judged document about an application into a Change. What
// cannot be done is refused as a form is, by the service's regulated sentence.
func (b *Bridge) further(m *mappings.Message, p *paper, j *judgement, from arrival) (*draft, error) {
	if j.held != verdict.None {
		return nil, &Error{Code: TryLater, Reason: j.held, Say: "it could not be found out whether the signer's certificate is revoked; send the same bytes again"}
	}
	refused := func(rule string) (*draft, error) {
		j.ground = b.ground(p, "field-faults")
		f := p.service.Fault(m.Number, rule)
		j.ground.Faults = []FieldFault{{Field: f.Field, Path: f.Path, Rule: f.Rule, Text: text(f.Text)}}
		return b.intake(p, j, from)
	}
	d := b.draft(p.service, p.channel, p.at)
	app, err := b.meant(d.ctx(), m, p, j, from)
	switch {
	case err != nil:
		return nil, err
	case app == nil:
		return refused("unknown-application")
	}
	s, err := b.described(app)
	if err != nil {
		return nil, err
	}
	d = b.draft(s, app.Channel, p.at)
	d.app, d.about = app, m
	d.change.Message = from.message
	d.change.Evidence = append(from.evidence, b.evidence(ByPerson, p.at, j.verdict))
	if d.dues, err = b.o.Store.Dues(d.ctx(), app.Number); err != nil {
		return nil, tryLater(err)
	}
	said := mappings.Inward{Does: m.Does, Name: m.Label, Refusal: m.Refusal}
	if m.Does == mappings.ByStatus {
		said = d.translate(m, p, j)
	}
	who := Actor{Name: from.partner(p)}
	if err = d.obey(said, &j.reading.Row, who); CodeOf(err) == MoveNotAllowed {
		number := app.Number
		if d, err = refused("not-now"); err == nil {
			d.change.Events = append(d.change.Events, Event{Application: number, At: d.at, Kind: EventNote, Actor: who, Text: text(said.Name), Detail: m.Kind + ": the state does not allow it"})
		}
		return d, err
	} else if err != nil {
		return nil, err
	}
	d.drifted(p, j, who.Name)
	if !d.untouched {
		d.app.Version++
	}
	return d, nil
}

// meant finds the application that a document is about: one that the same
// partner brought, of the person whom the document names. Nil: there is none,
// and nobody is told whether somebody else's has the number.
func (b *Bridge) meant(ctx context.Context, m *mappings.Message, p *paper, j *judgement, from arrival) (*Application, error) {
	number := j.reading.Row.Text(m.Number)
	app, err := b.o.Store.Application(ctx, number)
	if errors.Is(err, ErrNotFound) {
		page, err := b.o.Store.Applications(ctx, Filter{Service: p.service.ID, Channel: p.channel, Number: number}, "", maxSameNumber)
		if err != nil {
			return nil, tryLater(err)
		}
		own := slices.DeleteFunc(page.Applications, func(a Application) bool { return a.Sender != from.sender })
		if len(own) != 1 {
			return nil, nil
		}
		app = &own[0]
	} else if err != nil {
		return nil, tryLater(err)
	}
	whose := j.reading.Row.Text(m.Applicant)
	if app.Service != p.service.ID || app.Channel != p.channel || app.Sender != from.sender ||
		m.Applicant != "" && whose != string(app.Applicant.IIN) && whose != string(app.Applicant.BIN) {
		return nil, nil
	}
	return app, nil
}

// maxSameNumber bounds the applications that bear one number of a partner's.
const maxSameNumber = 10

// translate finds what a partner's status code means. A code that the
// vocabulary lacks moves nothing; it is an alarm, and stays in the history.
func (d *draft) translate(m *mappings.Message, p *paper, j *judgement) mappings.Inward {
	code := j.reading.Row.Text(m.Code)
	if row, ok := p.service.InwardOf(string(p.channel), code); ok {
		return row
	}
	f, _ := p.service.Field(m.Code)
	j.reading.Drift = append(j.reading.Drift, mappings.Drift{Kind: mappings.DriftCode, Path: f.Path})
	name := d.b.set().Texts.Text("rule.unknown-code", "code", clip(code))
	return mappings.Inward{Does: mappings.Note, Name: name}
}

// obey makes our move of what a partner said.
func (d *draft) obey(said mappings.Inward, row *mappings.Row, who Actor) error {
	note := Event{Kind: EventNote, Actor: who, Text: text(said.Name), Detail: d.about.Kind}
	switch said.Does {
	case mappings.Withdraw:
		g, err := d.decided(&Ground{Code: said.Refusal})
		if err != nil {
			return err
		}
		if d.app.State == Held {
			d.change.Release = d.app.Number
		}
		d.event(note)
		d.app.Refusal = g
		return d.enter(Refused, who)
	case mappings.Correct:
		return d.correct(row, note)
	case mappings.HandedOver:
		d.event(note)
		return d.picked(func(p *Pickup) error { return d.hand(p, who, Handing{}) })
	case mappings.NotCollected:
		d.event(note)
		return d.picked(func(p *Pickup) error { return d.giveBack(p, who) })
	}
	// Nothing of the application changes: who decides on it meanwhile is not disturbed.
	d.untouched = true
	d.event(note)
	if said.Does == mappings.Repeat && d.app.Result != nil {
		var err error
		if d.issued, err = d.b.issued(d.ctx(), d.app.Number); err != nil {
			return tryLater(err)
		}
	}
	return nil
}

// correct puts what a correction brings in the place of the application's
// values, here and in the local row.
func (d *draft) correct(row *mappings.Row, note Event) error {
	if d.app.State == Held || d.app.State.Final() {
		return refuse(MoveNotAllowed, "state", "an application that is %s is not corrected", d.app.State)
	}
	var changed []Field
	var names []string
	for _, v := range row.Values {
		f, ok := d.service.Field(v.Field)
		if d.about.Names(v.Field) || !ok {
			continue
		}
		one := Field{Name: f.Name, Value: v.Text(), Column: f.Column, Label: text(f.Label)}
		i := slices.IndexFunc(d.app.Fields, func(o Field) bool { return o.Name == f.Name })
		switch {
		case i < 0:
			d.app.Fields = append(d.app.Fields, one)
		case d.app.Fields[i].Value == one.Value:
			continue
		default:
			d.app.Fields[i] = one
		}
		changed, names = append(changed, one), append(names, f.Name)
	}
	if len(changed) == 0 {
		note.Detail += ": nothing differs"
		d.event(note)
		return nil
	}
	note.Detail += ": " + strings.Join(names, ", ")
	d.event(note)
	d.app.Applicant.Name = fullName(d.value)
	d.app.ChangedAt = d.at
	d.job(ToLocal, LocalRow{Service: d.service.ID, Edition: d.service.Edition, Number: d.app.Number, State: d.app.State, At: d.at, Fields: changed, Corrects: true})
	return nil
}

// status is what is told of the application as it stands, to whoever asks.
func (d *draft) status() *mappings.Notice {
	if due, ok := d.open(); ok {
		d.until = due.ResumeAt
		if n := len(due.Moved); n > 0 {
			d.why = due.Moved[n-1].Reason
		}
	}
	return d.notice()
}

// tells says whether a partner has a code for a state: without one it is told nothing.
func (d *draft) tells(partner, state string) bool {
	row, ok := d.service.Status(state)
	return ok && row.Code(partner) != ""
}

// answerIn answers in the conversation in which something was asked or said.
func (d *draft) answerIn(correlation string) error {
	n := d.status()
	if !d.tells(d.channel.ID, n.State) {
		return nil
	}
	n.Correlation = correlation
	if err := d.tell(routeOf[d.channel.ID], d.channel.ID, n, d.app.Number, correlation); err != nil {
		return err
	}
	d.change.Deliveries[len(d.change.Deliveries)-1].MessageType = string(soap.TypeResponse)
	return nil
}
