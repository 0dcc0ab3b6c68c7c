//go:build failpoint

package main

import (
	"bytes"
	"os"
	"testing"
	"time"

	"kopir/gateway/crash"
	"kopir/gateway/server"
	"kopir/gateway/sim"
)

// TestEveryPoint: a run comes by every point that lies on its way and is killed
// at some of them; nothing is missing afterwards.
func TestEveryPoint(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asProgram, "1")
	var said bytes.Buffer
	key, hash := server.NewKey()
	rep, err := crash.Run(t.Context(), crash.Options{
		Command: []string{self}, Failing: true, Database: crash.SQLite, Nodes: 1, Keys: sim.KeysRSA, Kills: 8, Messages: 150, Rate: 20, Acting: crash.DefaultActing, Seed: 3,
		For: 3 * time.Minute, Quiet: time.Second, Trouble: crash.KillsOnly, Dir: t.TempDir(), Out: &said, Key: key, KeyHash: hash,
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	if !rep.Good() || len(rep.Unpassed) > 0 || rep.Kills["at migration.done"] != 1 {
		t.Errorf("%s\n%s", rep, said.String())
	}
}
