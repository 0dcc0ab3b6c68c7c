package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/httpsig"
	"kopir/gateway/sim"
	"kopir/mappings"
	"kopir/signature/keystore"
	"kopir/signature/nuc"
)

// bridgeKey is the key of the bridge in the simulator's cast.
func (s *simulated) bridgeKey(t *testing.T) *keystore.Key {
	t.Helper()
	issued, err := s.Credential("bridge")
	if err != nil {
		t.Fatal(err)
	}
	c, err := nuc.ParseCertificate(issued.DER)
	if err != nil {
		t.Fatal(err)
	}
	key, err := keystore.NewKey(c, issued.Signer)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

const restService = "almaty-unemployed-certificate"

// restSender is a sender to one partner that takes JSON at an address.
func restSender(t *testing.T, key *keystore.Key, address string) (*Sender, *mappings.Service) {
	t.Helper()
	services, faults := mappings.Builtin()
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	to := &REST{Name: "PEP", Address: address, Sign: func() (httpsig.Signer, error) { return httpsig.SignerOf(key) }}
	if err := to.Check(); err != nil {
		t.Fatal(err)
	}
	service, _ := services.Service(restService)
	return newSender(t, SenderOptions{Services: services, REST: map[string]*REST{"PEP": to}, Outlets: map[gateway.Route]Outlet{gateway.ToPortal: {REST: to}},
		SignDocument: func(d []byte) ([]byte, error) { return d, nil }}), service
}

func restDelivery(t *testing.T, service *mappings.Service, id, state string) gateway.Delivery {
	t.Helper()
	n := &mappings.Notice{Number: "2026-1", Correlation: "talk-1", IIN: "900101300017", State: state, At: time.Now()}
	if state == mappings.Completed {
		n.Result = &mappings.ResultFile{ID: "certificate", Name: "result.xml", Type: "application/xml", Content: []byte("<result/>")}
	}
	doc, err := service.Notice("portal", n)
	if err != nil {
		t.Fatal(err)
	}
	return gateway.Delivery{Route: gateway.ToPortal, Receiver: "PEP", Service: service.ID, Partner: "portal", MessageType: "NOTIFICATION",
		MessageID: id, CorrelationID: "talk-1", MessageDate: time.Now(), Body: doc}
}

// TestRESTToSimulator: the simulated portal verifies each call-back and takes
// a repeated one once.
func TestRESTToSimulator(t *testing.T) {
	s := simulate(t)
	base := strings.TrimSuffix(s.Addresses().Async, sim.AsyncPath)
	sender, service := restSender(t, s.bridgeKey(t), base+"/portal/rest")
	ctx := context.Background()
	for i, state := range []string{mappings.Received, mappings.Completed} {
		d := restDelivery(t, service, []string{"m-1", "m-2"}[i], state)
		for range 2 { // the second is told that it is there already
			r, err := sender.Send(ctx, d)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(r.Sent), `keyid="`) || !strings.Contains(string(r.Sent), `"message_id":"`+d.MessageID+`"`) {
				t.Errorf("the evidence lacks what was sent: %s", r.Sent)
			}
		}
	}
	cases := portalCases(t, base)
	if len(cases) != 1 || len(cases[0].Notices) != 2 || cases[0].BridgeNumber != "2026-1" || cases[0].Result == nil || string(cases[0].Result.Content) != "<result/>" {
		t.Fatalf("%+v", cases)
	}
	if n := cases[0].Notices[0]; n.TextRU == "" || n.TextKK == "" || n.Code == "" || n.Repeat {
		t.Errorf("%+v", n)
	}
	// A partner that does not know the key refuses for good.
	stranger, err := nuc.ParseCertificate(mustCredential(t, s, "portal"))
	if err != nil {
		t.Fatal(err)
	}
	issued, _ := s.Credential("portal")
	key, err := keystore.NewKey(stranger, issued.Signer)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := restSender(t, key, base+"/portal/rest")
	_, err = other.Send(ctx, restDelivery(t, service, "m-3", mappings.Received))
	var se *gateway.SendError
	if !errors.As(err, &se) || !se.Permanent || se.Code != "401" {
		t.Errorf("%v", err)
	}
}

