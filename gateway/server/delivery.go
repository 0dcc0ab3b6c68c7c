package server

import (
	"net/http"
	"slices"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"kopir/gateway"
)

var (
	deliveryRoutes = gateway.Routes()
	deliveryStates = []gateway.DeliveryState{gateway.Queued, gateway.Done, gateway.Dead, gateway.Dropped}
)

func (s *Server) listDeliveries(c *gin.Context) *fail {
	q := readQuery(c, "state*", "route", "application", "limit", "cursor")
	f := gateway.DeliveryFilter{Application: q.one("application"), Route: gateway.Route(q.one("route"))}
	if f.Route != "" && !slices.Contains(deliveryRoutes, f.Route) {
		q.bad("route", "one_of", "known", deliveryRoutes)
	}
	for _, v := range q.values["state"] {
		if !slices.Contains(deliveryStates, gateway.DeliveryState(v)) {
			q.bad("state", "one_of", "known", deliveryStates)
			continue
		}
		f.States = append(f.States, gateway.DeliveryState(v))
	}
	limit := q.limit()
	if bad := q.fail(); bad != nil {
		return bad
	}
	page, err := s.doors.Deliveries(c.Request.Context(), f, q.one("cursor"), limit)
	if err != nil {
		return failOf(err)
	}
	if page.Deliveries == nil {
		page.Deliveries = []gateway.Delivery{}
	}
	writeJSON(c, http.StatusOK, page)
	return nil
}

func (s *Server) retryDelivery(c *gin.Context, body []byte) *fail {
	var in struct {
		Actor *person `json:"actor"`
	}
	if bad := emptyOK(c, body, &in); bad != nil {
		return bad
	}
	if err := s.doors.Retry(c.Request.Context(), c.Param("id"), actor(c, in.Actor)); err != nil {
		return failOf(err)
	}
	c.Status(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
	return nil
}

// dropDelivery gives a delivery up for good; the reason is kept with it.
func (s *Server) dropDelivery(c *gin.Context, body []byte) *fail {
	var in struct {
		Actor  *person `json:"actor"`
		Reason string  `json:"reason"`
	}
	if bad := decodeJSON(c.Request, body, &in); bad != nil {
		return bad
	}
	var bad faulty
	bad.actor(in.Actor, "actor")
	bad.need(in.Reason != "", "required", "reason")
	bad.need(utf8.RuneCountInString(in.Reason) <= 500, "too_long", "reason")
	if f := bad.fail(); f != nil {
		return f
	}
	if err := s.doors.Drop(c.Request.Context(), c.Param("id"), actor(c, in.Actor), in.Reason); err != nil {
		return failOf(err)
	}
	c.Status(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
	return nil
}
