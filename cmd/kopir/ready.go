package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"kopir/gateway"
	"kopir/gateway/server"
	"kopir/gateway/store"
	"kopir/signature"
	"kopir/signature/revocation"
)

// readiness is all that /readyz tells of. A part fails when new work would be
// refused for its sake; what only wants looking after is a warning.
func (n *node) readiness() []server.Readiness {
	return []server.Readiness{
		{Name: "store", Check: n.storeCondition},
		{Name: "disk", Check: func(context.Context) server.Condition { return n.disk.condition() }},
		{Name: "key", Check: n.keyCondition},
		{Name: "revocation", Check: n.revocationCondition},
		{Name: "clock", Check: func(context.Context) server.Condition { return clockCondition(n.clockFault()) }},
		{Name: "configuration", Check: n.configurationCondition},
		{Name: "mappings", Check: n.mappingsCondition},
		{Name: "local", Check: n.localCondition},
		{Name: "outbox", Check: n.outboxCondition},
		{Name: "journal", Check: n.journalCondition},
	}
}

func (n *node) storeCondition(ctx context.Context) server.Condition {
	err := n.store.Ping(ctx)
	if err == nil {
		return server.Condition{}
	}
	say, remedy := store.Diagnose(err)
	return server.Condition{Health: server.Failing, Say: say, Remedy: remedy, Cause: err}
}

// keyWarnDays is how many days before its end the key is told of.
const keyWarnDays = 30

// keyCondition: the key is there, fits its certificate, and the certificate
// is in its time and not known to be revoked. Signing something tells the first
// two, also of a token.
func (n *node) keyCondition(context.Context) server.Condition {
	now := time.Now()
	key := n.m.keys.Signing(now)
	days := key.DaysLeft(now)
	fail := func(say string, err error) server.Condition {
		return server.Condition{Health: server.Failing, Say: say, Remedy: "see `kopir check` for the key; get a new one from the certification authority where its time is over", Cause: err}
	}
	switch {
	case now.After(key.Certificate.NotAfter):
		return fail("the certificate of the key has ended", fmt.Errorf("it expired %d days ago", -days))
	case now.Before(key.Certificate.NotBefore):
		return fail("the certificate of the key is not valid yet", nil)
	case n.keyRevoked():
		return fail("the certificate of the key is revoked: partners refuse what it signs", nil)
	}
	if _, err := signature.SignCMS([]byte("ready"), key, signature.CMSOptions{SigningTime: now}); err != nil {
		return fail("the key does not sign", err)
	}
	if days <= keyWarnDays {
		return server.Condition{Health: server.Warning, Say: fmt.Sprintf("the certificate of the key ends in %d days", days), Remedy: "get the next key and name it as key.next"}
	}
	return server.Condition{}
}

// revocationLately is how long a question without an answer speaks for the
// next one.
const revocationLately = 10 * time.Minute

// revocationCondition fails while an authority that was asked about lately
// gives no answer: what its certificates sign would be put off or held.
func (n *node) revocationCondition(context.Context) server.Condition {
	now := time.Now()
	var silent []revocation.Freshness
	for _, f := range n.revocation.Freshness() {
		if !f.Silent.IsZero() && now.Sub(f.Asked) < revocationLately {
			silent = append(silent, f)
		}
	}
	if len(silent) == 0 {
		return server.Condition{}
	}
	var causes []error
	oldest := now
	for _, f := range silent {
		causes = append(causes, fmt.Errorf("%s: %s", f.Authority, f.Fault))
		if f.Silent.Before(oldest) {
			oldest = f.Silent
		}
	}
	return server.Condition{Health: server.Failing,
		Say:    fmt.Sprintf("whether certificates are revoked cannot be found out at %d of the authorities, for %s", len(silent), now.Sub(oldest).Round(time.Second)),
		Remedy: "see that the addresses under revocation: can be reached from here; what is held is judged by itself when they are back", Cause: errors.Join(causes...)}
}

// clockFault says why the clock is not believed, or is so far from the store's
// that nothing is claimed, which comes first; nil: neither.
func (n *node) clockFault() error { return errors.Join(n.bridge.ClockFault(), n.store.ClockFault()) }

func clockCondition(err error) server.Condition {
	if err != nil {
		return server.Condition{Health: server.Failing, Say: "the clock is not believed, or is too far from the database's", Remedy: "set it right; see Deadlines in README", Cause: err}
	}
	return server.Condition{}
}

func (n *node) configurationCondition(context.Context) server.Condition {
	for _, fault := range []*error{n.kept.configuration.Load(), n.kept.keys.Load()} {
		if fault != nil {
			return server.Condition{Health: server.Warning, Say: "a changed configuration, or what it names, is not taken over: that from before stays", Remedy: "the log names the faults; so does `kopir check`", Cause: *fault}
		}
	}
	return server.Condition{}
}

func (n *node) mappingsCondition(context.Context) server.Condition {
	if set := n.services.Load(); len(set.Offers(time.Now())) == 0 {
		return server.Condition{Health: server.Failing, Say: "no service is in force", Remedy: "see `kopir mapping list`"}
	}
	if fault := n.kept.mappings.Load(); fault != nil {
		return server.Condition{Health: server.Warning, Say: "changed descriptions are not taken over: those from before stay", Remedy: "the log names the faults; so does `kopir mapping check`", Cause: *fault}
	}
	return server.Condition{}
}

