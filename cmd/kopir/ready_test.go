package main

import (
	"errors"
	"testing"
	"time"

	"kopir/gateway/server"
)

// TestOwnKeyRevoked: our own certificate on hold turns the key to bad until it
// is released.
func TestOwnKeyRevoked(t *testing.T) {
	p, end := testPlay(t)
	defer end()
	p.start(t.Context())
	n := p.node
	look := func(want server.Health) {
		t.Helper()
		waitFor(t, "the key is "+string(want), func() bool {
			n.revocation.Forget() // an answer is used again for five minutes
			n.askOnce(t.Context(), time.Now())
			return n.keyCondition(t.Context()).Health == want && n.keyRevoked() == (want == server.Failing)
		})
	}
	look("")
	if err := p.sim.Revoke("bridge", "hold"); err != nil {
		t.Fatal(err)
	}
	look(server.Failing)
	if err := p.sim.Release("bridge"); err != nil {
		t.Fatal(err)
	}
	look("")
}

// TestClockCondition: a clock that is off by whatever fault is no ground for new work.
func TestClockCondition(t *testing.T) {
	if c := clockCondition(nil); c.Health != "" {
		t.Errorf("%+v", c)
	}
	if c := clockCondition(errors.New("90 s from the database's")); c.Health != server.Failing || c.Remedy == "" || c.Cause == nil {
		t.Errorf("%+v", c)
	}
}
