package crash

import (
	"fmt"
	"slices"
	"strings"
)

// Kind is how a bridge failed.
type Kind string

// The kinds. Other is what no bridge may do either: it says which.
const (
	Lost      Kind = "lost"
	Doubled   Kind = "doubled"
	Reordered Kind = "reordered"
	Broken    Kind = "journal break"
	Changed   Kind = "answer changed"
	Other     Kind = "other"
)

// Finding is one fault, with where to look.
type Finding struct {
	Kind        Kind
	Application string // or the message that became none
	What        string
}

func (f Finding) String() string { return fmt.Sprintf("%s: %s: %s", f.Kind, f.Application, f.What) }

// Totals count what happened.
type Totals struct {
	Sent, Accepted, Refused, Unanswered int
	Repeated                            int // tries beyond the first
	Effected                            int // applications with every effect exactly once
	Rows, Notices, Moves                int
	Kinds                               map[Kind]int
}

// Verdict is what the reconciliation found.
type Verdict struct {
	Totals
	Findings []Finding
}

// codes are the partners' words for a state, and local the local table's.
var (
	codes = map[string]map[string]string{
		"portal": {"received": "ACCEPTED", "in_progress": "IN_PROCESSING", "completed": "COMPLETED", "refused": "REJECTED"},
		"csc":    {"received": "1", "in_progress": "2", "completed": "3", "refused": "4"},
	}
	local = map[string]string{"received": "10", "in_progress": "20", "completed": "30", "refused": "40"}
)

// reconciler holds the sides against each other.
type reconciler struct {
	e *Evidence
	v Verdict

	messages map[[2]string][]KeptMessage // by sender and key
	apps     map[string]KeptApp
	moves    map[string][]KeptMove
	outbox   map[string][]KeptDelivery
	rows     map[string][]RowWrite
	arrivals map[string][]int    // places in the gateway's order, by the bridge's id
	told     map[string][]string // codes that each partner got, by partner and number
	bad      map[string]bool     // applications with a finding
}

// Reconcile finds everything that was lost, doubled, reordered or broken.
func Reconcile(e *Evidence) Verdict {
	r := &reconciler{e: e, messages: map[[2]string][]KeptMessage{}, apps: map[string]KeptApp{}, moves: map[string][]KeptMove{}, outbox: map[string][]KeptDelivery{},
		rows: map[string][]RowWrite{}, arrivals: map[string][]int{}, told: map[string][]string{}, bad: map[string]bool{}}
	r.v.Kinds = map[Kind]int{}
	r.index()
	claimed := r.sent()
	for _, a := range e.Apps {
		if claimed[a.Number] == 0 {
			r.find(Doubled, a.Number, "an application that no message of a partner accounts for")
		}
		r.application(a)
		if !r.bad[a.Number] {
			r.v.Effected++
		}
	}
	r.strangers()
	if e.Journal != "" {
		r.find(Broken, "the journal", "%s", e.Journal)
	}
	for _, p := range e.Panics {
		r.find(Other, "a process", "panic: %s", p)
	}
	return r.v
}

func (r *reconciler) find(k Kind, application, format string, args ...any) {
	r.v.Findings = append(r.v.Findings, Finding{k, application, fmt.Sprintf(format, args...)})
	r.v.Kinds[k]++
	r.bad[application] = true
}

func (r *reconciler) index() {
	for _, m := range r.e.Messages {
		at := [2]string{m.Sender, m.Key}
		r.messages[at] = append(r.messages[at], m)
	}
	for _, a := range r.e.Apps {
		if _, twice := r.apps[a.Number]; twice {
			r.find(Doubled, a.Number, "two applications of one number")
		}
		r.apps[a.Number] = a
	}
	for _, m := range r.e.Moves {
		r.moves[m.Number] = append(r.moves[m.Number], m)
	}
	for _, d := range r.e.Outbox {
		r.outbox[d.Application] = append(r.outbox[d.Application], d)
	}
	for _, w := range r.e.Rows {
		r.rows[w.Number] = append(r.rows[w.Number], w)
	}
	for i, a := range r.e.Arrivals {
		r.arrivals[a.Own] = append(r.arrivals[a.Own], i)
		if codes[a.To] != nil && a.Number != "" {
			at := a.To + " " + a.Number
			r.told[at] = append(r.told[at], a.Code)
		}
	}
	r.v.Rows, r.v.Notices, r.v.Moves = len(r.rows), len(r.e.Arrivals), len(r.e.Moves)
}

