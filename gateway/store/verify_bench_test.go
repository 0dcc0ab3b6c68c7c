package store

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"

	"kopir/gateway"
	"kopir/gateway/journal"
)

// BenchmarkVerifyStore verifies the chain of a real SQLite store and audits its
// rows, as `kopir journal verify -config` does. KOPIR_RECORDS is how many
// records it has; 1,000,000 take some minutes to write.
func BenchmarkVerifyStore(b *testing.B) {
	records := 2000
	if n, err := strconv.Atoi(os.Getenv("KOPIR_RECORDS")); err == nil {
		records = n
	}
	s, err := OpenSQLite(b.Context(), b.TempDir()+"/kopir.db")
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var all sync.WaitGroup
	for w := range 64 {
		all.Go(func() {
			for i := w; i < records; i += 64 {
				c := gateway.Change{Events: []gateway.Event{{Application: fmt.Sprint("N-", i/10), At: t0, Kind: gateway.EventNote, Detail: "something that was noted about it"}}}
				if err := s.Commit(b.Context(), c); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	for b.Loop() {
		var chain journal.Chain
		if err := s.Journal(b.Context(), 0, "", func(l Link) error { return chain.Add(l.Body, l.Hash) }); err != nil || chain.Seq != int64(records) {
			b.Fatal(chain.Seq, err)
		}
		if a, err := s.Audit(b.Context()); err != nil || len(a.Faults) > 0 || a.Rows != int64(records) {
			b.Fatalf("%+v %v", a, err)
		}
	}
	b.ReportMetric(float64(records)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
