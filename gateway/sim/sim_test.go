package sim

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"kopir/gateway/soap"
	"kopir/signature"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// stage is a simulation behind a real HTTP server.
type stage struct {
	*Sim
	t   *testing.T
	url string
}

func newStage(t *testing.T, change func(*Config)) *stage {
	t.Helper()
	var sim *Sim
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { sim.Handler().ServeHTTP(w, r) }))
	c := Config{
		BaseURL: server.URL,
		// Nothing waits: a retry comes at once, and there are three.
		Wait:  func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		Retry: func(try int) (time.Duration, bool) { return 0, try < 3 },
	}
	if change != nil {
		change(&c)
	}
	var err error
	if sim, err = New(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close(); server.Close() })
	return &stage{sim, t, server.URL}
}

// withEveryKeys runs a test for every word of Config.Keys.
func withEveryKeys(t *testing.T, try func(t *testing.T, with func(*Config))) {
	for _, keys := range []Keys{KeysRSA, KeysGOST, KeysMixed} {
		t.Run(string(keys), func(t *testing.T) { try(t, func(c *Config) { c.Keys = keys }) })
	}
}

// ask uses the control interface.
func (s *stage) ask(method, path, body string, status int, into any) string {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.StatusCode != status {
		s.t.Fatalf("%s %s: HTTP %d, want %d\n%s", method, path, resp.StatusCode, status, out)
	}
	if into != nil {
		if err := json.Unmarshal(out, into); err != nil {
			s.t.Fatalf("%s %s: %v\n%s", method, path, err, out)
		}
	}
	return string(out)
}

// bridge is the least that a bridge must do: take pushes, and tell.
type bridge struct {
	s      *stage
	server *httptest.Server

	mu     sync.Mutex
	pushes []*soap.AsyncSendMessageRequest
	raw    [][]byte // of the pushes
	states []soap.ChangeStatusNotification
	refuse bool // answer every push with a Client fault
	fail   int  // answer so many pushes with HTTP 500 and text
	seen   chan struct{}
}

func newBridge(t *testing.T, s *stage) *bridge {
	b := &bridge{s: s, seen: make(chan struct{}, 1000)}
	b.server = httptest.NewServer(b)
	t.Cleanup(b.server.Close)
	s.SetBridge(Bridge{AsyncURL: b.server.URL, SyncURL: b.server.URL, Notify: true})
	return b
}

func (b *bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	got, bad := b.s.receive(r.Context(), raw)
	b.mu.Lock()
	defer func() { b.mu.Unlock(); b.seen <- struct{}{} }()
	me := b.s.members["bridge"]
	switch {
	case b.fail > 0:
		b.fail--
		http.Error(w, "down", http.StatusInternalServerError)
		return
	case b.refuse:
		b.s.fault(w, me, soap.AsyncSendMessage, refuse(codeFormat, "refused on purpose"))
		return
	case bad != nil:
		b.s.fault(w, me, soap.AsyncSendMessage, bad)
		return
	}
	switch p := got.message.Payload.(type) {
	case *soap.AsyncSendMessageRequest:
		b.pushes, b.raw = append(b.pushes, p), append(b.raw, raw)
		b.s.answer(w, r, me, &soap.AsyncSendMessageResponse{MessageID: "m", CorrelationID: p.MessageInfo.CorrelationID, ResponseDate: time.Now()})
	case *soap.AsyncChangeStatusNotifyRequest:
		b.states = append(b.states, p.Notification)
		b.s.answer(w, r, me, &soap.AsyncChangeStatusNotifyResponse{ResponseDate: time.Now(), SessionID: p.SessionID})
	case *soap.SyncSendMessageRequest:
		b.s.answer(w, r, me, &soap.SyncSendMessageResponse{ResponseInfo: soap.SyncMessageInfoResponse{MessageID: "m", ResponseDate: time.Now(), Status: soap.StatusInfo{Code: codeProcessed, Message: "ok"}},
			ResponseData: soap.ResponseData{Data: soap.EscapedData([]byte(`<responseMessage><SystemInfo><RequestNumber>UC-9</RequestNumber></SystemInfo><ResponseData><CurrentStatus>ACCEPTED</CurrentStatus></ResponseData></responseMessage>`))}})
	}
}

