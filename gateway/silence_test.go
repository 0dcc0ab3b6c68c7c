package gateway_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/signature/nuc"
	"kopir/signature/revocation"
	"kopir/signature/sigtest"
)

// responder is the authority's OCSP address, which can be away.
type responder struct {
	w    *town
	away atomic.Bool
}

func (r *responder) RoundTrip(q *http.Request) (*http.Response, error) {
	if r.away.Load() {
		return nil, errors.New("no route to host")
	}
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	answer, err := r.w.ca.OCSP(body, r.w.clock(), sigtest.OCSPOptions{})
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(bytes.NewReader(answer)), ContentLength: int64(len(answer)), Header: http.Header{}, Request: q}, nil
}

// While the revocation services are away for a day nothing passes of which it is
// not known: what came from a system that was asked about a moment ago is held,
// everything else is put off. When they are back, what is held is judged by
// itself: one is accepted as of the time of its receipt, one was revoked.
func TestRevocationAwayForADay(t *testing.T) {
	w := newTown(t)
	issuing, err := nuc.ParseCertificate(w.ca.Issuing())
	if err != nil {
		t.Fatal(err)
	}
	at := &responder{w: w}
	checker := revocation.NewChecker(revocation.Options{Sources: []revocation.Source{{Issuer: issuing, OCSP: []string{"http://ocsp.test/"}}}, Transport: at, Now: w.clock})
	w.verifier.Revocation = checker
	message := func(id, by string) []byte {
		values := form("portal")
		if by == "revoked" {
			values["applicant_iin"] = sigtest.IIN(80)
		}
		return w.envelope(syncRequest(id, w.document("portal", values, by), w.clock()), "portal")
	}
	gone, err := w.ca.Issue(sigtest.Profile{Kind: sigtest.Person, IIN: sigtest.IIN(80), Surname: "Тестов", GivenName: "Тест", Patronymic: "Тестович"})
	if err != nil {
		t.Fatal(err)
	}
	if w.keys["revoked"], err = gone.Key(); err != nil {
		t.Fatal(err)
	}
	defer delete(w.keys, "revoked")
	w.ca.Revoke(gone, morning.Add(-time.Hour), 1)

	probe := w.document("portal", form("portal"), "neighbour")
	if r := w.send(gateway.SyncDoor, w.envelope(syncRequest("m-0", probe, w.clock()), "portal")); r.Code != gateway.Code("") && r.Code != gateway.ServiceRefused {
		t.Fatalf("while they answer: %s %s", r.Code, r.Bytes)
	}
	at.away.Store(true)
	for _, m := range [][]byte{message("m-1", "citizen"), message("m-2", "revoked")} {
		if r := w.send(gateway.SyncDoor, m); r.Code != "" {
			t.Fatalf("a known system, an unknown person: %s %s", r.Code, r.Bytes)
		}
	}
	states := func() map[gateway.State]int {
		n := map[gateway.State]int{}
		for _, a := range w.all() {
			n[a.State]++
		}
		return n
	}
	if got := states(); got[gateway.Held] != 2 || len(got) != 1 {
		t.Fatalf("%v", got)
	}
	late := message("m-3", "citizen")
	for range 24 * 4 {
		w.pass(15 * time.Minute)
		if _, err := w.bridge.Reask(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r := w.send(gateway.SyncDoor, late); r.Code != gateway.TryLater || r.RetryAfter == 0 {
			t.Fatalf("at %s: %s %s", w.clock(), r.Code, r.Bytes)
		}
	}
	if got := states(); got[gateway.Held] != 2 || len(got) != 1 {
		t.Fatalf("after a day: %v", got)
	}
	silent := checker.Freshness()
	if len(silent) != 1 || silent[0].Silent.IsZero() || w.clock().Sub(silent[0].Silent) < 23*time.Hour || silent[0].Fault == "" {
		t.Errorf("%+v", silent)
	}
	at.away.Store(false)
	w.pass(16 * time.Minute) // the longest pause between two questions
	if _, err := w.bridge.Reask(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := states(); got[gateway.Received] != 1 || got[gateway.Refused] != 1 || len(got) != 2 {
		t.Errorf("when they are back: %v", got)
	}
	for _, a := range w.all() {
		if a.State == gateway.Received && !a.ReceivedAt.Equal(morning) {
			t.Errorf("received at %s, not %s", a.ReceivedAt, morning)
		}
	}
	if r := w.send(gateway.SyncDoor, late); r.Code != "" {
		t.Errorf("what was put off: %s %s", r.Code, r.Bytes)
	}
	if f := checker.Freshness(); len(f) != 1 || !f[0].Silent.IsZero() || f[0].Answered.IsZero() {
		t.Errorf("%+v", f)
	}
}
