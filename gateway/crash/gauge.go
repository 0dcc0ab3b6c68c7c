package crash

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// gauges are what a process that runs for long must not use more and more of,
// with what it may be more of at the end than early in a trial, whatever
// share that is: what is in use differs from moment to moment.
var gauges = []struct {
	name, metric string
	slack        float64
}{
	{"memory (heap)", "go_memstats_heap_inuse_bytes", 2 << 20},
	{"memory (resident)", "process_resident_memory_bytes", 4 << 20},
	{"goroutines", "go_goroutines", 10},
	{"descriptors", "process_open_fds", 10},
}

const (
	gaugeEvery = 2 * time.Second
	// growth is the share by which memory may grow.
	growth = 0.05
	// longEnough is how long a trial without trouble must be for its growth to say
	// something.
	longEnough = 10 * time.Minute
)

// Growth is what a process used of something early and late in a trial: the
// least of any moment of the second fifth and of the last one, so that garbage
// that is about to be collected does not count.
type Growth struct {
	Node, What  string
	Early, Late float64
	slack       float64
}

// TooMuch says whether it grew.
func (g Growth) TooMuch() bool { return g.Late > g.Early*(1+growth)+g.slack }

func (g Growth) String() string {
	unit, by := "", 1.0
	if strings.HasPrefix(g.What, "memory") {
		unit, by = " MiB", 1<<20
	}
	return fmt.Sprintf("%s: %.1f%s early, %.1f%s late (%+.1f %%)", g.What, g.Early/by, unit, g.Late/by, unit, 100*(g.Late/g.Early-1))
}

// sample reads the gauges of every node until ctx ends, and keeps them in a
// file too.
func (t *trial) sample(ctx context.Context) {
	file, err := os.Create(filepath.Join(t.o.Dir, "gauges.tsv"))
	if err != nil {
		t.diary.note("gauges are not kept: %s", err)
		return
	}
	defer file.Close()
	client := &http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	t.gauged = make([][][]float64, len(t.fleet.nodes))
	for ; ctx.Err() == nil; pause(ctx, gaugeEvery) {
		for i, n := range t.fleet.nodes {
			if values, err := readGauges(ctx, client, n.url("/metrics")); err == nil {
				t.gauged[i] = append(t.gauged[i], values)
				fmt.Fprintln(file, time.Now().UTC().Format(time.TimeOnly), n.name, values)
			}
		}
	}
}

func readGauges(ctx context.Context, client *http.Client, at string) ([]float64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	values := make([]float64, len(gauges))
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		for i, g := range gauges {
			if g.metric == name {
				if values[i], err = strconv.ParseFloat(value, 64); err != nil {
					return nil, err
				}
			}
		}
	}
	return values, lines.Err()
}

// growths are those of a trial in which no process was killed.
func (t *trial) growths() (all []Growth) {
	for i, samples := range t.gauged {
		fifth := len(samples) / 5
		if fifth == 0 || t.fleet.killed() > 0 {
			continue
		}
		least := func(of [][]float64, k int) float64 {
			return slices.MinFunc(of, func(a, b []float64) int { return cmp.Compare(a[k], b[k]) })[k]
		}
		for k, g := range gauges {
			all = append(all, Growth{t.fleet.nodes[i].name, g.name, least(samples[fifth:2*fifth], k), least(samples[len(samples)-fifth:], k), g.slack})
		}
	}
	return all
}
