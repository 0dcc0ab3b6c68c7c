package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"kopir/gateway/sim"
	"kopir/mappings"
)

// runSim serves the simulator until it is interrupted.
func runSim(ctx context.Context, args []string, s stdio) int {
	flags := flag.NewFlagSet("sim", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:8090", "listen on `HOST:PORT`; port 0 takes a free one")
	url := flags.String("url", "", "base `URL` under which others reach it, when that is not http://ADDR")
	data := flags.String("data", "", "write root, chain and everybody's keys into `DIR`, and keep the same authority there from start to start")
	async := flags.String("bridge-async", "", "`URL` of the bridge's call-back; none: it polls")
	sync := flags.String("bridge-sync", "", "`URL` of the bridge's SyncChannel door")
	notify := flags.Bool("notify", false, "tell the bridge what became of its messages (changeMassageStatusNotification)")
	keys := flags.String("keys", string(sim.KeysRSA), "with what everybody signs: rsa, gost, or mixed (both authorities run; PUT /sim/keys says who uses which)")
	dir := flags.String("mappings", "", "folder of an akimat's own service descriptions, as in the bridge's configuration: `DIR`")
	enis := flags.String("enis", "", "shape of the notaries' registry, as in the bridge's configuration: `FILE`; none: the simulator's own")
	fresh := flags.Bool("fresh-keys", false, "make new keys instead of the public test keys; other ones at every start")
	var how playing
	flags.StringVar(&how.what, "play", "", "drive services through their channels and print what was seen: all, `SERVICE` or SERVICE/CHANNEL; ends then, with status 1 if anything expected was not seen")
	flags.BoolVar(&how.json, "json", false, "with -play: as JSON")
	flags.StringVar(&how.bridge, "bridge", "", "with -play: base `URL` of a running bridge that is configured for this simulator (-addr, -data); without it a bridge is started too")
	flags.StringVar(&how.keyFile, "api-key-file", "", "with -bridge: `FILE` with the API key of a specialist")
	verbose := flags.Bool("v", false, "log deliveries on standard error")
	flags.Usage = func() {
		usageOf(flags, "[flags]",
			"Gateway, portal, service centre, registries and certification authority on one",
			"address, for tests. GET /sim/ explains how to steer it. Its keys are public: trust them nowhere else.")
	}
	if code, ok := parseFlags(flags, args, s); !ok {
		return code
	}
	if flags.NArg() > 0 {
		s.complain("sim: takes flags only, not %q", flags.Arg(0))
		return exitUsage
	}
	kind, err := sim.ParseKeys(*keys)
	if err != nil {
		s.complain("sim: -keys: %v", err)
		return exitUsage
	}
	switch alone := how.what != "" && how.bridge == ""; {
	case how.what == "" && (how.json || how.bridge != ""), how.bridge != "" && how.keyFile == "":
		s.complain("sim: -json and -bridge go with -play, and -bridge needs -api-key-file")
		return exitUsage
	case alone && (*data != "" || *dir != "" || *async != "" || *sync != ""):
		s.complain("sim: -play starts a bridge of its own unless -bridge names one; -data, -mappings and the doors go with -bridge")
		return exitUsage
	case alone:
		return playHere(ctx, s, how, kind)
	case how.bridge != "":
		base := strings.TrimRight(how.bridge, "/")
		*async, *sync, *notify = cmp.Or(*async, base+"/shep/async"), cmp.Or(*sync, base+"/shep/sync"), true
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		s.complain("sim: cannot listen on %s: %v; choose another -addr", *addr, err)
		return exitUsage
	}
	defer listener.Close()
	c := sim.Config{BaseURL: *url, FreshKeys: *fresh, Keys: kind, Log: zap.NewNop(), Bridge: sim.Bridge{AsyncURL: *async, SyncURL: *sync, Notify: *notify}}
	if c.BaseURL == "" {
		c.BaseURL = "http://" + listener.Addr().String()
	}
	if *dir != "" {
		set, faults := mappings.LoadDir(*dir)
		if len(faults) > 0 {
			s.complain("sim: -mappings: %s", faults[0].In(mappings.English))
			return exitUsage
		}
		c.Services = set
	}
	if *enis != "" {
		shape, faults := mappings.LoadShape(*enis)
		if len(faults) > 0 {
			s.complain("sim: -enis: %s", faults[0].In(mappings.English))
			return exitUsage
		}
		c.Shape = shape
	}
	if *verbose {
		c.Log = zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()), zapcore.AddSync(s.err), zapcore.DebugLevel))
	}
	if *data != "" {
		day, renewed, err := sim.Day(*data, time.Now())
		if err != nil {
			s.complain("sim: -data: %v", err)
			return exitUsage
		}
		if renewed {
			s.complain("sim: the authority in %s was half a year old and is made anew: give its root.pem and keys to your systems again", *data)
		}
		c.Day = day
	}
	simulator, err := sim.New(c)
	if err != nil {
		s.complain("%v", err)
		return exitUsage
	}
	defer simulator.Close()
	var files sim.Files
	if *data != "" {
		if files, err = simulator.WriteFiles(*data); err != nil {
			s.complain("sim: -data: %v", err)
			return exitUsage
		}
	}
	if how.what != "" {
		set := c.Services
		if set == nil {
			set, _ = mappings.Builtin() // the simulator has read it without a fault
		}
		return playThere(ctx, s, how, simulator, c.BaseURL, listener, set)
	}
	announceSim(s, simulator, files)
	return serveUntil(ctx, s, "sim", listener, simulator.Handler())
}

// serveUntil serves until the context ends, then lets requests under way finish.
func serveUntil(ctx context.Context, s stdio, verb string, listener net.Listener, handler http.Handler) int {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		s.complain("%s: %v", verb, err)
		return exitFailed
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if server.Shutdown(stop) != nil {
		server.Close()
	}
	return exitPassed
}

// announceSim prints what a tester needs to begin.
func announceSim(s stdio, simulator *sim.Sim, files sim.Files) {
	a := simulator.Addresses()
	bridge, _ := simulator.System("bridge")
	w := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
	line := func(name string, values ...string) { fmt.Fprintf(w, "%s\t%s\n", name, strings.Join(values, "  ")) }
	line("control", a.Control)
	line("SyncChannel", a.Sync)
	line("AsyncChannel", a.Async)
	line("OCSP", a.OCSP)
	line("CRL", a.CRL)
	line("delta CRL", a.DeltaCRL)
	for _, other := range a.Authorities[1:] {
		line("CRL, "+string(other.Keys), other.CRL)
		line("delta CRL, "+string(other.Keys), other.DeltaCRL)
	}
	line("CA chain", a.Chain)
	line("bridge sends as", bridge.Sender, "password "+bridge.Password, "BIN "+bridge.BIN)
	if bridge.AsyncURL == "" {
		line("bridge receives", "nothing is pushed: no -bridge-async; PUT /sim/bridge sets it")
	} else {
		line("bridge receives", bridge.AsyncURL)
	}
	if files.Dir == "" {
		line("keys", a.Control+"certificates/bridge/key.p12 and the like; -data DIR writes files")
	} else {
		line("trust", files.Root)
		line("bridge's key", files.Bridge, "password "+sim.DefaultPassword)
		line("everybody's keys", files.KeysDir)
	}
	w.Flush()
	fmt.Fprintf(s.out, "\ntry: curl -d '{\"person\":\"citizen\"}' %sapplications\n", a.Control)
}
