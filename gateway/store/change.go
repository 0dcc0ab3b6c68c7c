package store

import (
	"context"
	"slices"

	"kopir/gateway"
	"kopir/gateway/journal"
)

// Commit writes a Change whole or not at all.
func (s *Store) Commit(ctx context.Context, c gateway.Change) error {
	return s.writer.take(ctx, &job{do: func(t *tx) error { return t.apply(&c) }, about: aboutOf(&c)})
}

// about are the owners of what a job writes. Each is locked before anything is
// written, so that what several nodes write of one comes one after the other.
type about struct {
	lines []string // in whose lines something is put: what they hold is read
	other []string // of whom a delivery is settled
}

// aboutOf is whom a change is about; of one that begins with it, nothing need be
// read or locked.
func aboutOf(c *gateway.Change) (a about) {
	if c.Application != nil && c.Application.Version == 1 {
		return a
	}
	switch owner := ownerOf(c); {
	case len(c.Events) > 0 || slices.ContainsFunc(c.Deliveries, func(d gateway.Delivery) bool { return d.Seq == 0 }):
		a.lines = []string{owner}
	case len(c.Deliveries) > 0:
		a.other = []string{owner}
	}
	return a
}

func (t *tx) apply(c *gateway.Change) error {
	if c.Application != nil && c.Application.Version == 1 && !t.again {
		t.begins(c.Application.Number)
	}
	if owner := ownerOf(c); owner != "" {
		if err := t.recordAs(journal.Change, owner, ""); err != nil {
			return err
		}
	}
	if c.Message != nil && c.KeepRefused > 0 {
		var err error
		if c, err = t.weigh(c); err != nil {
			return err
		}
	}
	if c.Message != nil {
		if err := t.insertMessage(c.Message); err != nil {
			return err
		}
	}
	if c.Application != nil {
		if err := t.putApplication(c.Application); err != nil {
			return err
		}
		if err := t.putPickup(c.Application); err != nil {
			return err
		}
		if c.Result != nil {
			if err := t.insertResult(c.Application.Number, c.Result); err != nil {
				return err
			}
		}
	}
	for i := range c.Papers {
		if err := t.insertPaper(&c.Papers[i]); err != nil {
			return err
		}
	}
	for i := range c.Events {
		if err := t.insertEvent(&c.Events[i]); err != nil {
			return err
		}
	}
	for i := range c.Dues {
		if err := t.putDue(&c.Dues[i]); err != nil {
			return err
		}
	}
	for i := range c.Evidence {
		if err := t.insertEvidence(&c.Evidence[i]); err != nil {
			return err
		}
	}
	for i := range c.Deliveries {
		if err := t.putDelivery(&c.Deliveries[i]); err != nil {
			return err
		}
	}
	if c.Offer != nil {
		if err := t.insertOffer(c.Offer); err != nil {
			return err
		}
	}
	for i := range c.Drifts {
		if err := t.putDrift(&c.Drifts[i]); err != nil {
			return err
		}
	}
	if c.Hold != nil {
		if err := t.putHold(c.Hold); err != nil {
			return err
		}
	}
	if c.Release != "" {
		return t.later("release", nil, "DELETE FROM holds WHERE application = ?", c.Release)
	}
	return nil
}
