package soap

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"kopir/signature/xmltree"
)

var payloads = []Payload{
	&SyncSendMessageRequest{}, &SyncSendMessageResponse{},
	&AsyncSendMessageRequest{}, &AsyncSendMessageResponse{},
	&AsyncSendDeliveryNotificationRequest{}, &AsyncSendDeliveryNotificationResponse{},
	&AsyncGetMessageStatusRequest{}, &AsyncGetMessageStatusResponse{},
	&AsyncGetMessagesRequest{}, &AsyncGetMessagesResponse{},
	&AsyncChangeStatusNotifyRequest{}, &AsyncChangeStatusNotifyResponse{},
}

// filler fills wire types with values that are all different.
type filler struct {
	n       int
	options bool // fill what is optional too
	depth   int
}

func (f *filler) fill(v reflect.Value) {
	for _, field := range plan(v.Type()) {
		if field.shape == ignoredShape || field.optional && !f.options {
			continue
		}
		target := v.Field(field.index)
		if field.repeated {
			for range 2 {
				element := reflect.New(field.group).Elem()
				f.fill(element)
				target.Set(reflect.Append(target, element))
			}
			continue
		}
		f.n++
		switch field.shape {
		case groupShape:
			if target.Kind() == reflect.Pointer {
				if field.group == v.Type() && f.depth > 2 {
					continue
				}
				f.depth++
				target.Set(reflect.New(field.group))
				f.fill(target.Elem())
				f.depth--
				continue
			}
			f.fill(target)
		case timeShape:
			zone := time.FixedZone("", 5*3600)
			target.Set(reflect.ValueOf(time.Date(2026, 1, 15, 10, 0, f.n%60, 123e6, zone)))
		case intShape:
			target.SetInt(int64(f.n))
		case enumShape:
			target.SetString(field.values[f.n%len(field.values)])
		case dataShape:
			target.Set(reflect.ValueOf(EscapedData(fmt.Appendf(nil, "<?xml version=\"1.0\"?>\r\n<a b=\"&quot;\">]]&gt;%d</a>", f.n))))
		default:
			s := fmt.Sprintf("т<&>\"'%d", f.n)
			if field.guid {
				s = fmt.Sprintf("{0f0e0d0c-0b0a-4908-8706-%012d}", f.n)
			}
			if field.exact {
				s = "  " + s + "\t\r\n "
			}
			target.SetString(s)
		}
	}
}

func filled(p Payload, options bool) Payload {
	v := reflect.New(reflect.TypeOf(p).Elem())
	(&filler{options: options}).fill(v.Elem())
	return v.Interface().(Payload)
}

// TestRoundTrip builds every message with everything and with nothing optional
// in it, and reads it back.
func TestRoundTrip(t *testing.T) {
	for _, p := range payloads {
		for _, options := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/options=%v", reflect.TypeOf(p).Elem().Name(), options), func(t *testing.T) {
				want := filled(p, options)
				out, err := Build(want)
				if err != nil {
					t.Fatal(err)
				}
				again, err := Build(want)
				if err != nil || string(again) != string(out) {
					t.Errorf("built twice, two results (%v)", err)
				}
				m := mustRead(t, string(out))
				op, kind := want.message()
				if m.Operation != op || m.Kind != kind {
					t.Errorf("read as %s %s, built as %s %s", m.Operation, m.Kind, op, kind)
				}
				if got := stripped(m.Payload); !reflect.DeepEqual(got, stripped(want)) {
					t.Errorf("read back\n%s\nwant\n%s", dump(got), dump(want))
				}
				validate(t, out)
			})
		}
	}
}

