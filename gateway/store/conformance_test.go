package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kopir/gateway"
	"kopir/mappings"
	"kopir/signature/verdict"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var t0 = time.Date(2026, 11, 25, 6, 0, 0, 0, time.UTC)

// Each database must keep the whole suite. PostgreSQL needs an empty database
// of its own, named by KOPIR_POSTGRES.
func TestConformance(t *testing.T) {
	open := map[string]func(*testing.T) *Store{"sqlite": openTemp}
	if dsn := os.Getenv("KOPIR_POSTGRES"); dsn != "" {
		open["postgres"] = func(t *testing.T) *Store { return openEmptyPostgres(t, dsn) }
	}
	for name, o := range open {
		t.Run(name, func(t *testing.T) {
			for _, c := range suite {
				t.Run(c.name, func(t *testing.T) { c.run(t, o(t)) })
			}
		})
	}
}

var suite = []struct {
	name string
	run  func(*testing.T, *Store)
}{
	{"a change is kept whole", keptWhole},
	{"a change that fails leaves nothing", failsWhole},
	{"neighbours in one transaction", neighbours},
	{"rows that go in one statement", coalesced},
	{"the same id is taken once", takenOnce},
	{"an older version does not overwrite", oldVersion},
	{"numbers are given once", numbersOnce},
	{"applications are paged and filtered", pages},
	{"deliveries keep their order", order},
	{"a dead delivery holds its own line only", dead},
	{"each peer has its lane", lanes},
	{"what is written as claimed is claimed", leased},
	{"dead letters are settled together", deadTogether},
	{"a late settler changes nothing", lateSettler},
	{"deliveries of a process that died", released},
	{"due times are told once", told},
	{"a term that does not read is told of, and hides no other", spoiltDue},
	{"what was told stays told", staysTold},
	{"open terms are listed and counted", openTerms},
	{"a step is measured", measured},
	{"holds wait and are released", holds},
	{"idempotency keys", replays},
	{"an idempotency key of a process that died", orphanedKey},
	{"a nonce is spent once", nonces},
	{"notices have places in the order of writing", noticePlaces},
	{"a questionnaire is answered once", questionnaires},
	{"editions that are needed", runningEditions},
	{"drift is counted by place", driftsCounted},
	{"writes survive a reopening", reopen},
	{"the journal tells what was written", journalTells},
	{"an audit beside a bridge that writes", auditedWhileWriting},
	{"what was changed behind the bridge is found", behind},
	{"what is erased leaves nothing", erased},
	{"terms of what is removed name nobody", bareTerms},
	{"each failed try is kept", triesKept},
	{"refused messages within a budget", refusedWithin},
	{"records of the journal in files", movedRecords},
	{"what is over, page by page", overByPages},
}

func openTemp(t *testing.T) *Store { return openAt(t, filepath.Join(t.TempDir(), "a b?c#.db")) }

