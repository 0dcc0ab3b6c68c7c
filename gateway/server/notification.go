package server

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"kopir/gateway"
)

// readNotifications shows what portal and service centre were told of one
// application, as the applicant reads it there.
func (s *Server) readNotifications(c *gin.Context) *fail {
	all, err := s.doors.Notifications(c.Request.Context(), c.Param("number"))
	if err != nil {
		return failOf(err)
	}
	writeJSON(c, http.StatusOK, struct {
		Notifications []gateway.Notification `json:"notifications"`
	}{all})
	return nil
}
