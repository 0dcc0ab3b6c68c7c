package gateway

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"kopir/gateway/failpoint"
	"kopir/mappings"
)

const (
	watchBatch = 200
	// watchMany is how many statuses of one round show that more are waiting, as
	// after an outage: the next one follows at once, as after a full page of marks.
	watchMany = 10
	// watchAtOnce is how many statuses are taken over at once: one after the other
	// each would wait for a flush of its own.
	watchAtOnce = 16
)

// openStates are those in which an application has a row whose status may
// still change.
var openStates = []State{Received, InProgress, Extended}

// watchers are those of all descriptions, by name.
type watchers struct {
	mu sync.Mutex
	by map[string]*watcher
}

func (all *watchers) of(b *Bridge, name string) *watcher {
	all.mu.Lock()
	defer all.mu.Unlock()
	w := all.by[name]
	if w == nil {
		w = &watcher{b: b, name: name, wake: make(chan struct{}, 1), told: map[string]string{}}
		if all.by == nil {
			all.by = map[string]*watcher{}
		}
		all.by[name] = w
	}
	return w
}

// rouse lets everything be looked at now.
func (all *watchers) rouse() {
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, w := range all.by {
		rouse(w.wake)
	}
}

// watchAll follows the tables of all descriptions, each on its own, also of
// those that come later. It returns when ctx ends and all have settled.
func (b *Bridge) watchAll(ctx context.Context) {
	var wg sync.WaitGroup
	started := map[string]bool{}
	b.loop(ctx, "watch", b.renewed, func(b *Bridge) (time.Duration, error) {
		for _, s := range b.set().Watched() {
			name := s.Name()
			if started[name] {
				continue
			}
			started[name] = true
			w := b.watchers.of(b, name)
			wg.Go(func() {
				b.loop(ctx, "watch "+name, w.wake, func(b *Bridge) (time.Duration, error) {
					w.b = b
					_, more, err := w.watch(ctx)
					if more {
						return 0, err
					}
					return watchPause, err
				})
			})
		}
		return time.Minute, nil
	})
	wg.Wait()
}

// watcher compares the statuses in one table with ours. What it knows may be
// lost: it only spares doing a thing again, and the look at all open
// applications finds what a lost reread would have found.
type watcher struct {
	b      *Bridge // of this round
	name   string  // of the description that has the table
	wake   chan struct{}
	cursor string // of the open applications: where the round has come to
	// Statuses that were not taken over, by number: told once, and not tried
	// again while neither side changes. Of this round, and of the one before.
	told, before map[string]string
	reread       reread
}

// watch looks at the rows that the local system marked as changed, once more at
// those of the last seconds, and at the next of all open applications: so a
// status is seen also where it was committed late, was set without a mark, or
// with one of the past. It gives how many statuses differed from ours, and
// whether more are waiting.
func (w *watcher) watch(ctx context.Context) (n int, more bool, err error) {
	b := w.b
	s, ok := b.set().Service(w.name)
	if !ok {
		return 0, false, nil // taken away since
	}
	mark := "watch/" + w.name
	from, err := b.o.Store.Mark(ctx, mark)
	if err != nil {
		return 0, false, err
	}
	changed, next, err := b.o.Local.Changed(ctx, w.name, from, watchBatch)
	if err != nil {
		return 0, false, err
	}
	more = len(changed) == watchBatch
	late, then, err := w.again(ctx, next)
	if err != nil {
		return 0, false, err
	}
	changed = append(changed, late...)
	page, err := b.o.Store.Applications(ctx, Filter{Service: s.ID, States: openStates}, w.cursor, watchBatch)
	if err != nil {
		return 0, false, err
	}
	apps, err := w.candidates(ctx, s, page.Applications, changed)
	if err != nil {
		return 0, false, err
	}
	n, err = w.compare(ctx, apps)
	more = more || n >= watchMany || !then.waits(b.now())
	if err != nil {
		return n, more, err
	}
	if next != from {
		if err := b.o.Store.SetMark(ctx, mark, next); err != nil {
			return n, more, err
		}
	}
	for _, c := range changed {
		then.seen[c] = true
	}
	w.reread = then
	if w.cursor = page.Next; w.cursor == "" {
		w.before, w.told = w.told, map[string]string{}
	}
	return n, more, nil
}

// candidate is an application with the description under which it was filed.
type candidate struct {
	Application
	s *mappings.Service
}

// candidates are the applications of the round and of the changed rows whose
// edition keeps its statuses in this table. Rows that are none of ours are the
// local system's own business.
func (w *watcher) candidates(ctx context.Context, table *mappings.Service, open []Application, changed []LocalChange) ([]candidate, error) {
	var all []candidate
	add := func(app Application) {
		if s, err := w.b.described(&app); err == nil && app.State != Held && s.SharesStatus(table) {
			all = append(all, candidate{app, s})
		}
	}
	known := map[string]bool{}
	for _, app := range open {
		known[app.Number] = true
		add(app)
	}
	for _, c := range changed {
		if known[c.Number] {
			continue
		}
		known[c.Number] = true
		app, err := w.b.o.Store.Application(ctx, c.Number)
		switch {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			return nil, err
		case app.Service == table.ID:
			add(*app)
		}
	}
	return all, nil
}

