package main

import (
	"context"
	"fmt"
	"strings"

	"kopir/gateway"
)

// counterExample is an application that must not get through.
type counterExample struct {
	key   string
	order map[string]any // what the simulator is told
}

// counterExamples are those of a channel. Who signs is the applicant at the
// portal; elsewhere somebody signs for him, whose number must be his own.
func counterExamples(channel string) []counterExample {
	all := []counterExample{
		{"step-tampered", map[string]any{"person": "citizen2", "tweaks": map[string]any{"tampered": true}}},
		{"step-revoked", map[string]any{"person": "citizen2", "tweaks": map[string]any{"certificate": "revoked"}}},
	}
	if channel == "portal" {
		return append(all, counterExample{"step-other-iin", map[string]any{"person": "citizen2", "tweaks": map[string]any{"iin": "791212300038"}}})
	}
	return append(all, counterExample{"step-other-iin", map[string]any{"person": "citizen2", "signed_by": "citizen"}})
}

// refused: the sender learns the refusal with its ground, and neither the list
// nor the local database knows the application.
func (p *play) refused(ctx context.Context, sc *scene, c counterExample) error {
	var before gateway.Page
	if err := p.get(ctx, "/applications?limit=500", &before); err != nil {
		return err
	}
	rows, err := p.localRows(ctx, sc.service)
	if err != nil {
		return err
	}
	t := &tour{p: p, set: p.materials.set, lang: p.stage.lang}
	other := &scene{service: sc.service, channel: sc.channel, desk: sc.channel.ID}
	reason, err := t.apply(ctx, other, c.order)
	if err != nil {
		return err
	}
	if reason == "" {
		return fmt.Errorf("application %s came through", other.app.Number)
	}
	rejected, _ := sc.service.Status("refused")
	if code := rejected.Code(sc.channel.ID); code != "" {
		reason = code + ": " + reason
	}
	p.note("fact-refused", "reason", strings.TrimSuffix(reason, "; "))
	var after gateway.Page
	if err := p.get(ctx, "/applications?limit=500", &after); err != nil {
		return err
	}
	if len(after.Applications) != len(before.Applications) {
		return fmt.Errorf("%d applications were known, and %d are", len(before.Applications), len(after.Applications))
	}
	now, err := p.localRows(ctx, sc.service)
	if err == nil && now != rows {
		err = fmt.Errorf("the local database had %d rows and has %d", rows, now)
	}
	return err
}