// await waits until n messages have reached the bridge.
func (b *bridge) await(n int) {
	b.s.t.Helper()
	for range n {
		select {
		case <-b.seen:
		case <-time.After(20 * time.Second):
			b.s.t.Fatal("nothing reached the bridge")
		}
	}
}

// call sends a payload as the bridge to one of the gateway's doors.
func (b *bridge) call(path string, p soap.Payload) (*received, error) {
	envelope, err := seal(p, b.s.members["bridge"].signing())
	if err != nil {
		b.s.t.Fatal(err)
	}
	return b.s.post(context.Background(), b.s.url+path, envelope)
}

func (b *bridge) sender() soap.SenderInfo {
	return soap.SenderInfo{SenderID: "MIO", Password: "Qwerty12"}
}

// tell sends a status as the portal's form has it.
func (b *bridge) tell(kind soap.MessageType, correlation, service, code, extra string) error {
	doc := fmt.Sprintf(`<?xml version="1.0"?><responseMessage xmlns:n="urn:n"><n:SystemInfo><n:RequestNumber>UC-%s</n:RequestNumber></n:SystemInfo><n:ResponseData><n:CurrentStatus>%s</n:CurrentStatus><n:CurrentStatusTextRu>текст</n:CurrentStatusTextRu>%s</n:ResponseData></responseMessage>`, correlation, code, extra)
	_, err := b.call(AsyncPath, &soap.AsyncSendMessageRequest{
		MessageInfo: soap.AsyncMessageInfo{MessageID: "own", CorrelationID: correlation, ServiceID: service, MessageType: kind, MessageDate: time.Now(), Sender: b.sender()},
		MessageData: soap.MessageData{Data: soap.EscapedData([]byte(doc))},
	})
	return err
}

const service = "ALMATY_UNEMPLOYED_CERTIFICATE"

func TestApplicationAndAnswers(t *testing.T) { withEveryKeys(t, tryApplicationAndAnswers) }

func tryApplicationAndAnswers(t *testing.T, with func(*Config)) {
	s := newStage(t, with)
	b := newBridge(t, s)
	var c Case
	s.ask("POST", "/sim/applications", `{"person":"citizen","tweaks":{"attachment_kb":3}}`, http.StatusCreated, &c)
	b.await(1)
	push := b.pushes[0].MessageInfo
	if push.MessageID != c.MessageID || push.CorrelationID != c.CorrelationID || push.ServiceID != service || push.MessageType != soap.TypeRequest {
		t.Errorf("pushed %+v for %+v", push, c)
	}
	if push.Sender.SenderID != "PEP" || string(push.Sender.Password) != s.PushPassword("PEP") || len(push.Sender.Password) != 64 {
		t.Errorf("the password was not replaced: %q", string(push.Sender.Password))
	}
	if !strings.HasPrefix(push.SessionID, "{") {
		t.Errorf("session %q", push.SessionID)
	}
	document := b.pushes[0].MessageData.Data.Document()
	person, _ := s.Person("citizen")
	v := s.judgeAs(t, document, signature.Want{IIN: person.IIN})
	if v.Outcome != verdict.Passed {
		t.Errorf("the citizen's signature: %s %s", v.Outcome, v.Reason)
	}

	// What the bridge tells arrives in the cabinet, with its result.
	result, err := s.SignAs("official", "", []byte(`<certificate><n>1</n></certificate>`))
	if err != nil {
		t.Fatal(err)
	}
	act := `<n:Act><n:FileName>r.xml</n:FileName><n:FileType>application/xml</n:FileType><n:FileContent>` + base64.StdEncoding.EncodeToString(result) + `</n:FileContent></n:Act>`
	for _, m := range []struct {
		kind        soap.MessageType
		code, extra string
	}{{soap.TypeNotification, "ACCEPTED", ""}, {soap.TypeNotification, "ACCEPTED", ""}, {soap.TypeResponse, "COMPLETED", act}} {
		if err := b.tell(m.kind, c.CorrelationID, service, m.code, m.extra); err != nil {
			t.Fatal(err)
		}
	}
	var list []Case
	s.ask("GET", "/sim/portal/applications?status=COMPLETED&notices=3&delivery=DELIVERED&wait=20s&number="+c.Number, "", http.StatusOK, &list)
	if len(list) != 1 {
		t.Fatalf("the cabinet has %d such applications", len(list))
	}
	got := list[0]
	if got.BridgeNumber != "UC-"+c.CorrelationID || got.Person != "citizen" || got.Result == nil || !bytes.Equal(got.Result.Content, result) || got.Result.Verdict.Outcome != verdict.Passed {
		t.Errorf("%+v", got)
	}
	if got.Notices[0].Repeat || !got.Notices[1].Repeat || got.Notices[0].TextRU != "текст" || got.Notices[0].Transport.Outcome != verdict.Passed {
		t.Errorf("%+v", got.Notices)
	}
	if text := s.ask("GET", "/sim/portal/applications/"+c.Number+"/result", "", http.StatusOK, nil); text != string(result) {
		t.Errorf("result %s", text)
	}
	b.await(3) // and the gateway told the bridge of each delivery
	for _, n := range b.states {
		if n.MessageState != soap.Delivered {
			t.Errorf("%+v", n)
		}
	}
}

