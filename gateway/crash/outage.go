package crash

import (
	"context"
	"fmt"
	"time"
)

// CatchUp is how many times faster than it comes the bridge must work off what
// has gathered while a database was away.
const CatchUp = 3

// Outage is a database that was away under load, and what followed.
type Outage struct {
	What    string        // store or local
	Away    time.Duration // how long
	Taken   int           // messages that were acknowledged meanwhile
	Waiting int           // what had gathered when it was back: messages, deliveries
	Behind  time.Duration // from then until nothing waited that did not come just now; zero: never
	Rows    int           // that the local database got in this time
	Rate    float64       // applications a second that came
}

// Times is how much faster than applications came they were wholly done.
func (o Outage) Times() float64 {
	if o.Behind == 0 {
		return 0
	}
	return float64(o.Rows) / o.Behind.Seconds() / o.Rate
}

func (o Outage) String() string {
	if o.Behind == 0 {
		return fmt.Sprintf("away for %s: %d acknowledged meanwhile; what waited (%d) was not caught up with", o.Away, o.Taken, o.Waiting)
	}
	return fmt.Sprintf("away for %s: %d acknowledged meanwhile; %d waited then, caught up within %s, at %.1f times the rate of arrival (bar %d)",
		o.Away, o.Taken, o.Waiting, o.Behind.Round(100*time.Millisecond), o.Times(), CatchUp)
}

// warm is how long there is load before a database goes away.
const warm = 10 * time.Second

// onTheWire is how long the answer to what was written before may take.
const onTheWire = 2 * time.Second

// outages takes the store away, lets the bridge catch up, then the local database.
func (t *trial) outages(ctx context.Context) {
	for i, what := range []string{"store", "local"} {
		pause(ctx, warm)
		began := time.Now()
		t.away(i, true)
		t.diary.note("the %s database is away for %s", what, t.o.Away)
		pause(ctx, onTheWire)
		before := t.load.acknowledged()
		pause(ctx, t.o.Away-onTheWire)
		o := Outage{What: what, Away: time.Since(began).Round(time.Second), Taken: t.load.acknowledged() - before, Rate: t.o.Rate}
		rows := t.tables.rows(ctx)
		o.Waiting, _ = t.behind(ctx)
		t.away(i, false)
		back := time.Now()
		t.diary.note("the %s database is back, and %d wait", what, o.Waiting)
		for end := back.Add(t.o.Away + time.Minute); time.Now().Before(end) && ctx.Err() == nil; pause(ctx, 100*time.Millisecond) {
			// What came within the last seconds may be on its way.
			if n, err := t.behind(ctx); err == nil && float64(n) <= 3*t.o.Rate {
				o.Behind, o.Rows = time.Since(back), t.tables.rows(ctx)-rows
				break
			}
		}
		t.diary.note("%s database %s", what, o)
		t.gone = append(t.gone, o)
	}
}

// away takes every node's i-th connection: the store, the local database.
func (t *trial) away(i int, gone bool) {
	for ; i < len(t.proxies); i += 2 {
		if gone {
			t.proxies[i].sever(true)
		} else {
			t.proxies[i].away.Store(false)
		}
	}
}

// behind is what waits: messages that their senders could not bring yet, and
// deliveries.
func (t *trial) behind(ctx context.Context) (int, error) {
	queued, err := t.tables.queued(ctx)
	return t.load.backlog() + queued, err
}
