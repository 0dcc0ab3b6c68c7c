package revocation

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"kopir/signature/hop"
	"kopir/signature/nuc"
	"kopir/signature/verdict"
)

// publication is what one authority has published, as last fetched.
type publication struct {
	issuer *nuc.Certificate
	source Source

	fetching sync.Mutex // one at a time; held over the network

	mu      sync.Mutex
	base    *CRL
	delta   *CRL
	fetched time.Time // when the base was last fetched or found unchanged
	deltaAt time.Time
	loaded  bool      // the folder was looked at
	failed  time.Time // when a fetch last went wrong
	fault   error
}

func (c *Checker) publication(source Source, issuer *nuc.Certificate) *publication {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.lists[issuer.Fingerprint]
	if !ok {
		p = &publication{issuer: issuer, source: source}
		c.lists[issuer.Fingerprint] = p
	}
	return p
}

func (p *publication) state() (base, delta *CRL, fetched, deltaAt time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.base, p.delta, p.fetched, p.deltaAt
}

// fromPublication judges by the lists of an authority and fetches them first
// if they are missing or due.
func (c *Checker) fromPublication(ctx context.Context, source Source, leaf, issuer *nuc.Certificate, at, now time.Time) Answer {
	p := c.publication(source, issuer)
	c.load(p)
	fetchErr := p.lately(now, c.o.Pause)
	if base, _, fetched, deltaAt := p.state(); fetchErr == nil && (base == nil || now.Sub(fetched) >= c.o.Refresh || len(source.Delta) > 0 && now.Sub(deltaAt) >= c.o.Refresh) {
		done := c.flight.DoChan("crl "+string(issuer.Fingerprint[:]), func() (any, error) {
			return nil, c.refresh(context.WithoutCancel(ctx), p)
		})
		select {
		case <-ctx.Done():
			fetchErr = fmt.Errorf("no list in time: %w", ctx.Err())
		case r := <-done:
			fetchErr = r.Err
		}
	}
	base, delta, fetched, _ := p.state()
	if base == nil {
		return unknown(verdict.TryLater, "lists of "+issuer.SubjectName.String(), "%v", fetchErr)
	}
	if ok, why := base.covers(leaf); !ok {
		return unknown(verdict.TryLater, base.String(), "%s", why)
	}
	if delta != nil && !delta.applies(base) {
		delta = nil
	}
	a := findIn(base, delta, leaf).judge(at, now, leaf.NotAfter)
	if a.Status != Good {
		return a
	}
	// What a list does not hold, a newer one may. How long its silence is
	// believed is our decision, not its nextUpdate alone: that is half a year.
	fresh := fetched
	if len(source.Delta) > 0 {
		fresh = base.ThisUpdate
		if delta != nil {
			_, _, _, fresh = p.state()
		}
	}
	if age := now.Sub(fresh); age > c.o.MaxListAge {
		return unknown(verdict.TryLater, a.Source, "last fetched %s ago (%v)", age.Round(time.Minute), fetchErr)
	}
	return a
}