func openAt(t *testing.T, path string) *Store {
	t.Helper()
	s, err := OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func openEmptyPostgres(t *testing.T, dsn string) *Store {
	t.Helper()
	s, err := OpenPostgres(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for _, table := range []string{"messages", "applications", "results", "events", "dues", "evidence", "holds", "outbox", "sequences", "marks", "replays", "nonces", "drifts", "leaders", "journal", "journal_head", "journal_keys", "checkpoints", "questionnaire_offers", "questionnaire_answers", "tries", "proofs", "results", "papers", "pickups", "refusals", "journal_segments"} {
		if _, err := s.write.ExecContext(t.Context(), "DELETE FROM "+table); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func commit(t *testing.T, s *Store, c gateway.Change) {
	t.Helper()
	if err := s.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func application(number string, at time.Time) *gateway.Application {
	return &gateway.Application{
		Number: number, Service: "svc", Edition: "e1", Channel: gateway.Portal, State: gateway.Received,
		Applicant:  gateway.Party{IIN: "900101300123", Name: "ТЕСТОВ ТЕСТ"},
		Fields:     []gateway.Field{{Name: "surname", Value: "ТЕСТОВ", Column: "surname", Label: gateway.Text{RU: "Фамилия", KK: "Тегі"}}},
		ReceivedAt: at, ChangedAt: at, Sender: "PORTAL", MessageID: "m-" + number, Version: 1,
	}
}

func message(id, sender, key, app string) *gateway.Message {
	return &gateway.Message{ID: id, Sender: sender, Key: key, SHA256: "ab", Door: gateway.SyncDoor, Operation: "SendMessage", Service: "svc", At: t0,
		Raw: []byte("<raw/>"), Reply: []byte("<reply/>"), Application: app}
}

func delivery(id, app string, route gateway.Route, at time.Time) gateway.Delivery {
	return gateway.Delivery{ID: id, Application: app, Route: route, State: gateway.Queued, MessageType: "NOTIFICATION", MessageID: "out-" + id,
		MessageDate: at, CreatedAt: at, NextAt: at, Body: []byte("<status/>")}
}

func keptWhole(t *testing.T, s *Store) {
	a := application("N-1", t0)
	a.Result = &gateway.Document{Name: "a.xml", MediaType: "application/xml", SHA256: "00"}
	result := *a.Result
	result.Content = []byte("<result/>")
	commit(t, s, gateway.Change{
		Message: message("1", "PORTAL", "k", "N-1"), Application: a, Result: &result,
		Evidence: []gateway.Evidence{{Message: "1", Application: "N-1", Kind: gateway.ByPerson, At: t0, Outcome: verdict.Failed, Reason: verdict.Revoked, Verdict: []byte("{}")}},
		Events: []gateway.Event{
			{Application: "N-1", At: t0, Kind: gateway.EventState, To: gateway.Held},
			{Application: "N-1", At: t0, Kind: gateway.EventState, From: gateway.Held, To: gateway.Received}},
		Dues:       []gateway.Due{{Application: "N-1", Step: 5, StartedAt: t0, DueAt: t0.Add(time.Hour)}},
		Deliveries: []gateway.Delivery{delivery("d1", "N-1", gateway.ToPortal, t0)},
		Hold:       &gateway.Hold{Application: "N-1", NextAt: t0, Document: []byte("<doc/>")},
	})
	got, err := s.Application(t.Context(), "N-1")
	if err != nil || got.Fields[0].Value != "ТЕСТОВ" || got.Applicant.IIN != "900101300123" || !got.ReceivedAt.Equal(t0) || got.Result == nil || got.Result.Content != nil {
		t.Errorf("application: %+v, %v", got, err)
	}
	m, err := s.Message(t.Context(), "PORTAL", "k")
	if err != nil || string(m.Raw) != "<raw/>" || string(m.Reply) != "<reply/>" || !m.At.Equal(t0) || m.Application != "N-1" || m.Door != gateway.SyncDoor {
		t.Errorf("message: %+v, %v", m, err)
	}
	ev, err := s.Events(t.Context(), "N-1")
	if err != nil || len(ev) != 2 || ev[0].Seq != 1 || ev[1].Seq != 2 || ev[1].From != gateway.Held {
		t.Errorf("events: %+v, %v", ev, err)
	}
	du, err := s.Dues(t.Context(), "N-1")
	if err != nil || len(du) != 1 || du[0].Step != 5 {
		t.Errorf("dues: %+v, %v", du, err)
	}
	e, err := s.Evidence(t.Context(), "N-1")
	if err != nil || len(e) != 1 || e[0].Outcome != verdict.Failed || e[0].Reason != verdict.Revoked || e[0].Kind != gateway.ByPerson {
		t.Errorf("evidence: %+v, %v", e, err)
	}
	r, err := s.Result(t.Context(), "N-1")
	if err != nil || string(r.Content) != "<result/>" {
		t.Errorf("result: %+v, %v", r, err)
	}
	if _, err := s.Application(t.Context(), "N-2"); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("unknown number: %v", err)
	}
	if _, err := s.Message(t.Context(), "PORTAL", "K"); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("unknown key: %v", err)
	}
}

func failsWhole(t *testing.T, s *Store) {
	commit(t, s, gateway.Change{Message: message("1", "PORTAL", "k", "")})
	ok := make(chan error, 20)
	for i := range 20 { // neighbours in the same group must not suffer
		go func() {
			ok <- s.Commit(context.Background(), gateway.Change{Application: application(fmt.Sprintf("G-%d", i), t0)})
		}()
	}
	second := application("N-1", t0)
	second.Version = 2 // there is no version 1: fails after the message was written
	err := s.Commit(t.Context(), gateway.Change{Message: message("2", "PORTAL", "other", "N-1"), Application: second})
	if !errors.Is(err, gateway.ErrVersion) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Message(t.Context(), "PORTAL", "other"); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("half of the change is there: %v", err)
	}
	for range 20 {
		if err := <-ok; err != nil {
			t.Error(err)
		}
	}
}

// write is a change that is to be committed with others, and what comes of it.
type write struct {
	c    gateway.Change
	want error
}

// together commits changes in one transaction, but for those that fail in it.
func together(t *testing.T, s *Store, changes []write) {
	t.Helper()
	began, held := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() { // keeps the writer busy until the others wait for it
		var once sync.Once
		first <- s.writer.write(context.Background(), func(*tx) error {
			once.Do(func() { close(began) })
			<-held
			return nil
		})
	}()
	<-began
	var wg sync.WaitGroup
	errs := make([]error, len(changes))
	for i := range changes {
		wg.Go(func() { errs[i] = s.Commit(context.Background(), changes[i].c) })
	}
	for end := time.Now().Add(20 * time.Second); len(s.writer.jobs) < len(changes) && time.Now().Before(end); {
		runtime.Gosched()
	}
	close(held)
	wg.Wait()
	if err := <-first; err != nil {
		t.Error(err)
	}
	for i := range changes {
		if want := changes[i].want; want == nil && errs[i] != nil || !errors.Is(errs[i], want) {
			t.Errorf("change %d: %v, want %v", i, errs[i], want)
		}
	}
}

// neighbours: writes that share a transaction see each other's lines, and those
// that fail take nothing of the others with them.
func neighbours(t *testing.T, s *Store) {
	commit(t, s, gateway.Change{Message: message("1", "PORTAL", "k", "N-1"), Application: application("N-1", t0)})
	commit(t, s, gateway.Change{Application: application("N-2", t0), Deliveries: []gateway.Delivery{delivery("d1", "N-2", gateway.ToPortal, t0)}})
	event := func(app string) gateway.Change {
		return gateway.Change{Events: []gateway.Event{{Application: app, At: t0, Kind: gateway.EventNote}}}
	}
	stale, late := application("N-2", t0), delivery("d1", "N-2", gateway.ToPortal, t0)
	stale.Version, late.Seq, late.Lease = 7, 1, 99
	together(t, s, []write{
		{event("N-1"), nil},
		{gateway.Change{Message: message("2", "PORTAL", "k", "N-1"), Events: event("N-1").Events}, gateway.ErrDuplicate},
		{event("N-1"), nil},
		{gateway.Change{Application: application("N-3", t0), Events: event("N-3").Events}, nil},
		{gateway.Change{Application: application("N-1", t0)}, gateway.ErrVersion},
		{gateway.Change{Application: stale, Events: event("N-2").Events}, gateway.ErrVersion},
		{gateway.Change{Deliveries: []gateway.Delivery{late}}, gateway.ErrLease},
		{gateway.Change{Deliveries: []gateway.Delivery{delivery("d2", "N-2", gateway.ToPortal, t0)}, Events: event("N-2").Events}, nil},
	})
	together(t, s, []write{{event("N-1"), nil}, {event("N-2"), nil}, {event("N-1"), nil}})
	for number, want := range map[string]int{"N-1": 4, "N-2": 2, "N-3": 1} {
		ev, err := s.Events(t.Context(), number)
		if err != nil || len(ev) != want {
			t.Errorf("%s: %d events, want %d: %v", number, len(ev), want, err)
		}
		for i := range ev {
			if ev[i].Seq != int64(i+1) {
				t.Errorf("%s: event %d has place %d", number, i+1, ev[i].Seq)
			}
		}
	}
	if ds, err := s.Deliveries(t.Context(), gateway.DeliveryFilter{Application: "N-2"}, "", 10); err != nil || len(ds.Deliveries) != 2 || ds.Deliveries[1].Seq != 2 {
		t.Errorf("deliveries: %+v %v", ds.Deliveries, err)
	}
	// Keys of the journal that a first try made, and lost with it, are not used.
	if a := audit(t, s); len(a.Faults) > 0 {
		t.Errorf("the journal disagrees with the tables: %v", a.Faults)
	}
}

func takenOnce(t *testing.T, s *Store) {
	const n = 16
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() {
			num := fmt.Sprintf("N-%d", i)
			errs[i] = s.Commit(context.Background(), gateway.Change{Message: message(fmt.Sprint(i), "PORTAL", "same", num), Application: application(num, t0)})
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, gateway.ErrDuplicate):
			t.Error(err)
		}
	}
	page, err := s.Applications(t.Context(), gateway.Filter{}, "", 100)
	if won != 1 || err != nil || len(page.Applications) != 1 {
		t.Errorf("%d won, %d applications, %v", won, len(page.Applications), err)
	}
	commit(t, s, gateway.Change{Message: message("other", "CSC", "same", "")}) // another sender's id is its own
}

