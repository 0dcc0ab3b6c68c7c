package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"

	"go.opentelemetry.io/otel/trace"

	"kopir/gateway/soap"
	"kopir/mappings"
	"kopir/signature/verdict"
)

// Submit takes an application that comes as a bare document: of the office or
// the akim channel, or in a partner's own. From the paper on it is the way of
// a SOAP message: the same judgement, the same change, the same memory of ids.
func (b *Bridge) Submit(ctx context.Context, sub Submission, who Actor) (*Application, error) {
	ctx, span := b.arrive(ctx, "receive")
	defer span.End()
	if sub.By != nil {
		span.AddLink(trace.Link{SpanContext: sub.By.span})
	}
	at := b.now().UTC()
	sum := sha256.Sum256(sub.Document)
	m := &Message{ID: b.newID(), Sender: "office/" + who.Name, SHA256: hex.EncodeToString(sum[:]), Door: RESTDoor, Operation: "submit", At: at, Raw: sub.Document}
	if sub.By != nil {
		m.Sender = sub.By.Sender
	}
	t := trail{door: RESTDoor, remote: sub.Remote, request: sub.Request, operation: m.Operation, sender: m.Sender, service: clip(sub.Service), messageID: clip(sub.ID), bytes: len(sub.Document)}
	app, err := b.submit(ctx, sub, who, m, &t)
	if app != nil {
		t.application = app.Number
	}
	told := err
	switch CodeOf(err) {
	case "":
	case ServiceRefused, InvalidFields: // an ordinary answer, as of SOAP
		told = nil
	default:
		t.outcome = "fault"
	}
	t.describe(span, told)
	b.logTrail(ctx, &t, b.now().Sub(at), told)
	return app, err
}

func (b *Bridge) submit(ctx context.Context, sub Submission, who Actor, m *Message, t *trail) (*Application, error) {
	s, channel, err := b.submittable(&sub, m)
	if err != nil {
		return nil, err
	}
	t.service, m.Service = s.ID, s.ID
	if m.Key = messageKey(sub.ID); m.Key == "" {
		m.Key = "sha256:" + m.SHA256
	}
	if len(m.Key) > maxMessageID {
		return nil, refuse(Malformed, "id", "longer than %d characters", maxMessageID)
	}
	kept, err := b.o.Store.Message(ctx, m.Sender, m.Key)
	switch {
	case err == nil:
		return b.submitted(ctx, kept, m, t)
	case !errors.Is(err, ErrNotFound):
		return nil, tryLater(err)
	}
	doc, err := readDocument("document", sub.Document)
	if err != nil {
		return nil, err
	}
	p := &paper{service: s, channel: channel, at: m.At, doc: doc, body: sub.Document, as: soap.TypeRequest}
	from := arrival{message: m, messageID: sub.ID}
	if by := sub.By; by != nil {
		from.sender, from.correlationID, from.evidence = by.Sender, sub.ID, []Evidence{by.evidence(b, m.At, sub.Body)}
		p.system = by.verdict // of the request, whose digest covers the document
	} else {
		p.counter = &counter{sub.Office, who}
	}
	d, j, err := b.accept(ctx, p, from, t)
	if err != nil {
		return nil, err
	}
	if m.Reply, err = answerOf(d, j); err != nil {
		return nil, err
	}
	if kept, err = b.commitIntake(ctx, d); err != nil {
		return nil, err
	}
	if kept == nil {
		return answered(d.change.Message, m.Raw)
	}
	return b.submitted(ctx, kept, m, t)
}

// submittable finds the service of a submission, and its channel.
func (b *Bridge) submittable(sub *Submission, m *Message) (*mappings.Service, Channel, error) {
	channel := sub.Channel
	switch by := sub.By; {
	case by != nil && (channel == "" || channel == by.Channel):
		channel = by.Channel
	case by != nil:
		return nil, "", refuse(Malformed, "channel", "this partner brings applications of the channel %s", by.Channel)
	case channel == "":
		channel = Office
	case channel != Office && channel != Akim:
		return nil, "", refuse(Malformed, "channel", "%s or %s: what partners bring comes with their signature", Office, Akim)
	}
	s, ok := b.set().InForce(sub.Service, m.At)
	if !ok && sub.By != nil {
		s, ok = b.set().Offered(sub.Service, m.At)
	}
	if ok {
		_, ok = s.Channel(string(channel))
	}
	if ok && sub.By != nil {
		ok = sub.By.partner.mayUse(append([]string{s.Gateway.ServiceID}, s.Gateway.Aliases...)...)
	}
	if !ok {
		return nil, "", refuse(UnknownService, "service", "this service is not offered here to this sender through the channel %s", channel)
	}
	return s, channel, nil
}

