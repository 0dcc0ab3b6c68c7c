package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"kopir/gateway"
	"kopir/mappings"
)

// defaultPatience is how long the story waits for something to be seen.
const defaultPatience = 20 * time.Second

// poll is how often it looks where nothing tells it.
const poll = 30 * time.Millisecond

// scene is what the story carries from step to step.
type scene struct {
	service *mappings.Service
	channel *mappings.Channel
	suspend bool   // its term stands still for a while
	desk    string // of the simulator where it is filed
	ground  string // of a refusal that must follow
	sent    inbox  // as the portal sent it
	app     gateway.Application
	result  []byte // signed
	paper   []byte // the same printed
	ocsp    int    // questions to the responder before
}

// tell plays the story and says whether every step was seen to happen.
func (p *play) tell(ctx context.Context, sc *scene) bool {
	t := p.stage
	t.title("title")
	t.fact("where-bridge", "address", p.bridge)
	t.fact("where-simulator", "address", p.simulator+"/sim/")
	t.fact("where-data", "path", p.dir)
	t.title("story", "service", sc.service.Title.In(t.lang), "channel", sc.channel.Name.In(t.lang))
	good := true
	for _, s := range p.stepsOf(sc) {
		if !p.play(ctx, s.key, func(ctx context.Context) error { return s.do(ctx, sc) }) {
			good = false
			break // what follows leans on it
		}
	}
	if good {
		t.title("refusals")
		for _, c := range counterExamples(sc.channel.ID) {
			good = p.play(ctx, c.key, func(ctx context.Context) error { return p.refused(ctx, sc, c) }) && good
		}
	}
	fmt.Fprintln(t.out)
	if good {
		fmt.Fprintln(t.out, t.paint(green, t.say("all-seen", "steps", t.step)))
	} else {
		fmt.Fprintln(t.out, t.paint(red, t.say("not-seen", "steps", strings.Join(t.failed, "; "))))
		t.fact("look-into-log", "path", p.dir+"/kopir.log")
	}
	return good
}

// play runs one step; its facts are shown below it.
func (p *play) play(ctx context.Context, key string, do func(context.Context) error) bool {
	t := p.stage
	ctx, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	t.begin(key)
	p.facts = nil
	err := do(ctx)
	if err != nil {
		t.lost(key, err)
	} else {
		t.seen(key)
	}
	for _, f := range p.facts {
		f()
	}
	return err == nil
}

// note keeps a fact until the step has ended.
func (p *play) note(key string, pairs ...any) {
	p.facts = append(p.facts, func() { p.stage.fact(key, pairs...) })
}

// until looks again and again; it gives the last reason when patience ends.
func until(ctx context.Context, look func() error) error {
	var last error
	for {
		err := look()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil && last != nil {
			err = last // what was missing tells more than that time was up
		}
		last = err
		select {
		case <-ctx.Done():
			return fmt.Errorf("not seen in time: %w", err)
		case <-time.After(poll):
		}
	}
}

func (p *play) ready(ctx context.Context, _ *scene) error {
	return until(ctx, func() error {
		_, err := p.fetch(ctx, p.bridge+"/readyz")
		return err
	})
}

// apply has an application signed and filed: at a desk it goes to the gateway
// as a signed SOAP message, and the gateway pushes it to the bridge; in the
// office and at the akim's it comes by REST.
func (p *play) apply(ctx context.Context, sc *scene) error {
	sc.ocsp = p.tap.count("POST /ca/ocsp")
	t := &tour{p: p, set: p.materials.set}
	refusal, err := t.apply(ctx, sc, map[string]any{"person": "citizen"})
	if err == nil && refusal != "" {
		err = fmt.Errorf("refused: %s", refusal)
	}
	if err != nil || sc.sent.Number == "" {
		return err
	}
	p.note("fact-sent", "number", sc.sent.Number, "message", sc.sent.MessageID, "correlation", sc.sent.Correlation)
	return until(ctx, func() error {
		c, err := p.caseOf(ctx, sc.channel.ID, "number", sc.sent.Number, "0s")
		if err == nil && c.Delivery != "DELIVERED" {
			err = fmt.Errorf("the gateway says %s %s", c.Delivery, c.Fault)
		}
		return err
	})
}

// received looks for the application where a local system would: in the list
// of REST.
func (p *play) received(ctx context.Context, sc *scene) error {
	return until(ctx, func() error {
		var page gateway.Page
		if err := p.get(ctx, "/applications?channel="+sc.channel.ID+"&service="+url.QueryEscape(sc.service.ID), &page); err != nil {
			return err
		}
		i := slices.IndexFunc(page.Applications, func(a gateway.Application) bool { return a.Number == sc.app.Number })
		if i < 0 {
			return errors.New("the application is not in the list")
		}
		sc.app = page.Applications[i]
		a := &sc.app
		p.facts = p.facts[:0]
		p.note("fact-number", "number", a.Number, "iin", a.Applicant.IIN.String(), "name", a.Applicant.Name)
		p.due(a)
		if a.State == gateway.Held {
			return fmt.Errorf("%s is held", a.Number)
		}
		return nil
	})
}

// due notes the term of the step that is open.
func (p *play) due(a *gateway.Application) {
	if !a.DueAt.IsZero() {
		p.note("fact-due", "due", p.stage.when(a.DueAt))
	}
}

