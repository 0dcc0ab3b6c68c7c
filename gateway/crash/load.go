package crash

import (
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"kopir/gateway/sim"
	"kopir/gateway/soap"
	"kopir/signature"
	"kopir/signature/keystore"
)

// Sent is a message that a partner sent, and what came back.
type Sent struct {
	ID     string // the sender's
	Sender string // senderId
	Key    string // by which the bridge knows it: ID, or the gateway's id
	Async  bool
	Good   bool // it must become an application; else it must be refused by the service

	Acknowledged bool
	Number       string // that the answer names
	Fault        string // of an answer that says not to try again
	Answer       [32]byte
	Changed      int // answers that differ from the first
	Tries        int
	Repeats      int // after the first answer
}

// message is one on its way.
type message struct {
	*Sent
	raw   []byte
	kept  []byte // raw, of those that are repeated at the end
	again bool   // its sender asks once more although it was answered
}

// load is what partners send.
type load struct {
	t       *trial
	client  *http.Client
	docs    map[string][][]byte // by channel; "bad" ones are refused by the service
	keys    map[string]*keystore.Key
	systems map[string]sim.System
	ready   chan *message
	proxy   *http.Server // in front of the nodes, unless there is one that is left alone
	next    atomic.Int64
	begun   chan struct{} // closed when everything is counted
	turn    atomic.Int64
	due     chan struct{} // what has come and nobody took up yet

	mu      sync.Mutex
	ledger  []*Sent
	old     []*message // a sample, to be repeated at the end
	waiting int
	asyncs  map[string]*Sent // at the gateway, not settled yet
	times   []time.Duration  // to the acknowledgement at the first try
}

func newLoad(t *trial) (*load, error) {
	l := &load{t: t, docs: map[string][][]byte{}, keys: map[string]*keystore.Key{}, systems: map[string]sim.System{}, ready: make(chan *message, 256), due: make(chan struct{}, 1<<24), begun: make(chan struct{}), asyncs: map[string]*Sent{},
		client: &http.Client{Timeout: 8 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: sim.IdleTime}}}
	for _, name := range []string{"portal", "csc"} {
		l.systems[name], _ = t.sim.System(name)
		c, err := t.sim.Credential(name)
		if err != nil {
			return nil, err
		}
		if l.keys[name], err = c.Key(); err != nil {
			return nil, err
		}
		for _, person := range []string{"citizen", "citizen2", "citizen3"} {
			for seed := range 4 {
				d, err := t.sim.Document(name, sim.Submission{Person: person, Seed: t.o.Seed + uint64(seed)*1000})
				if err != nil {
					return nil, err
				}
				l.docs[name] = append(l.docs[name], d)
			}
		}
		d, err := t.sim.Document(name, sim.Submission{Person: "citizen", Tweaks: sim.Tweaks{Tampered: true}})
		if err != nil {
			return nil, err
		}
		l.docs["bad "+name] = append(l.docs["bad "+name], d)
	}
	return l, nil
}

// compose makes the i-th message and signs it. What it is follows from the seed.
func (l *load) compose(i int64) (*message, error) {
	rng := rand.New(rand.NewPCG(l.t.o.Seed, uint64(i)+100))
	from := "portal"
	if rng.IntN(10) == 0 {
		from = "csc"
	}
	m := &message{Sent: &Sent{ID: fmt.Sprintf("crash-%d-%d", l.t.o.Seed, i), Good: rng.IntN(20) != 0, Async: rng.IntN(4) == 0}}
	docs := l.docs[from]
	if !m.Good {
		docs = l.docs["bad "+from]
	}
	system := l.systems[from]
	m.Sender, m.Key = system.Sender, m.ID
	as := soap.SenderInfo{SenderID: system.Sender, Password: soap.Secret(system.Password)}
	data := soap.EscapedData(docs[rng.IntN(len(docs))])
	var p soap.Payload = &soap.SyncSendMessageRequest{
		RequestInfo: soap.SyncMessageInfo{MessageID: m.ID, ServiceID: "ALMATY_UNEMPLOYED_CERTIFICATE", MessageDate: time.Now(), Sender: as},
		RequestData: soap.RequestData{Data: data},
	}
	if m.Async {
		p = &soap.AsyncSendMessageRequest{
			MessageInfo: soap.AsyncMessageInfo{MessageID: m.ID, ServiceID: "ALMATY_UNEMPLOYED_CERTIFICATE", MessageType: soap.TypeRequest, MessageDate: time.Now(), Sender: as},
			MessageData: soap.MessageData{Data: data},
		}
	}
	envelope, err := soap.Build(p)
	if err == nil {
		m.raw, err = signature.SignWSSE(envelope, l.keys[from], signature.SignOptions{})
	}
	if i%50 == 0 && !m.Async {
		m.kept = m.raw
	}
	m.again = rng.IntN(3) == 0
	return m, err
}

