package gateway

import (
	"fmt"
	"strings"
	"testing"
)

// The table of moves, as it is.
func Example_moves() {
	for _, m := range moves {
		from, to := string(m.From), "-"
		if from == "" {
			from = "(new)"
		}
		var names []string
		for _, s := range m.To {
			names = append(names, string(s))
		}
		if len(names) > 0 {
			to = strings.Join(names, ", ")
		}
		fmt.Printf("%s: %s\n", from, to)
	}
	// Output:
	// (new): held, received
	// held: received, refused
	// received: in_progress, completed, refused
	// in_progress: received, extended, suspended, completed, refused
	// extended: received, suspended, completed, refused
	// suspended: in_progress, extended, refused
	// completed: -
	// refused: -
}

// Every state that can be reached has a row, every pair outside the table is
// refused with a reason, and what is final never moves.
func TestMovesAreClosed(t *testing.T) {
	known := map[State]bool{}
	for _, s := range States() {
		known[s] = true
	}
	all := append(States(), "", "other")
	for _, m := range moves {
		for _, to := range m.To {
			if !known[to] {
				t.Errorf("%s leads to %s, which has no row", m.From, to)
			}
		}
	}
	for _, from := range all {
		for _, to := range all {
			err := allowed(from, to)
			if err == nil && (from.Final() || to == "" || to == "other" || from == "other" || from == to) {
				t.Errorf("%q to %q is allowed", from, to)
			}
		}
	}
}

func TestNumbersAreMasked(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{fmt.Sprint(IIN("900101300123")), "900101******"},
		{fmt.Sprintf("%v %s", BIN("123456789021"), IIN("1")), "123456****** ******"},
		{IIN("").String(), ""},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
