package client

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/soap"
	"kopir/mappings"
	"kopir/signature/xmltree"
)

const iin = "900101300017"

// personData is the answer of testdata as Build takes it, with edits.
func personData(t *testing.T, edits ...string) soap.Data {
	t.Helper()
	src, err := os.ReadFile("../../testdata/soap/person-answer.xml")
	if err != nil {
		t.Fatal(err)
	}
	s := strings.TrimSpace(string(src))
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(s, edits[i]) {
			t.Fatalf("the sample has no %q", edits[i])
		}
		s = strings.Replace(s, edits[i], edits[i+1], 1)
	}
	return soap.NestedData([]byte(strings.TrimSuffix(strings.TrimPrefix(s, "<data>"), "</data>")))
}

// read gives data as it is read.
func read(t *testing.T, d soap.Data) soap.Data {
	t.Helper()
	src, err := soap.Build(&soap.SyncSendMessageResponse{ResponseInfo: soap.SyncMessageInfoResponse{MessageID: "a", ResponseDate: now}, ResponseData: soap.ResponseData{Data: d}})
	if err != nil {
		t.Fatal(err)
	}
	doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	m, err := soap.Read(doc)
	if err != nil {
		t.Fatal(err)
	}
	return m.Data()
}

func TestReadPerson(t *testing.T) {
	inner := string(personData(t).XML)
	for name, d := range map[string]soap.Data{
		"below data":          soap.NestedData([]byte(inner)),
		"one element":         soap.NestedData([]byte("<response>" + inner + "</response>")),
		"one, with namespace": soap.NestedData([]byte("<r:response xmlns:r='urn:r'>" + inner + "</r:response>")),
		"escaped":             soap.EscapedData([]byte("<?xml version='1.0'?><response>" + inner + "</response>")),
		"with signature":      soap.NestedData([]byte(inner + "<ds:Signature xmlns:ds='" + soap.DSig + "'/>")),
	} {
		t.Run(name, func(t *testing.T) {
			a, err := ReadPerson(read(t, d))
			if err != nil {
				t.Fatal(err)
			}
			p := a.Person
			if a.Result.Code != PersonFound || a.RequestID != "q-1" || !a.Sender.ChangeDate.IsZero() || a.Sender.NameKz != "ЖТ МДҚ" {
				t.Errorf("answer %+v", a)
			}
			if p.IIN != iin || p.Surname != "ТЕСТОВ" || p.Patronymic != "ТЕСТОВИЧ" || p.BirthDate != "1990-01-01" || p.Gender.NameRu != "Мужской" ||
				p.Gender.ChangeDate.UTC().Hour() != 10 || p.BirthPlace.City != "ТЕСТ" || p.Address.ARCode != "0201" || p.Address.BeginDate != "2015-01-01" {
				t.Errorf("person %+v", p)
			}
			if len(p.Documents) != 2 || p.Documents[0].BeginDate != "2015-01-01" || p.Documents[1].Number != "N1" {
				t.Errorf("documents %+v", p.Documents)
			}
		})
	}
}

