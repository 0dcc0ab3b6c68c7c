package gateway

import (
	"fmt"
	"slices"
)

// State is where an application stands. The zero value is no state at all and
// moves only to the states in which an application can begin.
type State string

// The states of an application.
const (
	Held       State = "held"        // numbered, clock running; the signature could not be judged yet
	Received   State = "received"    // postupivshie: accepted, waits to be taken
	InProgress State = "in_progress" // taken into work
	Extended   State = "extended"    // in work, with a longer term
	Suspended  State = "suspended"   // in work, its term stands still
	Completed  State = "completed"   // ispolnennye: the result went out
	Refused    State = "refused"     // refused with a ground
)

// moves is the one table of allowed moves.
var moves = []struct {
	From State
	To   []State
}{
	{"", []State{Held, Received}},
	{Held, []State{Received, Refused}},
	{Received, []State{InProgress, Completed, Refused}},
	{InProgress, []State{Received, Extended, Suspended, Completed, Refused}}, // back to Received: returned for another specialist
	{Extended, []State{Received, Suspended, Completed, Refused}},
	{Suspended, []State{InProgress, Extended, Refused}}, // its term runs on, or what was missing never came
	{Completed, nil},
	{Refused, nil},
}

// States lists all states in the order of the table.
func States() []State {
	var all []State
	for _, m := range moves[1:] {
		all = append(all, m.From)
	}
	return all
}

// Final reports whether nothing follows.
func (s State) Final() bool { return s == Completed || s == Refused }

// Allowed says whether the table of moves has a move, and if not, why.
func Allowed(from, to State) error { return allowed(from, to) }

// allowed says whether the table has the move, and if not, why.
func allowed(from, to State) error {
	for _, m := range moves {
		if m.From != from {
			continue
		}
		if slices.Contains(m.To, to) {
			return nil
		}
		if len(m.To) == 0 {
			return fmt.Errorf("an application that is %s does not move any more", from)
		}
		return fmt.Errorf("an application that is %s may become %v, not %s", from, m.To, to)
	}
	return fmt.Errorf("%q is no state", from)
}
