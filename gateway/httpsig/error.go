package httpsig

import (
	"fmt"

	"kopir/signature/verdict"
)

// Reason says what is wrong with a signature, for machines.
type Reason string

// Reasons is the closed list, in the order in which a request is looked at.
func Reasons() []Reason {
	return []Reason{Missing, Malformed, NotOne, NotCovered, Incomplete, Ahead, Expired, OtherAlgorithm, Mismatch, WrongDigest}
}

// The reasons.
const (
	Missing        Reason = "missing"         // a field is not there
	Malformed      Reason = "malformed"       // a field does not read, or says what is not understood
	NotOne         Reason = "not_one"         // not exactly one signature
	NotCovered     Reason = "not_covered"     // What must be covered by the signature, and is not
	Incomplete     Reason = "incomplete"      // the parameter What is not there
	Ahead          Reason = "ahead"           // made later than now
	Expired        Reason = "expired"         // made too long ago, or past its own end
	OtherAlgorithm Reason = "other_algorithm" // alg is not that of the key
	Mismatch       Reason = "mismatch"        // it belongs to another message or key
	WrongDigest    Reason = "wrong_digest"    // Content-Digest is of another body
)

// Error is a signature that is not believed.
type Error struct {
	Reason Reason
	Field  string // of the message, where to look
	What   string // component or parameter, where one is at fault
	Say    string
}

// Error is one English sentence without any value of the message but names.
func (e *Error) Error() string { return "httpsig: " + e.Say }

// Verdict is what is wrong in the words of verdicts on other signatures.
func (e *Error) Verdict() verdict.Reason {
	switch e.Reason {
	case Missing, Malformed, NotOne:
		return verdict.FormatFailure
	case Mismatch:
		return verdict.SigCryptoFailure
	case WrongDigest:
		return verdict.HashFailure
	}
	return verdict.SigConstraintsFailure
}

func bad(reason Reason, field, what, format string, args ...any) *Error {
	return &Error{Reason: reason, Field: field, What: what, Say: fmt.Sprintf(format, args...)}
}

// Names of the fields.
const (
	fieldInput     = "Signature-Input"
	fieldSignature = "Signature"
	fieldDigest    = "Content-Digest"
)
