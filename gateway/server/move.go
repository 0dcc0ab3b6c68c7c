package server

import (
	"github.com/gin-gonic/gin"

	"kopir/gateway"
)

func (s *Server) take(c *gin.Context, body []byte) *fail {
	_, who, f := who(c, body)
	if f == nil {
		f = s.current(c)
	}
	if f != nil {
		return f
	}
	a, err := s.doors.Take(c.Request.Context(), c.Param("number"), who)
	return finish(c, a, err)
}

func (s *Server) giveBack(c *gin.Context, body []byte) *fail {
	var in struct {
		Actor  *person      `json:"actor"`
		Reason gateway.Text `json:"reason"`
	}
	if bad := decodeJSON(c.Request, body, &in); bad != nil {
		return bad
	}
	var bad faulty
	bad.actor(in.Actor, "actor")
	bad.text(in.Reason, "reason")
	if f := bad.fail(); f != nil {
		return f
	}
	if f := s.current(c); f != nil {
		return f
	}
	a, err := s.doors.Return(c.Request.Context(), c.Param("number"), actor(c, in.Actor), in.Reason)
	return finish(c, a, err)
}

func (s *Server) handOver(c *gin.Context, body []byte) *fail {
	var in struct {
		Actor *person `json:"actor"`
		To    *person `json:"to"`
	}
	if bad := decodeJSON(c.Request, body, &in); bad != nil {
		return bad
	}
	var bad faulty
	bad.actor(in.Actor, "actor")
	bad.need(in.To != nil, "required", "to")
	bad.actor(in.To, "to")
	if f := bad.fail(); f != nil {
		return f
	}
	if f := s.current(c); f != nil {
		return f
	}
	a, err := s.doors.HandOver(c.Request.Context(), c.Param("number"), actor(c, in.Actor), actor(c, in.To))
	return finish(c, a, err)
}

func (s *Server) refuse(c *gin.Context, body []byte) *fail {
	version, f := ifMatch(c)
	if f != nil {
		return f
	}
	var in struct {
		Actor  *person `json:"actor"`
		Ground *struct {
			Code string       `json:"code"`
			Text gateway.Text `json:"text"`
		} `json:"ground"`
	}
	if bad := decodeJSON(c.Request, body, &in); bad != nil {
		return bad
	}
	var bad faulty
	bad.actor(in.Actor, "actor")
	bad.need(in.Ground != nil, "required", "ground")
	if in.Ground != nil && (in.Ground.Code == "" || in.Ground.Text != gateway.Text{}) {
		bad.text(in.Ground.Text, "ground", "text")
	}
	if f := bad.fail(); f != nil {
		return f
	}
	a, err := s.doors.Decide(c.Request.Context(), c.Param("number"), actor(c, in.Actor), gateway.Decision{
		State: gateway.Refused, Version: version, Ground: &gateway.Ground{Code: in.Ground.Code, Text: in.Ground.Text},
	})
	return finish(c, a, err)
}