func mustCredential(t *testing.T, s *simulated, key string) []byte {
	t.Helper()
	c, err := s.Credential(key)
	if err != nil {
		t.Fatal(err)
	}
	return c.DER
}

func portalCases(t *testing.T, base string) []sim.Case {
	t.Helper()
	resp, err := http.Get(base + "/sim/portal/applications")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out []sim.Case
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return out
}

// TestRESTAnswers is the table of what each answer means.
func TestRESTAnswers(t *testing.T) {
	s := simulate(t)
	var mu sync.Mutex // a try that was broken off may still be at work
	var status int
	var after string
	var asked []*http.Request
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r)
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	defer srv.Close()
	sender, service := restSender(t, s.bridgeKey(t), srv.URL+"/notices")
	d := restDelivery(t, service, "m-1", mappings.Received)
	for _, c := range []struct {
		status             int
		after              string
		done, dead, unsure bool
		pause              time.Duration
	}{
		{status: 200, done: true}, {status: 202, done: true}, {status: 204, done: true}, {status: 409, done: true},
		{status: 400, dead: true}, {status: 401, dead: true}, {status: 403, dead: true}, {status: 404, dead: true}, {status: 422, dead: true},
		{status: 301, dead: true}, {status: 307, dead: true}, {status: 304, dead: true},
		{status: 429, after: "120", pause: 2 * time.Minute}, {status: 503, after: "7", pause: 7 * time.Second},
		{status: 500}, {status: 502, after: "soon"}, {status: 503, after: "-5"}, {status: 408}, {status: 425},
		{status: 0, unsure: true},
	} {
		mu.Lock()
		status, after, asked = c.status, c.after, nil
		mu.Unlock()
		_, err := sender.Send(t.Context(), d)
		var se *gateway.SendError
		if err != nil && !errors.As(err, &se) {
			t.Fatal(err)
		}
		switch {
		case c.done != (err == nil):
			t.Errorf("%d: %v", c.status, err)
		case err != nil && (se.Permanent != c.dead || se.Unknown != c.unsure || se.RetryAfter != c.pause):
			t.Errorf("%d: %+v", c.status, se)
		}
		mu.Lock()
		got := slices.Clone(asked)
		mu.Unlock()
		for _, r := range got {
			if r.URL.Path != "/notices" {
				t.Errorf("%d: a redirect was followed to %s", c.status, r.URL.Path)
			}
			if r.Header.Get("Idempotency-Key") != "m-1" {
				t.Errorf("%d: key %q", c.status, r.Header.Get("Idempotency-Key"))
			}
		}
		if err != nil && strings.Contains(err.Error(), "900101300017") {
			t.Errorf("the error quotes the message: %v", err)
		}
	}
	srv.Close()
	var se *gateway.SendError
	if _, err := sender.Send(t.Context(), d); !errors.As(err, &se) || se.Permanent || se.Unknown {
		t.Errorf("nobody there: %v", err)
	}
	now := time.Date(2026, 11, 25, 6, 0, 0, 0, time.UTC)
	if got := retryAfter(now.Add(time.Minute).Format(http.TimeFormat), now); got != time.Minute {
		t.Errorf("a date: %s", got)
	}
	if got := retryAfter(now.Add(-time.Minute).Format(http.TimeFormat), now); got != 0 {
		t.Errorf("a date that has passed: %s", got)
	}
}

func TestRESTCheck(t *testing.T) {
	sign := func() (httpsig.Signer, error) { return httpsig.Signer{}, nil }
	for _, bad := range []REST{{Address: "ftp://a", Sign: sign}, {Address: "/relative", Sign: sign}, {Address: "https://a.example"}, {Address: "http://[", Sign: sign}} {
		if bad.Check() == nil {
			t.Errorf("%+v is taken", bad.Address)
		}
	}
}
