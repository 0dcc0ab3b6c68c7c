package store

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"kopir/gateway"
)

// coalesced: what is written together is read as it was given, whatever is in it
// and however long it is, and one that fails takes nothing of the others with it.
func coalesced(t *testing.T, s *Store) {
	odd := []string{"", "NULL", `{"a","b"}`, `\\ " ' , {} ( ) `, "строка\nвторая", "қазақша"}
	var all []write
	change := func(i int) gateway.Change {
		number := fmt.Sprintf("N-%02d", i)
		m := message(fmt.Sprint(i), "PORTAL", odd[i%len(odd)]+fmt.Sprint("-", i), number)
		m.Raw, m.Reply, m.Service = []byte{0, byte(i), 0xff, '\\', '"'}, []byte(odd[i%len(odd)]), odd[i%len(odd)]
		if i%7 == 3 {
			m.Raw = bytes.Repeat([]byte{byte(i), 0}, maxCoalesced/2-10*i)
		}
		d := delivery("d"+number, number, gateway.ToPortal, t0)
		d.Body, d.CorrelationID = m.Raw, odd[i%len(odd)]
		return gateway.Change{Message: m, Application: application(number, t0), Deliveries: []gateway.Delivery{d},
			Evidence: []gateway.Evidence{{Message: m.ID, Application: number, Kind: gateway.ByPerson, At: t0, Verdict: []byte(odd[i%len(odd)])}},
			Events:   []gateway.Event{{Application: number, At: t0, Kind: gateway.EventNote, Detail: odd[i%len(odd)]}}}
	}
	const n = 24
	for i := range n {
		all = append(all, write{c: change(i)})
	}
	together(t, s, all[:n/2])
	again := change(3)
	again.Message.ID, again.Application, again.Deliveries, again.Evidence, again.Events = "again", nil, nil, nil, nil
	together(t, s, append(slices.Clone(all[n/2:]), write{again, gateway.ErrDuplicate}))
	for i := range n {
		want := change(i)
		m, err := s.Message(t.Context(), "PORTAL", want.Message.Key)
		if err != nil || m.ID != want.Message.ID || !bytes.Equal(m.Raw, want.Message.Raw) || !bytes.Equal(m.Reply, want.Message.Reply) || m.Service != want.Message.Service {
			t.Errorf("message %d: %v", i, err)
		}
		number := want.Application.Number
		ds, err := s.Deliveries(t.Context(), gateway.DeliveryFilter{Application: number}, "", 10)
		if err != nil || len(ds.Deliveries) != 1 || !bytes.Equal(ds.Deliveries[0].Body, want.Deliveries[0].Body) || ds.Deliveries[0].CorrelationID != want.Deliveries[0].CorrelationID {
			t.Errorf("delivery %d: %v", i, err)
		}
		es, err := s.Evidence(t.Context(), number)
		if err != nil || len(es) != 1 || !bytes.Equal(es[0].Verdict, want.Evidence[0].Verdict) {
			t.Errorf("evidence %d: %v", i, err)
		}
		if ev, err := s.Events(t.Context(), number); err != nil || len(ev) != 1 || ev[0].Detail != want.Events[0].Detail {
			t.Errorf("events %d: %v", i, err)
		}
	}
	settledTogether(t, s, n)
	if a := audit(t, s); len(a.Faults) > 0 {
		t.Errorf("the journal disagrees with the tables: %v", a.Faults)
	}
}

// settledTogether settles deliveries in one transaction, each with its own
// outcome, and one that another has taken over.
func settledTogether(t *testing.T, s *Store, n int) {
	t.Helper()
	ds, err := s.Claim(t.Context(), gateway.Lane{Route: gateway.ToPortal}, t0.Add(time.Minute), time.Minute, n)
	if err != nil || len(ds) != n {
		t.Fatalf("%d claimed, %v", len(ds), err)
	}
	var all []write
	for i, d := range ds {
		d.Tries, d.State, d.DoneAt, d.Sent, d.Answer, d.PeerMessageID = 1, gateway.Done, t0, []byte{0, byte(i)}, []byte(`{","}`), fmt.Sprint("peer-", i)
		switch i % 6 {
		case 1:
			d.State, d.Cause, d.Code, d.FailedAt = gateway.Dead, gateway.CauseRefused, "X", t0
		case 2:
			d.State, d.NextAt = gateway.Queued, t0.Add(time.Hour)
		}
		ds[i] = d
		w := write{c: gateway.Change{Deliveries: []gateway.Delivery{d}}}
		if i == 5 {
			w.c.Deliveries[0].Lease++
			w.want = gateway.ErrLease
		}
		all = append(all, w)
	}
	together(t, s, all[:n-4])
	together(t, s, all[n-4:])
	for i, want := range ds {
		p, err := s.Deliveries(t.Context(), gateway.DeliveryFilter{ID: want.ID}, "", 2)
		if err != nil || len(p.Deliveries) != 1 {
			t.Fatal(err)
		}
		got := p.Deliveries[0]
		if i == 5 {
			if got.State != gateway.Queued || got.Lease == 0 || len(got.Sent) > 0 {
				t.Errorf("what another has taken over: %s, lease %d", got.State, got.Lease)
			}
			continue
		}
		if got.State != want.State || got.Lease != 0 || !bytes.Equal(got.Sent, want.Sent) || !bytes.Equal(got.Answer, want.Answer) || got.PeerMessageID != want.PeerMessageID || !got.NextAt.Equal(want.NextAt) {
			t.Errorf("delivery %d: %+v", i, got)
		}
	}
}

// Only plain insertions of one table share a statement, each with its count of
// rows, where the first of them stood.
func TestCoalesce(t *testing.T) {
	const events, lock = `INSERT INTO events (application, seq, body) VALUES (?, ?, ?)`, `SELECT 1`
	w := &writer{plains: map[string]bool{}}
	in := []queued{
		{q: "BEGIN"},
		{q: events, args: []any{"A", int64(1), "x"}},
		{q: lock},
		{q: `INSERT INTO proofs (sha256, kind, content) VALUES (?, ?, ?) ON CONFLICT (sha256) DO NOTHING`, args: []any{"s", "k", []byte("1")}},
		{q: events, args: []any{"B", int64(2), "y"}},
		{q: `INSERT INTO proofs (sha256, kind, content) VALUES (?, ?, ?) ON CONFLICT (sha256) DO NOTHING`, args: []any{"t", "k", make([]byte, maxCoalesced)}},
		{q: events, args: []any{"C", 3, "an int is not told"}},
		{q: `INSERT INTO holds (application, body) VALUES (?, ?) ON CONFLICT (application) DO UPDATE SET body = excluded.body`, args: []any{"A", "x"}},
	}
	out := w.coalesce(in)
	var got []string
	for _, s := range out {
		got = append(got, fmt.Sprintf("%s %d", s.q, len(s.args)))
	}
	want := []string{
		"BEGIN 0", "INSERT INTO events (application, seq, body) SELECT * FROM unnest(?::text[], ?::bigint[], ?::text[]) 3", "SELECT 1 0",
		in[3].q + " 3", in[5].q + " 3", events + " 3", in[7].q + " 2",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	two := &out[1]
	two.none = gateway.ErrDuplicate
	if a, ok := two.args[0].([]string); !ok || !slices.Equal(a, []string{"A", "B"}) || two.outcome(1, nil) == nil || two.outcome(2, nil) != nil {
		t.Errorf("%v", two.args)
	}
}
