package server

import (
	"mime"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"kopir/gateway"
)

func (s *Server) readResult(c *gin.Context) *fail {
	q := readQuery(c, "format", "lang")
	format := q.one("format")
	if format != "" && format != "xml" && format != "pdf" {
		q.bad("format", "one_of", "known", "xml, pdf")
	}
	if l := q.one("lang"); l != "" && (format != "pdf" || l != "kk" && l != "ru") {
		q.bad("lang", "one_of", "known", "kk, ru")
	}
	if bad := q.fail(); bad != nil {
		return bad
	}
	var d *gateway.Document
	var err error
	if format == "pdf" {
		d, err = s.doors.ResultPaper(c.Request.Context(), c.Param("number"), q.one("lang"))
	} else {
		d, err = s.doors.Result(c.Request.Context(), c.Param("number"))
	}
	if err != nil {
		return failOf(err)
	}
	writeDocument(c, d)
	return nil
}

// writeDocument hands out a file that came from outside, byte for byte: a
// browser must not run it as ours.
func writeDocument(c *gin.Context, d *gateway.Document) {
	c.Header("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(d.Name))
	c.Header("Cache-Control", "no-store")
	c.Header("Content-Security-Policy", "sandbox")
	c.Header("Digest", "sha-256="+d.SHA256)
	c.Data(http.StatusOK, d.MediaType, d.Content)
}

// draftResult gives the document to sign where no words are needed.
func (s *Server) draftResult(c *gin.Context) *fail {
	q := readQuery(c, "result", "state", "ground")
	if bad := q.fail(); bad != nil {
		return bad
	}
	w := gateway.ResultWish{Result: q.one("result"), State: gateway.State(q.one("state"))}
	if code := q.one("ground"); code != "" {
		w.Ground = &gateway.Ground{Code: code}
	}
	return s.writeDraft(c, w)
}

// draftResultWith does it with words about people, which must not stand in an
// address: a ground, the official, what the form asks for.
func (s *Server) draftResultWith(c *gin.Context, body []byte) *fail {
	var in struct {
		Result   string            `json:"result"`
		State    gateway.State     `json:"state"`
		Ground   *ground           `json:"ground"`
		Official *person           `json:"official"`
		Post     gateway.Text      `json:"post"`
		Values   map[string]string `json:"values"`
	}
	if bad := decodeJSON(c.Request, body, &in); bad != nil {
		return bad
	}
	var bad faulty
	bad.ground(in.Ground)
	bad.actor(in.Official, "official")
	if in.Post != (gateway.Text{}) {
		bad.text(in.Post, "post")
	}
	if f := bad.fail(); f != nil {
		return f
	}
	w := gateway.ResultWish{Result: in.Result, State: in.State, Ground: in.Ground.decided(), Post: in.Post, Values: in.Values}
	if in.Official != nil {
		w.Official = gateway.Party{Name: in.Official.Name, IIN: in.Official.IIN, BIN: in.Official.BIN}
	}
	return s.writeDraft(c, w)
}

func (s *Server) writeDraft(c *gin.Context, w gateway.ResultWish) *fail {
	d, err := s.doors.DraftResult(c.Request.Context(), c.Param("number"), w)
	if err != nil {
		return failOf(err)
	}
	writeDocument(c, d)
	return nil
}

// ground is why a service is refused, as a request says it.
type ground struct {
	Code string       `json:"code"`
	Text gateway.Text `json:"text"`
}

func (g *ground) decided() *gateway.Ground {
	if g == nil {
		return nil
	}
	return &gateway.Ground{Code: g.Code, Text: g.Text}
}

func (f *faulty) ground(g *ground) {
	if g != nil && (g.Code == "" || g.Text != gateway.Text{}) {
		f.text(g.Text, "ground", "text")
	}
}

// signedResult is a result in JSON.
type signedResult struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	MediaType string `json:"media_type"`
	Content   []byte `json:"content"`
	Signature []byte `json:"signature"`
}

// decide ends an application with its signed result: JSON with the document
// in base64, or the signed XML or CMS message itself as the body.
func (s *Server) decide(c *gin.Context, body []byte) *fail {
	version, f := ifMatch(c)
	if f != nil {
		return f
	}
	d := gateway.Decision{Version: version}
	var who *person
	var bad faulty
	if media := c.GetHeader("Content-Type"); isXML(media) || isCMS(media) {
		bad.need(len(body) > 0, "required")
		if f := bad.fail(); f != nil {
			return f
		}
		d.State = gateway.State(c.Query("state"))
		d.Result = &gateway.Document{Kind: c.Query("result"), Name: c.Query("name"), Content: body}
	} else {
		var in struct {
			Actor  *person       `json:"actor"`
			State  gateway.State `json:"state"`
			Result *signedResult `json:"result"`
			Ground *ground       `json:"ground"`
		}
		if bad := decodeJSON(c.Request, body, &in); bad != nil {
			return bad
		}
		bad.actor(in.Actor, "actor")
		bad.ground(in.Ground)
		bad.need(in.Result != nil, "required", "result")
		if r := in.Result; r != nil {
			bad.need(r.Name != "" && len(r.Name) <= 255, "required", "result", "name")
			_, _, err := mime.ParseMediaType(r.MediaType)
			bad.need(err == nil, "media_type", "result", "media_type")
			bad.need(len(r.Content) > 0, "required", "result", "content")
		}
		if f := bad.fail(); f != nil {
			return f
		}
		who, d.State, d.Ground = in.Actor, in.State, in.Ground.decided()
		d.Result = &gateway.Document{Kind: in.Result.ID, Name: in.Result.Name, MediaType: in.Result.MediaType, Content: in.Result.Content, Signature: in.Result.Signature}
	}
	a, err := s.doors.Decide(c.Request.Context(), c.Param("number"), actor(c, who), d)
	return finish(c, a, err)
}

func isCMS(contentType string) bool {
	m, _, err := mime.ParseMediaType(contentType)
	return err == nil && (m == "application/pkcs7-mime" || m == "application/cms")
}