func TestRoundTripFault(t *testing.T) {
	info := &ErrorInfo{}
	(&filler{options: true}).fill(reflect.ValueOf(info).Elem())
	for op := range operations {
		for _, code := range []string{"Server", "Client.Authentication", "SCE909"} {
			want := &Fault{Operation: op, Code: code, String: "текст <&>", Info: info}
			out, err := Build(want)
			if err != nil {
				t.Fatal(err)
			}
			m := mustRead(t, string(out))
			if m.Kind != FaultKind || m.Operation != op {
				t.Errorf("%s: read as %s %s", op, m.Operation, m.Kind)
			}
			if !reflect.DeepEqual(m.Payload, want) {
				t.Errorf("%s: read back\n%s\nwant\n%s", op, dump(m.Payload), dump(want))
			}
			validate(t, out)
		}
	}
	out, err := Build(&Fault{Code: "Client", String: "no detail"})
	if err != nil {
		t.Fatal(err)
	}
	if f := mustRead(t, string(out)).Payload.(*Fault); f.Info != nil || f.Code != "Client" || f.Operation != NoOperation {
		t.Errorf("fault without detail: %s", dump(f))
	}
}

func TestBuildRefuses(t *testing.T) {
	good := func() *SyncSendMessageRequest {
		return filled(&SyncSendMessageRequest{}, true).(*SyncSendMessageRequest)
	}
	for name, c := range map[string]struct {
		spoil func(*SyncSendMessageRequest)
		code  Code
		path  string
	}{
		"no message id": {func(p *SyncSendMessageRequest) { p.RequestInfo.MessageID = "" }, CodeMissing, "requestInfo/messageId"},
		"no date":       {func(p *SyncSendMessageRequest) { p.RequestInfo.MessageDate = time.Time{} }, CodeMissing, "requestInfo/messageDate"},
		"control character": {func(p *SyncSendMessageRequest) { p.RequestInfo.ServiceID = "a\x00b" }, CodeValue,
			"requestInfo/serviceId"},
		"broken UTF-8": {func(p *SyncSendMessageRequest) { p.RequestInfo.ServiceID = "a\xffb" }, CodeValue, "requestInfo/serviceId"},
		"session id without braces": {func(p *SyncSendMessageRequest) { p.RequestInfo.SessionID = "0f0e0d0c-0b0a-4908-8706-050403020100" },
			CodeValue, "requestInfo/sessionId"},
		"long property key": {func(p *SyncSendMessageRequest) { p.RequestInfo.Properties[1].Key = strings.Repeat("к", 31) }, CodeValue,
			"requestInfo/properties[2]/key"},
		"nested, no element":   {func(p *SyncSendMessageRequest) { p.RequestData.Data = NestedData([]byte("<!-- -->")) }, CodeData, "requestData/data"},
		"nested, text beside":  {func(p *SyncSendMessageRequest) { p.RequestData.Data = NestedData([]byte("<a/>b")) }, CodeData, "requestData/data"},
		"nested, not closed":   {func(p *SyncSendMessageRequest) { p.RequestData.Data = NestedData([]byte("<a>")) }, CodeData, "requestData/data"},
		"nested, breaks out":   {func(p *SyncSendMessageRequest) { p.RequestData.Data = NestedData([]byte("<a/></data><data>")) }, CodeData, "requestData/data"},
		"nested, needs prefix": {func(p *SyncSendMessageRequest) { p.RequestData.Data = NestedData([]byte("<ns2:a/>")) }, CodeData, "requestData/data"},
		"escaped, empty":       {func(p *SyncSendMessageRequest) { p.RequestData.Data = EscapedData(nil) }, CodeData, "requestData/data"},
		"form unknown":         {func(p *SyncSendMessageRequest) { p.RequestData.Data.Form = "x" }, CodeData, "requestData/data"},
	} {
		t.Run(name, func(t *testing.T) {
			p := good()
			c.spoil(p)
			out, err := Build(p)
			wantError(t, err, c.code, "Envelope/Body/SendMessage/request/"+c.path)
			if out != nil {
				t.Error("bytes beside an error")
			}
		})
	}
	t.Run("async needs data", func(t *testing.T) {
		p := filled(&AsyncSendMessageRequest{}, false).(*AsyncSendMessageRequest)
		p.MessageData.Data = Data{}
		_, err := Build(p)
		wantError(t, err, CodeMissing, "Envelope/Body/sendMessage/request/messageData/data")
	})
	t.Run("enumeration", func(t *testing.T) {
		p := filled(&AsyncSendMessageRequest{}, false).(*AsyncSendMessageRequest)
		p.MessageInfo.MessageType = "Request"
		_, err := Build(p)
		wantError(t, err, CodeValue, "Envelope/Body/sendMessage/request/messageInfo/messageType")
	})
	t.Run("nothing", func(t *testing.T) {
		for _, p := range []Payload{nil, (*Fault)(nil)} {
			_, err := Build(p)
			wantError(t, err, CodeOperation, "Envelope/Body")
		}
	})
	t.Run("long status", func(t *testing.T) {
		p := filled(&SyncSendMessageResponse{}, false).(*SyncSendMessageResponse)
		p.ResponseInfo.Status.Message = strings.Repeat("ө", 251)
		_, err := Build(p)
		wantError(t, err, CodeValue, "Envelope/Body/SendMessageResponse/response/responseInfo/status/message")
		p.ResponseInfo.Status.Message = ClipStatus(p.ResponseInfo.Status.Message)
		if _, err := Build(p); err != nil {
			t.Error(err)
		}
	})
}

