package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"kopir/gateway/soap"
)

// dispatch starts the delivery of a parcel to a member that has a call-back
// address; for the others it waits to be fetched. Messages of one conversation
// to one member go one after another, conversations do not wait for each
// other. The caller holds the exchange's mu.
func (s *Sim) dispatch(to *member, one *parcel) {
	if to.unread {
		one.settle(soap.Delivered, "DELIVERED", "nobody reads it", s.now())
		s.witness.Settled(one.shown())
		s.tellSender(one)
		return
	}
	to.mu.Lock()
	address, busy := to.async, to.pushing[one.correlation]
	if address != "" && !busy {
		to.pushing[one.correlation] = true
	}
	to.mu.Unlock()
	if address != "" && !busy {
		s.spawn(func() { s.drain(to, one.correlation) })
	}
}

// drain pushes what waits in a conversation for a member, oldest first.
func (s *Sim) drain(to *member, correlation string) {
	for {
		one := s.waiting(to, correlation)
		if one == nil {
			return
		}
		s.deliver(to, one)
		if s.ctx.Err() != nil {
			return
		}
	}
}

// waiting gives the oldest undelivered parcel of a conversation; when there is
// none the conversation's chain ends.
func (s *Sim) waiting(to *member, correlation string) *parcel {
	e := &s.gateway
	e.mu.Lock()
	defer e.mu.Unlock()
	to.mu.Lock()
	defer to.mu.Unlock()
	if talk := e.conversations[correlation]; to.async != "" && talk != nil {
		for _, one := range talk.parcels {
			if one.to == to.key && one.state == soap.OnDelivery {
				return one
			}
		}
	}
	delete(to.pushing, correlation)
	return nil
}

// deliver pushes one parcel until it is taken or given up: the same bytes each
// time, as a receiver takes other bytes under the same id for another message.
func (s *Sim) deliver(to *member, one *parcel) {
	sealed := sync.OnceValues(func() ([]byte, error) {
		return seal(s.pushed(one), s.members["gateway"].signing())
	})
	for try := 1; ; try++ {
		fault, err := s.push(to, one, sealed)
		at := s.now()
		e := &s.gateway
		e.mu.Lock()
		one.tries++
		switch {
		case err == nil:
			one.settle(soap.Delivered, "DELIVERED", "taken by the receiver", at)
		case fault != nil && permanent(fault):
			one.settle(soap.NotDelivered, faultCode(fault), fault.String, at)
		default:
			one.code, one.text, one.changed = "RETRY", err.Error(), at
		}
		done := one.state != soap.OnDelivery
		if done {
			s.witness.Settled(one.shown())
			s.tellSender(one)
		}
		e.mu.Unlock()
		if done {
			return
		}
		s.log.Info("push failed", zap.String("to", to.key), zap.String("message", one.id), zap.Int("try", try), zap.Error(err))
		pause, again := s.retry(try)
		if !again || s.wait(s.ctx, pause) != nil {
			if s.ctx.Err() != nil {
				return
			}
			e.mu.Lock()
			one.settle(soap.NotDelivered, "NOT_DELIVERED", fmt.Sprintf("given up after %d tries", try), s.now())
			s.witness.Settled(one.shown())
			s.tellSender(one)
			e.mu.Unlock()
			return
		}
	}
}

// permanent: the receiver understood and refused.
func permanent(f *soap.Fault) bool { return f.Code == "Client" }

func faultCode(f *soap.Fault) string {
	if f.Info != nil && f.Info.ErrorCode != "" {
		return f.Info.ErrorCode
	}
	return f.Code
}

// pushed is what the gateway says of a parcel to its receiver.
func (s *Sim) pushed(one *parcel) *soap.AsyncSendMessageRequest {
	return &soap.AsyncSendMessageRequest{MessageInfo: s.info(one), MessageData: soap.MessageData{Data: one.data}}
}

// push sends a parcel once, with the trouble that is ordered for pushes to the
// bridge.
func (s *Sim) push(to *member, one *parcel, sealed func() ([]byte, error)) (*soap.Fault, error) {
	var t Trouble
	if to.key == "bridge" {
		t = s.troubles.take(PartPush)
	}
	if t.Delay > 0 {
		if err := s.wait(s.ctx, time.Duration(t.Delay)); err != nil {
			return nil, err
		}
	}
	if t.Down {
		return nil, errors.New("ordered: not sent")
	}
	envelope, err := spoil(t, s.pushed(one), sealed)
	if err != nil {
		return nil, err
	}
	address, _ := to.addresses()
	if t.Reorder {
		s.keepBack(to, func() { s.copies(address, envelope, 1) })
		return nil, nil
	}
	if t.LoseAnswer {
		s.copies(address, envelope, 1)
		return nil, errors.New("ordered: the answer was lost")
	}
	got, err := s.post(s.ctx, address, envelope)
	s.copies(address, envelope, t.Duplicate)
	s.release(to)
	var fault *soap.Fault
	if errors.As(err, &fault) {
		return fault, err
	}
	if err != nil {
		return nil, err
	}
	if _, ok := got.message.Payload.(*soap.AsyncSendMessageResponse); !ok {
		return nil, fmt.Errorf("%w: %s", errUnanswered, got.message.Operation)
	}
	if signedBy(got.verdict).Subject.BIN != to.bin {
		return nil, fmt.Errorf("%w: signed by another organisation than that of %s", errUnanswered, to.sender)
	}
	return nil, nil
}

// copies sends the same bytes again and does not care for the answers.
func (s *Sim) copies(address string, envelope []byte, n int) {
	for range n {
		if _, err := s.post(s.ctx, address, envelope); err != nil {
			s.log.Debug("copy", zap.Error(err))
		}
	}
}

// keepBack holds a push until another one to the same member has gone.
func (s *Sim) keepBack(to *member, send func()) {
	to.mu.Lock()
	to.keptBack = append(to.keptBack, send)
	to.mu.Unlock()
}

// release sends what was kept back.
func (s *Sim) release(to *member) {
	to.mu.Lock()
	kept := to.keptBack
	to.keptBack = nil
	to.mu.Unlock()
	for _, send := range kept {
		send()
	}
}

// tellSender lets the sender of a parcel know what became of it, where the
// sender asked for that (changeMassageStatusNotification). The caller holds
// the exchange's mu.
func (s *Sim) tellSender(one *parcel) {
	from := s.members[one.from]
	from.mu.Lock()
	address, wanted := from.async, from.notify
	from.mu.Unlock()
	if !wanted || address == "" {
		return
	}
	note := soap.ChangeStatusNotification{
		NotificationID: sid(), MessageID: one.id, NotificationDate: one.changed, MessageState: one.state,
		Status: soap.MessageStatusInfo{StatusCode: one.code, StatusMessage: one.text, StatusDate: one.changed},
	}
	s.spawn(func() {
		ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
		defer cancel()
		envelope, err := seal(&soap.AsyncChangeStatusNotifyRequest{Notification: note, RequestDate: s.now(), SessionID: sid()}, s.members["gateway"].signing())
		if err == nil {
			_, err = s.post(ctx, address, envelope)
		}
		if err != nil {
			s.log.Info("status notification", zap.String("to", from.key), zap.Error(err))
		}
	})
}
