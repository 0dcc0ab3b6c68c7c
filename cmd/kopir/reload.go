package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"kopir/signature/keystore"
	"kopir/signature/nuc"
)

// watchEvery is how often the files of keys and trust are looked at.
const watchEvery = 10 * time.Second

// watch takes over keys, trust and service descriptions whenever one of their
// files changes or hup says so, and mentions once a day what ends soon. It ends with ctx.
func (n *node) watch(ctx context.Context, every time.Duration) {
	tick, day := time.NewTicker(every), time.NewTicker(24*time.Hour)
	defer tick.Stop()
	defer day.Stop()
	n.mention(time.Now())
	seen, described := n.l.stamp(), n.m.described
	for {
		select {
		case <-ctx.Done():
			return
		case <-day.C:
			n.mention(time.Now())
		case <-n.hup:
			seen, described = n.l.stamp(), n.l.mappingsStamp()
			n.reload()
			n.reloadMappings(ctx)
		case <-tick.C:
			if now := n.l.stamp(); now != seen {
				seen = now
				n.reload()
			}
			if now := n.l.mappingsStamp(); now != described {
				described = now
				n.reloadMappings(ctx)
			}
		}
	}
}

// stamp is what the files of keys and trust look like from outside.
func (l *loaded) stamp() string {
	paths := slices.Concat(l.Key.source().files(), l.Key.Next.source().files(), []string{l.TrustBundle.File}, l.Key.Previous, l.Trust, l.Known)
	return l.stampOf(paths)
}

// stampOf is what files, and those in folders, look like from outside.
func (l *loaded) stampOf(paths []string) string {
	var b strings.Builder
	for _, p := range paths {
		if p == "" {
			continue
		}
		files := []string{l.path(p)}
		if info, err := os.Stat(files[0]); err == nil && info.IsDir() {
			inside, _ := filepath.Glob(filepath.Join(files[0], "*")) // fails for patterns alone
			files = append(files, inside...)
		}
		for _, f := range files {
			if info, err := os.Stat(f); err == nil {
				fmt.Fprintf(&b, "%s %d %d\n", f, info.Size(), info.ModTime().UnixNano())
			}
		}
	}
	return b.String()
}

// reload opens keys and trust again. If anything is wrong with them, all stays
// as it is, and the log says why.
func (n *node) reload() {
	now := time.Now()
	m := &materials{}
	faults := n.l.openTrust(m)
	faults = append(faults, n.l.openKey(m, now)...)
	if len(faults) == 0 {
		if err := n.l.keepBundle(m); err != nil {
			faults = append(faults, n.l.at("trust_bundle.kept", plainFileError(err), "name a file that this user may write"))
		}
	}
	for _, f := range faults {
		n.log.Error("keys and trust are not reloaded: those from before stay", zap.String("fault", f.format(n.l.file)))
	}
	if len(faults) > 0 {
		return
	}
	// The old certificates and the new ones are known before either key or trust changes hands: what was signed a
	// moment ago must be recognised all along.
	for _, s := range append(n.m.keys.Standing(now), m.keys.Standing(now)...) {
		m.trust.AddKnown(s.Certificate)
	}
	n.m.trust.Replace(m.trust)
	n.m.issue.Store(m.issue.Load())
	n.m.keys.Replace(m.turns...)
	for _, s := range m.keys.Standing(now) {
		n.m.keys.Remember(s.Certificate)
	}
	n.revocation.Use(n.l.sources(n.m))
	signing := n.m.keys.Signing(now)
	if err := n.noteConfiguration(context.Background()); err != nil {
		n.log.Error("journal", zap.Error(err))
	}
	n.log.Info("keys and trust reloaded", zap.String("signing", signing.Certificate.SerialHex()), zap.Int("key_days_left", signing.DaysLeft(now)),
		zap.Int("roots", len(n.m.trust.Roots())), zap.Int("authorities", len(n.m.trust.Authorities())))
	n.mention(now)
}

// mention tells the log what ends soon and which candidates would have counted.
func (n *node) mention(now time.Time) {
	for _, e := range n.m.endings(now) {
		say := n.log.Warn
		switch {
		case e.within == 0:
			continue
		case e.within == warnAt[len(warnAt)-1]:
			say = n.log.Error
		}
		say("a certificate ends", zap.String("kind", e.kind), zap.String("subject", e.certificate.SubjectName.String()),
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
	for _, keys := range m.partnerKeys {
		for _, k := range keys {
			if k.certificate != nil {
				out = append(out, newEnding("partner key", k.certificate, at))
			}
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
	m.issue.Store(b.Issue)
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
