package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"kopir/gateway"
	"kopir/gateway/soap"
)

// Outcome is what is known of a message whose exchange failed.
type Outcome string

const (
	NotSent Outcome = "not_sent" // it never left
	Unknown Outcome = "unknown"  // it may have arrived
	Refused Outcome = "refused"  // the peer answered with a fault
)

// Error is a failed exchange.
type Error struct {
	Peer      string
	Operation soap.Operation
	Outcome   Outcome
	// Temporary: sending the same message again can help.
	Temporary bool
	Cause     gateway.Cause
	Code      string // the peer's own code of a fault
	Status    int    // HTTP status, 0 when there was no answer
	// RetryAfter is how long the peer wants to be left alone; zero: it did not say.
	RetryAfter time.Duration
	Err        error
}

func (e *Error) Error() string {
	s := fmt.Sprintf("client: %s: %s: %s", e.Peer, e.Operation, e.Outcome)
	if e.Status != 0 {
		s += fmt.Sprintf(", HTTP %d", e.Status)
	}
	if e.Code != "" {
		s += ", code " + e.Code
	}
	return s + ": " + e.Err.Error()
}

// code is the peer's own, or the HTTP status where it answered with nothing else.
func (e *Error) code() string {
	if e.Code == "" && e.Status != 0 && e.Status != http.StatusOK {
		return strconv.Itoa(e.Status)
	}
	return e.Code
}

// Unwrap gives the cause: a *soap.Fault, a *soap.Error, an error of the network.
func (e *Error) Unwrap() error { return e.Err }

// lasting are codes of faults that another try of the same message meets
// again; passing are those of a service that is down. They are one platform's.
var (
	lasting = map[string]bool{
		"SCE001": true,                                 // bad format
		"SCE005": true, "SCE006": true, "SCE007": true, // transport signature out of date, wrong, missing
		"SCE015": true, "SCE016": true, "SCE017": true, // the same of the business signature
		"SVC_ERRFORMAT": true,
	}
	passing = map[string]bool{"SCE004": true, "SCE909": true, "SE_PROCESSOR": true}
)

// unsure says whether a message may have been taken all the same. Of the faults
// that pass, only the one of a service that is missing or unavailable says that
// nobody took it; an error inside the gateway may come after that.
func (e *Error) unsure() bool {
	return e.Outcome == Unknown || e.Outcome == Refused && e.Temporary && e.Code != "SCE004"
}

// NoMessage is what a gateway is taken to say of an id that it does not know.
// The contract names no code for that; with a question that differs from others
// by the id alone, it can only be the id that the fault is about.
var NoMessage = []string{"SCE001"}

// faultCode is the code that says most, and temporary whether another try can
// help: by the known codes, then by SOAP 1.1, section 4.4.1 (Client: not without
// change; Server: perhaps), and yes where nothing is known.
func faultCode(f *soap.Fault) (code string, temporary bool) {
	code = f.Code
	if f.Info != nil && f.Info.ErrorCode != "" {
		code = f.Info.ErrorCode
	}
	switch class := firstPart(f.Code); {
	case lasting[code]:
		return code, false
	case passing[code]:
		return code, true
	case class == "Client", class == "VersionMismatch", class == "MustUnderstand":
		return code, false
	default:
		return code, true
	}
}

// causeOf tells apart a peer that cannot be reached from one that is slow.
func causeOf(err error) gateway.Cause {
	var late net.Error
	var dial *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &late) && late.Timeout():
		return gateway.CauseTimeout
	case errors.As(err, &dial) && dial.Op == "dial":
		return gateway.CauseUnreachable
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // it hung up instead of answering
		return gateway.CauseUnreachable
	}
	var any net.Error
	if errors.As(err, &any) {
		return gateway.CauseUnreachable
	}
	return gateway.CauseUnknown
}

// statusCause is the cause behind an HTTP status that is no answer to the
// message. Some say that nothing would be answered now; the others may be about
// this message alone.
func statusCause(status int) gateway.Cause {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return gateway.CauseUnavailable
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusInternalServerError:
		return gateway.CauseFault
	}
	if status/100 == 5 {
		return gateway.CauseFault
	}
	return gateway.CauseRefused
}

// firstPart is the general class of a dotted fault code.
func firstPart(code string) string {
	for i := range len(code) {
		if code[i] == '.' {
			return code[:i]
		}
	}
	return code
}

// temporaryStatus says whether an HTTP answer without a fault may change by
// itself. Addresses and access rights that are wrong are put right by people
// while messages wait; a message that is too large stays so.
func temporaryStatus(status int) bool {
	switch status {
	case 400, 413, 415, 422, 431:
		return false
	default:
		return true
	}
}