// refusedPaper is what is kept as the answer to a refused submission.
type refusedPaper struct {
	Ground *Ground        `json:"ground"`
	Reason verdict.Reason `json:"reason,omitempty"`
}

// answerOf is the answer to a submission: the application as it was taken in, or why not.
func answerOf(d *draft, j *judgement) ([]byte, error) {
	var answer any = refusedPaper{j.ground, j.reason}
	if j.ground == nil {
		app := *d.app
		app.foresee(d.at)
		answer = &app
	}
	raw, err := json.Marshal(answer)
	if err != nil {
		return nil, &Error{Code: Internal, Cause: err}
	}
	return raw, nil
}

// submitted answers a repeated submission as the first time.
func (b *Bridge) submitted(ctx context.Context, kept, m *Message, t *trail) (*Application, error) {
	if kept.SHA256 != m.SHA256 || kept.Door != "" && kept.Door != RESTDoor {
		return nil, refuse(DuplicateID, "id", "this id was used before for another document; repeat the same bytes, or use a new id")
	}
	t.outcome = "repeated"
	if len(kept.Reply) == 0 && kept.Keeping == ReplyPlain { // taken in by a version that kept none
		return b.Application(ctx, kept.Application)
	}
	return answered(kept, m.Raw)
}

// answered reads a kept answer to the document.
func answered(kept *Message, document []byte) (*Application, error) {
	reply, err := kept.stored(document)
	if err != nil {
		return nil, err
	}
	broken := func(err error) error {
		return &Error{Code: Internal, Say: "the kept answer does not read", Cause: err}
	}
	if kept.Code == "" {
		a := new(Application)
		if err := json.Unmarshal(reply, a); err != nil {
			return nil, broken(err)
		}
		return a, nil
	}
	var r refusedPaper
	if err := json.Unmarshal(reply, &r); err != nil || r.Ground == nil {
		return nil, broken(err)
	}
	e := &Error{Code: ServiceRefused, Ground: r.Ground, Reason: r.Reason}
	if r.Ground.Code == "field-faults" {
		e.Code = InvalidFields
	}
	return nil, e
}

// counter is the provider's own, or that of an akim: for which office, and who
// is logged in there.
type counter struct {
	office string
	who    Actor
}

// atCounter makes the checks of a counter: who is logged in there is the
// specialist who signed (condition 1 of the office channel), and the office is
// the one of the applicant's residence.
func (b *Bridge) atCounter(p *paper, j *judgement) error {
	if p.counter == nil || j.ground != nil || j.reading == nil {
		return nil
	}
	who, office := p.counter.who, p.counter.office
	if who.IIN != "" && who.IIN != j.signer.IIN {
		if _, ok := p.service.Refusal(authRefused, string(p.channel), mappings.Text{}); !ok || p.service.NeedsGround(authRefused, string(p.channel)) {
			return refuse(NotYours, "actor/iin", "the document is signed by somebody else than who files it")
		}
		j.ground, j.reason = b.ground(p, authRefused), verdict.IINMismatch
		return nil
	}
	for _, v := range j.reading.Row.Values {
		f, ok := p.service.Field(v.Field)
		if !ok || f.Codes != mappings.CodesOfOffices || office == "" || v.Text() == office {
			continue
		}
		other, _ := b.set().Offices.Office(v.Text())
		said := b.set().Texts.Text("rule.other-office").FillText("label", f.Label).FillText("office", other.Name)
		j.ground = b.ground(p, "field-faults")
		j.ground.Faults = []FieldFault{{Field: f.Name, Path: f.Path, Rule: "other-office", Text: text(said)}}
	}
	return nil
}

// authRefused is the refusal of condition 1, the check of who is logged in.
const authRefused = "auth-refused"
