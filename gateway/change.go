package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"kopir/gateway/failpoint"
	"kopir/gateway/soap"
	"kopir/mappings"
)

// draft is a Change in the making: what one decision does to one application.
type draft struct {
	b       *Bridge
	service *mappings.Service
	channel *mappings.Channel
	at      time.Time
	app     *Application
	dues    []Due      // as they are in the store
	files   []Document // attachments with their content, for the local row
	change  Change
	issued  *Issued   // the result of the change
	why     Text      // of an extension or a suspension
	until   time.Time // when a suspension ends at the latest
	quiet   bool      // the local database knows already

	// Of a message about an application that is there.
	about     *mappings.Message
	untouched bool // nothing of the application changes but its history
}

func (b *Bridge) draft(s *mappings.Service, ch Channel, at time.Time) *draft {
	c, _ := s.Channel(string(ch))
	return &draft{b: b, service: s, channel: c, at: at}
}

// ctx is for what belongs to the draft and not to a caller: numbers are taken
// whether or not somebody still waits.
func (d *draft) ctx() context.Context { return context.Background() }

// done gives the finished Change.
func (d *draft) done() Change {
	if d.app != nil {
		if a := *d.app; !d.untouched {
			d.change.Application = &a
		}
		if d.change.Message != nil {
			d.change.Message.Application = d.app.Number
		}
	}
	for i := range d.change.Evidence {
		e := &d.change.Evidence[i]
		if d.change.Message != nil {
			e.Message = d.change.Message.ID
			e.Application = refusedKey(e.Message)
		}
		if d.app != nil {
			e.Application = d.app.Number
		}
	}
	return d.change
}

// enter moves the application on. The state, its history, the clock, the
// notifications and the local row change together or not at all.
func (d *draft) enter(to State, who Actor) error {
	from := d.app.State
	if err := allowed(from, to); err != nil {
		return &Error{Code: MoveNotAllowed, Field: "state", Say: err.Error()}
	}
	if due, ok := d.open(); ok && !due.ResumeAt.IsZero() && to != Suspended && !to.Final() {
		return refuse(MoveNotAllowed, "state", "the term stands still; it must run on first")
	}
	d.app.State, d.app.ChangedAt = to, d.at
	n := d.notice()
	sentence, err := d.service.NoticeText(n)
	if err != nil {
		return &Error{Code: Internal, Say: "the status has no text", Cause: err}
	}
	d.event(Event{Kind: EventState, From: from, To: to, Actor: who, Text: text(sentence)})
	start := d.at
	if from == Held {
		start = d.app.ReceivedAt // the legal clock ran all the while
	}
	if err := d.clock(start); err != nil {
		return err
	}
	n.Questionnaire = d.offer(to)
	if err := d.notify(n); err != nil {
		return err
	}
	fresh := to == Received && (from == "" || from == Held)
	if fresh {
		d.ask()
	}
	if !d.quiet && to != Held && (fresh || from != Held) {
		d.local(fresh)
	}
	return nil
}

func (d *draft) event(e Event) {
	e.Application, e.At = d.app.Number, d.at
	d.change.Events = append(d.change.Events, e)
}

// notice is what partners are told of the application as it stands.
func (d *draft) notice() *mappings.Notice {
	n := &mappings.Notice{At: d.at.In(d.b.zone())}
	if d.app == nil {
		return n
	}
	n.Number, n.PartnerNumber, n.Correlation = d.app.Number, d.app.PartnerNumber, d.app.CorrelationID
	n.IIN, n.State = string(d.app.Applicant.IIN), string(d.app.State)
	n.Reason = d.app.Refusal.whole().mapped()
	switch d.app.State {
	case Extended:
		n.Due, n.Reason = d.app.DueAt.In(d.b.zone()), d.why.mapped()
	case Suspended:
		n.Due, n.Reason = d.until.In(d.b.zone()), d.why.mapped()
	}
	if d.issued != nil {
		n.Result = d.issued.file()
	}
	return n
}

// routeOf is the way to whom a notification names.
var routeOf = map[string]Route{"portal": ToPortal, "csc": ToCSC, "email": ToEmail, "mobile": ToSMS}

