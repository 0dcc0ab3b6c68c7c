package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"kopir/gateway"
	"kopir/gateway/sim"
	"kopir/mappings"
)

// principal and representative of the powers of attorney on a tour, by key.
const (
	principal      = "citizen"
	representative = "citizen3"
)

// registryTrips are the ways on which the notaries or the register of legal
// entities decide: by a power of attorney that holds, that was revoked and that nobody
// knows; of an organisation that nobody knows.
func registryTrips(s *mappings.Service, c *mappings.Channel, with func(...any) map[string]any) (all []trip) {
	if u, ok := s.Registry(mappings.Notaries, c.ID); ok {
		by := func(more ...any) map[string]any {
			return with(append([]any{"representative", representative}, more...)...)
		}
		number := func(n string) map[string]string { return map[string]string{u.Field: n} }
		all = append(all,
			trip{way: "by attorney", order: by(), decide: (*tour).completed, asks: u.ID},
			trip{way: "attorney revoked", ground: u.Invalid, order: by("values", number(revokedPower)), decide: (*tour).nothing, asks: u.ID},
			trip{way: "attorney unknown", ground: u.NoData, order: by("values", number("TOUR-0")), decide: (*tour).nothing, asks: u.ID})
	}
	if u, ok := s.Registry(mappings.Entities, c.ID); ok {
		// The form's own sample is a number with a right check digit, and of nobody.
		if form, err := s.Fill(mappings.Filling{Channel: c.ID, At: time.Now()}); err == nil && form.Values[u.Field] != "" {
			all = append(all, trip{way: "unknown employer", ground: u.NoData, order: with("values", map[string]string{u.Field: form.Values[u.Field]}), decide: (*tour).nothing, asks: u.ID})
		}
	}
	return all
}

// revokedPower is the number of a power of attorney that the tour has revoked.
const revokedPower = "TOUR-1"

// prepare lets the notaries' registry know of it.
func (t *tour) prepare(ctx context.Context) error {
	body, err := json.Marshal(sim.Power{Number: revokedPower, Date: "2026-01-12", ValidUntil: "2099-12-31", Principal: principal, Representative: representative, State: "revoked"})
	if err != nil {
		return err
	}
	status, b, err := t.p.call(ctx, "POST", t.p.simulator+"/sim/powers", "application/json", body, nil)
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("the simulator: %d %s", status, problemOf(b).Detail)
	}
	return err
}

// registryAnswered: the registry that the way is about has answered.
func registryAnswered(r trip, tl *gateway.Timeline) error {
	if r.asks == "" || slices.ContainsFunc(tl.Events, func(e gateway.Event) bool { return e.Kind == gateway.EventRegistry && e.Actor.Name == r.asks }) {
		return nil
	}
	return errors.New(r.asks + " has not answered")
}
