package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"kopir/gateway/sim"
)

// runRun plays the main job: the bridge and its simulator in one process, each
// behind its own HTTP address, on an embedded database. Exit status: 0 every
// step was seen to happen (or, without -once, it was stopped as told), 1 one
// was not, 2 wrong use.
func runRun(ctx context.Context, args []string, s stdio) int {
	f := flag.NewFlagSet("run", flag.ContinueOnError)
	data := f.String("data", "", "`DIR` for databases, keys and the log; a second run on it continues. Default: a temporary folder")
	addr := f.String("addr", "127.0.0.1:8080", "`ADDRESS` of the bridge; the simulator takes the port ten above it")
	once := f.Bool("once", false, "end after the story; exit status 0 only if every step was seen to happen")
	keys := f.String("keys", string(sim.KeysRSA), "with what everybody signs: rsa, gost, or mixed (systems with RSA, people with GOST)")
	service := f.String("service", sim.DefaultService, "the `SERVICE` to watch; -list names them")
	channel := f.String("channel", "", "its `CHANNEL`; default: the first that it opens")
	suspend := f.Bool("suspend", false, "let the term of the application stand still before the decision, and run on")
	tour := f.String("play", "", "instead of one application: all, `SERVICE` or SERVICE/CHANNEL, as kopir sim -play")
	list := f.Bool("list", false, "list the services with their channels, and end")
	language := f.String("lang", "", "`LANG`: ru, kk or en. Default: that of the locale")
	f.Usage = func() {
		usageOf(f, "[flags]", "Plays the main job before your eyes, with bridge and simulator in one process, then stays up until Ctrl+C.")
	}
	if code, ok := parseFlags(f, args, s); !ok {
		return code
	}
	lang, err := langOf(*language, s.env)
	if err != nil || f.NArg() > 0 {
		if err == nil {
			err = errors.New("run takes no arguments beside its flags")
		}
		s.complain("%s", err)
		return exitUsage
	}
	kind, err := sim.ParseKeys(*keys)
	if err != nil {
		s.complain("run: -keys: %s", err)
		return exitUsage
	}
	set, faults := sim.Services()
	if len(faults) > 0 {
		s.complain("run: %s", faults[0].In(lang))
		return exitFailed
	}
	if *list {
		listOffers(s, set)
		return exitPassed
	}
	sc, err := newScene(set, *service, *channel)
	if err != nil {
		s.complain("run: %s", err)
		return exitUsage
	}
	if sc.suspend = *suspend; sc.suspend && !sc.suspends() {
		s.complain("run: -suspend: %s through %s has no term that may stand still", sc.service.ID, sc.channel.ID)
		return exitUsage
	}
	p, err := newPlayWith(ctx, kind, *data, *addr)
	if err != nil {
		s.complain("%s", err)
		return exitFailed
	}
	p.stage = newStage(s, lang, p.materials.set.Texts)
	p.start(ctx)
	code := exitPassed
	if *tour != "" {
		code = tourOf(ctx, s, p, p.materials.set, playing{what: *tour})
	} else if !p.tell(ctx, sc) {
		code = exitFailed
	}
	if !*once && ctx.Err() == nil {
		p.invite()
		<-ctx.Done()
		p.stage.line("stopping")
	}
	if err := p.end(); err != nil {
		s.complain("%s", err)
		code = exitFailed
	}
	return code
}

// play is one run: where everything is, and who watches.
type play struct {
	dir       string
	temporary bool
	bridge    string // base addresses
	simulator string
	key       string // API key of the specialist
	admin     string // and of the administrator

	sim       *sim.Sim
	tap       *tap
	loaded    *loaded
	materials *materials
	node      *node
	stage     *stage
	client    *http.Client

	patience time.Duration
	facts    []func()     // of the step that is being played
	listener net.Listener // of the bridge
	stop     context.CancelFunc
	settled  chan struct{} // closed when the bridge has stopped
	failed   error         // of the bridge, once settled
	closers  []func() error
}

// newPlay is newPlayWith RSA keys.
func newPlay(ctx context.Context, data, addr string) (*play, error) {
	return newPlayWith(ctx, sim.KeysRSA, data, addr)
}

