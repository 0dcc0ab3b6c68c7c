package crash

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"kopir/gateway/failpoint"
)

// numberOf finds a number for which the staff follows a plan.
func numberOf(t *testing.T, name string) string {
	t.Helper()
	for i := range 10_000 {
		if n := fmt.Sprintf("UC-2026-%06d", i); planOf(1, DefaultActing, n).name == name {
			return n
		}
	}
	t.Fatalf("no number has the plan %q", name)
	return ""
}

// flawless is what is left after one application that was taken into work, one
// that was only received, and one message that was refused.
func flawless(t *testing.T) *Evidence {
	taken, left := numberOf(t, "take"), numberOf(t, "leave")
	answer := sha256.Sum256([]byte("answer"))
	e := &Evidence{Seed: 1, Acting: DefaultActing, Sent: []Sent{
		{ID: "a", Sender: "PEP", Key: "a", Good: true, Acknowledged: true, Number: taken, Answer: answer, Tries: 3, Repeats: 1},
		{ID: "b", Sender: "PEP", Key: "77", Good: true, Async: true, Acknowledged: true, Tries: 1},
		{ID: "c", Sender: "CON", Key: "c", Acknowledged: true, Answer: answer, Tries: 1},
	}, Messages: []KeptMessage{
		{Sender: "PEP", Key: "a", Application: taken, Reply: answer}, {Sender: "PEP", Key: "77", Application: left},
		{Sender: "CON", Key: "c", Code: "service_refused", Reply: answer},
	}, Apps: []KeptApp{{taken, "in_progress", "portal"}, {left, "received", "portal"}},
		Moves: []KeptMove{{taken, "", "received"}, {taken, "received", "in_progress"}, {left, "", "held"}, {left, "held", "received"}},
		Rows:  []RowWrite{{taken, true, "10"}, {left, true, "10"}, {taken, false, "20"}, {taken, false, "20"}},
	}
	for _, x := range []struct{ number, to, code, id string }{
		{taken, "portal", "ACCEPTED", "1"}, {taken, "csc", "1", "2"}, {left, "portal", "ACCEPTED", "3"}, {left, "csc", "1", "4"},
		{taken, "portal", "IN_PROCESSING", "5"}, {taken, "csc", "2", "6"},
	} {
		seq := int64(1)
		if x.code == "IN_PROCESSING" || x.code == "2" {
			seq = 2
		}
		e.Outbox = append(e.Outbox, KeptDelivery{ID: x.id, Application: x.number, Route: x.to, State: "done", Seq: seq, MessageID: "m" + x.id})
		e.Arrivals = append(e.Arrivals, Arrival{Own: "m" + x.id, To: x.to, Number: x.number, Code: x.code})
	}
	e.Outbox = append(e.Outbox, KeptDelivery{ID: "9", Application: taken, Route: "local", State: "done", Seq: 1, MessageID: "m9"})
	return e
}

// TestFlawless: nothing is found where nothing is wrong.
func TestFlawless(t *testing.T) {
	v := Reconcile(flawless(t))
	if len(v.Findings) > 0 || v.Sent != 3 || v.Accepted != 2 || v.Refused != 1 || v.Effected != 2 || v.Rows != 2 || v.Notices != 6 || v.Repeated != 2 {
		t.Errorf("%+v", v)
	}
}

