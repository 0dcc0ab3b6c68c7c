package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"kopir/gateway"
	"kopir/gateway/client"
	"kopir/gateway/failpoint"
	"kopir/gateway/mio"
	"kopir/gateway/server"
	"kopir/gateway/signer"
	"kopir/gateway/soap"
	"kopir/gateway/store"
	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/nuc"
	"kopir/signature/revocation"
)

// node is a running bridge: everything that `kopir serve` wires together.
// `kopir run` makes the same one.
type node struct {
	wired      atomic.Pointer[wiring]
	m          *materials    // its keys and trust are those of all times: what they hold is exchanged
	hup        chan struct{} // asks for everything to be taken over again
	log        *zap.Logger
	lock       *os.File // of the store
	store      *store.Store
	stamper    *signer.Authority        // of the journal; nil without one
	traces     *sdktrace.TracerProvider // nil: nothing is traced
	local      *mio.DB
	revocation *revocation.Checker
	revoked    atomic.Pointer[nuc.Certificate] // of our own, found to be so
	verifier   *signature.Verifier
	bridge     *gateway.Bridge              // as it began; under the terms in force it is that of wired
	services   atomic.Pointer[mappings.Set] // as they are now
	repoll     chan struct{}                // there are other pollers
	server     *server.Server
	disk       *disk
	open       openCount[store.Open]
	dead       openCount[gateway.DeadGroup]
	began      time.Time
	reloads
}

// wiring is what follows from one configuration. It is exchanged whole.
type wiring struct {
	l      *loaded
	m      *materials
	gate   *client.Async
	sender *client.Sender
	bridge *gateway.Bridge
	doors  *server.Server
}

// conf is the configuration in force.
func (n *node) conf() *loaded { return n.wired.Load().l }

// opened are the materials in force.
func (n *node) opened() *materials { return n.wired.Load().m }

// newLog writes to w in the configured form and level.
func newLog(l *loaded, w io.Writer) (*zap.Logger, error) {
	level, err := zapcore.ParseLevel(l.Log.Level)
	if err != nil {
		return nil, err
	}
	l.level = zap.NewAtomicLevelAt(level)
	e := zap.NewProductionEncoderConfig()
	e.EncodeTime, e.EncodeDuration = zapcore.ISO8601TimeEncoder, zapcore.StringDurationEncoder
	encoder := zapcore.NewJSONEncoder(e)
	if l.Log.Format == "console" {
		encoder = zapcore.NewConsoleEncoder(e)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), l.level)), nil
}

// newNode opens the databases and wires the bridge between its doors. The
// caller closes it.
func newNode(ctx context.Context, l *loaded, m *materials, log *zap.Logger) (n *node, err error) {
	collectLess()
	n = &node{m: m, log: log, hup: make(chan struct{}, 1), repoll: make(chan struct{}, 1), disk: newDisk(l), began: time.Now()}
	n.reloads = reloads{tried: l, seen: m.seen, glimpsed: m.seen}
	n.wired.Store(&wiring{l: l, m: m})
	defer func() {
		if err != nil {
			n.close()
			n = nil
		}
	}()
	if err := n.openStore(ctx); err != nil {
		return n, fmt.Errorf("%s: %w", l.storeName(), err)
	}
	n.disk.store = n.store
	if err := n.openMio(ctx); err != nil {
		return n, err
	}
	if err := l.keepBundle(m); err != nil {
		return n, fmt.Errorf("trust_bundle.kept: %w", err)
	}
	if n.stamper, err = l.stamper(); err != nil {
		return n, fmt.Errorf("journal.tsa: %w", err)
	}
	n.revocation = l.checker(m, func(panicked any, stack []byte) { n.bridge.Defect(panicked, stack, zap.String("about", "revocation")) })
	n.verifier = &signature.Verifier{Trust: m.trust, Revocation: n.revocation}
	began := time.Now()
	n.traces = newTraces(l, log)
	f, terms, err := n.termsOf(l, m)
	if err != nil {
		return n, err
	}
	f.bridge, err = gateway.New(gateway.Options{
		Store: n.store, Verifier: n.verifier, Key: m.keys, Services: m.set, Local: n.local, Room: n.disk.room, Terms: terms, Log: log, Tracer: n.tracer(),
		Now: failpoint.Now, Elapsed: func() time.Duration { return time.Since(began) },
	})
	if err != nil {
		return n, err
	}
	n.bridge = f.bridge
	n.wired.Store(f)
	if err := n.bridge.Use(ctx, m.set); err != nil {
		return n, fmt.Errorf("mappings: %w", err)
	}
	n.services.Store(m.set)
	err = n.noteConfiguration(ctx)
	for try := 1; try < 3 && errors.Is(err, store.ErrCut); try++ { // nothing was written: who starts us anew would do no other
		err = n.noteConfiguration(ctx)
	}
	if err != nil {
		return n, fmt.Errorf("%s: %w", l.storeName(), err)
	}
	options, err := n.serverOptions(f)
	if err != nil {
		return n, err
	}
	n.server, err = server.New(options)
	f.doors = n.server
	return n, err
}

