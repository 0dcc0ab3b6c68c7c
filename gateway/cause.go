package gateway

import (
	"context"
	"errors"
	"strings"
)

// Cause says why a delivery failed, in the words by which people settle dead
// letters: the list is closed, and every cause asks for one thing to be done.
type Cause string

// The causes. The first four are about the peer and none of the message's doing:
// they open the circuit (breaker.go).
const (
	CauseUnreachable Cause = "unreachable" // no connection
	CauseTimeout     Cause = "timeout"     // no answer in time, or it broke off
	CauseUnavailable Cause = "unavailable" // the peer says that it is down
	CauseBusy        Cause = "busy"        // the peer asks to be left alone for a while

	CauseFault       Cause = "fault"       // answered with a fault that may pass, of this message
	CauseRefused     Cause = "refused"     // the peer, or the local table, refused it for good
	CauseUndelivered Cause = "undelivered" // taken by the gateway, which says later that it could not deliver it
	CauseUnreadable  Cause = "unreadable"  // an answer that is none of the contract
	CauseUnbelieved  Cause = "unbelieved"  // an answer whose signature is missing or not believed
	CausePending     Cause = "pending"     // a person has not agreed yet
	CauseOurs        Cause = "ours"        // the message cannot be made: a description, a key or a way out is missing
	CauseDefect      Cause = "defect"      // a defect of ours that this one runs into
	CauseUnknown     Cause = "unknown"     // from before causes were kept, or an error that nobody named
)

// Causes is the closed list.
func Causes() []Cause {
	return []Cause{CauseUnreachable, CauseTimeout, CauseUnavailable, CauseBusy, CauseFault, CauseRefused, CauseUndelivered,
		CauseUnreadable, CauseUnbelieved, CausePending, CauseOurs, CauseDefect, CauseUnknown}
}

// ofPeer says whether another message would have failed as well.
func (c Cause) ofPeer() bool {
	switch c {
	case CauseUnreachable, CauseTimeout, CauseUnavailable, CauseBusy:
		return true
	}
	return false
}

// blame gives the cause of a failed try and the peer's own code of it.
func blame(err error) (Cause, string) {
	var se *SendError
	switch {
	case errors.As(err, &se) && se.Cause != "":
		return se.Cause, plainCode(se.Code)
	case errors.Is(err, context.DeadlineExceeded):
		return CauseTimeout, ""
	case se != nil && se.RetryAfter > 0:
		return CauseBusy, plainCode(se.Code)
	case se != nil && se.Permanent:
		return CauseRefused, plainCode(se.Code)
	case se != nil && se.Code != "":
		return CauseFault, plainCode(se.Code)
	}
	return CauseUnknown, ""
}

// maxCode is how long a peer's code may be to be one.
const maxCode = 64

// plainCode keeps what is a code, for groups and labels: a peer that writes
// sentences there gets "other".
func plainCode(code string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' || r == '.'
	}
	if code != "" && (len(code) > maxCode || strings.ContainsFunc(code, func(r rune) bool { return !plain(r) })) {
		return "other"
	}
	return code
}
