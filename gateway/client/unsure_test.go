package client

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/sim"
	"kopir/mappings"
)

// TestLostAnswer: the gateway took the message and its answer was lost. The
// second try asks first, and the receiver gets the message once.
func TestLostAnswer(t *testing.T) {
	s := simulate(t)
	ctx := context.Background()
	services, faults := mappings.Builtin()
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	peer := s.peer(t, "bridge", s.Addresses().Async)
	sender := newSender(t, SenderOptions{Outlets: map[gateway.Route]Outlet{gateway.ToPortal: {Channel: newAsync(t, peer)}}, Services: services,
		SignDocument: func(d []byte) ([]byte, error) { return d, nil }})
	portal, _ := s.System("portal")
	d := gateway.Delivery{Route: gateway.ToPortal, Service: "almaty-unemployed-certificate", Partner: "portal", MessageType: "NOTIFICATION",
		MessageID: "7ea6369f-18c5-4633-ad73-19de35883e0b", ServiceID: portal.Services[0], MessageDate: time.Now(), Body: []byte("<notice/>")}
	messages := func() (all []sim.Parcel) {
		t.Helper()
		for _, p := range s.Parcels() {
			if p.OwnID == d.MessageID {
				all = append(all, p)
			}
		}
		return all
	}
	send := func() (gateway.Receipt, *gateway.SendError) {
		t.Helper()
		r, err := sender.Send(ctx, d)
		var se *gateway.SendError
		if err != nil && !errors.As(err, &se) {
			t.Fatal(err)
		}
		return r, se
	}
	trouble := func(x sim.Trouble) {
		t.Helper()
		if err := s.SetTrouble(sim.PartAsync, x); err != nil {
			t.Fatal(err)
		}
	}
	trouble(sim.Trouble{Down: true})
	if _, err := send(); err == nil || !err.Unknown {
		t.Fatalf("nothing is known of it: %v", err)
	}
	if n := len(messages()); n != 0 {
		t.Fatalf("%d messages", n)
	}
	d.Unsure = true
	if _, err := send(); err == nil || !err.Unknown || err.Permanent {
		t.Fatalf("the question was not answered: %v", err)
	}
	// It never arrived: it is sent now, and this time the answer is lost.
	trouble(sim.Trouble{})
	lost := sim.Trouble{LoseAnswer: true}
	d.Unsure = false
	trouble(lost)
	if _, err := send(); err == nil || !err.Unknown {
		t.Fatalf("the answer was not lost: %v", err)
	}
	trouble(sim.Trouble{})
	d.Unsure = true
	r, err := send()
	if err != nil || r.State == "" || len(r.Answer) == 0 {
		t.Fatalf("%+v %v", r, err)
	}
	if all := messages(); len(all) != 1 {
		t.Errorf("%d messages for one notice: %+v", len(all), all)
	}
	// Taken, and answered as if it had failed, or too late: the same.
	for i, ill := range []sim.Trouble{{Failed: true}, {Late: sim.Duration(time.Minute)}} {
		d.MessageID, d.Unsure = fmt.Sprintf("7ea6369f-18c5-4633-ad73-19de35883ea%d", i), false
		trouble(ill)
		hasty, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		if ill.Late == 0 {
			hasty = ctx
		}
		_, err := sender.Send(hasty, d)
		cancel()
		var se *gateway.SendError
		if !errors.As(err, &se) || !se.Unknown || se.Permanent {
			t.Errorf("%+v: %v", ill, err)
		}
		trouble(sim.Trouble{})
		d.Unsure = true
		for end := time.Now().Add(20 * time.Second); len(messages()) == 0 && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		if r, err := send(); err != nil || r.State == "" || len(messages()) != 1 {
			t.Errorf("%+v: %+v %v, %d messages", ill, r, err, len(messages()))
		}
	}
	// A fault to the question says nothing of the message, unless it says that there
	// is none: it is asked about again, and the receiver gets it once.
	for i, code := range []string{"SCE004", "SCE909", "SE_PROCESSOR", "SCE007", "SCE015", "SVC_ERRFORMAT", "NEVER_SEEN"} {
		d.MessageID, d.Unsure = fmt.Sprintf("7ea6369f-18c5-4633-ad73-19de35883ed%d", i), false
		trouble(lost)
		if _, err := send(); err == nil || !err.Unknown {
			t.Fatalf("the answer was not lost: %v", err)
		}
		d.Unsure = true
		trouble(sim.Trouble{Fault: code, Times: 1})
		if _, err := send(); err == nil || !err.Unknown || err.Permanent || err.Code != code || len(messages()) != 1 {
			t.Errorf("%s: %v, %d messages", code, err, len(messages()))
		}
		if r, err := send(); err != nil || r.State == "" || len(messages()) != 1 {
			t.Errorf("%s, asked again: %+v %v, %d messages", code, r, err, len(messages()))
		}
	}
	d.MessageID = "7ea6369f-18c5-4633-ad73-19de35883ec0"
	trouble(sim.Trouble{Fault: "SCE001", Times: 1})
	if r, err := send(); err != nil || r.MessageID == "" || len(messages()) != 1 {
		t.Errorf("one that the gateway does not have: %+v %v", r, err)
	}
	// An answer with an id that belongs to nothing is still an answer.
	d.MessageID, d.Unsure = "7ea6369f-18c5-4633-ad73-19de35883eb0", false
	trouble(sim.Trouble{WrongID: true})
	if r, err := send(); err != nil || len(messages()) != 1 || r.MessageID == "" || r.MessageID == messages()[0].MessageID {
		t.Errorf("%+v %v", r, err)
	}
	trouble(sim.Trouble{})
	// One that the gateway does not know is sent, under the same id.
	d.MessageID = "7ea6369f-18c5-4633-ad73-19de35883e0c"
	if r, err := send(); err != nil || r.MessageID == "" || r.State != "" {
		t.Errorf("%+v %v", r, err)
	}
	if n := len(messages()); n != 1 {
		t.Errorf("%d messages", n)
	}
}
