package main

import (
	"context"
	"errors"
	"path/filepath"

	"go.uber.org/zap"

	"kopir/gateway"
	"kopir/mappings"
)

// mappingsStamp is what the folder of descriptions looks like from outside;
// empty when there is none.
func (l *loaded) mappingsStamp() string {
	if l.Mappings == "" {
		return ""
	}
	return l.stampOf([]string{l.Mappings, filepath.Join(l.Mappings, "shared")})
}

// reloadMappings reads the folder of descriptions again. If anything is wrong
// with it, or running applications need an edition that is gone, all stays as
// it is, and the log says why.
func (n *node) reloadMappings(ctx context.Context) {
	if n.l.Mappings == "" {
		return // those of the binary alone
	}
	m := &materials{}
	faults := n.l.openMappings(m)
	for _, f := range faults {
		n.log.Error("service descriptions are not reloaded: those from before stay", zap.String("fault", f.format(n.l.file)))
	}
	if len(faults) > 0 {
		err := errors.New(faults[0].format(n.l.file))
		n.mappingsFault.Store(&err)
		return
	}
	before := n.services.Load()
	if err := n.use(ctx, m.set); err != nil {
		n.log.Error("service descriptions are not reloaded: those from before stay", zap.Error(err))
		if err := n.local.Use(ctx, before); err != nil {
			n.log.Error("the local database does not fit the descriptions from before any more", zap.Error(err))
		}
		n.sender.Use(before)
		n.mappingsFault.Store(&err)
		return
	}
	n.mappingsFault.Store(nil)
	n.services.Store(m.set)
	if err := n.noteConfiguration(ctx); err != nil {
		n.log.Error("journal", zap.Error(err))
	}
	n.bridge.Recount() // the days off are among them
	n.log.Info("service descriptions reloaded", zap.Int("descriptions", len(m.set.Services())), zap.Strings("new", editionsOnly(m.set, before)), zap.Strings("gone", editionsOnly(before, m.set)))
}

// use hands descriptions on in the order in which an application meets them
// backwards: nobody gets one that those behind do not know.
func (n *node) use(ctx context.Context, set *mappings.Set) error {
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
	n.sender.Use(set)
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
