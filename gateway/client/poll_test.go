package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"kopir/gateway/soap"
)

// box is a mailbox in memory: pages in order, then nothing.
type box struct {
	start   time.Time
	pages   [][]string
	fail    int // so many first questions fail
	asked   []time.Duration
	settled []string
	lose    bool // confirmations fail
}

func (b *box) Messages(_ context.Context, q Query) (*soap.AsyncGetMessagesResponse, *Answer, error) {
	b.asked = append(b.asked, time.Since(b.start))
	if b.fail > 0 {
		b.fail--
		return nil, &Answer{}, errors.New("down")
	}
	r := &soap.AsyncGetMessagesResponse{}
	if len(b.pages) > 0 {
		for _, id := range b.pages[0] {
			r.Messages = append(r.Messages, soap.AsyncMessage{MessageInfo: soap.AsyncMessageInfo{MessageID: id, ServiceID: q.ServiceID}})
		}
		b.pages = b.pages[1:]
	}
	return r, &Answer{}, nil
}

func (b *box) Confirm(_ context.Context, id, service string, refusal *soap.ErrorInfo, resend bool) (*soap.AsyncSendDeliveryNotificationResponse, *Answer, error) {
	if b.lose {
		return nil, &Answer{}, errors.New("lost")
	}
	code := "ok"
	if refusal != nil {
		code = refusal.ErrorCode
	}
	b.settled = append(b.settled, fmt.Sprintf("%s/%s/%s/%v", service, id, code, resend))
	return nil, &Answer{}, nil
}

func TestPollOnce(t *testing.T) {
	b := &box{pages: [][]string{{"1", "2", "3", "4", ""}}}
	p := &Poller{From: b, ServiceID: "S", Handle: func(_ context.Context, f Fetched) error {
		switch f.Message.MessageInfo.MessageID {
		case "2":
			return &Rejection{Code: "BAD", Text: "unreadable"}
		case "3":
			return fmt.Errorf("later: %w", &Rejection{Code: "BUSY", Resend: true})
		case "4":
			return errors.New("the store is down")
		}
		return nil
	}}
	taken, err := p.Once(context.Background())
	if taken != 2 || err == nil {
		t.Errorf("taken %d, %v", taken, err)
	}
	if want := []string{"S/1/ok/false", "S/2/BAD/false", "S/3/BUSY/true"}; !slices.Equal(b.settled, want) {
		t.Errorf("settled %v", b.settled)
	}
	b = &box{pages: [][]string{{"1"}}, lose: true}
	p.From = b
	if taken, err := p.Once(context.Background()); taken != 0 || err == nil {
		t.Errorf("lost confirmation: taken %d, %v", taken, err)
	}
}

// TestPollRun looks at the clock: failures stretch the pause, messages shorten it.
func TestPollRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &box{start: time.Now(), fail: 3, pages: [][]string{{"1"}, {"2"}}}
		var failures int
		p := &Poller{From: b, ServiceID: "S", Every: 10 * time.Second, Handle: func(context.Context, Fetched) error { return nil }, Failed: func(error) { failures++ }}
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
		defer cancel()
		if err := p.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ended with %v", err)
		}
		s := time.Second
		// Failures at 0, 10, 30; messages at 70 and at once again; then nothing.
		if want := []time.Duration{0, 10 * s, 30 * s, 70 * s, 70*s + more, 70*s + 2*more, 80*s + 2*more, 90*s + 2*more}; !slices.Equal(b.asked, want) {
			t.Errorf("asked at %v", b.asked)
		}
		if failures != 3 || len(b.settled) != 2 {
			t.Errorf("%d failures, settled %v", failures, b.settled)
		}
	})
}