// TestEveryFaultIsNamed spoils the evidence in one way each, as a bridge would
// that fails so.
func TestEveryFaultIsNamed(t *testing.T) {
	taken := numberOf(t, "take")
	for name, k := range map[string]struct {
		spoil func(*Evidence)
		kind  Kind
		about string // the application or message that is named
	}{
		"no answer for ever":        {func(e *Evidence) { e.Sent[0].Acknowledged = false }, Lost, "a"},
		"refused for good":          {func(e *Evidence) { e.Sent[0].Acknowledged, e.Sent[0].Fault = false, "stale" }, Lost, "a"},
		"message forgotten":         {func(e *Evidence) { e.Messages = e.Messages[1:] }, Lost, "a"},
		"application forgotten":     {func(e *Evidence) { e.Apps = e.Apps[1:] }, Lost, taken},
		"no application made":       {func(e *Evidence) { e.Messages[1].Application = "" }, Lost, "b"},
		"row forgotten":             {func(e *Evidence) { e.Rows = e.Rows[1:2] }, Lost, taken},
		"status of the row":         {func(e *Evidence) { e.Rows = e.Rows[:2] }, Lost, taken},
		"notice never came":         {func(e *Evidence) { e.Arrivals = e.Arrivals[:5] }, Lost, taken},
		"notice never made":         {func(e *Evidence) { e.Arrivals, e.Outbox = e.Arrivals[:5], append(e.Outbox[:5:5], e.Outbox[6]) }, Lost, taken},
		"notice given up":           {func(e *Evidence) { e.Outbox[0].State = "dead" }, Lost, taken},
		"change of state forgotten": {func(e *Evidence) { e.Moves = append(e.Moves[:1:1], e.Moves[2:]...) }, Lost, taken},
		"state is not the last":     {func(e *Evidence) { e.Apps[0].State = "received" }, Lost, taken},

		"two messages kept":        {func(e *Evidence) { e.Messages = append(e.Messages, e.Messages[0]) }, Doubled, "a"},
		"two messages, one number": {func(e *Evidence) { e.Messages[1].Application = taken }, Doubled, taken},
		"application of nobody":    {func(e *Evidence) { e.Apps = append(e.Apps, KeptApp{"UC-2026-999999", "received", "portal"}) }, Doubled, "UC-2026-999999"},
		"one number twice":         {func(e *Evidence) { e.Apps = append(e.Apps, e.Apps[0]) }, Doubled, taken},
		"two rows":                 {func(e *Evidence) { e.Rows = append(e.Rows, RowWrite{taken, true, "20"}) }, Doubled, taken},
		"row of nothing":           {func(e *Evidence) { e.Rows = append(e.Rows, RowWrite{"UC-1", true, "10"}) }, Doubled, "UC-1"},
		"notice came twice":        {func(e *Evidence) { e.Arrivals = append(e.Arrivals, e.Arrivals[4]) }, Doubled, taken},
		"two notices of one state": {func(e *Evidence) {
			twice := e.Arrivals[4]
			twice.Own = "m10"
			e.Arrivals = append(e.Arrivals, twice)
			e.Outbox = append(e.Outbox, KeptDelivery{"10", taken, "portal", "done", 3, "m10"})
		}, Doubled, taken},
		"notice nobody knows of": {func(e *Evidence) {
			e.Arrivals = append(e.Arrivals, Arrival{Own: "x", To: "portal", Number: taken, Code: "REJECTED"})
		}, Doubled, taken},
		"taken into work twice":       {func(e *Evidence) { e.Moves = append(e.Moves, KeptMove{taken, "in_progress", "in_progress"}) }, Doubled, taken},
		"notices in the wrong order":  {func(e *Evidence) { e.Arrivals[0], e.Arrivals[4] = e.Arrivals[4], e.Arrivals[0] }, Reordered, taken},
		"row's status goes backwards": {func(e *Evidence) { e.Rows[0].Status, e.Rows[2].Status, e.Rows[3].Status = "20", "10", "10" }, Reordered, taken},
		"history with a gap":          {func(e *Evidence) { e.Moves[1].From = "extended" }, Reordered, taken},

		"another answer to a repetition": {func(e *Evidence) { e.Sent[0].Changed = 1 }, Changed, "a"},
		"another answer than is kept":    {func(e *Evidence) { e.Sent[0].Answer[0]++ }, Changed, "a"},
		"another number than is kept":    {func(e *Evidence) { e.Sent[0].Number = "UC-2026-888888" }, Changed, "a"},
		"the bad message accepted":       {func(e *Evidence) { e.Messages[2].Application = taken }, Other, taken},
		"journal":                        {func(e *Evidence) { e.Journal = "broken: record 12 was changed" }, Broken, "the journal"},
		"panic":                          {func(e *Evidence) { e.Panics = []string{"node1: panic: nil"} }, Other, "a process"},
	} {
		t.Run(name, func(t *testing.T) {
			e := flawless(t)
			k.spoil(e)
			v := Reconcile(e)
			for _, f := range v.Findings {
				if f.Kind == k.kind && f.Application == k.about && f.What != "" {
					rep := &Report{Verdict: v, Loaded: 1}
					if rep.Good() || !strings.Contains(rep.String(), f.String()) {
						t.Errorf("the report does not say so: %s", rep)
					}
					return
				}
			}
			t.Errorf("want %s of %s, found %v", k.kind, k.about, v.Findings)
		})
	}
}