// newPlayWith starts the simulator and makes the bridge. The bridge runs on a configuration file
// that is written here, by the same code as `kopir serve`.
func newPlayWith(ctx context.Context, keys sim.Keys, data, addr string) (p *play, err error) {
	p = &play{dir: data, client: &http.Client{Timeout: time.Minute}, patience: defaultPatience}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.end())
			p = nil
		}
	}()
	if p.dir == "" {
		if p.dir, err = os.MkdirTemp("", "kopir-run-"); err != nil {
			return p, err
		}
		p.temporary = true
	}
	if p.dir, err = filepath.Abs(p.dir); err != nil {
		return p, err
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return p, fmt.Errorf("%s: %s", p.dir, plainFileError(err))
	}
	bridgeSide, err := net.Listen("tcp", addr)
	if err != nil {
		l := &loaded{config: config{Listen: addr}}
		return p, fmt.Errorf("%s", strings.TrimPrefix(l.listenFault(err).format("-addr"), "-addr: listen: "))
	}
	p.closers = append(p.closers, ignoreClosed(bridgeSide.Close))
	simSide, err := listenBeside(bridgeSide.Addr().(*net.TCPAddr), addr)
	if err != nil {
		return p, err
	}
	p.closers = append(p.closers, ignoreClosed(simSide.Close))
	p.bridge, p.simulator = reachable(bridgeSide), reachable(simSide)

	services, bad := sim.Services()
	if len(bad) > 0 {
		return p, bad[0]
	}
	p.sim, err = sim.New(sim.Config{BaseURL: p.simulator, Keys: keys, Services: services, Bridge: sim.Bridge{AsyncURL: p.bridge + "/shep/async", SyncURL: p.bridge + "/shep/sync", Notify: true, RESTURL: p.bridge + "/api/v1"}})
	if err != nil {
		return p, err
	}
	p.tap = &tap{next: p.sim.Handler(), seen: map[string]int{}}
	simServer := &http.Server{Handler: p.tap, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- simServer.Serve(simSide) }()
	p.closers = append(p.closers, func() error {
		p.sim.Close()
		return errors.Join(simServer.Close(), cleanEnd(<-served))
	})

	if err := p.writeSite(ctx); err != nil {
		return p, err
	}
	l, faults := loadConfig(filepath.Join(p.dir, "kopir.yaml"))
	if len(faults) == 0 {
		p.loaded = l
		p.materials, faults = l.open(time.Now())
	}
	if len(faults) > 0 {
		return p, errors.New(faults[0].format(filepath.Join(p.dir, "kopir.yaml")))
	}
	logFile, err := os.OpenFile(filepath.Join(p.dir, "kopir.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return p, err
	}
	p.closers = append(p.closers, logFile.Close)
	log, err := newLog(l, logFile)
	if err != nil {
		return p, err
	}
	if p.node, err = newNode(ctx, l, p.materials, log); err != nil {
		return p, err
	}
	p.closers = append(p.closers, p.node.close)
	p.listener = bridgeSide
	return p, nil
}

// start opens the doors of the bridge and sets its loops going.
func (p *play) start(ctx context.Context) {
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop = stop
	p.settled = make(chan struct{})
	go func() {
		defer close(p.settled)
		p.failed = cleanEnd(p.node.run(run, p.listener))
	}()
}

// end stops everything in the order in which it leans on each other: the
// bridge drains and settles while the simulator still answers.
func (p *play) end() error {
	if p.stop != nil {
		p.stop()
	}
	if p.settled != nil {
		<-p.settled
	}
	var faults []error
	for i := len(p.closers) - 1; i >= 0; i-- {
		faults = append(faults, p.closers[i]())
	}
	faults = append(faults, p.failed)
	if p.temporary {
		faults = append(faults, os.RemoveAll(p.dir))
	}
	return errors.Join(faults...)
}

func ignoreClosed(f func() error) func() error {
	return func() error {
		if err := f(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

// listenBeside takes the port ten above the bridge's, or any free one.
func listenBeside(a *net.TCPAddr, asked string) (net.Listener, error) {
	if !strings.HasSuffix(asked, ":0") {
		beside := net.JoinHostPort(a.IP.String(), strconv.Itoa(a.Port+10))
		if l, err := net.Listen("tcp", beside); err == nil {
			return l, nil
		}
	}
	return net.Listen("tcp", net.JoinHostPort(a.IP.String(), "0"))
}

// reachable is an address at which a listener can be called from here, also
// when it listens on all of them.
func reachable(l net.Listener) string {
	a := l.Addr().(*net.TCPAddr)
	if a.IP.IsUnspecified() {
		return "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(a.Port))
	}
	return "http://" + a.String()
}

// tap counts what the simulator is asked, so that the story can say which
// questions really went over HTTP.
type tap struct {
	mu   sync.Mutex
	next http.Handler
	seen map[string]int // by "METHOD /path"
}

func (t *tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	t.seen[r.Method+" "+r.URL.Path]++
	next := t.next
	t.mu.Unlock()
	next.ServeHTTP(w, r)
}

func (t *tap) count(what string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seen[what]
}

// invite says what can be done while it stays up.
func (p *play) invite() {
	t := p.stage
	t.title("invite")
	auth := `-H "Authorization: Bearer ` + p.key + `"`
	t.fact("where-bridge", "address", p.bridge)
	t.fact("where-simulator", "address", p.simulator+"/sim/")
	t.fact("where-data", "path", p.dir)
	fmt.Fprintln(t.out)
	t.line("invite-list")
	t.quote("curl -s " + auth + " " + p.bridge + "/api/v1/applications")
	t.line("invite-apply")
	t.quote(`curl -s ` + p.simulator + `/sim/applications -d '{"person":"citizen3"}'`)
	t.line("invite-take")
	t.quote("curl -s -X POST " + auth + " " + p.bridge + "/api/v1/applications/NUMBER/take")
	t.line("invite-inbox")
	t.quote("curl -s " + p.simulator + "/sim/portal/applications")
	t.line("invite-outbox")
	t.quote(`curl -s -H "Authorization: Bearer ` + p.admin + `" '` + p.bridge + "/api/v1/deliveries?state=queued&state=dead'")
	t.line("invite-contract")
	t.quote("curl -s '" + p.bridge + "/shep/sync?wsdl'")
	fmt.Fprintln(t.out)
	t.line("invite-stop")
}
