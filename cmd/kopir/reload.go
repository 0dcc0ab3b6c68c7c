package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"kopir/signature/keystore"
	"kopir/signature/nuc"
)

// watchEvery is how often the files that a bridge runs on are looked at.
const watchEvery = 10 * time.Second

// reloads are what a bridge knows of the files that it runs on.
type reloads struct {
	reloading sync.Mutex // one at a time; it guards the next three
	tried     *loaded    // the configuration that was read last, in force or not
	seen      stamps     // of what was taken over or refused last
	glimpsed  stamps     // of the last look
	kept      kept
}

// kept says why files that were changed are not in force; nil: they are.
type kept struct {
	configuration, keys, mappings atomic.Pointer[error]
}

func (k *kept) all() map[string]*atomic.Pointer[error] {
	return map[string]*atomic.Pointer[error]{"configuration": &k.configuration, "keys": &k.keys, "mappings": &k.mappings}
}

// watch takes over configuration, keys, trust and service descriptions whenever
// one of their files changes or hup says so, and mentions once a day what ends
// soon. It ends with ctx.
func (n *node) watch(ctx context.Context, every time.Duration) {
	tick, day := time.NewTicker(every), time.NewTicker(24*time.Hour)
	defer tick.Stop()
	defer day.Stop()
	n.mention(time.Now())
	for {
		select {
		case <-ctx.Done():
			return
		case <-day.C:
			n.mention(time.Now())
		case <-n.hup:
			n.reload(ctx)
		case <-tick.C:
			n.look(ctx)
		}
	}
}

// look takes over what has changed, when it is the same as at the last look: who
// is still writing is waited for.
func (n *node) look(ctx context.Context) {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	was, now := n.seen, n.stamps()
	settled := now == n.glimpsed
	if n.glimpsed = now; now == was || !settled {
		return
	}
	n.seen = now
	n.take(ctx, now.file != was.file || now.named != was.named, now.keys != was.keys, now.mappings != was.mappings)
}

// reload takes everything over, changed or not.
func (n *node) reload(ctx context.Context) {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	n.seen = n.stamps()
	n.take(ctx, true, true, true)
}

func (n *node) take(ctx context.Context, config, keys, mappings bool) {
	if taken := config && n.reloadConfig(ctx, keys); keys && !taken {
		n.reloadKeys(ctx)
	}
	if mappings {
		n.reloadMappings(ctx)
	}
}

// keep tells why files that were changed are not taken over.
func (n *node) keep(why *atomic.Pointer[error], what string, l *loaded, faults ...fault) {
	for _, f := range faults {
		n.log.Error(what+" not reloaded: what was before stays", zap.String("fault", f.format(l.file)))
	}
	err := errors.New(faults[0].format(l.file))
	why.Store(&err)
}

// reloadKeys opens keys and trust again. If anything is wrong with them, all
// stays as it is, and the log says why.
func (n *node) reloadKeys(ctx context.Context) {
	now, f := time.Now(), *n.wired.Load()
	m := *f.m
	m.turns, m.bundle, m.known, m.notes = nil, nil, nil, nil
	faults := f.l.openTrust(&m)
	faults = append(faults, f.l.openKey(&m, now)...)
	if len(faults) == 0 {
		faults = f.l.keptFault(&m)
	}
	if len(faults) > 0 {
		n.keep(&n.kept.keys, "keys and trust are", f.l, faults...)
		return
	}
	n.useKeys(&m, now)
	f.m = &m
	n.wired.Store(&f)
	n.revocation.Use(f.l.sources(&m))
	n.record(ctx)
	n.mention(now)
}

// useKeys puts opened keys and trust in the place of those from before.
// Everything holds on to the latter, so they are those of m afterwards.
func (n *node) useKeys(m *materials, now time.Time) {
	// The old certificates and the new ones are known before either key or trust changes hands: what was signed a
	// moment ago must be recognised all along.
	for _, s := range append(n.m.keys.Standing(now), m.keys.Standing(now)...) {
		m.trust.AddKnown(s.Certificate)
	}
	n.m.trust.Replace(m.trust)
	n.m.keys.Replace(m.turns...)
	for _, s := range m.keys.Standing(now) {
		n.m.keys.Remember(s.Certificate)
	}
	m.trust, m.keys = n.m.trust, n.m.keys
	n.kept.keys.Store(nil)
	signing := n.m.keys.Signing(now)
	n.log.Info("keys and trust reloaded", zap.String("signing", signing.Certificate.SerialHex()), zap.Int("key_days_left", signing.DaysLeft(now)),
		zap.Int("roots", len(n.m.trust.Roots())), zap.Int("authorities", len(n.m.trust.Authorities())))
}

