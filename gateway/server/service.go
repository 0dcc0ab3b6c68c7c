package server

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"kopir/gateway"
)

// Service is a service description as a local system needs it.
type Service struct {
	ID        string       `json:"id"`
	Edition   string       `json:"edition"`
	ServiceID string       `json:"service_id"` // of the gateway
	Title     gateway.Text `json:"title"`
	Channels  []string     `json:"channels"`
	Statuses  []Status     `json:"statuses"`
	Refusals  []Refusal    `json:"refusals"`
}

// Status is one state with its text and its code in the local database.
type Status struct {
	State gateway.State `json:"state"`
	Local string        `json:"local"`
	Text  gateway.Text  `json:"text"`
}

// Refusal is a regulated refusal that a decision may name.
type Refusal struct {
	Code string       `json:"code"`
	Text gateway.Text `json:"text"`
}

func (s *Server) listServices(c *gin.Context) *fail {
	q := readQuery(c)
	if bad := q.fail(); bad != nil {
		return bad
	}
	out := struct {
		Services []Service `json:"services"`
	}{s.services()}
	if out.Services == nil {
		out.Services = []Service{}
	}
	writeJSON(c, http.StatusOK, out)
	return nil
}
