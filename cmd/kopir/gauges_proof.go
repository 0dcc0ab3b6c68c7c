package main

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"kopir/gateway/store"
)

// proofGauges are the figures of what was judged, by what, and of what proves
// it: verdicts, the authorities' answers, files that were changed, the journal.
type proofGauges struct{ n *node }

var (
	verdictDesc  = prometheus.NewDesc("kopir_verdicts_total", "Signatures judged, by whose they are, outcome and reason.", []string{"signature", "outcome", "reason"}, nil)
	answeredDesc = prometheus.NewDesc("kopir_revocation_answer_age_seconds", "Time since an authority last answered whether a certificate is revoked, of those that were asked about.", []string{"authority"}, nil)
	silentDesc   = prometheus.NewDesc("kopir_revocation_silent_seconds", "How long an authority has not answered whether certificates are revoked; nought while it does.", []string{"authority"}, nil)
	listDesc     = prometheus.NewDesc("kopir_revocation_list_age_seconds", "Time since the list of an authority was last fetched.", []string{"authority"}, nil)
	refusedDesc  = prometheus.NewDesc("kopir_refused_kept_bytes", "Bytes of refused messages that were kept whole today (UTC).", []string{"sender"}, nil)
	unkeptDesc   = prometheus.NewDesc("kopir_refused_unkept_messages", "Refused messages of today of which digest, size and verdict alone are kept.", []string{"sender"}, nil)
	reloadDesc   = prometheus.NewDesc("kopir_reload_failed", "1 while files that were changed are not in force because of a fault, by what they are.", []string{"what"}, nil)
	unstampDesc  = prometheus.NewDesc("kopir_journal_unstamped_seconds", "How long records of the journal have had no checkpoint with a time stamp over them, where journal.tsa names an authority; nought when all have.", nil, nil)
	revokedDesc  = prometheus.NewDesc("kopir_key_revoked", "1 while the certificate of the bridge's key is known to be revoked.", nil, nil)
	unsignedDesc = prometheus.NewDesc("kopir_journal_unsigned_seconds", "How long records of the journal have had no checkpoint over them; nought when all have.", nil, nil)
)

// Describe implements prometheus.Collector.
func (g proofGauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{verdictDesc, answeredDesc, silentDesc, listDesc, refusedDesc, unkeptDesc, reloadDesc, revokedDesc, unsignedDesc, unstampDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (g proofGauges) Collect(out chan<- prometheus.Metric) {
	for k, n := range g.n.bridge.Verdicts() {
		out <- prometheus.MustNewConstMetric(verdictDesc, prometheus.CounterValue, float64(n), string(k.Signature), k.Outcome.String(), string(k.Reason))
	}
	now := time.Now()
	age := func(d *prometheus.Desc, since time.Time, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, max(0, now.Sub(since).Seconds()), labels...)
	}
	for _, f := range g.n.revocation.Freshness() {
		silent := f.Silent
		if silent.IsZero() {
			silent = now
		}
		age(silentDesc, silent, f.Authority)
		if !f.Answered.IsZero() {
			age(answeredDesc, f.Answered, f.Authority)
		}
		if !f.Listed.IsZero() {
			age(listDesc, f.Listed, f.Authority)
		}
	}
	whether := func(d *prometheus.Desc, yes bool, labels ...string) {
		v := 0.0
		if yes {
			v = 1
		}
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	whether(revokedDesc, g.n.keyRevoked())
	for what, fault := range g.n.kept.all() {
		whether(reloadDesc, fault.Load() != nil, what)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if all, err := g.n.store.Refusals(ctx, now); err == nil {
		for _, s := range g.n.conf().Senders {
			if !slices.ContainsFunc(all, func(r store.Refused) bool { return r.Sender == s.ID }) {
				all = append(all, store.Refused{Sender: s.ID})
			}
		}
		for _, r := range all {
			out <- prometheus.MustNewConstMetric(refusedDesc, prometheus.GaugeValue, float64(r.Bytes), r.Sender)
			out <- prometheus.MustNewConstMetric(unkeptDesc, prometheus.GaugeValue, float64(r.Cut), r.Sender)
		}
	}
	if unsigned, err := g.n.checkpointAge(ctx); err == nil {
		out <- prometheus.MustNewConstMetric(unsignedDesc, prometheus.GaugeValue, unsigned.Seconds())
	}
	if unstamped, err := g.n.stampAge(ctx); err == nil && g.n.stamper != nil {
		out <- prometheus.MustNewConstMetric(unstampDesc, prometheus.GaugeValue, unstamped.Seconds())
	}
}
