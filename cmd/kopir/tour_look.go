package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"kopir/gateway"
	"kopir/mappings"
)

// look waits until everything that the regulations promise of an application
// is there: its row, the notices of every partner, the result, the terms kept.
func (t *tour) look(ctx context.Context, r trip, sc *scene, saw *sight) error {
	end := gateway.Completed
	if r.ground != "" {
		end = gateway.Refused
	}
	return until(ctx, func() error {
		var tl gateway.Timeline
		if err := t.p.get(ctx, "/applications/"+url.PathEscape(sc.app.Number)+"/timeline", &tl); err != nil {
			return err
		}
		if tl.Application.State != end {
			return fmt.Errorf("%s is %s, not %s", sc.app.Number, tl.Application.State, end)
		}
		saw.Accepted, saw.States, saw.Notices = true, statesOf(&tl), nil
		if sc.forwards() && tl.Application.Holder != gateway.HolderAkim {
			return errors.New("it did not come back to the akim")
		}
		if g := tl.Application.Refusal; g != nil {
			if saw.Ground, saw.Reason = g.Code, g.Text.RU; g.Code != r.ground || strings.Contains(g.Text.RU, "{") {
				return fmt.Errorf("the ground is %s, not %s", g.Code, r.ground)
			}
		}
		return errors.Join(t.rowSeen(ctx, sc, &tl, saw), t.told(ctx, sc, &tl, saw), termsKept(&tl), registryAnswered(r, &tl))
	})
}

// statesOf is the way that an application went.
func statesOf(tl *gateway.Timeline) (states []string) {
	for _, e := range tl.Events {
		if e.Kind == gateway.EventState {
			states = append(states, string(e.To))
		}
	}
	return states
}

// rowSeen reads the local table, or takes the bridge's word that the row was
// written where the table is elsewhere.
func (t *tour) rowSeen(ctx context.Context, sc *scene, tl *gateway.Timeline, saw *sight) error {
	for _, d := range tl.Deliveries {
		if d.State != gateway.Done {
			return fmt.Errorf("a delivery to %s is %s %s", d.Route, d.State, d.Error)
		}
		if d.Route == gateway.ToLocal {
			saw.Row = "written"
		}
	}
	if t.p.loaded == nil {
		if saw.Row == "" {
			return errors.New("no row was written")
		}
		return nil
	}
	status, err := t.p.localRow(ctx, sc.service, sc.app.Number)
	if err != nil {
		return fmt.Errorf("the row: %w", err)
	}
	saw.Row = status
	if want, _ := sc.service.Status(string(tl.Application.State)); status != want.Local {
		return fmt.Errorf("the row has the status %s, not %s", status, want.Local)
	}
	return nil
}

// told looks into the partners' inboxes for every notice that the description
// promises, with its transport signature, and for the result.
func (t *tour) told(ctx context.Context, sc *scene, tl *gateway.Timeline, saw *sight) error {
	var faults []error
	for _, partner := range []string{"portal", "csc"} {
		codes := promised(sc, partner, statesOf(tl))
		if len(codes) == 0 {
			continue
		}
		desk := partner
		if partner == sc.channel.ID {
			desk = sc.desk
		}
		c, err := t.p.caseOf(ctx, desk, "bridge_number", sc.app.Number, "300ms")
		if err != nil {
			faults = append(faults, err)
			continue
		}
		for _, n := range c.Notices {
			saw.Notices = append(saw.Notices, partner+" "+n.Code)
			if n.Transport.Outcome != totalPassed {
				faults = append(faults, fmt.Errorf("a notice came to %s with a signature that is %s", partner, n.Transport.Outcome))
			}
		}
		for _, code := range codes {
			if !slices.Contains(saw.Notices, partner+" "+code) {
				faults = append(faults, fmt.Errorf("%s was not told %s", partner, code))
			}
		}
		if tl.Application.State == gateway.Completed {
			if c.Result == nil || c.Result.Verdict == nil || c.Result.Verdict.Outcome != totalPassed {
				faults = append(faults, fmt.Errorf("no confirmed result is at %s", partner))
			} else if c.Result.PaperName == "" && carries(sc, partner, "paper_name") {
				faults = append(faults, fmt.Errorf("%s has nothing for people to read", partner))
			} else {
				saw.Result = c.Result.Verdict.Outcome
			}
		}
	}
	if saw.Result == "" && tl.Application.Result != nil && tl.Application.Result.SignedBy != nil {
		saw.Result = "kept, signed"
	}
	if tl.Application.State == gateway.Completed && saw.Result == "" {
		faults = append(faults, errors.New("there is no signed result"))
	}
	return errors.Join(faults...)
}

// carries says whether the notices to a partner have a value.
func carries(sc *scene, partner, value string) bool {
	shape, _ := sc.service.Shape(partner)
	return shape != nil && slices.ContainsFunc(shape.Elements, func(e mappings.Element) bool { return e.Value == value })
}

// promised are the codes of which a partner must be told.
func promised(sc *scene, partner string, states []string) (codes []string) {
	for _, n := range sc.service.Notifications {
		if !slices.Contains(n.To, partner) || len(n.Channels) > 0 && !slices.Contains(n.Channels, sc.channel.ID) {
			continue
		}
		for _, state := range states {
			if row, ok := sc.service.Status(state); ok && slices.Contains(n.On, state) && row.Code(partner) != "" {
				codes = append(codes, row.Code(partner))
			}
		}
	}
	return codes
}

// termsKept: no term runs on, and none was done late.
func termsKept(tl *gateway.Timeline) error {
	for _, d := range tl.Dues {
		if d.DoneAt.IsZero() {
			return fmt.Errorf("the term of step %d still runs", d.Step)
		}
		if d.DoneAt.After(d.DueAt) {
			return fmt.Errorf("step %d was done after its term", d.Step)
		}
	}
	return nil
}
