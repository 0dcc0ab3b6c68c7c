package sim

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/keystore"
	"kopir/signature/sigtest"
)

// Paths of the gateway's doors, as member systems know them.
const (
	SyncPath  = "/bip-sync-wss-gost/"
	AsyncPath = "/bip-async/"
)

// Config of a simulation. BaseURL is required, the rest has defaults.
type Config struct {
	BaseURL string           // where the simulator's handler can be reached, such as http://127.0.0.1:8090
	Now     func() time.Time // zero: time.Now
	// Day is the authority's; zero: midnight UTC before Now.
	Day       time.Time
	FreshKeys bool // new keys instead of sigtest's public ones
	Keys      Keys // with what everybody signs; zero: RSA
	// Services are the descriptions whose forms people fill in, and whose
	// requests go to the bridge; nil: the built-in ones.
	Services *mappings.Set
	// Shape is that of the notaries' registry; nil: testdata/enis.yaml.
	Shape  *mappings.RegistryShape
	Bridge Bridge
	Log    *zap.Logger // zero: silent
	// Witness is told of every message; nil: nobody.
	Witness Witness
	// Remember is how many applications each desk remembers at least; zero:
	// keepCases.
	Remember int
	// Messages is how many of them the gateway remembers at least; zero:
	// keepParcels.
	Messages int
	// Unread lets what is sent to portal and service centre end at the gateway,
	// as delivered: a load spares itself what they would do with it.
	Unread bool

	// Wait pauses before a retry or a slow answer; zero: a timer.
	Wait func(ctx context.Context, d time.Duration) error
	// Retry says how long to wait before another try to push (try counts from
	// 1), and whether to try at all; zero: from 1 s doubling to 1 min, 12 times.
	Retry func(try int) (time.Duration, bool)
}

// Bridge is where the bridge under test lives. Empty addresses: its messages
// wait until it polls, and what it should answer at once gets a fault.
type Bridge struct {
	AsyncURL string `json:"async_url"` // sendMessage and changeMassageStatusNotification are pushed here
	SyncURL  string `json:"sync_url"`  // SendMessage for its services
	Notify   bool   `json:"notify"`    // send changeMassageStatusNotification about what the bridge sent
	RESTURL  string `json:"rest_url"`  // its REST door with the version, for partners that speak REST
}

// Sim is the simulation. Make it with New, serve Handler, end it with Close.
type Sim struct {
	base   string
	set    *mappings.Set
	now    func() time.Time
	wait   func(ctx context.Context, d time.Duration) error
	retry  func(try int) (time.Duration, bool)
	log    *zap.Logger
	client *http.Client
	secret []byte // of the passwords that the gateway writes into what it pushes

	authorities []*authority // one, or two with mixed keys; fixed after New
	verifier    *signature.Verifier
	members     map[string]*member      // by key; the map is fixed after New
	shape       *mappings.RegistryShape // of the notaries' registry
	consents    consents
	powers      powers
	portal, csc *desk
	remember    int
	witness     Witness
	mobile      *desk // of the portal's channel, and speaks REST
	troubles    troubles
	handler     http.Handler

	ctx     context.Context
	cancel  context.CancelFunc
	work    sync.WaitGroup
	closing sync.Mutex // held while work is added, so that Close waits for all of it

	mu           sync.Mutex
	people       map[string]Person
	order        []string                       // keys of people, in order of arrival
	iins         map[string]string              // IIN to key: the first who had it
	certificates map[string]*sigtest.Credential // a person's good one, by key
	published    time.Time
	use          KeyUse

	gateway exchange
}

// member is a system at the gateway.
type member struct {
	key, sender, password, bin string
	services                   []string

	mu         sync.Mutex
	credential *sigtest.Credential
	sign       *keystore.Key
	async      string // call-back address; empty: the member polls
	sync       string // SyncChannel address for its services
	rest       string // REST door
	notify     bool   // wants changeMassageStatusNotification
	unread     bool   // what is sent to it has arrived when the gateway has it
	pushing    map[string]bool
	keptBack   []func() // pushes that wait until another one has gone
}

// IdleTime is how long whoever calls the bridge keeps a connection that nothing
// goes over: those of a burst are not what the bridge uses more and more of.
const IdleTime = 15 * time.Second

