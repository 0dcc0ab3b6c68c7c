package server

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"

	"kopir/gateway/failpoint"
)

// Replays remembers the answers to requests with an Idempotency-Key
// (draft-ietf-httpapi-idempotency-key-header), so that a client that got no
// answer may ask again without doing twice.
type Replays interface {
	// Begin claims owner's key for a request with this digest. State is "new"
	// (go on, and call Finish or Forget), "done" (answer holds what Finish was
	// given), "busy" (claimed by a request that has not ended, and the claim
	// is younger than lease) or "other" (the key stood for another digest).
	Begin(ctx context.Context, owner, key string, digest []byte, now time.Time, lease time.Duration) (state string, answer []byte, err error)
	// Finish keeps the answer, and the number of the application that it is about;
	// empty: it may be about any.
	Finish(ctx context.Context, owner, key, about string, answer []byte) error
	Forget(ctx context.Context, owner, key string) error
}

// keptAnswer is what is stored of an answer.
type keptAnswer struct {
	Status int    `json:"status"`
	Type   string `json:"type"`
	ETag   string `json:"etag,omitempty"`
	Loc    string `json:"location,omitempty"`
	Body   []byte `json:"body"`
}

// teeWriter keeps a copy of the body it writes.
type teeWriter struct {
	gin.ResponseWriter
	body []byte
}

func (w *teeWriter) Write(b []byte) (int, error) {
	w.body = append(w.body, b...)
	return w.ResponseWriter.Write(b)
}

func (w *teeWriter) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// idempotent wraps a changing route. Answers below 500 are kept, refusals
// too: the same request gets the same refusal. What failed on our side is
// forgotten, so that it can be tried again.
func (s *Server) idempotent(handle func(*gin.Context, []byte) *fail) gin.HandlerFunc {
	return func(c *gin.Context) {
		body, f := s.readBody(c.Request)
		if f != nil {
			s.writeProblem(c, f)
			return
		}
		key := c.GetHeader("Idempotency-Key")
		if key == "" {
			if f := handle(c, body); f != nil {
				s.writeProblem(c, f)
			}
			return
		}
		if len(key) > 255 || strings.ContainsFunc(key, func(r rune) bool { return r < 0x21 || r > 0x7e }) {
			s.writeProblem(c, &fail{code: codeBadInput, faults: []inputFault{{name: "Idempotency-Key", rule: "idempotency_key"}}})
			return
		}
		p, _ := principalOf(c)
		ctx := c.Request.Context()
		digest := requestDigest(c.Request, body)
		state, kept, err := s.replays.Begin(ctx, p.Name, key, digest, s.now(), s.limits.Request+time.Minute)
		if err != nil {
			s.writeProblem(c, &fail{code: codeTimeout, cause: err, header: map[string]string{"Retry-After": retryAfter}})
			return
		}
		switch state {
		case "done":
			s.replay(c, kept)
			return
		case "busy":
			s.writeProblem(c, &fail{code: codeIdempotencyBusy, header: map[string]string{"Retry-After": retryAfter}})
			return
		case "other":
			s.writeProblem(c, &fail{code: codeIdempotencyBody})
			return
		}
		// The end of the request must not be the end of remembering it.
		after := context.WithoutCancel(ctx)
		finished := false
		defer func() {
			if !finished {
				if err := s.replays.Forget(after, p.Name, key); err != nil {
					s.log.Error("idempotency key not forgotten", zap.Error(err))
				}
			}
		}()
		failpoint.Here(failpoint.RequestBegun)
		w := &teeWriter{ResponseWriter: c.Writer}
		c.Writer = w
		if f := handle(c, body); f != nil {
			s.writeProblem(c, f)
		}
		failpoint.Here(failpoint.RequestDone)
		if w.Status() >= http.StatusInternalServerError {
			return
		}
		answer, err := json.Marshal(keptAnswer{Status: w.Status(), Type: w.Header().Get("Content-Type"), ETag: w.Header().Get("ETag"), Loc: w.Header().Get("Location"), Body: w.body})
		if err == nil {
			err = s.replays.Finish(after, p.Name, key, about(c), answer)
		}
		if err != nil {
			s.log.Error("answer not kept for its idempotency key", zap.Error(err))
			return
		}
		finished = true
	}
}

// about is the application that an answer is about: that of the path, or the one
// that was made; empty where neither tells.
func about(c *gin.Context) string {
	if number := c.Param("number"); number != "" {
		return number
	}
	made, found := strings.CutPrefix(c.Writer.Header().Get("Location"), apiRoot+"/applications/")
	number, err := url.PathUnescape(made)
	if !found || err != nil {
		return ""
	}
	return number
}

// requestDigest is over what makes a request the same: method, path, the
// version it was based on, and the bytes of the body.
func requestDigest(r *http.Request, body []byte) []byte {
	h := sha256.New()
	for _, part := range []string{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Content-Type"), r.Header.Get("If-Match")} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	h.Write(body)
	return h.Sum(nil)
}

func (s *Server) replay(c *gin.Context, kept []byte) {
	var a keptAnswer
	if err := json.Unmarshal(kept, &a); err != nil {
		s.writeProblem(c, &fail{code: codeInternal, cause: err})
		return
	}
	c.Header("Idempotency-Replayed", "true")
	if a.ETag != "" {
		c.Header("ETag", a.ETag)
	}
	if a.Loc != "" {
		c.Header("Location", a.Loc)
	}
	c.Header("Cache-Control", "no-store")
	c.Data(a.Status, a.Type, a.Body)
}
