package crash

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
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
	proxy   *http.Server // in front of all nodes
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

var applicationNumber = regexp.MustCompile(`UC-\d{4}-\d{6,}`)

func newLoad(t *trial) (*load, error) {
	l := &load{t: t, docs: map[string][][]byte{}, keys: map[string]*keystore.Key{}, systems: map[string]sim.System{}, ready: make(chan *message, 256), due: make(chan struct{}, 1<<24), begun: make(chan struct{}), asyncs: map[string]*Sent{},
		client: &http.Client{Timeout: 8 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute}}}
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
	l.proxy.Close()
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

// send brings one message to its acknowledgement.
func (l *load) send(ctx context.Context, m *message) {
	if m.Async {
		l.hand(ctx, m)
		return
	}
	l.enter(m.Sent)
	l.mu.Lock()
	l.waiting++
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.waiting--
		l.mu.Unlock()
	}()
	var n *node
	for wait := 20 * time.Millisecond; ctx.Err() == nil && !m.done(); wait = min(2*wait, time.Second) {
		n = l.pick(n)
		if l.try(ctx, m, n) {
			break
		}
		pause(ctx, wait)
	}
	if m.again {
		l.try(ctx, m, l.pick(n))
	}
	if m.kept != nil {
		l.mu.Lock()
		l.old = append(l.old, m)
		l.mu.Unlock()
	}
	m.raw = nil
}

func (s *Sent) done() bool { return s.Acknowledged || s.Fault != "" }

// try sends the bytes once; true: there was an answer that settles it.
func (l *load) try(ctx context.Context, m *message, n *node) bool {
	began := time.Now()
	raw := m.raw
	if raw == nil {
		raw = m.kept
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url("/shep/sync"), bytes.NewReader(raw))
	if err != nil {
		return false
	}
	r.Header.Set("Content-Type", soap.ContentType)
	l.mu.Lock()
	m.Tries++
	l.mu.Unlock()
	resp, err := l.client.Do(r)
	if err != nil {
		return false
	}
	answer, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case resp.StatusCode == http.StatusOK && bytes.Contains(answer, []byte("SendMessageResponse")):
		l.t.fleet.accepted(n)
		sum := sha256.Sum256(answer)
		if m.Acknowledged {
			m.Repeats++
			if sum != m.Answer {
				m.Changed++
				l.t.diary.write("%s: %s answers otherwise than before", m.ID, n.name)
			}
			return true
		}
		m.Acknowledged, m.Answer, m.Number = true, sum, string(applicationNumber.Find(answer))
		if m.Tries == 1 {
			l.times = append(l.times, time.Since(began))
		}
		return true
	case bytes.Contains(answer, []byte(":Client<")) || bytes.Contains(answer, []byte(">Client<")):
		if !m.Acknowledged {
			m.Fault = fault(answer)
		} else {
			m.Changed++
		}
		l.t.diary.write("%s: %s refuses: %s", m.ID, n.name, fault(answer))
		return true
	}
	return false
}

var errorCode = regexp.MustCompile(`errorCode>([^<]*)<`)

func fault(answer []byte) string {
	if found := errorCode.FindSubmatch(answer); found != nil {
		return string(found[1])
	}
	return "fault"
}

// probe sends to a node that fell until it accepts.
func (l *load) probe(ctx context.Context, n *node) {
	select {
	case <-l.begun:
	case <-ctx.Done():
	}
	for n.isDown() && ctx.Err() == nil {
		m, err := l.compose(l.next.Add(1))
		if err != nil {
			return
		}
		if m.Async {
			continue
		}
		l.enter(m.Sent)
		l.mu.Lock()
		l.waiting++
		l.mu.Unlock()
		for ctx.Err() == nil && !m.done() {
			at := n
			if !n.isDown() {
				at = l.pick(nil)
			}
			if !l.try(ctx, m, at) {
				pause(ctx, 20*time.Millisecond)
			}
		}
		if !m.Acknowledged {
			pause(ctx, 500*time.Millisecond) // it was refused, which is found later
		}
		l.mu.Lock()
		l.waiting--
		l.mu.Unlock()
		m.raw = nil
	}
}

// hand gives an asynchronous message to the gateway, once: what it took, it
// carries; what it did not take was never sent.
func (l *load) hand(ctx context.Context, m *message) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.t.sim.Addresses().Async, bytes.NewReader(m.raw))
	if err != nil {
		return
	}
	r.Header.Set("Content-Type", soap.ContentType)
	if resp, err := l.client.Do(r); err == nil {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	m.raw = nil
	h, ok := l.t.seen.handed(m.ID)
	if !ok {
		return
	}
	m.Key, m.Tries = h.parcel, 1
	l.enter(m.Sent)
	l.mu.Lock()
	l.asyncs[m.ID] = m.Sent
	l.mu.Unlock()
}

// settle notes what became of asynchronous messages.
func (l *load) settle() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, s := range l.asyncs {
		h, _ := l.t.seen.handed(id)
		switch {
		case h.state == "DELIVERED":
			s.Acknowledged = true
		case h.fault != "":
			s.Fault = h.fault
			l.t.diary.write("%s: not delivered: %s", id, h.fault)
		default:
			continue
		}
		delete(l.asyncs, id)
	}
}

// repeatOld sends old messages again, the same bytes: they must be answered as
// they were.
func (l *load) repeatOld(ctx context.Context) {
	for i, m := range l.old {
		if i == 500 {
			break
		}
		for range 100 {
			if l.try(ctx, m, l.pick(nil)) {
				break
			}
			pause(ctx, 100*time.Millisecond)
		}
	}
}
