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
	"kopir/signature/revocation"
)

// node is a running bridge: everything that `kopir serve` wires together.
// `kopir run` makes the same one.
type node struct {
	l          *loaded
	m          *materials
	hup        chan struct{} // asks for keys and trust to be opened again
	log        *zap.Logger
	lock       *os.File // of the store
	store      *store.Store
	stamper    *signer.Authority        // of the journal; nil without one
	traces     *sdktrace.TracerProvider // nil: nothing is traced
	local      *mio.DB
	revocation *revocation.Checker
	bridge     *gateway.Bridge
	sender     *client.Sender
	services   atomic.Pointer[mappings.Set] // as they are now
	pollers    []*client.Poller
	server     *server.Server
	disk       *disk
	began      time.Time
	// mappingsFault is why the last change of the descriptions was not taken over.
	mappingsFault atomic.Pointer[error]
}

// newLog writes to w in the configured form and level.
func newLog(l *loaded, w io.Writer) (*zap.Logger, error) {
	level, err := zapcore.ParseLevel(l.Log.Level)
	if err != nil {
		return nil, err
	}
	e := zap.NewProductionEncoderConfig()
	e.EncodeTime, e.EncodeDuration = zapcore.ISO8601TimeEncoder, zapcore.StringDurationEncoder
	encoder := zapcore.NewJSONEncoder(e)
	if l.Log.Format == "console" {
		encoder = zapcore.NewConsoleEncoder(e)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), level)), nil
}

