package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kopir/gateway/sim"
	"kopir/gateway/soap"
	"kopir/signature"
	"kopir/signature/keystore"
)

// syncMaker makes signed SyncChannel messages of the portal, each with an
// application that a citizen signed.
type syncMaker struct {
	t         testing.TB
	p         *play
	portal    sim.System
	key       *keystore.Key
	documents [][]byte
	service   string
	next      atomic.Int64
}

func newSyncMaker(t testing.TB, p *play) *syncMaker {
	t.Helper()
	m := &syncMaker{t: t, p: p, service: "ALMATY_UNEMPLOYED_CERTIFICATE"}
	m.portal, _ = p.sim.System("portal")
	c, err := p.sim.Credential("portal")
	if err != nil {
		t.Fatal(err)
	}
	if m.key, err = c.Key(); err != nil {
		t.Fatal(err)
	}
	for _, person := range []string{"citizen", "citizen2", "citizen3"} {
		d, err := p.sim.Document("portal", sim.Submission{Person: person})
		if err != nil {
			t.Fatal(err)
		}
		m.documents = append(m.documents, d)
	}
	return m
}

// message is one envelope; change may spoil the request before it is signed.
func (m *syncMaker) message(change func(*soap.SyncSendMessageRequest)) []byte {
	m.t.Helper()
	n := m.next.Add(1)
	r := &soap.SyncSendMessageRequest{
		RequestInfo: soap.SyncMessageInfo{
			MessageID: fmt.Sprintf("%s-%d-%d", m.t.Name(), time.Now().UnixNano(), n), ServiceID: m.service, MessageDate: time.Now(),
			Sender: soap.SenderInfo{SenderID: m.portal.Sender, Password: soap.Secret(m.portal.Password)},
		},
		RequestData: soap.RequestData{Data: soap.EscapedData(m.documents[int(n)%len(m.documents)])},
	}
	if change != nil {
		change(r)
	}
	b, err := soap.Build(r)
	if err == nil {
		b, err = signature.SignWSSE(b, m.key, signature.SignOptions{})
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return b
}

// TestSyncDoorRefusesBadInput holds the running door against messages that are
// wrong in one way each: a typed fault with its code, no echo of secrets, and
// no application afterwards.
func TestSyncDoorRefusesBadInput(t *testing.T) {
	p, end := testPlay(t)
	defer end()
	p.start(t.Context())
	m := newSyncMaker(t, p)
	good := m.message(nil)
	replace := func(old, new string) []byte {
		if !bytes.Contains(good, []byte(old)) {
			t.Fatalf("the message has no %s", old)
		}
		return bytes.Replace(good, []byte(old), []byte(new), 1)
	}
	repeat := m.message(func(r *soap.SyncSendMessageRequest) { r.RequestInfo.MessageID = "once" })
	for _, c := range []struct {
		name string
		raw  []byte
		want string // errorCode of the fault; empty: answered
	}{
		{"nothing", nil, "malformed"},
		{"not XML", []byte("hello"), "malformed"},
		{"HTML", []byte("<html><body>hello</body></html>"), "malformed"},
		{"broken off", good[:len(good)/2], "malformed"},
		{"a doctype", append([]byte("<!DOCTYPE a>"), good...), "malformed"},
		{"NUL", replace("<soap", "\x00<soap"), "malformed"},
		{"Latin-1", append([]byte(`<?xml version="1.0" encoding="ISO-8859-1"?>`), good[bytes.Index(good, []byte("<soap")):]...), "malformed"},
		{"another operation", replace("SendMessage", "sendMessages"), "malformed"},
		{"too large", append(bytes.Repeat([]byte(" "), 33<<20), good...), "too_large"},
		{"unsigned", unsigned(t, m), "signature_missing"},
		{"changed after signing", replace("ALMATY_UNEMPLOYED_CERTIFICATE", "ALMATY_UNEMPLOYED_CERTIFICATF"), "signature_refused"},
		{"unknown service", m.message(func(r *soap.SyncSendMessageRequest) { r.RequestInfo.ServiceID = "NOTHING" }), "unknown_service"},
		{"unknown sender", m.message(func(r *soap.SyncSendMessageRequest) { r.RequestInfo.Sender.SenderID = "NOBODY" }), "unknown_sender"},
		{"no document", m.message(func(r *soap.SyncSendMessageRequest) { r.RequestData.Data = soap.Data{} }), "malformed"},
		{"a document that is none", m.message(func(r *soap.SyncSendMessageRequest) { r.RequestData.Data = soap.EscapedData([]byte("<a><b></a>")) }), "malformed"},
		{"a good one", repeat, ""},
		{"the same again", repeat, ""},
		{"its id with other bytes", m.message(func(r *soap.SyncSendMessageRequest) { r.RequestInfo.MessageID = "once" }), "duplicate_id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, body := post(t, p.bridge+"/shep/sync", c.raw)
			if c.want == "" {
				if status != 200 || strings.Contains(body, "Fault") {
					t.Errorf("%d %s", status, body)
				}
				return
			}
			if status != 500 || !strings.Contains(body, "<errorCode>"+c.want+"</errorCode>") || !strings.Contains(body, "SendMessageFault1_SendMessageFault") {
				t.Errorf("%d, no %s in %.2000s", status, c.want, body)
			}
			for _, secret := range []string{m.portal.Password, "900101300017"} {
				if strings.Contains(body, secret) {
					t.Errorf("the fault shows %s", secret)
				}
			}
		})
	}
	b, err := p.fetch(t.Context(), p.bridge+"/api/v1/applications")
	if err != nil || strings.Count(string(b), `"number":"UC-`) != 1 {
		t.Errorf("one application was good: %v %s", err, b)
	}
	log, err := os.ReadFile(filepath.Join(p.dir, "kopir.log"))
	// The line of a message is the bridge's; what was too large never came there.
	lines := bytes.Count(log, []byte(`"door":"sync"`)) + bytes.Count(log, []byte(`"route":"/shep/sync"`))
	if err != nil || bytes.Contains(log, []byte(m.portal.Password)) || bytes.Contains(log, []byte("900101300017")) || lines != 18 {
		t.Errorf("the log holds a secret, or not one line a message: %v %d", err, lines)
	}
}

