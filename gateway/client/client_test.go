package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/soap"
	"kopir/mappings"
	"kopir/signature/xmltree"
)

var (
	zone = time.FixedZone("", 5*3600)
	now  = time.Date(2026, 1, 15, 10, 0, 0, 0, zone)
)

const session = "{0f0e0d0c-0b0a-4908-8706-050403020100}"

// end is a peer's end: it reads the request and answers as told.
type end struct {
	*httptest.Server
	requests atomic.Int64
	opened   atomic.Int64 // connections
	last     http.Header
}

// newEnd starts an end that answers with status and what reply makes of the
// request; a nil payload sends text instead.
func newEnd(t *testing.T, reply func(m *soap.Message) (status int, p soap.Payload, text string)) *end {
	t.Helper()
	e := &end{}
	e.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.requests.Add(1)
		e.last = r.Header.Clone()
		src, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
		if err != nil {
			t.Error(err)
			return
		}
		m, err := soap.Read(doc)
		if err != nil {
			t.Error(err)
			return
		}
		status, p, text := reply(m)
		out := []byte(text)
		if p != nil {
			if out, err = soap.Build(p); err != nil {
				t.Error(err)
			}
		}
		w.Header().Set("Content-Type", soap.ContentType)
		w.WriteHeader(status)
		w.Write(out)
	}))
	e.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			e.opened.Add(1)
		}
	}
	e.Start()
	t.Cleanup(e.Close)
	return e
}

func unsigned(address string) Peer {
	return Peer{Name: "test", Address: address, SenderID: "AKIMAT", Password: "secret", Answers: IfPresent, Now: func() time.Time { return now }}
}