// TestReadPersonReachesEveryField gives every element of the record a value of
// its own, so that two fields that read the same element are seen.
func TestReadPersonReachesEveryField(t *testing.T) {
	a, err := ReadPerson(read(t, personData(t)))
	if err != nil {
		t.Fatal(err)
	}
	if a.Person.EngSurname != "" || !reflect.DeepEqual(a.Person.LifeStatus, Coded{}) {
		t.Errorf("what is not there was read: %+v", a.Person)
	}
	full := `<messageResult><code>00000</code></messageResult><persons><person>` +
		`<iin>1</iin><surname>2</surname><name>3</name><patronymic>4</patronymic><engFirstName>5</engFirstName><engSurname>6</engSurname><birthDate>2001-01-07</birthDate>` +
		`<gender><code>8</code></gender><nationality><code>9</code></nationality><citizenship><code>10</code></citizenship><lifeStatus><code>11</code></lifeStatus>` +
		`<birthPlace><country><code>12</code></country><district><code>13</code></district><region><code>14</code></region><city>15</city></birthPlace>` +
		`<regAddress><country><code>16</code></country><district><code>17</code></district><region><code>18</code></region><street>19</street><building>20</building>` +
		`<flat>21</flat><beginDate>2001-01-22</beginDate><status><code>23</code></status><invalidity><code>24</code></invalidity><arCode>25</arCode></regAddress>` +
		`<documents><document><type><code>26</code></type><number>27</number><beginDate>2001-01-28</beginDate><endDate>2001-01-29</endDate>` +
		`<issueOrganization><code>30</code></issueOrganization><status><code>31</code></status><invalidityDate>2002-01-01</invalidityDate>` +
		`<surname>33</surname><name>34</name><patronymic>35</patronymic><birthDate>2002-01-02</birthDate></document></documents></person></persons>`
	if a, err = ReadPerson(read(t, soap.NestedData([]byte(full)))); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		switch {
		case v.Type() == reflect.TypeFor[Coded]():
			walk(v.Field(0), path)
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i), path+"."+v.Type().Field(i).Name)
			}
		case v.Kind() == reflect.Slice:
			walk(v.Index(0), path)
		case v.String() == "":
			t.Errorf("%s was not read", path)
		case seen[v.String()] != "":
			t.Errorf("%s and %s are both %s", path, seen[v.String()], v.String())
		default:
			seen[v.String()] = path
		}
	}
	walk(reflect.ValueOf(*a.Person), "")
	if len(seen) != 36 {
		t.Errorf("%d values", len(seen))
	}
}

func TestReadPersonRefuses(t *testing.T) {
	for name, d := range map[string]soap.Data{
		"nothing":          {Form: soap.Empty},
		"no result":        personData(t, "<messageResult>", "<messageResult2>", "</messageResult>", "</messageResult2>"),
		"result, no code":  personData(t, "<code>00000</code>", ""),
		"two results":      personData(t, "<messageResult>", "<messageResult/><messageResult>"),
		"two persons":      personData(t, "</person>", "</person><person/>"),
		"two numbers":      personData(t, "<surname>", "<iin>000000000000</iin><surname>"),
		"element in value": personData(t, iin, "<b/>"),
		"no date":          personData(t, "1990-01-01+06:00", "01.01.1990"),
		"no time":          personData(t, "2008-03-01T16:40:48.000+06:00", "yesterday"),
		"escaped, no XML":  soap.EscapedData([]byte("no XML")),
		"plain text":       {Form: soap.Untyped, Text: []byte("text")},
	} {
		if a, err := ReadPerson(read(t, d)); err == nil || a != nil {
			t.Errorf("%s: %+v", name, a)
		} else if strings.Contains(err.Error(), iin) {
			t.Errorf("%s: the error quotes the person: %v", name, err)
		}
	}
}

// asked starts an end that answers everything alike, lets a registry ask it,
// and gives what it was asked.
func askedOf(t *testing.T, make func(*Sync) gateway.Registry, answer soap.Data) (*soap.SyncSendMessageRequest, gateway.Finding, error) {
	t.Helper()
	var asked *soap.SyncSendMessageRequest
	e := newEnd(t, func(m *soap.Message) (int, soap.Payload, string) {
		asked = m.Payload.(*soap.SyncSendMessageRequest)
		return 200, &soap.SyncSendMessageResponse{
			ResponseInfo: soap.SyncMessageInfoResponse{MessageID: "a", ResponseDate: now, Status: soap.StatusInfo{Code: "SCSS001"}},
			ResponseData: soap.ResponseData{Data: answer},
		}, ""
	})
	f, err := make(newSync(t, unsigned(e.URL))).Ask(context.Background(), gateway.Question{MessageID: "q-1", Subject: iin, At: now})
	if len(f.Answer) == 0 || len(f.Asked) == 0 {
		t.Error("no evidence")
	}
	return asked, f, err
}

// persons makes a register of persons over a channel.
func persons(r *Persons) func(*Sync) gateway.Registry {
	return func(channel *Sync) gateway.Registry {
		r.Channel = channel
		return r
	}
}

