package gateway

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
)

// DeadGroup is the dead letters that have one cause, and so one remedy.
type DeadGroup struct {
	ID     string `json:"id"` // by which it is settled: ROUTE[@RECEIVER]:CAUSE:CODE
	Route  Route  `json:"route"`
	Lane   string `json:"lane,omitempty"` // the partner, where it has an address of its own
	Cause  Cause  `json:"cause"`
	Code   string `json:"code,omitempty"` // the peer's own
	Count  int64  `json:"count"`
	Behind int64  `json:"behind"` // deliveries of the same applications that wait behind them
	// When the first and the last of them were given up.
	Oldest time.Time `json:"oldest"`
	Newest time.Time `json:"newest"`
}

// Name is the ID of a group.
func (g DeadGroup) Name() string {
	lane := string(g.Route)
	if g.Lane != "" {
		lane += "@" + url.QueryEscape(g.Lane)
	}
	return lane + ":" + string(g.Cause) + ":" + g.Code
}

// ParseDeadGroup reads an ID.
func ParseDeadGroup(id string) (DeadGroup, error) {
	bad := refuse(Malformed, "group", "%q is no group; the list of groups shows their ids", clip(id))
	part := strings.Split(id, ":")
	if len(part) != 3 {
		return DeadGroup{}, bad
	}
	route, lane, _ := strings.Cut(part[0], "@")
	lane, err := url.QueryUnescape(lane)
	g := DeadGroup{ID: id, Route: Route(route), Lane: lane, Cause: Cause(part[1]), Code: part[2]}
	if err != nil || !slices.Contains(Routes(), g.Route) || !slices.Contains(Causes(), g.Cause) || plainCode(g.Code) != g.Code {
		return DeadGroup{}, bad
	}
	return g, nil
}

// GroupSettlement is what a person wants done with a group.
type GroupSettlement struct {
	Group string
	Drop  bool   // give up; else: send again
	Why   string // needed to drop: it is kept with each
	// By leaves alone what died later, so that who settles in steps does not meet
	// what he sent himself. Zero: now.
	By    time.Time
	Limit int // at most so many; nought: as many as may be
	// DryRun only tells what would be done.
	DryRun bool
}

// GroupSettled is what was done, or would be.
type GroupSettled struct {
	Group  string    `json:"group"`
	DryRun bool      `json:"dry_run,omitempty"`
	By     time.Time `json:"by"`
	Count  int64     `json:"count"` // settled by this call
	Left   int64     `json:"left"`  // that died by then and are still to be settled
	// Behind are deliveries of the same applications that follow, each after its
	// own, in their order; of the whole group.
	Behind int64 `json:"behind"`
	// Deliveries are the first of them.
	Deliveries []SettledDelivery `json:"deliveries"`
}

// SettledDelivery is one of them.
type SettledDelivery struct {
	ID          string `json:"id"`
	Application string `json:"application"`
	MessageID   string `json:"message_id"` // under which it goes again, as before
	Tries       int    `json:"tries"`
}

const (
	settleBatch = 200
	shownOfMany = 100 // that are named
	maxSettled  = 5000
)

// DeadGroups are the dead letters by cause.
func (b *Bridge) DeadGroups(ctx context.Context) ([]DeadGroup, error) {
	all, err := b.o.Store.DeadGroups(ctx)
	if err != nil {
		return nil, tryLater(err)
	}
	for i := range all {
		all[i].ID = all[i].Name()
	}
	return all, nil
}

// SettleGroup sends the dead letters of a group again or gives them up, some
// hundred in a transaction, each with a line in its application's history. What
// waits behind each follows in its order.
func (b *Bridge) SettleGroup(ctx context.Context, s GroupSettlement, who Actor) (*GroupSettled, error) {
	g, err := ParseDeadGroup(s.Group)
	if err != nil {
		return nil, err
	}
	if s.Drop && s.Why == "" && !s.DryRun {
		return nil, refuse(Malformed, "reason", "the reason is needed: it is kept")
	}
	now := b.now().UTC()
	if s.By.IsZero() || s.By.After(now) {
		s.By = now
	}
	if s.Limit <= 0 || s.Limit > maxSettled {
		s.Limit = maxSettled
	}
	groups, err := b.DeadGroups(ctx)
	if err != nil {
		return nil, err
	}
	out := &GroupSettled{Group: s.Group, DryRun: s.DryRun, By: s.By, Deliveries: []SettledDelivery{}}
	for _, have := range groups {
		if have.ID == g.Name() {
			out.Left, out.Behind = have.Count, have.Behind
		}
	}
	if s.DryRun {
		page, err := b.o.Store.Deliveries(ctx, DeliveryFilter{States: []DeliveryState{Dead}, Group: &g, FailedBy: s.By}, "", min(s.Limit, shownOfMany))
		if err != nil {
			return nil, tryLater(err)
		}
		out.show(page.Deliveries)
		out.Count = min(out.Left, int64(s.Limit))
		return out, nil
	}
	what := string(g.Route) + " delivery sent again with its group " + g.Name()
	if s.Drop {
		what = string(g.Route) + " delivery dropped with its group " + g.Name() + ": " + s.Why
	}
	whole := out.Left
	for out.Left > 0 && out.Count < int64(s.Limit) {
		want := min(settleBatch, s.Limit-int(out.Count))
		done, err := b.o.Store.SettleDead(ctx, g, s.By, want, who.Name, func(d *Delivery) Event {
			if s.Drop {
				d.State, d.DoneAt, d.Error = Dropped, now, "dropped by "+who.Name+": "+s.Why
			} else {
				d.State, d.NextAt, d.Since, d.Error = Queued, d.CreatedAt, now, ""
			}
			if refusedOnly(d.Application) {
				return Event{} // it has no history
			}
			return Event{Application: d.Application, At: now, Kind: EventNote, Actor: who, Detail: what}
		})
		if err != nil {
			return nil, tryLater(err)
		}
		out.Count += int64(len(done))
		out.show(done)
		b.stir(Change{Deliveries: done})
		if out.Left = max(0, whole-out.Count); len(done) < want {
			out.Left = 0
		}
	}
	b.log.Info("dead letters settled", zap.String("group", g.Name()), zap.Bool("dropped", s.Drop), zap.Int64("deliveries", out.Count), zap.String("by", who.Name))
	return out, nil
}

func (s *GroupSettled) show(all []Delivery) {
	for _, d := range all[:min(len(all), shownOfMany-len(s.Deliveries))] {
		s.Deliveries = append(s.Deliveries, SettledDelivery{ID: d.ID, Application: d.Application, MessageID: d.MessageID, Tries: d.Tries})
	}
}