// RouteOf is the way to the partner whose channel it is; empty: there is none.
func RouteOf(c Channel) Route { return routeOf[string(c)] }

// applies says whether a notification is of a state of this application.
func (d *draft) applies(rule mappings.Notification, state string) bool {
	return slices.Contains(rule.On, state) && (len(rule.Channels) == 0 || slices.Contains(rule.Channels, d.channel.ID))
}

// notify puts the notifications of a state into the outbox.
func (d *draft) notify(n *mappings.Notice) error {
	for _, rule := range d.service.Notifications {
		if !d.applies(rule, n.State) {
			continue
		}
		for _, to := range rule.To {
			route := routeOf[to]
			var err error
			if route.personal() {
				err = d.write(route, to, rule, n)
			} else {
				err = d.tell(route, to, n, d.app.Number, d.app.CorrelationID)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// tell puts one notification into the outbox. The conversation that the
// sender opened ends with a RESPONSE; everybody else gets a NOTIFICATION.
func (d *draft) tell(route Route, partner string, n *mappings.Notice, line, correlation string) error {
	own := *n
	if partner != d.channel.ID {
		own.Correlation, own.PartnerNumber, correlation = "", "", ""
	}
	doc, err := d.service.Notice(partner, &own)
	if err != nil {
		return &Error{Code: Internal, Say: "the notification could not be built", Cause: err}
	}
	out := d.delivery(route, line, doc)
	out.MessageType = string(soap.TypeNotification)
	if correlation != "" {
		out.CorrelationID, out.ServiceID = correlation, d.service.Gateway.ServiceID
		if State(n.State).Final() {
			out.MessageType = string(soap.TypeResponse)
		}
	}
	out.Partner, out.Service, out.Edition = partner, d.service.ID, d.service.Edition
	if partner == d.channel.ID {
		out.Receiver = d.broughtBy()
	}
	d.address(&out)
	out.Lane = d.b.laneOf(route, out.Receiver)
	d.change.Deliveries = append(d.change.Deliveries, out)
	return nil
}

// address enters a notice into the list of a partner that speaks REST. Where
// that partner has no call-back, this is all: it stays in the list.
func (d *draft) address(out *Delivery) {
	p := d.b.partners.named(out.Receiver)
	if out.Receiver == "" {
		p = d.b.partners.spokesman(Channel(out.Partner))
	}
	if p == nil || !p.REST {
		return
	}
	out.Receiver, out.Listed = p.SenderID, true
	if p.Collects {
		out.State, out.DoneAt, out.PeerState = Done, d.at, "LISTED"
	}
}

// broughtBy is the partner that the application, or the message that became
// none, came from.
func (d *draft) broughtBy() string {
	switch {
	case d.app != nil:
		return d.app.Sender
	case d.change.Message != nil:
		return d.change.Message.Sender
	}
	return ""
}

func (d *draft) delivery(route Route, line string, body []byte) Delivery {
	return Delivery{
		ID: d.b.newID(), Application: line, Route: route, State: Queued, MessageID: d.b.newID(), MessageDate: d.at,
		Body: body, CreatedAt: d.at, Since: d.b.steady(), NextAt: d.b.steady(),
	}
}

// refusal tells an asynchronous sender that its message became no application.
func (d *draft) refusal(m *inbound, correlation string, g *Ground) error {
	n := d.notice()
	n.State, n.Reason, n.Correlation = string(Refused), g.whole().mapped(), correlation
	return d.tell(routeOf[d.channel.ID], d.channel.ID, n, refusedKey(m.id), correlation)
}

// refusedKey stands for an application's number where a message became none:
// its verdicts and its delivery are kept under it.
func refusedKey(messageID string) string { return refusedPrefix + messageID }

const refusedPrefix = "message/"

// refusedOnly says whether something is kept under a message that became no
// application.
func refusedOnly(line string) bool { return strings.HasPrefix(line, refusedPrefix) }

// local puts the row, or its new status, on the way to the local database.
func (d *draft) local(fresh bool) {
	row := LocalRow{Service: d.service.ID, Edition: d.service.Edition, Number: d.app.Number, State: d.app.State, At: d.at, Reason: d.app.Refusal.whole(), Result: d.issued != nil}
	if fresh {
		row.Fields, row.Groups, row.Files = d.app.Fields, d.app.Groups, d.files
		a := d.app
		row.System = map[string]string{
			"channel": string(a.Channel), "received_at": a.ReceivedAt.In(d.b.zone()).Format(time.RFC3339), "edition": a.Edition,
			"sender": a.Sender, "message_id": a.MessageID, "correlation_id": a.CorrelationID,
			"signer_iin": string(a.Signer.IIN), "signer_name": a.Signer.Name, "office_id": a.Office, "language": d.value("language"),
		}
	}
	d.job(ToLocal, row)
}

func (d *draft) job(route Route, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers only
	}
	out := d.delivery(route, d.app.Number, body)
	out.Service, out.Edition = d.service.ID, d.service.Edition
	d.change.Deliveries = append(d.change.Deliveries, out)
}

// value is a field of the application by its name.
func (d *draft) value(name string) string { return d.app.value(name) }

func (a *Application) value(name string) string {
	if i := slices.IndexFunc(a.Fields, func(f Field) bool { return f.Name == name }); i >= 0 && name != "" {
		return a.Fields[i].Value
	}
	return ""
}

// maxRaces bounds how often a change is made again because another was faster.
const maxRaces = 8

// amend changes an application as it stands: with a version, only that one.
// Another change that came between is not overwritten; the amendment is made
// again on what is there then, unless the caller decided on a version.
func (b *Bridge) amend(ctx context.Context, number string, version int64, do func(*draft) error) (*Application, error) {
	for try := 0; ; try++ {
		app, err := b.amendOnce(ctx, number, version, do)
		if errors.Is(err, ErrVersion) && version == 0 && try < maxRaces {
			continue
		}
		return app, err
	}
}

func (b *Bridge) amendOnce(ctx context.Context, number string, version int64, do func(*draft) error) (_ *Application, err error) {
	app, err := b.o.Store.Application(ctx, number)
	if errors.Is(err, ErrNotFound) {
		return nil, &Error{Code: NotFound, Field: "number", Say: "there is no application of this number"}
	}
	if err != nil {
		return nil, tryLater(err)
	}
	ctx, span := b.continued(ctx, app.Trace, "change", trace.WithAttributes(attribute.String("kopir.application", number)))
	defer func() { failed(span, err); span.End() }()
	if version != 0 && app.Version != version {
		return nil, &Error{Code: StaleVersion, Say: "the application was changed meanwhile; read it again"}
	}
	if app.Removed != nil {
		return nil, refuse(MoveNotAllowed, "number", "the application is %s since %s", app.Removed.What, app.Removed.At.Format(time.DateOnly))
	}
	s, err := b.described(app)
	if err != nil {
		return nil, err
	}
	d := b.draft(s, app.Channel, b.now().UTC())
	if d.dues, err = b.o.Store.Dues(ctx, number); err != nil {
		return nil, tryLater(err)
	}
	d.app = app
	from := app.State
	if err := do(d); err != nil {
		return nil, err
	}
	if d.app.State != from {
		span.SetName("status change")
		span.SetAttributes(attribute.String("kopir.from", string(from)), attribute.String("kopir.to", string(d.app.State)))
	}
	d.app.Version++
	d.traced(ctx)
	c := d.done()
	failpoint.Here(failpoint.MoveDecided)
	err = b.during(ctx, "commit", func(ctx context.Context) error { return b.o.Store.Commit(ctx, c) })
	switch {
	case errors.Is(err, ErrVersion):
		return nil, &Error{Code: StaleVersion, Say: "the application was changed meanwhile; read it again", Cause: err}
	case err != nil:
		return nil, tryLater(err)
	}
	failpoint.Here(failpoint.MoveDone)
	if c.Result != nil {
		failpoint.Here(failpoint.ResultKept)
	}
	b.stir(c)
	c.Application.foresee(b.now())
	return c.Application, nil
}
