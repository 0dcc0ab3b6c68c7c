package main

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"
)

// A loop of the node that runs into a defect ends nothing, and goes on after a pause.
func TestDefectInALoopOfTheNode(t *testing.T) {
	s := newSite(t)
	l, faults := loadConfig(s.dir + "/kopir.yaml")
	if len(faults) > 0 {
		t.Fatal(faults[0].format("kopir.yaml"))
	}
	m, faults := l.open(time.Now())
	if len(faults) > 0 {
		t.Fatal(faults[0].format("kopir.yaml"))
	}
	var book noteBook
	log, err := newLog(l, &book)
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNode(t.Context(), l, m, log)
	if err != nil {
		t.Fatal(err)
	}
	defer n.close()
	n.tried = nil            // what a reload trips over
	l.Journal.Checkpoint = 0 // and the loop of checkpoints, in the process that leads it
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.run(ctx, listener) }()
	tripped := func(loop string) int { return strings.Count(book.String(), `"msg":"panic","loop":"`+loop+`"`) }
	for i := range 2 {
		n.hup <- struct{}{}
		waitFor(t, "a defect in the reload", func() bool { return tripped("reload") > i })
	}
	waitFor(t, "the checkpoints that go on", func() bool { return tripped("checkpoint") > 1 })
	stop()
	if err := cleanEnd(<-done); err != nil {
		t.Error(err)
	}
	if n := n.bridge.Panics(); n < 4 {
		t.Errorf("%d counted", n)
	}
	if !strings.Contains(book.String(), "stamp.go") {
		t.Error("the log has no stack")
	}
}
