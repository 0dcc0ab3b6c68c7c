package main

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"kopir/gateway"
	"kopir/gateway/store"
)

// termGauges are the figures of open terms and of the clock by which they run.
type termGauges struct {
	store  *store.Store
	bridge *gateway.Bridge
	log    *zap.Logger

	mu     sync.Mutex // guards what follows
	groups []gateway.DueGroup
	at     time.Time
}

const (
	// termsFor is how long a count stands: counting a million costs most of a second.
	termsFor = 15 * time.Second
	// maxTermSeries bounds offices, services and steps together; what is beyond
	// is added up under "other".
	maxTermSeries = 1000
)

var (
	placeLabels  = []string{"service", "office", "step"}
	termsDesc    = prometheus.NewDesc("kopir_deadlines_open", "Open terms by how they stand: running, warned, overdue, suspended.", append(placeLabels, "standing"), nil)
	termNextDesc = prometheus.NewDesc("kopir_deadlines_oldest_seconds", "How long ago the oldest open term ended; negative: how soon the next one ends.", placeLabels, nil)
	alarmDesc    = prometheus.NewDesc("kopir_deadline_alarms_total", "Warnings and breaches that were told.", []string{"kind"}, nil)
	jumpDesc     = prometheus.NewDesc("kopir_clock_jumps_total", "How often the clock was found set.", nil, nil)
	unaskedDesc  = prometheus.NewDesc("kopir_held_unasked_total", "How often a held application could not be asked about and was put off; the log says why.", nil, nil)
	clockDesc    = prometheus.NewDesc("kopir_clock_suspected", "1 while the clock is not believed and no alarm is told, or is so far from the database's that nothing is delivered.", nil, nil)
)

// Describe implements prometheus.Collector.
func (g *termGauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{termsDesc, termNextDesc, alarmDesc, jumpDesc, unaskedDesc, clockDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (g *termGauges) Collect(out chan<- prometheus.Metric) {
	metric := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	warned, overdue := g.bridge.Alarms()
	metric(alarmDesc, prometheus.CounterValue, float64(warned), string(gateway.EventWarning))
	metric(alarmDesc, prometheus.CounterValue, float64(overdue), string(gateway.EventOverdue))
	metric(jumpDesc, prometheus.CounterValue, float64(g.bridge.ClockJumps()))
	metric(unaskedDesc, prometheus.CounterValue, float64(g.bridge.Unasked()))
	suspected := 0.0
	if g.bridge.ClockFault() != nil || g.store.ClockFault() != nil {
		suspected = 1
	}
	metric(clockDesc, prometheus.GaugeValue, suspected)
	now := time.Now()
	for _, x := range g.count(now) {
		step := strconv.Itoa(x.Step)
		if x.Step == 0 {
			step = "other"
		}
		place := []string{x.Service, x.Office, step}
		for _, s := range []struct {
			standing string
			n        int64
		}{{"running", x.Open - x.Warned - x.Overdue - x.Suspended}, {"warned", x.Warned}, {"overdue", x.Overdue}, {"suspended", x.Suspended}} {
			metric(termsDesc, prometheus.GaugeValue, float64(s.n), append(place, s.standing)...)
		}
		if !x.Next.IsZero() && x.Open > x.Suspended {
			metric(termNextDesc, prometheus.GaugeValue, now.Sub(x.Next).Seconds(), place...)
		}
	}
}

// count gives the groups, at most maxTermSeries and one of the others.
func (g *termGauges) count(now time.Time) []gateway.DueGroup {
	g.mu.Lock()
	defer g.mu.Unlock()
	if age := now.Sub(g.at); age >= 0 && age < termsFor {
		return g.groups
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	all, err := g.store.Deadlines(ctx, gateway.DueFilter{Now: now}, []gateway.DueKey{gateway.ByService, gateway.ByOffice, gateway.ByStep})
	if err != nil {
		g.log.Warn("metrics", zap.Error(err))
		return nil
	}
	g.groups, g.at = bounded(all, maxTermSeries), now
	return g.groups
}

// bounded adds up what is beyond so many groups.
func bounded(all []gateway.DueGroup, most int) []gateway.DueGroup {
	if len(all) <= most {
		return all
	}
	other := gateway.DueGroup{Service: "other", Office: "other"}
	for _, x := range all[most:] {
		other.Open, other.Warned, other.Overdue, other.Suspended = other.Open+x.Open, other.Warned+x.Warned, other.Overdue+x.Overdue, other.Suspended+x.Suspended
		if !x.Next.IsZero() && (other.Next.IsZero() || x.Next.Before(other.Next)) {
			other.Next = x.Next
		}
	}
	return append(all[:most:most], other)
}
