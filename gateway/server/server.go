// Package server is the doors of the bridge: SOAP for the gateway, REST for
// the local systems, and what a watchdog asks.
//
// Rules it keeps:
//
//   - A door knows transport: limits, time-outs, keys, status codes, the form
//     of an error. What happens to a message is decided in gateway.
//   - One line a request in the log, without bodies, query strings and headers.
//   - No personal number in an address: history is asked by POST.
//   - Input is read strictly and all its faults are told at once, in the
//     language of Accept-Language.
//   - A defect of ours is a try_later for the caller and a stack in the log.
//
// It follows SOAP 1.1 over HTTP (section 6), RFC 9110, RFC 9457 (problem
// details), RFC 6750 (Bearer), RFC 9421 and 9530 (signed requests), and draft-ietf-httpapi-idempotency-key-header.
package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"kopir/gateway"
	"kopir/gateway/httpsig"
	"kopir/mappings"
)

// Options are what the doors need. All but Proxies, PublicURL, Readiness
// and Collectors are required.
type Options struct {
	Doors    gateway.Doors
	Services func() []Service
	Offices  func() []Office        // the directory; nil: none
	Texts    func() *mappings.Texts // as they are now
	Keys     *Keys
	// Signers are the keys of partners that sign their requests, by keyid, Origin
	// is the address by which they reach us (scheme, host, path), and Answers
	// the key that signs what those are answered who are to have it so.
	Signers map[string]PartnerKey
	Origin  string
	Answers func() (httpsig.Signer, error)

	Replays Replays
	Log     *zap.Logger
	Clock   func() time.Time
	Limits  Limits

	// Access records who reads a person's data; an error withholds it. Nil:
	// nothing is recorded.
	Access func(context.Context, Access) error

	// Bundles makes evidence bundles.
	Bundles Bundles

	PublicURL  string
	Zone       *time.Location // of the times on pages for people; nil: UTC
	Proxies    []string       // addresses or networks whose X-Forwarded-* are believed
	Readiness  []Readiness
	Collectors []prometheus.Collector
}

// Server answers HTTP under certain options. Make one with New.
type Server struct {
	doors     gateway.Doors
	services  func() []Service
	offices   func() []Office
	texts     func() *mappings.Texts
	keys      *Keys
	signers   map[string]PartnerKey
	origin    string
	answers   func() (httpsig.Signer, error)
	replays   Replays
	access    func(context.Context, Access) error
	bundles   Bundles
	bundling  sync.Mutex // one bundle is made at a time
	log       *zap.Logger
	clock     func() time.Time
	limits    Limits
	publicURL string
	proxies   []netip.Prefix
	readiness []Readiness
	zone      *time.Location
	engine    *gin.Engine
	*house
}

// house is what there is one of, whatever the options.
type house struct {
	metrics   *metrics
	slots     chan struct{} // of the doors for people and local systems
	soapSlots chan struct{} // of the SOAP doors: neither takes the other's
	room      room
	draining  atomic.Bool
	standing  standing
	guests    guests
	latest    atomic.Pointer[Server] // under the options that were taken over last
}

// New wires the doors.
func New(o Options) (*Server, error) {
	gin.SetMode(gin.ReleaseMode)
	s, err := newServer(o)
	if err != nil {
		return nil, err
	}
	s.house = &house{metrics: newMetrics(o.Doors), slots: make(chan struct{}, o.Limits.Concurrent), soapSlots: make(chan struct{}, o.Limits.Concurrent)}
	for _, c := range o.Collectors {
		if err := s.metrics.registry.Register(c); err != nil {
			return nil, err
		}
	}
	s.mount()
	s.Begin()
	return s, nil
}

// Under gives the same server under other options. Nothing changes for requests
// that are at work; new ones come to it when it begins. Collectors, and of the
// limits Concurrent, Connections and Notice, stay those of New; so does the end
// that Serve gives to an answer.
func (s *Server) Under(o Options) (*Server, error) {
	next, err := newServer(o)
	if err != nil {
		return nil, err
	}
	next.house = s.house
	next.mount()
	return next, nil
}

// Begin lets every request that comes from now on be answered under these options.
func (s *Server) Begin() {
	s.room.resize(max(s.limits.Memory, s.limits.Body)) // the largest alone must fit
	s.latest.Store(s)
}

