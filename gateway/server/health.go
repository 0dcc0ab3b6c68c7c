package server

import (
	"context"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// Health is how one part of the bridge is.
type Health string

// How a part can be.
const (
	Well    Health = "ok"
	Warning Health = "warn" // work goes on, and somebody should look
	Failing Health = "bad"  // new work would be refused
)

// Condition is what a check finds. The zero value: all is well.
type Condition struct {
	Health Health // empty: Well
	// Say and Remedy go to whoever can reach the port: what it is and what to do,
	// without names of machines or people.
	Say, Remedy string
	Cause       error // for the log
}

// Readiness is one thing without which the bridge cannot do its work, or
// that somebody should look after.
type Readiness struct {
	Name  string // store, key, revocation, disk …
	Check func(context.Context) Condition
}

// readyTimeout bounds all checks of one question together.
const readyTimeout = 5 * time.Second

// standing remembers since when each part has been as it is.
type standing struct {
	mu    sync.Mutex
	parts map[string]Part
}

// Part is a part of the bridge as /readyz tells it.
type Part struct {
	Name   string    `json:"name"`
	Ready  bool      `json:"ready"`
	State  Health    `json:"state"`
	Since  time.Time `json:"since"`
	Detail string    `json:"detail,omitempty"`
	Remedy string    `json:"remedy,omitempty"`
}

// note gives the part as it is now; changed, if it was otherwise before.
func (s *standing) note(name string, c Condition, at time.Time) (p Part, changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Health == "" {
		c.Health = Well
	}
	p = Part{Name: name, Ready: c.Health != Failing, State: c.Health, Since: at, Detail: c.Say, Remedy: c.Remedy}
	old, known := s.parts[name]
	if known && old.State == p.State {
		p.Since = old.Since
	}
	if s.parts == nil {
		s.parts = map[string]Part{}
	}
	s.parts[name] = p
	return p, known && old.State != p.State || !known && c.Health != Well
}

func (s *Server) mountHealth(r gin.IRouter) {
	// Alive: the process answers. Nothing outside may turn this to bad, or a
	// supervisor would restart us because a partner is down.
	r.GET("/healthz", func(c *gin.Context) { writeJSON(c, http.StatusOK, gin.H{"status": "alive"}) })
	r.GET("/readyz", s.ready)
	r.GET("/metrics", gin.WrapH(promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{})))
}

// Look asks every part how it is, and tells the log what has changed.
func (s *Server) Look(ctx context.Context) []Part {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	found := make([]Condition, len(s.readiness))
	var asked sync.WaitGroup
	for i, r := range s.readiness { // one that hangs must not hide the others
		asked.Go(func() { found[i] = s.check(ctx, r) })
	}
	asked.Wait()
	all := make([]Part, len(found))
	for i, c := range found {
		p, changed := s.standing.note(s.readiness[i].Name, c, s.now().UTC())
		all[i] = p
		up := 0.0
		if p.Ready {
			up = 1
		}
		s.metrics.ready.WithLabelValues(p.Name).Set(up)
		if !changed {
			continue
		}
		fields := []zap.Field{zap.String("part", p.Name), zap.String("state", string(p.State)), zap.String("detail", p.Detail), zap.Error(c.Cause)}
		switch p.State {
		case Well:
			s.log.Info("well again", fields...)
		case Warning:
			s.log.Warn("somebody should look", append(fields, zap.String("remedy", p.Remedy))...)
		default:
			s.log.Error("not ready", append(fields, zap.String("remedy", p.Remedy))...)
		}
	}
	return all
}

// check asks one part. A defect that it runs into is told, and ends nothing.
func (s *Server) check(ctx context.Context, r Readiness) (c Condition) {
	defer func() {
		if p := recover(); p != nil {
			s.doors.Defect(p, debug.Stack(), zap.String("part", r.Name))
			c = Condition{Health: Warning, Say: "how it is cannot be told: a defect of the bridge", Remedy: "the log has the stack: report it"}
		}
	}()
	return r.Check(ctx)
}

// watch looks from time to time, so that the log and the metrics know what
// nobody asked for.
func (s *Server) watch(ctx context.Context) {
	for {
		s.Look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(10 * time.Second):
		}
	}
}

// ready tells every part, since when it is as it is, and what to do.
func (s *Server) ready(c *gin.Context) {
	out := struct {
		Ready    bool   `json:"ready"`
		Draining bool   `json:"draining,omitempty"`
		Parts    []Part `json:"parts"`
	}{Ready: !s.draining.Load(), Draining: s.draining.Load(), Parts: s.Look(c.Request.Context())}
	for _, p := range out.Parts {
		out.Ready = out.Ready && p.Ready
	}
	status := http.StatusOK
	if !out.Ready {
		status = http.StatusServiceUnavailable
		c.Header("Retry-After", retryAfter)
	}
	writeJSON(c, status, out)
}
