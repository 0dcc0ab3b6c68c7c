package signer

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"

	"kopir/signature/nuc"
	"kopir/signature/revocation"
)

// Options are what the door needs. Trust, Log and Clock are required.
type Options struct {
	Trust      *nuc.Trust
	Revocation *revocation.Checker // nil: nothing is ever known to be good
	Authority  *Authority          // of time stamps; nil: none is configured
	Limits     Limits              // zero values: those of DefaultLimits
	Log        *zap.Logger
	Clock      func() time.Time
}

// Signer answers HTTP. Make one with New.
type Signer struct {
	trust      *nuc.Trust
	revocation *revocation.Checker
	authority  *Authority
	limits     Limits
	log        *zap.Logger
	clock      func() time.Time

	slots    chan struct{}
	draining atomic.Bool
	engine   *gin.Engine
}

// New wires the door.
func New(o Options) (*Signer, error) {
	if o.Trust == nil || o.Log == nil || o.Clock == nil {
		return nil, errors.New("signer: an option is missing")
	}
	if o.Revocation == nil {
		o.Revocation = revocation.NewChecker(revocation.Options{Now: o.Clock})
	}
	s := &Signer{
		trust: o.Trust, revocation: o.Revocation, authority: o.Authority, limits: o.Limits.withDefaults(),
		log: o.Log, clock: o.Clock,
	}
	s.slots = make(chan struct{}, s.limits.Concurrent)
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false
	e.ContextWithFallback = true
	if err := e.SetTrustedProxies(nil); err != nil {
		return nil, err
	}
	e.Use(s.logRequests, s.catchPanics)
	e.GET("/actuator/health", s.health)
	for path, h := range map[string]handler{
		"/xml/sign": s.signXML, "/xml/verify": s.verifyXML,
		"/wsse/sign": s.signWSSE, "/wsse/verify": s.verifyWSSE,
		"/cms/sign": s.signCMS, "/cms/sign/add": s.addCMS, "/cms/verify": s.verifyCMS, "/cms/extract": s.extractCMS,
		"/x509/info": s.x509Info, "/pkcs12/info": s.pkcs12Info, "/pkcs12/aliases": s.pkcs12Aliases,
	} {
		e.POST(path, s.limitConcurrency, s.serve(h))
	}
	e.NoRoute(func(c *gin.Context) { refuse(c, &fail{http.StatusNotFound, "there is no such address here"}) })
	e.NoMethod(func(c *gin.Context) {
		refuse(c, &fail{http.StatusMethodNotAllowed, "this address takes another method; requests are POST, health is GET"})
	})
	s.engine = e
	return s, nil
}

// Handler is the whole door as one handler.
func (s *Signer) Handler() http.Handler { return s.engine }

// Serve answers on a listener until ctx ends; then it says OUT_OF_SERVICE,
// takes no new connection, and gives the requests at work the time of drain.
func (s *Signer) Serve(ctx context.Context, l net.Listener, drain time.Duration) error {
	h := &http.Server{
		Handler:           s.engine,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       s.limits.Read,
		WriteTimeout:      s.limits.Read + s.limits.Request + s.limits.Wait,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          zap.NewStdLog(s.log),
	}
	done := make(chan error, 1)
	go func() { done <- h.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	s.draining.Store(true)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	err := h.Shutdown(end)
	if err != nil {
		err = errors.Join(err, h.Close())
	}
	<-done
	return err
}

// handler does the work of one address. What it returns is the answer's
// members beside status and message.
type handler func(ctx context.Context, f *fields) (any, *fail)

// serve reads the request, has the work done, and answers. The body, which may
// hold a private key and its password, is overwritten before the answer ends.
func (s *Signer) serve(h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx, cancel := context.WithTimeout(c.Request.Context(), s.limits.Request)
		defer cancel()
		body, bad := s.readBody(c.Request)
		defer clear(body)
		if bad != nil {
			refuse(c, bad)
			return
		}
		f, err := readObject(body)
		if err != nil {
			refuse(c, badRequest("the body is not a JSON object: %v", err))
			return
		}
		defer f.forget()
		out, bad := h(ctx, f)
		if bad != nil {
			refuse(c, bad)
			return
		}
		answer(c, out)
	}
}

// health is UP while the door answers and some root is in its dates.
func (s *Signer) health(c *gin.Context) {
	status, word := http.StatusServiceUnavailable, "DOWN"
	if s.draining.Load() {
		word = "OUT_OF_SERVICE"
	} else {
		now := s.clock()
		for _, root := range s.trust.Roots() {
			if !now.Before(root.NotBefore) && !now.After(root.NotAfter) {
				status, word = http.StatusOK, "UP"
			}
		}
	}
	writeJSON(c, status, map[string]string{"status": word})
}
