package soap

import (
	"regexp"
	"strings"
	"time"
)

// Fault is a SOAP 1.1 fault. Build writes Code "Client", "Server" and the
// other codes of SOAP 1.1 with the envelope's prefix and any other code as it
// is: one platform puts its own error code there.
type Fault struct {
	Operation Operation  // whose fault element stands in detail; NoOperation: none of the contract's
	Code      string     // without a prefix when it is one of SOAP's
	String    string     // for a person
	Actor     string     // rarely used
	Info      *ErrorInfo // the typed detail, nil when there is none
	Foreign   bool       // on reading: detail holds something that the contract does not know
}

// NewFault makes the fault of an operation: the same code and text for the
// fault and its typed detail, as receivers look in either place.
func NewFault(op Operation, faultCode, errorCode, text string, at time.Time) *Fault {
	return &Fault{Operation: op, Code: faultCode, String: text,
		Info: &ErrorInfo{ErrorCode: errorCode, ErrorMessage: text, ErrorDate: at}}
}

// numbers are what may be a person's or an organisation's number.
var numbers = regexp.MustCompile(`\d{12}`)

// Error is for logs and lists of failures: the text is shortened to one line,
// and of twelve-digit numbers only the first half is left.
func (f *Fault) Error() string {
	code := f.Code
	if f.Info != nil && f.Info.ErrorCode != "" && f.Info.ErrorCode != code {
		code += "/" + f.Info.ErrorCode
	}
	const limit = 200
	text := []rune(strings.Join(strings.Fields(f.String), " "))
	if len(text) > limit {
		text = append(text[:limit-1], '…')
	}
	return "soap: fault " + code + ": " + numbers.ReplaceAllStringFunc(string(text), func(n string) string { return n[:6] + "******" })
}

// soapCodes are the fault codes of SOAP 1.1, section 4.4.1.
var soapCodes = map[string]bool{"VersionMismatch": true, "MustUnderstand": true, "Client": true, "Server": true}
