package soap

import "time"

// SyncSendMessageRequest is the request of SyncChannel.SendMessage.
type SyncSendMessageRequest struct {
	RequestInfo SyncMessageInfo `wire:"requestInfo"`
	RequestData RequestData     `wire:"requestData"`
}

// SyncMessageInfo describes a synchronous request. The sender fills MessageID,
// CorrelationID (only within a chain), MessageDate and RouteID (only where
// agreed); SessionID is the gateway's to fill.
type SyncMessageInfo struct {
	MessageID     string     `wire:"messageId,filled"`
	CorrelationID string     `wire:"correlationId,optional"`
	ServiceID     string     `wire:"serviceId,filled"`
	MessageDate   time.Time  `wire:"messageDate"`
	RouteID       string     `wire:"routeId,optional"`
	Sender        SenderInfo `wire:"sender"`
	Properties    []Property `wire:"properties"`
	SessionID     string     `wire:"sessionId,optional,guid"`
}

// RequestData carries the business document of a synchronous request.
type RequestData struct {
	Data Data `wire:"data,optional"`
}

// SyncSendMessageResponse is the answer of SyncChannel.SendMessage.
type SyncSendMessageResponse struct {
	ResponseInfo SyncMessageInfoResponse `wire:"responseInfo"`
	ResponseData ResponseData            `wire:"responseData"`
}

// SyncMessageInfoResponse describes a synchronous answer. MessageID is the
// answering system's own, not an echo.
type SyncMessageInfoResponse struct {
	MessageID     string     `wire:"messageId"`
	CorrelationID string     `wire:"correlationId,optional"`
	ResponseDate  time.Time  `wire:"responseDate"`
	Status        StatusInfo `wire:"status"`
	SessionID     string     `wire:"sessionId,optional,guid"`
}

// ResponseData carries the business document of a synchronous answer.
type ResponseData struct {
	Data Data `wire:"data,optional"`
}
