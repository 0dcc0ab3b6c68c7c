package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"kopir/gateway"
	"kopir/gateway/store"
)

// laneGauges are the figures of the ways out: their circuits, what is on its
// way, how tries end and how long they take, and the dead letters by cause.
type laneGauges struct {
	store  *store.Store
	dead   *openCount[gateway.DeadGroup]
	bridge *gateway.Bridge
	log    *zap.Logger
}

var (
	laneLabels  = []string{"route", "partner"}
	circuitDesc = prometheus.NewDesc("kopir_circuit_open", "1 while the circuit to a peer is open: it does not answer, and one delivery at a time finds out whether it is back.", laneLabels, nil)
	openedDesc  = prometheus.NewDesc("kopir_circuit_opened_total", "How often the circuit to a peer opened.", laneLabels, nil)
	onWayDesc   = prometheus.NewDesc("kopir_deliveries_in_flight", "Deliveries on their way to a peer.", laneLabels, nil)
	triesDesc   = prometheus.NewDesc("kopir_delivery_tries_total", "Tries of deliveries by outcome: done, failed (tried again), dead (waits for a person); also of what a partner fetches, and of what the gateway took and later could not deliver.", append(laneLabels, "outcome"), nil)
	tookDesc    = prometheus.NewDesc("kopir_delivery_seconds", "How long tries of deliveries took.", laneLabels, nil)
	deadDesc    = prometheus.NewDesc("kopir_dead_letters", "Deliveries that wait for a person, by cause.", append(laneLabels, "cause"), nil)
)

// Describe implements prometheus.Collector.
func (g *laneGauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{circuitDesc, openedDesc, onWayDesc, triesDesc, tookDesc, deadDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (g *laneGauges) Collect(out chan<- prometheus.Metric) {
	metric := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	for _, l := range g.bridge.Lanes() {
		peer := []string{string(l.Route), l.Receiver}
		open := 0.0
		if l.Circuit != gateway.Closed {
			open = 1
		}
		metric(circuitDesc, prometheus.GaugeValue, open, peer...)
		metric(openedDesc, prometheus.CounterValue, float64(l.Openings), peer...)
		metric(onWayDesc, prometheus.GaugeValue, float64(l.Busy), peer...)
		for _, o := range gateway.Outcomes() {
			metric(triesDesc, prometheus.CounterValue, float64(l.Tries[o]), append(peer, string(o))...)
		}
		out <- prometheus.MustNewConstHistogram(tookDesc, l.Seconds.Count, l.Seconds.Sum, l.Seconds.Buckets, peer...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	groups, err := g.dead.count(ctx, g.store.DeadGroups)
	if err != nil {
		g.log.Warn("metrics", zap.Error(err))
		return
	}
	type place struct {
		route gateway.Route
		lane  string
		cause gateway.Cause
	}
	dead := map[place]int64{}
	for _, d := range groups {
		dead[place{d.Route, d.Lane, d.Cause}] += d.Count
	}
	for p, n := range dead {
		metric(deadDesc, prometheus.GaugeValue, float64(n), string(p.route), p.lane, string(p.cause))
	}
}
