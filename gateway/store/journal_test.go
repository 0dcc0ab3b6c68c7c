package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/journal"
	"kopir/signature/verdict"
)

// whole is a change with everything that the journal speaks of.
func whole(n int) gateway.Change {
	number := fmt.Sprintf("N-%d", n)
	a := application(number, t0)
	a.Result = &gateway.Document{Name: "a.xml", MediaType: "application/xml", SHA256: "00"}
	result := *a.Result
	result.Content = []byte("<result/>")
	return gateway.Change{
		Message: message(fmt.Sprint(n), "PORTAL", fmt.Sprint("k", n), number), Application: a, Result: &result,
		Evidence: []gateway.Evidence{
			{Message: fmt.Sprint(n), Application: number, Kind: gateway.ByPerson, At: t0, Outcome: verdict.Passed, Verdict: []byte("{}"), Document: []byte("<doc/>"), Finding: []byte(`{"standing":"found"}`)},
			{Message: fmt.Sprint(n), Application: number, Kind: gateway.BySystem, At: t0, Outcome: verdict.Failed, Reason: verdict.Revoked, Verdict: []byte("{}")}},
		Events:     []gateway.Event{{Application: number, At: t0, Kind: gateway.EventState, To: gateway.Received}},
		Dues:       []gateway.Due{{Application: number, Step: 5, StartedAt: t0, DueAt: t0.Add(time.Hour)}},
		Deliveries: []gateway.Delivery{delivery("d"+number, number, gateway.ToPortal, t0)},
	}
}

// chain verifies the whole journal, and gives its records.
func chain(t *testing.T, s *Store) (c journal.Chain, all []*journal.Record) {
	t.Helper()
	err := s.Journal(t.Context(), 0, "", func(l Link) error {
		if err := c.Add(l.Body, l.Hash); err != nil {
			return err
		}
		r, err := journal.Read(l.Body)
		all = append(all, r)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	seq, head, err := s.Head(t.Context())
	if err != nil || seq != c.Seq || head != c.Head {
		t.Fatalf("the head is %d %s, the chain ends with %d %s: %v", seq, head, c.Seq, c.Head, err)
	}
	return c, all
}

func audit(t *testing.T, s *Store) Audit {
	t.Helper()
	a, err := s.Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func(n int64) { auditAtOnce = n }(auditAtOnce)
	auditAtOnce = 3
	if parts, err := s.Audit(t.Context()); err != nil || !reflect.DeepEqual(parts.Faults, a.Faults) || parts.Records == a.Records && !reflect.DeepEqual(parts, a) {
		t.Errorf("in parts: %+v, %v; at once: %+v", parts, err, a)
	}
	return a
}

// auditedWhileWriting: what is written between the records that an audit reads
// and the rows is no fault, and what is changed without a record is.
func auditedWhileWriting(t *testing.T, s *Store) {
	const n = 5
	for i := range n {
		commit(t, s, gateway.Change{Application: application(fmt.Sprint("N-", i), t0)})
	}
	ctx, stop := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		for version := int64(2); ctx.Err() == nil; version++ {
			for i := range n {
				a := application(fmt.Sprint("N-", i), t0)
				a.Version = version
				if err := s.Commit(t.Context(), gateway.Change{Application: a}); err != nil {
					t.Error(err)
					return
				}
				time.Sleep(2 * time.Millisecond) // nobody changes the same thing all the time
			}
		}
	})
	for range 10 {
		if a := audit(t, s); len(a.Faults) > 0 {
			t.Errorf("%+v", a)
		}
	}
	stop()
	writer.Wait()
	tamper(t, s, `UPDATE applications SET body = '{}' WHERE number = 'N-3'`)
	if a := audit(t, s); len(a.Faults) != 1 || !strings.Contains(a.Faults[0], "N-3 is not as it was recorded") {
		t.Errorf("%+v", a)
	}
}

