package crash

import (
	"bufio"
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
	// quietFor is how long a process must have nothing to do before what it uses is
	// what it keeps: idle connections are closed after a minute and a half, and Go
	// collects memory each two minutes at least.
	quietFor = 150 * time.Second
)

// rests says whether it is measured what processes use more and more of. What is
// in use differs with how busy the machine is, and says nothing of what is kept:
// so what they hold at the end is compared with what they held when the load
// rested after a fifth of its time.
func (o Options) rests() bool { return !o.disturbed() && o.For >= longEnough }

// Growth is the least that a process used of something in the first rest, and in
// the last one.
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
	return fmt.Sprintf("%s at rest: %.1f%s early, %.1f%s late (%+.1f %%)", g.What, g.Early/by, unit, g.Late/by, unit, 100*(g.Late/g.Early-1))
}

// sample writes the gauges of every node into a file until ctx ends.
func (t *trial) sample(ctx context.Context) {
	file, err := os.Create(filepath.Join(t.o.Dir, "gauges.tsv"))
	if err != nil {
		t.diary.note("gauges are not kept: %s", err)
		return
	}
	defer file.Close()
	t.gauge(ctx, func(i int, values []float64) {
		fmt.Fprintln(file, time.Now().UTC().Format(time.TimeOnly), t.fleet.nodes[i].name, values)
	})
}

// rest lets everything settle, and keeps the least that each process uses then.
func (t *trial) rest(ctx context.Context) {
	t.settle(ctx)
	t.diary.note("rests for %s", quietFor)
	resting, end := context.WithTimeout(ctx, quietFor)
	defer end()
	least := make([][]float64, len(t.fleet.nodes))
	t.gauge(resting, func(i int, values []float64) {
		if least[i] == nil {
			least[i] = values
		}
		for k, v := range values {
			least[i][k] = min(least[i][k], v)
		}
	})
	if ctx.Err() == nil {
		t.rests = append(t.rests, least)
	}
}

// gauge reads every node again and again until ctx ends.
func (t *trial) gauge(ctx context.Context, read func(node int, values []float64)) {
	client := &http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	for ; ctx.Err() == nil; pause(ctx, gaugeEvery) {
		for i, n := range t.fleet.nodes {
			if values, err := readGauges(ctx, client, n.url("/metrics")); err == nil {
				read(i, values)
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
	if i := slices.Index(values, 0); i >= 0 && lines.Err() == nil {
		return nil, fmt.Errorf("%s does not show %s", at, gauges[i].metric)
	}
	return values, lines.Err()
}

// growths are those of a trial that rested twice.
func (t *trial) growths() (all []Growth) {
	if len(t.rests) < 2 {
		return nil
	}
	for i, n := range t.fleet.nodes {
		early, late := t.rests[0][i], t.rests[1][i]
		if early == nil || late == nil {
			continue // it did not answer, as the report says
		}
		for k, g := range gauges {
			all = append(all, Growth{n.name, g.name, early[k], late[k], g.slack})
		}
	}
	return all
}
