package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// runServe runs the bridge alone until it is told to stop (SIGTERM, SIGINT).
// Exit status: 0 stopped as told, 1 it could not run, 2 wrong use.
func runServe(ctx context.Context, args []string, s stdio) int {
	file, code, ok := configFlag("serve", "Runs the bridge until it is told to stop by SIGTERM or SIGINT.", args, s)
	if !ok {
		return code
	}
	l, faults := loadConfig(file)
	if l == nil {
		s.complain("%s", faults[0].format(file))
		return exitUsage
	}
	m, more := l.open(time.Now())
	defer m.close()
	if faults = append(faults, more...); len(faults) > 0 {
		for _, f := range faults {
			fmt.Fprintln(s.err, f.format(file))
		}
		s.complain("%d fault%s: not started", len(faults), plural(len(faults)))
		return exitFailed
	}
	listener, err := net.Listen("tcp", l.Listen)
	if err != nil {
		fmt.Fprintln(s.err, l.listenFault(err).format(file))
		return exitFailed
	}
	log, err := newLog(l, s.err)
	if err != nil {
		s.complain("log: %s", err)
		return exitFailed
	}
	for _, n := range m.notes {
		log.Warn("note", zap.String("note", n))
	}
	n, err := newNode(ctx, l, m, log)
	if err != nil {
		listener.Close()
		s.complain("%s", err)
		return exitFailed
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer func() { signal.Stop(hup); close(hup) }()
	go func() {
		for range hup {
			select {
			case n.hup <- struct{}{}:
			default: // one is asked for already
			}
		}
	}()
	log.Info("serving", zap.String("address", listener.Addr().String()), zap.Int("services", len(m.set.Services())), zap.Int("key_days_left", m.keys.Signing(time.Now()).DaysLeft(time.Now())))
	err = n.run(ctx, listener)
	err = errors.Join(cleanEnd(err), n.close())
	if err != nil {
		s.complain("%s", err)
		return exitFailed
	}
	log.Info("stopped")
	return exitPassed
}

// cleanEnd: a server that was told to stop has not failed.
func cleanEnd(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
