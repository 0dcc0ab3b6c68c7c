package main

import (
	"context"
	"reflect"
	"slices"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// reloadConfig reads the configuration again, with what it names, and puts it in
// force: what is at work ends under the one before. If anything is wrong with
// it, all stays as it is, and the log says why. Keys and trust are opened again
// if they, or their files, have changed, descriptions if others are named.
func (n *node) reloadConfig(ctx context.Context, keys bool) bool {
	old, now := n.wired.Load(), time.Now()
	l, faults := loadConfig(old.l.file)
	if l == nil {
		n.keep(&n.kept.configuration, "the configuration is", old.l, faults...)
		return false
	}
	later := l.keepAtStart(&old.l.config)
	seen, m := l.stamps(), &materials{}
	if !keys && n.kept.keys.Load() == nil && l.sameKeys(&old.l.config) {
		m.trust, m.keys, m.turns, m.bundle, m.known = old.m.trust, old.m.keys, old.m.turns, old.m.bundle, old.m.known
		seen.keys = n.seen.keys
	}
	if l.Mappings == old.l.Mappings && slices.Equal(l.Services, old.l.Services) {
		m.set = n.services.Load()
		seen.mappings = n.seen.mappings
	}
	n.tried = l
	var f *wiring
	if len(faults) == 0 {
		f, faults = n.prepare(ctx, l, m, now)
	}
	if len(faults) > 0 {
		n.seen.named = seen.named + seen.keys + seen.mappings
		n.keep(&n.kept.configuration, "the configuration is", l, faults...)
		return false
	}
	// From here on nothing can fail.
	later = append(later, m.keepAtStart(old.m)...)
	if m.keys != n.m.keys {
		n.useKeys(m, now)
	}
	n.revocation.Use(l.sources(m))
	n.revocation.UseStored(m.lists, m.answers)
	n.disk.use(l)
	l.level = old.l.level
	if level, err := zapcore.ParseLevel(l.Log.Level); err == nil { // judged by checkValues
		l.level.SetLevel(level)
	}
	n.wired.Store(f)
	f.bridge.Begin()
	f.doors.Begin()
	select {
	case n.repoll <- struct{}{}:
	default:
	}
	n.seen = seen
	n.kept.configuration.Store(nil)
	n.record(ctx)
	for _, note := range m.notes {
		n.log.Warn("note", zap.String("note", note))
	}
	n.log.Info("configuration reloaded", zap.Stringer("sha256", l.digest), zap.Strings("changed", differing(&old.l.config, &l.config)))
	if len(later) > 0 {
		n.log.Warn("changed, and takes effect at the next start", zap.Strings("keys", later))
	}
	n.mention(now)
	return true
}

// prepare makes everything that follows from a configuration, with what of it is
// open already, or gives its faults. Descriptions, which a database must fit,
// come last: they are in use when nothing else is wrong.
func (n *node) prepare(ctx context.Context, l *loaded, m *materials, now time.Time) (*wiring, []fault) {
	faults := l.checkValues() // once more, with what takes effect at a start alone
	if len(faults) > 0 {
		return nil, faults
	}
	if faults = l.openRest(m, now); len(faults) > 0 {
		return nil, faults
	}
	fail := func(err error) (*wiring, []fault) { return nil, []fault{{Problem: err.Error()}} }
	f, terms, err := n.termsOf(l, m)
	if err != nil {
		return fail(err)
	}
	if f.bridge, err = n.bridge.Under(terms); err != nil {
		return fail(err)
	}
	options, err := n.serverOptions(f)
	if err != nil {
		return fail(err)
	}
	if f.doors, err = n.server.Under(options); err != nil {
		return fail(err)
	}
	if faults = l.keptFault(m); len(faults) == 0 && m.set != n.services.Load() {
		faults = n.useMappings(ctx, l, m.set)
	}
	return f, faults
}

// sameKeys says whether the same keys and trust are named.
func (c *config) sameKeys(o *config) bool {
	return reflect.DeepEqual([]any{c.Key, c.Trust, c.TrustBundle, c.Known}, []any{o.Key, o.Trust, o.TrustBundle, o.Known})
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