// front is the address at which the gateway reaches the bridge: nodes in turn,
// as behind a load balancer that knows which of them are up.
func (l *load) front() string {
	if nodes := l.t.fleet.nodes; len(nodes) == 1 && !l.t.o.disturbed() {
		return nodes[0].url("/shep/async")
	}
	if l.proxy != nil {
		return "http://" + l.proxy.Addr + "/shep/async"
	}
	address, err := freeAddress()
	if err != nil {
		address = "127.0.0.1:0"
	}
	pass := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: l.pick(nil).addr})
		},
		Transport:    l.client.Transport,
		ErrorLog:     log.New(io.Discard, "", 0), // answers that break off are what this is about
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	l.proxy = &http.Server{Addr: address, Handler: pass, ReadHeaderTimeout: 10 * time.Second}
	l.t.fleet.wg.Go(func() { l.proxy.ListenAndServe() })
	return "http://" + address + "/shep/async"
}

// pick takes the next node that is up, another than not where there is one.
func (l *load) pick(not *node) *node {
	nodes := l.t.fleet.nodes
	for range 2 * len(nodes) {
		n := nodes[int(l.turn.Add(1))%len(nodes)]
		if n.running() && (n != not || len(nodes) == 1) {
			return n
		}
	}
	return nodes[int(l.turn.Add(1))%len(nodes)]
}

// workers is how many messages are on their way at once.
const workers = 48

// run sends until busy ends, then goes on with what has no answer until life ends.
func (l *load) run(life, busy context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { // signs ahead
		for busy.Err() == nil {
			m, err := l.compose(l.next.Add(1))
			if err != nil {
				l.t.diary.note("a message was not made: %s", err)
				return
			}
			select {
			case l.ready <- m:
			case <-busy.Done():
			}
		}
	})
	wg.Go(func() { l.arrive(busy) })
	for range workers {
		wg.Go(func() {
			for {
				select {
				case <-busy.Done():
					return
				case <-l.due:
				}
				select {
				case <-busy.Done():
					return
				case m := <-l.ready:
					l.send(life, m)
				}
			}
		})
	}
	wg.Go(func() {
		for life.Err() == nil {
			l.settle()
			pause(life, 50*time.Millisecond)
		}
	})
	wg.Wait()
	l.client.CloseIdleConnections()
	if l.proxy != nil {
		l.proxy.Close()
	}
}

// arrive lets messages come at their rate, whether or not those before them
// could be brought.
func (l *load) arrive(ctx context.Context) {
	began, came := time.Now(), 0
	for ; ctx.Err() == nil; pause(ctx, time.Duration(float64(time.Second)/l.t.o.Rate)) {
		for ; came < int(time.Since(began).Seconds()*l.t.o.Rate); came++ {
			select {
			case l.due <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}
}

// backlog is what has come and has no answer.
func (l *load) backlog() int { return len(l.due) + l.open() }

// acknowledged counts what was.
func (l *load) acknowledged() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.ledger {
		if s.Acknowledged {
			n++
		}
	}
	return n
}

// enter puts a message into the ledger.
func (l *load) enter(s *Sent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ledger = append(l.ledger, s)
}

// sent is how many messages went out.
func (l *load) sent() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.ledger)
}

// open is how many have no answer.
func (l *load) open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting + len(l.asyncs)
}
