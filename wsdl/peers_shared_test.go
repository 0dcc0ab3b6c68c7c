//go:build shared

package wsdl_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/gateway/soap"
	"kopir/signature/xmltree"
	"kopir/wsdl"
)

// service is a small member of the gateway: it hands out the contract and
// answers every operation.
type service struct {
	t    *testing.T
	door string
}

func (s service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := "http://" + r.Host + r.URL.Path
	if r.Method == http.MethodGet {
		name, ok := wsdl.Asked(r.URL.RawQuery, s.door)
		src, err := wsdl.Serve(name, at)
		if !ok || err != nil {
			s.t.Errorf("asked for %q: %v", r.URL, err)
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", soap.ContentType)
		w.Write(src)
		return
	}
	src, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
		return
	}
	answer, status := s.answer(src)
	out, err := soap.Build(answer)
	if err != nil {
		s.t.Error(err)
	}
	w.Header().Set("Content-Type", soap.ContentType)
	w.WriteHeader(status)
	w.Write(out)
}

var (
	now     = time.Date(2026, 1, 15, 10, 0, 0, 0, time.FixedZone("", 5*3600))
	session = "{0f0e0d0c-0b0a-4908-8706-050403020100}"
)

func (s service) answer(src []byte) (soap.Payload, int) {
	doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
	if err != nil {
		s.t.Errorf("%v in %s", err, src)
		return &soap.Fault{Code: "Client", String: err.Error()}, http.StatusInternalServerError
	}
	m, err := soap.Read(doc)
	if err != nil {
		s.t.Errorf("%v in %s", err, src)
		return &soap.Fault{Code: "Client", String: err.Error()}, http.StatusInternalServerError
	}
	switch p := m.Payload.(type) {
	case *soap.SyncSendMessageRequest:
		if p.RequestInfo.ServiceID == "FAULT" {
			return soap.NewFault(m.Operation, "Server", "SCE004", "Сервис недоступен", now), http.StatusInternalServerError
		}
		return &soap.SyncSendMessageResponse{
			ResponseInfo: soap.SyncMessageInfoResponse{MessageID: "answer-1", CorrelationID: p.RequestInfo.MessageID, ResponseDate: now,
				Status: soap.StatusInfo{Code: "SCSS001", Message: "Қабылданды"}},
			ResponseData: soap.ResponseData{Data: soap.EscapedData(p.RequestData.Data.Document())},
		}, http.StatusOK
	case *soap.AsyncSendMessageRequest:
		return &soap.AsyncSendMessageResponse{MessageID: "1", CorrelationID: "2", ResponseDate: now}, http.StatusOK
	case *soap.AsyncSendDeliveryNotificationRequest:
		return &soap.AsyncSendDeliveryNotificationResponse{NotificationID: "3", ResponseDate: now, SessionID: session}, http.StatusOK
	case *soap.AsyncGetMessageStatusRequest:
		return soap.NewFault(m.Operation, "Client", "SCE001", "жоқ", now), http.StatusInternalServerError
	case *soap.AsyncGetMessagesRequest:
		return &soap.AsyncGetMessagesResponse{ResponseDate: now, SessionID: session, Messages: []soap.AsyncMessage{{
			MessageInfo: soap.AsyncMessageInfo{ServiceID: p.ServiceID, MessageType: soap.TypeResponse, MessageDate: now, Sender: soap.SenderInfo{SenderID: "TEST"}},
			MessageData: soap.MessageData{Data: soap.EscapedData([]byte("<r/>"))},
		}}}, http.StatusOK
	case *soap.AsyncChangeStatusNotifyRequest:
		return &soap.AsyncChangeStatusNotifyResponse{ResponseDate: now, SessionID: p.SessionID}, http.StatusOK
	default:
		s.t.Errorf("unexpected %T", p)
		return &soap.Fault{Code: "Client", String: "unexpected"}, http.StatusInternalServerError
	}
}

// peer finds a program of the peers, by PATH or in KOPIR_PEERS.
func peer(t *testing.T, name string) string {
	if dir := os.Getenv("KOPIR_PEERS"); dir != "" {
		return filepath.Join(dir, "bin", name)
	}
	at, err := exec.LookPath(name)
	if err != nil {
		t.Skip("no", name, "here")
	}
	return at
}

