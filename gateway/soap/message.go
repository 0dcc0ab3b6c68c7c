package soap

import "kopir/signature/xmltree"

// Message is one envelope, read.
type Message struct {
	Operation Operation
	Kind      Kind
	// Payload is the typed content: the request or response type of the
	// operation, or *Fault.
	Payload Payload
	// Security is the wsse:Security header, and Signature a ds:Signature that
	// stands in the Header by itself, as an older form has it. Zero: none, and
	// always zero from ReadBody.
	Security, Signature xmltree.Node
}

// Signed reports whether the Header holds anything that a signature could be
// in. It says nothing about whether that signature holds.
func (m *Message) Signed() bool { return !m.Security.IsZero() || !m.Signature.IsZero() }

// MessageID is the id that the sender gave the message; empty when the kind of
// message has none.
func (m *Message) MessageID() string {
	switch p := m.Payload.(type) {
	case *SyncSendMessageRequest:
		return p.RequestInfo.MessageID
	case *SyncSendMessageResponse:
		return p.ResponseInfo.MessageID
	case *AsyncSendMessageRequest:
		return p.MessageInfo.MessageID
	case *AsyncSendMessageResponse:
		return p.MessageID
	default:
		return ""
	}
}

// Sender is who says to have sent a request; nil when the message names nobody.
func (m *Message) Sender() *SenderInfo {
	switch p := m.Payload.(type) {
	case *SyncSendMessageRequest:
		return &p.RequestInfo.Sender
	case *AsyncSendMessageRequest:
		return &p.MessageInfo.Sender
	case *AsyncGetMessageStatusRequest:
		return &p.Sender
	case *AsyncSendDeliveryNotificationRequest:
		return p.Sender
	case *AsyncGetMessagesRequest:
		return p.Sender
	default:
		return nil
	}
}

// ServiceID is the service that a request is about, or empty.
func (m *Message) ServiceID() string {
	switch p := m.Payload.(type) {
	case *SyncSendMessageRequest:
		return p.RequestInfo.ServiceID
	case *AsyncSendMessageRequest:
		return p.MessageInfo.ServiceID
	case *AsyncSendDeliveryNotificationRequest:
		return p.Notification.ServiceID
	case *AsyncGetMessagesRequest:
		return p.ServiceID
	default:
		return ""
	}
}

// Data is the business document of the message; NoData when its kind has none.
func (m *Message) Data() Data {
	switch p := m.Payload.(type) {
	case *SyncSendMessageRequest:
		return p.RequestData.Data
	case *SyncSendMessageResponse:
		return p.ResponseData.Data
	case *AsyncSendMessageRequest:
		return p.MessageData.Data
	default:
		return Data{}
	}
}