// TestTooSlowOrTooMuch: a database that came back and was caught up with too
// slowly, an acknowledgement while the store was away, a process that used more
// and more, one that was not back in time after a kill, and points that nothing
// came by in a trial long enough are found; what is as it should be is not.
func TestTooSlowOrTooMuch(t *testing.T) {
	good := Outage{What: "store", Away: time.Minute, Waiting: 600, Behind: 10 * time.Second, Rows: 800, Rate: 10}
	early := Growth{Node: "node1", What: "memory (heap)", Early: 100 << 20, Late: 104 << 20}
	for name, c := range map[string]struct {
		spoil func(*Report)
		want  int
	}{
		"as it should be":       {func(*Report) {}, 0},
		"acknowledged":          {func(r *Report) { r.Gone[0].Taken = 1 }, 1},
		"the local one may":     {func(r *Report) { r.Gone[0].What, r.Gone[0].Taken = "local", 1 }, 0},
		"slow":                  {func(r *Report) { r.Gone[0].Rows = 299 }, 1},
		"never":                 {func(r *Report) { r.Gone[0].Behind = 0 }, 1},
		"grows":                 {func(r *Report) { r.Growth[0].Late = 106 << 20 }, 1},
		"too short to say that": {func(r *Report) { r.Growth[0].Late, r.Loaded = 106<<20, time.Minute }, 0},
		"back too late":         {func(r *Report) { r.Recovered[1] = 3001 * time.Millisecond }, 1},
		"nobody judges that":    {func(r *Report) { r.Recovered[1], r.Options.Bar = time.Minute, 0 }, 0},
		"a point not passed":    {func(r *Report) { r.Unpassed = []failpoint.Point{failpoint.CommitDone} }, 1},
		"of a short trial":      {func(r *Report) { r.Unpassed, r.Options.Kills = []failpoint.Point{failpoint.CommitDone}, 3 }, 0},
		"that ended by time":    {func(r *Report) { r.Unpassed, r.Options.Kills = []failpoint.Point{failpoint.CommitDone}, 100_000 }, 0},
		"paused is not killed": {func(r *Report) {
			r.Unpassed, r.Kills = []failpoint.Point{failpoint.CommitDone}, map[string]int{"paused": 200}
		}, 0},
	} {
		r := &Report{Loaded: time.Hour, Gone: []Outage{good}, Growth: []Growth{early}, Kills: map[string]int{"at random": 200},
			Recovered: []time.Duration{time.Second, 3 * time.Second}, Options: Options{Kills: 200, Messages: 5000, Bar: 3 * time.Second}}
		c.spoil(r)
		r.judge()
		if len(r.Findings) != c.want {
			t.Errorf("%s: %v", name, r.Findings)
		}
		if table := r.String(); !strings.Contains(table, "asked for "+strconv.Itoa(r.Options.Kills)) || !strings.Contains(table, "asked for 5000") {
			t.Errorf("%s: what was asked for is not told: %s", name, table)
		}
	}
}
