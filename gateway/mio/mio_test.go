package mio

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kopir/gateway"
	"kopir/mappings"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const service = "almaty-unemployed-certificate"

var at = time.Date(2026, 11, 25, 4, 0, 0, 0, time.UTC)

func open(t *testing.T) *DB {
	t.Helper()
	set, faults := mappings.Builtin()
	if len(faults) > 0 {
		t.Fatal(faults[0])
	}
	m, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "a b?#.db"), set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func row(number string) gateway.LocalRow {
	return gateway.LocalRow{
		Service: service, Number: number, State: gateway.Received, At: at,
		Fields: []gateway.Field{
			{Name: "applicant_iin", Column: "applicant_iin", Value: "900101300017"},
			{Name: "surname", Column: "surname", Value: "Д'АРТАНЬЯН\"); DROP TABLE unemployed_certificate; --"},
			{Name: "consent", Column: "consent", Value: "true"},
		},
		System: map[string]string{"channel": "portal", "received_at": "2026-11-25T09:00:00+05:00", "edition": "e"},
		Files:  []gateway.Document{{Kind: "id_document", Name: "id.pdf", MediaType: "application/pdf", SHA256: "ab", Content: []byte("%PDF-1.4")}},
	}
}

func (m *DB) ask(t *testing.T, q string, args ...any) string {
	t.Helper()
	var v string
	if err := m.db.QueryRowContext(t.Context(), q, args...).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func write(t *testing.T, m *DB, r gateway.LocalRow) {
	t.Helper()
	if err := m.Write(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// A row is written once, whatever its values hold, and a repetition neither
// doubles nor undoes what the local system did meanwhile.
func TestWrittenOnce(t *testing.T) {
	m := open(t)
	write(t, m, row("UC-1"))
	if _, err := m.db.ExecContext(t.Context(), "UPDATE unemployed_certificate SET status_code = '20', surname = 'X'"); err != nil {
		t.Fatal(err)
	}
	again := row("UC-1")
	again.Fields[1].Value = "Y"
	write(t, m, again)
	for q, want := range map[string]string{
		"SELECT count(*) FROM unemployed_certificate":                   "1",
		"SELECT count(*) FROM unemployed_certificate_file":              "1",
		"SELECT surname || status_code FROM unemployed_certificate":     "X20",
		"SELECT typeof(consent) || consent FROM unemployed_certificate": "integer1",
		"SELECT typeof(content) FROM unemployed_certificate_file":       "blob",
	} {
		if got := m.ask(t, q); got != want {
			t.Errorf("%s: %s, want %s", q, got, want)
		}
	}
	other := row("UC-2")
	write(t, m, other)
	if got := m.ask(t, "SELECT surname FROM unemployed_certificate WHERE application_no = 'UC-2'"); got != other.Fields[1].Value {
		t.Errorf("a value was changed on its way: %s", got)
	}
}

// A status goes onto the row that is there; one that ended stays ended.
func TestStatus(t *testing.T) {
	m := open(t)
	write(t, m, row("UC-1"))
	status := func(s gateway.State) gateway.LocalRow {
		return gateway.LocalRow{Service: service, Number: "UC-1", State: s, At: at.Add(time.Minute), Reason: gateway.Text{RU: "нет данных"}}
	}
	code := func() string { return m.ask(t, "SELECT status_code FROM unemployed_certificate") }
	write(t, m, status(gateway.InProgress))
	if code() != "20" {
		t.Errorf("status %s", code())
	}
	write(t, m, status(gateway.Refused))
	if code() != "40" || m.ask(t, "SELECT status_reason FROM unemployed_certificate") != "нет данных" {
		t.Errorf("status %s", code())
	}
	write(t, m, status(gateway.InProgress))
	if code() != "40" {
		t.Errorf("an ended application went back to %s", code())
	}
	missing := status(gateway.InProgress)
	missing.Number = "UC-9"
	if err := m.Write(t.Context(), missing); err == nil {
		t.Error("a row that is not there was written")
	}
	unknown := row("UC-3")
	unknown.Service = "other"
	var se *gateway.SendError
	if err := m.Write(t.Context(), unknown); !errors.As(err, &se) || !se.Permanent {
		t.Errorf("an unknown service: %v", err)
	}
	wrong := row("UC-4")
	wrong.Fields[2].Value = "maybe"
	if err := m.Write(t.Context(), wrong); !errors.As(err, &se) || !se.Permanent {
		t.Errorf("a value of another type: %v", err)
	}
}

// Marks lead to the changed rows once each, in their order, whatever notation
// of time the local system writes, also when many share one moment. The status
// itself is asked for, marked or not.
func TestChanged(t *testing.T) {
	m := open(t)
	numbers := []string{"UC-1", "UC-2", "UC-3", "UC-4", "UC-5"}
	for _, n := range numbers {
		write(t, m, row(n))
	}
	set := func(number, code, when string) {
		t.Helper()
		if _, err := m.db.ExecContext(t.Context(), "UPDATE unemployed_certificate SET status_code = ?, status_changed_at = ? WHERE application_no = ?", code, when, number); err != nil {
			t.Fatal(err)
		}
	}
	cursor := ""
	read := func(limit int) []string {
		t.Helper()
		got, next, err := m.Changed(t.Context(), service, cursor, limit)
		if err != nil {
			t.Fatal(err)
		}
		cursor = next
		var numbers []string
		for _, c := range got {
			if c.Mark == "" {
				t.Errorf("%s has no mark", c.Number)
			}
			numbers = append(numbers, c.Number)
		}
		return numbers
	}
	var all []string
	for {
		got := read(2)
		if got == nil {
			break
		}
		all = append(all, got...)
	}
	if !slices.Equal(all, numbers) {
		t.Errorf("five of one moment: %v", all)
	}
	set("UC-2", "20", "2026-11-25T09:30:00+05:00") // 04:30 in UTC
	set("UC-1", "30", "2026-11-25 04:45:00")
	set("UC-3", "99", "2026-11-25T04:15:00.5Z")
	set("UC-4", "20", "yesterday")
	if got, want := read(10), []string{"UC-3", "UC-2", "UC-1"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := read(10); got != nil {
		t.Errorf("came twice: %v", got)
	}
	if _, _, err := m.Changed(t.Context(), service, "{", 1); err == nil {
		t.Error("a broken mark was taken")
	}
	now, err := m.Statuses(t.Context(), service, append(numbers, "UC-9"))
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, s := range now {
		codes = append(codes, s.Number+" "+s.Code)
	}
	slices.Sort(codes)
	if want := []string{"UC-1 30", "UC-2 20", "UC-3 99", "UC-4 20", "UC-5 10"}; !slices.Equal(codes, want) {
		t.Errorf("%v, want %v", codes, want)
	}
}

// TestChangedByIndex: what changed is read from where the reader has come to, and
// not out of the whole table; a table from before gets its index as well.
func TestChangedByIndex(t *testing.T) {
	m := open(t)
	tab, err := m.table(t.Context(), "unemployed_certificate")
	if err != nil {
		t.Fatal(err)
	}
	key, mark := columnOf(t, tab, "application_no"), columnOf(t, tab, "status_changed_at")
	for _, from := range []place{{}, {"2026-11-25 04:00:00.000", "UC-1"}} {
		s := m.d.after(tab, key, mark, &from, 5)
		rows, err := m.db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+s.text.String(), s.args...)
		if err != nil {
			t.Fatal(err)
		}
		var plan []string
		for rows.Next() {
			var id, parent, unused int
			var line string
			if err := rows.Scan(&id, &parent, &unused, &line); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, line)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		if len(plan) != 1 || !strings.Contains(plan[0], "unemployed_certificate_status_changed_at") || from.At != "" && !strings.Contains(plan[0], "SEARCH") {
			t.Errorf("from %+v: %q", from, plan)
		}
	}
	if _, err := m.db.ExecContext(t.Context(), "DROP INDEX unemployed_certificate_status_changed_at"); err != nil {
		t.Fatal(err)
	}
	if err := m.create(t.Context(), m.set()); err != nil {
		t.Fatal(err)
	}
	m.ask(t, "SELECT name FROM sqlite_schema WHERE type = 'index' AND name = 'unemployed_certificate_status_changed_at'")
	for _, q := range []string{"DROP INDEX unemployed_certificate_status_changed_at", "ALTER TABLE unemployed_certificate DROP COLUMN status_changed_at"} {
		if _, err := m.db.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.create(t.Context(), m.set()); err != nil {
		t.Errorf("a table without the column: %v", err)
	}
}

// TestUnindexed: a table of a server without an index by which changed rows are
// found is named, once; one that begins with another column is none.
func TestUnindexed(t *testing.T) {
	served(t, func(t *testing.T, s *site) {
		index := func(name, columns string) {
			s.do(t, s.upper("CREATE INDEX "+name+" ON ~T_APPLICATION ("+columns+")"))
		}
		notes := func() []string {
			t.Helper()
			_, o, user := s.clerk(t)
			table := s.o.Schema + "." + s.name("T_APPLICATION")
			if s.d == &postgres {
				s.do(t, "GRANT USAGE ON SCHEMA "+s.o.Schema+" TO "+user)
			}
			s.do(t, "GRANT SELECT, INSERT, UPDATE ON "+table+" TO "+user)
			_, all, err := Inspect(t.Context(), o, s.set())
			if err != nil {
				t.Fatal(err)
			}
			return all
		}
		index("other", "~APPL_NO , ~DT_CHANGED")
		if got := notes(); len(got) != 1 || !strings.Contains(got[0], "T_APPLICATION has no index on (DT_CHANGED, APPL_NO)") {
			t.Errorf("%q", got)
		}
		index("changed", "~DT_CHANGED , ~APPL_NO")
		if got := notes(); len(got) > 0 {
			t.Errorf("%q", got)
		}
	})
}

func columnOf(t *testing.T, tab *table, name string) *mappings.Column {
	t.Helper()
	c, err := tab.column(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What a description needs and the database lacks is said at once.
func TestCheck(t *testing.T) {
	m := open(t)
	for _, q := range []string{"ALTER TABLE unemployed_certificate DROP COLUMN surname", "ALTER TABLE unemployed_certificate DROP COLUMN phone", "DROP TABLE unemployed_certificate_file"} {
		if _, err := m.db.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	err := m.Check(t.Context())
	for _, want := range []string{"no column surname", "no column phone", "no table unemployed_certificate_file"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said: %v", want, err)
		}
	}
}

// A name that is not plain never becomes SQL.
func TestNames(t *testing.T) {
	m := open(t)
	for _, good := range []string{"a", "mio.table_1", "_x"} {
		if _, _, err := split(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "a b", `a"`, "a;", "a.b.c", ".a", "1a", "а", "a--", strings.Repeat("a", 64)} {
		if _, err := m.table(t.Context(), bad); err == nil || classOf(err) != Other {
			t.Errorf("%q was looked up: %v", bad, err)
		}
	}
	if got := sqlserver.quote("a]b"); got != "[a]]b]" {
		t.Errorf("a bracket in a name of the catalog: %s", got)
	}
}
