package crash

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// TestGrowths compares the two rests of a trial, of the nodes that answered in both.
func TestGrowths(t *testing.T) {
	tr := &trial{fleet: &fleet{nodes: []*node{{name: "node1"}, {name: "node2"}}}}
	tr.rests = append(tr.rests, [][]float64{{30 << 20, 100 << 20, 200, 50}, {1, 2, 3, 4}})
	if got := tr.growths(); got != nil {
		t.Errorf("of one rest: %v", got)
	}
	tr.rests = append(tr.rests, [][]float64{{34 << 20, 108 << 20, 212, 59}, nil})
	var grown []string
	for _, g := range tr.growths() {
		if g.Node != "node1" {
			t.Errorf("%s did not answer", g.Node)
		}
		if g.TooMuch() {
			grown = append(grown, g.String())
		}
	}
	if want := []string{"memory (heap) at rest: 30.0 MiB early, 34.0 MiB late (+13.3 %)"}; !slices.Equal(grown, want) {
		t.Errorf("%q, want %q", grown, want)
	}
}

// TestReadGauges: every gauge is among those that a process shows, under its name.
func TestReadGauges(t *testing.T) {
	var shown strings.Builder
	for i, g := range gauges {
		fmt.Fprintf(&shown, "# HELP %s …\n%s %d\nother_%s 99\n", g.metric, g.metric, i+1, g.metric)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, shown.String()) }))
	defer s.Close()
	got, err := readGauges(t.Context(), s.Client(), s.URL)
	if want := []float64{1, 2, 3, 4}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v %v, want %v", got, err, want)
	}
	shown.Reset()
	if got, err := readGauges(t.Context(), s.Client(), s.URL); err == nil {
		t.Errorf("of a page that shows none: %v", got)
	}
}
