package signer

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"
)

// Limits keep one caller from taking everything.
type Limits struct {
	Body       int64         // bytes of a request body
	Read       time.Duration // for the body to arrive
	Request    time.Duration // for the work on a request, what is asked of others included
	Concurrent int           // requests worked on at once; more wait for a moment, then get 503
	Wait       time.Duration // how long they wait
	Keys       int           // key files, certificates of one request
}

// DefaultLimits fit a 20 MB document in base64.
var DefaultLimits = Limits{
	Body: 32 << 20, Read: 30 * time.Second, Request: 30 * time.Second,
	Concurrent: 64, Wait: time.Second, Keys: 32,
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits
	if l.Body > 0 {
		d.Body = l.Body
	}
	if l.Read > 0 {
		d.Read = l.Read
	}
	if l.Request > 0 {
		d.Request = l.Request
	}
	if l.Concurrent > 0 {
		d.Concurrent = l.Concurrent
	}
	if l.Wait > 0 {
		d.Wait = l.Wait
	}
	if l.Keys > 0 {
		d.Keys = l.Keys
	}
	return d
}

// readBody reads a JSON body up to the limit. Only the media type of JSON is
// taken: a page in somebody's browser cannot send that to a loopback address
// without being asked by the browser first.
func (s *Signer) readBody(r *http.Request) ([]byte, *fail) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, &fail{http.StatusUnsupportedMediaType, "send application/json, and say so in Content-Type"}
	}
	if r.Header.Get("Content-Encoding") != "" {
		return nil, &fail{http.StatusUnsupportedMediaType, "send the body as it is: no Content-Encoding is read"}
	}
	tooLarge := &fail{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", s.limits.Body)}
	if r.ContentLength > s.limits.Body {
		return nil, tooLarge
	}
	var buf bytes.Buffer
	if r.ContentLength > 0 {
		// A declared length is a promise of the caller's; it costs him nothing.
		buf.Grow(int(min(r.ContentLength, 1<<20)) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(http.MaxBytesReader(nil, r.Body, s.limits.Body))
	if err != nil {
		if m := (*http.MaxBytesError)(nil); errors.As(err, &m) {
			return buf.Bytes(), tooLarge
		}
		return buf.Bytes(), badRequest("the body broke off")
	}
	return buf.Bytes(), nil
}

// limitConcurrency turns a request away when too many are being worked on.
func (s *Signer) limitConcurrency(c *gin.Context) {
	wait := time.NewTimer(s.limits.Wait)
	defer wait.Stop()
	select {
	case s.slots <- struct{}{}:
	case <-c.Request.Context().Done():
		c.Abort()
		return
	case <-wait.C:
		c.Header("Retry-After", "2")
		refuse(c, &fail{http.StatusServiceUnavailable, "too many requests at once; try again"})
		return
	}
	defer func() { <-s.slots }()
	c.Next()
}

// catchPanics turns a defect of ours into an answer and a stack in the log.
// What the panic says is kept out unless the runtime says it: it could hold
// anything.
func (s *Signer) catchPanics(c *gin.Context) {
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		what := fmt.Sprintf("%T", r)
		if e, ok := r.(runtime.Error); ok {
			what = e.Error()
		}
		s.log.Error("panic", zap.String("route", c.FullPath()), zap.String("panic", what), zap.ByteString("stack", debug.Stack()))
		if c.Writer.Written() {
			c.Abort()
			return
		}
		refuse(c, &fail{http.StatusInternalServerError, "a defect of ours; the log of the server has it"})
	}()
	c.Next()
}

// keyVerdict is under what handlers leave the verdict for the log line.
const keyVerdict = "kopir.verdict"

// logRequests writes one line a request: which address, how it ended, how
// long it took. No bodies, no query strings, no headers, no messages: those
// could repeat what a document holds.
func (s *Signer) logRequests(c *gin.Context) {
	start := time.Now()
	var id [8]byte
	rand.Read(id[:])
	c.Header("X-Request-Id", hex.EncodeToString(id[:]))
	c.Next()
	route := c.FullPath()
	if route == "" {
		route = "none"
	}
	fields := []zap.Field{
		zap.String("request", hex.EncodeToString(id[:])), zap.String("method", c.Request.Method), zap.String("route", route),
		zap.Int("status", c.Writer.Status()), zap.Duration("took", time.Since(start)),
		zap.Int64("in", max(c.Request.ContentLength, 0)), zap.Int("out", max(c.Writer.Size(), 0)), zap.String("from", c.ClientIP()),
	}
	if v := c.GetString(keyVerdict); v != "" {
		fields = append(fields, zap.String("verdict", v))
	}
	switch {
	case route == "/actuator/health":
		s.log.Debug("request", fields...)
	case c.Writer.Status() >= 500:
		s.log.Error("request", fields...)
	default:
		s.log.Info("request", fields...)
	}
}
