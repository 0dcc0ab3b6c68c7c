package store

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

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
	if a := audit(t, s); len(a.Faults) > 0 {
		t.Errorf("the journal disagrees with the tables: %v", a.Faults)
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