func names(d soap.Data) (list []string) {
	for e := range d.Node.Elements() {
		list = append(list, e.Local()+"="+e.Text())
	}
	return list
}

func value(f gateway.Finding, name string) string {
	for _, x := range f.Facts {
		if x.Name == name {
			return x.Value
		}
	}
	return ""
}

// The two variants of the question, untyped and typed.
func TestPersons(t *testing.T) {
	asked, f, err := askedOf(t, persons(&Persons{SenderCode: "MIO"}), personData(t))
	if err != nil || f.Standing != gateway.Found || value(f, "iin") != iin || value(f, "surname") != "ТЕСТОВ" || value(f, "given_name") != "ТЕСТ" || value(f, "patronymic") != "ТЕСТОВИЧ" {
		t.Errorf("%s %v %v", f.Standing, f.Facts, err)
	}
	for _, x := range f.Facts {
		if !slices.Contains(mappings.RegistryFacts(mappings.Persons), x.Name) {
			t.Errorf("%s is no fact of a description", x.Name)
		}
	}
	if i := asked.RequestInfo; i.ServiceID != PersonService || i.MessageID != "q-1" || i.Sender.SenderID != "AKIMAT" || !i.MessageDate.Equal(now) {
		t.Errorf("asked %+v", i)
	}
	want := []string{"messageId=q-1", "messageDate=2026-01-15T10:00:00.000+05:00", "senderCode=MIO", "iin=" + iin}
	if d := asked.RequestData.Data; !slices.Equal(names(d), want) || !d.Type.IsZero() {
		t.Errorf("asked %v of type %v", names(d), d.Type)
	}
	asked, _, err = askedOf(t, persons(&Persons{SenderCode: "MIO", Typed: true, ServiceID: "OWN"}), personData(t))
	if d := asked.RequestData.Data; err != nil || d.Type.Space != personTypes || d.Type.Local != "Request" || asked.RequestInfo.ServiceID != "OWN" || !slices.Equal(names(d), want) {
		t.Errorf("asked %v of type %v, %v", names(d), d.Type, err)
	}
}

func TestPersonsAnswers(t *testing.T) {
	none := soap.NestedData([]byte("<messageResult><code>40404</code></messageResult>"))
	if _, f, err := askedOf(t, persons(&Persons{NoData: []string{"40404"}}), none); err != nil || f.Standing != gateway.NoData {
		t.Errorf("no data: %v %v", f.Standing, err)
	}
	var re *ResultError
	if _, f, err := askedOf(t, persons(&Persons{}), none); !errors.As(err, &re) || re.Code != "40404" || f.Standing != "" {
		t.Errorf("unknown code: %v %v", f.Standing, err)
	}
	if _, f, err := askedOf(t, persons(&Persons{}), soap.NestedData([]byte("<messageResult><code>00000</code></messageResult><persons/>"))); err != nil || f.Standing != gateway.NoData {
		t.Errorf("found nobody: %v %v", f.Standing, err)
	}
	if _, f, err := askedOf(t, persons(&Persons{}), personData(t, iin, "850505400028")); err == nil || f.Standing != "" {
		t.Error("an answer about somebody else was taken")
	} else if strings.Contains(err.Error(), iin) || strings.Contains(err.Error(), "850505400028") {
		t.Errorf("the error quotes a person: %v", err)
	}
}

