package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"kopir/gateway/crash"
	"kopir/gateway/failpoint"
	"kopir/gateway/server"
	"kopir/gateway/sim"
)

// asProgram is the variable that makes this test binary the program itself.
const asProgram = "KOPIR_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// TestCrash kills a real process some times and finds nothing missing.
func TestCrash(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asProgram, "1")
	var said bytes.Buffer
	key, hash := server.NewKey()
	rep, err := crash.Run(t.Context(), crash.Options{
		Command: []string{self}, Failing: failpoint.Enabled, Database: crash.SQLite, Nodes: 1, Keys: sim.KeysMixed, Kills: 3, Messages: 40, Rate: 30, Acting: crash.DefaultActing, Seed: 5,
		For: time.Minute, Quiet: time.Second, Trouble: crash.KillsOnly, Dir: t.TempDir(), Out: &said, Key: key, KeyHash: hash,
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	if !rep.Good() || rep.Accepted < 30 || rep.Effected != rep.Accepted || len(rep.Recovered) == 0 {
		t.Errorf("%s\n%s", rep, said.String())
	}
}

// TestFailpointsAreLeftOut: an ordinary build has none of their code, and one
// with the tag has it.
func TestFailpointsAreLeftOut(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	// Of Here itself the name stays, in the table of what was inlined. The names
	// are put together here, or this test would be what it finds.
	for _, name := range []string{"load", "note"} {
		function := strings.ReplaceAll("kopir/gateway/failpoint!", "!", ".") + name
		if in := bytes.Contains(program, []byte(function)); in != failpoint.Enabled {
			t.Errorf("%s is in the program: %v; failpoints in this build: %v", function, in, failpoint.Enabled)
		}
	}
}

// TestListPoints: the list names every point, and says whether they are obeyed.
func TestListPoints(t *testing.T) {
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"crashtest", "-points"}, stdio{out: &out, err: &errs, env: func(string) string { return "" }})
	for _, r := range failpoint.Points() {
		if !strings.Contains(out.String(), string(r.Point)+" ") || r.When == "" {
			t.Errorf("%s is not listed with what happens there", r.Point)
		}
	}
	if code != exitPassed || strings.Contains(errs.String(), "-tags failpoint") == failpoint.Enabled {
		t.Errorf("%d %s", code, errs.String())
	}
}

// TestCrashtestMisused: what cannot be tried is refused by its name.
func TestCrashtestMisused(t *testing.T) {
	for _, c := range []struct{ flags, said string }{
		{"-db oracle", "unknown database"},
		{"-db postgres", "needs a server"},
		{"-nodes 3", "with -db postgres more"},
		{"-keys ecdsa", "-keys"},
		{"-trouble some", "none of all, kills, none"},
		{"-away 1m", "needs -db postgres"},
		{"-away 1s", "five seconds"},
		{"-acting 101", "-acting"},
		{"-rate 0", "more than nothing"},
		{"-dsn-file nowhere", "-dsn-file"},
		{"now", "takes flags only"},
	} {
		var errs bytes.Buffer
		code := run(t.Context(), append([]string{"crashtest"}, strings.Fields(c.flags)...), stdio{out: io.Discard, err: &errs, env: func(string) string { return "" }})
		if code != exitUsage || !strings.Contains(errs.String(), c.said) {
			t.Errorf("%s: %d %s", c.flags, code, errs.String())
		}
	}
}
