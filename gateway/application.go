package gateway

import "time"

// Channel is the way by which an application came, as the regulations name
// them: the steps and terms of a service differ by channel.
type Channel string

// The channels of the regulations.
const (
	Portal Channel = "portal" // the national portal (PEP): the applicant signs
	CSC    Channel = "csc"    // the service centres (CON): the operator signs
	Office Channel = "office" // the provider's own office: the specialist signs
	Akim   Channel = "akim"   // the akim of a settlement, who forwards it to the provider: his specialist signs
)

// IIN is a person's identification number, and BIN an organisation's: twelve
// digits. Their String method masks, so that neither a log line nor an error
// shows one by accident; convert to string where the whole number is meant.
type (
	IIN string
	BIN string
)

// String shows the birth date part and hides the rest: "900101******".
func (i IIN) String() string { return mask(string(i)) }

// String hides the last six digits.
func (b BIN) String() string { return mask(string(b)) }

func mask(s string) string {
	if s == "" {
		return ""
	}
	if len(s) != 12 {
		return "******"
	}
	return s[:6] + "******"
}

// Text is a sentence for people in the two languages of the regulations, and
// in English where there is one.
type Text struct {
	RU string `json:"ru"`
	KK string `json:"kk"`
	EN string `json:"en,omitempty"`
}

// In gives the sentence in a language; where English is missing, Russian.
func (t Text) In(lang string) string { return t.mapped().In(lang) }

// Ground is why a service was refused: a code of the closed list of the
// service's refusals, and the sentence that the regulations give it.
type Ground struct {
	Code string `json:"code"`
	Text Text   `json:"text"`
	// Faults are the single faults behind it, where there are any.
	Faults []FieldFault `json:"faults,omitempty"`
}

// FieldFault is one fault of one field of an application.
type FieldFault struct {
	Field string `json:"field,omitempty"`
	Path  string `json:"path"`
	Rule  string `json:"rule"`
	Text  Text   `json:"text"`
}

// Party is a person or an organisation in an application or a signature.
type Party struct {
	IIN        IIN    `json:"iin,omitempty"`
	BIN        BIN    `json:"bin,omitempty"`
	Name       string `json:"name,omitempty"`
	Department string `json:"department,omitempty"`
}

// Field is one value of an application, by the mapping's name for it.
type Field struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Column string `json:"column,omitempty"`
	Label  Text   `json:"label"`
}

// GroupRow is one repetition of a group of the mapping, numbered from 1.
type GroupRow struct {
	Group  string  `json:"group"`
	Number int     `json:"number"`
	Fields []Field `json:"fields"`
}

// Document is a file that belongs to an application: its result, or an
// attachment. Signature is empty when it is inside Content.
type Document struct {
	Kind      string    `json:"kind,omitempty"` // the mapping's name for it
	Name      string    `json:"name"`
	MediaType string    `json:"media_type"`
	Content   []byte    `json:"content,omitempty"`
	Signature []byte    `json:"signature,omitempty"`
	SHA256    string    `json:"sha256"`
	SignedBy  *Party    `json:"signed_by,omitempty"`
	SignedAt  time.Time `json:"signed_at,omitzero"`
	// Certificate is the signer's.
	Certificate *Certificate `json:"certificate,omitempty"`
	// Token is the secret part of the address where a result is verified.
	Token string `json:"token,omitempty"`
}

// Certificate names the certificate of a signature.
type Certificate struct {
	Serial   string    `json:"serial"` // hexadecimal
	NotAfter time.Time `json:"not_after"`
}

