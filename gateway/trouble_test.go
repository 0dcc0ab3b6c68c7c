package gateway_test

import (
	"context"
	"errors"
	"testing"

	"kopir/gateway"
)

// brokenStore is a store that cannot write: its disk is full, it has no
// connection left, it is a standby.
type brokenStore struct {
	gateway.Store
	err error
}

func (s *brokenStore) Commit(ctx context.Context, c gateway.Change) error {
	if s.err != nil {
		return s.err
	}
	return s.Store.Commit(ctx, c)
}

// Whatever the store cannot write is put off and kept by nobody; the same bytes
// are taken when it can.
func TestNothingIsAcknowledgedThatIsNotWritten(t *testing.T) {
	w := newTown(t)
	broken := &brokenStore{Store: w.store}
	w.rewire(func(o *gateway.Options) { o.Store = broken })
	app, _ := w.apply("m-1")
	ann := gateway.Actor{Name: "ann"}
	raw := w.envelope(syncRequest("m-2", w.document("portal", form("portal"), "citizen"), w.clock()), "portal")
	async := w.envelope(asyncRequest("m-3", w.document("portal", form("portal"), "citizen"), w.clock()), "portal")
	paper := w.document("office", form("office"), "specialist")
	broken.err = errors.New("ERROR: could not extend file: No space left on device (SQLSTATE 53100)")
	for name, try := range map[string]func() error{
		"sync":  func() error { return replyError(w.send(gateway.SyncDoor, raw)) },
		"async": func() error { return replyError(w.send(gateway.AsyncDoor, async)) },
		"submit": func() error {
			_, err := w.bridge.Submit(t.Context(), gateway.Submission{Service: certificate, Document: paper, ID: "s-1"}, ann)
			return err
		},
		"take": func() error { _, err := w.bridge.Take(t.Context(), app.Number, ann); return err },
	} {
		if err := try(); gateway.CodeOf(err) != gateway.TryLater {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(w.all()); n != 1 {
		t.Errorf("%d applications", n)
	}
	broken.err = nil
	for _, m := range []struct {
		door gateway.Door
		raw  []byte
	}{{gateway.SyncDoor, raw}, {gateway.AsyncDoor, async}} {
		if r := w.send(m.door, m.raw); r.Code != "" {
			t.Errorf("when it can: %s %s", r.Code, r.Bytes)
		}
	}
	if _, err := w.bridge.Submit(t.Context(), gateway.Submission{Service: certificate, Document: paper, ID: "s-1"}, ann); err != nil {
		t.Error(err)
	}
	if n := len(w.all()); n != 4 {
		t.Errorf("%d applications", n)
	}
}

// replyError is a fault as an error; one of ours must say when to come again.
func replyError(r gateway.Reply) error {
	if r.Code == "" {
		return nil
	}
	if r.Code == gateway.TryLater && r.RetryAfter == 0 {
		return errors.New("no Retry-After")
	}
	return &gateway.Error{Code: r.Code}
}

// While there is no room new work is put off, what came before is answered as
// before, and what was taken goes on.
func TestNoRoom(t *testing.T) {
	w := newTown(t)
	var full error
	w.rewire(func(o *gateway.Options) { o.Room = func() error { return full } })
	before := w.envelope(syncRequest("m-1", w.document("portal", form("portal"), "citizen"), w.clock()), "portal")
	first := w.send(gateway.SyncDoor, before)
	app := w.only()
	full = errors.New("the disk is full")
	late := w.envelope(syncRequest("m-2", w.document("portal", form("portal"), "citizen"), w.clock()), "portal")
	if err := replyError(w.send(gateway.SyncDoor, late)); gateway.CodeOf(err) != gateway.TryLater {
		t.Errorf("new work: %v", err)
	}
	if _, err := w.bridge.Submit(t.Context(), gateway.Submission{Service: certificate, Document: w.document("office", form("office"), "specialist"), ID: "s-1"}, gateway.Actor{Name: "ann"}); gateway.CodeOf(err) != gateway.TryLater {
		t.Errorf("at the counter: %v", err)
	}
	if _, err := w.bridge.Take(t.Context(), app.Number, gateway.Actor{Name: "ann"}); err != nil {
		t.Errorf("what was taken: %v", err)
	}
	w.deliver()
	if got := w.codes(gateway.ToPortal); len(got) != 2 {
		t.Errorf("delivered: %v", got)
	}
	if again := w.send(gateway.SyncDoor, before); again.Code != "" || string(again.Bytes) != string(first.Bytes) {
		t.Errorf("a repetition: %s", again.Bytes)
	}
	full = nil
	if err := replyError(w.send(gateway.SyncDoor, late)); err != nil {
		t.Errorf("when there is room: %v", err)
	}
}