func newAsync(t *testing.T, p Peer) *Async {
	t.Helper()
	a, err := NewAsync(p)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newSync(t *testing.T, p Peer) *Sync {
	t.Helper()
	s, err := NewSync(p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var (
	asyncInfo = soap.AsyncMessageInfo{MessageID: "m-1", CorrelationID: "77", ServiceID: "TEST", MessageType: soap.TypeNotification, MessageDate: now}
	syncInfo  = soap.SyncMessageInfo{MessageID: "m-1", ServiceID: "TEST", MessageDate: now}
	document  = soap.EscapedData([]byte("<notice/>"))
)

func TestOperations(t *testing.T) {
	var got soap.Payload
	e := newEnd(t, func(m *soap.Message) (int, soap.Payload, string) {
		got = m.Payload
		switch m.Operation {
		case soap.SyncSendMessage:
			return 200, &soap.SyncSendMessageResponse{ResponseInfo: soap.SyncMessageInfoResponse{MessageID: "a-1", ResponseDate: now, Status: soap.StatusInfo{Code: "SCSS001"}}}, ""
		case soap.AsyncSendMessage:
			return 200, &soap.AsyncSendMessageResponse{MessageID: "216386080", CorrelationID: "3226347", ResponseDate: now}, ""
		case soap.AsyncSendDeliveryNotification:
			return 200, &soap.AsyncSendDeliveryNotificationResponse{NotificationID: "n-1", ResponseDate: now, SessionID: session}, ""
		case soap.AsyncGetMessageStatus:
			return 200, &soap.AsyncGetMessageStatusResponse{MessageState: soap.Delivered, ResponseDate: now,
				Status: soap.MessageStatusInfo{StatusCode: "C", StatusMessage: "M", StatusDate: now}}, ""
		case soap.AsyncGetMessages:
			return 200, &soap.AsyncGetMessagesResponse{ResponseDate: now, SessionID: session}, ""
		default:
			return 200, &soap.AsyncChangeStatusNotifyResponse{ResponseDate: now, SessionID: session}, ""
		}
	})
	ctx := context.Background()
	s, a := newSync(t, unsigned(e.URL)), newAsync(t, unsigned(e.URL))

	r1, answer, err := s.SendMessage(ctx, syncInfo, document)
	if err != nil || r1.ResponseInfo.Status.Code != "SCSS001" {
		t.Fatalf("%+v, %v", r1, err)
	}
	if p := got.(*soap.SyncSendMessageRequest).RequestInfo; p.Sender.SenderID != "AKIMAT" || p.Sender.Password != "secret" {
		t.Errorf("sender %q %q", p.Sender.SenderID, string(p.Sender.Password))
	}
	if len(answer.Sent) == 0 || len(answer.Raw) == 0 {
		t.Error("no evidence")
	}
	if v := e.last["Soapaction"]; len(v) != 1 || v[0] != `""` || e.last.Get("Content-Type") != "text/xml; charset=utf-8" {
		t.Errorf("headers %v", e.last)
	}
	r2, answer2, err := a.SendMessage(ctx, asyncInfo, document)
	if err != nil || r2.MessageID != "216386080" || r2.CorrelationID != "3226347" {
		t.Fatalf("%+v, %v", r2, err)
	}
	if _, again, err := a.SendMessage(ctx, asyncInfo, document); err != nil || !bytes.Equal(again.Sent, answer2.Sent) {
		t.Errorf("the second try is another message (%v)", err)
	}
	r3, _, err := a.Status(ctx, "216386080")
	if err != nil || r3.MessageState != soap.Delivered || got.(*soap.AsyncGetMessageStatusRequest).MessageID != "216386080" {
		t.Fatalf("%+v, %v", r3, err)
	}
	if _, _, err := a.Messages(ctx, Query{ServiceID: "TEST", CorrelationID: "77", Amount: 5}); err != nil {
		t.Fatal(err)
	}
	if p := got.(*soap.AsyncGetMessagesRequest); p.ServiceID != "TEST" || p.CorrelationID != "77" || p.Amount != 5 || p.Sender.SenderID != "AKIMAT" {
		t.Errorf("asked %+v", p)
	}
	if _, _, err := a.Confirm(ctx, "1", "TEST", nil, false); err != nil {
		t.Fatal(err)
	}
	if d := got.(*soap.AsyncSendDeliveryNotificationRequest).Notification.DeliveryStatus; d.ReceiveStatus != soap.MessageAccepted || d.ResendMessage != soap.NotResend || d.Error != nil {
		t.Errorf("confirmed %+v", d)
	}
	if _, _, err := a.Confirm(ctx, "1", "TEST", &soap.ErrorInfo{ErrorCode: "E", ErrorMessage: "M"}, true); err != nil {
		t.Fatal(err)
	}
	if d := got.(*soap.AsyncSendDeliveryNotificationRequest).Notification.DeliveryStatus; d.ReceiveStatus != soap.MessageNotAccepted || d.ResendMessage != soap.Resend ||
		d.Error.ErrorCode != "E" || !d.Error.ErrorDate.Equal(now) {
		t.Errorf("refused %+v", d)
	}
	n := soap.ChangeStatusNotification{NotificationID: "1", MessageID: "m", NotificationDate: now, MessageState: soap.NotDelivered,
		Status: soap.MessageStatusInfo{StatusCode: "C", StatusMessage: "M", StatusDate: now}}
	if r, _, err := a.ChangeStatus(ctx, n, session); err != nil || r.SessionID != session {
		t.Fatalf("%+v, %v", r, err)
	}
	if e.opened.Load() > 2 { // one for each client's transport
		t.Errorf("%d connections for %d requests", e.opened.Load(), e.requests.Load())
	}
}

// TestFailures lists what can go wrong and what is then known of the message.
func TestFailures(t *testing.T) {
	fault := func(faultCode, errorCode string) soap.Payload {
		return soap.NewFault(soap.AsyncSendMessage, faultCode, errorCode, "text", now)
	}
	other := &soap.SyncSendMessageResponse{ResponseInfo: soap.SyncMessageInfoResponse{MessageID: "a", ResponseDate: now}}
	for name, c := range map[string]struct {
		status    int
		payload   soap.Payload
		text      string
		outcome   Outcome
		temporary bool
		code      string
	}{
		"fault, bad format":         {500, fault("Server", "SCE001"), "", Refused, false, "SCE001"},
		"fault, signature wrong":    {500, fault("Server", "SCE006"), "", Refused, false, "SCE006"},
		"fault, service down":       {500, fault("Client", "SCE004"), "", Refused, true, "SCE004"},
		"fault, client":             {500, fault("Client.Authentication", "X1"), "", Refused, false, "X1"},
		"fault, server":             {500, fault("Server", "X2"), "", Refused, true, "X2"},
		"fault, own code":           {200, fault("SCE909", "SCE909"), "", Refused, true, "SCE909"},
		"fault, nothing known":      {200, fault("ODD", "ODD"), "", Refused, true, "ODD"},
		"fault without detail":      {500, &soap.Fault{Code: "Client", String: "no"}, "", Refused, false, "Client"},
		"error page":                {502, nil, "<html><body>Bad Gateway</body></html>", Unknown, true, ""},
		"plain text":                {500, nil, "java.lang.NullPointerException", Unknown, true, ""},
		"too large for the server":  {413, nil, "", Unknown, false, ""},
		"wrong address":             {404, nil, "not found", Unknown, true, ""},
		"empty answer":              {200, nil, "", Unknown, true, ""},
		"no XML":                    {200, nil, "OK", Unknown, true, ""},
		"answer of another kind":    {200, other, "", Unknown, true, ""},
		"good answer, error status": {500, &soap.AsyncSendMessageResponse{MessageID: "1", CorrelationID: "2", ResponseDate: now}, "", Unknown, true, ""},
		"redirect":                  {307, nil, "", Unknown, true, ""},
		"larger than the limit":     {200, nil, strings.Repeat("x", 5000), Unknown, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnd(t, func(*soap.Message) (int, soap.Payload, string) { return c.status, c.payload, c.text })
			p := unsigned(e.URL)
			p.MaxAnswer = 4096
			r, answer, err := newAsync(t, p).SendMessage(context.Background(), asyncInfo, document)
			failed := wantFailure(t, err, c.outcome, c.temporary)
			if failed.Code != c.code || failed.Status != c.status {
				t.Errorf("code %q status %d", failed.Code, failed.Status)
			}
			if r != nil || len(answer.Sent) == 0 {
				t.Error("a response beside an error, or no evidence of what was sent")
			}
			var f *soap.Fault
			if errors.As(err, &f) != (c.outcome == Refused) {
				t.Errorf("fault in the chain: %v", f)
			}
			if e.requests.Load() != 1 {
				t.Errorf("%d requests", e.requests.Load())
			}
		})
	}
}

// TestSOAPRetryAfter: how long a SOAP peer wants to be left alone reaches the
// outbox, whatever stands in its answer, and also where it was asked about a message.
func TestSOAPRetryAfter(t *testing.T) {
	services, faults := mappings.Builtin()
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	fault := func(faultCode, code string) string {
		b, err := soap.Build(soap.NewFault(soap.AsyncSendMessage, faultCode, code, "text", now))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	var status int
	var after, text string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Retry-After", after)
		w.WriteHeader(status)
		io.WriteString(w, text)
	}))
	defer srv.Close()
	sender := newSender(t, SenderOptions{Outlets: map[gateway.Route]Outlet{gateway.ToPortal: {Channel: newAsync(t, unsigned(srv.URL))}}, Services: services,
		SignDocument: func(d []byte) ([]byte, error) { return d, nil }})
	for _, c := range []struct {
		status      int
		after, text string
		pause       time.Duration
		cause       gateway.Cause
	}{
		{503, "120", "<html>busy</html>", 2 * time.Minute, gateway.CauseBusy},
		{429, "7", "", 7 * time.Second, gateway.CauseBusy},
		{503, now.Add(time.Hour).UTC().Format(http.TimeFormat), "", time.Hour, gateway.CauseBusy},
		{500, "60", fault("Server", "try_later"), time.Minute, gateway.CauseBusy},
		{500, "60", fault("Client", "SCE001"), 0, gateway.CauseRefused},
		{503, "soon", "", 0, gateway.CauseUnavailable},
		{404, "60", "", 0, gateway.CauseRefused},
	} {
		status, after, text = c.status, c.after, c.text
		d := gateway.Delivery{Route: gateway.ToPortal, Service: "almaty-unemployed-certificate", Partner: "portal", MessageType: "NOTIFICATION",
			MessageID: "m-1", ServiceID: "TEST", MessageDate: now, Body: []byte("<notice/>")}
		for _, d.Unsure = range []bool{false, true} {
			var se *gateway.SendError
			if _, err := sender.Send(t.Context(), d); !errors.As(err, &se) || se.RetryAfter != c.pause || se.Cause != c.cause {
				t.Errorf("%d %q, unsure %v: %+v", c.status, c.after, d.Unsure, se)
			}
		}
		var se *gateway.SendError
		_, _, err := newSync(t, unsigned(srv.URL)).SendMessage(t.Context(), syncInfo, document)
		if !errors.As(sendError(err), &se) || se.RetryAfter != c.pause {
			t.Errorf("%d %q, a registry: %+v", c.status, c.after, se)
		}
	}
}

