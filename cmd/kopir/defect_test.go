package main

import (
	"strings"
	"testing"
)

// A loop of the node that runs into a defect ends nothing, and goes on after a pause.
func TestDefectInALoopOfTheNode(t *testing.T) {
	s := newSite(t)
	n, book := openNode(t, s.dir+"/kopir.yaml")
	n.tried = nil                   // what a reload trips over
	n.conf().Journal.Checkpoint = 0 // and the loop of checkpoints, in the process that leads it
	stop := serveNode(t, n, book, listen(t))
	tripped := func(loop string) int { return strings.Count(book.String(), `"msg":"panic","loop":"`+loop+`"`) }
	for i := range 2 {
		n.hup <- struct{}{}
		waitFor(t, "a defect in the reload", func() bool { return tripped("reload") > i })
	}
	waitFor(t, "the checkpoints that go on", func() bool { return tripped("checkpoint") > 1 })
	stop()
	if n := n.bridge.Panics(); n < 4 {
		t.Errorf("%d counted", n)
	}
	if !strings.Contains(book.String(), "stamp.go") {
		t.Error("the log has no stack")
	}
}
