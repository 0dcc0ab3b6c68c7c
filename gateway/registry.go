package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"kopir/gateway/failpoint"
	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/verdict"
)

// Registry answers questions about one kind of thing: a person, an
// organisation, a power of attorney.
type Registry interface {
	// Ask gives what the registry itself said and signed. Anything else is an
	// error, and the question is asked again: a registry that cannot be reached,
	// a signature that is not believed, an answer about somebody else, a consent
	// that the person has not given yet. A *SendError says whether asking again
	// can help.
	Ask(ctx context.Context, q Question) (Finding, error)
}

// Question is what is asked about one application.
type Question struct {
	MessageID string // the same at every try
	At        time.Time
	Again     bool   // it was asked before, without an answer
	Service   string // for whose sake; our id
	Subject   string // IIN, BIN, or number of the power of attorney
	// Values is what the application says, by the name of the fact.
	Values map[string]string
}

// String shows nothing of the person.
func (q Question) String() string { return "question " + q.MessageID }

// GoString is for %#v.
func (q Question) GoString() string { return q.String() }

// Standing is what an answer means. The zero value is no answer at all.
type Standing string

// What a registry can say.
const (
	Found   Standing = "found"   // it knows, and gives facts
	NoData  Standing = "no-data" // it knows nothing, or may not tell: Reason says why
	Invalid Standing = "invalid" // what it knows does not support the application: Reason says why
)

// Reasons behind NoData and Invalid; texts-registry.yaml has their sentences.
// Those of Invalid by comparison are in the description (compare, else).
const (
	ConsentRefused = "consent-refused"
	ConsentMissing = "consent-missing"
	POARevoked     = "revoked"
	POAExpired     = "expired"
	POANotYetValid = "not-yet-valid"
	POAOutOfScope  = "out-of-scope"
)

// Finding is a registry's answer, believed by the gateway's signature.
type Finding struct {
	Standing Standing
	Reason   string
	Facts    []Fact
	At       time.Time          // when it was given; zero: just now
	Reused   bool               // it answered the same question before
	Asked    []byte             // the envelope as it went out
	Answer   []byte             // as it came: evidence, with the registry's own signature inside
	Verdict  *signature.Verdict // over the answer
	Consent  []byte             // the consent service's answer that opened the registry
}

// String shows nothing of the person.
func (f Finding) String() string { return "finding " + string(f.Standing) }

// GoString is for %#v.
func (f Finding) GoString() string { return f.String() }

// Fact is one thing that a registry says, by the names of
// mappings.RegistryFacts.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (f *Finding) fact(name string) string {
	for _, x := range f.Facts {
		if x.Name == name {
			return x.Value
		}
	}
	return ""
}

// RegistryAnswer is what is kept of an answer beside its bytes: as much as the
// form needs.
type RegistryAnswer struct {
	Registry string    `json:"registry"`
	At       time.Time `json:"at"` // when it was given
	Standing Standing  `json:"standing"`
	Reason   string    `json:"reason,omitempty"`
	Facts    []Fact    `json:"facts"`
	// Differs are the fields of the application that say something else.
	Differs []string `json:"differs"`
}

// registryJob is the question to a registry, as the outbox keeps it; what the
// answer means, the description of the application's edition says.
type registryJob struct {
	Registry string `json:"registry"`
}

// ask puts the questions to the registries of the channel on their way: those
// about which the application says anything. What is not asked is told to the
// specialist, so that nobody takes it for checked.
func (d *draft) ask() {
	tell := func(key string, registry string) {
		t := d.b.set().Texts.Text(key).FillText("registry", d.b.registryName(registry))
		d.event(Event{Kind: EventNote, Actor: Actor{Name: "bridge"}, Text: text(t), Detail: strings.TrimPrefix(key, "registry.") + ": " + registry})
	}
	for i := range d.service.Registries {
		use := &d.service.Registries[i]
		switch {
		case !use.In(d.channel.ID):
		case d.value(use.Field) == "":
			if use.ID == mappings.Notaries && d.value("representative_iin") != "" {
				tell("registry.by-hand", use.ID)
			}
		case d.b.o.Registries[use.ID] == nil:
			tell("registry.not-asked", use.ID)
		default:
			d.job(Route(use.ID), registryJob{Registry: use.ID})
		}
	}
}

// registryName is the registry's short name.
func (b *Bridge) registryName(id string) mappings.Text {
	if a, ok := b.set().Actor(id); ok && !a.Short.IsZero() {
		return a.Short
	}
	return mappings.Text{Ru: id, Kk: id, En: id}
}