// judgeAs judges an inner document as the bridge would.
func (s *stage) judgeAs(t *testing.T, document []byte, want signature.Want) *signature.Verdict {
	t.Helper()
	doc, err := xmltree.Parse(document, xmltree.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want.At = s.now()
	return s.verifier.XMLDSig(context.Background(), doc, want)
}

// tellCentre sends the service centre the status of an application that it did not send.
func (b *bridge) tellCentre(number int) {
	b.s.t.Helper()
	doc := fmt.Sprintf(`<response><requestNumber>UC-%d</requestNumber><status><code>1</code><messageRu>поступившие</messageRu></status></response>`, number)
	if _, err := b.call(AsyncPath, &soap.AsyncSendMessageRequest{
		MessageInfo: soap.AsyncMessageInfo{ServiceID: "CSC_STATUS", MessageType: soap.TypeNotification, MessageDate: time.Now(), Sender: b.sender()},
		MessageData: soap.MessageData{Data: soap.EscapedData([]byte(doc))},
	}); err != nil {
		b.s.t.Fatal(err)
	}
}

func TestServiceCentreNumbersWhatItLearns(t *testing.T) {
	s := newStage(t, nil)
	b := newBridge(t, s)
	for range 2 {
		b.tellCentre(7)
	}
	var list []Case
	s.ask("GET", "/sim/csc/applications?bridge_number=UC-7&notices=2&wait=20s", "", http.StatusOK, &list)
	if len(list) != 1 || !strings.HasPrefix(list[0].Number, "CON-") || list[0].Status != "1" {
		t.Errorf("%+v", list)
	}
}

// TestUnread: what the service centre would be told ends at the gateway as
// delivered, and the bridge learns of that.
func TestUnread(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Unread = true })
	b := newBridge(t, s)
	b.tellCentre(7)
	b.await(1)
	if told := b.states[0].MessageState; told != soap.Delivered {
		t.Errorf("the bridge was told %s", told)
	}
	if all := s.Parcels(); len(all) != 1 || all[0].State != string(soap.Delivered) || all[0].Tries != 0 {
		t.Errorf("%+v", all)
	}
	if list, _ := s.csc.list(nil); len(list) != 0 {
		t.Errorf("it reached the service centre: %+v", list)
	}
}

func TestTweakedApplications(t *testing.T) { withEveryKeys(t, tryTweakedApplications) }

