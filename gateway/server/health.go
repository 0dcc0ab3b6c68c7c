package server

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Readiness is one thing without which the bridge cannot do its work.
type Readiness struct {
	Name  string // store, key, trust, revocation, gateway …
	Check func(context.Context) error
}

// readyTimeout bounds all checks of one question together.
const readyTimeout = 5 * time.Second

func (s *Server) mountHealth(r gin.IRouter) {
	// Alive: the process answers. Nothing outside may turn this to bad, or a
	// supervisor would restart us because a partner is down.
	r.GET("/healthz", func(c *gin.Context) { writeJSON(c, http.StatusOK, gin.H{"status": "alive"}) })
	r.GET("/readyz", s.ready)
	r.GET("/metrics", gin.WrapH(promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{})))
}

// ready tells each thing that is not ready. Its answers go to whoever can
// reach the port, so they say what, and the log says why.
func (s *Server) ready(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), readyTimeout)
	defer cancel()
	type part struct {
		Name  string `json:"name"`
		Ready bool   `json:"ready"`
	}
	out := struct {
		Ready    bool   `json:"ready"`
		Draining bool   `json:"draining,omitempty"`
		Parts    []part `json:"parts"`
	}{Ready: true, Parts: []part{}}
	if s.draining.Load() {
		out.Ready, out.Draining = false, true
	}
	for _, r := range s.readiness {
		err := r.Check(ctx)
		if err != nil {
			out.Ready = false
			s.log.Sugar().Warnw("not ready", "part", r.Name, "cause", err)
		}
		out.Parts = append(out.Parts, part{r.Name, err == nil})
	}
	status := http.StatusOK
	if !out.Ready {
		status = http.StatusServiceUnavailable
	}
	writeJSON(c, status, out)
}
