package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"
)

// smallBody is what a request may bring without asking whether there is room:
// health, questions and most messages pass while large ones are turned away.
const smallBody = 256 << 10

// room is what all large bodies that are being worked on may take together.
type room struct {
	mu         sync.Mutex
	size, left int64
}

// resize makes it larger or smaller; what is taken stays taken.
func (r *room) resize(size int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.size, r.left = size, r.left+size-r.size
}

func (r *room) take(n int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n > r.left {
		return false
	}
	r.left -= n
	return true
}

func (r *room) give(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left += n
}

// fits says whether so much would be there now.
func (r *room) fits(n int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return n <= r.left
}

// load is what one request holds of the room, and its body once it is read.
type load struct {
	held int64
	body []byte
	read bool
}

type loadKey struct{}

// carryLoad gives every request its load and takes it back at the end.
func (s *Server) carryLoad(c *gin.Context) {
	l := &load{}
	defer func() { s.room.give(l.held) }()
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), loadKey{}, l))
	c.Next()
}

// bodyFirst reads the body before a place to work is taken, so that senders who
// are slow to send hold up nobody who is not.
func (s *Server) bodyFirst(refuse func(*gin.Context, *fail)) gin.HandlerFunc {
	return func(c *gin.Context) {
		if s.draining.Load() {
			refuse(c, s.overloaded("draining"))
			c.Abort()
			return
		}
		if _, f := s.readBody(c.Request); f != nil {
			refuse(c, f)
			c.Abort()
		}
	}
}

// overloaded turns a request away that could be taken in a moment.
func (s *Server) overloaded(reason string) *fail {
	s.metrics.refused.WithLabelValues(reason).Inc()
	return &fail{code: codeOverloaded, header: map[string]string{"Retry-After": retryAfter, "Connection": "close"}}
}

// readBody reads a request body up to the configured limit, once. A compressed
// body is refused: what was signed are the bytes of the message, and a small one
// that swells is nobody's message.
func (s *Server) readBody(r *http.Request) ([]byte, *fail) {
	l, _ := r.Context().Value(loadKey{}).(*load)
	if l == nil {
		l = &load{}
	}
	if l.read {
		return l.body, nil
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" && e != "Identity" {
		return nil, &fail{code: codeEncoding, header: map[string]string{"Accept-Encoding": "identity"}}
	}
	tooLarge := &fail{code: codeTooLarge, values: []any{"limit", s.limits.Body}}
	if r.ContentLength > s.limits.Body {
		return nil, tooLarge
	}
	if r.ContentLength > smallBody && !s.room.fits(r.ContentLength) {
		return nil, s.overloaded("memory")
	}
	var buf bytes.Buffer
	body := http.MaxBytesReader(nil, r.Body, s.limits.Body)
	if r.ContentLength > 0 {
		buf.Grow(int(min(r.ContentLength, smallBody)) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(body, smallBody))
	if err == nil && n == smallBody {
		// All that is still to come is reserved at once: whoever is let in gets to
		// the end, and does not starve beside others that are half read.
		rest := s.limits.Body - n
		if r.ContentLength > 0 {
			rest = r.ContentLength - n
		}
		if !s.room.take(rest) {
			return nil, s.overloaded("memory")
		}
		l.held = rest
		if r.ContentLength > n {
			buf.Grow(int(rest) + bytes.MinRead)
		}
		var more int64
		more, err = buf.ReadFrom(body)
		s.room.give(rest - more)
		l.held = more
	}
	if err != nil {
		if m := (*http.MaxBytesError)(nil); errors.As(err, &m) {
			return nil, tooLarge
		}
		return nil, &fail{code: codeBadRequest, cause: err}
	}
	l.body, l.read = buf.Bytes(), true
	settled(r)
	return l.body, nil
}
