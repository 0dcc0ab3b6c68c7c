package gateway

import (
	"errors"
	"fmt"
	"strings"

	"kopir/signature/verdict"
)

// Code says what went wrong, for machines. The list is closed; each door has
// one table that turns a Code into its own kind of answer.
type Code string

// The codes, by what the caller can do about them.
const (
	// The message itself must change.
	Malformed        Code = "malformed"         // not the document it must be; Field says where
	TooLarge         Code = "too_large"         // over a documented limit
	DuplicateID      Code = "duplicate_id"      // the id was used for other bytes
	UnknownService   Code = "unknown_service"   // no such service, or not for this sender
	UnknownOperation Code = "unknown_operation" // the operation is not one of this door
	UnknownMessage   Code = "unknown_message"   // no message of that id from this sender
	Stale            Code = "stale"             // a time in the message is too far from ours
	InvalidFields    Code = "invalid_fields"    // Ground.Faults lists them all

	// The sender is not believed.
	UnknownSender    Code = "unknown_sender"    // not configured, or password or certificate do not fit
	SignatureMissing Code = "signature_missing" // not signed
	SignatureRefused Code = "signature_refused" // Reason says why
	Replayed         Code = "replayed"          // the same signed request came before

	// The signed result is not one of this application.
	WrongResult Code = "wrong_result"

	// The service is refused as the regulations say; Ground tells it.
	ServiceRefused Code = "service_refused"

	// The application does not allow it.
	NotFound       Code = "not_found"
	MoveNotAllowed Code = "move_not_allowed"
	StaleVersion   Code = "stale_version" // somebody else changed it first: read again
	NotYours       Code = "not_yours"     // another specialist has it, or the role does not allow it

	// Ours to solve.
	TryLater Code = "try_later" // nothing was kept; send again
	Internal Code = "internal"
)

// Codes is the closed list.
func Codes() []Code {
	return []Code{
		Malformed, TooLarge, DuplicateID, UnknownService, UnknownOperation, UnknownMessage, Stale, InvalidFields,
		UnknownSender, SignatureMissing, SignatureRefused, Replayed, WrongResult, ServiceRefused,
		NotFound, MoveNotAllowed, StaleVersion, NotYours, TryLater, Internal,
	}
}

// Error is a decision against a message or a call. What it says may go out to
// the caller; the cause stays in the log.
type Error struct {
	Code   Code
	Field  string         // path of the element or name of the parameter, when one is at fault
	Say    string         // one sentence in English: what, where, what to do; no secrets, no personal data
	Reason verdict.Reason // with SignatureRefused and TryLater: why
	Ground *Ground        // with ServiceRefused and InvalidFields
	Cause  error
}

// Error is for the log: it includes the cause.
func (e *Error) Error() string {
	s := string(e.Code)
	if e.Field != "" {
		s += " at " + e.Field
	}
	if e.Reason != verdict.None {
		s += " (" + string(e.Reason) + ")"
	}
	if e.Say != "" {
		s += ": " + e.Say
	}
	if e.Cause != nil {
		// The sentence is often that of the cause: once is enough.
		if cause := e.Cause.Error(); e.Say == "" || !strings.HasSuffix(cause, e.Say) {
			s += ": " + cause
		}
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is lets errors.Is(err, gateway.NotFound) ask for the code.
func (e *Error) Is(target error) bool {
	c, ok := target.(Code)
	return ok && c == e.Code
}

// Error makes a Code usable as a target of errors.Is.
func (c Code) Error() string { return string(c) }

// CodeOf is the code of an error: Internal for one that nobody decided.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	default:
		return Internal
	}
}

// refuse builds an Error; format and args make Say.
func refuse(code Code, field, format string, args ...any) *Error {
	return &Error{Code: code, Field: field, Say: fmt.Sprintf(format, args...)}
}
