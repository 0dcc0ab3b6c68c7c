package crash

import "testing"

// TestGrowths: the least of the second fifth stands against the least of the
// last one; a trial in which a process was killed has nothing that compares.
func TestGrowths(t *testing.T) {
	flat := func(v float64) []float64 { return []float64{v, v, v, v} }
	samples := [][]float64{flat(1), flat(1), flat(7), flat(5), flat(9), flat(9), flat(9), flat(9), flat(8), flat(6)}
	for name, c := range map[string]struct {
		kills map[string]int
		want  int
	}{
		"load alone": {nil, len(gauges)},
		"paused":     {map[string]int{"paused": 1}, len(gauges)},
		"killed":     {map[string]int{"at random": 1}, 0},
	} {
		trial := &trial{fleet: &fleet{nodes: []*node{{name: "node1"}}, kills: c.kills}, gauged: [][][]float64{samples}}
		all := trial.growths()
		if len(all) != c.want {
			t.Errorf("%s: %v", name, all)
		}
		for _, g := range all {
			if g.Node != "node1" || g.Early != 5 || g.Late != 6 {
				t.Errorf("%s: %+v", name, g)
			}
		}
	}
}
