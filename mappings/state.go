package mappings

import "slices"

// The states that a description may name. Only received and completed are
// named in the regulations; the others are our own names for what they leave
// unnamed. The bridge's table of moves says which follows which; extended is
// in_progress with a longer term and suspended the same with a term that stands
// still; both have their own text for the partners.
const (
	Held       = "held"        // taken in, but a check could not be decided yet
	Received   = "received"    // has its number, waits for the office
	InProgress = "in_progress" // the office took it
	Extended   = "extended"    // in progress, with a longer term
	Suspended  = "suspended"   // in progress, its term stands still
	Completed  = "completed"   // the result is out
	Refused    = "refused"     // refused with a ground
)

// States lists them in the order of a life.
func States() []string {
	return []string{Held, Received, InProgress, Extended, Suspended, Completed, Refused}
}

func isState(s string) bool { return slices.Contains(States(), s) }
