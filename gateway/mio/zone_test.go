package mio

import (
	"strings"
	"testing"
)

// TestTimesInTheAkimatsSession: whatever zone the akimat's own session has, it
// reads there what its clock shows: a DATETIME holds the wall clock of the akimat, a
// TIMESTAMP the instant; and the mark that it sets by its own clock is seen.
func TestTimesInTheAkimatsSession(t *testing.T) {
	for akimat, c := range map[string]struct{ table, received, changed string }{
		"upper-case":     {"~T_APPLICATION", "~DT_RECEIVED", "~DT_CHANGED"},
		"transliterated": {"putevki", "data_podachi", ""},
		"normalised":     {"v_application", "filed_at", "changed_at"},
	} {
		t.Run(akimat, func(t *testing.T) {
			everywhere(t, akimat, func(t *testing.T, s *site) {
				if s.d != &mysql {
					return
				}
				write(t, s.DB, application(akimat, "HA-1"))
				conn, err := s.raw.Conn(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				_, cursor, err := s.Changed(t.Context(), akimats[akimat], "", 10)
				if err != nil {
					t.Fatal(err)
				}
				at := func(zone string) string {
					t.Helper()
					if _, err := conn.ExecContext(t.Context(), "SET time_zone = '"+zone+"'"); err != nil {
						t.Fatal(err)
					}
					var v string
					if err := conn.QueryRowContext(t.Context(), s.upper("SELECT DATE_FORMAT( "+c.received+" , '%Y-%m-%d %H:%i:%s') FROM "+c.table)).Scan(&v); err != nil {
						t.Fatal(err)
					}
					return v
				}
				table, err := s.table(t.Context(), strings.TrimPrefix(c.table, "~"))
				if err != nil {
					t.Fatal(err)
				}
				received, err := table.column(strings.TrimPrefix(c.received, "~"))
				if err != nil {
					t.Fatal(err)
				}
				// It was received at 09:00 in Almaty, 04:00 UTC.
				for zone, instant := range map[string]string{"+05:00": "2026-11-25 09:00:00", "+00:00": "2026-11-25 04:00:00", "-03:00": "2026-11-25 01:00:00"} {
					want := "2026-11-25 09:00:00"
					if received.Type == "timestamp" {
						want = instant
					}
					if got := at(zone); got != want {
						t.Errorf("%s in the zone %s: %s, want %s", received.Type, zone, got, want)
					}
				}
				if c.changed == "" {
					return
				}
				if _, err := conn.ExecContext(t.Context(), "SET time_zone = '+05:00'"); err != nil {
					t.Fatal(err)
				}
				if _, err := conn.ExecContext(t.Context(), s.upper("UPDATE "+c.table+" SET "+c.changed+" = '2026-11-25 09:00:00.500'")); err != nil {
					t.Fatal(err)
				}
				// Half a second after what we wrote, by the clock of the akimat.
				changed, _, err := s.Changed(t.Context(), akimats[akimat], cursor, 10)
				if err != nil || len(changed) != 1 {
					t.Errorf("the mark: %v, %v", changed, err)
				}
			})
		})
	}
}
