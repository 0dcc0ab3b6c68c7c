package gateway

import (
	"context"
	"errors"
	"slices"
	"time"

	"kopir/mappings"
	"kopir/signature/verdict"
)

// What a Store answers beside its own faults; test with errors.Is.
var (
	ErrNotFound  = errors.New("not found")
	ErrDuplicate = errors.New("this sender has used this id")
	ErrVersion   = errors.New("the application was changed meanwhile")
	ErrLease     = errors.New("another has taken over the delivery")
	// ErrUnsettled: it may be on disk. Who asked must ask again with the same id.
	ErrUnsettled = errors.New("the outcome is not known")
)

// Store keeps everything that the bridge must not lose. What Commit has
// acknowledged is on disk.
type Store interface {
	// Commit writes a Change whole or not at all. ErrDuplicate: Message's
	// sender and key are there already. ErrVersion: Application is not at
	// Version-1 any more.
	Commit(ctx context.Context, c Change) error
	// Reserve takes n consecutive numbers of a sequence, for ever; it returns
	// the first. Gaps stay where a process ends before it used them.
	Reserve(ctx context.Context, sequence string, n int64) (int64, error)

	Message(ctx context.Context, sender, key string) (*Message, error)
	Application(ctx context.Context, number string) (*Application, error)
	Applications(ctx context.Context, f Filter, cursor string, limit int) (Page, error)
	Events(ctx context.Context, number string) ([]Event, error)
	Dues(ctx context.Context, number string) ([]Due, error)
	Evidence(ctx context.Context, number string) ([]Evidence, error)
	Result(ctx context.Context, number string) (*Document, error)
	// Paper is a printed result; PaperDigests are the SHA-256 of all of them.
	Paper(ctx context.Context, number, languages string) (*Document, error)
	PaperDigests(ctx context.Context, number string) ([]string, error)
	// Verifiable finds the application whose result has a token.
	Verifiable(ctx context.Context, token string) (number string, err error)
	// Pickups lists results that are handed over in person, longest waiting first.
	Pickups(ctx context.Context, f PickupFilter, cursor string, limit int) (Page, error)

	// Fire marks due times whose warning or end has come, so that each is told
	// once, whoever asks, and puts what tell says of them into the histories, in
	// one transaction. It gives those that it marked, also beside an error that
	// names those of them that are told of by what is left of them.
	Fire(ctx context.Context, at time.Time, limit int, tell func(Due) Event) ([]Due, error)
	// NextDue is when something must be said of a due time next; zero: never.
	NextDue(ctx context.Context) (time.Time, error)
	// Suspended gives terms that stand still and should run on by now.
	Suspended(ctx context.Context, at time.Time, limit int) ([]Due, error)
	// PutOff lets Suspended give a term that it gave at a time not before another,
	// and changes nothing of the term itself.
	PutOff(ctx context.Context, d Due, at, next time.Time) error
	// DuesAfter walks over all open terms by application, from after a number on.
	DuesAfter(ctx context.Context, application string, limit int) ([]Due, error)
	// OpenDues lists open terms, the next to end first, Deadlines counts them.
	OpenDues(ctx context.Context, f DueFilter, cursor string, limit int) (DuePage, error)
	Deadlines(ctx context.Context, f DueFilter, by []DueKey) ([]DueGroup, error)
	// Pace is how long the last of a step took in an office, in seconds.
	Pace(ctx context.Context, service, office string, step, limit int) ([]int64, error)
	// Clock is what time the store's own machine has; zero: it has none beside ours.
	Clock(ctx context.Context) (time.Time, error)

	// HeldBefore gives held applications whose next question has come; beside an
	// error those that could be read, and the others let them go first for a while.
	HeldBefore(ctx context.Context, at time.Time, limit int) ([]Hold, error)

	// Claim gives deliveries of a lane whose turn and time have come, at most
	// one of an application, and keeps them from others until the lease ends.
	// Where more wait than it gives, some are of those that came last.
	Claim(ctx context.Context, lane Lane, at time.Time, lease time.Duration, limit int) ([]Delivery, error)
	// Lease is what a new delivery bears that is written as claimed already; an
	// error: nothing may be claimed. Only the first of its application and route may be.
	Lease(at time.Time, lease time.Duration) (int64, error)
	// NextDelivery is when the next delivery of a lane can be tried; zero: none.
	NextDelivery(ctx context.Context, lane Lane) (time.Time, error)
	// Hasten makes due at once what waits because the lane's peer was away.
	Hasten(ctx context.Context, lane Lane, at time.Time) (int64, error)
	// MendLines puts right what a node of another version or configuration left:
	// deliveries that wait for nothing, and those of lanes that nobody serves.
	MendLines(ctx context.Context, lanes []Lane) (int64, error)
	// DeadGroups counts dead letters by lane, cause and code.
	DeadGroups(ctx context.Context) ([]DeadGroup, error)
	// SettleDead lets do settle dead letters of a group that died by a time, in
	// one transaction with the event that it gives for the history, in the name of
	// who. It gives those that it settled; fewer than limit: there are no more.
	SettleDead(ctx context.Context, g DeadGroup, by time.Time, limit int, who string, do func(*Delivery) Event) ([]Delivery, error)
	Deliveries(ctx context.Context, f DeliveryFilter, cursor string, limit int) (DeliveryPage, error)

	// Beat says that this process lives, and frees what silent ones had claimed:
	// how many deliveries. Several processes may share one store.
	Beat(ctx context.Context) (int64, error)
	// Recall makes due soon what rests beyond a time by more than a minute: of
	// deliveries, and says how many, and held applications.
	Recall(ctx context.Context, at time.Time) (int64, error)
	// Awake says whether this process was heard of lately, so that nobody has
	// taken over what it has under way: asked right before anything leaves.
	Awake() error
	// Lead makes this process the one of that name for ttl; false while another
	// is. Resign lets another lead at once.
	Lead(ctx context.Context, name string, ttl time.Duration) (bool, error)
	Resign(ctx context.Context, name string) error

	// Drifts lists what came otherwise than described.
	Drifts(ctx context.Context) ([]Drift, error)
	// Running tells the editions of services that applications still need.
	Running(ctx context.Context) ([]RunningEdition, error)

	// Spend uses up a nonce of a key until a time; ErrDuplicate: it was used
	// before. ForgetSpent drops those whose time is over.
	Spend(ctx context.Context, key, nonce string, until time.Time) error
	ForgetSpent(ctx context.Context, at time.Time) error
	// Noticed lists what a partner that speaks REST was told, in the order in
	// which it was written, from after a place on.
	Noticed(ctx context.Context, receiver string, after int64, limit int) ([]Delivery, error)

	QuestionnaireStore

	// Mark and SetMark keep where a reader of something outside has come to.
	Mark(ctx context.Context, name string) (string, error)
	SetMark(ctx context.Context, name, value string) error
}

