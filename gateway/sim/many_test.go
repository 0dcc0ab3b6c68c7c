package sim

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"kopir/gateway/soap"
)

// TestManyAtOnce lets people apply in parallel at both desks while the bridge
// answers each push with two notices at once, so that notices overtake the
// gateway's own answer to the desk. Nothing may get lost, doubled or mixed up.
func TestManyAtOnce(t *testing.T) {
	s := newStage(t, nil)
	b := &bridge{s: s, seen: make(chan struct{}, 1000)}
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, bad := readAll(w, r)
		if bad != nil {
			t.Error(bad)
			return
		}
		got, bad := s.receive(r.Context(), raw)
		if bad != nil {
			t.Error(bad)
			return
		}
		info := got.message.Payload.(*soap.AsyncSendMessageRequest).MessageInfo
		for _, m := range []struct {
			kind soap.MessageType
			code string
		}{{soap.TypeNotification, "ACCEPTED"}, {soap.TypeResponse, "COMPLETED"}} {
			if err := b.tell(m.kind, info.CorrelationID, service, m.code, "<n:DueDate>"+info.MessageID+"</n:DueDate>"); err != nil {
				t.Error(err)
			}
		}
		s.answer(w, r, s.members["bridge"], &soap.AsyncSendMessageResponse{MessageID: info.MessageID, CorrelationID: info.CorrelationID, ResponseDate: time.Now()})
	}))
	t.Cleanup(b.server.Close)
	s.SetBridge(Bridge{AsyncURL: b.server.URL})
	const workers, each = 6, 6
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for range each {
				sub := Submission{Person: "citizen"}
				sub.Tweaks.Set = map[string]string{"purpose": fmt.Sprint(w)}
				if _, err := s.Submit(context.Background(), "portal", sub); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	complete := 0
	for {
		// await answers at the first that fits, so ask until all do.
		list, change := s.portal.list(func(c *Case) bool { return len(c.Notices) == 2 && c.Delivery == string(soap.Delivered) })
		if complete = len(list); complete == workers*each {
			for _, c := range list {
				if c.Status != "COMPLETED" || c.Notices[0].Code != "ACCEPTED" || c.Notices[0].Repeat || c.Person != "citizen" {
					t.Errorf("%+v", c)
				}
			}
			break
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%d of %d applications were told everything", complete, workers*each)
		case <-change:
		}
	}
	if all, _ := s.portal.list(nil); len(all) != workers*each {
		t.Errorf("%d applications in the cabinet, %d were sent", len(all), workers*each)
	}
	for _, p := range s.Parcels() {
		// The last ones may still be reading the receiver's answer.
		if p.State != string(soap.Delivered) && p.State != string(soap.OnDelivery) || p.Tries > 1 {
			t.Errorf("%+v", p)
		}
	}
}
