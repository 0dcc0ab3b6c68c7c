package main

import (
	"context"
	"reflect"
	"slices"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"kopir/gateway"
	"kopir/gateway/server"
)

// reloadConfig reads the configuration again, with everything that it names, and
// puts it in force: what is at work ends under the one before. If anything is
// wrong with it, all stays as it is, and the log says why.
func (n *node) reloadConfig(ctx context.Context) bool {
	old, now := n.wired.Load(), time.Now()
	l, faults := loadConfig(old.l.file)
	if l == nil {
		n.keep(&n.kept.configuration, "the configuration is", old.l, faults...)
		return false
	}
	later := l.keepAtStart(&old.l.config)
	seen, same := l.stamps(), l.Mappings == old.l.Mappings && slices.Equal(l.Services, old.l.Services)
	n.tried = l
	f, bridge, doors, faults := n.prepare(ctx, old, l, faults, same, now)
	if len(faults) > 0 {
		n.seen.named = seen.named + seen.keys + seen.mappings
		n.keep(&n.kept.configuration, "the configuration is", l, faults...)
		return false
	}
	// From here on nothing can fail.
	later = append(later, f.m.keepAtStart(old.m)...)
	n.useKeys(f.m, now)
	n.revocation.Use(l.sources(f.m))
	n.revocation.UseStored(f.m.lists, f.m.answers)
	n.disk.use(l.Disk)
	l.level = old.l.level
	if level, err := zapcore.ParseLevel(l.Log.Level); err == nil { // judged by checkValues
		l.level.SetLevel(level)
	}
	n.wired.Store(f)
	bridge.Begin()
	doors.Begin()
	select {
	case n.repoll <- struct{}{}:
	default:
	}
	if same {
		seen.mappings = n.seen.mappings // they were not read
	}
	n.seen = seen
	n.kept.configuration.Store(nil)
	n.record(ctx)
	for _, note := range f.m.notes {
		n.log.Warn("note", zap.String("note", note))
	}
	n.log.Info("configuration reloaded", zap.Stringer("sha256", l.digest), zap.Strings("changed", differing(&old.l.config, &l.config)))
	if len(later) > 0 {
		n.log.Warn("changed, and takes effect at the next start", zap.Strings("keys", later))
	}
	n.mention(now)
	return true
}

// prepare makes everything that follows from a configuration, or gives its
// faults; same: its descriptions are those in use.
func (n *node) prepare(ctx context.Context, old *wiring, l *loaded, faults []fault, same bool, now time.Time) (*wiring, *gateway.Bridge, *server.Server, []fault) {
	fail := func(faults []fault) (*wiring, *gateway.Bridge, *server.Server, []fault) { return nil, nil, nil, faults }
	if len(faults) == 0 {
		faults = l.checkValues() // once more, with what takes effect at a start alone
	}
	if len(faults) > 0 {
		return fail(faults)
	}
	set := n.services.Load()
	if !same {
		set = nil
	}
	m, faults := l.openWith(set, now)
	if len(faults) > 0 {
		return fail(faults)
	}
	f, terms, err := n.termsOf(l, m)
	if err != nil {
		return fail([]fault{{Problem: err.Error()}})
	}
	bridge, err := n.bridge.Under(terms)
	if err != nil {
		return fail([]fault{{Problem: err.Error()}})
	}
	options, err := n.serverOptions(l, m, bridge)
	if err != nil {
		return fail([]fault{{Problem: err.Error()}})
	}
	doors, err := n.server.Under(options)
	if err != nil {
		return fail([]fault{{Problem: err.Error()}})
	}
	if faults = l.keptFault(m); len(faults) == 0 && !same {
		faults = n.useMappings(ctx, l, m.set, old.sender)
	}
	return f, bridge, doors, faults
}

// standing is a key that takes effect at a start alone.
type standing struct {
	key   string
	value any // points at it
}

// atStart are the keys that take effect at a start alone: addresses, databases
// and whatever else is opened or made to measure once.
func (c *config) atStart() []standing {
	return []standing{
		{"listen", &c.Listen}, {"proxy", &c.Proxy}, {"store", &c.Store}, {"local", &c.Local}, {"journal", &c.Journal}, {"traces", &c.Traces},
		{"limits.header", &c.Limits.Header}, {"limits.read_timeout", &c.Limits.ReadTimeout}, {"limits.request_timeout", &c.Limits.Request},
		{"limits.drain_timeout", &c.Limits.Drain}, {"limits.drain_notice", &c.Limits.Notice},
		{"limits.concurrent", &c.Limits.Concurrent}, {"limits.connections", &c.Limits.Connections},
		{"revocation.folder", &c.Revocation.Folder}, {"revocation.timeout", &c.Revocation.Timeout}, {"revocation.refresh", &c.Revocation.Refresh},
		{"log.format", &c.Log.Format},
	}
}

// keepAtStart keeps what takes effect at a start alone as it is in force, and
// names what is written otherwise.
func (c *config) keepAtStart(inForce *config) (later []string) {
	kept := inForce.atStart()
	for i, s := range c.atStart() {
		written, have := reflect.ValueOf(s.value).Elem(), reflect.ValueOf(kept[i].value).Elem()
		if !reflect.DeepEqual(written.Interface(), have.Interface()) {
			later = append(later, s.key)
			written.Set(have)
		}
	}
	return later
}

// keepAtStart does the same for the secrets with which the databases were opened.
func (m *materials) keepAtStart(inForce *materials) (later []string) {
	for _, s := range []struct {
		key           string
		written, have *string
	}{{"store.dsn_file", &m.storeDSN, &inForce.storeDSN}, {"local.dsn_file", &m.localDSN, &inForce.localDSN}, {"local.password_file", &m.localPassword, &inForce.localPassword}} {
		if *s.written != *s.have {
			later = append(later, s.key)
			*s.written = *s.have
		}
	}
	return later
}

// differing names the keys whose values differ, without the values.
func differing(a, b *config) (keys []string) {
	x, y := reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()
	for i := range x.NumField() {
		if !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			keys = append(keys, x.Type().Field(i).Tag.Get("yaml"))
		}
	}
	return keys
}
