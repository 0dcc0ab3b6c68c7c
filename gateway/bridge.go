package gateway

import (
	"context"
	"time"

	"go.uber.org/zap"

	"kopir/mappings"
	"kopir/signature/verdict"
)

// Door is the address to which a message was sent.
type Door string

// The ways of messages.
const (
	SyncDoor  Door = "sync"  // SyncChannel: SendMessage
	AsyncDoor Door = "async" // AsyncChannel as a server, and the call-back of a member system
	FetchDoor Door = "fetch" // no address: what we fetched by getMessages
	RESTDoor  Door = "rest"  // documents that come bare
)

// Incoming is one message as it came in.
type Incoming struct {
	Door   Door
	Raw    []byte
	Remote string // address of the peer, for the log
	// Request is the door's id of the request, for the log.
	Request string
	// Fetched is, with FetchDoor, the id of the message meant: Raw is the answer
	// that holds it, perhaps among others.
	Fetched string
}

// Reply is what goes back, byte for byte: always an envelope.
type Reply struct {
	Bytes  []byte
	Status int  // HTTP status: 200, or 500 with a fault (SOAP 1.1, 6.2)
	Code   Code // of the fault; empty when it was answered
	// RetryAfter is set with TryLater.
	RetryAfter time.Duration
}

// Submission is an application that comes bare, as its signed document: from a
// specialist of the provider or of an akim, who signed it, or from a partner that
// speaks REST, signed by whoever signs in its channel.
type Submission struct {
	Service string // our id of it; partners may name the gateway's
	// Channel is Office, also when empty, or Akim; of a partner its own.
	Channel  Channel
	Document []byte // XML with an enveloped signature, or CMS around it (DER, PEM, base64)
	Office   string // for which the caller acts: applications of others are refused; empty: all
	// ID is the caller's own id of it: the same id and bytes give the same
	// answer, other bytes a DuplicateID.
	ID string
	// By is the partner that brings it; nil: a specialist does. Body is the
	// partner's request body where Document is a part of it.
	By   *Admission
	Body []byte
	// Remote and Request are for the log, as of an Incoming.
	Remote, Request string
}

// Decision ends an application.
type Decision struct {
	State State // Completed or Refused; empty: as the signed result says
	// Result is required unless State is Refused: XML with the signature of an
	// official of the provider's organisation inside it, CMS around it, or CMS
	// beside it in Signature; over the draft of this application or a document in one of
	// the service's foreign shapes; then Kind says which result it is, where
	// the document does not.
	Result *Document
	// Ground is required with Refused where no signed draft has it: a code of
	// the service's refusals, or the official's own text in both languages.
	Ground *Ground
	// Version is the version on which it was decided; zero: whatever it is now.
	Version int64
}

// Doors are the ways into the bridge. *Bridge has them all; the REST and SOAP
// servers use them. Every error is an *Error.
type Doors interface {
	// Receive takes any SOAP message and always has an answer.
	Receive(ctx context.Context, in Incoming) Reply
	// Defect counts and tells of a panic that was caught; Panics is how many
	// there were since the start, wherever they were caught.
	Defect(panicked any, stack []byte, about ...zap.Field)
	Panics() uint64

	// Admit believes the signed HTTP request of a partner, once.
	Admit(ctx context.Context, c Call) (*Admission, error)
	// Doubt counts a request that is not put to Admit: its signature does not hold.
	Doubt(reason verdict.Reason)
	// Notices lists what a partner that speaks REST was told, from after a place
	// in that list on; from the first with "".
	Notices(ctx context.Context, by *Admission, after string, limit int) (NoticePage, error)
	// Submit takes an application that comes as a bare document. A refusal of the
	// service as regulated is an *Error with ServiceRefused and its Ground.
	Submit(ctx context.Context, s Submission, who Actor) (*Application, error)
	// Take brings an application into work; Return hands it back for another
	// specialist; HandOver gives it to another one directly, and names the
	// executor of one that nobody has taken yet (the head's resolution).
	Take(ctx context.Context, number string, who Actor) (*Application, error)
	Return(ctx context.Context, number string, who Actor, why Text) (*Application, error)
	HandOver(ctx context.Context, number string, who, to Actor) (*Application, error)
	// Forward hands an application from the akim to the provider, and back.
	Forward(ctx context.Context, number string, who Actor, f Forwarding) (*Application, error)
	// DraftResult gives the document for the official to sign.
	DraftResult(ctx context.Context, number string, w ResultWish) (*Document, error)
	Decide(ctx context.Context, number string, who Actor, d Decision) (*Application, error)
	Extend(ctx context.Context, number string, who Actor, e Extension) (*Application, error)
	// Suspend lets the running term stand still; Resume lets it run on.
	Suspend(ctx context.Context, number string, who Actor, s Suspension) (*Application, error)
	Resume(ctx context.Context, number string, who Actor, version int64) (*Application, error)

	Application(ctx context.Context, number string) (*Application, error)
	// Applications lists newest first; cursor is a Page's Next or empty.
	Applications(ctx context.Context, f Filter, cursor string, limit int) (Page, error)
	// History is what one person applied for, as the portal shows it to that person.
	History(ctx context.Context, iin IIN, cursor string, limit int) (Page, error)
	Timeline(ctx context.Context, number string) (*Timeline, error)
	// Notifications are the lines that portal and service centre were told.
	Notifications(ctx context.Context, number string) ([]Notification, error)
	// Registries is what registries said of an application; that it was read is
	// noted in the history.
	Registries(ctx context.Context, number string, who Actor) ([]RegistryAnswer, error)
	// Result is the result document with its content.
	Result(ctx context.Context, number string) (*Document, error)
	// ResultPaper is the result as PDF, in kk, ru, or both with an empty language.
	ResultPaper(ctx context.Context, number, language string) (*Document, error)
	// Verify tells what everybody with the token of a result may know, and
	// whether a digest is that of the result or of a paper of it.
	Verify(ctx context.Context, token, digest string) (*Verification, error)
	// Results is the register of those handed over in person; HandResult and
	// ReturnResult write in it.
	Results(ctx context.Context, f PickupFilter, cursor string, limit int) (Page, error)
	HandResult(ctx context.Context, number string, who Actor, h Handing) (*Application, error)
	ReturnResult(ctx context.Context, number string, who Actor, version int64) (*Application, error)

	// Deadlines counts the open terms by office, service or step.
	Deadlines(ctx context.Context, f DueFilter, by []DueKey) ([]DueGroup, error)
	// Dues lists open terms, the next to end first.
	Dues(ctx context.Context, f DueFilter, cursor string, limit int) (DuePage, error)
	// Drift lists what partners send otherwise than it is described.
	Drift(ctx context.Context) ([]Drift, error)

	// DeadGroups are the dead letters by cause; SettleGroup sends those of one
	// group again or gives them up, or only tells what it would do.
	DeadGroups(ctx context.Context) ([]DeadGroup, error)
	SettleGroup(ctx context.Context, s GroupSettlement, who Actor) (*GroupSettled, error)
	// Deliveries lists what is on its way or given up; Retry sends a dead one
	// again, Drop gives it up for good with a reason that is kept.
	Deliveries(ctx context.Context, f DeliveryFilter, cursor string, limit int) (DeliveryPage, error)
	Retry(ctx context.Context, id string, who Actor) error
	// Questionnaire gives what the holder of a token is asked, AnswerQuestionnaire
	// takes the answers once, QuestionnaireSummary sums them.
	Questionnaire(ctx context.Context, token string) (*Questions, error)
	AnswerQuestionnaire(ctx context.Context, token string, answers map[string]int) error
	QuestionnaireTexts() *mappings.Questionnaire
	QuestionnaireSummary(ctx context.Context) ([]QuestionnaireGroup, error)
	Drop(ctx context.Context, id string, who Actor, why string) error
}

