package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"kopir/gateway"
)

// leased: what is written as claimed already is claimed by nobody else, is
// settled by its lease, and is free when its process is gone.
func leased(t *testing.T, s *Store) {
	ctx, at := t.Context(), t0.Add(time.Minute)
	lane := gateway.Lane{Route: gateway.ToPortal}
	lease, err := s.Lease(at, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"l1", "l2"} {
		d := delivery(id, "APP-"+id, gateway.ToPortal, t0)
		d.Lease = lease
		commit(t, s, gateway.Change{Deliveries: []gateway.Delivery{d}})
	}
	if ds, err := s.Claim(ctx, lane, at, time.Minute, 8); err != nil || len(ds) != 0 {
		t.Fatalf("%d claimed twice, %v", len(ds), err)
	}
	d := delivery("l1", "APP-l1", gateway.ToPortal, t0)
	d.Seq, d.State, d.Lease = 1, gateway.Done, lease+1
	if err := s.Commit(ctx, gateway.Change{Deliveries: []gateway.Delivery{d}}); !errors.Is(err, gateway.ErrLease) {
		t.Errorf("settled by another lease: %v", err)
	}
	d.Lease = lease
	commit(t, s, gateway.Change{Deliveries: []gateway.Delivery{d}})
	if n, err := s.ReleaseAll(ctx, t0); err != nil || n != 1 {
		t.Errorf("%d freed, %v", n, err)
	}
	ds, err := s.Claim(ctx, lane, at, time.Minute, 8)
	if err != nil || len(ds) != 1 || ds[0].ID != "l2" || !ds[0].Unsure || ds[0].Seq != 1 {
		t.Errorf("after its process was gone: %+v, %v", ds, err)
	}
	s.skew.Store((2 * maxSkew).Microseconds())
	defer s.skew.Store(0)
	if _, err := s.Lease(at, time.Minute); err == nil {
		t.Error("leased by a clock that is off")
	}
}

