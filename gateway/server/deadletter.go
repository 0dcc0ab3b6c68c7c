package server

import (
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"kopir/gateway"
)

// listDeadGroups shows the dead letters by cause.
func (s *Server) listDeadGroups(c *gin.Context) *fail {
	if bad := readQuery(c).fail(); bad != nil {
		return bad
	}
	all, err := s.doors.DeadGroups(c.Request.Context())
	if err != nil {
		return failOf(err)
	}
	if all == nil {
		all = []gateway.DeadGroup{}
	}
	writeJSON(c, http.StatusOK, gin.H{"groups": all})
	return nil
}

// groupWish is what both ways of settling a group are told.
type groupWish struct {
	Group  string    `json:"group"`
	By     time.Time `json:"by"`
	Limit  int       `json:"limit"`
	DryRun bool      `json:"dry_run"`
	Actor  *person   `json:"actor"`
}

func (w *groupWish) check(bad *faulty) {
	bad.actor(w.Actor, "actor")
	bad.need(w.Group != "", "required", "group")
	if w.Limit < 0 || w.Limit > maxGroup {
		*bad = append(*bad, inputFault{pointer: "/limit", rule: "page_size", values: []any{"max", maxGroup}})
	}
}

// maxGroup is how many dead letters one call settles.
const maxGroup = 5000

// retryGroup sends the dead letters of a group again.
func (s *Server) retryGroup(c *gin.Context, body []byte) *fail {
	var in groupWish
	if bad := decodeJSON(c.Request, body, &in); bad != nil {
		return bad
	}
	var bad faulty
	in.check(&bad)
	return s.settleGroup(c, &bad, in, false, "")
}

// dropGroup gives the dead letters of a group up; the reason is kept with each.
func (s *Server) dropGroup(c *gin.Context, body []byte) *fail {
	var in struct {
		Group  string    `json:"group"`
		By     time.Time `json:"by"`
		Limit  int       `json:"limit"`
		DryRun bool      `json:"dry_run"`
		Actor  *person   `json:"actor"`
		Reason string    `json:"reason"`
	}
	if bad := decodeJSON(c.Request, body, &in); bad != nil {
		return bad
	}
	w := groupWish{in.Group, in.By, in.Limit, in.DryRun, in.Actor}
	var bad faulty
	w.check(&bad)
	bad.need(in.Reason != "" || in.DryRun, "required", "reason")
	bad.need(utf8.RuneCountInString(in.Reason) <= 500, "too_long", "reason")
	return s.settleGroup(c, &bad, w, true, in.Reason)
}

func (s *Server) settleGroup(c *gin.Context, bad *faulty, w groupWish, drop bool, why string) *fail {
	if f := bad.fail(); f != nil {
		return f
	}
	out, err := s.doors.SettleGroup(c.Request.Context(), gateway.GroupSettlement{
		Group: w.Group, Drop: drop, Why: why, By: w.By, Limit: w.Limit, DryRun: w.DryRun,
	}, actor(c, w.Actor))
	if err != nil {
		return failOf(err)
	}
	writeJSON(c, http.StatusOK, out)
	return nil
}