func TestRegistryFaults(t *testing.T) {
	for code, permanent := range map[string]bool{"SCE001": true, "SCE004": false} {
		e := newEnd(t, func(m *soap.Message) (int, soap.Payload, string) {
			return 500, soap.NewFault(m.Operation, "Server", code, "text", now), ""
		})
		r := &Persons{Channel: newSync(t, unsigned(e.URL))}
		f, err := r.Ask(context.Background(), gateway.Question{MessageID: "q-1", Subject: iin, At: now})
		se, _ := err.(*gateway.SendError)
		if se == nil || se.Permanent != permanent || se.Code != code || len(f.Answer) == 0 {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// consent makes the consent service answer with elements in its namespace.
func consentData(inner string) soap.Data {
	return soap.NestedData([]byte(`<k:response xmlns:k="` + consentNS + `">` + inner + `</k:response>`))
}

// What the consent service says, and what comes of it. Only a consent with a
// token opens the register.
func TestConsent(t *testing.T) {
	given := consentData("<k:status>VALID</k:status><k:code>T&lt;ok\nen</k:code><k:public-key>K\n</k:public-key>")
	ask := func(c *Consents, q gateway.Question, answer soap.Data) (asked *soap.SyncSendMessageRequest, got Consent, f gateway.Finding, err error) {
		e := newEnd(t, func(m *soap.Message) (int, soap.Payload, string) {
			asked = m.Payload.(*soap.SyncSendMessageRequest)
			return 200, &soap.SyncSendMessageResponse{ResponseInfo: soap.SyncMessageInfoResponse{MessageID: "a", ResponseDate: now, Status: soap.StatusInfo{Code: "SCSS001"}}, ResponseData: soap.ResponseData{Data: answer}}, ""
		})
		c.Channel, c.Refused, c.Expired = newSync(t, unsigned(e.URL)), []string{"REFUSED"}, []string{"EXPIRED"}
		f, err = c.ask(context.Background(), q, &got)
		return asked, got, f, err
	}
	q := gateway.Question{MessageID: "q-1", Subject: iin, At: now}
	c := &Consents{Company: "A&B", CompanyBIN: "010540000009", Responsible: "R", Employee: "E", PersonalData: "address", Lifetime: time.Hour, Now: func() time.Time { return now }}
	asked, got, f, err := ask(c, q, given)
	if err != nil || f.Standing != "" || got.Token != "T<oken" || got.PublicKey != "K" || len(got.answer) == 0 {
		t.Fatalf("%+v %v %v", got, f.Standing, err)
	}
	want := []string{"uin=" + iin, "company=A&B", "company_bin=010540000009", "company_responsible=R", "employee_name=E", "access_name=" + PersonServiceConsent, "personal_data_name=address", "expiresIn=3600000", "omit-sms=false"}
	if !slices.Equal(names(asked.RequestData.Data), want) || asked.RequestInfo.ServiceID != ConsentService {
		t.Errorf("asked %v of %s", names(asked.RequestData.Data), asked.RequestInfo.ServiceID)
	}
	q.Again = true
	if asked, got, _, err = ask(c, q, consentData("<k:status>PENDING</k:status>")); asked != nil || got.Token == "" || err != nil {
		t.Errorf("a consent that is still good was asked for again: %v", err)
	}
	now := now.Add(time.Hour)
	c.Now = func() time.Time { return now }
	for name, x := range map[string]struct {
		answer  soap.Data
		refused bool
	}{
		"pending":       {consentData("<k:status>PENDING</k:status>"), false},
		"expired":       {consentData("<k:status>EXPIRED</k:status>"), false},
		"unknown":       {consentData("<k:status>MAYBE</k:status>"), false},
		"no token":      {consentData("<k:status>VALID</k:status>"), false},
		"no status":     {consentData("<k:code>T</k:code>"), false},
		"refused":       {consentData("<k:status>REFUSED</k:status>"), true},
		"refused, bare": {soap.NestedData([]byte("<status>REFUSED</status>")), true},
	} {
		asked, got, f, err := ask(c, q, x.answer)
		if (f.Standing == gateway.NoData && f.Reason == gateway.ConsentRefused) != x.refused || (err == nil) != x.refused || got.Token != "" || f.Standing == gateway.Found {
			t.Errorf("%s: %v %v %v", name, f.Standing, f.Reason, err)
		}
		if err != nil && strings.Contains(err.Error(), iin) {
			t.Errorf("%s: the error quotes the person: %v", name, err)
		}
		if !slices.Contains(names(asked.RequestData.Data), "omit-sms=true") {
			t.Errorf("%s: the person gets a message with each try", name)
		}
	}
}

// The ticket is a token that anybody verifies with the public key.
func TestConsentTicket(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	token, err := ticket(key, "010540000009", now)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(token, ".")
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	value, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], value) != nil {
		t.Error("the signature does not hold", err)
	}
	claims, _ := base64.RawURLEncoding.DecodeString(parts[1])
	if want := fmt.Sprintf(`{"cbin":"010540000009","mcheck":true,"iat":%d,"exp":%d}`, now.Unix(), now.Unix()+300); string(claims) != want {
		t.Errorf("%s, want %s", claims, want)
	}
}

// The answer of CONTRACT.md's sample, and what it can lack.
func TestEntities(t *testing.T) {
	const bin = "123456789012"
	answer := func(code, org string) soap.Data {
		return soap.EscapedData([]byte(`<n:responseDataType xmlns:n="` + entityNS + `"><Status><Code>` + code + `</Code></Status>` + org + `</n:responseDataType>`))
	}
	org := `<Organization><BIN>` + bin + `</BIN><RegStatus><NameRu>S</NameRu></RegStatus><RegistrationDate>2020-01-15+06:00</RegistrationDate><FullNameRu>R</FullNameRu><FullNameKz>K</FullNameKz>` +
		`<OrganizationLeader><IIN>` + iin + `</IIN></OrganizationLeader><Address><DistrictRu>D</DistrictRu><CityRu>-</CityRu><StreetRu>T</StreetRu></Address></Organization>`
	var asked *soap.SyncSendMessageRequest
	ask := func(root string, data soap.Data) (gateway.Finding, error) {
		e := newEnd(t, func(m *soap.Message) (int, soap.Payload, string) {
			asked = m.Payload.(*soap.SyncSendMessageRequest)
			return 200, &soap.SyncSendMessageResponse{ResponseInfo: soap.SyncMessageInfoResponse{MessageID: "a", ResponseDate: now, Status: soap.StatusInfo{Code: "SCSS001"}}, ResponseData: soap.ResponseData{Data: data}}, ""
		})
		r := &Entities{Channel: newSync(t, unsigned(e.URL)), Requestor: "010540000009", Root: root, NoData: []string{"404"}, Sign: func(b []byte) ([]byte, error) { return append(b, "<!--signed-->"...), nil }}
		return r.Ask(context.Background(), gateway.Question{MessageID: "q-1", Subject: bin, At: now})
	}
	f, err := ask("", answer("002", org))
	if err != nil || f.Standing != gateway.Found || value(f, "name_kk") != "K" || value(f, "status") != "S" || value(f, "registered") != "2020-01-15" || value(f, "leader_iin") != iin || value(f, "address") != "D, T" {
		t.Errorf("%v %v %v", f.Standing, f.Facts, err)
	}
	for _, x := range f.Facts {
		if !slices.Contains(mappings.RegistryFacts(mappings.Entities), x.Name) {
			t.Errorf("%s is no fact of a description", x.Name)
		}
	}
	want := `<ns2:Request xmlns:ns2="` + entityNS + `"><RequestorBIN>010540000009</RequestorBIN><BIN>` + bin + `</BIN></ns2:Request><!--signed-->`
	if got := string(asked.RequestData.Data.Document()); got != want || asked.RequestInfo.ServiceID != EntityService {
		t.Errorf("asked %s of %s", got, asked.RequestInfo.ServiceID)
	}
	if f, err = ask("requestDataType", answer("404", "")); err != nil || f.Standing != gateway.NoData || !strings.Contains(string(asked.RequestData.Data.Document()), "ns2:requestDataType") {
		t.Errorf("no data: %v %v", f.Standing, err)
	}
	for name, data := range map[string]soap.Data{
		"unknown code": answer("500", ""), "another": answer("002", strings.ReplaceAll(org, bin, "210987654321")), "no status": soap.EscapedData([]byte("<a/>")), "no XML": soap.EscapedData([]byte("none")),
	} {
		if f, err := ask("", data); err == nil || f.Standing != "" {
			t.Errorf("%s was taken: %v", name, f.Standing)
		} else if strings.Contains(err.Error(), bin) {
			t.Errorf("%s: the error quotes the number", name)
		}
	}
}
