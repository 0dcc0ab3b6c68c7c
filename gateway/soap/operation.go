package soap

// Namespaces of the contract. Only wrappers and fault elements carry one of
// the first three on the wire; every element below a wrapper has none.
const (
	SyncTypes   = "http://bip.bee.kz/SyncChannel/v10/Types"
	AsyncTypes  = "http://bip.bee.kz/AsyncChannel/v10/Types"
	ClientTypes = "http://bip.bee.kz/AsyncChannel/v10/Types/Client"

	Envelope11 = "http://schemas.xmlsoap.org/soap/envelope/"
	Envelope12 = "http://www.w3.org/2003/05/soap-envelope"

	WSSE     = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	WSU      = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	DSig     = "http://www.w3.org/2000/09/xmldsig#"
	Schema   = "http://www.w3.org/2001/XMLSchema"
	Instance = "http://www.w3.org/2001/XMLSchema-instance"
)

// ContentType is the media type of every message.
const ContentType = "text/xml; charset=utf-8"

// Channel is one of the contract's three interfaces.
type Channel string

const (
	Sync   Channel = "SyncChannel"
	Async  Channel = "AsyncChannel"
	Client Channel = "AsyncChannelClient" // the call-back end at a member system
)

// Operation is one operation of one interface. The zero value is none.
type Operation int

const (
	NoOperation Operation = iota
	SyncSendMessage
	AsyncSendMessage // also what the gateway pushes: its wrapper is the same
	AsyncSendDeliveryNotification
	AsyncGetMessageStatus
	AsyncGetMessages
	ClientSendMessage // the wrapper that Types/Client declares and no WSDL uses; read, and written in faults only
	ClientChangeMassageStatusNotification
)

type operationRow struct {
	channel Channel
	space   string
	name    string // of the wrapper; Response and Fault1_ names follow from it
	fault   string
	request func() Payload
	answer  func() Payload
}

var operations = map[Operation]operationRow{
	SyncSendMessage: {Sync, SyncTypes, "SendMessage", "SendMessageFault1_SendMessageFault",
		func() Payload { return new(SyncSendMessageRequest) }, func() Payload { return new(SyncSendMessageResponse) }},
	AsyncSendMessage: {Async, AsyncTypes, "sendMessage", "sendMessageFault1_sendMessageFault",
		func() Payload { return new(AsyncSendMessageRequest) }, func() Payload { return new(AsyncSendMessageResponse) }},
	AsyncSendDeliveryNotification: {Async, AsyncTypes, "sendDeliveryNotification", "sendDeliveryNotificationFault1_sendDeliveryNotificationFault",
		func() Payload { return new(AsyncSendDeliveryNotificationRequest) }, func() Payload { return new(AsyncSendDeliveryNotificationResponse) }},
	AsyncGetMessageStatus: {Async, AsyncTypes, "getMessageStatus", "getMessageStatusFault1_getMessageStatusFault",
		func() Payload { return new(AsyncGetMessageStatusRequest) }, func() Payload { return new(AsyncGetMessageStatusResponse) }},
	AsyncGetMessages: {Async, AsyncTypes, "getMessages", "getMessagesFault1_getMessagesFault",
		func() Payload { return new(AsyncGetMessagesRequest) }, func() Payload { return new(AsyncGetMessagesResponse) }},
	ClientSendMessage: {Client, ClientTypes, "sendMessage", "sendMessageFault1_sendMessageFault",
		func() Payload { return new(AsyncSendMessageRequest) }, func() Payload { return new(AsyncSendMessageResponse) }},
	ClientChangeMassageStatusNotification: {Client, ClientTypes, "changeMassageStatusNotification", "changeMassageStatusNotificationFault1_changeMassageStatusNotificationFault",
		func() Payload { return new(AsyncChangeStatusNotifyRequest) }, func() Payload { return new(AsyncChangeStatusNotifyResponse) }},
}

// Channel is the interface that the operation belongs to.
func (o Operation) Channel() Channel { return operations[o].channel }

// Name is the local name of the request's wrapper, as the contract spells it.
func (o Operation) Name() string { return operations[o].name }

// Space is the namespace of the operation's wrappers and fault element.
func (o Operation) Space() string { return operations[o].space }

// String gives "SyncChannel.SendMessage" and the like; "none" for the zero value.
func (o Operation) String() string {
	row, ok := operations[o]
	if !ok {
		return "none"
	}
	return string(row.channel) + "." + row.name
}

// Kind says which of an operation's three messages is meant.
type Kind int

const (
	NoKind Kind = iota
	Request
	Response
	FaultKind
)

func (k Kind) String() string {
	return [...]string{"none", "request", "response", "fault"}[k]
}

// Payload is what stands in a Body: a request or response of the contract, or
// a Fault. The Go type decides the wrapper that Build writes.
type Payload interface {
	// message names the operation and kind whose wrapper the type belongs to.
	message() (Operation, Kind)
}

func (*SyncSendMessageRequest) message() (Operation, Kind)   { return SyncSendMessage, Request }
func (*SyncSendMessageResponse) message() (Operation, Kind)  { return SyncSendMessage, Response }
func (*AsyncSendMessageRequest) message() (Operation, Kind)  { return AsyncSendMessage, Request }
func (*AsyncSendMessageResponse) message() (Operation, Kind) { return AsyncSendMessage, Response }
func (*AsyncSendDeliveryNotificationRequest) message() (Operation, Kind) {
	return AsyncSendDeliveryNotification, Request
}
func (*AsyncSendDeliveryNotificationResponse) message() (Operation, Kind) {
	return AsyncSendDeliveryNotification, Response
}
func (*AsyncGetMessageStatusRequest) message() (Operation, Kind) {
	return AsyncGetMessageStatus, Request
}
func (*AsyncGetMessageStatusResponse) message() (Operation, Kind) {
	return AsyncGetMessageStatus, Response
}
func (*AsyncGetMessagesRequest) message() (Operation, Kind)  { return AsyncGetMessages, Request }
func (*AsyncGetMessagesResponse) message() (Operation, Kind) { return AsyncGetMessages, Response }
func (*AsyncChangeStatusNotifyRequest) message() (Operation, Kind) {
	return ClientChangeMassageStatusNotification, Request
}
func (*AsyncChangeStatusNotifyResponse) message() (Operation, Kind) {
	return ClientChangeMassageStatusNotification, Response
}
func (f *Fault) message() (Operation, Kind) { return f.Operation, FaultKind }

// OperationOf names the operation and kind of message that a payload is.
func OperationOf(p Payload) (Operation, Kind) { return p.message() }
