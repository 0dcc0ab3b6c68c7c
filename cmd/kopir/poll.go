package main

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"kopir/gateway/client"
)

// poll fetches what the gateway does not push, and begins anew under each other
// configuration: what was not confirmed is handed out again.
func (n *node) poll(ctx context.Context) {
	for ctx.Err() == nil {
		term, end := context.WithCancel(ctx)
		var all sync.WaitGroup
		for _, p := range n.pollers() {
			all.Go(func() { n.bridge.WhileLeading(term, "poll "+p.ServiceID, func(ctx context.Context) { p.Run(ctx) }) })
		}
		select {
		case <-ctx.Done():
		case <-n.repoll:
		}
		end()
		all.Wait()
	}
}

// pollers are those of the configuration in force.
func (n *node) pollers() []*client.Poller {
	var all []*client.Poller
	f := n.wired.Load()
	for _, p := range f.l.Gateway.Poll {
		one := &client.Poller{
			From: f.gate, ServiceID: p.ServiceID, Every: time.Duration(p.Every), Amount: int32(p.Amount), Handle: client.HandOver(f.bridge), Tracer: n.tracer(),
			Failed: func(err error) {
				n.log.Warn("messages not fetched", zap.String("service", p.ServiceID), zap.Error(err))
			},
		}
		if one.Every == 0 {
			one.Every = defaultPollEvery
		}
		if one.Amount == 0 {
			one.Amount = defaultPollAmount
		}
		all = append(all, one)
	}
	return all
}