// Change is everything that one decision changes, in one transaction. Parts
// that are nil or empty are not touched.
type Change struct {
	Message     *Message     // with Reply: what to answer when it comes again
	Application *Application // Version 1: new; else replaces Version-1
	Result      *Document    // content of the application's result
	Papers      []Paper      // inserted where there is none of the kind
	Evidence    []Evidence
	Events      []Event
	// Dues are inserted or, by application, step and StartedAt, replaced.
	Dues       []Due
	Deliveries []Delivery // new ones, and claimed ones that are settled
	Drifts     []Drift    // counted, by service, partner, kind and path
	Hold       *Hold      // inserted or replaced
	Offer      *Offer     // of a questionnaire
	Release    string     // number of the application that is held no more
	// KeepRefused is set with a Message that was refused: how many bytes a day of
	// its sender's refused messages are kept whole. Of what is beyond, digest, size
	// and verdict are.
	KeepRefused int64
}

// Message is an inbound message that was answered.
type Message struct {
	ID          string // ours
	Sender      string
	Key         string // the sender's messageId, normalised
	SHA256      string // of Raw, hex
	Door        Door
	Operation   string
	Service     string
	At          time.Time
	Raw         []byte
	Reply       []byte
	Size        int64 // of Raw where it is not kept
	Keeping     Keeping
	Code        Code // empty: accepted; ServiceRefused and the like
	Application string
}

// Evidence is a verdict as it was reached, kept for good.
type Evidence struct {
	Message     string          `json:"-"` // Message.ID
	Application string          `json:"application,omitempty"`
	Kind        EvidenceKind    `json:"kind"`
	At          time.Time       `json:"at"`
	Outcome     verdict.Outcome `json:"outcome"`
	Reason      verdict.Reason  `json:"reason,omitempty"`
	Verdict     []byte          `json:"-"` // the JSON of `kopir verify`
	Document    []byte          `json:"-"` // what was judged, where Message.Raw does not hold it
	Finding     []byte          `json:"-"` // of ByRegistry: the JSON of a RegistryAnswer
	// Proofs are the certificates and revocation answers that were relied on;
	// written, not read back with the rest.
	Proofs []verdict.Proof `json:"-"`
}

// EvidenceKind says whose signature, or whose answer, it is.
type EvidenceKind string

// The kinds of evidence.
const (
	BySystem   EvidenceKind = "system"   // over the Body, by the sending system
	ByPerson   EvidenceKind = "person"   // inside data, by the applicant, operator or specialist
	ByOfficial EvidenceKind = "official" // over the result
	ByRegistry EvidenceKind = "registry" // a registry's answer
	ByDrift    EvidenceKind = "drift"    // Document is the elements that the description does not know
	ByConsent  EvidenceKind = "consent"  // the consent service's, that the person agrees
)

// Hold is an application whose signature could not be judged yet.
type Hold struct {
	Application string
	Document    []byte // the person's signed document, as it was unwrapped
	Reason      verdict.Reason
	Since       time.Time
	NextAt      time.Time
	Tries       int
}

