package server

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"kopir/gateway"
)

// Office is an entry of the directory of departments and service centres.
type Office struct {
	ID      string       `json:"id"`
	Kind    string       `json:"kind"`
	Parent  string       `json:"parent,omitempty"`
	Name    gateway.Text `json:"name"`
	Address gateway.Text `json:"address,omitzero"`
	Email   string       `json:"email,omitempty"`
	Site    string       `json:"site,omitempty"` // on the Internet
	Phones  []string     `json:"phones,omitempty"`
	Hours   gateway.Text `json:"hours,omitzero"` // in words
	Note    string       `json:"note,omitempty"` // where two lists disagree
}

func (s *Server) listOffices(c *gin.Context) *fail {
	q := readQuery(c, "kind")
	if bad := q.fail(); bad != nil {
		return bad
	}
	all := []Office{}
	for _, o := range s.offices() {
		if kind := q.one("kind"); kind == "" || kind == o.Kind {
			all = append(all, o)
		}
	}
	writeJSON(c, http.StatusOK, struct {
		Offices []Office `json:"offices"`
	}{all})
	return nil
}