// New makes a simulation: authority, members, people. Nothing is served and
// nothing is sent before somebody uses Handler.
func New(c Config) (*Sim, error) {
	if !strings.HasPrefix(c.BaseURL, "http://") && !strings.HasPrefix(c.BaseURL, "https://") {
		return nil, fmt.Errorf("sim: BaseURL %q must be the http address under which the simulator is reached", c.BaseURL)
	}
	s := &Sim{
		base: strings.TrimRight(c.BaseURL, "/"), now: c.Now, wait: c.Wait, retry: c.Retry, log: c.Log,
		members: map[string]*member{}, people: map[string]Person{}, iins: map[string]string{}, certificates: map[string]*sigtest.Credential{},
		secret: []byte("the gateway's own"),
		client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 128, IdleConnTimeout: IdleTime, ResponseHeaderTimeout: time.Minute}},
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.set = c.Services; s.set == nil {
		var faults []mappings.Fault
		if s.set, faults = builtin(); len(faults) > 0 {
			return nil, fmt.Errorf("sim: %w", faults[0])
		}
	}
	if s.shape = c.Shape; s.shape == nil {
		var faults []mappings.Fault
		if s.shape, faults = mappings.ReadShape("enis.yaml", ShapeYAML()); len(faults) > 0 {
			return nil, fmt.Errorf("sim: %w", faults[0])
		}
	}
	if s.wait == nil {
		s.wait = sleep
	}
	if s.retry == nil {
		s.retry = defaultRetry
	}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	if s.witness = c.Witness; s.witness == nil {
		s.witness = nobody{}
	}
	s.remember = cmp.Or(c.Remember, keepCases)
	s.troubles.reset()
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.published = s.now()
	day := c.Day
	if day.IsZero() {
		day = s.now().UTC().Truncate(24 * time.Hour)
	}
	keys, err := ParseKeys(string(c.Keys))
	if err != nil {
		return nil, fmt.Errorf("sim: keys: %w", err)
	}
	s.use = keys.use()
	if err = s.newAuthorities(keys, sigtest.Options{Day: day, FreshKeys: c.FreshKeys}); err != nil {
		return nil, err
	}
	if s.verifier, err = newVerifier(s); err != nil {
		return nil, err
	}
	if err := s.castAll(); err != nil {
		return nil, err
	}
	if c.Unread {
		for _, d := range []*desk{s.portal, s.csc} {
			d.as.async, d.as.unread = "", true
		}
	}
	for _, a := range s.authorities {
		if a.stamps, err = newStamps(a); err != nil {
			return nil, err
		}
	}
	s.gateway = newExchange(s.now(), cmp.Or(c.Messages, keepParcels))
	s.SetBridge(c.Bridge)
	s.handler = s.routes()
	return s, nil
}

// builtin is read once: a set does not change.
var builtin = sync.OnceValues(mappings.Builtin)

// defaultRetry tries for about ten minutes.
func defaultRetry(try int) (time.Duration, bool) {
	return min(time.Second<<min(try-1, 6), time.Minute), try <= 12
}

// castAll issues the systems' and the people's certificates, always in the
// same order.
func (s *Sim) castAll() error {
	c, err := cast()
	if err != nil {
		return err
	}
	by, err := s.authorityWith(s.KeyUse().Systems)
	if err != nil {
		return err
	}
	for _, row := range c.Systems {
		org, ok := c.Organizations[row.Organization]
		if !ok {
			return fmt.Errorf("sim: cast.yaml: no organization %q", row.Organization)
		}
		credential, err := by.Issue(sigtest.Profile{
			Kind: sigtest.System, BIN: org.BIN, Organization: org.Name, CommonName: row.Name,
		})
		if err != nil {
			return err
		}
		key, err := credential.Key()
		if err != nil {
			return err
		}
		s.verifier.Trust.AddKnown(key.Certificate) // signatures may name it by issuer and serial number
		s.members[row.Key] = &member{key: row.Key, sender: row.Sender, password: row.Password, bin: org.BIN, services: row.Services,
			credential: credential, sign: key, pushing: map[string]bool{}}
	}
	for _, key := range systemKeys {
		if s.members[key] == nil {
			return fmt.Errorf("sim: cast.yaml: no system %q", key)
		}
	}
	for _, service := range s.set.Services() {
		bridge := s.members["bridge"]
		bridge.services = append(append(bridge.services, service.Gateway.ServiceID), service.Gateway.Aliases...)
	}
	s.portal = newDesk(s, s.members["portal"], "portal", s.remember)
	s.csc = newDesk(s, s.members["csc"], "csc", s.remember)
	s.mobile = newDesk(s, s.members["mobile"], "portal", s.remember)
	s.members["portal"].async = s.base + "/portal/callback"
	s.members["csc"].async = s.base + "/csc/callback"
	s.members["notary"].services = []string{s.shape.ServiceID}
	for key, path := range map[string]string{"registry": "gbdfl", "consent": "kdp", "entities": "gbdul", "notary": "enis"} {
		s.members[key].sync = s.base + "/registry/" + path
	}
	s.powers.list = slices.Clone(c.Powers)
	for _, p := range c.People {
		if org, ok := c.Organizations[p.Organization]; ok {
			p.BIN, p.Organization = org.BIN, org.Name
		}
		if err := s.AddPerson(p); err != nil {
			return err
		}
	}
	return nil
}