// record writes into the journal what the bridge runs on from now on.
func (n *node) record(ctx context.Context) {
	if err := n.noteConfiguration(context.WithoutCancel(ctx)); err != nil {
		n.log.Error("journal", zap.Error(err))
	}
}

// mention tells the log what ends soon and which candidates would have counted.
func (n *node) mention(now time.Time) {
	for _, e := range n.opened().endings(now) {
		say := n.log.Warn
		switch {
		case e.within == 0:
			continue
		case e.within == warnAt[len(warnAt)-1]:
			say = n.log.Error
		}
		say("a certificate ends", zap.String("kind", e.kind), zap.String("sender", e.sender), zap.String("subject", e.certificate.SubjectName.String()),
			zap.Int("days_left", e.days), zap.Time("not_after", e.certificate.NotAfter))
	}
	for _, h := range n.m.trust.Hits() {
		if h.Chains > 0 {
			n.log.Info("chains would hold if the candidate were trusted", zap.String("candidate", h.Certificate.SubjectName.String()),
				zap.String("sha256", fmt.Sprintf("%x", h.Certificate.Fingerprint)), zap.Uint64("chains", h.Chains))
		}
	}
}

// endings are those of all that the bridge depends on.
func (m *materials) endings(at time.Time) []ending {
	var out []ending
	if m.keys != nil {
		for _, s := range m.keys.Standing(at) {
			kind := map[keystore.State]string{keystore.Signing: "key", keystore.Next: "next key", keystore.Previous: "previous key"}[s.State]
			e := newEnding(kind, s.Certificate, at)
			if s.State == keystore.Previous {
				e.within = 0 // it has its successor
			}
			out = append(out, e)
		}
	}
	partners := func(kind, sender string, c *nuc.Certificate) {
		e := newEnding(kind, c, at)
		e.sender = sender
		out = append(out, e)
	}
	for sender, keys := range m.partnerKeys {
		for _, k := range keys {
			if k.certificate != nil {
				partners("partner key", sender, k.certificate)
			}
		}
	}
	for sender, all := range m.senderCertificates {
		for _, c := range all {
			partners("sender certificate", sender, c)
		}
	}
	if m.trust != nil {
		out = append(out, trustEndings(m.trust, at)...)
	}
	return out
}

// openBundle reads the trust bundle into the store. It must be signed by a
// pinned key and not be older than the one that was accepted last.
func (l *loaded) openBundle(m *materials) []fault {
	c := l.TrustBundle
	if c.File == "" {
		return nil
	}
	const remedy = "take the file that the operator signed last; `kopir trust list` shows it"
	b, err := readBundle(l.path(c.File), c.Keys)
	if err != nil {
		return []fault{l.at("trust_bundle.file", plainFileError(err), remedy)}
	}
	if kept := l.keptBundle(); kept != "" {
		if _, err := os.Stat(kept); err == nil {
			old, err := readBundle(kept, c.Keys)
			if err != nil {
				return []fault{l.at("trust_bundle.kept", plainFileError(err), "it is our copy of the bundle accepted last: pin the key that signed it too, or remove it after having made sure of the present one")}
			}
			if err := b.Follows(old); err != nil {
				return []fault{l.at("trust_bundle.file", err.Error(), remedy)}
			}
		}
	}
	if err := b.AddTo(m.trust); err != nil {
		return []fault{l.at("trust_bundle.file", err.Error(), remedy)}
	}
	m.bundle = b
	return nil
}

// keptBundle is where the bundle accepted last is kept.
func (l *loaded) keptBundle() string {
	switch {
	case l.TrustBundle.Kept != "":
		return l.path(l.TrustBundle.Kept)
	case l.Store.Path != "":
		return l.path(l.Store.Path) + ".trust"
	}
	return ""
}

// keptFault keeps the bundle, or says why it cannot be kept.
func (l *loaded) keptFault(m *materials) []fault {
	if err := l.keepBundle(m); err != nil {
		return []fault{l.at("trust_bundle.kept", plainFileError(err), "name a file that this user may write")}
	}
	return nil
}

// keepBundle keeps the bundle that is in use now, so that no older one is
// accepted after a restart.
func (l *loaded) keepBundle(m *materials) error {
	path := l.keptBundle()
	if m.bundle == nil || path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp := path + ".part"
	if err := os.WriteFile(tmp, m.bundle.Raw, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// openPrevious reads the certificates of keys that sign no more.
func (l *loaded) openPrevious(m *materials) []fault {
	var fs []fault
	for i, p := range l.Key.Previous {
		certs, err := nuc.LoadCertificates(l.path(p))
		for _, e := range each(err) {
			fs = append(fs, l.at(fmt.Sprintf("key.previous[%d]", i), plainFileError(e), "name a certificate file, without its key"))
		}
		for _, c := range certs {
			m.keys.Remember(c)
		}
	}
	return fs
}
