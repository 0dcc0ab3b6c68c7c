package soap

import "time"

// MessageType is a message's part in an asynchronous conversation.
type MessageType string

const (
	TypeRequest      MessageType = "REQUEST"      // opens it
	TypeNotification MessageType = "NOTIFICATION" // informs
	TypeUpdate       MessageType = "UPDATE"       // changes data already sent
	TypeResponse     MessageType = "RESPONSE"     // ends it
)

func (MessageType) values() []string {
	return []string{string(TypeRequest), string(TypeNotification), string(TypeUpdate), string(TypeResponse)}
}

// AsyncMessageInfo describes an asynchronous message. The gateway gives
// MessageID and CorrelationID to a REQUEST; later messages of the conversation
// carry that CorrelationID.
type AsyncMessageInfo struct {
	MessageID     string      `wire:"messageId,optional"`
	CorrelationID string      `wire:"correlationId,optional"`
	ServiceID     string      `wire:"serviceId,filled"`
	MessageType   MessageType `wire:"messageType"`
	RouteID       string      `wire:"routeId,optional"`
	MessageDate   time.Time   `wire:"messageDate"`
	Sender        SenderInfo  `wire:"sender"`
	Properties    []Property  `wire:"properties"`
	SessionID     string      `wire:"sessionId,optional,guid"`
}

// AsyncMessage is a message as getMessages hands it out.
type AsyncMessage struct {
	MessageInfo AsyncMessageInfo `wire:"messageInfo"`
	MessageData MessageData      `wire:"messageData"`
}

// AsyncSendMessageRequest is the request of sendMessage, at the gateway and at
// a member system that the gateway pushes to.
type AsyncSendMessageRequest struct {
	MessageInfo AsyncMessageInfo `wire:"messageInfo"`
	MessageData MessageData      `wire:"messageData"`
}

// AsyncSendMessageResponse says that a message was taken. One partner answers
// a push with an empty response.
type AsyncSendMessageResponse struct {
	MessageID     string    `wire:"messageId,tolerate"`
	CorrelationID string    `wire:"correlationId,tolerate"`
	ResponseDate  time.Time `wire:"responseDate,tolerate"`
	SessionID     string    `wire:"sessionId,optional,guid"`
}

// AsyncSendDeliveryNotificationRequest confirms or refuses a fetched message.
type AsyncSendDeliveryNotificationRequest struct {
	Notification DeliveryNotification `wire:"notification"`
	RequestDate  time.Time            `wire:"requestDate"`
	Sender       *SenderInfo          `wire:"sender,optional"`
}

// AsyncSendDeliveryNotificationResponse says that the confirmation was taken.
type AsyncSendDeliveryNotificationResponse struct {
	NotificationID string    `wire:"notificationId"`
	ResponseDate   time.Time `wire:"responseDate"`
	SessionID      string    `wire:"sessionId,guid"`
}

// AsyncGetMessageStatusRequest asks how far a message has come.
type AsyncGetMessageStatusRequest struct {
	MessageID   string     `wire:"messageId,filled"`
	RequestDate time.Time  `wire:"requestDate"`
	Sender      SenderInfo `wire:"sender"`
	Properties  []Property `wire:"properties"`
}

// AsyncGetMessageStatusResponse tells it. SessionID is plain text here, unlike
// every other session id.
type AsyncGetMessageStatusResponse struct {
	MessageState MessageState      `wire:"messageState"`
	Status       MessageStatusInfo `wire:"status"`
	ResponseDate time.Time         `wire:"responseDate"`
	SessionID    string            `wire:"sessionId,optional"`
}

// AsyncGetMessagesRequest fetches the caller's own messages of one service.
// Amount nought means the gateway's default.
type AsyncGetMessagesRequest struct {
	MessageID     string      `wire:"messageId,optional"`
	CorrelationID string      `wire:"correlationId,optional"`
	RequestDate   time.Time   `wire:"requestDate,optional"`
	ServiceID     string      `wire:"serviceId,filled"`
	Sender        *SenderInfo `wire:"sender,optional"`
	Amount        int32       `wire:"amount,optional"`
	Properties    []Property  `wire:"properties"`
}

// AsyncGetMessagesResponse holds the messages fetched.
type AsyncGetMessagesResponse struct {
	ResponseDate time.Time      `wire:"responseDate"`
	SessionID    string         `wire:"sessionId,guid"`
	Messages     []AsyncMessage `wire:"messages"`
}

// AsyncChangeStatusNotifyRequest is the request of the operation that the
// contract spells changeMassageStatusNotification.
type AsyncChangeStatusNotifyRequest struct {
	Notification ChangeStatusNotification `wire:"notification"`
	RequestDate  time.Time                `wire:"requestDate"`
	SessionID    string                   `wire:"sessionId,optional,guid"`
}

// AsyncChangeStatusNotifyResponse answers it with the request's session id.
type AsyncChangeStatusNotifyResponse struct {
	ResponseDate time.Time `wire:"responseDate"`
	SessionID    string    `wire:"sessionId,guid"`
}
