package gateway

import (
	"errors"
	"time"

	"kopir/gateway/soap"
	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/verdict"
)

// processed is the status code of a message that was dealt with, whatever came
// of it: receivers look into the data for that.
const processed = "SCSS001"

// answer builds and signs an envelope.
func (b *Bridge) answer(p soap.Payload) ([]byte, error) {
	envelope, err := soap.Build(p)
	if err != nil {
		return nil, &Error{Code: Internal, Say: "the answer could not be written", Cause: err}
	}
	signed, err := signature.SignWSSE(envelope, b.o.Key.Signing(b.now()), signature.SignOptions{})
	if err != nil {
		return nil, &Error{Code: Internal, Say: "the answer could not be signed", Cause: err}
	}
	return signed, nil
}

// guid makes a session id as the contract writes them.
func (b *Bridge) guid() string { return "{" + b.newID() + "}" }

// echo gives a session id back where it has the contract's form.
func echo(sessionID string) string {
	if len(sessionID) == 38 && sessionID[0] == '{' && sessionID[37] == '}' && messageKey(sessionID[1:37]) != "" {
		return sessionID
	}
	return ""
}

// faultRow is how a Code goes out: SOAP's word for whose fault it is, and
// whether trying again helps.
type faultRow struct {
	soapCode string
	retry    time.Duration
}

// faultRows is the one table from codes to SOAP faults.
var faultRows = map[Code]faultRow{
	Malformed:        {soapCode: "Client"},
	TooLarge:         {soapCode: "Client"},
	DuplicateID:      {soapCode: "Client"},
	UnknownService:   {soapCode: "Client"},
	UnknownOperation: {soapCode: "Client"},
	UnknownMessage:   {soapCode: "Client"},
	Stale:            {soapCode: "Client"},
	InvalidFields:    {soapCode: "Client"},
	UnknownSender:    {soapCode: "Client"},
	SignatureMissing: {soapCode: "Client"},
	SignatureRefused: {soapCode: "Client"},
	Replayed:         {soapCode: "Client"},
	WrongResult:      {soapCode: "Client"},
	ServiceRefused:   {soapCode: "Client"},
	NotFound:         {soapCode: "Client"},
	MoveNotAllowed:   {soapCode: "Client"},
	StaleVersion:     {soapCode: "Client"},
	NotYours:         {soapCode: "Client"},
	TryLater:         {soapCode: "Server", retry: time.Minute},
	Internal:         {soapCode: "Server"},
}

// ours says whether the fault lies with us, so that the same message may be
// taken at another time.
func (r faultRow) ours() bool { return r.soapCode == "Server" }

// fault turns an error into the typed fault of the operation. It is not
// signed: anybody could make us sign.
func (b *Bridge) fault(m *inbound, err error) Reply {
	f, envelope, row := b.faultOf(m, err)
	return Reply{Bytes: envelope, Status: 500, Code: Code(f.Info.ErrorCode), RetryAfter: row.retry}
}

// faultOf is the fault with its envelope.
func (b *Bridge) faultOf(m *inbound, err error) (*soap.Fault, []byte, faultRow) {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Code: Internal, Cause: err}
	}
	row, ok := faultRows[e.Code]
	if !ok {
		row = faultRows[Internal]
	}
	op := soap.SyncSendMessage
	if m.in.Door != SyncDoor {
		op = soap.AsyncSendMessage
	}
	if m.claim != nil && m.claim.Operation != soap.NoOperation {
		op = m.claim.Operation
	}
	soapCode := row.soapCode
	var broken *soap.Error
	if errors.As(err, &broken) {
		soapCode = broken.FaultCode()
	}
	f := soap.NewFault(op, soapCode, string(e.Code), b.sentence(e), m.at.In(b.zone()))
	f.Info.ErrorData = e.data()
	envelope, buildErr := soap.Build(f)
	if buildErr != nil { // what was said holds a character that XML lacks
		f.Info.ErrorData = ""
		f.String, f.Info.ErrorMessage = string(e.Code), string(e.Code)
		envelope, _ = soap.Build(f)
	}
	return f, envelope, row
}

// sentence is what people read, in both languages, and why.
func (b *Bridge) sentence(e *Error) string {
	t := b.set().Texts.Text("error." + string(e.Code))
	if e.Reason != verdict.None {
		r := b.set().Texts.Text("reason." + string(e.Reason))
		t.Ru, t.Kk = t.Ru+": "+r.Ru, t.Kk+": "+r.Kk
	}
	return t.Ru + " / " + t.Kk
}

// data is where and what, for the engineer who mends it.
func (e *Error) data() string {
	s := e.Field
	if e.Reason != verdict.None {
		s = join(s, string(e.Reason))
	}
	return join(s, e.Say)
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ": " + b
}

func text(t mappings.Text) Text { return Text{RU: t.Ru, KK: t.Kk, EN: t.En} }

func (t Text) mapped() mappings.Text { return mappings.Text{Ru: t.RU, Kk: t.KK, En: t.EN} }

// zone is that of all dates that go out.
func (b *Bridge) zone() *time.Location { return b.set().Calendar.Zone() }
