// Package crash is the proof that a bridge loses nothing: it starts real
// processes of it, loads them through the simulator, kills, pauses and cuts them
// off at every moment, and then holds against each other what was sent, what the
// bridge kept, what stands in the local database and what partners were told.
//
// Rules it keeps:
//
//   - It shares no code with the rules of the bridge: it knows processes, the
//     simulator, envelopes, and the tables by their SQL. What it counts it counts
//     itself; nothing unique, nothing idempotent stands between an effect and
//     its count (witness.go, the triggers in tables.go).
//   - Whatever was acknowledged must have had its one effect; whatever was not
//     is repeated until it is. A fault that says "never again" to a good message
//     counts as lost.
//   - Every choice comes from one seed. Where processes run differently from run
//     to run, the diary tells what was done and when.
//   - The reconciler (reconcile.go) is a pure function that is tested with
//     losses, doubles, disorder and broken journals.
package crash

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"kopir/gateway/failpoint"
	"kopir/gateway/sim"
)

// Options say what is tried. All but DSN are required.
type Options struct {
	Command  []string // a kopir of this build, as it is started before its verb
	Failing  bool     // that build obeys failpoints
	Database string   // sqlite or postgres
	DSN      string   // postgres: a server on which databases may be made
	Nodes    int      // processes on the one store
	Kills    int      // at least so many
	Messages int      // at least so many applications
	Rate     float64  // applications a second
	Acting   int      // of how many applications in a hundred the staff does something
	Seed     uint64
	Keys     sim.Keys      // with what everybody signs
	For      time.Duration // at most, for kills and messages; the drain comes on top
	Bar      time.Duration // within what a killed process must accept again; zero: that is told only
	Quiet    time.Duration // between two troubles; zero: from Kills and For
	Trouble  Trouble       // what is done to the processes; empty: everything
	Away     time.Duration // how long each database is away once; zero: not; instead of kills and messages
	Dir      string        // for everything; must be empty
	Out      io.Writer     // what happens, for people
	// Key is the staff's for the REST door, and KeyHash what a configuration
	// holds of it.
	Key, KeyHash string
}

// Trouble is what is done to the processes of a trial.
type Trouble string

// The troubles.
const (
	Everything Trouble = "all"
	KillsOnly  Trouble = "kills"
	Nothing    Trouble = "none" // load alone, for as long as it is asked for
)

// disturbed says whether anything is done to the processes or their databases.
// Where nothing is, there is neither anything between them nor anybody behind the
// gateway: that would only cost time.
func (o Options) disturbed() bool { return o.Trouble != Nothing || o.Away > 0 }

// Databases that can be chosen.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// drainFor is how long nothing may settle after the last trouble, while something
// waits: a delivery that failed five times rests for ten minutes.
const drainFor = 15 * time.Minute

// trial is one run.
type trial struct {
	o       Options
	diary   *diary
	sim     *sim.Sim
	seen    *witness
	tables  *tables
	proxies []*proxy // two a node, where PostgreSQL is disturbed: before its store and the local database
	fleet   *fleet
	load    *load
	staff   *staff
	disk    *disk
	began   time.Time
	loaded  time.Duration // how long there was load

	troubled map[string]int // how often, of what is no kill
	gone     []Outage
	gauged   [][][]float64 // by node and moment
}

// Run makes a trial. The error is of the trial itself: what the bridge did
// wrong is in the report.
func Run(ctx context.Context, o Options) (rep *Report, err error) {
	t := &trial{o: o, began: time.Now()}
	if t.diary, err = newDiary(o.Dir, o.Out); err != nil {
		return nil, err
	}
	defer t.diary.close()
	var closers []func() error
	defer func() {
		for i := len(closers) - 1; i >= 0; i-- {
			err = errors.Join(err, closers[i]())
		}
	}()

	// The world around the bridge.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t.seen = newWitness()
	t.sim, err = sim.New(sim.Config{
		BaseURL: "http://" + listener.Addr().String(), Keys: o.Keys, Witness: t.seen, Remember: 500, Messages: 1 << 40, // what was sent is told of long afterwards
		Unread: !o.disturbed(),
		Retry:  func(int) (time.Duration, bool) { return 300 * time.Millisecond, true }, // the gateway never gives up
	})
	if err != nil {
		listener.Close()
		return nil, err
	}
	door := &http.Server{Handler: t.sim.Handler(), ReadHeaderTimeout: 10 * time.Second}
	var serving sync.WaitGroup
	serving.Go(func() { door.Serve(listener) })
	closers = append(closers, func() error { t.sim.Close(); err := door.Close(); serving.Wait(); return err })

	if t.disk, err = newDisk(o); err != nil {
		return nil, err
	}
	closers = append(closers, t.disk.close)
	t.diary.note("disk: %s", t.disk.about)
	if t.tables, err = newTables(ctx, o); err != nil {
		return nil, err
	}
	closers = append(closers, t.tables.close)
	nodes, err := t.site()
	if err != nil {
		return nil, err
	}
	for _, p := range t.proxies {
		closers = append(closers, p.close)
	}
	t.fleet = newFleet(o, nodes, t.diary)
	if t.load, err = newLoad(t); err != nil {
		return nil, err
	}
	if t.staff, err = newStaff(t); err != nil {
		return nil, err
	}

	if err := t.live(ctx); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	t.diary.note("reconciling")
	all, err := t.evidence(ctx)
	if err != nil {
		return nil, err
	}
	rep = t.report(all, Reconcile(all))
	return rep, os.WriteFile(filepath.Join(o.Dir, "report.txt"), []byte(rep.whole()), 0o600)
}