func oldVersion(t *testing.T, s *Store) {
	commit(t, s, gateway.Change{Application: application("N-1", t0)})
	a := application("N-1", t0)
	a.Version, a.State = 2, gateway.InProgress
	commit(t, s, gateway.Change{Application: a})
	b := application("N-1", t0)
	b.Version, b.State = 2, gateway.Refused
	err := s.Commit(t.Context(), gateway.Change{Application: b, Events: []gateway.Event{{Application: "N-1", At: t0}}})
	if !errors.Is(err, gateway.ErrVersion) {
		t.Errorf("got %v", err)
	}
	if got, _ := s.Application(t.Context(), "N-1"); got == nil || got.State != gateway.InProgress {
		t.Errorf("got %+v", got)
	}
	if err := s.Commit(t.Context(), gateway.Change{Application: application("N-1", t0)}); !errors.Is(err, gateway.ErrVersion) {
		t.Errorf("a number twice: %v", err)
	}
}

func numbersOnce(t *testing.T, s *Store) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var all []int64
	for range 20 {
		wg.Go(func() {
			n, err := s.Reserve(context.Background(), "svc/2026", 3)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			all = append(all, n, n+1, n+2)
			mu.Unlock()
		})
	}
	wg.Wait()
	slices.Sort(all)
	for i, n := range all {
		if n != int64(i+1) {
			t.Fatalf("numbers: %v", all)
		}
	}
	if n, err := s.Reserve(t.Context(), "other", 1); n != 1 || err != nil {
		t.Errorf("another sequence begins at %d, %v", n, err)
	}
}