// lanes: each peer's deliveries are claimed by themselves; where more wait than
// are claimed, some of the last ones are among them; a peer that is back gets
// what waited, in the order in which it was made; what nobody serves is given to
// its route, and what waits for nothing is freed.
func lanes(t *testing.T, s *Store) {
	ctx := t.Context()
	portal := gateway.Lane{Route: gateway.ToPortal}
	apart := gateway.Lane{Route: gateway.ToPortal, Receiver: "REST"}
	for i := range 12 {
		d := delivery(fmt.Sprintf("a%02d", i), fmt.Sprintf("A-%02d", i), gateway.ToPortal, t0.Add(time.Duration(i)*time.Second))
		commit(t, s, gateway.Change{Deliveries: []gateway.Delivery{d}})
	}
	own := delivery("r1", "R-1", gateway.ToPortal, t0)
	own.Lane = "REST"
	commit(t, s, gateway.Change{Deliveries: []gateway.Delivery{own}})
	at := t0.Add(time.Hour)
	take := func(l gateway.Lane, n int) (ids []string, ds []gateway.Delivery) {
		t.Helper()
		ds, err := s.Claim(ctx, l, at, time.Minute, n)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range ds {
			ids = append(ids, d.ID)
		}
		return ids, ds
	}
	ids, ds := take(portal, 8)
	if want := []string{"a00", "a01", "a02", "a03", "a04", "a05", "a11", "a10"}; !slices.Equal(ids, want) {
		t.Errorf("of twelve: %v, want %v", ids, want)
	}
	if ids, _ := take(apart, 8); !slices.Equal(ids, []string{"r1"}) || ds[0].Lane != "" {
		t.Errorf("apart: %v", ids)
	}
	for i, d := range ds {
		d.Tries, d.Cause, d.NextAt, d.FailedAt = 1, gateway.CauseUnreachable, at.Add(time.Hour), at.Add(-gateway.QuietAfter)
		switch i {
		case 1:
			d.Cause = gateway.CauseBusy // it asked to be left alone
		case 2:
			d.Cause, d.FailedAt = gateway.CauseTimeout, at // it may still arrive
		}
		commit(t, s, gateway.Change{Deliveries: []gateway.Delivery{d}})
	}
	if n, err := s.Hasten(ctx, portal, at); err != nil || n != 7 {
		t.Errorf("%d hastened, %v", n, err)
	}
	ids, ds = take(portal, 40)
	if want := []string{"a00", "a03", "a04", "a05", "a06", "a07", "a08", "a09", "a10", "a11"}; !slices.Equal(ids, want) || ds[0].Tries != 1 || !ds[0].NextAt.Equal(ds[0].CreatedAt) {
		t.Errorf("when it is back: %v, want %v", ids, want)
	}

	if n, err := s.MendLines(ctx, []gateway.Lane{portal, apart}); err != nil || n != 0 {
		t.Errorf("%d mended, %v", n, err)
	}
	if n, err := s.MendLines(ctx, []gateway.Lane{portal}); err != nil || n != 1 {
		t.Errorf("%d given to their route, %v", n, err)
	}
	at = at.Add(2 * time.Minute)
	if ids, _ := take(portal, 40); !slices.Contains(ids, "r1") {
		t.Errorf("not given to its route: %v", ids)
	}
	// A node of the version before settles without knowing of the mark.
	older := func(q string) {
		t.Helper()
		if err := s.writer.write(ctx, func(tx *tx) error { _, err := tx.exec(q); return err }); err != nil {
			t.Fatal(err)
		}
	}
	commit(t, s, gateway.Change{Deliveries: []gateway.Delivery{delivery("b1", "B", gateway.ToCSC, t0), delivery("b2", "B", gateway.ToCSC, t0)}})
	csc := gateway.Lane{Route: gateway.ToCSC}
	_, ds = take(csc, 8)
	ds[0].State, ds[0].Cause, ds[0].Code, ds[0].FailedAt = gateway.Dead, gateway.CauseRefused, "X", at
	commit(t, s, gateway.Change{Deliveries: ds})
	commit(t, s, gateway.Change{Deliveries: []gateway.Delivery{delivery("b3", "B", gateway.ToCSC, t0)}})
	groups, err := s.DeadGroups(ctx)
	if err != nil || len(groups) != 1 || groups[0].Count != 1 || groups[0].Behind != 2 || groups[0].Code != "X" || !groups[0].Oldest.Equal(at) {
		t.Errorf("%+v %v", groups, err)
	}
	older(`UPDATE outbox SET state = 'done' WHERE id = 'b1'`)
	if ids, _ := take(csc, 8); ids != nil {
		t.Fatalf("%v", ids)
	}
	if n, err := s.MendLines(ctx, []gateway.Lane{portal}); err != nil || n != 2 {
		t.Errorf("%d freed, %v", n, err)
	}
	if ids, _ := take(csc, 8); !slices.Equal(ids, []string{"b2"}) {
		t.Errorf("%v", ids)
	}
	// Nor does it know what waits behind another.
	commit(t, s, gateway.Change{Deliveries: []gateway.Delivery{delivery("c1", "C", gateway.ToLocal, t0), delivery("c2", "C", gateway.ToLocal, t0)}})
	older(`UPDATE outbox SET behind = 0 WHERE id = 'c2'`)
	local := gateway.Lane{Route: gateway.ToLocal}
	if ids, _ := take(local, 8); !slices.Equal(ids, []string{"c1"}) {
		t.Errorf("past the first: %v", ids)
	}
	older(`UPDATE outbox SET state = 'done', lease = 0 WHERE id = 'c1'`)
	if n, err := s.MendLines(ctx, []gateway.Lane{portal}); err != nil || n != 1 {
		t.Errorf("%d freed, %v", n, err)
	}
	if ids, _ := take(local, 8); !slices.Equal(ids, []string{"c2"}) {
		t.Errorf("%v", ids)
	}
	// One that its peer refused out of turn, and a person sends again when it is the first.
	e := []gateway.Delivery{delivery("e1", "E", gateway.ToPortal, at), delivery("e2", "E", gateway.ToPortal, at)}
	commit(t, s, gateway.Change{Deliveries: e})
	for i, st := range []gateway.DeliveryState{gateway.Dead, gateway.Done, gateway.Queued} {
		d := e[(i+1)%2]
		d.Seq, d.State = int64((i+1)%2+1), st
		commit(t, s, gateway.Change{Deliveries: []gateway.Delivery{d}})
	}
	if ids, _ := take(portal, 40); !slices.Equal(ids, []string{"e2"}) {
		t.Errorf("sent again: %v", ids)
	}
}

