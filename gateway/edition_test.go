package gateway_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/zap/zapcore"

	"kopir/gateway"
	"kopir/mappings"
)

// editions is the certificate service with a second edition, in force from
// 2026-12-01: another word for received, another code in the local table, a
// longer term of acceptance, and another column for the address.
func editions(t *testing.T, files map[string]string) *mappings.Set {
	t.Helper()
	src, err := os.ReadFile("../mappings/" + certificate + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	if files == nil {
		files = map[string]string{certificate + "@2026-12-01.yaml": strings.NewReplacer(
			"edition: 2012-03-30-1-231", "edition: 2026-12-01-1\nin_force: {from: 2026-12-01}",
			`local: "10"`, `local: "11"`, "Поступившие: заявление", "Зарегистрировано: заявление", "Түскен: №", "Тіркелді: №",
			"within: 10wm\n        warn_before: 5wm", "within: 20wm\n        warn_before: 5wm",
			"column: address,", "column: residence_address,",
			`title: {ru: "Выдача справок`, `title: {ru: "Справки`, "Принятие заявления на исполнение", "Заявление берут в работу",
		).Replace(string(src))}
	}
	over := fstest.MapFS{}
	for name, text := range files {
		over[name] = &fstest.MapFile{Data: []byte(text)}
	}
	set, faults := mappings.Load(over)
	for _, f := range faults {
		t.Fatal(f.Error())
	}
	return set
}

// TestEditionsSideBySide: what comes in is read by the edition of its day, and
// everything that follows, the row, the terms, the codes and the words, is that
// edition's for good.
func TestEditionsSideBySide(t *testing.T) {
	w := newTownOf(t, editions(t, nil))
	first, _ := w.apply("m-1")
	w.deliver()
	w.pass(6 * 24 * time.Hour) // 1 December, nine in the morning
	if r := w.send(gateway.SyncDoor, w.envelope(syncRequest("m-2", w.document("portal", form("portal"), "citizen"), w.clock()), "portal")); r.Code != "" {
		t.Fatalf("%s", r.Bytes)
	}
	w.deliver()
	second := w.all()[0]
	if first.Edition != "2012-03-30-1-231" || second.Edition != "2026-12-01-1" || first.Number[:8] != second.Number[:8] {
		t.Fatalf("%s under %s, %s under %s", first.Number, first.Edition, second.Number, second.Edition)
	}
	row := func(a *gateway.Application) string {
		return w.one(t, `SELECT status_code || ' ' || COALESCE(address, '-') || ' ' || COALESCE(residence_address, '-') || ' ' || edition FROM unemployed_certificate WHERE application_no = '`+a.Number+`'`)
	}
	address := form("portal")["address"]
	for _, c := range []struct {
		app      *gateway.Application
		row      string
		term     time.Duration
		received string
	}{
		{first, "10 " + address + " - 2012-03-30-1-231", 10 * time.Minute, "Поступившие"},
		{&second, "11 - " + address + " 2026-12-01-1", 20 * time.Minute, "Зарегистрировано"},
	} {
		if got := row(c.app); got != c.row {
			t.Errorf("row %q, want %q", got, c.row)
		}
		if got := c.app.DueAt.Sub(c.app.ReceivedAt); got != c.term {
			t.Errorf("%s: term %s, want %s", c.app.Edition, got, c.term)
		}
		line, err := w.bridge.Timeline(t.Context(), c.app.Number)
		if err != nil || !strings.HasPrefix(line.Events[0].Text.RU, c.received) {
			t.Errorf("%s: %v %+v", c.app.Edition, err, line.Events[0].Text)
		}
	}
	// The local system speaks the codes of the edition: 11 means nothing to the first.
	w.localSQL(t, `UPDATE unemployed_certificate SET status_code = '20', status_changed_at = '2026-12-01 05:00:00'`)
	if n, err := w.bridge.Watch(t.Context(), certificate); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	for _, a := range w.all() {
		if a.State != gateway.InProgress {
			t.Errorf("%s is %s", a.Number, a.State)
		}
	}
}

// TestUse: other descriptions are taken over between two messages, unless a
// running application needs an edition that they lack.
func TestUse(t *testing.T) {
	w := newTown(t)
	w.apply("m-1")
	src, err := os.ReadFile("../mappings/" + certificate + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	next := strings.Replace(string(src), "edition: 2012-03-30-1-231", "edition: 2026-12-01-1", 1)
	alone := editions(t, map[string]string{certificate + ".yaml": next})
	err = w.bridge.Use(t.Context(), alone)
	if err == nil || !strings.Contains(err.Error(), `1 applications of `+certificate+` were filed under the edition "2012-03-30-1-231"`) {
		t.Fatalf("an edition that is needed was taken away: %v", err)
	}
	if a, err := w.bridge.Take(t.Context(), w.only().Number, gateway.Actor{Name: "specialist"}); err != nil || a.State != gateway.InProgress {
		t.Fatalf("after a refused exchange: %v", err)
	}
	both := editions(t, nil)
	if err := w.local.Use(t.Context(), both); err == nil || !strings.Contains(err.Error(), "residence_address") {
		t.Errorf("a table that lacks a column of the new edition: %v", err)
	}
	w.localSQL(t, `ALTER TABLE unemployed_certificate ADD COLUMN residence_address TEXT`)
	if err := w.local.Use(t.Context(), both); err != nil {
		t.Fatal(err)
	}
	if err := w.bridge.Use(t.Context(), both); err != nil {
		t.Fatal(err)
	}
	w.pass(6 * 24 * time.Hour)
	if r := w.send(gateway.SyncDoor, w.envelope(syncRequest("m-2", w.document("portal", form("portal"), "citizen"), w.clock()), "portal")); r.Code != "" {
		t.Fatalf("%s", r.Bytes)
	}
	if got := w.all()[0].Edition; got != "2026-12-01-1" {
		t.Errorf("filed under %s", got)
	}
	// The first one ends under its own edition, which nobody needs then.
	number := w.all()[1].Number
	if _, err := w.bridge.Decide(t.Context(), number, gateway.Actor{Name: "specialist"}, gateway.Decision{State: gateway.Refused, Ground: &gateway.Ground{Code: "reasoned-refusal", Text: gateway.Text{RU: "основание", KK: "негіз"}}}); err != nil {
		t.Fatal(err)
	}
	if err := w.bridge.Use(t.Context(), alone); err == nil {
		t.Error("its notices are not delivered yet, and need it")
	}
	w.deliver()
	if err := w.bridge.Use(t.Context(), alone); err != nil {
		t.Errorf("nobody needs the first edition: %v", err)
	}
	if _, err := w.bridge.Timeline(t.Context(), number); err != nil {
		t.Error(err)
	}
}

// TestNoEditionInForce: on a day of no edition the service is not offered.
func TestNoEditionInForce(t *testing.T) {
	src, err := os.ReadFile("../mappings/" + certificate + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	ended := strings.Replace(string(src), "edition: 2012-03-30-1-231", "edition: 2012-03-30-1-231\nin_force: {to: 2026-11-25}", 1)
	w := newTownOf(t, editions(t, map[string]string{certificate + ".yaml": ended}))
	w.apply("m-1")
	w.pass(24 * time.Hour)
	r := w.send(gateway.SyncDoor, w.envelope(syncRequest("m-2", w.document("portal", form("portal"), "citizen"), w.clock()), "portal"))
	if r.Code != gateway.UnknownService {
		t.Errorf("%s %s", r.Code, r.Bytes)
	}
	if _, err := w.bridge.Take(t.Context(), w.only().Number, gateway.Actor{Name: "specialist"}); err != nil {
		t.Errorf("what runs goes on: %v", err)
	}
}

// TestHeldThroughAnExchange: an application that is held is judged by its own edition.
func TestHeldThroughAnExchange(t *testing.T) {
	w := newTownOf(t, editions(t, nil))
	w.lists.set(nil, w.keysOf([]string{"citizen"}))
	a, _ := w.apply("m-1")
	if a.State != gateway.Held {
		t.Fatal(a.State)
	}
	w.pass(6 * 24 * time.Hour)
	w.lists.set(nil, nil)
	if _, err := w.bridge.Reask(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a = w.only(); a.State != gateway.Received || a.Edition != "2012-03-30-1-231" {
		t.Errorf("%s under %s", a.State, a.Edition)
	}
}

// TestEditionOfWhatComesLater: an alarm and a questionnaire name step and
// service as the edition does under which the application was filed.
func TestEditionOfWhatComesLater(t *testing.T) {
	w := newTownOf(t, editions(t, nil))
	o := w.options(zapcore.NewNopCore())
	o.PublicURL = "https://kopir.example"
	var err error
	if w.bridge, err = gateway.New(o); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id, edition, step, title string
		wait                     time.Duration
	}{
		{"m-1", "2012-03-30-1-231", "Принятие заявления на исполнение", "Выдача справок", 0},
		{"m-2", "2026-12-01-1", "Заявление берут в работу", "Справки", 6 * 24 * time.Hour},
	} {
		w.pass(c.wait)
		if r := w.send(gateway.SyncDoor, w.envelope(syncRequest(c.id, w.document("portal", form("portal"), "citizen"), w.clock()), "portal")); r.Code != "" {
			t.Fatalf("%s", r.Bytes)
		}
		app := w.all()[0]
		if app.Edition != c.edition {
			t.Fatalf("filed under %s", app.Edition)
		}
		w.pass(time.Hour)
		if _, err := w.bridge.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		line, err := w.bridge.Timeline(t.Context(), app.Number)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(line.Events, func(e gateway.Event) bool { return e.Kind == gateway.EventOverdue })
		if i < 0 || line.Events[i].Text.RU != c.step {
			t.Errorf("%s: the alarm says %+v", c.edition, line.Events)
		}
		if _, err := w.bridge.Take(t.Context(), app.Number, gateway.Actor{Name: "ann"}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.bridge.Decide(t.Context(), app.Number, gateway.Actor{Name: "ann"}, gateway.Decision{Result: w.result("official", app.Number, "")}); err != nil {
			t.Fatal(err)
		}
		w.deliver()
		var token string
		for _, d := range w.post.taken() {
			if found := link.FindSubmatch(d.Body); found != nil {
				token = string(found[1]) // the last one
			}
		}
		q, err := w.bridge.Questionnaire(t.Context(), token)
		if err != nil || !strings.HasPrefix(q.Service.Ru, c.title) {
			t.Errorf("%s: the questionnaire is about %+v %v", c.edition, q, err)
		}
		if err := w.bridge.AnswerQuestionnaire(t.Context(), token, map[string]int{"process": 3, "information": 2}); err != nil {
			t.Fatal(err)
		}
	}
	if groups, err := w.bridge.QuestionnaireSummary(t.Context()); err != nil || len(groups) != 1 || groups[0].Service != certificate {
		t.Errorf("answers under two editions are not summed: %+v %v", groups, err)
	}
}
