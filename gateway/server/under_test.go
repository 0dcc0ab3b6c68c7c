package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"kopir/gateway"
)

// TestOtherOptions: a request that is at work ends under the options that it
// met; whoever comes after the others began meets those, at every door.
func TestOtherOptions(t *testing.T) {
	var o Options
	b := setup(t, func(have *Options) {
		have.Proxies = []string{"192.0.2.0/24"} // where httptest's requests come from
		o = *have
	})
	met, goOn := make(chan struct{}), make(chan struct{})
	b.doors.receive = func(context.Context, gateway.Incoming) gateway.Reply {
		close(met)
		<-goOn
		return gateway.Reply{Bytes: []byte("old"), Status: 200}
	}
	b.doors.application = func(string) (*gateway.Application, error) { return someApplication(1), nil }
	soap := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/shep/sync", strings.NewReader("<x/>"))
		r.Header.Set("X-Forwarded-For", "198.51.100.7")
		b.Handler().ServeHTTP(w, r)
		return w
	}
	first := make(chan string, 1)
	go func() { first <- soap().Body.String() }()
	<-met
	if w := b.call("", b.request(Reader, "GET", "/applications/T-1", "")); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}

	var from string
	next, key := o, ""
	next.Keys, next.Proxies, next.Limits.Body = NewKeys(), nil, 8
	key, hash := NewKey()
	if err := next.Keys.Add(hash, Principal{Name: "another", Role: Reader}); err != nil {
		t.Fatal(err)
	}
	next.Doors = &scripted{application: b.doors.application, receive: func(_ context.Context, in gateway.Incoming) gateway.Reply {
		from = in.Remote
		return gateway.Reply{Bytes: []byte("new"), Status: 200}
	}}
	s, err := b.Under(next)
	if err != nil {
		t.Fatal(err)
	}
	if w := b.call("", b.request(Reader, "GET", "/applications/T-1", "")); w.Code != 200 {
		t.Errorf("in force before they begin: %d", w.Code)
	}
	s.Begin()
	if w := b.call("", b.request(Reader, "GET", "/applications/T-1", "")); w.Code != http.StatusUnauthorized {
		t.Errorf("a removed key: %d", w.Code)
	}
	r := b.request(NoRole, "GET", "/applications/T-1", "")
	r.Header.Set("Authorization", "Bearer "+key)
	if w := b.call("", r); w.Code != 200 {
		t.Errorf("a new key: %d %s", w.Code, w.Body)
	}
	if w := soap(); w.Body.String() != "new" || strings.HasPrefix(from, "198.51.100.7") {
		t.Errorf("%q, from %s, whom no proxy vouches for", w.Body, from)
	}
	if w := b.call("", httptest.NewRequest("POST", "/shep/sync", strings.NewReader("<too-large/>"))); w.Code == 200 {
		t.Error("a body over the new limit was taken")
	}
	close(goOn)
	if got := <-first; got != "old" {
		t.Errorf("what was at work ended with %q", got)
	}
	if b.room.left != b.room.size || b.room.size != 16*8 {
		t.Errorf("%d of %d bytes are left", b.room.left, b.room.size)
	}
	bad := next
	bad.Signers, bad.Origin = map[string]PartnerKey{"k": {}}, ""
	if _, err := b.Under(bad); err == nil {
		t.Error("options that lack something were taken")
	}
}
