package main

import (
	"context"
	"encoding/json"
	"fmt"

	"kopir/gateway"
)

// suspends says whether a term of the channel may stand still once the
// application is in work.
func (sc *scene) suspends() bool { return sc.service.Suspension != nil && sc.takes() }

// suspension are the steps of a term that stands still and runs on.
func (p *play) suspension(partners []string) []step {
	steps := []step{{"step-suspend", p.suspendIt}}
	for _, partner := range partners {
		steps = append(steps, step{"step-" + partner + "-suspended", p.learns(partner, string(gateway.Suspended))})
	}
	steps = append(steps, step{"step-resume", p.resumeIt})
	for _, partner := range partners {
		steps = append(steps, step{"step-" + partner + "-resumed", func(ctx context.Context, sc *scene) error {
			return p.learns(partner, string(sc.app.State))(ctx, sc)
		}})
	}
	return steps
}

// suspend lets the open term stand still, as the head may.
func (p *play) suspend(ctx context.Context, sc *scene) error {
	reason := p.materials.set.Texts.Text("run.suspend-reason")
	body, err := json.Marshal(map[string]any{"days": 2, "reason": map[string]string{"ru": reason.Ru, "kk": reason.Kk}})
	if err != nil {
		return err
	}
	if err := p.changeBy(ctx, p.admin, sc, "/suspension", "application/json", body); err != nil {
		return err
	}
	if sc.app.State != gateway.Suspended {
		return fmt.Errorf("the state is %s", sc.app.State)
	}
	return nil
}

// resume lets it run on. Whether its end has moved hangs on the time of day:
// the state is that of an extension then.
func (p *play) resume(ctx context.Context, sc *scene) error {
	if err := p.changeBy(ctx, p.admin, sc, "/resumption", "application/json", []byte(`{}`)); err != nil {
		return err
	}
	if sc.app.State != gateway.InProgress && sc.app.State != gateway.Extended {
		return fmt.Errorf("the state is %s", sc.app.State)
	}
	return nil
}

func (p *play) suspendIt(ctx context.Context, sc *scene) error {
	if err := p.suspend(ctx, sc); err != nil {
		return err
	}
	p.note("fact-suspended", "state", sc.app.State)
	return p.rowIs(ctx, sc, string(sc.app.State))
}

func (p *play) resumeIt(ctx context.Context, sc *scene) error {
	if err := p.resume(ctx, sc); err != nil {
		return err
	}
	p.note("fact-resumed", "state", sc.app.State, "due", p.stage.when(sc.app.DueAt))
	return p.rowIs(ctx, sc, string(sc.app.State))
}

// suspended is completed after its term has stood still.
func (t *tour) suspended(ctx context.Context, sc *scene) error {
	if err := t.work(ctx, sc); err != nil {
		return err
	}
	for _, do := range []func(context.Context, *scene) error{t.p.suspend, t.p.resume} {
		if err := do(ctx, sc); err != nil {
			return err
		}
	}
	return t.finished(ctx, sc)
}