func unsigned(t *testing.T, m *syncMaker) []byte {
	t.Helper()
	b, err := soap.Build(&soap.SyncSendMessageRequest{
		RequestInfo: soap.SyncMessageInfo{MessageID: "unsigned", ServiceID: m.service, MessageDate: time.Now(), Sender: soap.SenderInfo{SenderID: m.portal.Sender, Password: soap.Secret(m.portal.Password)}},
		RequestData: soap.RequestData{Data: soap.EscapedData(m.documents[0])},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func post(t testing.TB, address string, raw []byte) (int, string) {
	r, err := http.Post(address, "text/xml; charset=utf-8", bytes.NewReader(raw))
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	return r.StatusCode, string(b)
}

// BenchmarkSyncChannel says how many applications the SyncChannel door durably
// accepts a second from 64 clients over HTTP, both signatures RSA, on SQLite
// with synchronous=FULL: "door" with the deliveries held still, "whole" while
// each application also gets its row, its question to the register and its
// notices to portal and service centre, all signed, in the same process as the
// simulator that receives them. p50 and p99 are of the answer at the client.
func BenchmarkSyncChannel(b *testing.B) {
	for _, whole := range []bool{false, true} {
		name := "door"
		if whole {
			name = "whole"
		}
		b.Run(name, func(b *testing.B) {
			p, err := newPlay(b.Context(), b.TempDir(), "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer p.end()
			address := p.bridge + "/shep/sync"
			if whole {
				p.start(b.Context())
			} else {
				door := &http.Server{Handler: p.node.server.Handler()}
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					b.Fatal(err)
				}
				go door.Serve(l)
				defer door.Close()
				address = "http://" + l.Addr().String() + "/shep/sync"
			}
			m := newSyncMaker(b, p)
			messages := make([][]byte, b.N)
			for i := range messages {
				messages[i] = m.message(nil)
			}
			// The answers about revocation are remembered for five minutes: ask once before.
			if status, body := post(b, address, m.message(nil)); status != 200 {
				b.Fatalf("%d %s", status, body)
			}
			b.ResetTimer()
			took := flood(b, address, messages)
			b.StopTimer()
			slices.SortFunc(took, func(x, y time.Duration) int { return cmp.Compare(x, y) })
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "applications/s")
			b.ReportMetric(float64(took[b.N/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[min(b.N-1, b.N*99/100)].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(len(messages[0])), "bytes/message")
		})
	}
}

// testPlay is a simulator with a bridge that is configured for it and does not
// serve yet; end must be called.
func testPlay(t *testing.T) (p *play, end func()) {
	t.Helper()
	p, err := newPlay(t.Context(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return p, func() {
		if err := p.end(); err != nil {
			t.Error(err)
		}
	}
}
