package client

import (
	"context"

	"kopir/gateway/soap"
)

// Sync is the client of a SyncChannel.
type Sync struct{ peer Peer }

// NewSync makes a client, or says everything that is wrong with the peer.
func NewSync(p Peer) (*Sync, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	return &Sync{p}, nil
}

// SendMessage sends a request and waits for the answer. The sender of info is
// filled in. The error is an *Error; the Answer then holds what was sent and
// what came, as far as it came.
//
// No status code says for all systems that a request was processed: look at
// the answer's document.
func (s *Sync) SendMessage(ctx context.Context, info soap.SyncMessageInfo, data soap.Data) (*soap.SyncSendMessageResponse, *Answer, error) {
	info.Sender = s.peer.sender()
	a, err := s.peer.exchange(ctx, &soap.SyncSendMessageRequest{RequestInfo: info, RequestData: soap.RequestData{Data: data}})
	if err != nil {
		return nil, a, err
	}
	return a.Message.Payload.(*soap.SyncSendMessageResponse), a, nil
}