func tryTweakedApplications(t *testing.T, with func(*Config)) {
	s := newStage(t, with)
	b := newBridge(t, s)
	person, _ := s.Person("citizen")
	for tweak, reason := range map[string]verdict.Reason{
		`{}`:                              verdict.None,
		`{"form":"cdata"}`:                verdict.None,
		`{"form":"untyped"}`:              verdict.None,
		`{"cosigned_by":"citizen"}`:       verdict.None,
		`{"tampered":true}`:               verdict.HashFailure,
		`{"unsigned":true}`:               verdict.NoSignature,
		`{"certificate":"expired"}`:       verdict.Expired,
		`{"certificate":"not_yet_valid"}`: verdict.NotYetValid,
		`{"certificate":"revoked"}`:       verdict.Revoked,
		`{"certificate":"hold"}`:          verdict.Revoked,
		`{"certificate":"auth"}`:          verdict.KeyUsage,
		`{"certificate":"stranger"}`:      verdict.NoCertificateChain,
	} {
		s.ask("POST", "/sim/applications", `{"person":"citizen","tweaks":`+tweak+`}`, http.StatusCreated, nil)
		b.await(1)
		document := b.pushes[len(b.pushes)-1].MessageData.Data.Document()
		if v := s.judgeAs(t, document, signature.Want{IIN: person.IIN}); v.Reason != reason {
			t.Errorf("%s: %s %s, want %q", tweak, v.Outcome, v.Reason, reason)
		}
	}
	s.ask("POST", "/sim/applications", `{"person":"citizen","tweaks":{"iin":"850505400028","drop":["applicant/surname"],"set":{"applicant/odd":"1"},"form":"nested"}}`, http.StatusCreated, nil)
	b.await(1)
	data := b.pushes[len(b.pushes)-1].MessageData.Data
	text := string(documentOf(data))
	if data.Form != soap.Nested || !strings.Contains(text, "<iin>850505400028</iin>") || strings.Contains(text, "<surname>") || !strings.Contains(text, "<odd>1</odd>") {
		t.Errorf("%s: %s", data.Form, text)
	}
	for _, wrong := range []string{`{"person":"noone"}`, `{"person":"citizen","channel":"post"}`, `{"person":"citizen","tweaks":{"certificate":"lost"}}`, `{"person":"citizen","service":"none"}`, `{"person":"citizen","tweaks":{"form":"pdf"}}`} {
		s.ask("POST", "/sim/applications", wrong, http.StatusUnprocessableEntity, nil)
	}
	s.ask("POST", "/sim/applications", `{"persn":"citizen"}`, http.StatusBadRequest, nil)
}

func TestOperatorSignsAtTheServiceCentre(t *testing.T) {
	withEveryKeys(t, tryOperatorSignsAtTheServiceCentre)
}

func tryOperatorSignsAtTheServiceCentre(t *testing.T, with func(*Config)) {
	s := newStage(t, with)
	b := newBridge(t, s)
	s.ask("POST", "/sim/applications", `{"channel":"csc","person":"citizen2"}`, http.StatusCreated, nil)
	b.await(1)
	operator, _ := s.Person("operator")
	document := b.pushes[0].MessageData.Data.Document()
	if v := s.judgeAs(t, document, signature.Want{IIN: operator.IIN}); v.Outcome != verdict.Passed {
		t.Errorf("%s %s", v.Outcome, v.Reason)
	}
	if !strings.Contains(string(document), "<iin>"+operator.IIN+"</iin>") || b.pushes[0].MessageInfo.Sender.SenderID != "CON" {
		t.Errorf("%s", document)
	}
	text := s.ask("POST", "/sim/documents", `{"person":"citizen3"}`, http.StatusOK, nil)
	specialist, _ := s.Person("specialist")
	if v := s.judgeAs(t, []byte(text), signature.Want{IIN: specialist.IIN}); v.Outcome != verdict.Passed {
		t.Errorf("office: %s %s", v.Outcome, v.Reason)
	}
}

func TestRegistryAnswersThroughTheGateway(t *testing.T) {
	withEveryKeys(t, tryRegistryAnswersThroughTheGateway)
}