// localCondition never fails: applications are accepted, and their rows follow.
func (n *node) localCondition(ctx context.Context) server.Condition {
	if err := n.local.Ping(ctx); err != nil {
		return server.Condition{Health: server.Warning, Say: "the local database does not answer; applications are taken, and their rows wait", Remedy: "bring it back, or see that it can be reached", Cause: err}
	}
	return server.Condition{}
}

// outboxLate is how old a delivery may be before somebody should look.
const outboxLate = time.Hour

func (n *node) outboxCondition(ctx context.Context) server.Condition {
	open, err := n.open.count(ctx, n.store.OpenDeliveries)
	if err != nil {
		return server.Condition{Health: server.Warning, Say: "it cannot be read", Remedy: "see store", Cause: err}
	}
	var late, dead []string
	for _, o := range open {
		switch {
		case o.State == gateway.Dead:
			dead = append(dead, fmt.Sprintf("%d to %s", o.Count, o.Route))
		case time.Since(o.Oldest) > outboxLate:
			late = append(late, fmt.Sprintf("%d to %s, for %s", o.Count, o.Route, time.Since(o.Oldest).Round(time.Minute)))
		}
	}
	var away []string
	for _, l := range n.bridge.Lanes() {
		if l.Circuit != gateway.Closed {
			away = append(away, string(l.Route))
		}
	}
	var say []string
	for _, s := range []struct {
		what string
		list []string
	}{{"waiting: ", late}, {"given up: ", dead}, {"not answering: ", away}} {
		if len(s.list) > 0 {
			say = append(say, s.what+strings.Join(s.list, ", "))
		}
	}
	if len(say) == 0 {
		return server.Condition{}
	}
	return server.Condition{Health: server.Warning, Say: strings.Join(say, "; "), Remedy: "`kopir outbox groups` tells why and what to do"}
}

// checkpointsLate is how many checkpoints of the journal may be missed.
const checkpointsLate = 3

func (n *node) journalCondition(ctx context.Context) server.Condition {
	unsigned, err := n.checkpointAge(ctx)
	unstamped, more := n.stampAge(ctx)
	switch late := checkpointsLate * time.Duration(n.conf().Journal.Checkpoint); {
	case err != nil || more != nil:
		return server.Condition{Health: server.Warning, Say: "it cannot be read", Remedy: "see store", Cause: errors.Join(err, more)}
	case unsigned > late:
		return server.Condition{Health: server.Warning, Say: fmt.Sprintf("its end has not been signed for %s", unsigned.Round(time.Minute)), Remedy: "the log tells why no checkpoint is made"}
	case unstamped > late:
		return server.Condition{Health: server.Warning, Say: fmt.Sprintf("its end has borne no time stamp for %s", unstamped.Round(time.Minute)),
			Remedy: "see that the authority of journal.tsa can be reached from here; until it answers, checkpoints prove no time and no records go into files"}
	}
	return server.Condition{}
}

// checkpointAge is how long the oldest record without a checkpoint over it has stood.
func (n *node) checkpointAge(ctx context.Context) (time.Duration, error) {
	last, _, err := n.store.LastCheckpoint(ctx)
	if err != nil {
		return 0, err
	}
	return n.standing(ctx, last+1)
}

// stampAge is the same of a checkpoint with a time stamp; nought where no
// authority is configured.
func (n *node) stampAge(ctx context.Context) (time.Duration, error) {
	if n.stamper == nil {
		return 0, nil
	}
	last, err := n.store.LastStamped(ctx)
	if err != nil {
		return 0, err
	}
	age, err := n.standing(ctx, last+1)
	if last == 0 { // a version before may have stamped what it made
		age = min(age, time.Since(n.began))
	}
	return age, err
}

// standing is how long a record has stood; nought when it is not there.
func (n *node) standing(ctx context.Context, seq int64) (time.Duration, error) {
	at, err := n.store.WrittenAt(ctx, seq)
	if errors.Is(err, gateway.ErrNotFound) {
		return 0, nil
	}
	return time.Since(at), err
}

// askAboutOurselves asks from time to time whether our own certificate is
// revoked, so that it, or silence of its authority, is seen before a message
// meets it.
func (n *node) askAboutOurselves(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		n.askOnce(ctx, time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (n *node) askOnce(ctx context.Context, now time.Time) {
	own := n.m.keys.Signing(now).Certificate
	chain, _ := n.m.trust.Chain(own, now)
	if len(chain) < 2 {
		return
	}
	switch n.revocation.Ask(ctx, own, chain[1], now).Status {
	case revocation.Revoked:
		n.log.Error("our own certificate is revoked: partners will refuse what it signs", zap.String("serial", own.SerialHex()))
		n.revoked.Store(own)
	case revocation.Good: // it was on hold
		n.revoked.Store(nil)
	}
}

// keyRevoked says whether the certificate of the key that signs now was found
// revoked when it was last known.
func (n *node) keyRevoked() bool {
	was := n.revoked.Load()
	return was != nil && was.Fingerprint == n.m.keys.Signing(time.Now()).Certificate.Fingerprint
}
