package gateway

import (
	"context"
	"errors"
	"fmt"

	"kopir/mappings"
)

// RunningEdition is an edition under which applications were filed that are
// not ended, or still have something on its way.
type RunningEdition struct {
	Service      string
	Edition      string
	Applications int64
}

// set is the service descriptions as they are now. What is decided about one
// message or application asks once and stays with what it got.
func (b *Bridge) set() *mappings.Set { return b.services.Load() }

// Use takes over other descriptions. Running applications keep the editions
// under which they were filed: where one of those is missing nothing changes,
// and the error names each.
func (b *Bridge) Use(ctx context.Context, set *mappings.Set) error {
	if err := b.o.serves(set); err != nil {
		return err
	}
	b.switching.Lock()
	defer b.switching.Unlock()
	running, err := b.o.Store.Running(ctx)
	if err != nil {
		return fmt.Errorf("gateway: which editions applications need is not known: %w", err)
	}
	if err := Missing(set, running); err != nil {
		return err
	}
	b.services.Store(set)
	select {
	case b.renewed <- struct{}{}:
	default:
	}
	return nil
}

// Missing names the running editions that descriptions lack.
func Missing(set *mappings.Set, running []RunningEdition) error {
	var faults []error
	for _, r := range running {
		if _, ok := set.Edition(r.Service, r.Edition); !ok {
			faults = append(faults, fmt.Errorf("%d applications of %s were filed under the edition %q, which no description in use has: put its file back (%s.yaml, the next edition beside it as %s@DAY.yaml)",
				r.Applications, r.Service, r.Edition, r.Service, r.Service))
		}
	}
	return errors.Join(faults...)
}

// described is the description under which an application was filed. One that
// ended may outlive its edition; its history goes on under another of the service.
func (b *Bridge) described(app *Application) (*mappings.Service, error) {
	s, ok := b.set().Edition(app.Service, app.Edition)
	if !ok && app.State.Final() {
		s, ok = b.set().Edition(app.Service, "")
	}
	if !ok {
		return nil, &Error{Code: UnknownService, Field: "service", Say: fmt.Sprintf("the description of this application's service, edition %q, is not loaded", app.Edition)}
	}
	return s, nil
}

// stillThere says whether the description of a draft is among those that are
// in use. It is asked while none can be taken away.
func (b *Bridge) stillThere(d *draft) error {
	if _, ok := b.set().Edition(d.service.ID, d.service.Edition); !ok {
		return &Error{Code: TryLater, Say: "the description of the service was replaced meanwhile; send the same bytes again"}
	}
	return nil
}
