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
	registryFound  = "00000"
	registryNoData = "00001"
	registryError  = "99999"
)

// registry is the register of natural persons behind the SyncChannel.
type registry struct{ sim *Sim }

// door answers GBDFL_UniversalServiceSync.
func (g *registry) door(w http.ResponseWriter, r *http.Request) {
	s := g.sim
	as := s.members["registry"]
	if code := troubleOf(r.Context()).Fault; code != "" {
		s.fault(w, as, soap.SyncSendMessage, refuse(code, "ordered"))
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
	data, err := g.answer(request)
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
		ResponseData: soap.ResponseData{Data: soap.NestedData(data)},
	})
}

// question is the content of data in a request.
type question struct{ messageID, iin string }

// read takes the four unprefixed children in any order.
func (g *registry) read(d soap.Data) (question, error) {
	var q question
	if d.Form != soap.Nested {
		return q, fmt.Errorf("data must hold elements")
	}
	for name, into := range map[string]*string{"messageId": &q.messageID, "iin": &q.iin} {
		child, ok, err := d.Node.Child("", name)
		if err != nil || !ok {
			return q, fmt.Errorf("data must hold one %s", name)
		}
		*into = child.Text()
	}
	return q, nil
}

// answer is the content of data: fields and the register's own signature.
func (g *registry) answer(request *soap.SyncSendMessageRequest) ([]byte, error) {
	q, err := g.read(request.RequestData.Data)
	if err != nil {
		return nil, err
	}
	data := etree.NewElement("data")
	put := func(parent *etree.Element, pairs ...string) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i+1] != "" {
				parent.CreateElement(pairs[i]).SetText(pairs[i+1])
			}
		}
	}
	put(data, "messageId", uuid.NewString(), "messageDate", soap.FormatDateTime(g.sim.now()), "requestId", q.messageID,
		"sender", g.sim.members["registry"].sender, "receiver", request.RequestInfo.Sender.SenderID)
	coded := func(parent *etree.Element, name, code, ru, kk string) {
		put(parent.CreateElement(name), "code", code, "nameRu", ru, "nameKz", kk)
	}
	n, err := registryWords()
	if err != nil {
		return nil, err
	}
	p, known := g.sim.byIIN(q.iin)
	switch {
	case known && p.Registry == "error":
		coded(data, "messageResult", registryError, n.Error.RU, n.Error.KK)
	case !known || p.Registry == "none":
		coded(data, "messageResult", registryNoData, n.NoData.RU, n.NoData.KK)
	default:
		coded(data, "messageResult", registryFound, n.Found.RU, n.Found.KK)
		person := data.CreateElement("persons").CreateElement("person")
		put(person, "iin", p.IIN, "surname", p.Surname, "name", p.GivenName, "patronymic", p.Patronymic, "birthDate", p.Born)
		coded(person, "citizenship", "398", n.Country.RU, n.Country.KK)
		coded(person, "lifeStatus", "0", n.Alive.RU, n.Alive.KK)
	}
	by, _ := g.sim.members["registry"].keys()
	return sealData(data, by)
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