// Application (zayavlenie) is what the bridge carries. Version counts its
// changes; a change made on an older version is refused.
type Application struct {
	Number  string  `json:"number"`
	Service string  `json:"service"`
	Edition string  `json:"edition"`
	Channel Channel `json:"channel"`
	State   State   `json:"state"`
	// Office is the department by the applicant's residence; empty when the
	// service asks for none.
	Office    string `json:"office,omitempty"`
	Applicant Party  `json:"applicant"`
	// Signer is who signed the application: the applicant, or by the channel
	// the operator or the specialist.
	Signer Party   `json:"signer"`
	Fields []Field `json:"fields"`
	// Groups are what repeats in the document: family members, incomes.
	Groups []GroupRow `json:"groups,omitempty"`
	// Attachments come without their content.
	Attachments []Document `json:"attachments,omitempty"`

	ReceivedAt time.Time `json:"received_at"`
	ChangedAt  time.Time `json:"changed_at"`
	// DueAt is when the step that is open now must be done; zero when the
	// regulation gives it no term, its term stands still, or nothing is open.
	DueAt    time.Time `json:"due_at,omitzero"`
	Overdue  bool      `json:"overdue"` // as of the time of reading
	Extended bool      `json:"extended"`
	// Forecast says whether the open step will be done in time; nil when
	// nothing with a term is open, or too few were done before to say.
	Forecast *Forecast `json:"forecast,omitempty"`

	Executor Actor `json:"executor,omitzero"` // who took it into work
	// Holder is whose hands it is in where the akim forwards it to the provider:
	// akim or provider.
	Holder  string    `json:"holder,omitempty"`
	Refusal *Ground   `json:"refusal,omitempty"`
	Result  *Document `json:"result,omitempty"`
	// Pickup is the line of the register of results that are handed over in person.
	Pickup *Pickup `json:"pickup,omitempty"`

	// Removed says that only what is above of it lies here still.
	Removed *Removal `json:"removed,omitempty"`

	// How its sender knows it.
	Sender        string `json:"sender,omitempty"`
	MessageID     string `json:"message_id,omitempty"`
	CorrelationID string `json:"correlation_id,omitempty"`
	PartnerNumber string `json:"partner_number,omitempty"`

	Version int64 `json:"version"`
	// Trace is where its trace begins, as a traceparent; empty: it is not traced.
	Trace string `json:"trace,omitempty"`
}

// Actor is who makes a change: a person by API key or certificate, or one of
// the bridge's own hands ("watch", "timer", "intake").
type Actor struct {
	Name string `json:"name"`
	IIN  IIN    `json:"iin,omitempty"`
	BIN  BIN    `json:"bin,omitempty"`
}

// IsZero reports whether nobody is named.
func (a Actor) IsZero() bool { return a == Actor{} }

// EventKind says what an entry of the history is about.
type EventKind string

// What a history tells.
const (
	EventState     EventKind = "state"     // From became To
	EventNote      EventKind = "note"      // something worth telling without a move
	EventExtended  EventKind = "extended"  // the term was extended
	EventWarning   EventKind = "warning"   // a due time is near
	EventOverdue   EventKind = "overdue"   // a due time has passed
	EventSuspended EventKind = "suspended" // the term stands still
	EventResumed   EventKind = "resumed"   // it runs again
	EventRecounted EventKind = "recounted" // the calendar changed, and with it the end of the term
	EventRegistry  EventKind = "registry"  // what a registry answered
	EventDelivered EventKind = "delivered" // a delivery arrived
	EventDead      EventKind = "dead"      // a delivery was given up and waits for a person
	EventResult    EventKind = "result"    // a result document was attached
	EventForwarded EventKind = "forwarded" // it went from the akim to the provider, or back
	EventDrift     EventKind = "drift"     // the document came otherwise than described
	EventHanded    EventKind = "handed"    // the result was handed over, or returned to the provider
)

// Event is one entry of an application's history. Seq counts from 1 within
// the application; it is set by the store.
type Event struct {
	Application string    `json:"application"`
	Seq         int64     `json:"seq"`
	At          time.Time `json:"at"`
	Kind        EventKind `json:"kind"`
	From        State     `json:"from,omitempty"`
	To          State     `json:"to,omitempty"`
	Actor       Actor     `json:"actor"`
	Text        Text      `json:"text"`
	Detail      string    `json:"detail,omitempty"`
}

// Timeline is everything that happened to one application and what must
// happen yet.
type Timeline struct {
	Application Application `json:"application"`
	Events      []Event     `json:"events"`
	Dues        []Due       `json:"dues"`
	Deliveries  []Delivery  `json:"deliveries"`
	Evidence    []Evidence  `json:"evidence"`
}

// Filter selects applications; the zero value selects all. Several values of
// one key are alternatives.
type Filter struct {
	Service string
	States  []State
	Channel Channel
	Office  string
	IIN     IIN    // of the applicant
	Number  string // ours or the partner's own
	Sender  string // sender id of the partner that brought it
	Overdue *bool
	// LateExpected selects those that are late or are expected to be.
	LateExpected bool
	// Now is the time that Overdue and LateExpected are asked for.
	Now time.Time
	// From and To bound ReceivedAt: From <= ReceivedAt < To.
	From, To time.Time
}

// Page is one page of a list, newest first. Next is empty on the last page; it
// is opaque to callers.
type Page struct {
	Applications []Application `json:"applications"`
	Next         string        `json:"next,omitempty"`
}
