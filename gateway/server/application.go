package server

import (
	"net/http"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"kopir/gateway"
)

func (s *Server) listApplications(c *gin.Context) *fail {
	q := readQuery(c, "state*", "service", "channel", "office", "number", "overdue", "late", "received_from", "received_to", "limit", "cursor")
	f := gateway.Filter{
		Service: q.one("service"),
		Channel: gateway.Channel(q.one("channel")),
		Office:  q.office(c),
		Number:  q.one("number"),
		Overdue: q.flag("overdue"),
		From:    q.time("received_from"),
		To:      q.time("received_to"),
	}
	switch v := q.one("late"); v {
	case "":
	case "expected":
		f.LateExpected = true
	default:
		q.bad("late", "one_of", "known", "expected")
	}
	for _, v := range q.values["state"] {
		if !slices.Contains(gateway.States(), gateway.State(v)) {
			q.bad("state", "one_of", "known", gateway.States())
			continue
		}
		f.States = append(f.States, gateway.State(v))
	}
	if f.Channel != "" && !slices.Contains([]gateway.Channel{gateway.Portal, gateway.CSC, gateway.Office, gateway.Akim}, f.Channel) {
		q.bad("channel", "one_of", "known", "portal, csc, office, akim")
	}
	p, _ := principalOf(c)
	if p.Partner != nil {
		f.Sender = p.Partner.Sender
	}
	limit := q.limit()
	if bad := q.fail(); bad != nil {
		return bad
	}
	page, err := s.doors.Applications(c.Request.Context(), f, q.one("cursor"), limit)
	if err != nil {
		return failOf(err)
	}
	writePage(c, page)
	return nil
}

func writePage(c *gin.Context, page gateway.Page) {
	if page.Applications == nil {
		page.Applications = []gateway.Application{}
	}
	p, _ := principalOf(c)
	for i := range page.Applications {
		withoutContent(&page.Applications[i])
		if p.Partner != nil {
			forPartner(&page.Applications[i])
		}
	}
	writeJSON(c, http.StatusOK, page)
}

// withoutContent leaves the bytes of documents out; /result has those of the
// result.
func withoutContent(a *gateway.Application) {
	slim := func(d gateway.Document) gateway.Document {
		d.Content, d.Signature = nil, nil
		return d
	}
	if a.Result != nil {
		r := slim(*a.Result)
		a.Result = &r
	}
	attachments := slices.Clone(a.Attachments)
	for i := range attachments {
		attachments[i] = slim(attachments[i])
	}
	a.Attachments = attachments
}

func writeApplication(c *gin.Context, status int, a *gateway.Application) {
	out := *a
	withoutContent(&out)
	if p, _ := principalOf(c); p.Partner != nil {
		forPartner(&out)
	}
	c.Header("ETag", etag(a.Version))
	writeJSON(c, status, out)
}

func (s *Server) readApplication(c *gin.Context) *fail {
	a, err := s.doors.Application(c.Request.Context(), c.Param("number"))
	if err != nil {
		return failOf(err)
	}
	if c.GetHeader("If-None-Match") == etag(a.Version) {
		c.Header("ETag", etag(a.Version))
		c.Status(http.StatusNotModified)
		return nil
	}
	writeApplication(c, http.StatusOK, a)
	return nil
}

func (s *Server) readTimeline(c *gin.Context) *fail {
	t, err := s.doors.Timeline(c.Request.Context(), c.Param("number"))
	if err != nil {
		return failOf(err)
	}
	out := *t
	withoutContent(&out.Application)
	c.Header("ETag", etag(t.Application.Version))
	writeJSON(c, http.StatusOK, out)
	return nil
}

// readRegistries shows what registries said; who read it stays in the history.
func (s *Server) readRegistries(c *gin.Context) *fail {
	all, err := s.doors.Registries(c.Request.Context(), c.Param("number"), actor(c, nil))
	if err != nil {
		return failOf(err)
	}
	c.Header("Cache-Control", "no-store")
	writeJSON(c, http.StatusOK, gin.H{"registries": all})
	return nil
}

// person names who acts, when one key serves a system of several people.
type person struct {
	Name string      `json:"name"`
	IIN  gateway.IIN `json:"iin"`
	BIN  gateway.BIN `json:"bin"`
}