// Run fetches lists again and again until ctx ends: those of the sources that
// name their authority and of every authority that was asked about. Failures
// are reported to report, which may be nil.
func (c *Checker) Run(ctx context.Context, report func(authority string, err error)) {
	c.prepare()
	for {
		c.mu.Lock()
		all := make([]*publication, 0, len(c.lists))
		for _, p := range c.lists {
			all = append(all, p)
		}
		c.mu.Unlock()
		for _, p := range all {
			if err := c.refresh(ctx, p); err != nil && ctx.Err() == nil && report != nil {
				report(p.issuer.SubjectName.String(), err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(c.o.Refresh):
		}
	}
}

// prepare takes over what is kept on disk of the sources that name their authority.
func (c *Checker) prepare() {
	for _, s := range c.sources() {
		if s.Issuer != nil && len(s.CRL) > 0 {
			c.load(c.publication(s, s.Issuer))
		}
	}
}

// refresh fetches base and delta. One failing does not keep the other out.
func (c *Checker) refresh(ctx context.Context, p *publication) error {
	p.fetching.Lock()
	defer p.fetching.Unlock()
	err := c.guard(func() error { return c.fetch(ctx, p, p.source.CRL, false) })
	if len(p.source.Delta) > 0 {
		err = errors.Join(err, c.guard(func() error { return c.fetch(ctx, p, p.source.Delta, true) }))
	}
	if err != nil {
		p.mu.Lock()
		p.failed, p.fault = c.o.Now(), err
		p.mu.Unlock()
	}
	return err
}

// lately gives the fault of a fetch that went wrong a moment ago: it is not
// tried again for every message.
func (p *publication) lately(now time.Time, pause time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault != nil && now.Sub(p.failed) < pause {
		return p.fault
	}
	return nil
}

func (c *Checker) fetch(ctx context.Context, p *publication, urls []string, delta bool) error {
	err := errors.New("every address is being left alone after a failure")
	for _, url := range urls {
		if c.rests(url) {
			continue
		}
		if err = c.fetchFrom(ctx, p, url, delta); err == nil {
			return nil
		}
		err = fmt.Errorf("%s: %w", url, err)
	}
	return err
}

func (c *Checker) fetchFrom(ctx context.Context, p *publication, url string, delta bool) error {
	outcome := hop.NoAnswer
	ctx, end := hop.Ask(ctx, "crl", url, &outcome)
	defer end()
	raw, err := c.get(ctx, url)
	if err != nil {
		c.rest(url) // another authority's list, below, is no fault of the address
		return err
	}
	c.wakes(url)
	outcome = hop.Unusable
	if err := c.accept(p, raw, delta); err != nil {
		return err
	}
	outcome = hop.Answered
	return nil
}

// accept takes a list over if it reads, verifies, and is not older than what
// is there; on disk first.
func (c *Checker) accept(p *publication, raw []byte, delta bool) error {
	l, err := ParseCRL(raw)
	if err != nil {
		return err
	}
	now := c.o.Now()
	old, _, _, _ := p.state()
	if delta {
		_, old, _, _ = p.state()
	}
	if old != nil && old.Fingerprint == l.Fingerprint {
		p.take(old, delta, now)
		c.touch(p, delta, now)
		return nil
	}
	if err := usable(l, p.issuer, delta, now); err != nil {
		return err
	}
	if old != nil && !newer(l, old) {
		return fmt.Errorf("%s is older than %s, which is kept", l, old)
	}
	if err := c.keep(p, raw, delta, now); err != nil {
		return err
	}
	l.Compact(c.path(p, delta))
	p.take(l, delta, now)
	return nil
}

func usable(l *CRL, issuer *nuc.Certificate, delta bool, now time.Time) error {
	if l.Delta != delta {
		return fmt.Errorf("%s, where delta=%v is due", l, delta)
	}
	if l.ThisUpdate.After(now.Add(clockSkew)) {
		return fmt.Errorf("%s is dated in the future", l)
	}
	if check := l.Verify(issuer); check.Outcome != verdict.Passed {
		return fmt.Errorf("%s: %s", check.Reason, check.Detail)
	}
	return nil
}

// newer compares lists of one kind: by number where both have one.
func newer(a, b *CRL) bool {
	if a.Number != nil && b.Number != nil {
		if n := a.Number.Cmp(b.Number); n != 0 {
			return n > 0
		}
	}
	return a.ThisUpdate.After(b.ThisUpdate)
}

func (p *publication) take(l *CRL, delta bool, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if delta {
		p.delta, p.deltaAt = l, at
	} else {
		p.base, p.fetched = l, at
	}
}

// path is the file that keeps a list; empty without a folder.
func (c *Checker) path(p *publication, delta bool) string {
	if c.o.Folder == "" {
		return ""
	}
	kind := "base"
	if delta {
		kind = "delta"
	}
	return filepath.Join(c.o.Folder, hex.EncodeToString(p.issuer.Fingerprint[:16])+"-"+kind+".crl")
}

// load takes over what the folder has kept. A file that does not read or
// verify is passed over: the next fetch replaces it.
func (c *Checker) load(p *publication) {
	p.mu.Lock()
	done := p.loaded
	p.loaded = true
	p.mu.Unlock()
	if done || c.o.Folder == "" {
		return
	}
	for _, delta := range []bool{false, true} {
		path := c.path(p, delta)
		info, err := os.Stat(path)
		if err != nil || info.Size() > MaxCRL {
			continue
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		l, err := ParseCRL(raw)
		if err != nil || usable(l, p.issuer, delta, c.o.Now()) != nil {
			continue
		}
		l.Compact(path)
		p.take(l, delta, info.ModTime())
	}
}

// keep writes a list beside the old one and then puts it in its place, so that
// a crash leaves one or the other whole.
func (c *Checker) keep(p *publication, raw []byte, delta bool, at time.Time) error {
	if c.o.Folder == "" {
		return nil
	}
	if err := os.MkdirAll(c.o.Folder, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(c.o.Folder, "new-*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails after the renaming, as it should
	if _, err = f.Write(raw); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Chtimes(f.Name(), at, at)
	}
	if err == nil {
		err = os.Rename(f.Name(), c.path(p, delta))
	}
	return err
}

func (c *Checker) touch(p *publication, delta bool, at time.Time) {
	if c.o.Folder == "" {
		return
	}
	// If this fails, the list counts as older after a restart, which is the safe side.
	_ = os.Chtimes(c.path(p, delta), at, at)
}
