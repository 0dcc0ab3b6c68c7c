package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"kopir/gateway"
	"kopir/mappings"
)

// newScene picks the service and the channel of a story; the first channel
// when none is named.
func newScene(set *mappings.Set, service, channel string) (*scene, error) {
	s, ok := set.InForce(service, time.Now())
	if !ok {
		return nil, fmt.Errorf("there is no service %q; `kopir run -list` names them", service)
	}
	if channel == "" {
		channel = s.Channels[0].ID
	}
	c, ok := s.Channel(channel)
	if !ok {
		return nil, fmt.Errorf("%s is not rendered through the channel %q; `kopir run -list` names those it opens", service, channel)
	}
	return &scene{service: s, channel: c, desk: c.ID}, nil
}

// step is one step of the story: the sentence that it shows, and the deed.
type step struct {
	key string
	do  func(context.Context, *scene) error
}

// stepsOf is the story of a channel: what the regulation lets be seen there.
func (p *play) stepsOf(sc *scene) []step {
	channel, partners := sc.channel.ID, sc.partners()
	steps := []step{{"step-ready", p.ready}, {"step-apply-" + channel, p.apply}, {"step-received", p.received}}
	if channel == "portal" {
		steps = append(steps, step{"step-signatures", p.signatures})
	} else {
		steps = append(steps, step{"step-signatures-clerk", p.signatures})
	}
	steps = append(steps, step{"step-revocation", p.revocationAsked}, step{"step-row", p.row})
	for _, partner := range partners {
		steps = append(steps, step{"step-" + partner + "-received", p.learns(partner, "received")})
	}
	if sc.takes() {
		steps = append(steps, step{"step-take", p.takeIt})
		if len(partners) > 0 {
			steps = append(steps, step{"step-" + partners[0] + "-taken", p.learns(partners[0], "in_progress")})
		}
	}
	if sc.forwards() {
		steps = append(steps, step{"step-forward-provider", p.forwarded(gateway.HolderProvider)})
	}
	if sc.suspend {
		steps = append(steps, p.suspension(partners)...)
	}
	steps = append(steps, step{"step-sign-result", p.signResult}, step{"step-decide", p.decideIt}, step{"step-paper", p.printIt})
	if sc.forwards() {
		steps = append(steps, step{"step-forward-akim", p.forwarded(gateway.HolderAkim)})
	}
	for i, partner := range partners {
		if i == 0 {
			steps = append(steps, step{"step-result-" + partner, p.resultArrives(partner)})
		} else {
			steps = append(steps, step{"step-" + partner + "-completed", p.learns(partner, "completed")})
		}
	}
	return append(steps, step{"step-terms", p.terms})
}

// partners are the inboxes that learn of an application of the channel.
func (sc *scene) partners() (all []string) {
	for _, partner := range []string{"portal", "csc"} {
		if len(promised(sc, partner, []string{"received"})) > 0 {
			all = append(all, partner)
		}
	}
	return all
}

// takes says whether the channel has a step that takes into work.
func (sc *scene) takes() bool {
	return slices.ContainsFunc(sc.channel.Terms().Steps, func(s mappings.Step) bool { return s.LeadsTo == string(gateway.InProgress) })
}
