//go:build failpoint

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"kopir/gateway"
	"kopir/gateway/bundle"
	"kopir/gateway/failpoint"
	"kopir/signature/verdict"
)

// TestKilledWhileArchiving: whoever is killed at any point of archiving, of
// moving records into files or of erasing leaves store and files that verify, and
// the next one ends what was begun.
func TestKilledWhileArchiving(t *testing.T) {
	p, number := settledPlay(t)
	config := filepath.Join(p.dir, "kopir.yaml")
	if err := os.WriteFile(config, append(readAll(t, config), "\nretention: {archive_after: 1y, journal_after: 1y, folder: archive, erase_after: 5y}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.node.checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	control := filepath.Join(t.TempDir(), "failpoints")
	// archive runs the command so many years later; at a point it is killed.
	archive := func(years int, at failpoint.Point) {
		t.Helper()
		orders := fmt.Sprintf("clock:+%dh\n", years*365*24)
		if at != "" {
			orders += string(at) + ":1\n"
		}
		if err := os.WriteFile(control, []byte(orders), 0o600); err != nil {
			t.Fatal(err)
		}
		c := exec.CommandContext(t.Context(), self, "journal", "archive", "-config", config)
		c.Env = append(os.Environ(), asProgram+"=1", failpoint.Variable+"="+control)
		said, err := c.CombinedOutput()
		var end *exec.ExitError
		killed := errors.As(err, &end) && end.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
		if killed != (at != "") || !killed && err != nil {
			t.Fatalf("%s, %d years later: %v %s", at, years, err, said)
		}
		if out := must(t, exitPassed, "journal", "verify", "-config", config); !strings.HasPrefix(out, "intact") {
			t.Fatalf("after %s: %s", at, out)
		}
	}
	var points []failpoint.Point
	for _, r := range failpoint.Points() {
		if r.Aged {
			points = append(points, r.Point)
		}
	}
	if want := []failpoint.Point{failpoint.ArchiveFiled, failpoint.ArchiveDone, failpoint.RecordsFiled, failpoint.RecordsMoved, failpoint.EraseDone}; !slices.Equal(points, want) {
		t.Fatalf("%v; this test knows %v", points, want)
	}
	for _, at := range points[:4] {
		archive(2, at)
	}
	archive(2, "")
	if r := bundle.Verify(readAll(t, p.bundleFile(t, number)), bundle.Options{Trust: p.roots(t)}); r.Outcome != verdict.Passed || r.Owner != number {
		t.Errorf("%+v", r)
	}
	if files, err := filepath.Glob(filepath.Join(p.dir, "archive", "*")); err != nil || slices.ContainsFunc(files, func(f string) bool { return strings.HasSuffix(f, ".tmp") }) {
		t.Errorf("%v %v", files, err)
	}
	archive(6, failpoint.EraseDone)
	archive(6, "")
	if _, err := p.node.store.Secret(t.Context(), number); !errors.Is(err, gateway.ErrRemoved) {
		t.Errorf("the key is still there: %v", err)
	}
	if segments, err := p.node.store.Segments(t.Context()); err != nil || len(segments) == 0 {
		t.Errorf("%v %v", segments, err)
	}
}