// newServer judges the options.
func newServer(o Options) (*Server, error) {
	if o.Doors == nil || o.Services == nil || o.Texts == nil || o.Keys == nil || o.Replays == nil || o.Bundles == nil || o.Log == nil || o.Clock == nil {
		return nil, errors.New("server: an option is missing")
	}
	if o.Limits.Body <= 0 || o.Limits.Request <= 0 || o.Limits.Concurrent <= 0 {
		return nil, errors.New("server: every limit must be set; start from DefaultLimits")
	}
	if len(o.Signers) > 0 && (o.Origin == "" || o.Answers == nil) {
		return nil, errors.New("server: partners sign, and the address for which they sign, or our key, is missing")
	}
	proxies, err := parseNetworks(o.Proxies)
	if err != nil {
		return nil, err
	}
	if o.Offices == nil {
		o.Offices = func() []Office { return nil }
	}
	s := &Server{
		doors: o.Doors, services: o.Services, offices: o.Offices, texts: o.Texts, keys: o.Keys, signers: o.Signers, origin: o.Origin, answers: o.Answers, replays: o.Replays, access: o.Access, bundles: o.Bundles,
		log: o.Log, clock: o.Clock, limits: o.Limits,
		publicURL: o.PublicURL, proxies: proxies, readiness: o.Readiness,
	}
	if s.limits.Memory == 0 {
		s.limits.Memory = 16 * s.limits.Body
	}
	if s.limits.Connections == 0 {
		s.limits.Connections = 1024
	}
	if s.zone = o.Zone; s.zone == nil {
		s.zone = time.UTC
	}
	s.engine = gin.New()
	return s, s.engine.SetTrustedProxies(o.Proxies)
}

// mount puts every route into the engine.
func (s *Server) mount() {
	e := s.engine
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false
	e.ContextWithFallback = true
	e.Use(s.logRequests, callersTrace, s.carryLoad, func(c *gin.Context) {
		if c.Request.ContentLength == 0 {
			settled(c.Request)
		}
	})
	s.mountSOAP(e)
	s.mountHealth(e)
	s.mountQuestionnaire(e)
	s.mountVerify(e)
	rest := e.Group(apiRoot, s.catchPanics(s.writeProblem), s.limitConcurrency(s.slots, s.writeProblem), s.limitTime)
	rest.GET("/openapi.json", s.openAPI)
	s.mountREST(rest)
	e.NoRoute(func(c *gin.Context) { s.writeProblem(c, &fail{code: codeNoRoute}) })
	e.NoMethod(func(c *gin.Context) { s.writeProblem(c, &fail{code: codeMethod}) })
}

// Handler is the whole server as one handler. A request stays with the options
// that it met.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.latest.Load().engine.ServeHTTP(w, r) })
}

// Serve answers on a listener until ctx ends; then it says "not ready" and
// turns new work away with Retry-After, for as long as Limits.Notice and while
// requests are at work, but no longer than drain; only then the address is gone.
func (s *Server) Serve(ctx context.Context, l net.Listener, header int, read, drain time.Duration) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	h := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: min(read, 10*time.Second),
		ReadTimeout:       read,
		WriteTimeout:      read + s.limits.Request + s.limits.Wait,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    header,
		ErrorLog:          zap.NewStdLog(s.log),
	}
	places := limitConnections(l, s.limits.Connections, func(reason string) { s.metrics.refused.WithLabelValues(reason).Inc() })
	h.ConnState, h.ConnContext = places.watch, places.context
	done := make(chan error, 1)
	go func() { done <- h.Serve(places) }()
	watched := make(chan struct{})
	go func() { defer close(watched); s.watch(ctx) }()
	defer func() { <-watched }()
	select {
	case err := <-done:
		stop()
		return err
	case <-ctx.Done():
	}
	s.draining.Store(true)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	s.log.Info("stopping: new work is turned away", zap.Int("at_work", s.atWork()))
	notice := time.NewTimer(s.limits.Notice)
	defer notice.Stop()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for noticed := false; !noticed || s.atWork() > 0; {
		select {
		case <-notice.C:
			noticed = true
			continue
		case <-look.C:
			continue
		case <-end.Done():
		}
		break
	}
	err := h.Shutdown(end)
	if err != nil {
		err = errors.Join(err, h.Close())
	}
	<-done
	return err
}

// atWork is how many requests have a place.
func (s *Server) atWork() int { return len(s.slots) + len(s.soapSlots) }