func journalTells(t *testing.T, s *Store) {
	var writers sync.WaitGroup
	for n := range 20 {
		writers.Go(func() {
			if err := s.Commit(t.Context(), whole(n)); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	if err := s.Commit(t.Context(), gateway.Change{Message: message("again", "PORTAL", "k1", "")}); !errors.Is(err, gateway.ErrDuplicate) {
		t.Fatal(err)
	}
	_, ds := claim(t, s, gateway.ToPortal, t0)
	ds[0].State, ds[0].Answer = gateway.Done, []byte("<ok/>")
	commit(t, s, gateway.Change{Deliveries: ds[:1]})
	if err := s.Note(t.Context(), journal.Access, "N-1", "desk", journal.Part{What: "application", ID: "N-1", Note: "read"}); err != nil {
		t.Fatal(err)
	}
	_, all := chain(t, s)
	if len(all) != 22 { // the refused one left nothing
		t.Fatalf("%d records", len(all))
	}
	first := all[0]
	if first.Kind != journal.Change || len(first.Parts) != 9 || first.Parts[0].What != "message" || first.Parts[1].Note != "received" || all[21].Who != "desk" {
		t.Errorf("%+v", first)
	}
	digests := map[journal.Hash]bool{}
	for _, r := range all {
		for _, p := range r.Parts {
			if digests[p.Digest] && p.Digest != (journal.Hash{}) {
				t.Errorf("two applications with like content have one digest: %+v", p)
			}
			digests[p.Digest] = true
		}
	}
	var mine []string
	err := s.Journal(t.Context(), 0, "N-1", func(l Link) error { mine = append(mine, string(l.Body)); return nil })
	if err != nil || len(mine) < 2 || !strings.Contains(mine[0], `"owner":"N-1"`) {
		t.Errorf("of one application: %v %v", mine, err)
	}
	if a := audit(t, s); len(a.Faults) > 0 || a.Rows != 20*9 || a.Older != 0 || a.Records != 22 {
		t.Errorf("%+v", a)
	}
	m := journal.Mark{Seq: 22, At: t0}
	for _, c := range []struct {
		signed  string
		stamped bool
		kept    string
		last    int64
	}{{"signed", false, "signed", 0}, {"stamped", true, "stamped", 22}, {"signed later", false, "stamped", 22}} {
		if err := s.Checkpoint(t.Context(), m, []byte(c.signed), c.stamped); err != nil {
			t.Fatal(err)
		}
		if seq, at, err := s.LastCheckpoint(t.Context()); seq != 22 || !at.Equal(t0) || err != nil {
			t.Errorf("%d %s %v", seq, at, err)
		}
		if seq, err := s.LastStamped(t.Context()); seq != c.last || err != nil {
			t.Errorf("%s: stamped up to %d, %v", c.signed, seq, err)
		}
		if got := links(t, s, 21, ""); len(got) != 1 || string(got[0].Checkpoint) != c.kept {
			t.Errorf("%s: %+v", c.signed, got)
		}
	}
	if at, err := s.WrittenAt(t.Context(), 22); err != nil || !at.Equal(all[21].At) {
		t.Errorf("%s %v", at, err)
	}
	if _, err := s.WrittenAt(t.Context(), 23); !errors.Is(err, gateway.ErrNotFound) {
		t.Error(err)
	}
}

// behind: whoever writes into the tables past the bridge is found out, and it
// is said where.
func behind(t *testing.T, s *Store) {
	for n := range 3 {
		commit(t, s, whole(n))
	}
	for _, c := range []struct{ do, undo, want string }{
		{`UPDATE applications SET body = body || ' ' WHERE number = 'N-1'`, `UPDATE applications SET body = RTRIM(body) WHERE number = 'N-1'`, "application N-1 is not"},
		{`UPDATE events SET body = body || ' ' WHERE application = 'N-1'`, `UPDATE events SET body = RTRIM(body)`, "event N-1/1 is not"},
		{`UPDATE dues SET body = body || ' ' WHERE application = 'N-1'`, `UPDATE dues SET body = RTRIM(body)`, "due N-1/5/"},
		{`UPDATE messages SET code = 'x' WHERE id = '1'`, `UPDATE messages SET code = ''`, "message 1 is not"},
		{`UPDATE evidence SET outcome = 'TOTAL_PASSED' WHERE application = 'N-1' AND kind = 'system'`, `UPDATE evidence SET outcome = 'TOTAL_FAILED' WHERE kind = 'system'`, "verdict N-1 is not"},
		{`UPDATE evidence SET finding = '{}' WHERE application = 'N-1' AND finding <> ''`, `UPDATE evidence SET finding = '{"standing":"found"}' WHERE finding <> ''`, "verdict N-1 is not"},
		{`UPDATE results SET body = body || ' ' WHERE application = 'N-1'`, `UPDATE results SET body = RTRIM(body)`, "result N-1 is not"},
		{`UPDATE outbox SET body = body || ' ' WHERE id = 'dN-1'`, `UPDATE outbox SET body = RTRIM(body)`, "delivery dN-1 is not"},
		{`UPDATE journal_keys SET secret = '123' WHERE owner = 'N-1'`, ``, "N-1 is not"},
		{`DELETE FROM events WHERE application = 'N-2'`, ``, "event N-2/1 was recorded and is gone"},
		{`DELETE FROM outbox WHERE id = 'dN-2'`, ``, "payload dN-2 was recorded and is gone"},
	} {
		tamper(t, s, c.do)
		if a := audit(t, s); !strings.Contains(strings.Join(a.Faults, "\n"), c.want) {
			t.Errorf("%s: %v", c.do, a.Faults)
		}
		if c.undo != "" {
			tamper(t, s, c.undo)
			if a := audit(t, s); len(a.Faults) > 0 {
				t.Fatalf("%s: %v", c.undo, a.Faults)
			}
		}
	}
	var c journal.Chain
	tamper(t, s, `UPDATE journal SET body = REPLACE(body, 'received', 'refused') WHERE seq = 2`)
	var f *journal.Fault
	if err := s.Journal(t.Context(), 0, "", func(l Link) error { return c.Add(l.Body, l.Hash) }); !errors.As(err, &f) || f.Seq != 2 {
		t.Errorf("%v", err)
	}
}

func tamper(t *testing.T, s *Store, q string) {
	t.Helper()
	if err := s.writer.write(t.Context(), func(x *tx) error { _, err := x.exec(q); return err }); err != nil {
		t.Fatal(err)
	}
}
