package revocation_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kopir/signature/revocation"
	"kopir/signature/verdict"
)

// faulty runs into a defect as often as a test says.
type faulty struct{ left atomic.Int64 }

func (f *faulty) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.left.Add(-1) >= 0 {
		panic("an answer that nobody thought of")
	}
	return http.DefaultTransport.RoundTrip(r)
}

// A defect in a question ends nothing but the question: who asked is to try
// later, and the next one is answered.
func TestDefect(t *testing.T) {
	for name, source := range map[string]revocation.Source{"responder": ocsp(), "list": {CRL: []string{"/base.crl"}}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.set(func() { w.base = w.crl(w.now, w.now.Add(180*day)) })
			f := &faulty{}
			f.left.Store(1)
			var stacks []string
			w.use(revocation.Options{Transport: f, Defect: func(_ any, stack []byte) { stacks = append(stacks, string(stack)) }}, source)
			_, c := w.person(1)
			a := w.ask(c)
			if a.Status != revocation.Unknown || a.Reason != verdict.TryLater || strings.Contains(a.Detail, "nobody thought of") {
				t.Errorf("%+v", a)
			}
			if len(stacks) != 1 || !strings.Contains(stacks[0], "defect_test.go") {
				t.Errorf("told: %q", stacks)
			}
			w.advance(time.Second)
			if a := w.ask(c); a.Status != revocation.Good {
				t.Errorf("when it is mended: %+v", a)
			}
		})
	}
}

// The loop that fetches lists reports it and goes on.
func TestDefectInAFetch(t *testing.T) {
	w := newWorld(t)
	f := &faulty{}
	f.left.Store(1)
	w.use(revocation.Options{Transport: f, Refresh: time.Millisecond, Defect: func(any, []byte) {}}, revocation.Source{Issuer: w.issuer, CRL: []string{"/base.crl"}})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	w.set(func() { w.replace = func(http.ResponseWriter, *http.Request) { cancel() } })
	reports := 0
	w.checker.Run(ctx, func(string, error) { reports++ })
	if ctx.Err() != context.Canceled || reports == 0 {
		t.Errorf("asked again: %v; %d reports", ctx.Err(), reports)
	}
}
