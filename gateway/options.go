package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"

	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/keystore"
)

// Options is what a Bridge is made of. Store, Verifier, Key, Services, and of
// its terms Sender and at least one Partner are required.
type Options struct {
	Store    Store
	Verifier *signature.Verifier
	Key      keystore.Source // with which the bridge signs its answers and notices
	Services *mappings.Set   // to begin with, see Bridge.Use
	// Local is the local body's database; without it no service can be accepted.
	Local LocalDB
	// Room says why no new work is taken, such as a disk that is nearly full;
	// nil, or no error: it is. What was taken goes on.
	Room func() error

	Terms // to begin with, see Bridge.Under

	// Tracer takes the spans of trace.go; nil: nothing is traced.
	Tracer trace.Tracer

	Log *zap.Logger      // nil: silent
	Now func() time.Time // nil: time.Now
	// Elapsed is a clock that nobody sets, to find out when Now was set; nil:
	// the monotonic one of the machine, or Now if that is given.
	Elapsed func() time.Duration
	// NewID makes ids, and the tokens of results; nil: UUIDs in the order of time
	// for ids, random ones for tokens.
	NewID func() string
}

// Terms are with whom the bridge deals, and how: what other terms can take the
// place of while it runs.
type Terms struct {
	Partners []Partner
	// Gateway are the organisations whose systems sign what the gateway itself
	// says of messages of ours.
	Gateway []BIN
	Sender  Sender
	// Registries by their ids (mappings.RegistryIDs). One that a service asks and
	// that is not there is told to the specialist with each application.
	Registries map[string]Registry
	// Officials are the organisations whose employees file in the office
	// channel and sign results.
	Officials []BIN
	// SenderID names the bridge in messages that partners fetch.
	SenderID string
	// PublicURL is the address under which everybody reaches the bridge: for the
	// QR code of printed results and for the questionnaire; empty: there is neither.
	PublicURL string
	// Apart are the lanes of partners that are reached by an address of their own.
	Apart []Lane
	// KeepRefused is how many bytes of refused messages are kept whole for a
	// sender in a day; zero: all.
	KeepRefused int64
	// Polled are the routes whose partner fetches its messages by getMessages;
	// nothing is pushed there.
	Polled []Route
	// Posts carry letters to applicants: ToEmail, ToSMS. A route without one is
	// noted in the application's history instead.
	Posts map[Route]Post
}

// Bridge is the rules over one store, under certain terms. It is safe for
// concurrent use.
type Bridge struct {
	o        Options
	partners partners
	log      *zap.Logger
	tracer   trace.Tracer
	newID    func() string // of what is kept: in the order of time
	newToken func() string // opens something to whoever has it: not to be guessed
	*works
}

// works are what changes while a bridge runs. There is one, whatever the terms.
type works struct {
	numbers  numbers
	paces    paces
	alarms   alarms
	verdicts tally
	keeper   timekeeper
	recounts chan struct{}

	services  atomic.Pointer[mappings.Set]
	switching sync.RWMutex  // held against Use while an intake is written
	renewed   chan struct{} // other descriptions are in use
	drifts    drifts
	sending   atomic.Int64 // messages on their way to a partner, not settled yet
	panics    atomic.Uint64
	unasked   atomic.Uint64 // held applications that could not be asked about
	watchers  watchers

	latest atomic.Pointer[Bridge] // under the terms that were taken over last
	ways   atomic.Pointer[[]*lane]
	opened chan struct{} // there are more ways
}

var _ Doors = (*Bridge)(nil)

// New makes a Bridge, or says everything that is missing.
func New(o Options) (*Bridge, error) {
	var faults []error
	need := func(ok bool, what string) {
		if !ok {
			faults = append(faults, errors.New("gateway: "+what))
		}
	}
	need(o.Store != nil, "a store is needed")
	need(o.Verifier != nil, "a verifier is needed")
	need(o.Verifier == nil || o.Verifier.Revoke != signature.RevokeOff, "a bridge always asks about revocation")
	need(o.Key != nil, "a key to sign with is needed")
	need(o.Services != nil, "service descriptions are needed")
	if o.Services != nil {
		faults = append(faults, o.serves(o.Services))
	}
	known, err := o.Terms.known()
	faults = append(faults, err)
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	b := &Bridge{o: o, partners: known, log: o.Log, newID: o.NewID, newToken: o.NewID, works: &works{renewed: make(chan struct{}, 1), opened: make(chan struct{}, 1)}}
	b.services.Store(o.Services)
	b.o.Services = nil // they can be replaced: ask b.set()
	if b.log == nil {
		b.log = zap.NewNop()
	}
	if b.tracer = o.Tracer; b.tracer == nil {
		b.tracer = noop.Tracer{}
	}
	wall, elapsed := o.Now, o.Elapsed
	if wall == nil {
		wall = time.Now
	}
	if began := wall(); elapsed == nil {
		elapsed = func() time.Duration { return wall().Sub(began) }
	}
	if b.newID == nil {
		b.newID, b.newToken = orderedID, uuid.NewString
	}
	b.numbers.store = o.Store
	b.recounts = make(chan struct{}, 1)
	b.keeper = timekeeper{wall: wall, elapsed: elapsed, store: o.Store, log: b.log}
	// Before anything is reckoned: by a clock that was never compared, deliveries
	// would rest until whatever it showed.
	first, cancel := context.WithTimeout(context.Background(), firstLook)
	defer cancel()
	b.keeper.check(first)
	b.Begin()
	return b, nil
}

// orderedID is a UUID of version 7: what is written later stands behind in the
// indexes, so that a write touches their end and not pages all over them.
func orderedID() string { return uuid.Must(uuid.NewV7()).String() }

// serves says what descriptions need that is not there.
func (o *Options) serves(set *mappings.Set) error {
	var faults []error
	for _, s := range set.Services() {
		if o.Local == nil {
			faults = append(faults, fmt.Errorf("gateway: service %s writes into a local database, and none is given", s.ID))
		}
	}
	return errors.Join(faults...)
}
