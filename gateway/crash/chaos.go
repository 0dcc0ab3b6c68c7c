package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"kopir/gateway/failpoint"
	"kopir/gateway/sim"
)

// pauseFor is longer than the others wait until they take over what a silent
// process had under way (30 s), and than the term of a leader.
const pauseFor = 36 * time.Second

// chaos makes trouble, one after the other as the seed has it; some of it lasts
// while more comes.
type chaos struct {
	t   *trial
	rng *rand.Rand
	wg  sync.WaitGroup

	mu    sync.Mutex
	busy  map[string]bool // kinds that are under way
	count map[string]int  // of troubles that are no kills
	next  int             // of the points
}

// trouble is one kind of it. It says what it did, or nothing when it did not.
type trouble struct {
	name     string
	weight   int
	possible func(*trial) bool
	make     func(*chaos, context.Context) string
}

func always(*trial) bool           { return true }
func onServer(t *trial) bool       { return t.o.Database == Postgres }
func withFailpoints(t *trial) bool { return t.o.Failing }

var troubles = []trouble{
	{"kill", 40, always, (*chaos).kill},
	{"kill at a point", 40, withFailpoints, (*chaos).killAtPoint},
	{"pause", 3, always, (*chaos).pause},
	{"pause at a point", 2, func(t *trial) bool { return t.o.Failing && t.o.Nodes > 1 }, (*chaos).pauseAtPoint},
	{"cut during commit", 25, onServer, (*chaos).cut},
	{"database away", 2, onServer, (*chaos).away},
	{"peer", 12, always, (*chaos).peer},
	{"disk full", 3, func(t *trial) bool { return t.disk.small }, (*chaos).fill},
	{"clock", 2, withFailpoints, (*chaos).clock},
}

// run makes trouble until ctx ends.
func (c *chaos) run(ctx context.Context) {
	quiet := c.t.o.Quiet
	if quiet == 0 {
		quiet = c.t.o.For * 9 / 10 / time.Duration(max(c.t.o.Kills, 1)) * 8 / 10
	}
	var all []trouble
	for _, x := range troubles {
		if x.possible(c.t) && (c.t.o.Trouble != KillsOnly || strings.HasPrefix(x.name, "kill")) {
			for range x.weight {
				all = append(all, x)
			}
		}
	}
	for ctx.Err() == nil {
		pause(ctx, quiet/2+time.Duration(c.rng.Int64N(int64(quiet)+1)))
		if ctx.Err() != nil {
			return
		}
		x := all[c.rng.IntN(len(all))]
		if did := x.make(c, ctx); did != "" {
			c.t.diary.write("trouble: %s", did)
		}
	}
}

// settle ends all trouble.
func (c *chaos) settle() {
	c.wg.Wait()
	for _, p := range sim.Parts() {
		c.t.sim.SetTrouble(p, sim.Trouble{})
	}
}

// whoever is a node by chance.
func (c *chaos) whoever() *node { return c.t.fleet.nodes[c.rng.IntN(len(c.t.fleet.nodes))] }

func (c *chaos) kill(context.Context) string {
	n := c.whoever()
	if !n.running() {
		return ""
	}
	c.t.fleet.kill(n, "at random")
	return "kill " + n.name
}

// during does something that lasts, one of a kind at a time, beside the rest.
func (c *chaos) during(ctx context.Context, kind string, do func(context.Context)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy[kind] {
		return false
	}
	c.busy[kind] = true
	if !strings.HasPrefix(kind, "point on") {
		c.count[kind]++
	}
	c.wg.Go(func() {
		do(ctx)
		c.mu.Lock()
		c.busy[kind] = false
		c.mu.Unlock()
	})
	return true
}

// points are those that this trial can come by after its first start.
func (t *trial) points() []failpoint.Row {
	return slices.DeleteFunc(failpoint.Points(), func(r failpoint.Row) bool {
		return r.Point == failpoint.MigrationDone || r.Aged || r.Alone && t.o.Database == Postgres
	})
}

// killAtPoint arms one point after the other; a node that does not come by
// within a while is left alone.
func (c *chaos) killAtPoint(ctx context.Context) string {
	points := c.t.points()
	row := points[c.next%len(points)]
	n := c.whoever()
	line := fmt.Sprintf("%s:%d", row.Point, 1+c.rng.IntN(3))
	if row.Start {
		line = fmt.Sprintf("%s:1", row.Point)
	}
	if !c.during(ctx, "point on "+n.name, func(ctx context.Context) { c.armed(ctx, n, line) }) {
		return ""
	}
	c.next++
	if row.Start {
		c.t.fleet.kill(n, "at random") // so that it starts with the point armed
	}
	return "arm " + n.name + " " + line
}

// armed gives a node an order, and takes it back when it is not obeyed.
func (c *chaos) armed(ctx context.Context, n *node, line string) bool {
	if err := writeFile(n.control, []byte(line+"\n")); err != nil {
		return false
	}
	for range 100 {
		pause(ctx, 50*time.Millisecond)
		if !exists(n.control) {
			return true
		}
	}
	remove(n.control)
	return false
}

// pause stops a process for longer than it may hold anything, where others can
// take over, and lets it go on.
func (c *chaos) pause(ctx context.Context) string {
	n, d := c.whoever(), 3*time.Second
	if c.t.o.Nodes > 1 {
		d = pauseFor
	}
	ok := c.during(ctx, "paused", func(ctx context.Context) {
		if c.t.fleet.freeze(n) {
			pause(ctx, d)
			c.t.fleet.thaw(n)
		}
	})
	if !ok {
		return ""
	}
	return fmt.Sprintf("pause %s for %s", n.name, d)
}

