package server

import (
	"context"
	"errors"
	"testing"

	"kopir/gateway"
)

// weighed makes bundles of a weight.
type weighed struct {
	weight int64
	make   func() ([]byte, error)
}

func (w *weighed) Weight(context.Context, string) (int64, error) { return w.weight, nil }

func (w *weighed) Bundle(context.Context, string) ([]byte, error) { return w.make() }

// TestBundleWithinBounds: a bundle takes no memory that messages need, and one
// is made at a time.
func TestBundleWithinBounds(t *testing.T) {
	w := &weighed{}
	var read []Access
	b := setup(t, func(o *Options) {
		o.Bundles, o.Limits.Memory = w, 1<<20
		o.Access = func(_ context.Context, a Access) error { read = append(read, a); return nil }
	})
	b.doors.application = func(n string) (*gateway.Application, error) {
		if n == "T-1" {
			return someApplication(1), nil
		}
		return nil, &gateway.Error{Code: gateway.NotFound}
	}
	const op = "GET /applications/:number/bundle"
	ask := func(role Role, number string, status int, code string) {
		t.Helper()
		got := b.call(op, b.request(role, "GET", "/applications/"+number+"/bundle", ""))
		if got.Code != status || code != "" && b.problem(got).Code != code {
			t.Errorf("%d %s, want %d %s", got.Code, got.Body, status, code)
		}
		if status == 503 && got.Header().Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	w.make = func() ([]byte, error) {
		if b.room.fits(1 << 20) {
			t.Error("nothing of the memory is taken")
		}
		ask(Specialist, "T-1", 503, codeOverloaded)
		return []byte("PK"), nil
	}
	w.weight = 1000
	ask(Specialist, "T-1", 200, "")
	ask(NoRole, "T-1", 401, codeUnauthenticated)
	ask(Reader, "T-1", 403, codeForbidden)
	ask(Specialist, "T-2", 404, string(gateway.NotFound))
	w.weight = 1 << 18
	ask(Specialist, "T-1", 413, codeTooLarge)
	w.weight = 1000
	if !b.room.take(1<<20 - 1) {
		t.Fatal("the room is not free")
	}
	ask(Specialist, "T-1", 503, codeOverloaded)
	b.room.give(1<<20 - 1)
	w.make = func() ([]byte, error) {
		return nil, &gateway.Error{Code: gateway.TryLater, Cause: errors.New("no time stamp")}
	}
	ask(Specialist, "T-1", 503, string(gateway.TryLater))
	if !b.room.fits(1 << 20) {
		t.Error("not all of the memory is free afterwards")
	}
	if len(read) == 0 || read[0] != (Access{Who: "test-specialist", What: op, Application: "T-1"}) {
		t.Errorf("%+v", read)
	}
}