func tryRegistryAnswersThroughTheGateway(t *testing.T, with func(*Config)) {
	s := newStage(t, with)
	b := newBridge(t, s)
	ask := func(iin string) *received {
		t.Helper()
		got, err := b.call(SyncPath, &soap.SyncSendMessageRequest{
			RequestInfo: soap.SyncMessageInfo{MessageID: "q1", ServiceID: "GBDFL_UniversalServiceSync", MessageDate: time.Now(), Sender: b.sender()},
			RequestData: soap.RequestData{Data: soap.NestedData([]byte("<messageId>q1</messageId><messageDate>2026-01-01</messageDate><senderCode>MIO</senderCode><iin>" + iin + "</iin>"))},
		})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for key, code := range map[string]string{"citizen": registryFound, "nobody": registryNoData, "unreadable": registryError} {
		person, _ := s.Person(key)
		answer := ask(person.IIN).message.Payload.(*soap.SyncSendMessageResponse)
		data := answer.ResponseData.Data.Node
		if got, _ := textAt(data, "messageResult/code"); got != code || answer.ResponseInfo.Status.Code != codeProcessed {
			t.Errorf("%s: %s", key, got)
		}
		if name, ok := textAt(data, "persons/person/surname"); ok != (key == "citizen") || ok && name != person.Surname {
			t.Errorf("%s: %q %v", key, name, ok)
		}
		// The register's own signature, over data as a document of its own.
		signed := append(append([]byte("<data>"), documentOf(answer.ResponseData.Data)...), "</data>"...)
		if v := s.judgeAs(t, signed, signature.Want{}); v.Outcome != verdict.Passed {
			t.Errorf("%s: inner signature %s %s", key, v.Outcome, v.Reason)
		}
	}
	_, err := b.call(SyncPath, &soap.SyncSendMessageRequest{
		RequestInfo: soap.SyncMessageInfo{MessageID: "q1", ServiceID: "NOBODYS", MessageDate: time.Now(), Sender: b.sender()},
		RequestData: soap.RequestData{Data: soap.NestedData([]byte("<a/>"))},
	})
	if f := faultOf(t, err); f.Info.ErrorCode != codeNoService {
		t.Error(f)
	}
	// And the other way: a member asks the bridge.
	envelope, _ := seal(&soap.SyncSendMessageRequest{
		RequestInfo: soap.SyncMessageInfo{MessageID: "q2", ServiceID: service, MessageDate: time.Now(), Sender: soap.SenderInfo{SenderID: "PEP", Password: "Qwerty12"}},
		RequestData: soap.RequestData{Data: soap.NestedData([]byte("<a/>"))},
	}, s.members["portal"].signing())
	if got, err := s.post(context.Background(), s.url+SyncPath, envelope); err != nil || got.message.Payload.(*soap.SyncSendMessageResponse).ResponseInfo.SessionID == "" {
		t.Error(err)
	}
}

func faultOf(t *testing.T, err error) *soap.Fault {
	t.Helper()
	var f *soap.Fault
	if !errors.As(err, &f) || f.Info == nil {
		t.Fatalf("no typed fault: %v", err)
	}
	return f
}

func TestApplicationThroughTheSyncChannel(t *testing.T) {
	withEveryKeys(t, tryApplicationThroughTheSyncChannel)
}

func tryApplicationThroughTheSyncChannel(t *testing.T, with func(*Config)) {
	s := newStage(t, with)
	b := newBridge(t, s)
	var c Case
	s.ask("POST", "/sim/applications", `{"person":"citizen","via":"sync"}`, http.StatusCreated, &c)
	if c.BridgeNumber != "UC-9" || c.Status != "ACCEPTED" || c.Delivery != string(soap.Delivered) || len(c.Notices) != 1 || c.Notices[0].Type != "ANSWER" {
		t.Errorf("%+v", c)
	}
	// A later notice in a conversation of its own finds the application.
	if _, err := b.call(AsyncPath, &soap.AsyncSendMessageRequest{
		MessageInfo: soap.AsyncMessageInfo{ServiceID: "PEP_STATUS", MessageType: soap.TypeNotification, MessageDate: time.Now(), Sender: b.sender()},
		MessageData: soap.MessageData{Data: soap.EscapedData([]byte(`<r><SystemInfo><RequestNumber>UC-9</RequestNumber></SystemInfo><ResponseData><CurrentStatus>IN_PROCESSING</CurrentStatus></ResponseData></r>`))},
	}); err != nil {
		t.Fatal(err)
	}
	var list []Case
	s.ask("GET", "/sim/portal/applications?status=IN_PROCESSING&wait=20s", "", http.StatusOK, &list)
	if len(list) != 1 || list[0].Number != c.Number || len(list[0].Notices) != 2 {
		t.Errorf("%+v", list)
	}
	b.mu.Lock()
	b.refuse = true
	b.mu.Unlock()
	if text := s.ask("POST", "/sim/applications", `{"person":"citizen","via":"sync"}`, http.StatusUnprocessableEntity, nil); !strings.Contains(text, "refused on purpose") {
		t.Error(text)
	}
	s.ask("POST", "/sim/applications", `{"person":"citizen","via":"post"}`, http.StatusUnprocessableEntity, nil)
	s.ask("GET", "/sim/portal/applications", "", http.StatusOK, &list)
	if len(list) != 1 {
		t.Error("an application that was not taken is kept")
	}
}
