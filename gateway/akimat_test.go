package gateway_test

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	"go.uber.org/zap"

	"kopir/gateway"
	"kopir/gateway/mio"
	"kopir/gateway/soap"
	"kopir/mappings"
	"kopir/signature/sigtest"
)

// akimat is an akimat with its own database and its own service: a schema that
// was there before the bridge, and a description, without Go.
type akimat struct {
	folder, service string
	values          map[string]string
	row             string // what must stand in the database, as one text
	want            string
	take            string // what the akimat does to take it into work
}

var akimats = []akimat{
	{"upper-case", "housing-aid", map[string]string{"birth_date": "1980-01-11", "rooms": "2", "area": "54.30", "members.1.iin": sigtest.IIN(20), "members.1.income": "85000.5"},
		`SELECT count(*) FROM ~T_APPLICATION~ JOIN ~S_DEPARTMENT~ d ON d.~ID~ = ~DEPT_ID~ JOIN ~T_APPL_MEMBER~ ON ~APPL_ID~ = ~T_APPLICATION~.~ID~ WHERE ~IS_CONSENT~ = 'Y' AND ~AREA~ = 54.3 AND ~INCOME~ = 85000.5 AND ~STATUS_CODE~ = '01'`, "1",
		"UPDATE ~T_APPLICATION~ SET ~STATUS_CODE~ = '02'"}, // the mark of change is forgotten
	{"transliterated", "child-camp", map[string]string{"camp": "L2", "starts": "2027-06-01", "benefit": "true", "children.1.iin": sigtest.IIN(20)},
		`SELECT count(*) FROM putevki JOIN spr_otdely o ON o.id = otdel_id JOIN spr_sostoyaniya s ON s.id = sostoyanie_id JOIN putevki_deti d ON d.nomer_zayavleniya = putevki.nomer_zayavleniya WHERE s.kod = 'NOV' AND kod_lagerya = 'L2'`, "1",
		"UPDATE putevki SET sostoyanie_id = 2"},
	{"normalised", "care-visit", map[string]string{"reason": "по возрасту", "caretaker_iin": sigtest.IIN(20)},
		`SELECT count(*) FROM v_application a JOIN person p ON p.person_id = a.applicant_id JOIN person c ON c.person_id = a.caretaker_id WHERE a.status = 'new' AND p.surname = 'ТЕСТОВ'`, "1",
		"UPDATE v_application SET status = 'work', changed_at = '2026-11-25 03:00:00'"}, // by a clock that is slow
}

