package sim

import (
	"crypto/rsa"
	"fmt"
	"net/http"

	"github.com/beevik/etree"
	"github.com/google/uuid"
	dsig "github.com/russellhaering/goxmldsig"

	"kopir/gateway/soap"
	"kopir/signature"
	"kopir/signature/sigtest"
	"kopir/signature/xmltree"
)

// Codes of the register of natural persons (messageResult/code). 00000 is
// known from the field, the others are this simulator's.
const (
	registryFound     = "00000"
	registryNoData    = "00001"
	registryNoConsent = "00002"
	registryError     = "99999"
)

// personTokenService is the variant that wants the token of a consent.
const personTokenService = "GBDFLUniversal_token"

// registryDoor answers the questions that the gateway hands to one registry.
func (s *Sim) registryDoor(key string, answer func(*soap.SyncSendMessageRequest, Trouble) (soap.Data, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		as, trouble := s.members[key], troubleOf(r.Context())
		if trouble.Fault != "" {
			s.fault(w, as, soap.SyncSendMessage, refuse(trouble.Fault, "ordered"))
			return
		}
		raw, bad := readAll(w, r)
		var got *received
		if bad == nil {
			got, bad = s.receive(r.Context(), raw)
		}
		if bad != nil {
			s.fault(w, as, soap.SyncSendMessage, bad)
			return
		}
		request, ok := got.message.Payload.(*soap.SyncSendMessageRequest)
		if !ok {
			s.fault(w, as, soap.SyncSendMessage, refuse(codeFormat, "not a SendMessage request"))
			return
		}
		data, err := answer(request, trouble)
		if err != nil {
			s.fault(w, as, soap.SyncSendMessage, refuse(codeFormat, "%v", err))
			return
		}
		s.answer(w, r, as, &soap.SyncSendMessageResponse{
			ResponseInfo: soap.SyncMessageInfoResponse{
				MessageID: uuid.NewString(), CorrelationID: request.RequestInfo.CorrelationID, ResponseDate: s.now(),
				Status:    soap.StatusInfo{Code: codeProcessed, Message: "Message has been processed successfully"},
				SessionID: request.RequestInfo.SessionID,
			},
			ResponseData: soap.ResponseData{Data: data},
		})
	}
}

// children reads unprefixed children of data, each once, in any order.
func children(d soap.Data, names ...string) (map[string]string, error) {
	if d.Form != soap.Nested {
		return nil, fmt.Errorf("data must hold elements")
	}
	values := map[string]string{}
	for _, name := range names {
		child, ok, err := d.Node.Child("", name)
		if err != nil || !ok {
			return nil, fmt.Errorf("data must hold one %s", name)
		}
		values[name] = child.Text()
	}
	return values, nil
}

// person answers GBDFL_UniversalServiceSync and GBDFLUniversal_token: fields and
// the register's own signature.
func (s *Sim) person(request *soap.SyncSendMessageRequest, trouble Trouble) (soap.Data, error) {
	names := []string{"messageId", "iin"}
	byToken := request.RequestInfo.ServiceID == personTokenService
	if byToken {
		names = append(names, "kdpToken", "publicKey")
	}
	q, err := children(request.RequestData.Data, names...)
	if err != nil {
		return soap.Data{}, err
	}
	data := etree.NewElement("data")
	put := func(parent *etree.Element, pairs ...string) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i+1] != "" {
				parent.CreateElement(pairs[i]).SetText(pairs[i+1])
			}
		}
	}
	put(data, "messageId", uuid.NewString(), "messageDate", soap.FormatDateTime(s.now()), "requestId", q["messageId"],
		"sender", s.members["registry"].sender, "receiver", request.RequestInfo.Sender.SenderID)
	coded := func(parent *etree.Element, name, code, ru, kk string) {
		put(parent.CreateElement(name), "code", code, "nameRu", ru, "nameKz", kk)
	}
	n, err := registryWords()
	if err != nil {
		return soap.Data{}, err
	}
	p, known := s.byIIN(q["iin"])
	if trouble.OtherPerson {
		p, known = s.somebodyElse(q["iin"]), true
	}
	switch {
	case byToken && !s.consents.opens(q["kdpToken"], q["publicKey"], q["iin"], s.now()):
		coded(data, "messageResult", registryNoConsent, n.NoConsent.RU, n.NoConsent.KK)
	case known && p.Registry == "error":
		coded(data, "messageResult", registryError, n.Error.RU, n.Error.KK)
	case !known || p.Registry == "none" || trouble.NoData:
		coded(data, "messageResult", registryNoData, n.NoData.RU, n.NoData.KK)
	default:
		coded(data, "messageResult", registryFound, n.Found.RU, n.Found.KK)
		person := data.CreateElement("persons").CreateElement("person")
		put(person, "iin", p.IIN, "surname", p.Surname, "name", p.GivenName, "patronymic", p.Patronymic, "birthDate", p.Born)
		coded(person, "citizenship", "398", n.Country.RU, n.Country.KK)
		coded(person, "lifeStatus", "0", n.Alive.RU, n.Alive.KK)
	}
	by, _ := s.members["registry"].keys()
	content, err := sealData(data, by)
	return soap.NestedData(content), err
}

// somebodyElse is a person of another number.
func (s *Sim) somebodyElse(iin string) Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range s.order {
		if p := s.people[key]; p.IIN != iin && p.Registry == "" {
			return p
		}
	}
	return Person{}
}

// sealData signs the data element by itself (exclusive canonical form, so that
// the envelope around it does not matter) and gives its content.
func sealData(data *etree.Element, by *sigtest.Credential) ([]byte, error) {
	whole, err := signExclusive(data, by)
	if err != nil {
		return nil, err
	}
	tree, err := xmltree.Parse(whole, xmltree.DefaultLimits())
	if err != nil {
		return nil, err
	}
	return nestedXML(tree.Root()), nil
}

// signExclusive gives a document that is signed in the exclusive form, by
// goxmldsig where it can.
func signExclusive(data *etree.Element, by *sigtest.Credential) ([]byte, error) {
	doc := newDocument()
	if _, isRSA := by.Signer.Public().(*rsa.PublicKey); !isRSA {
		key, err := by.Key()
		if err != nil {
			return nil, err
		}
		doc.SetRoot(data)
		whole, err := doc.WriteToBytes()
		if err != nil {
			return nil, err
		}
		return signature.SignEnveloped(whole, key, signature.SignOptions{Exclusive: true})
	}
	ctx, err := dsig.NewSigningContext(by.Signer, [][]byte{by.DER})
	if err != nil {
		return nil, err
	}
	ctx.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	signed, err := ctx.SignEnveloped(data)
	if err != nil {
		return nil, err
	}
	doc.SetRoot(signed)
	return doc.WriteToBytes()
}
