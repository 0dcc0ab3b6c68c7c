package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Part is a piece of the simulation that can be made to misbehave.
type Part string

// The parts.
const (
	PartSync     Part = "sync"     // the gateway's SyncChannel door
	PartAsync    Part = "async"    // the gateway's AsyncChannel door
	PartPush     Part = "push"     // messages that the gateway pushes to the bridge
	PartPortal   Part = "portal"   // the portal's call-back
	PartCSC      Part = "csc"      // the service centre's call-back
	PartMobile   Part = "mobile"   // the call-back of the portal's application for phones
	PartRegistry Part = "registry" // the register of natural persons
	PartConsent  Part = "consent"  // the consent service
	PartEntities Part = "entities" // the register of legal entities
	PartNotary   Part = "notary"   // the notaries' registry
	PartOCSP     Part = "ocsp"
	PartCRL      Part = "crl" // full and delta lists
	PartCert     Part = "cert"
	PartTSP      Part = "tsp" // time stamps
)

// Parts lists them all.
func Parts() []Part {
	return []Part{PartSync, PartAsync, PartPush, PartPortal, PartCSC, PartMobile, PartRegistry, PartConsent, PartEntities, PartNotary, PartOCSP, PartCRL, PartCert, PartTSP}
}

// Duration is a time.Duration that JSON writes as "1.5s".
type Duration time.Duration

// MarshalText writes Go's notation.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads it. Negative durations are refused.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a length of time; write for example 300ms or 2s", b)
	}
	*d = Duration(v)
	return nil
}

// Trouble is how a part misbehaves. The zero value is good behaviour.
type Trouble struct {
	Delay      Duration `json:"delay,omitzero"`        // wait before doing anything
	Down       bool     `json:"down,omitempty"`        // close the connection without an answer; push: do not send
	Status     int      `json:"status,omitempty"`      // answer with this HTTP status and a line of text
	Garbage    bool     `json:"garbage,omitempty"`     // answer 200 with bytes that mean nothing
	LoseAnswer bool     `json:"lose_answer,omitempty"` // do the work, then close the connection; push: do not wait for the answer
	Late       Duration `json:"late,omitzero"`         // do the work, and answer only after this time
	Failed     bool     `json:"failed,omitempty"`      // do the work, then answer 500 with a line of text
	WrongID    bool     `json:"wrong_id,omitempty"`    // async: answer with the id of another message
	Fault      string   `json:"fault,omitempty"`       // sync, async, portal, csc, registries: a SOAP fault with this errorCode

	Unsigned    bool `json:"unsigned,omitempty"`     // push, sync, registries: without a WS-Security signature
	Tamper      bool `json:"tamper,omitempty"`       // push, sync, registries: changed after signing
	NoData      bool `json:"no_data,omitempty"`      // registry, entities, notary: knows nothing of anybody
	OtherPerson bool `json:"other_person,omitempty"` // the same: answers about somebody else
	Duplicate   int  `json:"duplicate,omitempty"`    // push: so many copies more, byte for byte
	Reorder     bool `json:"reorder,omitempty"`      // push: kept back until another one has gone

	TryLater    bool     `json:"try_later,omitempty"`    // ocsp: status tryLater
	NoNonce     bool     `json:"no_nonce,omitempty"`     // ocsp: not echoed
	WrongNonce  bool     `json:"wrong_nonce,omitempty"`  // ocsp: another one
	WrongSigner bool     `json:"wrong_signer,omitempty"` // ocsp: signed by somebody who is no responder; sync: by another organisation
	Age         Duration `json:"age,omitzero"`           // ocsp, crl: as old as this; crl: lapsed when over 180 days

	Times int `json:"times,omitempty"` // wears off after so many messages; 0: lasts until it is reset
}

// applies says which fields a part understands; everything else is refused
// when it is set, so that a harness does not wait for trouble that cannot come.
var applies = map[Part][]string{
	PartSync: {"fault", "unsigned", "tamper", "wrong_signer"}, PartAsync: {"fault", "wrong_id"}, PartPortal: {"fault"}, PartCSC: {"fault"},
	PartRegistry: {"fault", "unsigned", "tamper", "no_data", "other_person"},
	PartEntities: {"fault", "unsigned", "tamper", "no_data", "other_person"},
	PartNotary:   {"fault", "unsigned", "tamper", "no_data", "other_person"},
	PartConsent:  {"fault", "unsigned", "tamper"},
	PartPush:     {"unsigned", "tamper", "duplicate", "reorder"},
	PartOCSP:     {"try_later", "no_nonce", "wrong_nonce", "wrong_signer", "age"},
	PartCRL:      {"age"},
	PartMobile:   {},
	PartCert:     {},
	PartTSP:      {},
}

