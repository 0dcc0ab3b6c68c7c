package server

import (
	"github.com/gin-gonic/gin"

	"kopir/gateway"
)

// forward hands an application from the akim to the provider, with the signed
// covering letter where it is electronic, and after the decision back.
func (s *Server) forward(c *gin.Context, body []byte) *fail {
	version, f := ifMatch(c)
	if f != nil {
		return f
	}
	var in struct {
		Actor  *person `json:"actor"`
		To     string  `json:"to"`
		Letter *struct {
			Name      string `json:"name"`
			MediaType string `json:"media_type"`
			Content   []byte `json:"content"`
		} `json:"letter"`
	}
	if bad := decodeJSON(c.Request, body, &in); bad != nil {
		return bad
	}
	var bad faulty
	bad.actor(in.Actor, "actor")
	if in.To != gateway.HolderAkim && in.To != gateway.HolderProvider {
		bad = append(bad, inputFault{pointer: pointer("to"), rule: "one_of", values: []any{"known", gateway.HolderProvider + ", " + gateway.HolderAkim}})
	}
	way := gateway.Forwarding{To: in.To, Version: version}
	if in.Letter != nil {
		bad.need(in.Letter.Name != "" && len(in.Letter.Name) <= 255, "required", "letter", "name")
		bad.need(len(in.Letter.Content) > 0, "required", "letter", "content")
		way.Letter = &gateway.Document{Name: in.Letter.Name, MediaType: in.Letter.MediaType, Content: in.Letter.Content}
	}
	if f := bad.fail(); f != nil {
		return f
	}
	a, err := s.doors.Forward(c.Request.Context(), c.Param("number"), actor(c, in.Actor), way)
	return finish(c, a, err)
}