// live lets the bridge work and suffer until enough has happened, then lets
// everything settle and stops it.
func (t *trial) live(ctx context.Context) error {
	life, die := context.WithCancel(ctx)
	defer die()
	rng := rand.New(rand.NewPCG(t.o.Seed, 1))
	if t.o.Failing && t.o.Trouble != Nothing { // the schema is made in several lives
		if err := writeFile(t.fleet.nodes[0].control, []byte(string(failpoint.MigrationDone)+":3\n")); err != nil {
			return err
		}
	}
	t.fleet.start(life, t.load.probe)
	defer t.fleet.stop()
	if err := t.fleet.ready(ctx); err != nil {
		return err
	}
	if err := t.tables.watchRows(ctx); err != nil {
		return err
	}
	close(t.load.begun)
	t.sim.SetBridge(sim.Bridge{AsyncURL: t.load.front(), SyncURL: t.load.front(), Notify: t.o.disturbed()})
	t.diary.note("%d nodes on %s serve, seed %d", t.o.Nodes, t.o.Database, t.o.Seed)

	busy, rest := context.WithTimeout(life, t.o.For)
	defer rest()
	began := time.Now()
	var wg sync.WaitGroup
	wg.Go(func() { t.load.run(life, busy) })
	wg.Go(func() { t.staff.run(life) })
	chaos := &chaos{t: t, rng: rng, busy: map[string]bool{}, count: map[string]int{}}
	if t.o.Trouble != Nothing {
		wg.Go(func() { chaos.run(busy) })
	}
	wg.Go(func() { t.sample(busy) })
	wg.Go(func() {
		if t.o.Away > 0 {
			t.outages(busy)
			rest()
		}
		for busy.Err() == nil && (t.load.sent() < t.o.Messages || t.fleet.killed() < t.o.Kills) {
			pause(busy, 100*time.Millisecond)
		}
		rest()
	})
	<-busy.Done()
	if ctx.Err() != nil {
		die()
		wg.Wait()
		return context.Cause(ctx)
	}
	chaos.settle()
	t.troubled = chaos.count
	t.loaded = time.Since(began)
	t.diary.note("no more trouble after %s, %d sent, %d kills; now everything settles", t.loaded.Round(time.Second), t.load.sent(), t.fleet.killed())
	if err := t.drain(ctx); err != nil && ctx.Err() == nil {
		t.diary.note("not settled: %s", err) // what is missing the reconciler names
	}
	t.load.repeatOld(ctx)
	die()
	wg.Wait()
	return nil
}

// drain waits until nobody waits for anything.
func (t *trial) drain(ctx context.Context) error {
	told, least := time.Now(), math.MaxInt
	for end := told.Add(drainFor); ; pause(ctx, 200*time.Millisecond) {
		open := t.load.open()
		acting := t.staff.open()
		queued, err := t.tables.queued(ctx)
		if err == nil && open+acting+queued == 0 {
			return nil
		}
		if all := open + acting + queued; err == nil && all < least {
			least, end = all, time.Now().Add(drainFor)
		}
		if time.Since(told) > 20*time.Second {
			told = time.Now()
			t.diary.note("waiting for %d answers, %d acts of the staff, %d deliveries", open, acting, queued)
		}
		if ctx.Err() != nil || time.Now().After(end) {
			return fmt.Errorf("%d messages without an answer, %d acts of the staff, %d deliveries (%v)", open, acting, queued, err)
		}
	}
}

// pause waits, or returns when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
