package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"kopir/gateway"
	"kopir/gateway/mio"
	"kopir/gateway/store"
)

// gauges are the figures that are read when somebody asks for them. A series
// stands for every route and state, so that "nothing waits" is a nought and not
// a silence.
type gauges struct {
	store *store.Store
	open  *openCount[store.Open]
	local *mio.DB
	m     func() *materials
	log   *zap.Logger
}

// openFor is how long a count of what is not delivered stands: behind an outage it
// goes through very much.
const openFor = 5 * time.Second

// openCount is a count of what is not delivered that stands for a while, for
// /metrics and /readyz.
type openCount[T any] struct {
	mu  sync.Mutex // guards what follows
	all []T
	at  time.Time
}

func (c *openCount[T]) count(ctx context.Context, ask func(context.Context) ([]T, error)) ([]T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.at) < openFor {
		return c.all, nil
	}
	all, err := ask(ctx)
	if err == nil {
		c.all, c.at = all, now
	}
	return all, err
}

var (
	openDesc   = prometheus.NewDesc("kopir_deliveries_open", "Deliveries that are not done: queued, or dead and waiting for a person.", []string{"route", "state"}, nil)
	oldestDesc = prometheus.NewDesc("kopir_deliveries_oldest_seconds", "Age of the oldest delivery that is not done.", []string{"route", "state"}, nil)
	heldDesc   = prometheus.NewDesc("kopir_applications_held", "Applications whose signature could not be judged yet.", nil, nil)
	endDesc    = prometheus.NewDesc("kopir_certificate_expires_seconds", "Time until a certificate that the bridge depends on expires; negative once it has.", []string{"kind", "sender", "sha256"}, nil)
	hitDesc    = prometheus.NewDesc("kopir_trust_candidate_chains_total", "Chains that would have held if the candidate were trusted.", []string{"sha256"}, nil)
	issueDesc  = prometheus.NewDesc("kopir_trust_bundle_issue", "Issue number of the trust bundle in use; 0 without one.", nil, nil)
	localDesc  = prometheus.NewDesc("kopir_local_up", "1 while the local database answers; while it does not, applications are accepted and their rows wait.", nil, nil)
	driftDesc  = prometheus.NewDesc("kopir_contract_drift_total", "Places in messages that depart from the service's description.", []string{"service", "partner", "kind"}, nil)
	keyDesc    = prometheus.NewDesc("kopir_key_expires_seconds", "Time until the certificate of the bridge's key expires; negative once it has.", nil, nil)
)

// Describe implements prometheus.Collector.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{openDesc, oldestDesc, heldDesc, keyDesc, endDesc, hitDesc, issueDesc, localDesc, driftDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector. What cannot be read is left out,
// which an alert on absence sees, and told to the log.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	now, m := time.Now(), g.m()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(keyDesc, m.keys.Signing(now).Certificate.NotAfter.Sub(now).Seconds())
	told := map[[3]string]bool{} // a certificate may be named twice; a series that stands twice spoils all
	for _, e := range m.endings(now) {
		labels := [3]string{e.kind, e.sender, fmt.Sprintf("%x", e.certificate.Fingerprint)}
		if !told[labels] {
			told[labels] = true
			gauge(endDesc, e.certificate.NotAfter.Sub(now).Seconds(), labels[:]...)
		}
	}
	for _, h := range m.trust.Hits() {
		out <- prometheus.MustNewConstMetric(hitDesc, prometheus.CounterValue, float64(h.Chains), fmt.Sprintf("%x", h.Certificate.Fingerprint))
	}
	up := 1.0
	if g.local.Ping(ctx) != nil {
		up = 0
	}
	gauge(localDesc, up)
	gauge(issueDesc, float64(m.issue()))
	if n, err := g.store.HeldCount(ctx); err != nil {
		g.log.Warn("metrics", zap.Error(err))
	} else {
		gauge(heldDesc, float64(n))
	}
	g.drift(ctx, out)
	list, err := g.open.count(ctx, g.store.OpenDeliveries)
	if err != nil {
		g.log.Warn("metrics", zap.Error(err))
		return
	}
	type place struct {
		route gateway.Route
		state gateway.DeliveryState
	}
	open := map[place]store.Open{}
	for _, o := range list {
		open[place{o.Route, o.State}] = o
	}
	for _, route := range gateway.Routes() {
		for _, state := range []gateway.DeliveryState{gateway.Queued, gateway.Dead} {
			o, age := open[place{route, state}], 0.0
			if o.Count > 0 {
				age = max(0, now.Sub(o.Oldest).Seconds())
			}
			gauge(openDesc, float64(o.Count), string(route), string(state))
			gauge(oldestDesc, age, string(route), string(state))
		}
	}
}

// drift counts by service, partner and kind; the paths are at /api/v1/drift.
func (g *gauges) drift(ctx context.Context, out chan<- prometheus.Metric) {
	all, err := g.store.Drifts(ctx)
	if err != nil {
		g.log.Warn("metrics", zap.Error(err))
		return
	}
	type place struct{ service, partner, kind string }
	count := map[place]int64{}
	for _, d := range all {
		count[place{d.Service, d.Partner, string(d.Kind)}] += d.Times
	}
	for p, n := range count {
		out <- prometheus.MustNewConstMetric(driftDesc, prometheus.CounterValue, float64(n), p.service, p.partner, p.kind)
	}
}