// termsOf makes what follows from a configuration, and changes nothing.
func (n *node) termsOf(l *loaded, m *materials) (*wiring, gateway.Terms, error) {
	f := &wiring{l: l, m: m}
	outward := l.outward(m)
	peer := func(address string) client.Peer {
		return client.Peer{
			Name: "gateway", Address: address, SenderID: l.Gateway.SenderID, Password: soap.Secret(m.gatewayPassword),
			Sign: func(envelope []byte) ([]byte, error) {
				return signature.SignWSSE(envelope, n.m.keys.Signing(time.Now()), signature.SignOptions{})
			},
			Judge: n.verifier, BINs: l.Gateway.BINs, Timeout: time.Duration(l.Gateway.Timeout), HTTP: outward, May: n.store.Awake,
		}
	}
	fail := func(err error) (*wiring, gateway.Terms, error) { return nil, gateway.Terms{}, err }
	var err error
	if f.gate, err = client.NewAsync(peer(l.Gateway.Async)); err != nil {
		return fail(err)
	}
	registries, err := l.registries(m, peer(l.Gateway.Sync), m.set.Calendar.Zone())
	if err != nil {
		return fail(err)
	}
	rest, err := l.restPartners(m)
	if err != nil {
		return fail(err)
	}
	f.sender, err = client.NewSender(client.SenderOptions{
		Outlets: l.outlets(f.gate, rest), REST: rest, StatusServices: l.statusServices(), Services: m.set, NoMessage: l.Gateway.NoMessage,
		SignDocument: func(document []byte) ([]byte, error) {
			return signature.SignEnveloped(document, n.m.keys.Signing(time.Now()), signature.SignOptions{})
		},
	})
	if err != nil {
		return fail(err)
	}
	posts, err := l.posts(m)
	if err != nil {
		return fail(err)
	}
	return f, gateway.Terms{
		Partners: l.partners(m), Gateway: bins(l.Gateway.BINs), Sender: f.sender, Posts: posts, Registries: registries,
		Officials: bins(l.Officials), SenderID: l.Gateway.SenderID, PublicURL: l.PublicURL, Apart: l.apart(), Polled: l.polled(),
		KeepRefused: int64(l.Limits.Refused),
	}, nil
}

// privateFile makes a database file, where there is none, that only this user
// can read; SQLite gives its other files the same rights.
func privateFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// serverOptions are those of the doors into a bridge.
func (n *node) serverOptions(f *wiring) (server.Options, error) {
	l, m := f.l, f.m
	keys := server.NewKeys()
	for _, k := range l.APIKeys {
		role, err := server.ParseRole(k.Role)
		if err != nil {
			return server.Options{}, err
		}
		if err := keys.Add(k.SHA256, server.Principal{Name: k.Name, Role: role, Office: k.Office}); err != nil {
			return server.Options{}, err
		}
	}
	return server.Options{
		Doors: f.bridge, Services: func() []server.Service { return serviceList(n.services.Load(), time.Now()) },
		Offices: func() []server.Office { return officeList(n.services.Load()) }, Texts: func() *mappings.Texts { return n.services.Load().Texts },
		Keys: keys, Signers: m.signers(), Origin: l.origin(), Answers: n.m.httpSigner, Replays: n.store, Access: n.noteAccess, Bundles: bundles{keeper{n.sealer(), l}}, Log: n.log, Clock: failpoint.Now,
		Limits: server.Limits{
			Body: int64(l.Limits.Body), Request: time.Duration(l.Limits.Request),
			Concurrent: l.Limits.Concurrent, Wait: server.DefaultLimits.Wait,
			Memory: l.bodyMemory(), Connections: l.Limits.Connections, Notice: time.Duration(l.Limits.Notice),
		},
		PublicURL: l.PublicURL, Zone: m.set.Calendar.Zone(), Proxies: l.TrustedProxies,
		Collectors: []prometheus.Collector{&gauges{n.store, &n.open, n.local, n.opened, n.log}, &termGauges{store: n.store, bridge: n.bridge, log: n.log}, &laneGauges{n.store, &n.dead, n.bridge, n.log}, proofGauges{n}, n.disk},
		Readiness:  n.readiness(),
	}, nil
}