// compare takes over the statuses that differ from ours.
func (w *watcher) compare(ctx context.Context, apps []candidate) (int, error) {
	rows, err := w.rows(ctx, apps)
	if err != nil {
		return 0, err
	}
	var differ []candidate
	for _, app := range apps {
		if row, ok := rows[app.Number]; ok && w.differs(&app, row) {
			// What we have not written there yet says nothing of what they did.
			waiting, err := w.b.o.Store.Deliveries(ctx, DeliveryFilter{Application: app.Number, Route: ToLocal, States: []DeliveryState{Queued, Dead}}, "", 1)
			if err != nil {
				return 0, err
			}
			if len(waiting.Deliveries) == 0 {
				differ = append(differ, app)
			}
		}
	}
	// Read once more, now that nothing of ours is under way: with the version
	// that was read before, nothing can have come between.
	if rows, err = w.rows(ctx, differ); err != nil {
		return 0, err
	}
	differ = slices.DeleteFunc(differ, func(app candidate) bool {
		row, ok := rows[app.Number]
		return !ok || !w.differs(&app, row)
	})
	n := 0
	for some := range slices.Chunk(differ, watchAtOnce) {
		faults := w.takeOver(ctx, some, rows)
		for i, app := range some {
			row, err := rows[app.Number], faults[i]
			switch {
			case err == nil:
				n++
			case CodeOf(err) == StaleVersion: // seen again in the next round, as it is then
			case CodeOf(err) == TryLater || ctx.Err() != nil:
				return n, err
			default:
				n++
				w.told[app.Number] = refusal(&app, row)
				w.b.log.Warn("status of the local database not taken over", zap.String("application", app.Number), zap.String("local_code", row.Code), keptTraceID(app.Trace), zap.Error(err))
			}
		}
	}
	return n, nil
}

// takeOver makes statuses of the local database ours, and gives for each what
// stood against it.
func (w *watcher) takeOver(ctx context.Context, apps []candidate, rows map[string]LocalStatus) []error {
	faults := make([]error, len(apps))
	var all sync.WaitGroup
	for i, app := range apps {
		all.Go(func() {
			failpoint.Here(failpoint.StatusSeen)
			faults[i] = w.b.guard(func() error { return w.b.follow(ctx, app.Version, rows[app.Number]) }, zap.String("application", app.Number))
		})
	}
	all.Wait()
	return faults
}

// refusal is a status that was not taken over, on an application as it was.
func refusal(app *candidate, row LocalStatus) string {
	return strconv.FormatInt(app.Version, 10) + " " + row.Code
}

// differs says whether a row's status is worth asking about.
func (w *watcher) differs(app *candidate, row LocalStatus) bool {
	if ours, ok := app.s.Status(string(app.State)); ok && ours.Local == row.Code {
		return false
	}
	if known := refusal(app, row); w.told[app.Number] == known || w.before[app.Number] == known {
		w.told[app.Number] = known
		return false
	}
	return true
}

func (w *watcher) rows(ctx context.Context, apps []candidate) (map[string]LocalStatus, error) {
	rows := map[string]LocalStatus{}
	for some := range slices.Chunk(apps, watchBatch) {
		var numbers []string
		for _, a := range some {
			numbers = append(numbers, a.Number)
		}
		all, err := w.b.o.Local.Statuses(ctx, w.name, numbers)
		if err != nil {
			return nil, err
		}
		for _, r := range all {
			rows[r.Number] = r
		}
	}
	return rows, nil
}

// follow makes one status of the local database ours.
func (b *Bridge) follow(ctx context.Context, version int64, row LocalStatus) error {
	who := Actor{Name: "local"}
	_, err := b.amend(ctx, row.Number, version, func(d *draft) error {
		status, ok := d.service.StatusByLocal(row.Code) // of the edition it was filed under
		if !ok {
			b.driftedLocally(ctx, d.service.ID)
			return refuse(Malformed, "status", "the code is not in the table of statuses")
		}
		to := State(status.State)
		d.quiet = true
		switch to {
		case Refused:
			g, err := d.decided(&Ground{Text: row.Reason})
			if err != nil {
				return err
			}
			d.app.Refusal = g
		case InProgress:
			d.app.Executor = who
		case Completed:
			// The portal would tell the citizen of a result that is not there.
			if d.app.Result == nil {
				return refuse(MoveNotAllowed, "status", "an application is completed through the bridge: its signed result must be handed in")
			}
		case Suspended:
			return refuse(MoveNotAllowed, "status", "a term is suspended through the bridge: its length and the reason must be told")
		case Extended:
			return refuse(MoveNotAllowed, "status", "a term is extended through the bridge: the new end and the reason must be told")
		}
		return d.enter(to, who)
	})
	return err
}
