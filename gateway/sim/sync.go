package sim

import (
	"errors"
	"net/http"

	"kopir/gateway/soap"
)

// syncDoor is the gateway's SyncChannel: it finds the provider of the service,
// hands the request on under its own signature and session, and gives the
// answer back.
func (s *Sim) syncDoor(w http.ResponseWriter, r *http.Request) {
	gateway := s.members["gateway"]
	if code := troubleOf(r.Context()).Fault; code != "" {
		s.fault(w, gateway, soap.SyncSendMessage, refuse(code, "ordered"))
		return
	}
	got, from, bad := s.admit(w, r, soap.Sync)
	if bad != nil {
		s.fault(w, gateway, soap.SyncSendMessage, bad)
		return
	}
	request, ok := got.message.Payload.(*soap.SyncSendMessageRequest)
	if !ok {
		s.fault(w, gateway, soap.SyncSendMessage, refuse(codeFormat, "not a SendMessage request"))
		return
	}
	answer, fault, bad := s.relay(r, from, request)
	switch {
	case bad != nil:
		s.fault(w, gateway, soap.SyncSendMessage, bad)
	case fault != nil:
		s.passFault(w, gateway, fault)
	case troubleOf(r.Context()).WrongSigner:
		s.answer(w, r, s.members["csc"], answer)
	default:
		s.answer(w, r, gateway, answer)
	}
}

// relay asks the provider.
func (s *Sim) relay(r *http.Request, from *member, request *soap.SyncSendMessageRequest) (*soap.SyncSendMessageResponse, *soap.Fault, *refusal) {
	info := request.RequestInfo
	provider := s.memberForService(info.ServiceID)
	if provider == nil || provider == from {
		return nil, nil, refuse(codeNoService, "nobody provides serviceId %s", info.ServiceID)
	}
	_, address := provider.addresses()
	if address == "" {
		return nil, nil, refuse(codeNoService, "the provider of %s has no address", info.ServiceID)
	}
	session := sid()
	info.SessionID = session
	info.Sender.Password = soap.Secret(s.PushPassword(from.sender))
	data, bad := carry(request.RequestData.Data)
	if bad != nil {
		return nil, nil, bad
	}
	envelope, err := seal(&soap.SyncSendMessageRequest{RequestInfo: info, RequestData: soap.RequestData{Data: data}}, s.members["gateway"].signing())
	if err != nil {
		return nil, nil, refuse(codeInternal, "%v", err)
	}
	got, err := s.post(r.Context(), address, envelope)
	var fault *soap.Fault
	if errors.As(err, &fault) {
		return nil, fault, nil
	}
	if err != nil {
		return nil, nil, refuse(codeNoService, "the provider of %s cannot be used now: %v", info.ServiceID, err)
	}
	answer, ok := got.message.Payload.(*soap.SyncSendMessageResponse)
	if !ok {
		return nil, nil, refuse(codeNoService, "the provider of %s answered with something else", info.ServiceID)
	}
	if signedBy(got.verdict).Subject.BIN != provider.bin {
		return nil, nil, refuse(codeSignature, "the answer of %s was signed by another organisation", provider.sender)
	}
	out := &soap.SyncSendMessageResponse{ResponseInfo: answer.ResponseInfo}
	out.ResponseInfo.SessionID = session
	// An answer without data is allowed.
	out.ResponseData.Data = answer.ResponseData.Data
	if data := answer.ResponseData.Data; data.Form != soap.NoData && data.Form != soap.Empty {
		if out.ResponseData.Data, bad = carry(data); bad != nil {
			return nil, nil, bad
		}
	}
	return out, nil, nil
}

// passFault gives a provider's fault on, under the gateway's signature.
func (s *Sim) passFault(w http.ResponseWriter, by *member, f *soap.Fault) {
	code, text := f.Code, f.String
	if f.Info != nil {
		code = f.Info.ErrorCode
	}
	s.fault(w, by, soap.SyncSendMessage, refuse(code, "%s", text))
}
