package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/client"
	"kopir/gateway/sim"
	"kopir/gateway/soap"
	"kopir/signature"
)

// TestPollingBridge runs a bridge without a call-back address against the
// simulator: what the gateway has for it is fetched, kept, confirmed; a
// confirmation that is lost makes no second application; what is no
// application is refused.
func TestPollingBridge(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var s *sim.Sim
	var lost atomic.Int64
	var calls sync.Map // span that a traceparent named, by call
	stub := &traceStub{}
	collector := httptest.NewServer(stub)
	defer collector.Close()
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		for _, call := range []string{"getMessages", "sendDeliveryNotification"} {
			if bytes.Contains(body, []byte(call)) {
				parent := append(strings.Split(r.Header.Get("Traceparent"), "-"), "", "")[2]
				calls.Store(call+" "+parent, parent)
			}
		}
		if bytes.Contains(body, []byte("sendDeliveryNotification")) && lost.Add(1) == 1 {
			panic(http.ErrAbortHandler) // the gateway never hears of it
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.Handler().ServeHTTP(w, r)
	}))
	defer outside.Close()
	s, err := sim.New(sim.Config{BaseURL: outside.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &play{dir: t.TempDir(), bridge: "http://" + listener.Addr().String(), simulator: outside.URL, sim: s, client: &http.Client{Timeout: time.Minute}}
	if err := p.writeSite(ctx); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(p.dir, "kopir.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const service = "ALMATY_UNEMPLOYED_CERTIFICATE"
	polled := strings.Replace(string(text), "\nregistries:", "\n  poll: [{service_id: "+service+", every: 100ms}]\nregistries:", 1)
	polled += "\ntraces: {otlp: \"" + collector.URL + "/v1/traces\"}\n"
	if err := os.WriteFile(file, []byte(polled), 0o600); err != nil {
		t.Fatal(err)
	}
	l, faults := loadConfig(file)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	m, faults := l.open(time.Now())
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	log, err := newLog(l, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNode(ctx, l, m, log)
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- n.run(running, listener) }()
	defer func() {
		stop()
		if err := cleanEnd(<-ended); err != nil {
			t.Error(err)
		}
		if err := n.close(); err != nil {
			t.Error(err)
		}
	}()

	apply := func(order string) string {
		t.Helper()
		var sent inbox
		if err := p.post(ctx, p.simulator+"/sim/applications", "application/json", []byte(order), &sent); err != nil {
			t.Fatal(err)
		}
		return sent.Number
	}
	told := func(number, code string) {
		t.Helper()
		if err := until(ctx, func() error {
			got, err := p.portalCase(ctx, number, "1s")
			if err != nil {
				return err
			}
			for _, n := range got.Notices {
				if n.Code == code && got.Delivery == "DELIVERED" {
					return nil
				}
			}
			return fmt.Errorf("%s: %d notices, %s", number, len(got.Notices), got.Delivery)
		}); err != nil {
			t.Error(err)
		}
	}
	told(apply(`{"person":"citizen"}`), "ACCEPTED")
	told(apply(`{"person":"citizen2","tweaks":{"tampered":true}}`), "REJECTED")
	told(apply(`{"person":"citizen3","tweaks":{"form":"nested"}}`), "ACCEPTED")
	if lost.Load() < 4 {
		t.Errorf("%d confirmations, and the first was lost", lost.Load())
	}
	page, err := n.bridge.Applications(ctx, gateway.Filter{}, "", 10)
	if err != nil || len(page.Applications) != 2 {
		t.Errorf("%d applications, %v", len(page.Applications), err)
	}

	// What is fetched has a trace like what is pushed, which leads to that of the
	// question; the gateway is told the span of each call.
	if err := until(ctx, func() error {
		if err := n.traces.ForceFlush(ctx); err != nil {
			return err
		}
		stub.mu.Lock()
		defer stub.mu.Unlock()
		names, received, named := map[string]string{}, map[string]int{}, map[string]int{}
		for _, s := range stub.spans {
			names[hex.EncodeToString(s.SpanId)] = s.Name
		}
		for _, s := range stub.spans {
			if s.Name == "receive" && textOf(s, "kopir.door") == string(gateway.FetchDoor) && textOf(s, "kopir.outcome") == "accepted" && len(s.ParentSpanId) == 0 && len(s.Links) == 1 {
				received[names[hex.EncodeToString(s.Links[0].SpanId)]]++
			}
		}
		calls.Range(func(call, span any) bool {
			what, _, _ := strings.Cut(call.(string), " ")
			named[what+" in "+names[span.(string)]]++
			return true
		})
		if _, dumb := calls.Load("getMessages "); dumb || received["fetch"] != 2 || named["getMessages in fetch question"] == 0 || named["sendDeliveryNotification in confirmation"] < 3 {
			return fmt.Errorf("received %v, calls %v", received, named)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}

	// An UPDATE of something that the bridge never sent is none of its business.
	portal, _ := s.System("portal")
	gate, _ := s.System("gateway")
	c, err := s.Credential("portal")
	if err != nil {
		t.Fatal(err)
	}
	key, err := c.Key()
	if err != nil {
		t.Fatal(err)
	}
	verifier := &signature.Verifier{Trust: m.trust, Revocation: n.revocation}
	as, err := client.NewAsync(client.Peer{Name: "gateway", Address: s.Addresses().Async, SenderID: portal.Sender, Password: soap.Secret(portal.Password),
		Sign: func(b []byte) ([]byte, error) { return signature.SignWSSE(b, key, signature.SignOptions{}) }, Judge: verifier, BINs: []string{gate.BIN}})
	if err != nil {
		t.Fatal(err)
	}
	sent, _, err := as.SendMessage(ctx, soap.AsyncMessageInfo{ServiceID: service, MessageType: soap.TypeUpdate, MessageDate: time.Now()}, soap.EscapedData([]byte("<update/>")))
	if err != nil {
		t.Fatal(err)
	}
	if err := until(ctx, func() error {
		var all []sim.Parcel
		b, err := p.fetch(ctx, p.simulator+"/sim/messages")
		if err == nil {
			err = json.Unmarshal(b, &all)
		}
		if err != nil {
			return err
		}
		for _, one := range all {
			if one.MessageID == sent.MessageID && one.State == string(soap.DeliveryStopped) {
				return nil
			}
		}
		return fmt.Errorf("%s is not refused", sent.MessageID)
	}); err != nil {
		t.Error(err)
	}
}
