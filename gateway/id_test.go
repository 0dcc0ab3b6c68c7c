package gateway_test

import (
	"testing"

	"github.com/google/uuid"
	"go.uber.org/zap/zapcore"

	"kopir/gateway"
)

// TestIDs: ids follow each other in the order of time, for the indexes' sake, and
// tokens are random: whoever has one is let in.
func TestIDs(t *testing.T) {
	o := newTown(t).options(zapcore.NewNopCore())
	o.NewID = nil
	b, err := gateway.New(o)
	if err != nil {
		t.Fatal(err)
	}
	before := ""
	for range 1000 {
		id := b.MakeID()
		if u, err := uuid.Parse(id); err != nil || u.Version() != 7 || id <= before {
			t.Fatalf("%s after %s: %v", id, before, err)
		}
		before = id
	}
	if u, err := uuid.Parse(b.MakeToken()); err != nil || u.Version() != 4 {
		t.Errorf("a token is %s: %v", u, err)
	}
}