// pauseAtPoint stops a process in the middle of a delivery.
func (c *chaos) pauseAtPoint(ctx context.Context) string {
	n := c.whoever()
	all := []failpoint.Point{failpoint.Claimed, failpoint.SendBefore, failpoint.SendAfter, failpoint.RowBefore, failpoint.RowWritten, failpoint.CommitChained, failpoint.LeadTaken, failpoint.StatusSeen}
	line := fmt.Sprintf("%s:1:stop", all[c.rng.IntN(len(all))])
	ok := c.during(ctx, "paused", func(ctx context.Context) {
		if c.armed(ctx, n, line) {
			n.mu.Lock()
			n.frozen = true
			n.mu.Unlock()
			c.t.fleet.count("paused " + line)
			pause(ctx, pauseFor)
			n.firedPoint()
			c.t.fleet.thaw(n)
		}
	})
	if !ok {
		return ""
	}
	return "arm " + n.name + " " + line
}

// cut cuts the next commit of a node off, at one of its databases.
func (c *chaos) cut(context.Context) string {
	p := c.t.proxies[c.rng.IntN(len(c.t.proxies))]
	how := 1 + c.rng.Int32N(cuts-1)
	p.armed.Store(how)
	return fmt.Sprintf("cut at a commit, kind %d", how)
}

// away lets a node, or all, be without a database for some seconds.
func (c *chaos) away(ctx context.Context) string {
	gone := c.t.proxies
	if c.rng.IntN(2) == 0 {
		gone = gone[:2]
	}
	d := time.Second + time.Duration(c.rng.IntN(4000))*time.Millisecond
	ok := c.during(ctx, "database away", func(ctx context.Context) {
		for _, p := range gone {
			p.sever(true)
		}
		pause(ctx, d)
		for _, p := range gone {
			p.away.Store(false)
		}
		freed(c.t.fleet.nodes...)
	})
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d connections to databases are away for %s", len(gone), d)
}

// peer lets a partner misbehave.
func (c *chaos) peer(ctx context.Context) string {
	times := 1 + c.rng.IntN(4)
	type ill struct {
		part sim.Part
		what sim.Trouble
	}
	all := []ill{
		{sim.PartAsync, sim.Trouble{LoseAnswer: true}}, {sim.PartAsync, sim.Trouble{Failed: true}}, {sim.PartAsync, sim.Trouble{Garbage: true}},
		{sim.PartAsync, sim.Trouble{Down: true}}, {sim.PartAsync, sim.Trouble{WrongID: true}}, {sim.PartAsync, sim.Trouble{Late: sim.Duration(12 * time.Second)}},
		{sim.PartAsync, sim.Trouble{Status: 503}}, {sim.PartAsync, sim.Trouble{Fault: "SCE909"}}, {sim.PartAsync, sim.Trouble{Delay: sim.Duration(2 * time.Second)}},
		{sim.PartPush, sim.Trouble{LoseAnswer: true}}, {sim.PartPush, sim.Trouble{Duplicate: 2}}, {sim.PartPush, sim.Trouble{Delay: sim.Duration(time.Second)}},
		{sim.PartSync, sim.Trouble{LoseAnswer: true}}, {sim.PartSync, sim.Trouble{Garbage: true}}, {sim.PartSync, sim.Trouble{Down: true}}, {sim.PartRegistry, sim.Trouble{Status: 500}},
		{sim.PartOCSP, sim.Trouble{Down: true}}, {sim.PartTSP, sim.Trouble{Down: true}},
	}
	one := all[c.rng.IntN(len(all))]
	one.what.Times = times
	if err := c.t.sim.SetTrouble(one.part, one.what); err != nil {
		return err.Error()
	}
	c.mu.Lock()
	c.count["peers"]++
	c.mu.Unlock()
	return fmt.Sprintf("%s: %+v", one.part, one.what)
}

// fill takes all room on the disk for some seconds.
func (c *chaos) fill(ctx context.Context) string {
	d := time.Second + time.Duration(c.rng.IntN(3000))*time.Millisecond
	ok := c.during(ctx, "disk full", func(ctx context.Context) {
		if err := c.t.disk.fill(); err != nil {
			c.t.diary.note("the disk was not filled: %s", err)
			return
		}
		pause(ctx, d)
		if err := c.t.disk.free(); err != nil {
			c.t.diary.note("the disk was not freed: %s", err)
		}
		freed(c.t.fleet.nodes...)
	})
	if !ok {
		return ""
	}
	return fmt.Sprintf("the disk is full for %s", d)
}

// clock sets the clock of a node for some seconds.
func (c *chaos) clock(ctx context.Context) string {
	n := c.whoever()
	d := time.Duration(3+c.rng.IntN(5)) * time.Second
	by := []string{"3h", "-3h", "20m", "-40m", "30h"}[c.rng.IntN(5)]
	ok := c.during(ctx, "point on "+n.name, func(ctx context.Context) {
		if writeFile(n.control, []byte("clock:"+by+"\n")) == nil {
			pause(ctx, d)
			remove(n.control)
			freed(n)
		}
	})
	if !ok {
		return ""
	}
	c.mu.Lock()
	c.count["clock set"]++
	c.mu.Unlock()
	return "clock of " + n.name + " by " + by
}