// run serves until ctx ends: then the doors take nothing new and finish what
// they have, the loops settle, and only then the databases are closed.
func (n *node) run(ctx context.Context, listener net.Listener) error {
	loops, stop := context.WithCancel(context.WithoutCancel(ctx))
	settled := make(chan struct{})
	go func() {
		defer close(settled)
		n.bridge.Run(loops)
	}()
	var others sync.WaitGroup
	for name, loop := range map[string]func(context.Context){
		"revocation lists": n.refresh, "reload": func(ctx context.Context) { n.watch(ctx, watchEvery) }, "checkpoint": n.seal,
		"our own certificate": n.askAboutOurselves, "retention": n.retain, "poll": n.poll,
	} {
		others.Go(func() { n.bridge.Keep(loops, name, loop) })
	}
	limits := n.conf().Limits
	err := n.server.Serve(ctx, listener, int(limits.Header), time.Duration(limits.ReadTimeout), time.Duration(limits.Drain))
	stop()
	<-settled
	others.Wait()
	n.sealEnd(ctx)
	return err
}

// checker asks the configured addresses about what the authorities of the
// trust issued, and looks at the stored evidence.
func (l *loaded) checker(m *materials, defect func(panicked any, stack []byte)) *revocation.Checker {
	c := revocation.NewChecker(revocation.Options{
		Sources: l.sources(m),
		Proxy:   l.proxy(),
		Folder:  l.path(l.Revocation.Folder),
		Timeout: time.Duration(l.Revocation.Timeout), Budget: 2 * time.Duration(l.Revocation.Timeout),
		Refresh: time.Duration(l.Revocation.Refresh), Defect: defect,
	})
	for _, list := range m.lists {
		c.AddCRL(list)
	}
	for _, answer := range m.answers {
		c.AddOCSP(answer)
	}
	return c
}

// refresh fetches the lists in time, so that no message waits for them.
func (n *node) refresh(ctx context.Context) {
	n.revocation.Run(ctx, func(authority string, err error) {
		if err != nil {
			n.log.Warn("revocation list not fetched", zap.String("authority", authority), zap.Error(err))
		}
	})
}

func (n *node) close() error {
	n.stopTraces()
	var faults []error
	if n.local != nil {
		faults = append(faults, n.local.Close())
	}
	if n.store != nil {
		faults = append(faults, n.store.Close())
	}
	if n.lock != nil {
		faults = append(faults, n.lock.Close())
	}
	return errors.Join(faults...)
}

func bins(list []string) []gateway.BIN {
	var out []gateway.BIN
	for _, b := range list {
		out = append(out, gateway.BIN(b))
	}
	return out
}

// partners are the senders with their secrets.
func (l *loaded) partners(m *materials) []gateway.Partner {
	var out []gateway.Partner
	for _, s := range l.Senders {
		p := gateway.Partner{SenderID: s.ID, Channel: gateway.Channel(s.Channel), Password: m.senderPasswords[s.ID], Former: m.formerPasswords[s.ID], BINs: bins(s.BINs), Services: s.Services}
		for _, c := range m.senderCertificates[s.ID] {
			p.Certificates = append(p.Certificates, c.Fingerprint)
		}
		for _, k := range m.partnerKeys[s.ID] {
			p.Keys = append(p.Keys, gateway.PartnerKey{ID: k.ID, Certificate: k.certificate})
		}
		p.REST, p.Collects = s.REST.spoken(), s.REST.spoken() && s.REST.URL == ""
		out = append(out, p)
	}
	return out
}

func (l *loaded) polled() []gateway.Route {
	var out []gateway.Route
	for _, s := range l.Senders {
		if s.Polled {
			out = append(out, gateway.RouteOf(gateway.Channel(s.Channel)))
		}
	}
	return out
}
