package server

import (
	"crypto/sha256"
	"encoding/hex"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"kopir/gateway"
)

// submission is the JSON in which a document comes; as the body itself it has
// the others beside it in the query.
type submission struct {
	Actor    *person         `json:"actor"`
	Service  string          `json:"service"`
	Channel  gateway.Channel `json:"channel"`
	ID       string          `json:"id"`
	Document []byte          `json:"document"`
}

// submit takes an application: the document signed by the specialist of the
// office or the akim, or a partner's, signed by whoever signs in its channel.
// 201: it has a number and is taken; 202: it has a number, and whether the
// signer's certificate is good will be known later.
func (s *Server) submit(c *gin.Context, body []byte) *fail {
	p, _ := principalOf(c)
	sub := gateway.Submission{Office: p.Office, By: p.Partner, Remote: c.ClientIP(), Request: requestID(c)}
	var in submission
	if isDocument(c.GetHeader("Content-Type")) {
		q := readQuery(c, "service", "channel", "id")
		if bad := q.fail(); bad != nil {
			return bad
		}
		in = submission{Service: q.one("service"), Channel: gateway.Channel(q.one("channel")), ID: q.one("id"), Document: body}
	} else if bad := decodeJSON(c.Request, body, &in); bad != nil {
		return bad
	} else if p.Partner != nil {
		sub.Body = body
	}
	if bad := in.faults(p); bad != nil {
		return bad
	}
	if in.ID == "" {
		in.ID = c.GetHeader("Idempotency-Key")
	}
	if in.ID == "" {
		sum := sha256.Sum256(in.Document) // the same signed bytes are the same application
		in.ID = hex.EncodeToString(sum[:])
	}
	sub.Service, sub.Channel, sub.ID, sub.Document = in.Service, in.Channel, in.ID, in.Document
	a, err := s.doors.Submit(c.Request.Context(), sub, actor(c, in.Actor))
	c.Set(keyTold, true)
	if err != nil {
		return failOf(err)
	}
	status := http.StatusCreated
	if a.State == gateway.Held {
		status = http.StatusAccepted
	}
	c.Header("Location", apiRoot+"/applications/"+url.PathEscape(a.Number))
	writeApplication(c, status, a)
	return nil
}

func (in *submission) faults(p Principal) *fail {
	var bad faulty
	channels := []gateway.Channel{gateway.Office, gateway.Akim}
	if p.Partner != nil {
		channels = []gateway.Channel{p.Partner.Channel}
		bad.need(in.Actor == nil, "not_for_partners", "actor")
	}
	bad.actor(in.Actor, "actor")
	bad.need(in.Service != "", "required", "service")
	if in.Channel != "" && !slices.Contains(channels, in.Channel) {
		known := make([]string, len(channels))
		for i, ch := range channels {
			known[i] = string(ch)
		}
		bad = append(bad, inputFault{pointer: pointer("channel"), rule: "one_of", values: []any{"known", strings.Join(known, ", ")}})
	}
	bad.need(len(in.Document) > 0, "required", "document")
	bad.need(len(in.ID) <= 128, "too_long", "id")
	return bad.fail()
}

// documentTypes are the media types of a signed document: XML, or CMS in DER,
// PEM or base64 (RFC 5751, 3.2; what it is, its bytes say).
var documentTypes = []string{"application/xml", "text/xml", "application/pkcs7-mime", "application/pkcs7-signature", "application/cms", "application/octet-stream"}

func isDocument(contentType string) bool {
	m, _, err := mime.ParseMediaType(contentType)
	return err == nil && slices.Contains(documentTypes, m)
}

func isXML(contentType string) bool {
	m, _, err := mime.ParseMediaType(contentType)
	return err == nil && (m == "application/xml" || m == "text/xml")
}
