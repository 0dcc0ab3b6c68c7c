package gateway_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"kopir/gateway"
)

// BenchmarkSlowPeer measures how long deliveries to the service centre take
// from the commit to the partner while all else is well, and while the portal
// answers nothing within the time of a try, with some hundred messages waiting
// for it: in turns, so that both see the same machine.
//
//	go test -run '^$' -bench SlowPeer -benchtime 1x ./gateway
func BenchmarkSlowPeer(b *testing.B) {
	const rounds, each, waiting = 10, 150, 300
	took := map[bool][]time.Duration{}
	for b.Loop() {
		for round := range rounds {
			slow := round%2 == 1
			w := newTown(b)
			p := &slowPost{hangs: func(d gateway.Delivery) bool { return slow && d.Route == gateway.ToPortal }, at: map[string]time.Time{}}
			w.rewire(func(o *gateway.Options) { o.Sender, o.Now = p, nil })
			stop := w.running()
			for i := range waiting {
				w.line(fmt.Sprintf("P-%d", i), gateway.ToPortal, "", 1)
			}
			eventually(b, "the portal has what it takes", func() bool {
				p.mu.Lock()
				defer p.mu.Unlock()
				return p.hanging == 16 || len(p.done) == waiting
			})
			began := map[string]time.Time{}
			for i := range each {
				number := fmt.Sprintf("C-%d", i)
				began[number+"-csc-1"] = time.Now()
				w.line(number, gateway.ToCSC, "", 1)
				time.Sleep(2 * time.Millisecond)
			}
			eventually(b, "all are delivered", func() bool { return p.count("C-") == each })
			stop()
			for id, at := range began {
				took[slow] = append(took[slow], p.at[id].Sub(at))
			}
		}
	}
	p99 := func(all []time.Duration) time.Duration {
		slices.Sort(all)
		return all[len(all)*99/100]
	}
	well, slow := p99(took[false]), p99(took[true])
	b.ReportMetric(float64(well.Microseconds())/1000, "ms-p99-well")
	b.ReportMetric(float64(slow.Microseconds())/1000, "ms-p99-slow")
	b.ReportMetric(float64(slow)/float64(well), "slow/well")
}