// Route is where a delivery goes. Order is kept within an application and route.
type Route string

// The routes.
const (
	ToPortal Route = "portal" // notification through the gateway to the portal
	ToCSC    Route = "csc"    // the same to the service centre
	ToLocal  Route = "local"  // the row in the local database
	ToEmail  Route = "email"  // a letter to the applicant
	ToSMS    Route = "sms"    // a message to the applicant's phone

	// Questions to registries: each has a route of its own, so that a slow one
	// holds up no other.
	ToPersons  Route = mappings.Persons
	ToEntities Route = mappings.Entities
	ToNotaries Route = mappings.Notaries
)

// Routes is the closed list.
func Routes() []Route {
	return []Route{ToPortal, ToCSC, ToLocal, ToPersons, ToEntities, ToNotaries, ToEmail, ToSMS}
}

// Asks reports whether the route leads to a registry.
func (r Route) Asks() bool { return slices.Contains(mappings.RegistryIDs(), string(r)) }

// notifies reports whether the route leads to a partner's system.
func (r Route) notifies() bool { return r == ToPortal || r == ToCSC }

// DeliveryState is how far a delivery has come.
type DeliveryState string

// The states of a delivery.
const (
	Queued  DeliveryState = "queued"
	Done    DeliveryState = "done"
	Dead    DeliveryState = "dead"    // waits for a person, and with it what follows on its route
	Dropped DeliveryState = "dropped" // a person gave it up; Error says who and why
)

// Delivery is one outgoing message as the outbox keeps it.
type Delivery struct {
	ID          string        `json:"id"`
	Application string        `json:"application"`
	Route       Route         `json:"route"`
	Seq         int64         `json:"seq"` // order within application and route; set by the store
	State       DeliveryState `json:"state"`
	Lane        string        `json:"lane,omitempty"`    // Lane.Receiver
	Service     string        `json:"service,omitempty"` // our id of it
	Edition     string        `json:"edition,omitempty"` // under which it was made
	Partner     string        `json:"partner,omitempty"` // whose notice it is: portal, csc
	// Receiver is the sender id of the partner that brought the application;
	// empty: the route's own partner is told.
	Receiver string `json:"receiver,omitempty"`
	// Listed asks for a place in the list of the receiver's notices; Place is
	// that place, from 1, set by the store.
	Listed bool  `json:"-"`
	Place  int64 `json:"-"`

	// What goes out; MessageID and MessageDate are the same at every try.
	MessageType   string    `json:"message_type,omitempty"` // NOTIFICATION or RESPONSE
	MessageID     string    `json:"message_id"`
	CorrelationID string    `json:"correlation_id,omitempty"`
	ServiceID     string    `json:"service_id,omitempty"`
	MessageDate   time.Time `json:"message_date"`
	Body          []byte    `json:"-"` // the inner document; for local and registry routes their job as JSON

	CreatedAt time.Time `json:"created_at"`
	Since     time.Time `json:"since"` // from when on it is tried: a person's retry begins anew
	NextAt    time.Time `json:"next_at"`
	Tries     int       `json:"tries"`
	Error     string    `json:"error,omitempty"` // of the last try; no content of messages
	// Cause and Code say the same for machines; FailedAt is when that was.
	Cause    Cause     `json:"cause,omitempty"`
	Code     string    `json:"code,omitempty"`
	FailedAt time.Time `json:"failed_at,omitzero"`
	DoneAt   time.Time `json:"done_at,omitzero"`
	// Unsure: the last try may have arrived, though no answer says so.
	Unsure bool `json:"unsure,omitempty"`
	// Trace is the span that made it, as a traceparent.
	Trace string `json:"trace,omitempty"`

	// What the partner answered.
	PeerMessageID string `json:"peer_message_id,omitempty"`
	PeerState     string `json:"peer_state,omitempty"` // by changeMassageStatusNotification or polling
	Sent          []byte `json:"-"`
	Answer        []byte `json:"-"`

	Lease int64 `json:"-"` // proof of the claim, by Store.Claim or Store.Lease
}

// DeliveryFilter selects deliveries; the zero value selects all.
type DeliveryFilter struct {
	ID            string
	Application   string
	Route         Route
	States        []DeliveryState
	Service       string // our id of it
	CorrelationID string
	MessageID     string // ours or the gateway's
	// Receiver leaves out what is for other partners of the route.
	Receiver string
	// Unblocked leaves out what waits behind a dead one of its own line.
	Unblocked bool
	// Group, where set, leaves out what has another lane, cause or code, and
	// FailedBy, with it, what failed later.
	Group    *DeadGroup
	FailedBy time.Time
}

// DeliveryPage is one page, oldest first.
type DeliveryPage struct {
	Deliveries []Delivery `json:"deliveries"`
	Next       string     `json:"next,omitempty"`
}