// askRegistry asks, and says what follows for the application. An answer that
// the registry could not give is an error: asked again.
func (b *Bridge) askRegistry(ctx context.Context, d *Delivery) (func(*draft) error, error) {
	var job registryJob
	if err := json.Unmarshal(d.Body, &job); err != nil {
		return nil, &SendError{Permanent: true, Cause: CauseOurs, Err: err}
	}
	registry := b.o.Registries[job.Registry]
	if registry == nil {
		return nil, &SendError{Cause: CauseOurs, Err: fmt.Errorf("there is no way to the registry %s", job.Registry)}
	}
	app, err := b.o.Store.Application(ctx, d.Application)
	if err != nil {
		return nil, err
	}
	use, err := b.use(app, job.Registry)
	if err != nil {
		return nil, err
	}
	q := Question{MessageID: d.MessageID, At: d.MessageDate, Again: d.Tries > 0, Service: app.Service, Subject: app.value(use.Field), Values: map[string]string{}}
	for _, c := range use.Compare {
		q.Values[c.Fact] = app.value(c.Field)
	}
	var f Finding
	if use.Consent != "" && app.value(use.Consent) != "true" {
		f = Finding{Standing: NoData, Reason: ConsentMissing} // intake refuses such a form; nothing is asked about whoever did not agree
	} else if f, err = registry.Ask(ctx, q); err != nil {
		return nil, err
	}
	failpoint.Here(failpoint.RegistrySaid)
	if f.At.IsZero() {
		f.At = b.now().UTC()
	}
	d.Sent = f.Asked
	return func(dr *draft) error { return dr.answered(use, &f) }, nil
}

// use is what the application's service asks of the registry.
func (b *Bridge) use(app *Application, registry string) (*mappings.RegistryUse, error) {
	s, err := b.described(app)
	if err != nil {
		return nil, err
	}
	use, ok := s.Registry(registry, string(app.Channel))
	if !ok {
		return nil, &SendError{Permanent: true, Cause: CauseOurs, Err: fmt.Errorf("the service %s asks nothing of %s in the channel %s", s.ID, registry, app.Channel)}
	}
	return use, nil
}

// answered compares an answer with the application, keeps it, and refuses
// where the description says so.
func (d *draft) answered(use *mappings.RegistryUse, f *Finding) error {
	kept := RegistryAnswer{Registry: use.ID, At: f.At, Standing: f.Standing, Reason: f.Reason, Facts: []Fact{}, Differs: []string{}}
	for _, x := range f.Facts {
		if use.Shows(x.Name) && x.Value != "" {
			kept.Facts = append(kept.Facts, x)
		}
	}
	var labels mappings.Text
	if f.Standing == Found {
		for _, c := range use.Compare {
			have := f.fact(c.Fact)
			if have == "" && c.Else == "" || same(have, d.value(c.Field)) {
				continue // what the registry does not tell contradicts nothing, unless everything hangs on it
			}
			kept.Differs = append(kept.Differs, c.Field)
			if field, ok := d.service.Field(c.Field); ok {
				labels = listed(labels, field.Label)
			}
			if c.Else != "" && kept.Standing == Found {
				kept.Standing, kept.Reason = Invalid, c.Else
			}
		}
	}
	if err := d.keep(f, &kept); err != nil {
		return err
	}
	d.tellAnswer(&kept, labels, f.Reused)
	if kept.Standing == Found || d.app.State.Final() {
		return nil
	}
	g, err := d.registryGround(use, &kept)
	if err != nil {
		return err
	}
	d.app.Refusal = g
	return d.enter(Refused, Actor{Name: use.ID})
}

// keep makes the answer evidence.
func (d *draft) keep(f *Finding, kept *RegistryAnswer) error {
	e := Evidence{Kind: ByRegistry, At: d.at, Outcome: verdict.Passed, Document: f.Answer}
	if f.Verdict != nil {
		e = d.b.evidence(ByRegistry, d.at, f.Verdict)
		e.Document = f.Answer
	}
	var err error
	if e.Finding, err = json.Marshal(kept); err != nil {
		return &Error{Code: Internal, Say: "the answer of the registry could not be kept", Cause: err}
	}
	d.change.Evidence = append(d.change.Evidence, e)
	if len(f.Consent) > 0 {
		d.change.Evidence = append(d.change.Evidence, Evidence{Kind: ByConsent, At: d.at, Outcome: verdict.Passed, Document: f.Consent})
	}
	return nil
}

// tellAnswer writes into the history what came, without its content.
func (d *draft) tellAnswer(kept *RegistryAnswer, labels mappings.Text, again bool) {
	texts := d.b.set().Texts
	fill := func(key string) mappings.Text {
		return texts.Text("registry."+key, "at", kept.At.In(d.b.zone()).Format("02.01.2006 15:04")).FillText("registry", d.b.registryName(kept.Registry)).
			FillText("fields", labels).FillText("reason", texts.Text("registry."+kept.Reason))
	}
	detail, key := string(kept.Standing), string(kept.Standing)
	if again && kept.Standing == Found {
		key = "reused"
	}
	if kept.Reason != "" {
		detail += ": " + kept.Reason
	}
	d.event(Event{Kind: EventRegistry, Actor: Actor{Name: kept.Registry}, Text: text(fill(key)), Detail: detail})
	if len(kept.Differs) > 0 {
		d.event(Event{Kind: EventNote, Actor: Actor{Name: kept.Registry}, Text: text(fill("differs")), Detail: "differs: " + strings.Join(kept.Differs, ", ")})
	}
}

