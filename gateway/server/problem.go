package server

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"golang.org/x/text/language"

	"kopir/gateway"
	"kopir/mappings"
)

// Problem is an error of the REST door: RFC 9457 with two members of our own,
// the code (closed list, for machines) and every fault of the input at once.
type Problem struct {
	Type     string       `json:"type"`  // urn:kopir:problem:<code>
	Title    string       `json:"title"` // of the code, in the language asked for
	Status   int          `json:"status"`
	Detail   string       `json:"detail,omitempty"`
	Instance string       `json:"instance,omitempty"` // the request id, as in the log
	Code     string       `json:"code"`
	Faults   []FieldFault `json:"faults,omitempty"`
}

// FieldFault is one thing wrong with the input.
type FieldFault struct {
	Pointer string `json:"pointer,omitempty"` // RFC 6901 into the request body; a path for XML
	Name    string `json:"parameter,omitempty"`
	Rule    string `json:"rule"`
	Message string `json:"message"`
}

// The codes that the REST door adds to those of the gateway.
const (
	codeBadJSON         = "bad_json"
	codeBadInput        = "bad_input"
	codeUnauthenticated = "unauthenticated"
	codeForbidden       = "forbidden"
	codeNoRoute         = "no_route"
	codeMethod          = "method_not_allowed"
	codeMediaType       = "unsupported_media_type"
	codeTooLarge        = string(gateway.TooLarge)
	codeEncoding        = "unsupported_content_encoding"
	codeOverloaded      = "overloaded"
	codeTimeout         = string(gateway.TryLater)
	codeInternal        = string(gateway.Internal)
	codeIdempotencyBody = "idempotency_key_reused"
	codeIdempotencyBusy = "idempotency_key_in_use"
	codeBadRequest      = "bad_request"
)

// statusOf is the one table from a problem's code to its HTTP status.
var statusOf = map[string]int{
	string(gateway.Malformed):        http.StatusBadRequest,
	string(gateway.TooLarge):         http.StatusRequestEntityTooLarge,
	string(gateway.DuplicateID):      http.StatusConflict,
	string(gateway.UnknownService):   http.StatusUnprocessableEntity,
	string(gateway.UnknownOperation): http.StatusBadRequest,
	string(gateway.UnknownMessage):   http.StatusNotFound,
	string(gateway.Stale):            http.StatusUnprocessableEntity,
	string(gateway.InvalidFields):    http.StatusUnprocessableEntity,
	string(gateway.UnknownSender):    http.StatusForbidden,
	string(gateway.SignatureMissing): http.StatusUnprocessableEntity,
	string(gateway.SignatureRefused): http.StatusUnprocessableEntity,
	string(gateway.WrongResult):      http.StatusUnprocessableEntity,
	string(gateway.ServiceRefused):   http.StatusUnprocessableEntity,
	string(gateway.NotFound):         http.StatusNotFound,
	string(gateway.MoveNotAllowed):   http.StatusConflict,
	string(gateway.StaleVersion):     http.StatusPreconditionFailed,
	string(gateway.NotYours):         http.StatusForbidden,
	string(gateway.TryLater):         http.StatusServiceUnavailable,
	string(gateway.Internal):         http.StatusInternalServerError,

	string(gateway.Replayed): http.StatusUnauthorized,

	codeRequestSignature: http.StatusUnauthorized,
	codeBadRequest:       http.StatusBadRequest,
	codeBadJSON:          http.StatusBadRequest,
	codeBadInput:         http.StatusUnprocessableEntity,
	codeUnauthenticated:  http.StatusUnauthorized,
	codeForbidden:        http.StatusForbidden,
	codeNoRoute:          http.StatusNotFound,
	codeMethod:           http.StatusMethodNotAllowed,
	codeMediaType:        http.StatusUnsupportedMediaType,
	codeEncoding:         http.StatusUnsupportedMediaType,
	codeOverloaded:       http.StatusServiceUnavailable,
	codeIdempotencyBody:  http.StatusUnprocessableEntity,
	codeIdempotencyBusy:  http.StatusConflict,
}

// languages in the order of preference when a client has none.
var (
	languages = []string{mappings.Russian, mappings.Kazakh, mappings.English}
	matcher   = language.NewMatcher([]language.Tag{language.Russian, language.Kazakh, language.English})
)

// languageOf answers Accept-Language (RFC 9110, 12.5.4); Russian when nothing fits.
func languageOf(r *http.Request) string {
	tags, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil || len(tags) == 0 {
		return languages[0]
	}
	_, i, confidence := matcher.Match(tags...)
	if confidence == language.No {
		return languages[0]
	}
	return languages[i]
}

// fail is what a handler returns when it cannot do what was asked.
type fail struct {
	code   string
	status int    // 0: from statusOf
	detail string // one sentence for this very case, or empty
	values []any  // name, value pairs for the title
	faults []inputFault
	header map[string]string
	cause  error // for the log only
}

// inputFault is a fault of the input before its message is put into words.
type inputFault struct {
	pointer, name, rule string
	values              []any         // name, value pairs for the text of the rule
	text                *gateway.Text // the ready sentence, when the mapping has one
}

// Error is for the log; clients get the problem document.
func (f *fail) Error() string {
	s := f.code
	for _, x := range f.faults {
		s += " " + x.pointer + x.name + ":" + x.rule
	}
	if f.cause != nil {
		s += ": " + f.cause.Error()
	}
	return s
}

func (f *fail) Unwrap() error { return f.cause }

// writeProblem ends the request with a problem document.
func (s *Server) writeProblem(c *gin.Context, f *fail) {
	lang := languageOf(c.Request)
	status := f.status
	if status == 0 {
		status = statusOf[f.code]
	}
	if status == 0 {
		status = http.StatusInternalServerError
	}
	p := Problem{
		Type:     "urn:kopir:problem:" + f.code,
		Title:    s.texts().Get(lang, "problem."+f.code, f.values...),
		Status:   status,
		Instance: "urn:kopir:request:" + requestID(c),
		Detail:   f.detail,
		Code:     f.code,
	}
	for _, x := range f.faults {
		p.Faults = append(p.Faults, FieldFault{Pointer: x.pointer, Name: x.name, Rule: x.rule, Message: s.wording(lang, x)})
	}
	for k, v := range f.header {
		c.Header(k, v)
	}
	note(c, f)
	s.metrics.faults.WithLabelValues("rest", f.code).Inc()
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte(`{"type":"about:blank","status":500}`)
	}
	c.Header("Content-Language", lang)
	c.Header("Vary", "Accept-Language")
	c.Header("Cache-Control", "no-store")
	c.Data(status, "application/problem+json", append(body, '\n'))
	c.Abort()
}

// wording is the sentence of a fault.
func (s *Server) wording(lang string, x inputFault) string {
	if x.text == nil {
		return s.texts().Get(lang, "input."+x.rule, x.values...)
	}
	return x.text.In(lang)
}

// pointer builds an RFC 6901 pointer from its parts.
func pointer(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteByte('/')
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(p))
	}
	return b.String()
}
