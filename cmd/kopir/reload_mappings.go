package main

import (
	"context"

	"go.uber.org/zap"

	"kopir/gateway"
	"kopir/gateway/client"
	"kopir/mappings"
)

// reloadMappings reads the folder of descriptions again. If anything is wrong
// with it, or running applications need an edition that is gone, all stays as
// it is, and the log says why.
func (n *node) reloadMappings(ctx context.Context) {
	l := n.conf()
	if l.Mappings == "" {
		return // those of the binary alone
	}
	m := &materials{}
	faults := l.openMappings(m)
	if len(faults) == 0 {
		faults = n.useMappings(ctx, l, m.set)
	}
	if len(faults) > 0 {
		n.keep(&n.kept.mappings, "service descriptions are", l, faults...)
		return
	}
	n.record(ctx)
}

// useMappings puts descriptions in the place of those from before, or says what
// keeps it from that.
func (n *node) useMappings(ctx context.Context, l *loaded, set *mappings.Set) []fault {
	before, sender := n.services.Load(), n.wired.Load().sender
	if err := n.use(ctx, set, sender); err != nil {
		if err := n.local.Use(ctx, before); err != nil {
			n.log.Error("the local database does not fit the descriptions from before any more", zap.Error(err))
		}
		sender.Use(before)
		return []fault{l.at("mappings", err.Error(), "")}
	}
	n.kept.mappings.Store(nil)
	n.services.Store(set)
	n.bridge.Recount() // the days off are among them
	n.log.Info("service descriptions reloaded", zap.Int("descriptions", len(set.Services())), zap.Strings("new", editionsOnly(set, before)), zap.Strings("gone", editionsOnly(before, set)))
	return nil
}

// use hands descriptions on in the order in which an application meets them
// backwards: nobody gets one that those behind do not know.
func (n *node) use(ctx context.Context, set *mappings.Set, sender *client.Sender) error {
	running, err := n.store.Running(ctx)
	if err != nil {
		return err
	}
	if err := gateway.Missing(set, running); err != nil {
		return err
	}
	if err := n.local.Use(ctx, set); err != nil {
		return err
	}
	sender.Use(set)
	return n.bridge.Use(ctx, set)
}

// editionsOnly lists the editions of one set that another lacks.
func editionsOnly(set, other *mappings.Set) []string {
	var out []string
	for _, s := range set.Services() {
		if _, ok := other.Edition(s.ID, s.Edition); !ok {
			out = append(out, s.Name()+" ("+s.Edition+")")
		}
	}
	return out
}
