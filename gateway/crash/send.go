package crash

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"regexp"
	"time"

	"kopir/gateway/soap"
)

var applicationNumber = regexp.MustCompile(`UC-\d{4}-\d{6,}`)

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
		l.t.fleet.accepted(n, began)
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