// registryGround is the regulated refusal that an answer leads to. A reason
// about consent takes the place of the regulation's ground, which says that the
// registry holds no data; one about a power of attorney stands behind it.
func (d *draft) registryGround(use *mappings.RegistryUse, kept *RegistryAnswer) (*Ground, error) {
	code, ground := use.NoData, mappings.Text{}
	var faults []FieldFault
	reason := d.b.set().Texts.Text("registry." + kept.Reason)
	switch {
	case kept.Standing == Invalid:
		code = use.Invalid
		fault := FieldFault{Field: use.Field, Rule: kept.Reason, Text: text(reason)}
		if f, ok := d.service.Field(use.Field); ok {
			fault.Path = f.Path
		}
		faults = append(faults, fault)
	case kept.Reason != "":
		ground = reason
	}
	t, ok := d.service.Refusal(code, d.channel.ID, ground)
	if !ok {
		return nil, &Error{Code: Internal, Say: "the service has no refusal " + code}
	}
	return &Ground{Code: code, Text: text(t), Faults: faults}, nil
}

// registryPatience is how long a decision waits for a registry that has not
// answered yet: a healthy one does within a second.
const registryPatience = 5 * time.Second

// settled waits until every registry that was asked about an application has
// answered: by the regulations that comes before the decision. A question that
// nobody will answer is dropped by an administrator, with his reason.
func (b *Bridge) settled(ctx context.Context, number string) error {
	patience := time.After(registryPatience)
	for {
		open, err := b.openQuestions(ctx, number)
		if err != nil || len(open) == 0 {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-patience:
			return &Error{Code: TryLater, Field: "state", Say: "not answered yet by " + strings.Join(open, ", ") + ": by the regulation the registry comes before the decision; if it was asked by other means, an administrator can drop the question with that reason"}
		case <-ctx.Done():
			return tryLater(ctx.Err())
		}
	}
}

// openQuestions are the registries that have not answered about an application.
func (b *Bridge) openQuestions(ctx context.Context, number string) (open []string, err error) {
	for cursor := ""; ; {
		p, err := b.o.Store.Deliveries(ctx, DeliveryFilter{Application: number, States: []DeliveryState{Queued, Dead}}, cursor, 200)
		if err != nil {
			return nil, tryLater(err)
		}
		for _, d := range p.Deliveries {
			if d.Route.Asks() {
				open = append(open, string(d.Route))
			}
		}
		if cursor = p.Next; cursor == "" {
			return open, nil
		}
	}
}

// Registries is what registries said of an application, oldest first. That
// somebody read it is written into the history.
func (b *Bridge) Registries(ctx context.Context, number string, who Actor) ([]RegistryAnswer, error) {
	if _, err := b.Application(ctx, number); err != nil {
		return nil, err
	}
	evidence, err := b.o.Store.Evidence(ctx, number)
	if err != nil {
		return nil, tryLater(err)
	}
	all := []RegistryAnswer{}
	for _, e := range evidence {
		if len(e.Finding) == 0 {
			continue // of a signature, or kept before findings were
		}
		var a RegistryAnswer
		if err := json.Unmarshal(e.Finding, &a); err != nil {
			return nil, &Error{Code: Internal, Say: "an answer of a registry does not read", Cause: err}
		}
		all = append(all, a)
	}
	if len(all) == 0 {
		return all, nil
	}
	noted := Event{Application: number, At: b.now().UTC(), Kind: EventNote, Actor: who, Text: text(b.set().Texts.Text("registry.read")), Detail: "registry data read"}
	if err := b.o.Store.Commit(ctx, Change{Events: []Event{noted}}); err != nil {
		return nil, tryLater(err) // what cannot be noted is not shown
	}
	return all, nil
}

// folded makes names comparable that are spelled alike: case, spaces, hyphens
// and the Russian yo, which registries write as ye.
var folded = strings.NewReplacer("\u0451", "\u0435", "-", " ", "\u2019", "'")

func same(a, b string) bool {
	plain := func(s string) string {
		return strings.Join(strings.Fields(folded.Replace(strings.ToLower(s))), " ")
	}
	return plain(a) == plain(b)
}

// listed adds a label to an enumeration.
func listed(all, one mappings.Text) mappings.Text {
	if all.IsZero() {
		return one
	}
	return mappings.Text{Ru: all.Ru + ", " + one.Ru, Kk: all.Kk + ", " + one.Kk, En: all.En + ", " + one.In(mappings.English)}
}