func pages(t *testing.T, s *Store) {
	for i := range 7 {
		a := application(fmt.Sprintf("N-%d", i), t0.Add(time.Duration(i/2)*time.Minute)) // pairs share their time
		if i == 3 {
			a.DueAt = t0
		}
		if i >= 4 {
			a.State = gateway.Completed
		}
		if i == 6 {
			a.Applicant.IIN = "850505400456"
		}
		if i == 2 {
			a.PartnerNumber = "PEP-77"
		}
		commit(t, s, gateway.Change{Application: a})
	}
	list := func(f gateway.Filter, limit int) (all []string) {
		t.Helper()
		next := ""
		for {
			p, err := s.Applications(t.Context(), f, next, limit)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range p.Applications {
				all = append(all, a.Number)
			}
			if next = p.Next; next == "" {
				return all
			}
		}
	}
	yes := true
	for _, c := range []struct {
		name string
		f    gateway.Filter
		want []string
	}{
		{"all", gateway.Filter{}, []string{"N-6", "N-5", "N-4", "N-3", "N-2", "N-1", "N-0"}},
		{"state", gateway.Filter{States: []gateway.State{gateway.Completed, gateway.Refused}}, []string{"N-6", "N-5", "N-4"}},
		{"person", gateway.Filter{IIN: "850505400456"}, []string{"N-6"}},
		{"our number", gateway.Filter{Number: "N-4"}, []string{"N-4"}},
		{"the partner's number", gateway.Filter{Number: "PEP-77"}, []string{"N-2"}},
		{"overdue", gateway.Filter{Overdue: &yes, Now: t0}, []string{"N-3"}},
		{"dates", gateway.Filter{From: t0.Add(time.Minute), To: t0.Add(2 * time.Minute)}, []string{"N-3", "N-2"}},
		{"none", gateway.Filter{Service: "x' OR '1'='1"}, nil},
	} {
		for _, limit := range []int{1, 2, 3, 100} {
			if got := list(c.f, limit); !slices.Equal(got, c.want) {
				t.Errorf("%s by %d: %v, want %v", c.name, limit, got, c.want)
			}
		}
	}
	if _, err := s.Applications(t.Context(), gateway.Filter{}, "!", 1); gateway.CodeOf(err) != gateway.Malformed {
		t.Errorf("a broken cursor: %v", err)
	}
}

