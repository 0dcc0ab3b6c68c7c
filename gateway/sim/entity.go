package sim

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"kopir/gateway/soap"
	"kopir/signature"
	"kopir/signature/verdict"
	"kopir/signature/xmltree"
)

// entityNS is the namespace of the roots of the register of legal entities.
const entityNS = "http://gbdulinfobybin_v2.egp.gbdul.tamur.kz"

// Codes of that register: 002 is known from the field, 404 is this simulator's.
const (
	entityFound  = "002"
	entityNoData = "404"
)

// signedQuestion is the root of a question that is a document of its own,
// signed inside by the organisation that asks.
func (s *Sim) signedQuestion(request *soap.SyncSendMessageRequest) (xmltree.Node, error) {
	document := documentOf(request.RequestData.Data)
	doc, err := xmltree.Parse(document, xmltree.DefaultLimits())
	if err != nil {
		return xmltree.Node{}, err
	}
	v := s.verifier.XMLDSig(context.Background(), doc, signature.Want{At: s.now()})
	content, ok := v.Content()
	if !ok || v.Outcome != verdict.Passed {
		return xmltree.Node{}, fmt.Errorf("the question's own signature: %s %s", v.Outcome, v.Reason)
	}
	from := s.memberBySender(request.RequestInfo.Sender.SenderID)
	if from == nil || signedBy(v).Subject.BIN != from.bin {
		return xmltree.Node{}, fmt.Errorf("the question is signed by another organisation than its sender")
	}
	tree, err := content.Tree()
	if err != nil {
		return xmltree.Node{}, err
	}
	return tree.Root(), nil
}

// entity answers GbdulInfoByBin_v2: it knows the organisations of the cast.
func (s *Sim) entity(request *soap.SyncSendMessageRequest, trouble Trouble) (soap.Data, error) {
	root, err := s.signedQuestion(request)
	if err != nil {
		return soap.Data{}, err
	}
	if !root.Is(entityNS, "Request") && !root.Is(entityNS, "requestDataType") {
		return soap.Data{}, fmt.Errorf("the question's root must be Request or requestDataType")
	}
	bin, ok, err := root.Child("", "BIN")
	if err != nil || !ok {
		return soap.Data{}, fmt.Errorf("the question must hold one BIN")
	}
	c, err := cast()
	if err != nil {
		return soap.Data{}, err
	}
	n, err := registryWords()
	if err != nil {
		return soap.Data{}, err
	}
	var found *organization
	for _, key := range slices.Sorted(maps.Keys(c.Organizations)) {
		o := c.Organizations[key]
		if (o.BIN == bin.Text()) != trouble.OtherPerson && !trouble.NoData {
			found = &o
			break
		}
	}
	doc := newDocument()
	out := doc.CreateElement("n:responseDataType")
	out.CreateAttr("xmlns:n", entityNS)
	status := out.CreateElement("Status")
	if found == nil {
		status.CreateElement("Code").SetText(entityNoData)
		status.CreateElement("NameRu").SetText(n.NoData.RU)
	} else {
		status.CreateElement("Code").SetText(entityFound)
		status.CreateElement("NameRu").SetText(n.Found.RU)
		org := out.CreateElement("Organization")
		org.CreateElement("BIN").SetText(found.BIN)
		org.CreateElement("RegStatus").CreateElement("NameRu").SetText(n.Registered.RU)
		org.CreateElement("RegistrationDate").SetText("2001-05-04+06:00")
		org.CreateElement("FullNameRu").SetText(found.Name)
		org.CreateElement("FullNameKz").SetText(found.Name)
	}
	document, err := doc.WriteToBytes()
	if err != nil {
		return soap.Data{}, err
	}
	signed, err := signature.SignEnveloped(document, s.members["entities"].signing(), signature.SignOptions{})
	return soap.EscapedData(signed), err
}

// Power is a power of attorney in the notaries' registry. Principal and
// Representative are keys or IINs of people.
type Power struct {
	Number         string `yaml:"number" json:"number"`
	Date           string `yaml:"date" json:"date"` // 2006-01-02, as the other dates
	ValidFrom      string `yaml:"valid_from" json:"valid_from,omitempty"`
	ValidUntil     string `yaml:"valid_until" json:"valid_until"`
	Principal      string `yaml:"principal" json:"principal"`
	Representative string `yaml:"representative" json:"representative"`
	Scope          string `yaml:"scope" json:"scope,omitempty"`
	State          string `yaml:"state" json:"state,omitempty"` // empty (in force), revoked, expired
}

// powerOfAttorney answers the service of the shape.
func (s *Sim) powerOfAttorney(request *soap.SyncSendMessageRequest, trouble Trouble) (soap.Data, error) {
	var root xmltree.Node
	var err error
	if s.shape.Request.Data.Signed == "inner" {
		root, err = s.signedQuestion(request)
	} else {
		var doc *xmltree.Document
		if doc, err = xmltree.Parse(documentOf(request.RequestData.Data), xmltree.DefaultLimits()); err == nil {
			root = doc.Root()
		}
	}
	if err != nil {
		return soap.Data{}, err
	}
	asked, err := s.shape.ReadQuestion(root)
	if err != nil {
		return soap.Data{}, err
	}
	document, err := s.powerDocument(asked["number"], trouble)
	if err != nil {
		return soap.Data{}, err
	}
	if s.shape.Answer.Data.Signed == "inner" {
		if document, err = signature.SignEnveloped(document, s.members["notary"].signing(), signature.SignOptions{}); err != nil {
			return soap.Data{}, err
		}
	}
	return inForm(document, s.shape.Answer.Data.Form)
}

// powerDocument is the answer about a number, in the words of the shape.
func (s *Sim) powerDocument(number string, trouble Trouble) ([]byte, error) {
	answer := &s.shape.Answer
	p, ok := s.powers.find(number, trouble.OtherPerson)
	if !ok || trouble.NoData {
		return s.shape.AnswerDocument(answer.NoData[0], nil)
	}
	n, err := registryWords()
	if err != nil {
		return nil, err
	}
	codes := map[string][]string{"": answer.Found, "revoked": answer.Revoked, "expired": answer.Expired}[p.State]
	if len(codes) == 0 {
		return nil, fmt.Errorf("the shape has no code for a power of attorney that is %s", p.State)
	}
	iin := func(who string) string {
		if person, ok := s.Person(who); ok {
			return person.IIN
		}
		return who
	}
	return s.shape.AnswerDocument(codes[0], map[string]string{
		"number": p.Number, "date": p.Date, "valid_from": p.ValidFrom, "valid_until": p.ValidUntil, "principal_iin": iin(p.Principal),
		"representative_iin": iin(p.Representative), "notary": n.Notary.RU, "scope": p.Scope,
	})
}