// TestDataForms builds every form of data and reads the same document back.
func TestDataForms(t *testing.T) {
	document := "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<r a=\"&lt;\">]]&gt; т <![CDATA[x]]></r>"
	for name, c := range map[string]struct {
		in   Data
		form Form
		typ  string
	}{
		"escaped":  {EscapedData([]byte(document)), Escaped, "string"},
		"cdata":    {Data{Form: CDATA, Text: []byte(document)}, Escaped, "string"},
		"untyped":  {Data{Form: Untyped, Text: []byte(document)}, Untyped, ""},
		"spaced":   {Data{Form: Escaped, Space: "http://bip.bee.kz/SyncChannel/v10/Interfaces", Text: []byte(document)}, Escaped, "string"},
		"empty":    {Data{Form: Empty}, Empty, ""},
		"none":     {Data{}, NoData, ""},
		"nested":   {NestedData([]byte("<iin>1</iin><n:b xmlns:n='urn:x'> <c/>\r\n</n:b>")), Nested, ""},
		"typed":    {Data{Form: Nested, Type: TypeName{Space: "urn:foreign", Local: "Request"}, XML: []byte("<iin/>")}, Nested, "Request"},
		"string?!": {Data{Form: Nested, Type: TypeName{Space: Schema, Local: "string"}, XML: []byte("<iin/>")}, Nested, "string"},
	} {
		t.Run(name, func(t *testing.T) {
			p := filled(&SyncSendMessageRequest{}, false).(*SyncSendMessageRequest)
			p.RequestData.Data = c.in
			out, err := Build(p)
			if err != nil {
				t.Fatal(err)
			}
			d := mustRead(t, string(out)).Data()
			if d.Form != c.form || d.Type.Local != c.typ || d.Space != c.in.Space || string(d.Document()) != string(c.in.Document()) {
				t.Errorf("read form %q type %+v space %q text %q\nfrom %s", d.Form, d.Type, d.Space, d.Text, out)
			}
			if c.in.Type.Space != "" && d.Type.Space != c.in.Type.Space {
				t.Errorf("type %+v, want %+v", d.Type, c.in.Type)
			}
			if len(c.in.XML) > 0 && !strings.Contains(string(out), string(c.in.XML)) {
				t.Errorf("nested elements were written anew: %s", out)
			}
		})
	}
}

func mustRead(t *testing.T, src string) *Message {
	t.Helper()
	doc, err := xmltree.Parse([]byte(src), xmltree.DefaultLimits())
	if err != nil {
		t.Fatalf("%v in %s", err, src)
	}
	m, err := Read(doc)
	if err != nil {
		t.Fatalf("%v in %s", err, src)
	}
	return m
}

func wantError(t *testing.T, err error, code Code, path string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want %s at %s", err, code, path)
	}
	if e.Code != code || e.Path != path {
		t.Errorf("%s at %s (%s), want %s at %s", e.Code, e.Path, e.Detail, code, path)
	}
}

