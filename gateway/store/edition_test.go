package store

import (
	"slices"
	"testing"

	"kopir/gateway"
)

func runningEditions(t *testing.T, s *Store) {
	put := func(number, edition string, state gateway.State, deliveries ...gateway.Delivery) {
		a := application(number, t0)
		a.Edition, a.State = edition, state
		commit(t, s, gateway.Change{Application: a, Deliveries: deliveries})
	}
	late := delivery("d-1", "A-3", gateway.ToPortal, t0)
	put("A-1", "e1", gateway.Received)
	put("A-2", "e1", gateway.InProgress)
	put("A-3", "e2", gateway.Completed, late)
	put("A-4", "e3", gateway.Refused)
	put("A-5", "e4", gateway.Held)
	// As an older version left it: the edition stands in the body alone.
	if err := s.writer.write(t.Context(), func(t *tx) error {
		_, err := t.exec(`UPDATE applications SET edition = '' WHERE number = 'A-5'`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	see := func(want ...gateway.RunningEdition) {
		t.Helper()
		got, err := s.Running(t.Context())
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v %+v, want %+v", err, got, want)
		}
	}
	see(gateway.RunningEdition{Service: "svc", Edition: "e1", Applications: 2}, gateway.RunningEdition{Service: "svc", Edition: "e2", Applications: 1},
		gateway.RunningEdition{Service: "svc", Edition: "e4", Applications: 1})
	_, claimed := claim(t, s, gateway.ToPortal, t0)
	claimed[0].State = gateway.Done
	commit(t, s, gateway.Change{Deliveries: claimed})
	see(gateway.RunningEdition{Service: "svc", Edition: "e1", Applications: 2}, gateway.RunningEdition{Service: "svc", Edition: "e4", Applications: 1})
}

// TestReader: a second hand reads what a bridge has written, while it writes.
func TestReader(t *testing.T) {
	path := t.TempDir() + "/a b?c#.db"
	s := openAt(t, path)
	commit(t, s, gateway.Change{Application: application("A-1", t0)})
	r, err := ReadSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := r.Running(t.Context()); err != nil || len(got) != 1 || got[0].Edition != "e1" {
		t.Errorf("%v %+v", err, got)
	}
	if _, err := r.s.read.ExecContext(t.Context(), "DELETE FROM applications"); err == nil {
		t.Error("a reader deleted")
	}
	if _, err := ReadSQLite(t.Context(), path+".none"); err == nil {
		t.Error("a file that is not there was opened")
	}
}
