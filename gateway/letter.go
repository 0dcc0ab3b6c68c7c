package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"kopir/mappings"
)

// Letter is what goes to the applicant himself: an e-mail, or without subject
// and enclosures a message to his phone. Its address stood in the signed
// application; nobody else names one.
type Letter struct {
	ID      string `json:"-"` // the same at every try
	To      string `json:"to"`
	Subject string `json:"subject,omitempty"`
	Text    string `json:"text"`
	State   State  `json:"state"` // that it tells of
	// Result: the result of the application is to be enclosed, printed and as
	// the signed document.
	Result     bool       `json:"result,omitempty"`
	Enclosures []Document `json:"-"`
}

// Post carries a letter. A *SendError says whether another try can help; any
// other error is taken for one that may pass.
type Post interface {
	Post(ctx context.Context, l Letter) error
}

// personal says whether a route leads to the applicant himself.
func (r Route) personal() bool { return r == ToEmail || r == ToSMS }

// write puts a letter to the applicant on its way, where he gave an address and
// the service sends him one.
func (d *draft) write(route Route, to string, rule mappings.Notification, n *mappings.Notice) error {
	address := d.value(rule.Address)
	if address == "" || rule.When.Field != "" && d.value(rule.When.Field) != rule.When.Value {
		return nil
	}
	if d.b.o.Posts[route] == nil {
		d.event(Event{Kind: EventNote, Actor: Actor{Name: "bridge"}, Detail: "not sent to " + to + ": there is no such way out; hand the result over in person"})
		return nil
	}
	sentence, err := d.service.NoticeText(n)
	if err != nil {
		return &Error{Code: Internal, Say: "the status has no text", Cause: err}
	}
	l := Letter{To: address, Text: d.inLanguage(sentence), State: State(n.State)}
	if route == ToEmail {
		values := []any{"number", n.Number, "date", n.At.Format("02.01.2006")}
		texts := d.b.set().Texts
		body := texts.Text("letter.body", values...).FillText("service", d.service.Title).FillText("text", sentence)
		if n.Questionnaire != "" {
			more := texts.Text("letter.questionnaire", "link", n.Questionnaire)
			body.Ru, body.Kk = body.Ru+more.Ru, body.Kk+more.Kk
		}
		l.Subject = d.inLanguage(texts.Text("letter.subject", values...))
		l.Text = d.inLanguage(body)
		l.Result = rule.Attach == "result" && d.app.Result != nil
	}
	d.job(route, l)
	return nil
}

// inLanguage is a sentence in the applicant's language; where he named none, in
// both.
func (d *draft) inLanguage(t mappings.Text) string {
	switch lang := d.value("language"); lang {
	case mappings.Kazakh, mappings.Russian:
		return strings.TrimSpace(t.In(lang))
	}
	if strings.Contains(t.Kk, "\n") {
		return strings.TrimSpace(t.Kk) + "\n\n" + strings.TrimSpace(t.Ru)
	}
	return strings.TrimSpace(t.Kk) + " / " + strings.TrimSpace(t.Ru)
}

// postLetter carries a letter, with the result if it belongs to it.
func (b *Bridge) postLetter(ctx context.Context, d *Delivery) (func(*draft) error, error) {
	post := b.o.Posts[d.Route]
	l := Letter{ID: d.MessageID}
	if err := json.Unmarshal(d.Body, &l); err != nil {
		return nil, &SendError{Permanent: true, Cause: CauseOurs, Err: err}
	}
	if post == nil {
		return nil, &SendError{Cause: CauseOurs, Err: fmt.Errorf("there is no way out to %s any more; configure it again, or drop the letter", d.Route)}
	}
	if l.Result {
		i, err := b.issued(ctx, d.Application)
		if err != nil {
			return nil, err
		}
		l.Enclosures = i.files()
	}
	if err := post.Post(ctx, l); err != nil {
		return nil, err
	}
	return func(dr *draft) error {
		dr.event(Event{Kind: EventDelivered, Actor: Actor{Name: "outbox"}, Detail: string(d.Route)})
		return nil
	}, nil
}

// inCabinet says what a letter could not in the portal's cabinet, unless it was
// said there anyway; where the service has no cabinet, a person must tell.
func (d *draft) inCabinet(lost Delivery) error {
	var l Letter
	if err := json.Unmarshal(lost.Body, &l); err != nil {
		return nil // nothing can be told of it; the dead letter is listed
	}
	note := func(what string) {
		d.event(Event{Kind: EventNote, Actor: Actor{Name: "bridge"}, Detail: "undelivered to " + string(lost.Route) + ": " + what})
	}
	const portal = string(Portal)
	told := slices.ContainsFunc(d.service.Notifications, func(rule mappings.Notification) bool {
		return d.applies(rule, string(l.State)) && slices.Contains(rule.To, portal)
	})
	_, shaped := d.service.Shape(portal)
	switch {
	case told:
		note("the cabinet of the portal has the notice")
		return nil
	case !shaped || d.app.State != l.State:
		note("hand the result over in person")
		return nil
	}
	n := d.notice()
	if l.Result {
		i, err := d.b.issued(d.ctx(), d.app.Number)
		if err != nil {
			return err
		}
		n.Result = i.file()
	}
	if err := d.tell(ToPortal, portal, n, d.app.Number, d.app.CorrelationID); err != nil {
		return err
	}
	note("the notice goes to the cabinet of the portal")
	return nil
}