// stripped gives a copy without what only reading or only building sets.
func stripped(p Payload) Payload {
	v := reflect.New(reflect.TypeOf(p).Elem())
	v.Elem().Set(reflect.ValueOf(p).Elem())
	strip := func(d *Data) { d.Node, d.Type = xmltree.Node{}, TypeName{} }
	switch p := v.Interface().(type) {
	case *SyncSendMessageRequest:
		strip(&p.RequestData.Data)
	case *SyncSendMessageResponse:
		strip(&p.ResponseData.Data)
	case *AsyncSendMessageRequest:
		strip(&p.MessageData.Data)
	case *AsyncGetMessagesResponse:
		p.Messages = append([]AsyncMessage(nil), p.Messages...)
		for i := range p.Messages {
			strip(&p.Messages[i].MessageData.Data)
		}
	}
	eachTime(v.Elem(), func(t time.Time) time.Time { return t.UTC() })
	return v.Interface().(Payload)
}

// eachTime brings the times of a payload into one zone, so that equal ones are
// deeply equal.
func eachTime(v reflect.Value, f func(time.Time) time.Time) {
	switch {
	case v.Type() == timeType:
		v.Set(reflect.ValueOf(f(v.Interface().(time.Time))))
	case v.Type() == dataType:
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				eachTime(v.Field(i), f)
			}
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		for i := range v.Len() {
			eachTime(v.Index(i), f)
		}
	case v.Kind() == reflect.Pointer && !v.IsNil():
		eachTime(v.Elem(), f)
	}
}

func dump(v any) string { return fmt.Sprintf("%+v", reflect.ValueOf(v).Elem().Interface()) }

// validate asks xmllint whether the Body's message is valid against wsdl/; it
// does nothing where xmllint is not installed (.ci/witnesses installs it).
func validate(t *testing.T, envelope []byte) {
	t.Helper()
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		return
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "message.xml")
	if err := os.WriteFile(file, envelope, 0o600); err != nil {
		t.Fatal(err)
	}
	schemas, err := filepath.Abs("../../wsdl")
	if err != nil {
		t.Fatal(err)
	}
	schema := filepath.Join(dir, "all.xsd")
	if err := os.WriteFile(schema, fmt.Appendf(nil, envelopeSchema, schemas, schemas, schemas), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(xmllint, "--noout", "--nonet", "--schema", schema, file).CombinedOutput(); err != nil {
		t.Errorf("not valid: %v\n%s\n%s", err, out, envelope)
	}
}

// envelopeSchema is just enough of SOAP 1.1 to hold the contract's messages
// strictly.
const envelopeSchema = `<?xml version="1.0"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:s="http://bip.bee.kz/SyncChannel/v10/Types"
  targetNamespace="http://schemas.xmlsoap.org/soap/envelope/">
  <xs:import namespace="http://bip.bee.kz/SyncChannel/v10/Types" schemaLocation="%s/shep-sync-types.xsd"/>
  <xs:import namespace="http://bip.bee.kz/AsyncChannel/v10/Types" schemaLocation="%s/shep-async-types.xsd"/>
  <xs:import namespace="http://bip.bee.kz/AsyncChannel/v10/Types/Client" schemaLocation="%s/shep-async-client-types.xsd"/>
  <xs:element name="Envelope"><xs:complexType><xs:sequence>
    <xs:element ref="soap:Header" minOccurs="0"/><xs:element ref="soap:Body"/>
  </xs:sequence></xs:complexType></xs:element>
  <xs:element name="Header"><xs:complexType><xs:sequence><xs:any processContents="lax" minOccurs="0" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element>
  <xs:element name="Body"><xs:complexType>
    <xs:sequence><xs:any namespace="##any" processContents="strict"/></xs:sequence>
    <xs:anyAttribute namespace="##any" processContents="lax"/>
  </xs:complexType></xs:element>
  <xs:element name="Fault"><xs:complexType><xs:sequence>
    <xs:element name="faultcode" type="xs:string"/><xs:element name="faultstring" type="xs:string"/><xs:element name="faultactor" type="xs:string" minOccurs="0"/>
    <xs:element name="detail" minOccurs="0"><xs:complexType><xs:sequence><xs:any processContents="strict"/></xs:sequence></xs:complexType></xs:element>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>
`
