package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"os"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
)

// plans are those of the statements that run on SQLite.
type plans struct{ lines []string }

// open opens a store that tells them.
func (p *plans) open(t *testing.T) *Store {
	path := t.TempDir() + "/kopir.db"
	openAt(t, path).Close() // with all its tables
	s, err := sqliteStore(path)
	if err != nil {
		t.Fatal(err)
	}
	tell := telling{s.read.Driver(), "file:" + path + "?_pragma=busy_timeout(10000)", p}
	s.closeDB()
	s.read, s.write = sql.OpenDB(tell), sql.OpenDB(tell)
	s.write.SetMaxOpenConns(1)
	if s, err = s.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

type telling struct {
	of  driver.Driver
	dsn string
	to  *plans
}

func (d telling) Driver() driver.Driver { return d.of }

func (d telling) Connect(context.Context) (driver.Conn, error) {
	c, err := d.of.Open(d.dsn)
	return tellingConn{c, d.to}, err
}

type tellingConn struct {
	driver.Conn
	to *plans
}

// Prepare is what a connection that can do nothing else is asked by.
func (c tellingConn) Prepare(q string) (driver.Stmt, error) {
	if first, _, _ := strings.Cut(q, " "); first == "SELECT" || first == "UPDATE" || first == "DELETE" {
		args := make([]driver.NamedValue, strings.Count(q, "?"))
		for i := range args {
			args[i] = driver.NamedValue{Ordinal: i + 1, Value: int64(1)}
		}
		rows, err := c.Conn.(driver.QueryerContext).QueryContext(context.Background(), "EXPLAIN QUERY PLAN "+q, args)
		if err != nil {
			return nil, err
		}
		for line := make([]driver.Value, 4); rows.Next(line) == nil; {
			c.to.lines = append(c.to.lines, line[3].(string))
		}
		if err := rows.Close(); err != nil {
			return nil, err
		}
	}
	return c.Conn.Prepare(q)
}

// TestPlans: what is asked every few seconds, or while somebody waits, reads little
// of tables that have grown for years, also where it was planned when they were
// small. PostgreSQL tells how many rows it read, SQLite which index it takes.
func TestPlans(t *testing.T) {
	var told plans
	open := map[string]func(*testing.T) *Store{"sqlite": told.open}
	if dsn := os.Getenv("KOPIR_POSTGRES"); dsn != "" {
		open["postgres"] = func(t *testing.T) *Store { return openEmptyPostgres(t, dsn) }
	}
	for name, o := range open {
		t.Run(name, func(t *testing.T) { plansHold(t, o(t), &told) })
	}
}

func plansHold(t *testing.T, s *Store, told *plans) {
	const past, few = 4000, 20
	ctx, later, yes := t.Context(), t0.Add(365*24*time.Hour), true
	apps := func(f gateway.Filter) func() (int, error) {
		f.Now = later
		return func() (int, error) {
			page, err := s.Applications(ctx, f, "", few)
			if err == nil && page.Next != "" {
				_, err = s.Applications(ctx, f, page.Next, few)
			}
			return len(page.Applications), err
		}
	}
	sent := func(f gateway.DeliveryFilter, after string) func() (int, error) {
		return func() (int, error) { page, err := s.Deliveries(ctx, f, after, few); return len(page.Deliveries), err }
	}
	over := func(archived bool) func() (int, error) {
		return func() (int, error) {
			all, _, err := s.Over(ctx, later, archived, cursor(past/4, ""), few)
			return len(all), err
		}
	}
	running := []gateway.State{gateway.Received, gateway.InProgress, gateway.Extended}
	queued, dead := []gateway.DeliveryState{gateway.Queued}, []gateway.DeliveryState{gateway.Dead}
	questions := []struct {
		name, index string // which SQLite takes
		found, most int    // rows that PostgreSQL may read
		ask         func() (int, error)
	}{
		{"a partner's poll", "outbox_open", few, 20 * few, sent(gateway.DeliveryFilter{Route: gateway.ToPortal, Receiver: "P", States: queued, Unblocked: true, Service: "svc"}, "")},
		{"dead letters", "outbox_open", few, 20 * few, sent(gateway.DeliveryFilter{States: dead}, cursor(1, "D"))},
		{"all that waits", "outbox_open", few, 20 * few, sent(gateway.DeliveryFilter{States: append(dead, queued...)}, "")},
		{"what was given up", "outbox_dropped", 1, few, sent(gateway.DeliveryFilter{States: []gateway.DeliveryState{gateway.Dropped}}, "")},
		{"a group", "outbox_dead", few, 20 * few, sent(gateway.DeliveryFilter{States: dead, Group: &gateway.DeadGroup{Route: gateway.ToPortal, Cause: gateway.CauseRefused, Code: "X"}, FailedBy: later}, "")},
		{"what waits of one", "outbox_line", 1, few, sent(gateway.DeliveryFilter{Application: "B-4001", Route: gateway.ToPortal, States: append(dead, queued...)}, "")},
		{"the rest of a list", "outbox_created", few, 20 * few, sent(gateway.DeliveryFilter{}, cursor(past/2, "D"))},
		{"notices", "outbox_place", few, 20 * few, func() (int, error) { all, err := s.Noticed(ctx, "P", past/2, few); return len(all), err }},
		{"the watch", "applications_running", few, 20 * few, apps(gateway.Filter{Service: "svc", States: running})},
		{"a state", "applications_open", few, 20 * few, apps(gateway.Filter{States: running[:1]})},
		{"a state in an office", "applications_open", few, 20 * few, apps(gateway.Filter{Office: "small", States: running[:1]})},
		{"an office", "applications_office", few, 20 * few, apps(gateway.Filter{Office: "small"})},
		{"late", "applications_open", few, 20 * few, apps(gateway.Filter{Overdue: &yes})},
		{"late in an office", "applications_open", few, 20 * few, apps(gateway.Filter{Office: "small", Overdue: &yes})},
		{"late soon", "applications_open", few, 20 * few, apps(gateway.Filter{LateExpected: true})},
		{"a channel", "applications_channel", 1, few, apps(gateway.Filter{Channel: gateway.Akim})},
		{"late in a channel", "applications_open", few, 20 * few, apps(gateway.Filter{Channel: gateway.Portal, Overdue: &yes})},
		{"a person's in an office", "applications_iin", 1, few, apps(gateway.Filter{Office: "small", IIN: "850505400456"})},
		{"a number", "applications_partner_number", 1, few, apps(gateway.Filter{Number: "PEP-1"})},
		{"what can be archived", "applications_here", 1, 20 * few, over(false)},
		{"what can be erased", "applications_over", few, 20 * few, over(true)},
		{"answers about one", "replays_application", 0, few, func() (int, error) {
			return 0, s.writer.write(ctx, func(t *tx) error { return t.forgetReplays("B-4001") })
		}},
		{"old answers", "replays_answered", 0, few, func() (int, error) { _, err := s.ForgetReplies(ctx, t0); return 0, err }},
		{"what is ripe", "dues_tell", few, 20 * few, func() (int, error) {
			told, err := s.Fire(ctx, later, few, func(d gateway.Due) gateway.Event {
				return gateway.Event{Application: d.Application, Kind: gateway.EventOverdue}
			})
			return len(told), err
		}},
		{"a beat", "", 0, few, func() (int, error) { freed, err := s.Beat(ctx); return int(freed), err }},
	}
	var taken [][]string // by question; what is prepared is planned once
	for _, q := range questions {
		told.lines = nil
		for range 8 { // the sixth is planned for any values
			if _, err := q.ask(); err != nil {
				t.Fatal(q.name, err)
			}
		}
		taken = append(taken, told.lines)
	}
	do := func(q string, args ...any) {
		t.Helper()
		if err := s.writer.write(ctx, func(t *tx) error { _, err := t.exec(q, args...); return err }); err != nil {
			t.Fatal(err)
		}
	}
	body := `{"pad":"` + strings.Repeat("x", 1000) + `"}` // or the whole of a table would be cheap to read
	const series = ` WITH RECURSIVE n(i) AS (SELECT CAST(? AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?) SELECT `
	for _, f := range []struct {
		from, to                    int
		number, app, delivery, late string
	}{
		{0, past, "'A-' || i", "CASE WHEN i % 100 = 0 THEN 'small' ELSE 'large' END, 'completed', 'archived'", "'done'", "0"},
		{past, past + 4*few, "'B-' || i", "'small', 'received', ''", "CASE WHEN i % 2 = 0 THEN 'queued' ELSE 'dead' END", "i"},
	} {
		do(`INSERT INTO applications (number, office, state, removed, due_at, received_at, service, channel, iin, bin, overdue, version, body)`+series+
			f.number+`, `+f.app+`, `+f.late+`, i, 'svc', 'portal', '', '', 0, 1, CAST(? AS TEXT) FROM n`, f.from, f.to, body)
		do(`INSERT INTO outbox (id, application, state, place, created_at, route, seq, next_at, lease, message_id, correlation_id, service, peer_message_id, body, payload, sent, answer, receiver, cause, code)`+series+
			`'D-' || i, `+f.number+`, `+f.delivery+`, i + 1, i, 'portal', 1, 0, 0, '', '', 'svc', '', CAST(? AS TEXT), '', '', '', 'P', 'refused', 'X' FROM n`, f.from, f.to, body)
		do(`INSERT INTO dues (application, step, started_at, service, office, warn_at, due_at, tell_at, body)`+series+
			f.number+`, 1, 1, 'svc', 'small', 1, 1, 1, '{}' FROM n`, f.from, f.to) // all at one moment, as after a break
		do(`INSERT INTO replays (owner, replay_key, application, claimed_to, digest, answer)`+series+`'key', i, 'A-1', CAST(? AS BIGINT), '', '' FROM n`, f.from, f.to, micros(later))
	}
	do(`UPDATE applications SET iin = '850505400456', partner_number = 'PEP-1' WHERE number = 'A-100'`)
	do(`UPDATE applications SET removed = '' WHERE number = 'A-2000'`)
	do(`UPDATE applications SET channel = 'akim' WHERE number = 'A-101'`)
	do(`UPDATE outbox SET state = 'dropped' WHERE id = 'D-101'`)
	if s.d.shared {
		do(`DELETE FROM processes WHERE id <> ?`, s.writer.process)                                                                  // those of other tests, which fall silent meanwhile
		if _, err := s.read.ExecContext(ctx, `VACUUM (INDEX_CLEANUP ON, ANALYZE) outbox, applications, replays, dues`); err != nil { // as the server does by itself
			t.Fatal(err)
		}
	}
	for i, q := range questions {
		var n, rows int
		var err error
		told.lines = nil
		ask := func() { n, err = q.ask() }
		if s.d.shared {
			rows = reading(t, s, ask)
		} else {
			ask()
		}
		if err != nil || n < q.found || rows > q.most {
			t.Errorf("%s: %d found, %d rows read, %v", q.name, n, rows, err)
		}
		lines := append(taken[i], told.lines...)
		if !s.d.shared && !strings.Contains(strings.Join(lines, "\n"), q.index) {
			t.Errorf("%s: %q", q.name, lines)
		}
		for _, line := range lines {
			if strings.HasPrefix(line, "SCAN") && !strings.Contains(line, q.index) {
				t.Errorf("%s: %s", q.name, line)
			}
		}
	}
}
