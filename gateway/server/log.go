package server

import (
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"
)

// keys of what middlewares and handlers leave in the context for the log line.
const (
	keyRequestID = "kopir.request"
	keyFields    = "kopir.fields"
	keyPrincipal = "kopir.principal"
	keyTold      = "kopir.told"   // the bridge wrote the line of this message
	keyTheirs    = "kopir.theirs" // a status of 500 that SOAP wants for the sender's own fault
)

// requestID is the id of this request: in the log, in problem documents.
func requestID(c *gin.Context) string { return c.GetString(keyRequestID) }

// note adds what ended the request to its log line.
func note(c *gin.Context, f *fail) {
	fields := []zap.Field{zap.String("code", f.code)}
	if f.cause != nil {
		fields = append(fields, zap.NamedError("cause", f.cause))
	}
	addFields(c, fields...)
}

func addFields(c *gin.Context, fields ...zap.Field) {
	old, _ := c.Get(keyFields)
	list, _ := old.([]zap.Field)
	c.Set(keyFields, append(list, fields...))
}

// logRequests writes one line a request: which door, how it ended, how long
// it took. No bodies, no query strings, no headers. A message that came as far
// as the bridge has its line from there; ours is for those who debug.
func (s *Server) logRequests(c *gin.Context) {
	start := time.Now()
	var id [8]byte
	rand.Read(id[:])
	c.Set(keyRequestID, hex.EncodeToString(id[:]))
	c.Header("X-Request-Id", requestID(c))
	s.metrics.inFlight.Inc()
	defer s.metrics.inFlight.Dec()

	c.Next()

	took, status, route := time.Since(start), c.Writer.Status(), c.FullPath()
	if route == "" {
		route = "none"
	}
	s.metrics.done(route, status, took)
	fields := []zap.Field{
		zap.String("request", requestID(c)),
		zap.String("method", c.Request.Method),
		zap.String("route", route),
		zap.Int("status", status),
		zap.Duration("took", took),
		zap.Int64("in", max(c.Request.ContentLength, 0)),
		zap.Int("out", max(c.Writer.Size(), 0)),
		zap.String("from", c.ClientIP()),
	}
	if p, ok := principalOf(c); ok {
		fields = append(fields, zap.String("key", p.Name))
	}
	if more, ok := c.Get(keyFields); ok {
		fields = append(fields, more.([]zap.Field)...)
	}
	switch {
	case routine(route) || c.GetBool(keyTold):
		s.log.Debug("request", fields...)
	case c.GetBool(keyTheirs):
		s.log.Warn("request", fields...)
	case status >= 500:
		s.log.Error("request", fields...)
	default:
		s.log.Info("request", fields...)
	}
}

// routine routes are asked every few seconds by machines that watch us.
func routine(route string) bool {
	return route == "/healthz" || route == "/readyz" || route == "/metrics"
}
