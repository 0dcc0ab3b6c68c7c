package server

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"kopir/gateway"
)

// listDrift shows where partners send otherwise than it is described.
func (s *Server) listDrift(c *gin.Context) *fail {
	q := readQuery(c)
	if bad := q.fail(); bad != nil {
		return bad
	}
	all, err := s.doors.Drift(c.Request.Context())
	if err != nil {
		return failOf(err)
	}
	if all == nil {
		all = []gateway.Drift{}
	}
	writeJSON(c, http.StatusOK, struct {
		Drift []gateway.Drift `json:"drift"`
	}{all})
	return nil
}
