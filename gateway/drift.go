package gateway

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"kopir/gateway/soap"
	"kopir/mappings"
	"kopir/signature/verdict"
)

// Drift is a place where what a partner sends departs from the description:
// an alarm that the contract drifts. It never holds a value.
type Drift struct {
	Service string             `json:"service"`
	Partner string             `json:"partner"` // sender id; office for documents of specialists, local for the local database
	Kind    mappings.DriftKind `json:"kind"`
	Path    string             `json:"path"`
	FirstAt time.Time          `json:"first_at"`
	LastAt  time.Time          `json:"last_at"`
	Times   int64              `json:"times"`
	Message string             `json:"message,omitempty"` // our id of the first
}

// Bounds against a partner who invents names.
const (
	maxDrifts  = 200 // places of one service and partner; the others are counted as one
	otherPaths = "(others)"
)

// drifts are the places that were told to the log already.
type drifts struct {
	mu     sync.Mutex
	loaded bool
	known  map[driftKey]bool
	count  map[driftKey]int // by service and partner
}

type driftKey struct {
	service, partner string
	kind             mappings.DriftKind
	path             string
}

func (d *Drift) key() driftKey { return driftKey{d.Service, d.Partner, d.Kind, d.Path} }

// bound replaces what is beyond the bound by one place a kind, and gives those
// that were not known.
func (k *drifts) bound(ctx context.Context, store Store, found []Drift) (bounded, fresh []Drift) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.loaded {
		kept, err := store.Drifts(ctx)
		if err != nil {
			return nil, nil // the change that it belongs to will fail as well
		}
		k.loaded, k.known, k.count = true, map[driftKey]bool{}, map[driftKey]int{}
		for _, d := range kept {
			k.known[d.key()] = true
			k.count[driftKey{service: d.Service, partner: d.Partner}]++
		}
	}
	for _, d := range found {
		whose := driftKey{service: d.Service, partner: d.Partner}
		if !k.known[d.key()] && k.count[whose] >= maxDrifts {
			d.Path = otherPaths
		}
		if !k.known[d.key()] {
			k.known[d.key()] = true
			k.count[whose]++
			fresh = append(fresh, d)
		}
		if !slices.ContainsFunc(bounded, func(x Drift) bool { return x.key() == d.key() }) {
			bounded = append(bounded, d)
		}
	}
	// In one order, so that two writers never wait for each other.
	slices.SortFunc(bounded, func(a, b Drift) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Path, b.Path))
	})
	return bounded, fresh
}

// drifted puts what departs from the description into the change: counted, in
// the history, and the unknown elements as evidence. sender is the partner's id.
func (d *draft) drifted(p *paper, j *judgement, sender string) {
	if j.reading == nil {
		return // nothing was read: the signature decided
	}
	var found []Drift
	add := func(kind mappings.DriftKind, path string) {
		one := Drift{Service: d.service.ID, Partner: sender, Kind: kind, Path: path, FirstAt: d.at, LastAt: d.at, Times: 1}
		if d.change.Message != nil {
			one.Message = d.change.Message.ID
		}
		found = append(found, one)
	}
	if textual := p.form != soap.Nested; p.form != soap.NoData && textual != (p.service.Request.Data.Form != "nested") {
		add(mappings.DriftForm, "data")
	}
	for _, x := range j.reading.Drift {
		add(x.Kind, x.Path)
	}
	if len(found) == 0 {
		return
	}
	var paths []string
	for _, x := range found {
		paths = append(paths, string(x.Kind)+" "+x.Path)
	}
	if d.app != nil {
		d.event(Event{Kind: EventDrift, Actor: Actor{Name: "intake"}, Detail: "otherwise than described: " + strings.Join(paths, ", ")})
	}
	if len(j.reading.Strange) > 0 {
		d.change.Evidence = append(d.change.Evidence, Evidence{Kind: ByDrift, At: d.at, Outcome: verdict.Undetermined, Document: j.reading.Strange})
	}
	d.change.Drifts = append(d.change.Drifts, d.b.tellDrift(d.ctx(), found)...)
}

// tellDrift bounds what was found and tells the log of each place once.
func (b *Bridge) tellDrift(ctx context.Context, found []Drift) []Drift {
	bounded, fresh := b.drifts.bound(ctx, b.o.Store, found)
	for _, x := range fresh {
		b.log.Warn("contract drift", zap.String("service", x.Service), zap.String("partner", x.Partner), zap.String("kind", string(x.Kind)), zap.String("path", x.Path), zap.String("message", x.Message))
	}
	return bounded
}

// driftedLocally counts a status code of the local database that the
// description does not know.
func (b *Bridge) driftedLocally(ctx context.Context, service string) {
	at := b.now().UTC()
	c := Change{Drifts: b.tellDrift(ctx, []Drift{{Service: service, Partner: "local", Kind: mappings.DriftCode, Path: "status", FirstAt: at, LastAt: at, Times: 1}})}
	if err := b.o.Store.Commit(ctx, c); err != nil {
		b.log.Warn("contract drift not kept", zap.String("service", service), zap.Error(err))
	}
}

// Drift lists what came otherwise than described.
func (b *Bridge) Drift(ctx context.Context) ([]Drift, error) {
	all, err := b.o.Store.Drifts(ctx)
	if err != nil {
		return nil, tryLater(err)
	}
	return all, nil
}
