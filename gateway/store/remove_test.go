package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/journal"
	"kopir/signature/verdict"
)

// dump is every row of every table, as text.
func dump(t *testing.T, s *Store) string {
	t.Helper()
	names := `SELECT name FROM sqlite_master WHERE type = 'table'`
	if s.d.shared {
		names = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`
	}
	var tables []string
	if err := s.scan(t.Context(), names, nil, func(v []any) { tables = append(tables, string(raw(v[0]))) }); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, table := range tables {
		if err := s.scan(t.Context(), "SELECT * FROM "+table, nil, func(v []any) {
			for _, x := range v {
				fmt.Fprintf(&b, "%s|", raw(x))
			}
			b.WriteByte('\n')
		}); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// erased: of an application that is over nothing of the person is left, another
// of the same person stays, the audit agrees, and nothing is recorded under the
// destroyed key.
func erased(t *testing.T, s *Store) {
	const person = "ТЕСТОВ"
	secret := "says " + person
	a := application("N-1", t0)
	a.Result = &gateway.Document{Name: person + ".xml", MediaType: "application/xml", SHA256: "00", Token: "token"}
	result := *a.Result
	result.Content = []byte(secret)
	m := message("1", "PORTAL", "k", "N-1")
	m.Raw, m.Reply = []byte("raw "+secret), []byte("reply "+secret)
	d := delivery("d1", "N-1", gateway.ToPortal, t0)
	d.Body = []byte(secret)
	commit(t, s, gateway.Change{
		Message: m, Application: a, Result: &result,
		Papers:     []gateway.Paper{{Application: "N-1", Languages: "ru", Document: result}},
		Evidence:   []gateway.Evidence{{Message: "1", Application: "N-1", Kind: gateway.ByPerson, At: t0, Outcome: verdict.Passed, Verdict: []byte(secret), Document: []byte(secret), Finding: []byte(secret), Proofs: []verdict.Proof{verdict.Prove(verdict.ProofSigner, []byte(secret)), verdict.Prove(verdict.ProofAuthority, []byte("authority"))}}},
		Events:     []gateway.Event{{Application: "N-1", At: t0, Kind: gateway.EventState, To: gateway.Received, Text: gateway.Text{RU: secret}}},
		Dues:       []gateway.Due{movedDue("N-1", person)},
		Deliveries: []gateway.Delivery{d},
		Hold:       &gateway.Hold{Application: "N-1", NextAt: t0, Document: []byte(secret)},
	})
	for key, about := range map[string]string{"1": "", "2": "N-1", "3": "N-2"} { // the first says it in its body
		if _, _, err := s.Begin(t.Context(), "key", key, []byte("x"), t0, time.Minute); err != nil {
			t.Fatal(err)
		}
		body := "eyJudW1iZXIiOiJOLTEifQ=="
		if about != "" {
			body = "YWJvdXQ="
		}
		if err := s.Finish(t.Context(), "key", key, about, []byte(`{"status":200,"body":"`+body+`"}`)); err != nil {
			t.Fatal(err)
		}
	}
	gone := gateway.Removal{What: gateway.Erased, At: t0, By: "tester", Reason: "act 17"}
	if err := s.Remove(t.Context(), "N-1", gone, nil); !errors.Is(err, gateway.ErrOpen) {
		t.Fatalf("an open one: %v", err)
	}
	a.State, a.Version = gateway.Completed, 2
	commit(t, s, gateway.Change{Application: a})
	if err := s.Remove(t.Context(), "N-1", gone, nil); !errors.Is(err, gateway.ErrOpen) {
		t.Fatalf("one of which a delivery waits: %v", err)
	}
	ds, err := s.Claim(t.Context(), gateway.Lane{Route: gateway.ToPortal}, t0, time.Minute, 1)
	if err != nil || len(ds) != 1 {
		t.Fatal(ds, err)
	}
	ds[0].State, ds[0].Sent, ds[0].Answer = gateway.Done, []byte(secret), []byte(secret)
	commit(t, s, gateway.Change{Deliveries: ds})
	if !strings.Contains(dump(t, s), person) {
		t.Fatal("the person is not in the store to begin with")
	}
	if over, _, err := s.Over(t.Context(), t0.Add(time.Hour), true, "", 10); err != nil || len(over) != 1 || over[0] != "N-1" {
		t.Errorf("over: %v %v", over, err)
	}
	if err := s.Remove(t.Context(), "N-1", gone, nil); err != nil {
		t.Fatal(err)
	}
	if text := dump(t, s); strings.Contains(text, person) || strings.Contains(text, "900101300123") || strings.Contains(text, "eyJudW1iZXIi") {
		t.Errorf("left: %s", text)
	}
	answers := func() []string {
		t.Helper()
		keys, err := oneColumn[string](t.Context(), s, `SELECT replay_key FROM replays`)
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	if left := answers(); !slices.Equal(left, []string{"3"}) {
		t.Errorf("answers that are left: %v", left)
	}
	if err := s.Remove(t.Context(), "N-1", gone, nil); !errors.Is(err, gateway.ErrRemoved) {
		t.Errorf("twice: %v", err)
	}
	if err := s.Remove(t.Context(), "N-9", gone, nil); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
	if over, _, err := s.Over(t.Context(), t0.Add(time.Hour), true, "", 10); err != nil || len(over) != 0 {
		t.Errorf("over: %v %v", over, err)
	}
	if a := audit(t, s); len(a.Faults) > 0 || a.Erased == 0 {
		t.Errorf("%+v", a)
	}
	kept, err := s.Message(t.Context(), "PORTAL", "k")
	if err != nil || kept.Keeping != gateway.ReplySealed {
		t.Fatalf("%+v %v", kept, err)
	}
	if reply, err := gateway.OpenReply(m.Raw, kept.Reply); err != nil || string(reply) != "reply "+secret {
		t.Errorf("%q %v", reply, err)
	}
	if err := s.Commit(t.Context(), gateway.Change{Events: []gateway.Event{{Application: "N-1", At: t0, Kind: gateway.EventNote}}}); !errors.Is(err, gateway.ErrRemoved) {
		t.Errorf("something was recorded under a destroyed key: %v", err)
	}
	var last journal.Record
	if err := s.Journal(t.Context(), 0, "N-1", func(l Link) error {
		r, err := journal.Read(l.Body)
		if err == nil {
			last = *r
		}
		return err
	}); err != nil || last.Kind != journal.Erasure || last.Who != "tester" || last.Parts[0].Note != "act 17" {
		t.Errorf("%+v %v", last, err)
	}
	for after, left := range []int{1, 0} { // its claim was for a minute
		if _, err := s.ForgetReplies(t.Context(), t0.Add(time.Minute+time.Duration(after)*time.Microsecond)); err != nil || len(answers()) != left {
			t.Errorf("%v are left, %v", answers(), err)
		}
	}
}

// movedDue is a term that is done, and that a person moved for a reason.
// overByPages: applications that changed lately hide none of those behind them,
// however many they are, and are read once; messages come when all were read.
func overByPages(t *testing.T, s *Store) {
	for i := range 9 {
		a := application(fmt.Sprint("N-", i), t0.Add(time.Duration(i)*time.Minute))
		a.State = gateway.Completed
		if i != 6 {
			a.ChangedAt = t0.Add(48 * time.Hour)
		}
		commit(t, s, gateway.Change{Message: message(a.Number, "PORTAL", a.Number, a.Number), Application: a})
	}
	for i := range 3 {
		commit(t, s, gateway.Change{Message: message(fmt.Sprint(i), "PORTAL", fmt.Sprint("alone-", i), "")})
	}
	var all []string
	pages, next := 0, ""
	for more := true; more && pages < 9; more = next != "" {
		owners, after, err := s.Over(t.Context(), t0.Add(time.Hour), true, next, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range owners {
			if id, ok := strings.CutPrefix(o, "message/"); ok {
				if err := s.Remove(t.Context(), "message/"+id, gateway.Removal{What: gateway.Erased, At: t0, By: "test"}, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		all, next, pages = append(all, owners...), after, pages+1
	}
	slices.Sort(all)
	if want := []string{"N-6", "message/0", "message/1", "message/2"}; !slices.Equal(all, want) || pages != 6 {
		t.Errorf("%v on %d pages", all, pages)
	}
}

func movedDue(number, person string) gateway.Due {
	return gateway.Due{Application: number, Service: "s", Office: "o", Step: 5, StartedAt: t0, DueAt: t0.Add(time.Hour), DoneAt: t0.Add(time.Minute), Took: 60, Extended: 1,
		Moved: []gateway.Shift{{At: t0, By: gateway.Actor{Name: person, IIN: "900101300123"}, Reason: gateway.Text{RU: "waits for " + person, KK: "waits for " + person}, Days: 3, From: t0}}}
}

// bareTerms: of the terms of what is archived or erased nobody is left, and how
// long they took still is.
func bareTerms(t *testing.T, s *Store) {
	const person = "ТЕСТОВ"
	for i, what := range []gateway.RemovalKind{gateway.Archived, gateway.Erased} {
		number := fmt.Sprint("N-", i)
		a := application(number, t0)
		a.State = gateway.Completed
		commit(t, s, gateway.Change{Message: message(number, "PORTAL", number, number), Application: a, Dues: []gateway.Due{movedDue(number, person)}})
		if !strings.Contains(dump(t, s), person) {
			t.Fatal("the person is not in the store to begin with")
		}
		if err := s.Remove(t.Context(), number, gateway.Removal{What: what, At: t0, By: "tester"}, &journal.Part{What: "archive", ID: "file"}); err != nil {
			t.Fatal(err)
		}
		if text := dump(t, s); strings.Contains(text, person) || strings.Contains(text, "900101300123") {
			t.Errorf("%s: left: %s", what, text)
		}
		if dues, err := s.Dues(t.Context(), number); err != nil || len(dues) != 1 || !dues[0].DueAt.Equal(t0.Add(time.Hour)) || dues[0].Extended != 1 {
			t.Errorf("%s: %+v %v", what, dues, err)
		}
		if a := audit(t, s); len(a.Faults) > 0 {
			t.Errorf("%s: %+v", what, a)
		}
	}
	// A version before left them as they were: that is made good at the next start.
	for _, number := range []string{"N-0", "N-1"} {
		body, err := toJSON(movedDue(number, person))
		if err != nil {
			t.Fatal(err)
		}
		tamper(t, s, `UPDATE dues SET body = '`+body+`' WHERE application = '`+number+`'`)
	}
	tamper(t, s, `DELETE FROM marks WHERE name = '`+bareMark+`'`)
	if err := s.fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if text := dump(t, s); strings.Contains(text, person) {
		t.Errorf("left after a start: %s", text)
	}
	if took, err := s.Pace(t.Context(), "s", "o", 5, 10); err != nil || len(took) != 2 || took[0] != 60 {
		t.Errorf("%v %v", took, err)
	}
}

// triesKept: what each failed try sent and was answered stays beside what the
// last one did.
func triesKept(t *testing.T, s *Store) {
	commit(t, s, gateway.Change{Message: message("1", "PORTAL", "k", "N-1"), Application: application("N-1", t0), Deliveries: []gateway.Delivery{delivery("d1", "N-1", gateway.ToPortal, t0)}})
	for try := 1; try <= 3; try++ {
		ds, err := s.Claim(t.Context(), gateway.Lane{Route: gateway.ToPortal}, t0, time.Minute, 1)
		if err != nil || len(ds) != 1 {
			t.Fatal(ds, err)
		}
		d := ds[0]
		d.Tries, d.Sent, d.Answer = try, fmt.Appendf(nil, "sent %d", try), fmt.Appendf(nil, "answer %d", try)
		if try == 3 {
			d.State = gateway.Done
		}
		commit(t, s, gateway.Change{Deliveries: []gateway.Delivery{d}})
	}
	d, err := s.Dossier(t.Context(), "N-1")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range d.Things {
		if th := &d.Things[i]; th.What == journalTry || th.What == journalDelivery {
			got = append(got, th.What+" "+string(th.Piece("sent"))+", "+string(th.Piece("answer")))
		}
	}
	if want := "delivery sent 3, answer 3; try sent 1, answer 1; try sent 2, answer 2"; strings.Join(got, "; ") != want {
		t.Errorf("%v", got)
	}
	if a := audit(t, s); len(a.Faults) > 0 {
		t.Errorf("%+v", a)
	}
}