// AddPerson lets somebody take part. The key must be new; the register of
// natural persons knows the person as Registry says.
func (s *Sim) AddPerson(p Person) error {
	if p.Key == "" || p.IIN == "" || p.Surname == "" || p.GivenName == "" {
		return errors.New("a person needs key, iin, surname and given_name")
	}
	if p.Kind == "" {
		p.Kind = "person"
	}
	c, err := cast()
	if err != nil {
		return err
	}
	if p.District == "" {
		p.District = c.District
	}
	if p.Born == "" {
		p.Born = born(p.IIN)
	}
	profile, err := p.profile(sigtest.Sign)
	if err != nil {
		return err
	}
	by, err := s.authorityWith(s.KeyUse().People)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.people[p.Key]; ok || s.members[p.Key] != nil {
		return fmt.Errorf("there is a person or system %q already", p.Key)
	}
	credential, err := by.Issue(profile)
	if err != nil {
		return err
	}
	s.people[p.Key], s.certificates[p.Key] = p, credential
	s.order = append(s.order, p.Key)
	if _, ok := s.iins[p.IIN]; !ok {
		s.iins[p.IIN] = p.Key
	}
	return nil
}

// Person finds somebody by key.
func (s *Sim) Person(key string) (Person, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.people[key]
	return p, ok
}

// byIIN finds somebody by number.
func (s *Sim) byIIN(iin string) (Person, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, ok := s.iins[iin]
	return s.people[key], ok
}

func (s *Sim) desk(name string) (*desk, error) {
	switch name {
	case "portal":
		return s.portal, nil
	case "csc":
		return s.csc, nil
	case "mobile":
		return s.mobile, nil
	}
	return nil, fmt.Errorf("%q is not portal, csc or mobile", name)
}

// SetBridge says where the bridge under test lives.
func (s *Sim) SetBridge(b Bridge) {
	m := s.members["bridge"]
	m.mu.Lock()
	m.async, m.sync, m.notify, m.rest = b.AsyncURL, b.SyncURL, b.Notify, strings.TrimRight(b.RESTURL, "/")
	m.mu.Unlock()
}

// Handler serves every part of the simulation.
func (s *Sim) Handler() http.Handler { return s.handler }

// spawn runs something in the background until Close; after it, nothing.
func (s *Sim) spawn(f func()) {
	s.closing.Lock()
	defer s.closing.Unlock()
	if s.ctx.Err() == nil {
		s.work.Go(f)
	}
}

// Close stops deliveries and waits for those under way.
func (s *Sim) Close() {
	s.closing.Lock()
	s.cancel()
	s.closing.Unlock()
	s.work.Wait()
	s.client.CloseIdleConnections()
}

// PushPassword is what stands in sender/password of what the gateway pushes in
// the name of a sender: 64 hexadecimal digits, the same for each message.
func (s *Sim) PushPassword(sender string) string {
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte(sender))
	return hex.EncodeToString(mac.Sum(nil))
}

func (s *Sim) memberBySender(id string) *member {
	for _, m := range s.members {
		if m.sender == id {
			return m
		}
	}
	return nil
}

// memberForService is who receives requests of a service.
func (s *Sim) memberForService(id string) *member {
	for _, m := range s.members {
		for _, own := range m.services {
			if own == id {
				return m
			}
		}
	}
	return nil
}

func (m *member) addresses() (async, sync string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.async, m.sync
}