// deadTogether: a group is settled in steps, what died later stays.
func deadTogether(t *testing.T, s *Store) {
	ctx := t.Context()
	for i := range 7 {
		d := delivery(fmt.Sprintf("a%d", i), fmt.Sprintf("A-%d", i), gateway.ToPortal, t0)
		commit(t, s, gateway.Change{Application: application(fmt.Sprintf("A-%d", i), t0), Deliveries: []gateway.Delivery{d}})
	}
	_, ds := claim(t, s, gateway.ToPortal, t0)
	for i, d := range ds {
		d.State, d.Cause, d.Code, d.FailedAt = gateway.Dead, gateway.CauseRefused, "X", t0.Add(time.Duration(i)*time.Second)
		if i == 5 {
			d.Cause, d.Code = "", "" // of the version before
		}
		commit(t, s, gateway.Change{Deliveries: []gateway.Delivery{d}})
	}
	settle := func(g gateway.DeadGroup, by time.Time, n int) (ids []string) {
		t.Helper()
		done, err := s.SettleDead(ctx, g, by, n, "ann", func(d *gateway.Delivery) gateway.Event {
			d.State = gateway.Queued
			return gateway.Event{Application: d.Application, At: t0, Kind: gateway.EventNote, Detail: "again"}
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range done {
			ids = append(ids, d.ID)
		}
		return ids
	}
	g := gateway.DeadGroup{Route: gateway.ToPortal, Cause: gateway.CauseRefused, Code: "X"}
	by := t0.Add(4 * time.Second)
	if ids := settle(g, by, 2); !slices.Equal(ids, []string{"a0", "a1"}) {
		t.Errorf("%v", ids)
	}
	if ids := settle(g, by, 20); !slices.Equal(ids, []string{"a2", "a3", "a4"}) {
		t.Errorf("%v", ids)
	}
	if ids := settle(gateway.DeadGroup{Route: gateway.ToPortal, Cause: gateway.CauseUnknown}, t0.Add(time.Hour), 20); !slices.Equal(ids, []string{"a5"}) {
		t.Errorf("%v", ids)
	}
	if groups, err := s.DeadGroups(ctx); err != nil || len(groups) != 1 || groups[0].Count != 1 {
		t.Errorf("%+v %v", groups, err)
	}
	events, err := s.Events(ctx, "A-1")
	if err != nil || len(events) != 1 || events[0].Seq != 1 {
		t.Errorf("%+v %v", events, err)
	}
	if a, err := s.Audit(ctx); err != nil || len(a.Faults) > 0 {
		t.Errorf("%+v %v", a, err)
	}
}

// BenchmarkPoison measures how long a sound delivery waits to be claimed while
// a burst of dead letters, each with another one behind it, lies in the outbox.
// KOPIR_POISON says how many; 50,000 is the bar.
//
//	go test -run '^$' -bench Poison -benchtime 200x ./gateway/store
func BenchmarkPoison(b *testing.B) {
	many := 50_000
	if n, err := strconv.Atoi(os.Getenv("KOPIR_POISON")); err == nil {
		many = n
	}
	for _, poison := range []int{0, many} {
		b.Run(strconv.Itoa(poison), func(b *testing.B) {
			s, err := OpenSQLite(b.Context(), b.TempDir()+"/kopir.db")
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			ctx, lane := context.Background(), gateway.Lane{Route: gateway.ToPortal}
			put := func(ds ...gateway.Delivery) {
				if err := s.Commit(ctx, gateway.Change{Deliveries: ds}); err != nil {
					b.Fatal(err)
				}
			}
			const step = 500
			for i := 0; i < poison; i += step {
				var ds []gateway.Delivery
				for j := range step {
					line := fmt.Sprintf("P-%d", i+j)
					ds = append(ds, delivery(line+"-1", line, gateway.ToPortal, t0), delivery(line+"-2", line, gateway.ToPortal, t0))
				}
				put(ds...)
			}
			for n := 0; n < poison; {
				ds, err := s.Claim(ctx, lane, t0, time.Minute, step)
				if err != nil || len(ds) == 0 {
					b.Fatalf("%d %v", len(ds), err)
				}
				for i := range ds {
					ds[i].State, ds[i].Cause, ds[i].Code, ds[i].FailedAt = gateway.Dead, gateway.CauseRefused, "SCE001", t0
				}
				put(ds...)
				n += len(ds)
			}
			for i := 0; b.Loop(); i++ {
				id := fmt.Sprintf("S-%d", i)
				put(delivery(id, id, gateway.ToPortal, t0))
				ds, err := s.Claim(ctx, lane, t0, time.Minute, 16)
				if err != nil || len(ds) != 1 {
					b.Fatalf("%d %v", len(ds), err)
				}
				ds[0].State = gateway.Done
				put(ds...)
				if next, err := s.NextDelivery(ctx, lane); err != nil || !next.IsZero() {
					b.Fatalf("%v %v", next, err)
				}
			}
			b.StopTimer()
			at := time.Now()
			groups, err := s.DeadGroups(ctx)
			if err != nil || poison > 0 && (len(groups) != 1 || groups[0].Count != int64(poison) || groups[0].Behind != int64(poison)) {
				b.Fatalf("%+v %v", groups, err)
			}
			b.ReportMetric(float64(time.Since(at).Milliseconds()), "ms/groups")
		})
	}
}

// reading counts the rows of the tables that grow which are read while do runs, in
// the connection that writes and in the one that reads.
func reading(t *testing.T, s *Store, do func()) int {
	t.Helper()
	const flush = `SELECT pg_stat_force_next_flush()`
	rows := func() (n int) {
		t.Helper()
		err := s.writer.write(t.Context(), func(t *tx) error { _, err := t.exec(flush); return err })
		if err == nil {
			_, err = s.read.ExecContext(t.Context(), flush)
		}
		if err == nil {
			err = s.read.QueryRowContext(t.Context(), `SELECT SUM(t.seq_tup_read + (SELECT SUM(i.idx_tup_read) FROM pg_stat_user_indexes i WHERE i.relid = t.relid)) FROM pg_stat_user_tables t WHERE t.relname IN ('outbox', 'applications', 'replays', 'dues')`).Scan(&n)
		}
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	s.read.SetMaxOpenConns(2) // the writer has one
	before := rows()
	do()
	return rows() - before
}

// TestFoundByMessage: what the gateway speaks of is found by an index, also where
// the server has planned how when there was next to nothing.
func TestFoundByMessage(t *testing.T) {
	s := openEmptyPostgres(t, needPostgres(t))
	made := func(from, to int) {
		t.Helper()
		var all []gateway.Delivery
		for i := from; i < to; i++ {
			d := delivery(strconv.Itoa(i), fmt.Sprint("APP-", i), gateway.ToPortal, t0)
			d.PeerMessageID = fmt.Sprint("peer-", i)
			all = append(all, d)
		}
		commit(t, s, gateway.Change{Deliveries: all})
	}
	const few, many = 10, 5000
	find := func() {
		for i := range few {
			page, err := s.Deliveries(t.Context(), gateway.DeliveryFilter{Route: gateway.ToPortal, MessageID: fmt.Sprint("peer-", i)}, "", 1)
			if err != nil || len(page.Deliveries) != 1 || page.Deliveries[0].ID != strconv.Itoa(i) {
				t.Fatal(page, err)
			}
		}
	}
	made(0, few)
	reading(t, s, find)
	made(few, many)
	if rows := reading(t, s, find); rows < few || rows > 10*few {
		t.Errorf("%d rows were read to find %d", rows, few)
	}
}

// TestManyWait: what is claimed, and when the next is due, is found without
// looking at all that waits, also where most waits behind another that rests.
func TestManyWait(t *testing.T) {
	s := openEmptyPostgres(t, needPostgres(t))
	const lines, each, wanted = 2000, 3, 64
	var all []gateway.Delivery
	for i := range lines {
		for k := range each {
			d := delivery(fmt.Sprintf("%d-%d", i, k), fmt.Sprint("APP-", i), gateway.ToLocal, t0)
			if k == 0 && i > wanted {
				d.NextAt = t0.Add(time.Hour)
			}
			all = append(all, d)
		}
	}
	commit(t, s, gateway.Change{Deliveries: all})
	lane := gateway.Lane{Route: gateway.ToLocal}
	if _, err := s.read.ExecContext(t.Context(), `VACUUM (INDEX_CLEANUP ON) outbox`); err != nil { // or whoever reads first passes what was marked as it was written
		t.Fatal(err)
	}
	var got []gateway.Delivery
	rows := reading(t, s, func() {
		var err error
		if got, err = s.Claim(t.Context(), lane, t0, time.Minute, wanted); err != nil || len(got) != wanted {
			t.Fatal(len(got), err)
		}
		next, err := s.NextDelivery(t.Context(), lane)
		if err != nil || !next.Equal(t0) {
			t.Error(next, err)
		}
	})
	if rows > 10*wanted {
		t.Errorf("%d rows were read to claim %d of %d", rows, wanted, lines*each)
	}
	for i := range got {
		got[i].State = gateway.Done
	}
	commit(t, s, gateway.Change{Deliveries: got})
	if got, err := s.Claim(t.Context(), lane, t0, time.Minute, 2*wanted); err != nil || len(got) != wanted+1 {
		t.Errorf("%d follow them, %v", len(got), err)
	}
}
