package server

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"kopir/gateway"
)

// route is one row of the REST door. The same table mounts the handlers and is
// compared with the OpenAPI document by a test.
type route struct {
	method, path string // path relative to /api/v1, in gin's notation
	role         Role   // the least role that may call it; NoRole: who knows its token
	partner      bool   // partners may call it, without a role they alone
	read         func(*gin.Context) *fail
	change       func(*gin.Context, []byte) *fail
}

const apiRoot = "/api/v1"

func (s *Server) routes() []route {
	return []route{
		{method: "GET", path: "/services", role: Reader, partner: true, read: s.listServices},
		{method: "GET", path: "/offices", role: Reader, partner: true, read: s.listOffices},
		{method: "GET", path: "/applications", role: Reader, partner: true, read: s.listApplications},
		{method: "POST", path: "/applications", role: Specialist, partner: true, change: s.submit},
		{method: "GET", path: "/applications/:number", role: Reader, partner: true, read: s.readApplication},
		{method: "GET", path: "/applications/:number/timeline", role: Reader, read: s.readTimeline},
		{method: "GET", path: "/applications/:number/registries", role: Specialist, read: s.readRegistries},
		{method: "GET", path: "/applications/:number/bundle", role: Specialist, read: s.readBundle},
		{method: "GET", path: "/applications/:number/notifications", role: Reader, partner: true, read: s.readNotifications},
		{method: "GET", path: "/applications/:number/result", role: Reader, partner: true, read: s.readResult},
		{method: "GET", path: "/notices", partner: true, read: s.readNotices},
		{method: "GET", path: "/applications/:number/result/draft", role: Specialist, read: s.draftResult},
		{method: "POST", path: "/applications/:number/result/draft", role: Specialist, change: s.draftResultWith},
		{method: "POST", path: "/applications/:number/result/handover", role: Specialist, change: s.handResult},
		{method: "POST", path: "/applications/:number/result/return", role: Specialist, change: s.returnResult},
		{method: "GET", path: "/results", role: Reader, read: s.listResults},
		{method: "POST", path: "/applications/:number/take", role: Specialist, change: s.take},
		{method: "POST", path: "/applications/:number/return", role: Specialist, change: s.giveBack},
		{method: "POST", path: "/applications/:number/handover", role: Specialist, change: s.handOver},
		{method: "POST", path: "/applications/:number/forward", role: Specialist, change: s.forward},
		{method: "POST", path: "/applications/:number/decision", role: Specialist, change: s.decide},
		{method: "POST", path: "/applications/:number/refusal", role: Specialist, change: s.refuse},
		{method: "POST", path: "/applications/:number/extension", role: Official, change: s.extend},
		{method: "POST", path: "/applications/:number/suspension", role: Official, change: s.suspend},
		{method: "POST", path: "/applications/:number/resumption", role: Specialist, change: s.resume},
		{method: "GET", path: "/deadlines", role: Reader, read: s.countDeadlines},
		{method: "GET", path: "/deadlines/next", role: Reader, read: s.listDeadlines},
		{method: "POST", path: "/history", role: Reader, change: s.history},
		{method: "GET", path: "/questionnaire/summary", role: Reader, read: s.questionnaireSummary},
		{method: "GET", path: "/questionnaire/:token", read: s.readQuestionnaire},
		{method: "POST", path: "/questionnaire/:token", change: s.answerQuestionnaire},
		{method: "GET", path: "/drift", role: Reader, read: s.listDrift},
		{method: "GET", path: "/deliveries", role: Reader, read: s.listDeliveries},
		{method: "GET", path: "/deliveries/groups", role: Reader, read: s.listDeadGroups},
		{method: "POST", path: "/deliveries/groups/retry", role: Admin, change: s.retryGroup},
		{method: "POST", path: "/deliveries/groups/drop", role: Admin, change: s.dropGroup},
		{method: "POST", path: "/deliveries/:id/retry", role: Admin, change: s.retryDelivery},
		{method: "POST", path: "/deliveries/:id/drop", role: Admin, change: s.dropDelivery},
	}
}

// mountREST puts the table under /api/v1.
func (s *Server) mountREST(r gin.IRouter) {
	for _, row := range s.routes() {
		handler := s.idempotent(row.change)
		if row.read != nil {
			handler = func(c *gin.Context) {
				if f := row.read(c); f != nil {
					s.writeProblem(c, f)
				}
			}
		}
		r.Handle(row.method, row.path, s.authorize(row), s.noteAccess(row), handler)
	}
}

// authorize lets a request through whose key has at least the role of the
// route, or that a partner has signed to whom the route is open.
func (s *Server) authorize(row route) gin.HandlerFunc {
	return func(c *gin.Context) {
		if row.role == NoRole && !row.partner {
			return
		}
		p, f := s.caller(c)
		if f != nil {
			s.writeProblem(c, f)
			return
		}
		c.Set(keyPrincipal, p)
		handle := func() {
			if f := s.may(c, p, row); f != nil {
				s.writeProblem(c, f)
				return
			}
			c.Next()
		}
		if p.Answered {
			s.answerSigned(c, handle)
		} else {
			handle()
		}
	}
}

// caller is who asks: by a signature of the request, else by an API key.
func (s *Server) caller(c *gin.Context) (Principal, *fail) {
	if h := c.Request.Header; len(s.signers) > 0 && (h.Get("Signature") != "" || h.Get("Signature-Input") != "") {
		return s.admit(c)
	}
	p, ok := s.keys.find(c.Request.Header)
	if !ok {
		return p, &fail{code: codeUnauthenticated, header: map[string]string{"WWW-Authenticate": `Bearer realm="kopir"`}}
	}
	return p, nil
}

