package main

import (
	"context"
	"encoding/json"
	"fmt"

	"kopir/gateway"
)

// forwards says whether the akim hands applications of the channel over.
func (sc *scene) forwards() bool {
	_, ok := sc.channel.Forwarding(true)
	return ok
}

// forward hands an application of the akim to the provider, with a covering
// letter that the official signed, or back; elsewhere it does nothing.
func (p *play) forward(ctx context.Context, sc *scene, to string) error {
	if !sc.forwards() {
		return nil
	}
	way := map[string]any{"to": to}
	if to == gateway.HolderProvider {
		letter, err := p.send(ctx, "POST", p.simulator+"/sim/people/official/sign", "application/xml", []byte("<letter/>"), nil)
		if err != nil {
			return err
		}
		way["letter"] = map[string]any{"name": "letter.xml", "content": letter}
	}
	body, err := json.Marshal(way)
	if err != nil {
		return err
	}
	if err := p.change(ctx, sc, "/forward", "application/json", body); err != nil {
		return err
	}
	if sc.app.Holder != to {
		return fmt.Errorf("it is with %q, not with %s", sc.app.Holder, to)
	}
	return nil
}

// forwarded is a step of the story.
func (p *play) forwarded(to string) func(context.Context, *scene) error {
	return func(ctx context.Context, sc *scene) error { return p.forward(ctx, sc, to) }
}