// signatures reads the verdicts that the bridge kept as evidence: of the
// sending system, where there is one, and of the person.
func (p *play) signatures(ctx context.Context, sc *scene) error {
	var tl gateway.Timeline
	if err := p.get(ctx, "/applications/"+url.PathEscape(sc.app.Number)+"/timeline", &tl); err != nil {
		return err
	}
	seen := map[gateway.EvidenceKind]string{}
	for _, e := range tl.Evidence {
		seen[e.Kind] = e.Outcome.String()
	}
	kinds := []gateway.EvidenceKind{gateway.ByPerson}
	if sc.sent.Number != "" {
		kinds = append(kinds, gateway.BySystem)
	}
	for _, kind := range kinds {
		if seen[kind] != totalPassed {
			return fmt.Errorf("the verdict on the %s's signature is %q", kind, seen[kind])
		}
	}
	signer := tl.Application.Signer
	if applies := signer.IIN == tl.Application.Applicant.IIN; signer.IIN == "" || applies != (sc.channel.ID == "portal") {
		return errors.New("the signer is not who signs in this channel")
	}
	if sc.sent.Number != "" {
		p.note("fact-system-signature", "outcome", seen[gateway.BySystem])
	}
	p.note("fact-person-signature", "outcome", seen[gateway.ByPerson], "name", signer.Name)
	p.note("fact-same-iin", "iin", signer.IIN.String())
	return nil
}

// revocationAsked: the authority's own doors say that they were asked.
func (p *play) revocationAsked(ctx context.Context, sc *scene) error {
	return until(ctx, func() error {
		ocsp, crl := p.tap.count("POST /ca/ocsp")-sc.ocsp, p.tap.count("GET /ca/crl/nca.crl")
		if ocsp < 1 || crl < 1 {
			return fmt.Errorf("the authority was asked %d times by OCSP and its list fetched %d times", ocsp, crl)
		}
		p.facts = p.facts[:0]
		p.note("fact-revocation", "ocsp", ocsp, "crl", crl)
		return nil
	})
}

// row reads the local database as the local body would.
func (p *play) row(ctx context.Context, sc *scene) error {
	return p.rowIs(ctx, sc, "received")
}

func (p *play) rowIs(ctx context.Context, sc *scene, state string) error {
	want, _ := sc.service.Status(state)
	return until(ctx, func() error {
		status, err := p.localRow(ctx, sc.service, sc.app.Number)
		if err != nil {
			return fmt.Errorf("the row: %w", err)
		}
		if status != want.Local {
			return fmt.Errorf("the row has the status %s, not %s", status, want.Local)
		}
		p.note("fact-row", "table", sc.service.Local.Table, "number", sc.app.Number, "column", sc.service.Local.Status.Column, "status", status)
		return nil
	})
}

// learns: the notice of a state is in a partner's inbox, and the gateway's
// signature around it holds.
func (p *play) learns(partner, state string) func(context.Context, *scene) error {
	return func(ctx context.Context, sc *scene) error {
		want, _ := sc.service.Status(state)
		return until(ctx, func() error {
			c, err := p.caseOf(ctx, partner, "bridge_number", sc.app.Number, "1s")
			if err != nil {
				return err
			}
			return p.noticed(c, want.Code(partner))
		})
	}
}

func (p *play) noticed(c inbox, code string) error {
	for _, n := range c.Notices {
		if n.Code != code {
			continue
		}
		if n.Transport.Outcome != totalPassed {
			return fmt.Errorf("the notice came with a signature that is %s", n.Transport.Outcome)
		}
		text := n.TextRU
		if p.stage.lang == mappings.Kazakh {
			text = n.TextKK
		}
		p.note("fact-notice", "type", n.Type, "code", n.Code, "text", text)
		return nil
	}
	return fmt.Errorf("no notice with the code %s among %d", code, len(c.Notices))
}

// takeIt: the specialist takes the application, with the version it was read at.
func (p *play) takeIt(ctx context.Context, sc *scene) error {
	if err := p.change(ctx, sc, "/take", "application/json", []byte(`{}`)); err != nil {
		return err
	}
	if sc.app.State != gateway.InProgress {
		return fmt.Errorf("the state is %s", sc.app.State)
	}
	p.note("fact-taken", "name", sc.app.Executor.Name)
	p.due(&sc.app)
	return p.rowIs(ctx, sc, "in_progress")
}

// terms shows each term of the regulation that ran, and whether it was kept.
func (p *play) terms(ctx context.Context, sc *scene) error {
	return until(ctx, func() error {
		p.facts = nil
		return p.showTerms(ctx, sc)
	})
}

func (p *play) showTerms(ctx context.Context, sc *scene) error {
	var tl gateway.Timeline
	if err := p.get(ctx, "/applications/"+url.PathEscape(sc.app.Number)+"/timeline", &tl); err != nil {
		return err
	}
	if len(tl.Dues) == 0 {
		return errors.New("no term ran")
	}
	if err := termsKept(&tl); err != nil {
		return err
	}
	for _, d := range tl.Dues {
		p.note("fact-term", "step", d.Step, "does", p.does(sc.channel, d), "due", p.stage.when(d.DueAt), "done", p.stage.when(d.DoneAt))
	}
	for _, d := range tl.Deliveries {
		if d.State != gateway.Done {
			return fmt.Errorf("delivery %s to %s is %s", d.ID, d.Route, d.State)
		}
	}
	p.note("fact-deliveries", "count", len(tl.Deliveries))
	return nil
}

// does is the action of a term in the words of the regulation.
func (p *play) does(c *mappings.Channel, d gateway.Due) string {
	step, ok := c.Terms().Step(d.Step)
	if !ok {
		return d.Does
	}
	text := []rune(step.Action.In(p.stage.lang))
	if len(text) > 70 {
		text = append(text[:69], '…')
	}
	return string(text)
}
