package soap

import "time"

// The types below bear the names of the schema's types and their fields its
// element names, in its order. The tag says what the schema says and how far a
// reader may go beyond it:
//
//	wire:"name"      required, exactly one
//	optional         may be missing; written only when it is not the zero value
//	tolerate         required, so Build insists, but partners leave it out
//	filled           must not be empty
//	exact            white space around the value is part of it
//	guid             Build insists on the braced form; any text is read
//	max=N            N characters at most (max-out=N: for Build only)
//	ignored          not in the schema; partners send it; dropped
//
// A slice is repeated from nought up to any number, a pointer is an optional
// group, a zero time an absent date.

// Secret is a sender's password. It prints as dots; convert to string to use it.
type Secret string

func (Secret) String() string               { return "•••" }
func (Secret) GoString() string             { return "•••" }
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"•••"`), nil }

// SenderInfo names the sending system. The gateway replaces the password of
// what it pushes by 64 hexadecimal digits.
type SenderInfo struct {
	SenderID string   `wire:"senderId,filled"`
	Password Secret   `wire:"password,optional,exact"`
	_        struct{} `wire:"sessionId,ignored"` // a push seen in 2021
}

// Property is an extra agreed with the gateway and the receiver.
type Property struct {
	Key   string `wire:"key,max=30"`
	Value string `wire:"value,exact,max=500"`
}

// StatusInfo is the answering system's code and text. Double-encoded texts
// were seen on the wire, so the limit on the text binds the writer only;
// ClipStatus shortens to it.
type StatusInfo struct {
	Code    string `wire:"code"`
	Message string `wire:"message,max-out=250"`
}

// ErrorInfo is the detail of a fault and of a failed delivery. Minimal ones
// without text or date were seen.
type ErrorInfo struct {
	ErrorCode    string     `wire:"errorCode"`
	ErrorMessage string     `wire:"errorMessage,tolerate"`
	ErrorData    string     `wire:"errorData,optional"`
	ErrorDate    time.Time  `wire:"errorDate,tolerate"`
	SubError     *ErrorInfo `wire:"subError,optional"`
	SessionID    string     `wire:"sessionId,optional,guid"`
}

// MessageData carries the business document of the asynchronous channel.
type MessageData struct {
	Data Data `wire:"data"`
}

// MessageState is how far a message has come.
type MessageState string

const (
	OnDelivery      MessageState = "ON_DELIVERY"
	Delivered       MessageState = "DELIVERED"
	NotDelivered    MessageState = "NOT_DELIVERED"
	DeliveryStopped MessageState = "DELIVERY_STOPPED"
)

func (MessageState) values() []string {
	return []string{string(OnDelivery), string(Delivered), string(NotDelivered), string(DeliveryStopped)}
}

// ReceiveStatus says whether a receiver took a message.
type ReceiveStatus string

const (
	MessageAccepted    ReceiveStatus = "MESSAGE_ACCEPTED"
	MessageNotAccepted ReceiveStatus = "MESSAGE_NOT_ACCTEPTED" // the contract's spelling
)

func (ReceiveStatus) values() []string {
	return []string{string(MessageAccepted), string(MessageNotAccepted)}
}

// ResendMessage asks the gateway for another try, or not.
type ResendMessage string

const (
	Resend    ResendMessage = "RESEND"
	NotResend ResendMessage = "NOT_RESEND"
)

func (ResendMessage) values() []string { return []string{string(Resend), string(NotResend)} }

// MessageStatusInfo is the gateway's word on a message.
type MessageStatusInfo struct {
	StatusCode    string    `wire:"statusCode"`
	StatusMessage string    `wire:"statusMessage"`
	StatusDate    time.Time `wire:"statusDate"`
}

// DeliveryStatusInfo is the receiver's word on a message.
type DeliveryStatusInfo struct {
	ReceiveStatus ReceiveStatus `wire:"receiveStatus"`
	StatusDate    time.Time     `wire:"statusDate"`
	ResendMessage ResendMessage `wire:"resendMessage"`
	Error         *ErrorInfo    `wire:"error,optional"`
}

// DeliveryNotification confirms or refuses one message that was fetched.
type DeliveryNotification struct {
	MessageID        string             `wire:"messageId,filled"`
	ServiceID        string             `wire:"serviceId,filled"`
	NotificationDate time.Time          `wire:"notificationDate"`
	DeliveryStatus   DeliveryStatusInfo `wire:"deliveryStatus"`
}

// ChangeStatusNotification tells a sender that its message's state changed.
type ChangeStatusNotification struct {
	NotificationID   string            `wire:"notificationId"`
	MessageID        string            `wire:"messageId,filled"`
	NotificationDate time.Time         `wire:"notificationDate"`
	MessageState     MessageState      `wire:"messageState"`
	Status           MessageStatusInfo `wire:"status"`
	Error            *ErrorInfo        `wire:"error,optional"`
}

// ClipStatus shortens a text to the 250 characters a status may have; the cut
// is marked by an ellipsis.
func ClipStatus(text string) string {
	const limit = 250
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return string(runes[:limit-1]) + "…"
}
