package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"kopir/gateway"
)

// moreTime is the body of an extension or a suspension.
type moreTime struct {
	Actor  *person      `json:"actor"`
	Days   int          `json:"days"`
	Reason gateway.Text `json:"reason"`
}

// read gives the version that the caller saw beside what was asked for.
func (in *moreTime) read(c *gin.Context, body []byte) (version int64, f *fail) {
	if version, f = ifMatch(c); f != nil {
		return 0, f
	}
	if bad := decodeJSON(c.Request, body, in); bad != nil {
		return 0, bad
	}
	var bad faulty
	bad.actor(in.Actor, "actor")
	bad.need(in.Days >= 1 && in.Days <= 365, "working_days", "days")
	bad.text(in.Reason, "reason")
	return version, bad.fail()
}

func (s *Server) extend(c *gin.Context, body []byte) *fail {
	var in moreTime
	version, f := in.read(c, body)
	if f != nil {
		return f
	}
	a, err := s.doors.Extend(c.Request.Context(), c.Param("number"), actor(c, in.Actor), gateway.Extension{Days: in.Days, Reason: in.Reason, Version: version})
	return finish(c, a, err)
}

func (s *Server) suspend(c *gin.Context, body []byte) *fail {
	var in moreTime
	version, f := in.read(c, body)
	if f != nil {
		return f
	}
	a, err := s.doors.Suspend(c.Request.Context(), c.Param("number"), actor(c, in.Actor), gateway.Suspension{Days: in.Days, Reason: in.Reason, Version: version})
	return finish(c, a, err)
}

func (s *Server) resume(c *gin.Context, body []byte) *fail {
	version, who, f := who(c, body)
	if f != nil {
		return f
	}
	a, err := s.doors.Resume(c.Request.Context(), c.Param("number"), who, version)
	return finish(c, a, err)
}

// dueFilter reads what both lists of open terms may be asked for.
func dueFilter(c *gin.Context, q *query) gateway.DueFilter {
	return gateway.DueFilter{Service: q.one("service"), Office: q.office(c), Overdue: q.flag("overdue")}
}

// countDeadlines counts the open terms by office and service, or as asked.
func (s *Server) countDeadlines(c *gin.Context) *fail {
	q := readQuery(c, "group", "service", "office", "overdue")
	f := dueFilter(c, q)
	by := []gateway.DueKey{gateway.ByOffice, gateway.ByService}
	if v := q.one("group"); v != "" {
		by = nil
		for key := range strings.SplitSeq(v, ",") {
			k := gateway.DueKey(key)
			if !slices.Contains([]gateway.DueKey{gateway.ByOffice, gateway.ByService, gateway.ByStep}, k) || slices.Contains(by, k) {
				q.bad("group", "one_of", "known", "office, service, step")
				break
			}
			by = append(by, k)
		}
	}
	if bad := q.fail(); bad != nil {
		return bad
	}
	groups, err := s.doors.Deadlines(c.Request.Context(), f, by)
	if err != nil {
		return failOf(err)
	}
	if groups == nil {
		groups = []gateway.DueGroup{}
	}
	writeJSON(c, http.StatusOK, gin.H{"groups": groups})
	return nil
}

// listDeadlines lists the open terms, the next to end first.
func (s *Server) listDeadlines(c *gin.Context) *fail {
	q := readQuery(c, "service", "office", "overdue", "limit", "cursor")
	f, limit := dueFilter(c, q), q.limit()
	if bad := q.fail(); bad != nil {
		return bad
	}
	page, err := s.doors.Dues(c.Request.Context(), f, q.one("cursor"), limit)
	if err != nil {
		return failOf(err)
	}
	if page.Dues == nil {
		page.Dues = []gateway.Due{}
	}
	writeJSON(c, http.StatusOK, page)
	return nil
}