// may says whether a route is open to who asks.
func (s *Server) may(c *gin.Context, p Principal, row route) *fail {
	switch {
	case p.Partner != nil && !row.partner:
		return &fail{code: codeForbidden, values: []any{"role", "partner", "needed", row.role}}
	case p.Partner == nil && row.role == NoRole:
		return &fail{code: codeForbidden, values: []any{"role", p.Role, "needed", "partner"}}
	case p.Partner == nil && p.Role < row.role:
		return &fail{code: codeForbidden, values: []any{"role", p.Role, "needed", row.role}}
	}
	return s.within(c, p)
}

// within keeps a key that is bound to an office to the applications of that
// office, and a partner to those that it brought; those of others are not there.
func (s *Server) within(c *gin.Context, p Principal) *fail {
	if p.Office == "" && p.Partner == nil {
		return nil
	}
	if strings.HasPrefix(c.FullPath(), apiRoot+"/deliveries") {
		return &fail{code: codeForbidden, values: []any{"role", p.Role.String() + "@" + p.Office, "needed", p.Role}}
	}
	number := c.Param("number")
	if number == "" {
		return nil
	}
	a, err := s.doors.Application(c.Request.Context(), number)
	if err != nil {
		return failOf(err)
	}
	if p.Partner != nil && a.Sender != p.Partner.Sender || p.Office != "" && a.Office != p.Office {
		return &fail{code: string(gateway.NotFound)}
	}
	return nil
}

func principalOf(c *gin.Context) (Principal, bool) {
	v, _ := c.Get(keyPrincipal)
	p, ok := v.(Principal)
	return p, ok
}

// failOf turns a decision of the gateway against a call into a problem.
func failOf(err error) *fail {
	var e *gateway.Error
	if !errors.As(err, &e) {
		return &fail{code: codeInternal, cause: err}
	}
	f := &fail{code: string(e.Code), detail: e.Say, cause: e}
	if e.Reason != "" {
		f.detail = strings.TrimSpace(f.detail + " [" + string(e.Reason) + "]")
	}
	if e.Field != "" {
		f.faults = append(f.faults, inputFault{pointer: e.Field, rule: "at_fault"})
	}
	if e.Ground != nil {
		if e.Code == gateway.ServiceRefused && e.Ground.Text.RU != "" {
			f.faults = append(f.faults, inputFault{rule: e.Ground.Code, text: &e.Ground.Text})
		}
		for _, x := range e.Ground.Faults {
			f.faults = append(f.faults, inputFault{pointer: x.Path, name: x.Field, rule: x.Rule, text: &x.Text})
		}
	}
	if e.Code == gateway.TryLater {
		f.header = map[string]string{"Retry-After": retryAfter}
	}
	return f
}

// etag is the version of an application.
func etag(version int64) string { return fmt.Sprintf(`"v%d"`, version) }

// ifMatch reads the version on which the caller bases a change (RFC 9110,
// 13.1.1); zero when the header is absent or "*".
func ifMatch(c *gin.Context) (int64, *fail) {
	h := strings.TrimSpace(c.GetHeader("If-Match"))
	if h == "" || h == "*" {
		return 0, nil
	}
	digits, ok := strings.CutPrefix(strings.Trim(h, `"`), "v")
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 1 {
		return 0, &fail{code: codeBadInput, faults: []inputFault{{name: "If-Match", rule: "etag"}}}
	}
	return n, nil
}

// query reads the parameters of a list: none unknown, none repeated unless
// many allows it, every fault at once.
type query struct {
	values map[string][]string
	faults []inputFault
}

func readQuery(c *gin.Context, known ...string) *query {
	q := &query{values: c.Request.URL.Query()}
	for name, v := range q.values {
		found := false
		for _, k := range known {
			base, many := strings.CutSuffix(k, "*")
			if name == base {
				found = true
				if len(v) > 1 && !many {
					q.bad(name, "repeated_parameter")
				}
			}
		}
		if !found {
			q.bad(name, "unknown_parameter", "known", strings.ReplaceAll(strings.Join(known, ", "), "*", ""))
		}
	}
	return q
}

func (q *query) bad(name, rule string, values ...any) {
	q.faults = append(q.faults, inputFault{name: name, rule: rule, values: values})
}

func (q *query) one(name string) string {
	if v := q.values[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// office is the one that is asked about; of a key that is bound to one, that.
func (q *query) office(c *gin.Context) string {
	asked := q.one("office")
	p, _ := principalOf(c)
	if p.Office == "" {
		return asked
	}
	if asked != "" && asked != p.Office {
		q.bad("office", "not_your_office", "office", p.Office)
	}
	return p.Office
}

func (q *query) flag(name string) *bool {
	switch v := q.one(name); v {
	case "":
		return nil
	case "true", "false":
		b := v == "true"
		return &b
	}
	q.bad(name, "true_or_false")
	return nil
}

func (q *query) time(name string) time.Time {
	v := q.one(name)
	if v == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, v)
	if err != nil {
		q.bad(name, "rfc3339")
	}
	return t
}

// Pages have this many entries unless the caller asks for fewer or more.
const (
	defaultPage = 50
	maxPage     = 500
)

func (q *query) limit() int {
	v := q.one("limit")
	if v == "" {
		return defaultPage
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > maxPage {
		q.bad("limit", "page_size", "max", maxPage)
		return defaultPage
	}
	return n
}

func (q *query) fail() *fail {
	if len(q.faults) == 0 {
		return nil
	}
	return &fail{code: codeBadInput, status: http.StatusBadRequest, faults: q.faults}
}
