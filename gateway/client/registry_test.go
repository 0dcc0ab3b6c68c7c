package client

import (
	"context"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"kopir/gateway"
	"kopir/gateway/soap"
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

// askedOf starts a register and gives what it was asked.
func askedOf(t *testing.T, r *Registry, answer soap.Data) (*soap.SyncSendMessageRequest, gateway.Person, error) {
	t.Helper()
	var asked *soap.SyncSendMessageRequest
	e := newEnd(t, func(m *soap.Message) (int, soap.Payload, string) {
		asked = m.Payload.(*soap.SyncSendMessageRequest)
		return 200, &soap.SyncSendMessageResponse{
			ResponseInfo: soap.SyncMessageInfoResponse{MessageID: "a", ResponseDate: now, Status: soap.StatusInfo{Code: "SCSS001"}},
			ResponseData: soap.ResponseData{Data: answer},
		}, ""
	})
	r.Channel = newSync(t, unsigned(e.URL))
	p, err := r.Person(context.Background(), gateway.PersonQuery{MessageID: "q-1", IIN: iin, At: now})
	if len(p.Answer) == 0 {
		t.Error("no evidence")
	}
	return asked, p, err
}

func names(d soap.Data) (list []string) {
	for e := range d.Node.Elements() {
		list = append(list, e.Local()+"="+e.Text())
	}
	return list
}

func TestRegistry(t *testing.T) {
	asked, p, err := askedOf(t, &Registry{SenderCode: "MIO"}, personData(t))
	if err != nil || !p.Found || p.IIN != iin || p.Surname != "ТЕСТОВ" || p.GivenName != "ТЕСТ" || p.Patronymic != "ТЕСТОВИЧ" {
		t.Errorf("%v %v %v", p.Found, p.Surname, err)
	}
	if i := asked.RequestInfo; i.ServiceID != PersonService || i.MessageID != "q-1" || i.Sender.SenderID != "AKIMAT" || !i.MessageDate.Equal(now) {
		t.Errorf("asked %+v", i)
	}
	want := []string{"messageId=q-1", "messageDate=2026-01-15T10:00:00.000+05:00", "senderCode=MIO", "iin=" + iin}
	if d := asked.RequestData.Data; !slices.Equal(names(d), want) || !d.Type.IsZero() {
		t.Errorf("asked %v of type %v", names(d), d.Type)
	}
	asked, _, err = askedOf(t, &Registry{SenderCode: "MIO", Typed: true, ServiceID: "OWN", Consent: func(_ context.Context, who gateway.IIN) (Consent, error) {
		return Consent{"T<oken", "K"}, nil
	}}, personData(t))
	if d := asked.RequestData.Data; err != nil || d.Type.Space != personTypes || d.Type.Local != "Request" || asked.RequestInfo.ServiceID != "OWN" ||
		!slices.Equal(names(d), append(want, "kdpToken=T<oken", "publicKey=K")) {
		t.Errorf("asked %v of type %v, %v", names(d), d.Type, err)
	}
	asked, _, _ = askedOf(t, &Registry{Consent: func(context.Context, gateway.IIN) (Consent, error) { return Consent{"t", "k"}, nil }}, personData(t))
	if asked.RequestInfo.ServiceID != PersonServiceConsent {
		t.Errorf("asked %s", asked.RequestInfo.ServiceID)
	}
}

func TestRegistryAnswers(t *testing.T) {
	none := soap.NestedData([]byte("<messageResult><code>40404</code></messageResult>"))
	if _, p, err := askedOf(t, &Registry{NoData: []string{"40404"}}, none); err != nil || p.Found {
		t.Errorf("no data: %v %v", p.Found, err)
	}
	var re *ResultError
	if _, p, err := askedOf(t, &Registry{}, none); !errors.As(err, &re) || re.Result.Code != "40404" || p.Found {
		t.Errorf("unknown code: %v %v", p.Found, err)
	}
	if _, p, err := askedOf(t, &Registry{}, soap.NestedData([]byte("<messageResult><code>00000</code></messageResult><persons/>"))); err != nil || p.Found {
		t.Errorf("found nobody: %v %v", p.Found, err)
	}
	if _, p, err := askedOf(t, &Registry{}, personData(t, iin, "850505400028")); err == nil || p.Found {
		t.Error("an answer about somebody else was taken")
	} else if strings.Contains(err.Error(), iin) || strings.Contains(err.Error(), "850505400028") {
		t.Errorf("the error quotes a person: %v", err)
	}
	r := &Registry{Consent: func(context.Context, gateway.IIN) (Consent, error) { return Consent{}, errors.New("not given") }}
	if _, err := r.Person(context.Background(), gateway.PersonQuery{}); err == nil {
		t.Error("asked without consent")
	}
}

func TestRegistryFaults(t *testing.T) {
	for code, permanent := range map[string]bool{"SCE001": true, "SCE004": false} {
		e := newEnd(t, func(m *soap.Message) (int, soap.Payload, string) {
			return 500, soap.NewFault(m.Operation, "Server", code, "text", now), ""
		})
		r := &Registry{Channel: newSync(t, unsigned(e.URL))}
		p, err := r.Person(context.Background(), gateway.PersonQuery{MessageID: "q-1", IIN: iin, At: now})
		se, _ := err.(*gateway.SendError)
		if se == nil || se.Permanent != permanent || se.Code != code || len(p.Answer) == 0 {
			t.Errorf("%s: %v", code, err)
		}
	}
}
