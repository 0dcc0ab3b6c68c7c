package store

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"kopir/gateway"
)

// timers is how many terms end at once; KOPIR_TIMERS makes it fewer.
func timers(b *testing.B) int {
	n, err := strconv.Atoi(os.Getenv("KOPIR_TIMERS"))
	if err != nil || n < 1 {
		return 1_000_000
	}
	return n
}

// fillTimers opens n terms that have all ended, as the statements of a store do.
func fillTimers(b *testing.B, s *Store, n int) {
	b.Helper()
	body, err := toJSON(&gateway.Due{Application: "UC-2026-000001", Service: "almaty-unemployed-certificate", Channel: gateway.Portal, Office: "almaty-almaly-district-department",
		Step: 6, Does: "decision", Actor: "district-office", State: gateway.InProgress, StartedAt: t0, DueAt: t0.Add(time.Hour), WarnAt: t0.Add(time.Minute)})
	if err != nil {
		b.Fatal(err)
	}
	const some = 10_000
	for from := 0; from < n; from += some {
		to := min(from+some, n)
		err := s.writer.write(b.Context(), func(t *tx) error {
			const series = `WITH RECURSIVE n(i) AS (SELECT CAST(? AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?) `
			if _, err := t.exec(`INSERT INTO applications (number, service, channel, office, state, iin, bin, received_at, overdue, due_at, version, body) `+series+
				`SELECT 'UC-2026-' || (1000000 + i), 'almaty-unemployed-certificate', 'portal', 'office-' || (i % 60), 'in_progress', '', '', 1, 0, ?, 1, '{}' FROM n`,
				from, to, micros(t0.Add(time.Hour))); err != nil {
				return err
			}
			_, err := t.exec(`INSERT INTO dues (application, step, started_at, service, office, warn_at, due_at, tell_at, done_at, warned_at, body) `+series+
				`SELECT 'UC-2026-' || (1000000 + i), 6, 1, 'almaty-unemployed-certificate', 'office-' || (i % 60), 1, CAST(? AS BIGINT), CAST(? AS BIGINT), 0, 1, ? FROM n`,
				from, to, micros(t0), micros(t0), body)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMillionTimers lets a million terms end at one moment, as the end of a
// break does. found: all of them read from the index into memory. told: each
// marked and its alarm in its application's history, flushed to disk.
func BenchmarkMillionTimers(b *testing.B) {
	open := map[string]func() (*Store, error){"sqlite": func() (*Store, error) {
		return OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "kopir.db"))
	}}
	if dsn := os.Getenv("KOPIR_POSTGRES"); dsn != "" {
		open["postgres"] = func() (*Store, error) { return OpenPostgres(b.Context(), dsn) }
	}
	for name, o := range open {
		b.Run(name, func(b *testing.B) {
			s, err := o()
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			n, at := timers(b), t0.Add(24*time.Hour)
			fillTimers(b, s, n)
			for range b.N {
				if b.N > 1 {
					b.Skip("one round is all: the terms are told then")
				}
				type timer struct {
					at          int64
					application string
				}
				var before, after runtime.MemStats
				runtime.GC()
				runtime.GC() // what pools hold goes with the second
				runtime.ReadMemStats(&before)
				start := time.Now()
				ripe := make([]timer, 0, n)
				rows, err := s.query(b.Context(), `SELECT tell_at, application FROM dues WHERE tell_at > 0 AND tell_at <= ? ORDER BY tell_at`, micros(at))
				if err != nil {
					b.Fatal(err)
				}
				for rows.Next() {
					var t timer
					if err := rows.Scan(&t.at, &t.application); err != nil {
						b.Fatal(err)
					}
					ripe = append(ripe, t)
				}
				rows.Close()
				b.ReportMetric(float64(len(ripe))/time.Since(start).Seconds(), "found/s")
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/float64(len(ripe)), "B/timer")
				runtime.KeepAlive(ripe)

				start = time.Now()
				group, err := s.Deadlines(b.Context(), gateway.DueFilter{Now: at}, []gateway.DueKey{gateway.ByOffice, gateway.ByService})
				if err != nil || len(group) != min(60, n) {
					b.Fatal(len(group), err)
				}
				b.ReportMetric(time.Since(start).Seconds(), "s/count-by-office")

				start = time.Now()
				told, first := 0, time.Duration(0)
				for {
					got, err := s.Fire(b.Context(), at, 200, func(d gateway.Due) gateway.Event {
						return gateway.Event{Application: d.Application, At: at, Kind: gateway.EventOverdue, Actor: gateway.Actor{Name: "timer"}}
					})
					if err != nil {
						b.Fatal(err)
					}
					if told == 0 {
						first = time.Since(start)
					}
					if told += len(got); len(got) == 0 {
						break
					}
				}
				if told != n {
					b.Fatalf("%d of %d were told", told, n)
				}
				b.ReportMetric(float64(told)/time.Since(start).Seconds(), "told/s")
				b.ReportMetric(float64(first.Microseconds())/1000, "ms/first-batch")
			}
		})
	}
}