// TestClients lets SOAP clients of three languages load the contract as it is
// served, send a message and read the answer and a fault.
func TestClients(t *testing.T) {
	for _, name := range []string{"call-zeep", "call-php", "call-node"} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(service{t, wsdl.SyncChannel})
			defer server.Close()
			var got struct {
				OK       bool
				Response any
				Fault    struct {
					Code, String string
					Detail       any
				}
				Error string
			}
			call := func(serviceID string) string {
				t.Helper()
				got.Error, got.Response = "", nil
				// No --endpoint: the address must come out of the contract.
				out, err := exec.Command(peer(t, name), "--wsdl", server.URL+"/shep/sync?wsdl", "--service-id", serviceID, "--message-id", "m-1",
					"--property", "KEY=value", "--data", "<doc>қазақша &amp; русский</doc>").Output()
				if jsonErr := json.Unmarshal(out, &got); jsonErr != nil {
					t.Fatalf("%v, %v: %s", err, jsonErr, out)
				}
				return string(out)
			}
			out := call("TEST")
			for _, want := range []string{"answer-1", "SCSS001", "Қабылданды", "m-1", "қазақша &amp; русский"} {
				if !got.OK || !strings.Contains(out, want) {
					t.Errorf("no %s in the answer as read: %s", want, out)
				}
			}
			out = call("FAULT")
			if got.OK || !strings.Contains(got.Fault.Code, "Server") || got.Fault.String != "Сервис недоступен" || !strings.Contains(out, "SCE004") {
				t.Errorf("fault as read: %s", out)
			}
		})
	}
}

// TestAsyncClient lets zeep call every operation of the asynchronous channel
// and of its call-back end.
func TestAsyncClient(t *testing.T) {
	if err := exec.Command("/usr/bin/python3", "-c", "import zeep").Run(); err != nil {
		t.Skip("no zeep here")
	}
	server := httptest.NewServer(service{t, wsdl.AsyncChannel})
	defer server.Close()
	cmd := exec.Command("/usr/bin/python3", "-", server.URL+"/shep/async")
	cmd.Stdin = strings.NewReader(asyncCalls)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "all called") {
		t.Errorf("%v: %s", err, out)
	}
}

const asyncCalls = `
import sys, datetime, zeep
from zeep import xsd
at = sys.argv[1]
now = datetime.datetime(2026, 1, 15, 10, tzinfo=datetime.timezone(datetime.timedelta(hours=5)))
sender = dict(senderId='S', password='P')
data = dict(data=xsd.AnyObject(xsd.String(), '<a/>'))
message = dict(messageInfo=dict(serviceId='T', messageType='REQUEST', messageDate=now, sender=sender), messageData=data)
status = dict(receiveStatus='MESSAGE_NOT_ACCTEPTED', statusDate=now, resendMessage='RESEND', error=dict(errorCode='E', errorMessage='M', errorDate=now))
c = zeep.Client(at + '?wsdl').service
r = c.sendMessage(request=message); assert (r.messageId, r.correlationId) == ('1', '2'), r
r = c.sendDeliveryNotification(request=dict(notification=dict(messageId='1', serviceId='T', notificationDate=now, deliveryStatus=status), requestDate=now, sender=sender))
assert r.notificationId == '3' and r.sessionId[0] == '{', r
r = c.getMessages(request=dict(serviceId='T', sender=sender, amount=5)); assert len(r.messages) == 1 and r.messages[0].messageInfo.serviceId == 'T', r
try:
    c.getMessageStatus(request=dict(messageId='1', requestDate=now, sender=sender)); assert False
except zeep.exceptions.Fault as e:
    assert 'SCE001' in zeep.wsdl.utils.etree.tostring(e.detail).decode(), e
c = zeep.Client(at + '?wsdl=AsyncChannelClient').service
r = c.sendMessage(request=message); assert r.messageId == '1', r
note = dict(notificationId='1', messageId='1', notificationDate=now, messageState='DELIVERY_STOPPED', status=dict(statusCode='C', statusMessage='M', statusDate=now))
r = c.changeMassageStatusNotification(request=dict(notification=note, requestDate=now, sessionId='{0f0e0d0c-0b0a-4908-8706-050403020100}'))
assert r.sessionId == '{0f0e0d0c-0b0a-4908-8706-050403020100}', r
print('all called')
`
