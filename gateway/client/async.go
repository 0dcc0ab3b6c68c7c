package client

import (
	"context"

	"kopir/gateway/soap"
)

// Async is the client of an AsyncChannel, or of a member's call-back end.
type Async struct{ peer Peer }

// NewAsync makes a client, or says everything that is wrong with the peer.
func NewAsync(p Peer) (*Async, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	return &Async{p}, nil
}

// SendMessage hands a message over. The sender of info is filled in. Every
// error of this type is an *Error; the Answer then holds what was sent and what
// came, as far as it came. The ids of the response are empty where the peer
// answers without them.
func (a *Async) SendMessage(ctx context.Context, info soap.AsyncMessageInfo, data soap.Data) (*soap.AsyncSendMessageResponse, *Answer, error) {
	info.Sender = a.peer.sender()
	answer, err := a.peer.exchange(ctx, &soap.AsyncSendMessageRequest{MessageInfo: info, MessageData: soap.MessageData{Data: data}})
	if err != nil {
		return nil, answer, err
	}
	return answer.Message.Payload.(*soap.AsyncSendMessageResponse), answer, nil
}

// Status asks how far a message has come, by the id that the gateway gave it.
func (a *Async) Status(ctx context.Context, messageID string) (*soap.AsyncGetMessageStatusResponse, *Answer, error) {
	answer, err := a.peer.exchange(ctx, &soap.AsyncGetMessageStatusRequest{MessageID: messageID, RequestDate: a.peer.Now(), Sender: a.peer.sender()})
	if err != nil {
		return nil, answer, err
	}
	return answer.Message.Payload.(*soap.AsyncGetMessageStatusResponse), answer, nil
}

// Query selects what Messages fetches. ServiceID is required; amount nought
// leaves the number to the gateway.
type Query struct {
	ServiceID, MessageID, CorrelationID string
	Amount                              int32
}

// Messages fetches messages that wait for us.
func (a *Async) Messages(ctx context.Context, q Query) (*soap.AsyncGetMessagesResponse, *Answer, error) {
	sender := a.peer.sender()
	answer, err := a.peer.exchange(ctx, &soap.AsyncGetMessagesRequest{
		MessageID: q.MessageID, CorrelationID: q.CorrelationID, RequestDate: a.peer.Now(), ServiceID: q.ServiceID, Sender: &sender, Amount: q.Amount,
	})
	if err != nil {
		return nil, answer, err
	}
	return answer.Message.Payload.(*soap.AsyncGetMessagesResponse), answer, nil
}

// Confirm tells the gateway that a fetched message was taken, or with refusal
// that it was not, and whether to hand it out again. A refusal without a date
// gets the present one.
func (a *Async) Confirm(ctx context.Context, messageID, serviceID string, refusal *soap.ErrorInfo, resend bool) (*soap.AsyncSendDeliveryNotificationResponse, *Answer, error) {
	now, sender := a.peer.Now(), a.peer.sender()
	status := soap.DeliveryStatusInfo{ReceiveStatus: soap.MessageAccepted, StatusDate: now, ResendMessage: soap.NotResend}
	if refusal != nil {
		dated := *refusal
		if dated.ErrorDate.IsZero() {
			dated.ErrorDate = now
		}
		status.ReceiveStatus, status.Error = soap.MessageNotAccepted, &dated
	}
	if resend {
		status.ResendMessage = soap.Resend
	}
	answer, err := a.peer.exchange(ctx, &soap.AsyncSendDeliveryNotificationRequest{
		Notification: soap.DeliveryNotification{MessageID: messageID, ServiceID: serviceID, NotificationDate: now, DeliveryStatus: status},
		RequestDate:  now, Sender: &sender,
	})
	if err != nil {
		return nil, answer, err
	}
	return answer.Message.Payload.(*soap.AsyncSendDeliveryNotificationResponse), answer, nil
}

// ChangeStatus tells a member system's call-back end that the state of its
// message changed: the operation that the contract spells
// changeMassageStatusNotification.
func (a *Async) ChangeStatus(ctx context.Context, n soap.ChangeStatusNotification, session string) (*soap.AsyncChangeStatusNotifyResponse, *Answer, error) {
	answer, err := a.peer.exchange(ctx, &soap.AsyncChangeStatusNotifyRequest{Notification: n, RequestDate: a.peer.Now(), SessionID: session})
	if err != nil {
		return nil, answer, err
	}
	return answer.Message.Payload.(*soap.AsyncChangeStatusNotifyResponse), answer, nil
}