// sent follows each message of a partner to what it became; it gives how many
// messages lead to each application.
func (r *reconciler) sent() map[string]int {
	claimed := map[string]int{}
	for _, s := range r.e.Sent {
		r.v.Sent++
		r.v.Repeated += max(0, s.Tries-1)
		kept := r.messages[[2]string{s.Sender, s.Key}]
		for _, m := range kept {
			if m.Application != "" {
				claimed[m.Application]++
			}
		}
		switch {
		case s.Fault != "":
			r.find(Lost, s.ID, "refused for good though nothing was wrong with it: %s", s.Fault)
			continue
		case !s.Acknowledged:
			r.v.Unanswered++
			r.find(Lost, s.ID, "never acknowledged, though it was sent %d times", s.Tries)
			continue
		case len(kept) == 0:
			r.find(Lost, s.ID, "acknowledged, and the bridge has no message of this sender and id (%s, %s)", s.Sender, s.Key)
			continue
		case len(kept) > 1:
			r.find(Doubled, s.ID, "kept %d times", len(kept))
		}
		m := kept[0]
		if s.Changed > 0 {
			r.find(Changed, s.ID, "%d of %d repetitions were answered otherwise than the first", s.Changed, s.Repeats)
		}
		if !s.Async && s.Answer != m.Reply {
			r.find(Changed, s.ID, "the answer that came is not the one that is kept")
		}
		switch {
		case !s.Good:
			r.v.Refused++
			if m.Application != "" {
				r.find(Other, m.Application, "made of a message that had to be refused (%s)", s.ID)
			}
			continue
		case m.Application == "":
			r.find(Lost, s.ID, "acknowledged, and no application: %s", m.Code)
			continue
		case !s.Async && s.Number != m.Application:
			r.find(Changed, s.ID, "answered with the number %q and kept as %q", s.Number, m.Application)
		}
		r.v.Accepted++
		if _, ok := r.apps[m.Application]; !ok {
			r.find(Lost, m.Application, "acknowledged (message %s), and there is no such application", s.ID)
		}
	}
	for number, n := range claimed {
		if n > 1 {
			r.find(Doubled, number, "%d messages lead to it", n)
		}
	}
	return claimed
}

// application follows an application to its row, its states and what partners
// were told.
func (r *reconciler) application(a KeptApp) {
	want := append([]string{"received"}, planOf(r.e.Seed, r.e.Acting, a.Number).states...)
	var states []string
	for i, m := range r.moves[a.Number] {
		if i > 0 && m.From != r.moves[a.Number][i-1].To {
			r.find(Reordered, a.Number, "its history goes from %s to %s and on from %s", r.moves[a.Number][i-1].From, r.moves[a.Number][i-1].To, m.From)
		}
		if m.To != "held" { // which nobody is told of
			states = append(states, m.To)
		}
	}
	if !slices.Equal(states, want) {
		r.find(kindOf(states, want), a.Number, "its states are %v and should be %v", states, want)
	}
	if last := states; len(last) > 0 && a.State != last[len(last)-1] {
		r.find(Lost, a.Number, "it is %s and its history ends with %s", a.State, last[len(last)-1])
	}
	r.row(a, want)
	r.deliveries(a.Number)
	for _, partner := range []string{"portal", "csc"} {
		var due []string
		for _, s := range want {
			due = append(due, codes[partner][s])
		}
		if got := r.told[partner+" "+a.Number]; !slices.Equal(got, due) {
			r.find(kindOf(got, due), a.Number, "%s was told %v and should have been told %v", partner, got, due)
		}
	}
}

// row: the local row is there once, and its status went forward to where it is.
func (r *reconciler) row(a KeptApp, want []string) {
	inserts, last := 0, ""
	var path []string
	for _, w := range r.rows[a.Number] {
		if w.Insert {
			inserts++
		}
		if w.Status != last { // the same status written again changes nothing
			path, last = append(path, w.Status), w.Status
		}
	}
	switch {
	case inserts == 0:
		r.find(Lost, a.Number, "no row in the local database")
		return
	case inserts > 1:
		r.find(Doubled, a.Number, "%d rows were put into the local database", inserts)
	}
	var due []string
	for _, s := range want {
		due = append(due, local[s])
	}
	if !slices.Equal(path, due) {
		r.find(kindOf(path, due), a.Number, "the status of its local row went %v and should have gone %v", path, due)
	}
}

// deliveries: each notice arrived once, in the order of its line.
func (r *reconciler) deliveries(line string) {
	before := map[string]int{}
	for _, d := range r.outbox[line] {
		if d.State != "done" {
			r.find(Lost, line, "its delivery %d on the route %s is %s", d.Seq, d.Route, d.State)
			continue
		}
		if codes[d.Route] == nil {
			continue // which does not pass the gateway's asynchronous door
		}
		at := r.arrivals[d.MessageID]
		switch {
		case len(at) == 0:
			r.find(Lost, line, "its notice %d to %s (%s) is marked as delivered and never came", d.Seq, d.Route, d.MessageID)
			continue
		case len(at) > 1:
			r.find(Doubled, line, "its notice %d to %s (%s) came %d times", d.Seq, d.Route, d.MessageID, len(at))
		}
		if last, ok := before[d.Route]; ok && at[0] < last {
			r.find(Reordered, line, "its notice %d to %s came before the one that precedes it", d.Seq, d.Route)
		}
		before[d.Route] = at[0]
	}
}

// strangers are effects that nothing accounts for.
func (r *reconciler) strangers() {
	known := map[string]bool{}
	for line, all := range r.outbox {
		for _, d := range all {
			known[d.MessageID] = true
		}
		if strings.HasPrefix(line, "message/") {
			r.deliveries(line)
		}
	}
	for _, a := range r.e.Arrivals {
		if codes[a.To] != nil && !known[a.Own] {
			r.find(Doubled, a.Number, "%s was sent a notice (%s) that the bridge knows nothing of", a.To, a.Own)
		}
	}
	for number := range r.rows {
		if _, ok := r.apps[number]; !ok {
			r.find(Doubled, number, "a row in the local database without an application")
		}
	}
}

// kindOf names how a sequence differs from what it should be.
func kindOf(got, want []string) Kind {
	a, b := slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	switch {
	case slices.Equal(a, b):
		return Reordered
	case len(got) > len(want):
		return Doubled
	default:
		return Lost
	}
}