// foreign is a database with an akimat's tables, in a schema of its own, and
// hands to work in it. Without a server the test is skipped.
func foreign(t *testing.T, kind, folder string) (mio.Options, *sql.DB) {
	t.Helper()
	o := mio.Options{Driver: kind, Path: filepath.Join(t.TempDir(), "mio.db"), Schema: fmt.Sprintf("akimat_%x", time.Now().UnixNano())}
	var driver, dsn, drop string
	switch kind {
	case "sqlite":
		o.Schema = ""
		driver, dsn = kind, o.Path
	case "postgres":
		if o.URL = os.Getenv("KOPIR_POSTGRES"); o.URL == "" {
			t.Skip("no postgres here: KOPIR_POSTGRES names none (.ci/with-postgres starts one)")
		}
		driver, dsn, drop = "pgx", o.URL+" search_path="+o.Schema, "DROP SCHEMA "+o.Schema+" CASCADE"
	case "mysql":
		if o.URL = os.Getenv("KOPIR_MYSQL"); o.URL == "" {
			t.Skip("no mysql here: KOPIR_MYSQL names none (.ci/with-mysql starts one)")
		}
		u, err := url.Parse(o.URL)
		if err != nil {
			t.Fatal(err)
		}
		driver, dsn, drop = kind, "root@unix("+u.Query().Get("socket")+")/?multiStatements=true", "DROP DATABASE "+o.Schema
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1) // USE is of one connection
	t.Cleanup(func() {
		if drop != "" {
			_, _ = db.Exec(drop)
		}
		db.Close()
	})
	script, err := os.ReadFile("../testdata/akimats/" + folder + "/schema." + kind + ".sql")
	if err != nil {
		t.Fatal(err)
	}
	prepare := map[string]string{"postgres": "CREATE SCHEMA " + o.Schema, "mysql": "CREATE DATABASE " + o.Schema + " CHARACTER SET utf8mb4; USE " + o.Schema}
	for _, q := range []string{prepare[kind], string(script)} {
		if q == "" {
			continue
		}
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	return o, db
}

// settle is a town whose akimat has its own database and its own service alone.
func settle(t *testing.T, kind string, a akimat) (*town, *sql.DB, mio.Options) {
	t.Helper()
	set, faults := mappings.LoadDir("../testdata/akimats/" + a.folder)
	for _, f := range faults {
		t.Fatal(f)
	}
	set, _ = set.Only([]string{a.service})
	o, db := foreign(t, kind, a.folder)
	w := newTown(t)
	w.set = set
	w.local.Close() // that of the town; ours is closed in its place
	var err error
	if w.local, err = mio.Open(o, set); err != nil {
		t.Fatal(err)
	}
	if w.bridge, err = gateway.New(w.options(zap.NewNop().Core())); err != nil {
		t.Fatal(err)
	}
	return w, db, o
}

// applyFor lets the citizen apply for an akimat's service.
func (w *town) applyFor(a akimat, id string, change func(map[string]string)) gateway.Reply {
	w.t.Helper()
	s, _ := w.set.Service(a.service)
	values := map[string]string{"applicant_iin": sigtest.IIN(10), "surname": "ТЕСТОВ", "given_name": "ТЕСТ", "district": district}
	for k, v := range a.values {
		values[k] = v
	}
	if _, ok := s.Field("consent"); ok {
		values["consent"] = "true"
	}
	if change != nil {
		change(values)
	}
	p := syncRequest(id, w.documentOf(s, "portal", values, "citizen"), w.clock())
	p.RequestInfo.ServiceID = s.Gateway.ServiceID
	return w.send(gateway.SyncDoor, w.envelope(soap.Payload(p), "portal"))
}

// An application for an unknown akimat's service crosses, stands in its tables
// as they are, and the status that its clerks set comes back, also where they
// forget the mark of change or their clock is slow.
func TestUnknownAkimats(t *testing.T) {
	for _, a := range akimats {
		for _, kind := range []string{"sqlite", "postgres", "mysql"} {
			t.Run(a.folder+"/"+kind, func(t *testing.T) {
				w, db, _ := settle(t, kind, a)
				quote := ""
				if kind == "postgres" {
					quote = `"`
				}
				in := func(q string) string { return strings.ReplaceAll(q, "~", quote) }
				if r := w.applyFor(a, "m-1", nil); r.Code != "" {
					t.Fatalf("%s %s", r.Code, r.Bytes)
				}
				w.deliver()
				var got string
				if err := db.QueryRowContext(t.Context(), in(a.row)).Scan(&got); err != nil || got != a.want {
					t.Fatalf("the row: %s, %v", got, err)
				}
				if n, err := w.bridge.Watch(t.Context(), a.service); n != 0 || err != nil {
					t.Errorf("our own status came back: %d, %v", n, err)
				}
				if _, err := db.ExecContext(t.Context(), in(a.take)); err != nil {
					t.Fatal(err)
				}
				for _, want := range []int{1, 0} {
					if n, err := w.bridge.Watch(t.Context(), a.service); n != want || err != nil {
						t.Errorf("%d statuses, want %d; %v", n, want, err)
					}
				}
				if s := w.only().State; s != gateway.InProgress {
					t.Errorf("it is %s", s)
				}
			})
		}
	}
}

// A code list lives in the akimat's table: a code of it is taken, another is a
// fault of its field; while the database is down the list that was read last
// judges, and without any nothing is judged.
func TestCodesWhileDown(t *testing.T) {
	a := akimats[1]
	w, db, o := settle(t, "sqlite", a)
	if err := w.bridge.RefreshCodes(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := w.applyFor(a, "m-1", func(v map[string]string) { v["camp"] = "L9" })
	if r.Code != "" || !strings.Contains(string(r.Bytes), "REJECTED") {
		t.Errorf("an unknown code: %s %s", r.Code, r.Bytes)
	}
	if _, err := db.ExecContext(t.Context(), "DELETE FROM spr_lagerya"); err != nil {
		t.Fatal(err)
	}
	if err := w.bridge.RefreshCodes(t.Context()); err == nil {
		t.Error("an empty list replaced a good one")
	}
	// The bridge starts anew, and the database is gone.
	w.local.Close()
	fresh, _ := mappings.LoadDir("../testdata/akimats/" + a.folder)
	w.set, _ = fresh.Only([]string{a.service})
	o.Path = filepath.Join(t.TempDir(), "nobody", "here.db")
	var err error
	if w.local, err = mio.Open(o, w.set); err != nil {
		t.Fatal(err)
	}
	if w.bridge, err = gateway.New(w.options(zap.NewNop().Core())); err != nil {
		t.Fatal(err)
	}
	if r := w.applyFor(a, "m-2", nil); r.Code != "" || len(w.all()) != 1 {
		t.Errorf("the list that was kept does not judge: %s %s", r.Code, r.Bytes)
	}
	if err := w.store.SetMark(t.Context(), "codes/"+a.service+"/lagerya", ""); err != nil {
		t.Fatal(err)
	}
	fresh, _ = mappings.LoadDir("../testdata/akimats/" + a.folder)
	w.set, _ = fresh.Only([]string{a.service})
	if w.bridge, err = gateway.New(w.options(zap.NewNop().Core())); err != nil {
		t.Fatal(err)
	}
	if r := w.applyFor(a, "m-3", nil); r.Code != gateway.TryLater {
		t.Errorf("judged without a list: %s %s", r.Code, r.Bytes)
	}
}

// TestManyStatuses: where clerks decided much while nobody looked, it is taken
// over without a pause after each two hundred.
func TestManyStatuses(t *testing.T) {
	w := newTown(t)
	const pages, each = 4, 10
	w.received(t, pages*gateway.WatchBatch)
	w.localSQL(t, "UPDATE unemployed_certificate SET status_code = '20' WHERE substr(application_no, 4) % ? < ?", gateway.WatchBatch, each)
	began := time.Now()
	w.running()
	eventually(t, "all are taken over", func() bool {
		page, err := w.store.Applications(t.Context(), gateway.Filter{States: []gateway.State{gateway.InProgress}}, "", 100)
		return err == nil && len(page.Applications) == pages*each
	})
	if took := time.Since(began); took > (pages-1)*gateway.WatchPause {
		t.Errorf("it took %s, as if it had paused", took)
	}
}

// received files n applications, UC-0000 and on, that stand in the local table.
func (w *town) received(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		w.line(fmt.Sprintf("UC-%04d", i), gateway.ToPortal, "", 0)
	}
	w.localSQL(t, `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)
		INSERT INTO unemployed_certificate (application_no, status_code) SELECT printf('UC-%04d', i), '10' FROM n`, n)
}

// TestLateStatus: a status that was committed after one with a later mark had
// been read is seen with the next marks, and does not wait until all open
// applications were looked at.
func TestLateStatus(t *testing.T) {
	w := newTown(t)
	w.received(t, 8*gateway.WatchBatch)
	const early, late = "UC-1598", "UC-1599" // both are looked at in the first round
	round := func(want int) {
		t.Helper()
		if n, err := w.bridge.Watch(t.Context(), certificate); n != want || err != nil {
			t.Errorf("%d statuses, want %d; %v", n, want, err)
		}
	}
	set := func(number, mark string) {
		t.Helper()
		w.localSQL(t, "UPDATE unemployed_certificate SET status_code = '20', status_changed_at = ? WHERE application_no = ?", mark, number)
	}
	round(0)
	set(early, "2026-11-25 04:30:01.000")
	round(1)
	set(late, "2026-11-25 04:30:00.000")
	round(0)
	w.pass(gateway.WatchLate)
	round(1)
	// Whatever was read is not dealt with again, and the look goes on.
	w.pass(gateway.WatchLate)
	round(0)
	set("UC-1597", "2026-11-25 04:29:59.000") // later than is waited for: it is left to the look at all
	w.pass(gateway.WatchLate)
	round(0)
}

// TestManyMarks: where more rows are marked than are read at once, as by the
// bridge that writes them, the next are read without a pause, also once more,
// and what was read twice is forgotten.
func TestManyMarks(t *testing.T) {
	w := newTown(t)
	const pages = 5
	w.received(t, pages*gateway.WatchBatch)
	end := w.running()
	// The row that is looked at last has the last mark.
	w.localSQL(t, "UPDATE unemployed_certificate SET status_changed_at = '2026-11-25 04:30:00.' || substr(application_no, 5), status_code = CASE application_no WHEN 'UC-0000' THEN '20' ELSE '10' END")
	w.localSQL(t, "UPDATE unemployed_certificate SET status_changed_at = '2026-11-25 04:30:01.000' WHERE application_no = 'UC-0000'")
	began := time.Now()
	eventually(t, "the last mark is read", func() bool {
		app, err := w.store.Application(t.Context(), "UC-0000")
		return err == nil && app.State == gateway.InProgress
	})
	if took := time.Since(began); took > (pages-2)*gateway.WatchPause {
		t.Errorf("it took %s, as if it had paused", took)
	}
	end()
	if n := w.bridge.Remembered(certificate); n == 0 {
		t.Error("nothing that was read is known")
	}
	for range 3 { // looks, each with the rounds that it takes
		w.pass(gateway.WatchLate)
		for range 2 * pages {
			if _, err := w.bridge.Watch(t.Context(), certificate); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := w.bridge.Remembered(certificate); n != 0 {
		t.Errorf("%d rows are remembered", n)
	}
}

// TestStatusesAtOnce: a status does not wait for the commit of another one.
func TestStatusesAtOnce(t *testing.T) {
	w := newTown(t)
	s := &faultyStore{Store: w.store}
	w.rewire(func(o *gateway.Options) { o.Store = s })
	w.filed("m-1")
	w.filed("m-2")
	w.deliver()
	w.localSQL(t, "UPDATE unemployed_certificate SET status_code = '20'")
	var both sync.WaitGroup
	both.Add(2)
	s.commit = func(gateway.Change) { both.Done(); both.Wait() }
	done := make(chan error, 1)
	go func() {
		_, err := w.bridge.Watch(t.Context(), certificate)
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil || w.in(gateway.InProgress) != 2 {
			t.Errorf("%d in progress, %v", w.in(gateway.InProgress), err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the second waits for the first")
	}
}

// A status that we have not written yet is no news of the local system's, and
// one that the table of moves refuses is told once.
func TestWatchLeavesOurOwnAlone(t *testing.T) {
	w := newTown(t)
	app, _ := w.apply("m-1")
	w.deliver()
	if _, err := w.bridge.Take(t.Context(), app.Number, gateway.Actor{Name: "specialist"}); err != nil {
		t.Fatal(err)
	}
	watch := func(want int) {
		t.Helper()
		if n, err := w.bridge.Watch(t.Context(), certificate); n != want || err != nil {
			t.Errorf("%d, want %d; %v", n, want, err)
		}
	}
	watch(0) // the row still says 10: ours is on its way
	if s := w.only().State; s != gateway.InProgress {
		t.Errorf("our own older status came back: %s", s)
	}
	w.deliver()
	watch(0)
	w.localSQL(t, "UPDATE unemployed_certificate SET status_code = '77' WHERE application_no = ?", app.Number)
	watch(1)
	watch(0)
	watch(0)
	if n := w.logs.FilterMessage("status of the local database not taken over").Len(); n != 1 {
		t.Errorf("told %d times", n)
	}
	w.localSQL(t, "UPDATE unemployed_certificate SET status_code = '40', status_reason = 'нет прав', status_changed_at = NULL WHERE application_no = ?", app.Number)
	watch(1)
	if s := w.only().State; s != gateway.Refused {
		t.Errorf("it is %s", s)
	}
	watch(0)
}
