package server

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"kopir/gateway"
)

// metrics are the bridge's figures. Every label has a closed list of values:
// routes are patterns, never addresses as they were asked; no names, numbers
// or identifiers of people.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
	refused  *prometheus.CounterVec
	faults   *prometheus.CounterVec
	ready    *prometheus.GaugeVec
}

// newMetrics makes them; doors count the panics, whatever the terms.
func newMetrics(doors gateway.Doors) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kopir_requests_total", Help: "Requests answered, by route and HTTP status.",
		}, []string{"route", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "kopir_request_seconds", Help: "Time from the first byte read to the last byte written.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "kopir_requests_in_flight", Help: "Requests being worked on.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kopir_requests_refused_total", Help: "Requests turned away before any work, by reason.",
		}, []string{"reason"}),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kopir_faults_total", Help: "SOAP faults and REST problems, by code.",
		}, []string{"door", "code"}),
	}
	panics := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "kopir_panics_total", Help: "Defects of ours that a request, a delivery or a loop ran into.",
	}, func() float64 { return float64(doors.Panics()) })
	m.ready = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "kopir_ready", Help: "1 while a part of /readyz is well enough for new work.",
	}, []string{"part"})
	for _, reason := range []string{"overloaded", "memory", "connections", "slow", "draining", "gone"} {
		m.refused.WithLabelValues(reason)
	}
	m.registry.MustRegister(m.requests, m.duration, m.inFlight, m.refused, m.faults, panics, m.ready,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) done(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.duration.WithLabelValues(route).Observe(took.Seconds())
}