// actor is the person named in the request, else the holder of the key.
func actor(c *gin.Context, p *person) gateway.Actor {
	if p != nil && p.Name != "" {
		return gateway.Actor{Name: p.Name, IIN: p.IIN, BIN: p.BIN}
	}
	who, _ := principalOf(c)
	return gateway.Actor{Name: who.Name}
}

// emptyOK reads an optional JSON body.
func emptyOK(c *gin.Context, body []byte, into any) *fail {
	if len(body) == 0 {
		return nil
	}
	return decodeJSON(c.Request, body, into)
}

// faulty collects the faults of a body.
type faulty []inputFault

func (f *faulty) need(ok bool, rule string, path ...string) {
	if !ok {
		*f = append(*f, inputFault{pointer: pointer(path...), rule: rule})
	}
}

func (f *faulty) actor(p *person, at string) {
	if p == nil {
		return
	}
	f.need(p.Name != "", "required", at, "name")
	f.need(p.IIN == "" || isNumber12(string(p.IIN)), "twelve_digits", at, "iin")
	f.need(p.BIN == "" || isNumber12(string(p.BIN)), "twelve_digits", at, "bin")
}

func (f *faulty) text(t gateway.Text, at ...string) {
	f.need(t.RU != "", "required", append(at, "ru")...)
	f.need(t.KK != "", "required", append(at, "kk")...)
	f.need(utf8.RuneCountInString(t.RU) <= 2000 && utf8.RuneCountInString(t.KK) <= 2000, "too_long", at...)
}

func (f faulty) fail() *fail {
	if len(f) == 0 {
		return nil
	}
	return &fail{code: codeBadInput, faults: f}
}

func isNumber12(s string) bool {
	if len(s) != 12 {
		return false
	}
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}

// who reads a body that names at most who acts, and the version that was seen.
func who(c *gin.Context, body []byte) (version int64, a gateway.Actor, f *fail) {
	if version, f = ifMatch(c); f != nil {
		return 0, a, f
	}
	var in struct {
		Actor *person `json:"actor"`
	}
	if bad := emptyOK(c, body, &in); bad != nil {
		return 0, a, bad
	}
	var bad faulty
	bad.actor(in.Actor, "actor")
	return version, actor(c, in.Actor), bad.fail()
}

// finish answers with the application as it is after a change.
func finish(c *gin.Context, a *gateway.Application, err error) *fail {
	if err != nil {
		return failOf(err)
	}
	writeApplication(c, http.StatusOK, a)
	return nil
}

// current guards the moves that carry no version of their own: If-Match is
// compared before the move, and the table of moves does the rest.
func (s *Server) current(c *gin.Context) *fail {
	v, bad := ifMatch(c)
	if bad != nil || v == 0 {
		return bad
	}
	a, err := s.doors.Application(c.Request.Context(), c.Param("number"))
	if err != nil {
		return failOf(err)
	}
	if a.Version != v {
		return &fail{code: string(gateway.StaleVersion), header: map[string]string{"ETag": etag(a.Version)}}
	}
	return nil
}

// history is asked by POST, because an IIN must not stand in an address:
// addresses are logged by everything on the way.
func (s *Server) history(c *gin.Context, body []byte) *fail {
	var in struct {
		IIN    gateway.IIN `json:"iin"`
		Limit  int         `json:"limit"`
		Cursor string      `json:"cursor"`
	}
	if bad := decodeJSON(c.Request, body, &in); bad != nil {
		return bad
	}
	var bad faulty
	bad.need(isNumber12(string(in.IIN)), "twelve_digits", "iin")
	if in.Limit == 0 {
		in.Limit = defaultPage
	}
	if in.Limit < 1 || in.Limit > maxPage {
		bad = append(bad, inputFault{pointer: "/limit", rule: "page_size", values: []any{"max", strconv.Itoa(maxPage)}})
	}
	if f := bad.fail(); f != nil {
		return f
	}
	p, _ := principalOf(c)
	var page gateway.Page
	var err error
	if p.Office != "" {
		page, err = s.doors.Applications(c.Request.Context(), gateway.Filter{IIN: in.IIN, Office: p.Office}, in.Cursor, in.Limit)
	} else {
		page, err = s.doors.History(c.Request.Context(), in.IIN, in.Cursor, in.Limit)
	}
	if err != nil {
		return failOf(err)
	}
	writePage(c, page)
	return nil
}