func wantFailure(t *testing.T, err error, outcome Outcome, temporary bool) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v", err)
	}
	if e.Outcome != outcome || e.Temporary != temporary {
		t.Errorf("%s, temporary %v; want %s, %v: %v", e.Outcome, e.Temporary, outcome, temporary, err)
	}
	if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "http://") {
		t.Errorf("the error tells too much: %v", err)
	}
	return e
}

func TestRedirectIsNotFollowed(t *testing.T) {
	target := newEnd(t, func(*soap.Message) (int, soap.Payload, string) { return 200, nil, "" })
	from := httptest.NewServer(http.RedirectHandler(target.URL, http.StatusTemporaryRedirect))
	defer from.Close()
	p := unsigned(from.URL)
	p.HTTP = NewHTTP(nil, nil)
	_, _, err := newAsync(t, p).SendMessage(context.Background(), asyncInfo, document)
	wantFailure(t, err, Unknown, true)
	if target.requests.Load() != 0 {
		t.Error("the message went to where the redirect pointed")
	}
	if p.HTTP.CheckRedirect != nil {
		t.Error("the caller's HTTP client was changed")
	}
}

// TestNetwork tells a message that never left from one that may have arrived.
func TestNetwork(t *testing.T) {
	t.Run("nobody listens", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := "http://user:secret@" + l.Addr().String()
		l.Close()
		_, _, err = newAsync(t, unsigned(address)).SendMessage(context.Background(), asyncInfo, document)
		wantFailure(t, err, NotSent, true)
	})
	t.Run("no answer in time", func(t *testing.T) {
		release := make(chan struct{})
		e := newEnd(t, func(*soap.Message) (int, soap.Payload, string) { <-release; return 200, nil, "" })
		defer close(release)
		p := unsigned(e.URL)
		p.Timeout = 50 * time.Millisecond
		_, _, err := newAsync(t, p).SendMessage(context.Background(), asyncInfo, document)
		wantFailure(t, err, Unknown, true)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
	t.Run("connection cut", func(t *testing.T) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, "<half")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}))
		defer s.Close()
		_, _, err := newAsync(t, unsigned(s.URL)).SendMessage(context.Background(), asyncInfo, document)
		wantFailure(t, err, Unknown, true)
	})
	t.Run("cannot be built", func(t *testing.T) {
		info := asyncInfo
		info.MessageType = "NOTICE"
		_, answer, err := newAsync(t, unsigned("http://127.0.0.1:1/")).SendMessage(context.Background(), info, document)
		wantFailure(t, err, NotSent, false)
		var se *soap.Error
		if !errors.As(err, &se) || answer.Sent != nil {
			t.Errorf("%v", err)
		}
	})
	t.Run("may not", func(t *testing.T) {
		e := newEnd(t, func(*soap.Message) (int, soap.Payload, string) {
			t.Error("it was sent all the same")
			return 200, nil, ""
		})
		p := unsigned(e.URL)
		p.May = func() error { return errors.New("others do it now") }
		_, _, err := newAsync(t, p).SendMessage(context.Background(), asyncInfo, document)
		wantFailure(t, err, NotSent, true)
	})
	t.Run("cannot be signed", func(t *testing.T) {
		p := unsigned("http://127.0.0.1:1/")
		p.Sign = func([]byte) ([]byte, error) { return nil, errors.New("the token is not in its slot") }
		_, _, err := newAsync(t, p).SendMessage(context.Background(), asyncInfo, document)
		wantFailure(t, err, NotSent, true)
	})
}

func TestPeerIsChecked(t *testing.T) {
	for name, spoil := range map[string]func(*Peer){
		"no address":        func(p *Peer) { p.Address = "" },
		"path for address":  func(p *Peer) { p.Address = "/bip-async/" },
		"no sender":         func(p *Peer) { p.SenderID = "" },
		"nothing to judge":  func(p *Peer) { p.Answers = Always },
		"negative time-out": func(p *Peer) { p.Timeout = -1 },
	} {
		p := unsigned("https://gateway.example.kz/bip-async/")
		spoil(&p)
		if _, err := NewAsync(p); err == nil {
			t.Errorf("%s: taken", name)
		}
		if _, err := NewSync(p); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
