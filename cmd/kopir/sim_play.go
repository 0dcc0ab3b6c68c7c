package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"kopir/gateway/sim"
	"kopir/mappings"
)

// playing is what `kopir sim -play` is told beside what the simulator is.
type playing struct {
	what    string // all, SERVICE, SERVICE/CHANNEL
	json    bool
	bridge  string // base address of a running bridge; empty: one is started
	keyFile string // with the API key of a specialist there
}

// playHere starts bridge and simulator and makes the tour.
func playHere(ctx context.Context, s stdio, how playing, keys sim.Keys) int {
	p, err := newPlayWith(ctx, keys, "", "127.0.0.1:0")
	if err != nil {
		s.complain("sim: -play: %v", err)
		return exitFailed
	}
	p.start(ctx)
	code := tourOf(ctx, s, p, p.materials.set, how)
	if err := p.end(); err != nil {
		s.complain("%v", err)
		return exitFailed
	}
	return code
}

// playThere makes the tour against a running bridge, with the simulator that
// listens here already.
func playThere(ctx context.Context, s stdio, how playing, simulator *sim.Sim, base string, listener net.Listener, set *mappings.Set) int {
	key, err := os.ReadFile(how.keyFile)
	if err != nil {
		s.complain("sim: -api-key-file: %s; it holds the key of a specialist, as `kopir apikey` prints it", plainFileError(err))
		return exitUsage
	}
	server := &http.Server{Handler: simulator.Handler(), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	p := &play{bridge: strings.TrimRight(how.bridge, "/"), simulator: base, key: strings.TrimSpace(string(key)), client: &http.Client{Timeout: time.Minute}, patience: defaultPatience}
	code := tourOf(ctx, s, p, set, how)
	if err := errors.Join(server.Close(), cleanEnd(<-served)); err != nil {
		s.complain("sim: %v", err)
	}
	return code
}

// tourOf makes the tour. Exit status 1 if anything was expected and not seen.
func tourOf(ctx context.Context, s stdio, p *play, set *mappings.Set, how playing) int {
	t := &tour{p: p, set: set}
	list, err := t.tripsOf(how.what)
	if err != nil {
		s.complain("%v", err)
		return exitUsage
	}
	ready, cancel := context.WithTimeout(ctx, p.patience)
	err = p.ready(ready, nil)
	cancel()
	if err != nil {
		s.complain("the bridge at %s: %v", p.bridge, err)
		return exitFailed
	}
	if err := t.prepare(ctx); err != nil {
		s.complain("%v", err)
		return exitFailed
	}
	seen := t.run(ctx, list)
	if err := printTour(s.out, seen, how.json); err != nil {
		s.complain("%v", err)
		return exitFailed
	}
	for _, one := range seen {
		if one.Missing != "" {
			return exitFailed
		}
	}
	return exitPassed
}

// listOffers prints the services with their channels.
func listOffers(s stdio, set *mappings.Set) {
	for _, service := range set.Offers(time.Now()) {
		var channels []string
		for _, c := range service.Channels {
			channels = append(channels, c.ID)
		}
		fmt.Fprintf(s.out, "%-48s %s\n", service.ID, strings.Join(channels, ","))
	}
}
