package mio

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/mappings"
)

// site is a database with the tables of an akimat, made for one test.
type site struct {
	*DB
	o   Options
	raw *sql.DB // the akimat's own hands
}

// servers are where the real ones are; each test makes a schema of its own.
var servers = map[string]string{"sqlite": "", "postgres": "KOPIR_POSTGRES", "mysql": "KOPIR_MYSQL"}

// everywhere runs a test on each database that is here.
func everywhere(t *testing.T, akimat string, do func(t *testing.T, s *site)) {
	t.Helper()
	for kind, variable := range servers {
		t.Run(kind, func(t *testing.T) {
			address := os.Getenv(variable)
			if variable != "" && address == "" {
				t.Skipf("no %s here: %s names none (.ci/with-%s starts one)", kind, variable, kind)
			}
			do(t, newSite(t, kind, address, akimat))
		})
	}
}

// newSite makes the tables of an akimat in a fresh schema, and the way to them.
func newSite(t *testing.T, kind, address, akimat string) *site {
	t.Helper()
	set := akimatSet(t, akimat)
	s := &site{o: Options{Driver: kind, URL: address, Path: filepath.Join(t.TempDir(), "mio.db")}}
	if kind != "sqlite" {
		s.o.Schema = fmt.Sprintf("mio_%x", time.Now().UnixNano())
	}
	var err error
	inside := s.o
	inside.Schema = ""
	switch kind {
	case "postgres":
		run(t, s.o, "CREATE SCHEMA "+s.o.Schema)
		t.Cleanup(func() { run(t, Options{Driver: kind, URL: address}, "DROP SCHEMA "+s.o.Schema+" CASCADE") })
		inside.URL += " search_path=" + s.o.Schema
	case "mysql":
		run(t, s.o, "CREATE DATABASE "+s.o.Schema+" CHARACTER SET utf8mb4")
		t.Cleanup(func() { run(t, Options{Driver: kind, URL: address}, "DROP DATABASE "+s.o.Schema) })
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		u.Path = "/" + s.o.Schema
		inside.URL = u.String()
	}
	if s.raw, err = inside.open(time.Minute); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.raw.Close() })
	script, err := os.ReadFile("../../testdata/akimats/" + akimat + "/schema." + kind + ".sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range statements(kind, string(script)) {
		if _, err := s.raw.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	if s.DB, err = Open(s.o, set); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.DB.Close() })
	return s
}

// run makes one statement with hands of its own.
func run(t *testing.T, o Options, q string) {
	t.Helper()
	db, err := o.open(time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(q); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
}

// statements takes a script apart, for drivers that take one at a time.
func statements(kind, script string) []string {
	if kind != "mysql" {
		return []string{script}
	}
	var all []string
	for q := range strings.SplitSeq(script, ";\n") {
		if strings.TrimSpace(q) != "" {
			all = append(all, q)
		}
	}
	return all
}

// akimatSet has the one service of an akimat.
func akimatSet(t *testing.T, akimat string) *mappings.Set {
	t.Helper()
	set, faults := mappings.LoadDir("../../testdata/akimats/" + akimat)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	only, unknown := set.Only([]string{akimats[akimat]})
	if len(unknown) > 0 {
		t.Fatal(unknown)
	}
	return only
}

var akimats = map[string]string{"upper-case": "housing-aid", "transliterated": "child-camp", "normalised": "care-visit"}

// get is what a query of the akimat's own gives, as text; nothing is "".
func (s *site) get(t *testing.T, q string) string {
	t.Helper()
	var v sql.NullString
	if err := s.raw.QueryRowContext(t.Context(), q).Scan(&v); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return strings.TrimRight(v.String, " ")
}

func (s *site) do(t *testing.T, q string) {
	t.Helper()
	if _, err := s.raw.ExecContext(t.Context(), q); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
}

func fields(pairs ...string) []gateway.Field {
	var all []gateway.Field
	for i := 0; i < len(pairs); i += 3 {
		all = append(all, gateway.Field{Name: pairs[i], Column: pairs[i+1], Value: pairs[i+2]})
	}
	return all
}

const almaly = "almaty-almaly-district-department"

// application is a row for an akimat's service, with everything it may have.
func application(akimat, number string) gateway.LocalRow {
	r := gateway.LocalRow{
		Service: akimats[akimat], Number: number, State: gateway.Received, At: at,
		System: map[string]string{"channel": "portal", "received_at": "2026-11-25T09:00:00.25+05:00", "edition": "e"},
	}
	pdf := gateway.Document{Name: "шарт ә.pdf", MediaType: "application/pdf", SHA256: strings.Repeat("ab", 32), Content: []byte("%PDF-1.4\x00\xff")}
	switch akimat {
	case "upper-case":
		r.Fields = fields("applicant_iin", "IIN", "001101300017", "surname", "SURNAME", "ӘБІЛҚАЙЫР'); --", "given_name", "GIVEN_NAME", "ТЕСТ",
			"birth_date", "BIRTH_DATE", "1990-01-31", "district", "DEPT_ID", almaly, "rooms", "ROOM_CNT", "3", "area", "AREA", "54.30", "consent", "IS_CONSENT", "true")
		r.Groups = []gateway.GroupRow{
			{Group: "members", Number: 1, Fields: fields("iin", "IIN", "001101300017", "income", "INCOME", "123456789012345.123456", "relation", "REL_ID", "CHILD")},
			{Group: "members", Number: 2, Fields: fields("iin", "IIN", "900101300017")},
		}
		pdf.Kind = "contract"
		r.Files = []gateway.Document{pdf}
	case "transliterated":
		r.Fields = fields("applicant_iin", "iin_zayavitelya", "001101300017", "surname", "familiya", "ТЕСТОВ", "given_name", "imya", "ТЕСТ",
			"district", "otdel_id", almaly, "camp", "kod_lagerya", "L1", "starts", "data_zaezda", "2026-06-01", "benefit", "lgota", "true")
		r.Groups = []gateway.GroupRow{{Group: "children", Number: 1, Fields: fields("iin", "iin_rebenka", "150101500011")}}
	case "normalised":
		r.Fields = fields("applicant_iin", "iin", "001101300017", "surname", "surname", "ТЕСТОВ", "given_name", "given_name", "ТЕСТ",
			"caretaker_iin", "iin", "900101300017", "district", "office_code", almaly, "reason", "reason", "по возрасту")
		pdf.Kind = "conclusion"
		r.Files = []gateway.Document{pdf}
	}
	return r
}
