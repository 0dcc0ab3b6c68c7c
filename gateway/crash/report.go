package crash

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"kopir/gateway/failpoint"
)

// DefaultBar is within what a node must accept again after it was killed.
const DefaultBar = 3 * time.Second

// Report is what a trial showed.
type Report struct {
	Verdict
	Options   Options
	Kills     map[string]int
	Troubles  map[string]int
	Cut       int64
	Ended     int // processes that gave up by themselves, and were started again
	Recovered []time.Duration
	Answered  []time.Duration // at the first try
	Loaded    time.Duration   // how long there was load
	Took      time.Duration
	Unpassed  []failpoint.Point // that nothing came by
	Gone      []Outage
	Growth    []Growth // of a trial without kills
	Disk      string
}

func (t *trial) report(e *Evidence, v Verdict) *Report {
	r := &Report{Verdict: v, Options: t.o, Kills: t.fleet.kills, Troubles: t.troubled, Ended: t.fleet.failed, Recovered: t.fleet.recovered,
		Answered: t.load.times, Loaded: t.loaded, Took: time.Since(t.began), Disk: t.disk.about,
		Gone: t.gone, Growth: t.growths()}
	for _, p := range t.proxies {
		r.Cut += p.done.Load()
	}
	slices.Sort(r.Recovered)
	slices.Sort(r.Answered)
	if t.o.Failing && t.o.Trouble != Nothing {
		passed := t.fleet.passed()
		for _, row := range failpoint.Points() {
			if !passed[string(row.Point)] && !row.Rare && !row.Aged && !(row.Alone && t.o.Database == Postgres) {
				r.Unpassed = append(r.Unpassed, row.Point)
			}
		}
	}
	r.judge()
	t.tables.keep = !r.Good()
	return r
}

// judge says what is wrong beside the messages.
func (r *Report) judge() {
	for _, o := range r.Gone {
		if o.What == "store" && o.Taken > 0 {
			r.Findings = append(r.Findings, Finding{Other, "the store", fmt.Sprintf("%d messages were acknowledged while it was away", o.Taken)})
		}
		if o.Times() < CatchUp {
			r.Findings = append(r.Findings, Finding{Other, "the " + o.What + " database", o.String()})
		}
	}
	for _, g := range r.Growth {
		if r.Loaded >= longEnough && g.TooMuch() {
			r.Findings = append(r.Findings, Finding{Other, g.Node, g.String()})
		}
	}
	late, bar := 0, r.Options.Bar
	for _, d := range r.Recovered {
		if bar > 0 && d > bar {
			late++
		}
	}
	if late > 0 {
		r.Findings = append(r.Findings, Finding{Other, "recovery", fmt.Sprintf("%d of %d times it took longer than %s: %s", late, len(r.Recovered), bar, spread(r.Recovered))})
	}
	// A trial that ended by its time before it had its kills was not asked to come by everything.
	if asked := r.Options.Kills; len(r.Unpassed) > 0 && asked >= len(failpoint.Points()) && r.kills() >= asked {
		r.Findings = append(r.Findings, Finding{Other, "points", fmt.Sprintf("nothing came by %v in %d kills", r.Unpassed, r.kills())})
	}
}

// kills are those of processes; a pause is none.
func (r *Report) kills() (n int) {
	for how, times := range r.Kills {
		if !strings.HasPrefix(how, "paused") {
			n += times
		}
	}
	return n
}

// asked is told beside what there was, where the trial was asked for so many.
func asked(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", asked for %d", n)
}

// Good says whether the bridge did nothing wrong.
func (r *Report) Good() bool { return len(r.Findings) == 0 }

// Messages are all that went over a wire once or more: what partners sent and
// what they were told.
func (r *Report) Messages() int { return r.Sent + r.Repeated + r.Notices + r.Rows }

// mostFindings are shown; the rest is in report.txt.
const mostFindings = 40

// String is the table for people, with the first findings.
func (r *Report) String() string { return r.table(mostFindings) }

// whole has all of them.
func (r *Report) whole() string { return r.table(len(r.Findings)) }

func (r *Report) table(most int) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t"+format+"\n", append([]any{name}, args...)...)
	}
	o := r.Options
	line("trial", "%s, %d node(s), %s keys, seed %d, load for %s, %s altogether", o.Database, o.Nodes, o.Keys, o.Seed, r.Loaded.Round(time.Second), r.Took.Round(time.Second))
	line("sent", "%d applications%s (%.1f/s), %d times more because nothing or too little came back", r.Sent, asked(o.Messages), float64(r.Sent)/r.Loaded.Seconds(), r.Repeated)
	line("accepted", "%d", r.Accepted)
	line("refused", "%d, as they should be", r.Refused)
	line("effected", "%d applications exactly once: %d local rows, %d changes of state, %d notices taken by the gateway", r.Effected, r.Rows, r.Moves, r.Notices)
	line("messages", "%d in all", r.Messages())
	for _, k := range []Kind{Lost, Doubled, Reordered, Broken, Changed, Other} {
		line(string(k), "%d", r.Kinds[k])
	}
	line("kills", "%d%s", r.kills(), asked(o.Kills))
	for _, how := range slices.Sorted(maps.Keys(r.Kills)) {
		line("  "+how, "%d", r.Kills[how])
	}
	line("commits cut off", "%d", r.Cut)
	for _, what := range slices.Sorted(maps.Keys(r.Troubles)) {
		line(what, "%d", r.Troubles[what])
	}
	for _, o := range r.Gone {
		line(o.What+" database", "%s", o)
	}
	for _, g := range r.Growth {
		line(g.Node, "%s", g)
	}
	line("disk", "%s", r.Disk)
	line("ended by itself", "%d", r.Ended)
	line("recovery", "%s (bar %s)", spread(r.Recovered), o.Bar)
	line("first answer", "%s", spread(r.Answered))
	if len(r.Unpassed) > 0 {
		line("points not passed", "%v", r.Unpassed)
	}
	w.Flush()
	for i, f := range r.Findings {
		if i == most {
			fmt.Fprintf(&b, "… and %d more\n", len(r.Findings)-i)
			break
		}
		fmt.Fprintln(&b, f)
	}
	return b.String()
}

// spread is the middle and the end of sorted times.
func spread(all []time.Duration) string {
	if len(all) == 0 {
		return "none"
	}
	at := func(q float64) time.Duration {
		return all[min(len(all)-1, int(q*float64(len(all))))].Round(time.Millisecond)
	}
	return fmt.Sprintf("p50 %s, p99 %s, max %s, of %d", at(0.5), at(0.99), at(1), len(all))
}