func claim(t *testing.T, s *Store, route gateway.Route, at time.Time) (ids []string, ds []gateway.Delivery) {
	t.Helper()
	ds, err := s.Claim(t.Context(), gateway.Lane{Route: route}, at, time.Minute, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range ds {
		ids = append(ids, d.ID)
	}
	return ids, ds
}

func order(t *testing.T, s *Store) {
	commit(t, s, gateway.Change{Deliveries: []gateway.Delivery{delivery("a1", "A", gateway.ToPortal, t0), delivery("a2", "A", gateway.ToPortal, t0), delivery("a3", "A", gateway.ToCSC, t0)}})
	commit(t, s, gateway.Change{Deliveries: []gateway.Delivery{delivery("b1", "B", gateway.ToPortal, t0)}})
	ids, ds := claim(t, s, gateway.ToPortal, t0)
	if !slices.Equal(ids, []string{"a1", "b1"}) || string(ds[0].Body) != "<status/>" || ds[0].Seq != 1 || ds[0].MessageID != "out-a1" {
		t.Fatalf("%v %+v", ids, ds)
	}
	if again, _ := claim(t, s, gateway.ToPortal, t0); again != nil {
		t.Errorf("claimed twice: %v", again)
	}
	retry := ds[0]
	retry.Tries, retry.NextAt, retry.Error = 1, t0.Add(5*time.Second), "down"
	commit(t, s, gateway.Change{Deliveries: []gateway.Delivery{retry}})
	if ids, _ := claim(t, s, gateway.ToPortal, t0.Add(time.Second)); ids != nil {
		t.Errorf("the second overtook the first: %v", ids)
	}
	if at, err := s.NextDelivery(t.Context(), gateway.Lane{Route: gateway.ToCSC}); err != nil || !at.Equal(t0) {
		t.Errorf("next on csc: %v, %v", at, err)
	}
	ids, ds = claim(t, s, gateway.ToPortal, t0.Add(5*time.Second))
	if !slices.Equal(ids, []string{"a1"}) || ds[0].Tries != 1 || ds[0].MessageID != "out-a1" {
		t.Fatalf("%v", ids)
	}
	done := ds[0]
	done.State, done.PeerMessageID, done.Answer = gateway.Done, "216386080", []byte("<ok/>")
	commit(t, s, gateway.Change{Deliveries: []gateway.Delivery{done}})
	if ids, _ := claim(t, s, gateway.ToPortal, t0.Add(5*time.Second)); !slices.Equal(ids, []string{"a2"}) {
		t.Errorf("after the first: %v", ids)
	}
	p, err := s.Deliveries(t.Context(), gateway.DeliveryFilter{MessageID: "216386080"}, "", 10)
	if err != nil || len(p.Deliveries) != 1 || p.Deliveries[0].ID != "a1" || string(p.Deliveries[0].Answer) != "<ok/>" {
		t.Errorf("by the gateway's id: %+v, %v", p, err)
	}
	first, err := s.Deliveries(t.Context(), gateway.DeliveryFilter{Application: "A"}, "", 2)
	if err != nil || len(first.Deliveries) != 2 || first.Next == "" {
		t.Fatalf("%+v %v", first, err)
	}
	rest, err := s.Deliveries(t.Context(), gateway.DeliveryFilter{Application: "A"}, first.Next, 2)
	if err != nil || len(rest.Deliveries) != 1 || rest.Next != "" {
		t.Errorf("%+v %v", rest, err)
	}
}

func dead(t *testing.T, s *Store) {
	commit(t, s, gateway.Change{Deliveries: []gateway.Delivery{delivery("a1", "A", gateway.ToPortal, t0), delivery("a2", "A", gateway.ToPortal, t0), delivery("b1", "B", gateway.ToPortal, t0)}})
	_, ds := claim(t, s, gateway.ToPortal, t0)
	for _, d := range ds {
		d.State = gateway.Dead
		if d.ID == "b1" {
			d.State = gateway.Done
		}
		commit(t, s, gateway.Change{Deliveries: []gateway.Delivery{d}})
	}
	if ids, _ := claim(t, s, gateway.ToPortal, t0.Add(time.Hour)); ids != nil {
		t.Errorf("went past a dead one: %v", ids)
	}
	if at, err := s.NextDelivery(t.Context(), gateway.Lane{Route: gateway.ToPortal}); err != nil || !at.IsZero() {
		t.Errorf("next: %v, %v", at, err)
	}
	p, err := s.Deliveries(t.Context(), gateway.DeliveryFilter{States: []gateway.DeliveryState{gateway.Dead}}, "", 10)
	if err != nil || len(p.Deliveries) != 1 {
		t.Fatalf("%+v %v", p, err)
	}
	d := p.Deliveries[0]
	d.State = gateway.Dropped
	commit(t, s, gateway.Change{Deliveries: []gateway.Delivery{d}})
	if ids, _ := claim(t, s, gateway.ToPortal, t0.Add(time.Hour)); !slices.Equal(ids, []string{"a2"}) {
		t.Errorf("after it was dropped: %v", ids)
	}
}

func lateSettler(t *testing.T, s *Store) {
	commit(t, s, gateway.Change{Deliveries: []gateway.Delivery{delivery("a1", "A", gateway.ToPortal, t0)}})
	_, slow := claim(t, s, gateway.ToPortal, t0)
	ids, quick := claim(t, s, gateway.ToPortal, t0.Add(2*time.Minute)) // the lease has run out
	if !slices.Equal(ids, []string{"a1"}) {
		t.Fatal(ids)
	}
	slow[0].State = gateway.Dead
	if err := s.Commit(t.Context(), gateway.Change{Deliveries: slow}); !errors.Is(err, gateway.ErrLease) {
		t.Errorf("got %v", err)
	}
	quick[0].State = gateway.Done
	commit(t, s, gateway.Change{Deliveries: quick})
}

// released: what a dead process had claimed goes soon, a row and a question at
// once, and what that process would still settle changes nothing.
func released(t *testing.T, s *Store) {
	commit(t, s, gateway.Change{Deliveries: []gateway.Delivery{delivery("a1", "A", gateway.ToPortal, t0), delivery("b1", "B", gateway.ToPortal, t0)}})
	_, cut := claim(t, s, gateway.ToPortal, t0)
	cut[1].State = gateway.Done
	commit(t, s, gateway.Change{Deliveries: cut[1:]})
	commit(t, s, gateway.Change{Deliveries: []gateway.Delivery{delivery("c1", "C", gateway.ToLocal, t0), delivery("d1", "D", gateway.Route(mappings.Persons), t0)}})
	for _, r := range []gateway.Route{gateway.ToLocal, gateway.Route(mappings.Persons)} {
		claim(t, s, r, t0)
	}
	if n, err := s.ReleaseAll(t.Context(), t0.Add(10*time.Second)); n != 3 || err != nil {
		t.Fatalf("released %d, %v", n, err)
	}
	for _, r := range []gateway.Route{gateway.ToLocal, gateway.Route(mappings.Persons)} {
		if ids, _ := claim(t, s, r, t0); len(ids) != 1 {
			t.Errorf("%s: %v", r, ids)
		}
	}
	if ids, _ := claim(t, s, gateway.ToPortal, t0.Add(9*time.Second)); len(ids) != 0 {
		t.Errorf("asked about while it may still be on its way: %v", ids)
	}
	ids, again := claim(t, s, gateway.ToPortal, t0.Add(10*time.Second))
	if !slices.Equal(ids, []string{"a1"}) || !again[0].Unsure || cut[0].Unsure {
		t.Errorf("after the release: %v %+v", ids, again)
	}
	cut[0].State = gateway.Done
	if err := s.Commit(t.Context(), gateway.Change{Deliveries: cut[:1]}); !errors.Is(err, gateway.ErrLease) {
		t.Errorf("settled without its lease: %v", err)
	}
}

func holds(t *testing.T, s *Store) {
	h := gateway.Hold{Application: "A", Document: []byte("<doc/>"), Reason: verdict.TryLater, Since: t0, NextAt: t0.Add(time.Minute)}
	commit(t, s, gateway.Change{Hold: &h})
	if got, err := s.HeldBefore(t.Context(), t0, 10); err != nil || got != nil {
		t.Errorf("%v %v", got, err)
	}
	got, err := s.HeldBefore(t.Context(), t0.Add(time.Minute), 10)
	if err != nil || len(got) != 1 || string(got[0].Document) != "<doc/>" || got[0].Reason != verdict.TryLater {
		t.Fatalf("%v %v", got, err)
	}
	h.Tries, h.NextAt = 1, t0.Add(time.Hour)
	commit(t, s, gateway.Change{Hold: &h})
	if got, err := s.HeldBefore(t.Context(), t0.Add(time.Hour), 10); err != nil || len(got) != 1 || got[0].Tries != 1 {
		t.Errorf("%v %v", got, err)
	}
	// The clock that put it off ran ahead.
	if _, err := s.Recall(t.Context(), t0); err != nil {
		t.Fatal(err)
	}
	if got, err := s.HeldBefore(t.Context(), t0, 10); err != nil || len(got) != 1 {
		t.Errorf("recalled: %v %v", got, err)
	}
	// One that does not read stands before it, and is named.
	commit(t, s, gateway.Change{Hold: &gateway.Hold{Application: "B-spoilt", Since: t0, NextAt: t0}})
	tamper(t, s, `UPDATE holds SET body = '{"tries":', next_at = 1 WHERE application = 'B-spoilt'`)
	if got, err := s.HeldBefore(t.Context(), t0.Add(time.Hour), 1); err == nil || !strings.Contains(err.Error(), "B-spoilt") || len(got) != 0 {
		t.Errorf("one that does not read: %v %v", got, err)
	}
	if got, err := s.HeldBefore(t.Context(), t0.Add(time.Hour), 1); err != nil || len(got) != 1 || got[0].Application != "A" {
		t.Errorf("behind one that does not read: %v %v", got, err)
	}
	commit(t, s, gateway.Change{Release: "B-spoilt"})
	commit(t, s, gateway.Change{Release: "A"})
	if got, err := s.HeldBefore(t.Context(), t0.Add(time.Hour), 10); err != nil || got != nil {
		t.Errorf("%v %v", got, err)
	}
}

func replays(t *testing.T, s *Store) {
	begin := func(digest string, at time.Time) (string, string) {
		t.Helper()
		state, answer, err := s.Begin(t.Context(), "key", "1", []byte(digest), at, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return state, string(answer)
	}
	steps := []struct {
		digest    string
		after     time.Duration
		want, ans string
	}{{"d", 0, "new", ""}, {"d", time.Second, "busy", ""}, {"e", time.Second, "other", ""}, {"d", 2 * time.Minute, "new", ""}}
	for _, c := range steps {
		if state, answer := begin(c.digest, t0.Add(c.after)); state != c.want || answer != c.ans {
			t.Errorf("%+v: %s %q", c, state, answer)
		}
	}
	if err := s.Finish(t.Context(), "key", "1", "", []byte("201")); err != nil {
		t.Fatal(err)
	}
	if err := s.Forget(t.Context(), "key", "1"); err != nil { // what is done stays
		t.Fatal(err)
	}
	if state, answer := begin("d", t0.Add(time.Hour)); state != "done" || answer != "201" {
		t.Errorf("%s %q", state, answer)
	}
}

func reopen(t *testing.T, s *Store) {
	if s.d.driver != sqlite.driver {
		return // one server keeps both: nothing is reopened
	}
	path := filepath.Join(t.TempDir(), "x.db")
	one := openAt(t, path)
	commit(t, one, gateway.Change{Application: application("N-1", t0)})
	if err := one.SetMark(t.Context(), "watch/svc", "7"); err != nil {
		t.Fatal(err)
	}
	one.Close()
	if err := one.Commit(t.Context(), gateway.Change{}); err == nil {
		t.Error("a closed store takes a change")
	}
	two := openAt(t, path)
	if _, err := two.Application(t.Context(), "N-1"); err != nil {
		t.Error(err)
	}
	if m, err := two.Mark(t.Context(), "watch/svc"); m != "7" || err != nil {
		t.Errorf("mark %q, %v", m, err)
	}
	if err := two.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// BenchmarkCommit is an intake as the bridge commits it, from many hands.
func BenchmarkCommit(b *testing.B) {
	s, err := OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "x.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	raw := make([]byte, 6<<10)
	n, _ := s.Reserve(b.Context(), "bench", 1<<40)
	var mu sync.Mutex
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			mu.Lock()
			n++
			id := fmt.Sprint(n)
			mu.Unlock()
			m := message(id, "PORTAL", id, id)
			m.Raw, m.Reply = raw, raw[:4<<10]
			err := s.Commit(context.Background(), gateway.Change{Message: m, Application: application(id, t0),
				Evidence:   []gateway.Evidence{{Message: id, Application: id, Kind: gateway.BySystem, At: t0}, {Message: id, Application: id, Kind: gateway.ByPerson, At: t0}},
				Events:     []gateway.Event{{Application: id, At: t0}},
				Dues:       []gateway.Due{{Application: id, Step: 5, StartedAt: t0, DueAt: t0.Add(time.Hour)}},
				Deliveries: []gateway.Delivery{delivery(id+"p", id, gateway.ToPortal, t0), delivery(id+"c", id, gateway.ToCSC, t0), delivery(id+"l", id, gateway.ToLocal, t0)}})
			if err != nil {
				b.Error(err)
			}
		}
	})
}
