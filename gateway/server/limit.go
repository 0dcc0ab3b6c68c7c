package server

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"
)

// Limits keep one caller from taking everything.
type Limits struct {
	Body        int64         // bytes of a request body
	Memory      int64         // bytes of all large bodies that are being worked on; zero: 16 of the largest
	Connections int           // open at once; zero: 1024
	Request     time.Duration // for the whole work on a request
	Concurrent  int           // requests worked on at once, at the SOAP doors and at the others; more wait for a moment, then get 503
	Wait        time.Duration // how long they wait
	Notice      time.Duration // how long new work is refused at a stop before the address is gone
}

// DefaultLimits fit a 20 MB attachment in base64 with its envelope.
var DefaultLimits = Limits{Body: 32 << 20, Request: 60 * time.Second, Concurrent: 256, Wait: time.Second}

// retryAfter is what an overloaded door tells its caller, in seconds.
const retryAfter = "2"

// limitConcurrency turns a request away when too many are being worked on:
// better a clear 503 now than a time-out later. refuse answers in the
// language of the door.
func (s *Server) limitConcurrency(slots chan struct{}, refuse func(*gin.Context, *fail)) gin.HandlerFunc {
	return func(c *gin.Context) {
		if s.draining.Load() {
			refuse(c, s.overloaded("draining"))
			c.Abort()
			return
		}
		select {
		case slots <- struct{}{}:
		default:
			wait := time.NewTimer(s.limits.Wait)
			defer wait.Stop()
			select {
			case slots <- struct{}{}:
			case <-c.Request.Context().Done():
				s.metrics.refused.WithLabelValues("gone").Inc()
				c.Abort()
				return
			case <-wait.C:
				refuse(c, s.busy("overloaded"))
				return
			}
		}
		defer func() { <-slots }()
		c.Next()
	}
}

// limitTime gives the work on a request its end.
func (s *Server) limitTime(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), s.limits.Request)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

// catchPanics turns a defect of ours into an answer of the door and a stack in
// the log.
func (s *Server) catchPanics(refuse func(*gin.Context, *fail)) gin.HandlerFunc {
	return func(c *gin.Context) {
		defer func() {
			r := recover()
			if r == nil {
				return
			}
			s.doors.Defect(r, debug.Stack(), zap.String("request", requestID(c)), zap.String("route", c.FullPath()))
			if c.Writer.Written() {
				c.Abort()
				return
			}
			refuse(c, &fail{code: codeInternal, header: map[string]string{"Retry-After": retryAfter}})
		}()
		c.Next()
	}
}