// Sender carries a delivery to its partner: builds and signs the envelope,
// sends it, and judges the answer. It must send the same MessageID and
// MessageDate at every try, and where the delivery is Unsure find out first
// whether it arrived. A *SendError says whether another try can help; any other
// error is taken for one that may pass, of a message that may have arrived.
type Sender interface {
	Send(ctx context.Context, d Delivery) (Receipt, error)
}

// Receipt is what a partner answered.
type Receipt struct {
	MessageID     string // the id under which the gateway carries it
	CorrelationID string
	State         string // how far it has come, where the gateway was asked that
	Sent          []byte // the signed envelope as it went out, for evidence
	Answer        []byte // the answer as it came
}

// SendError is a send that failed. Permanent: the partner understood and
// refused, so that sending the same again cannot help. Unknown: it may have
// arrived.
type SendError struct {
	Permanent  bool
	Unknown    bool
	Cause      Cause         // empty: what follows from the rest
	Code       string        // the partner's own code, where it gave one
	RetryAfter time.Duration // how long the partner wants to be left alone; zero: it did not say
	Err        error
}

// Error says what happened, without the message's content.
func (e *SendError) Error() string {
	if e.Code != "" {
		return e.Code + ": " + e.Err.Error()
	}
	return e.Err.Error()
}

// Unwrap gives the cause.
func (e *SendError) Unwrap() error { return e.Err }

// LocalDB is the local executive body's own database.
type LocalDB interface {
	// Write puts the row of an application into the table of its service; a
	// row that is there already stays one row.
	Write(ctx context.Context, row LocalRow) error
	// Changed gives rows of the table of a description, by its name, whose mark of
	// change lies after the cursor, oldest first, and the cursor for the next call;
	// the empty cursor is the beginning. It makes news travel faster and need not
	// know all of them.
	Changed(ctx context.Context, service, cursor string, limit int) ([]LocalChange, string, error)
	// Statuses gives what the rows of these applications say now.
	Statuses(ctx context.Context, service string, numbers []string) ([]LocalStatus, error)
	// Codes reads a code list that the body keeps in a table.
	Codes(ctx context.Context, service, list string) ([]mappings.Code, error)
	// Listen calls wake when the database says that something changed, until ctx
	// ends; it returns at once where a database does not say so.
	Listen(ctx context.Context, wake func())
}

// LocalRow is what goes into the local database. With Fields it is a new row;
// without, only the status of one that is there.
type LocalRow struct {
	Service string     `json:"service"`
	Edition string     `json:"edition,omitempty"`
	Number  string     `json:"number"`
	State   State      `json:"state"`
	At      time.Time  `json:"at"`
	Reason  Text       `json:"reason,omitzero"`
	Fields  []Field    `json:"fields,omitempty"`
	Groups  []GroupRow `json:"groups,omitempty"`
	// System holds what the bridge knows beside the document, by the names of
	// the mapping's local.system.
	System map[string]string `json:"system,omitempty"`
	Files  []Document        `json:"files,omitempty"`
	// Result: the application ended with a result, which is in Issued when the row
	// is written.
	Result bool    `json:"result,omitempty"`
	Issued *Issued `json:"-"`
	// Corrects: Fields are put into the row that is there.
	Corrects bool `json:"corrects,omitempty"`
}

// LocalChange is a row that the local system marked as changed: of which
// application, and the mark as the database compares it.
type LocalChange struct{ Number, Mark string }

// LocalStatus is the status of a row. Code is the local system's own; the
// mapping says which state it means.
type LocalStatus struct {
	Number, Code string
	Reason       Text
}
