package server

import (
	"time"

	"github.com/gin-gonic/gin"

	"kopir/gateway"
)

// listResults is the register of results that are handed over in person.
func (s *Server) listResults(c *gin.Context) *fail {
	q := readQuery(c, "state", "place", "office", "service", "late", "limit", "cursor")
	f := gateway.PickupFilter{Place: q.one("place"), Office: q.office(c), Service: q.one("service")}
	switch v := q.one("state"); v {
	case "":
	case "undelivered":
		f.States = []gateway.PickupState{gateway.PickupWaiting, gateway.PickupReturned}
	case string(gateway.PickupWaiting), string(gateway.PickupReturned), string(gateway.PickupHanded):
		f.States = []gateway.PickupState{gateway.PickupState(v)}
	default:
		q.bad("state", "one_of", "known", "undelivered, waiting, returned, handed")
	}
	if late := q.flag("late"); late != nil && *late {
		f.LateAt = s.clock()
	}
	limit := q.limit()
	if bad := q.fail(); bad != nil {
		return bad
	}
	page, err := s.doors.Results(c.Request.Context(), f, q.one("cursor"), limit)
	if err != nil {
		return failOf(err)
	}
	writePage(c, page)
	return nil
}

// handResult records who got a result.
func (s *Server) handResult(c *gin.Context, body []byte) *fail {
	version, f := ifMatch(c)
	if f != nil {
		return f
	}
	var in struct {
		Actor     *person   `json:"actor"`
		To        *person   `json:"to"`
		Authority string    `json:"authority"`
		Receipt   string    `json:"receipt"`
		At        time.Time `json:"at"`
	}
	if bad := emptyOK(c, body, &in); bad != nil {
		return bad
	}
	var bad faulty
	bad.actor(in.Actor, "actor")
	bad.actor(in.To, "to")
	bad.need(len(in.Authority) <= 255, "too_long", "authority")
	bad.need(len(in.Receipt) <= 255, "too_long", "receipt")
	if f := bad.fail(); f != nil {
		return f
	}
	h := gateway.Handing{Authority: in.Authority, Receipt: in.Receipt, At: in.At, Version: version}
	if in.To != nil {
		h.To = gateway.Party{Name: in.To.Name, IIN: in.To.IIN, BIN: in.To.BIN}
	}
	a, err := s.doors.HandResult(c.Request.Context(), c.Param("number"), actor(c, in.Actor), h)
	return finish(c, a, err)
}

// returnResult records that a result went back to the provider.
func (s *Server) returnResult(c *gin.Context, body []byte) *fail {
	version, who, f := who(c, body)
	if f != nil {
		return f
	}
	a, err := s.doors.ReturnResult(c.Request.Context(), c.Param("number"), who, version)
	return finish(c, a, err)
}