// newNode opens the databases and wires the bridge between its doors. The
// caller closes it.
func newNode(ctx context.Context, l *loaded, m *materials, log *zap.Logger) (n *node, err error) {
	collectLess()
	n = &node{l: l, m: m, log: log, hup: make(chan struct{}, 1), disk: newDisk(l), began: time.Now()}
	defer func() {
		if err != nil {
			n.close()
			n = nil
		}
	}()
	if err := n.openStore(ctx); err != nil {
		return n, fmt.Errorf("%s: %w", l.storeName(), err)
	}
	if err := n.openMio(ctx); err != nil {
		return n, err
	}
	if err := l.keepBundle(m); err != nil {
		return n, fmt.Errorf("trust_bundle.kept: %w", err)
	}
	if n.stamper, err = l.stamper(); err != nil {
		return n, fmt.Errorf("journal.tsa: %w", err)
	}
	n.revocation = l.checker(m)
	verifier := &signature.Verifier{Trust: m.trust, Revocation: n.revocation}
	outward := l.outward(m)
	peer := func(address string) client.Peer {
		return client.Peer{
			Name: "gateway", Address: address, SenderID: l.Gateway.SenderID, Password: soap.Secret(m.gatewayPassword),
			Sign: func(envelope []byte) ([]byte, error) {
				return signature.SignWSSE(envelope, m.keys.Signing(time.Now()), signature.SignOptions{})
			},
			Judge: verifier, BINs: l.Gateway.BINs, Timeout: time.Duration(l.Gateway.Timeout), HTTP: outward, May: n.store.Awake,
		}
	}
	async, err := client.NewAsync(peer(l.Gateway.Async))
	if err != nil {
		return n, err
	}
	registries, err := l.registries(m, peer(l.Gateway.Sync), m.set.Calendar.Zone())
	if err != nil {
		return n, err
	}
	rest, err := l.restPartners(m)
	if err != nil {
		return n, err
	}
	n.sender, err = client.NewSender(client.SenderOptions{
		Outlets: l.outlets(async, rest), REST: rest, StatusServices: l.statusServices(), Services: m.set,
		SignDocument: func(document []byte) ([]byte, error) {
			return signature.SignEnveloped(document, m.keys.Signing(time.Now()), signature.SignOptions{})
		},
	})
	if err != nil {
		return n, err
	}
	posts, err := l.posts(m)
	if err != nil {
		return n, err
	}
	began := time.Now()
	n.traces = newTraces(l, log)
	n.bridge, err = gateway.New(gateway.Options{
		Store: n.store, Verifier: verifier, Key: m.keys, Services: m.set, Partners: l.partners(m), Gateway: bins(l.Gateway.BINs),
		Sender:     n.sender,
		Posts:      posts,
		Local:      n.local,
		Registries: registries,
		Officials:  bins(l.Officials), SenderID: l.Gateway.SenderID, PublicURL: l.PublicURL, Apart: l.apart(), Room: n.disk.room, KeepRefused: int64(l.Limits.Refused), Polled: l.polled(), Log: log, Tracer: n.tracer(),
		Now: failpoint.Now, Elapsed: func() time.Duration { return time.Since(began) },
	})
	if err != nil {
		return n, err
	}
	if err := n.bridge.Use(ctx, m.set); err != nil {
		return n, fmt.Errorf("mappings: %w", err)
	}
	n.services.Store(m.set)
	if err := n.noteConfiguration(ctx); err != nil {
		return n, fmt.Errorf("%s: %w", l.storeName(), err)
	}
	n.pollers = n.newPollers(async)
	n.server, err = n.newServer(m)
	return n, err
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

func (n *node) newServer(m *materials) (*server.Server, error) {
	keys := server.NewKeys()
	for _, k := range n.l.APIKeys {
		role, err := server.ParseRole(k.Role)
		if err != nil {
			return nil, err
		}
		if err := keys.Add(k.SHA256, server.Principal{Name: k.Name, Role: role, Office: k.Office}); err != nil {
			return nil, err
		}
	}
	return server.New(server.Options{
		Doors: n.bridge, Services: func() []server.Service { return serviceList(n.services.Load(), time.Now()) },
		Offices: func() []server.Office { return officeList(n.services.Load()) }, Texts: func() *mappings.Texts { return n.services.Load().Texts },
		Keys: keys, Signers: m.signers(), Origin: n.l.origin(), Answers: m.httpSigner, Replays: n.store, Access: n.noteAccess, Bundles: bundles{n.keeper()}, Log: n.log, Clock: failpoint.Now,
		Limits: server.Limits{
			Body: int64(n.l.Limits.Body), Request: time.Duration(n.l.Limits.Request),
			Concurrent: n.l.Limits.Concurrent, Wait: server.DefaultLimits.Wait,
			Memory: n.l.bodyMemory(), Connections: n.l.Limits.Connections, Notice: time.Duration(n.l.Limits.Notice),
		},
		PublicURL: n.l.PublicURL, Zone: m.set.Calendar.Zone(), Proxies: n.l.TrustedProxies,
		Collectors: []prometheus.Collector{&gauges{n.store, n.local, m, n.log}, &termGauges{store: n.store, bridge: n.bridge, log: n.log}, &laneGauges{n.store, n.bridge, n.log}, proofGauges{n}, n.disk},
		Readiness:  n.readiness(),
	})
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
	others.Go(func() { n.refresh(loops) })
	others.Go(func() { n.watch(loops, watchEvery) })
	others.Go(func() { n.seal(loops) })
	others.Go(func() { n.askAboutOurselves(loops) })
	others.Go(func() { n.retain(loops) })
	for _, p := range n.pollers {
		others.Go(func() { n.bridge.WhileLeading(loops, "poll "+p.ServiceID, func(ctx context.Context) { p.Run(ctx) }) })
	}
	err := n.server.Serve(ctx, listener, int(n.l.Limits.Header), time.Duration(n.l.Limits.ReadTimeout), time.Duration(n.l.Limits.Drain))
	stop()
	<-settled
	others.Wait()
	n.sealEnd(ctx)
	return err
}

// newPollers fetch what the gateway does not push.
func (n *node) newPollers(gate *client.Async) []*client.Poller {
	var all []*client.Poller
	for _, p := range n.l.Gateway.Poll {
		one := &client.Poller{
			From: gate, ServiceID: p.ServiceID, Every: time.Duration(p.Every), Amount: int32(p.Amount), Handle: client.HandOver(n.bridge),
			Failed: func(err error) {
				n.log.Warn("messages not fetched", zap.String("service", p.ServiceID), zap.Error(err))
			},
		}
		if one.Every == 0 {
			one.Every = defaultPollEvery
		}
		if one.Amount == 0 {
			one.Amount = defaultPollAmount
		}
		all = append(all, one)
	}
	return all
}

// checker asks the configured addresses about what the authorities of the
// trust issued, and looks at the stored evidence.
func (l *loaded) checker(m *materials) *revocation.Checker {
	c := revocation.NewChecker(revocation.Options{
		Sources: l.sources(m),
		Proxy:   l.proxy(),
		Folder:  l.path(l.Revocation.Folder),
		Timeout: time.Duration(l.Revocation.Timeout), Budget: 2 * time.Duration(l.Revocation.Timeout),
		Refresh: time.Duration(l.Revocation.Refresh),
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
		p := gateway.Partner{SenderID: s.ID, Channel: gateway.Channel(s.Channel), Password: m.senderPasswords[s.ID], BINs: bins(s.BINs), Services: s.Services}
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

// officeList shows the directory of offices as the REST door tells it, with the
// systems that people reach by an address.
func officeList(set *mappings.Set) (out []server.Office) {
	for _, o := range set.Offices.All() {
		hours, _ := set.Offices.Hours(o.Hours)
		out = append(out, server.Office{ID: o.ID, Kind: o.Kind, Parent: o.Parent, Name: shown(o.Name), Address: shown(o.Address),
			Email: o.Email, Phones: o.Phones, Hours: shown(hours.Text), Note: o.Note})
	}
	for _, a := range set.Sites() {
		out = append(out, server.Office{ID: a.ID, Kind: a.Kind, Name: shown(a.Name), Site: a.Site})
	}
	return out
}

func shown(t mappings.Text) gateway.Text { return gateway.Text{RU: t.Ru, KK: t.Kk, EN: t.En} }

// serviceList shows the services in force as the REST door tells them.
func serviceList(set *mappings.Set, at time.Time) []server.Service {
	var out []server.Service
	for _, s := range set.Offers(at) {
		v := server.Service{ID: s.ID, Edition: s.Edition, ServiceID: s.Gateway.ServiceID, Title: shown(s.Title),
			Channels: []string{}, Statuses: []server.Status{}, Refusals: []server.Refusal{}}
		for _, c := range s.Channels {
			v.Channels = append(v.Channels, c.ID)
		}
		for _, x := range s.Statuses {
			v.Statuses = append(v.Statuses, server.Status{State: gateway.State(x.State), Local: x.Local, Text: shown(x.Text)})
		}
		for _, x := range s.Refusals {
			v.Refusals = append(v.Refusals, server.Refusal{Code: x.ID, Text: shown(x.Text)})
		}
		out = append(out, v)
	}
	return out
}