// anyPart are the fields that every part understands; push has no answer to spoil.
var anyPart = []string{"delay", "down", "status", "garbage", "lose_answer", "late", "failed", "times"}

// check refuses trouble that the part cannot make.
func (t Trouble) check(p Part) error {
	own, ok := applies[p]
	if !ok {
		return fmt.Errorf("there is no part %q; the parts are %s", p, joinParts())
	}
	b, err := json.Marshal(t)
	if err != nil {
		return err
	}
	var set map[string]any
	if err := json.Unmarshal(b, &set); err != nil {
		return err
	}
	for key := range set {
		spoilsAnswer := p == PartPush && slices.Contains([]string{"status", "garbage", "late", "failed"}, key)
		if spoilsAnswer || !slices.Contains(anyPart, key) && !slices.Contains(own, key) {
			return fmt.Errorf("%q means nothing for part %q", key, p)
		}
	}
	if t.Times < 0 || t.Duplicate < 0 || t.Duplicate > 100 || t.Status != 0 && (t.Status < 400 || t.Status > 599) {
		return fmt.Errorf("times and duplicate (at most 100) count from 0, status is 400 to 599")
	}
	return nil
}

func joinParts() string {
	var names []string
	for _, p := range Parts() {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}

// troubles is what is set now.
type troubles struct {
	mu  sync.Mutex
	set map[Part]Trouble
}

func (t *troubles) put(p Part, v Trouble) error {
	if err := v.check(p); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if v == (Trouble{}) {
		delete(t.set, p)
	} else {
		t.set[p] = v
	}
	return nil
}

func (t *troubles) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.set = map[Part]Trouble{}
}

func (t *troubles) list() map[Part]Trouble {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := map[Part]Trouble{}
	for p, v := range t.set {
		out[p] = v
	}
	return out
}

// take gives the trouble for one message and counts it.
func (t *troubles) take(p Part) Trouble {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := t.set[p]
	switch {
	case v.Times == 1:
		delete(t.set, p)
	case v.Times > 1:
		left := v
		left.Times--
		t.set[p] = left
	}
	return v
}

type troubleKey struct{}

// troubleOf is the trouble that a handler has to make itself.
func troubleOf(ctx context.Context) Trouble {
	t, _ := ctx.Value(troubleKey{}).(Trouble)
	return t
}

// garbage is what a broken proxy might say.
const garbage = "<html><body><h1>502 Bad Gateway</h1><p>\x00\x01nginx"

// troubled wraps a door: what can be spoilt without knowing the message is
// spoilt here, the rest goes to the handler in the context.
func (s *Sim) troubled(p Part, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		t := s.troubles.take(p)
		if t.Delay > 0 && s.wait(r.Context(), time.Duration(t.Delay)) != nil {
			return
		}
		switch {
		case t.Down:
			panic(http.ErrAbortHandler) // net/http's way to close the connection
		case t.Status != 0:
			http.Error(w, http.StatusText(t.Status), t.Status)
			return
		case t.Garbage:
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, garbage)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), troubleKey{}, t))
		switch {
		case t.LoseAnswer:
			h(discard{http.Header{}}, r)
			panic(http.ErrAbortHandler)
		case t.Failed:
			h(discard{http.Header{}}, r)
			http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		case t.Late > 0:
			h(&late{ResponseWriter: w, pause: func() { s.wait(r.Context(), time.Duration(t.Late)) }}, r)
		default:
			h(w, r)
		}
	}
}

// late pauses before the first byte of an answer.
type late struct {
	http.ResponseWriter
	once  sync.Once
	pause func()
}

func (l *late) WriteHeader(status int) {
	l.once.Do(l.pause)
	l.ResponseWriter.WriteHeader(status)
}

func (l *late) Write(b []byte) (int, error) {
	l.once.Do(l.pause)
	return l.ResponseWriter.Write(b)
}

// discard takes an answer that nobody will see.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// sleep waits for a while or until the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
