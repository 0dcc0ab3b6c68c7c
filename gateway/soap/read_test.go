package soap

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"kopir/signature/xmltree"
)

func sample(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "testdata", "soap", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// edit replaces text that must be there.
func edit(t *testing.T, s string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(s, pairs[i]) {
			t.Fatalf("the sample has no %q", pairs[i])
		}
		s = strings.Replace(s, pairs[i], pairs[i+1], 1)
	}
	return s
}

func TestReadSync(t *testing.T) {
	m := mustRead(t, sample(t, "sync-request.xml"))
	p := m.Payload.(*SyncSendMessageRequest)
	want := SyncMessageInfo{
		MessageID: "m-1", CorrelationID: "c-1", ServiceID: "TEST_SERVICE", RouteID: "R_TEST",
		MessageDate: time.Date(2026, 1, 15, 10, 0, 0, 0, time.FixedZone("", 5*3600)),
		Sender:      SenderInfo{SenderID: "TEST_SENDER", Password: " secret "},
		Properties:  []Property{{Key: "CONNECTOR_CLIENT", Value: "true"}, {Key: "SECOND"}},
		SessionID:   "{0f0e0d0c-0b0a-4908-8706-050403020100}",
	}
	eachTime(reflect.ValueOf(&want).Elem(), time.Time.UTC)
	eachTime(reflect.ValueOf(&p.RequestInfo).Elem(), time.Time.UTC)
	if !reflect.DeepEqual(p.RequestInfo, want) {
		t.Errorf("read %+v", p.RequestInfo)
	}
	if d := m.Data(); d.Form != Escaped || d.Type.Space != Schema || !strings.HasPrefix(string(d.Document()), "<?xml version=\"1.0\"?><application>") {
		t.Errorf("data %+v", d)
	}
	if m.Operation != SyncSendMessage || m.Kind != Request || m.MessageID() != "m-1" || m.Sender().SenderID != "TEST_SENDER" || m.ServiceID() != "TEST_SERVICE" || m.Signed() {
		t.Errorf("message %+v", m)
	}
}

// TestReadLiberal reads what partners were seen to send.
func TestReadLiberal(t *testing.T) {
	const date = "<messageDate>2026-01-15T10:00:00.000+05:00</messageDate>"
	sync := func(m *Message) *SyncMessageInfo { return &m.Payload.(*SyncSendMessageRequest).RequestInfo }
	at := func(want string) func(*testing.T, *Message) {
		return func(t *testing.T, m *Message) {
			if got := sync(m).MessageDate.UTC().Format(time.RFC3339Nano); got != want {
				t.Errorf("date %s, want %s", got, want)
			}
		}
	}
	for name, c := range map[string]struct {
		edits []string
		check func(*testing.T, *Message)
	}{
		"byte order mark":           {[]string{"<?xml", "\ufeff<?xml"}, at("2026-01-15T05:00:00Z")},
		"other order":               {[]string{date, "", "<sender>", date + "<sender>"}, at("2026-01-15T05:00:00Z")},
		"offset without colon":      {[]string{"00.000+05:00", "00.000+0600"}, at("2026-01-15T04:00:00Z")},
		"no zone since 2024":        {[]string{"00.000+05:00", "00"}, at("2026-01-15T05:00:00Z")},
		"no zone before 2024":       {[]string{"2026-01-15T10:00:00.000+05:00", "2021-02-09T17:26:36"}, at("2021-02-09T11:26:36Z")},
		"seven digits":              {[]string{"00.000+05:00", "00.1234567+05:00"}, at("2026-01-15T05:00:00.1234567Z")},
		"UTC":                       {[]string{"10:00:00.000+05:00", "05:00:00Z"}, at("2026-01-15T05:00:00Z")},
		"white space":               {[]string{">m-1<", ">\n   m-1\n  <"}, func(t *testing.T, m *Message) { same(t, m.MessageID(), "m-1") }},
		"comment in a value":        {[]string{">m-1<", ">m<!-- -->-1<"}, func(t *testing.T, m *Message) { same(t, m.MessageID(), "m-1") }},
		"empty session id":          {[]string{">{0f0e0d0c-0b0a-4908-8706-050403020100}<", "><"}, func(t *testing.T, m *Message) { same(t, sync(m).SessionID, "") }},
		"session id without braces": {[]string{"{0f0e0d0c-0b0a-4908-8706-050403020100}", "c5r93skf5g1a8t38tlpg"}, func(t *testing.T, m *Message) { same(t, sync(m).SessionID, "c5r93skf5g1a8t38tlpg") }},
		"empty route":               {[]string{"<routeId>R_TEST</routeId>", "<routeId/>"}, func(t *testing.T, m *Message) { same(t, sync(m).RouteID, "") }},
		"nil route":                 {[]string{"<routeId>R_TEST</routeId>", `<routeId xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>`}, func(t *testing.T, m *Message) { same(t, sync(m).RouteID, "") }},
		"empty properties":          {[]string{"<properties><key>CONNECTOR_CLIENT</key><value>true</value></properties>", "<properties/>"}, func(t *testing.T, m *Message) { same(t, sync(m).Properties[0].Key, "SECOND") }},
		"session id in sender":      {[]string{"</password>", "</password><sessionId>x</sessionId>"}, func(t *testing.T, m *Message) { same(t, m.Sender().SenderID, "TEST_SENDER") }},
		"xmlns empty":               {[]string{"<request>", `<request xmlns="">`}, nil},
		"default namespace undone":  {[]string{"ns2:SendMessage xmlns:ns2", "SendMessage xmlns", "/ns2:", "/", "<request>", `<request xmlns="">`}, nil},
		"data in another namespace": {[]string{"<data ", "<d:data xmlns:d='http://bip.bee.kz/SyncChannel/v10/Interfaces' ", "</data>", "</d:data>"}, func(t *testing.T, m *Message) {
			same(t, m.Data().Space, "http://bip.bee.kz/SyncChannel/v10/Interfaces")
			same(t, string(m.Data().Form), string(Escaped))
		}},
		"data in the instance namespace": {[]string{"<data ", "<data xmlns='http://www.w3.org/2001/XMLSchema-instance' ", " xsi:type", " type"}, func(t *testing.T, m *Message) {
			same(t, string(m.Data().Form), string(Escaped))
			same(t, m.Data().Type.Space, Schema)
		}},
		"data type, prefix not declared": {[]string{`xmlns:xs="http://www.w3.org/2001/XMLSchema" `, ""}, func(t *testing.T, m *Message) {
			same(t, string(m.Data().Form), string(Escaped))
			same(t, m.Data().Type.Local, "string")
		}},
		"data nested":            {[]string{`&lt;?xml version="1.0"?>&lt;application>&lt;iin>000000000000&lt;/iin>&lt;/application>`, "<application/>"}, func(t *testing.T, m *Message) { same(t, string(m.Data().Form), string(Nested)) }},
		"header of another node": {[]string{"<soap:Header/>", `<soap:Header><x soap:actor="urn:other" soap:mustUnderstand="1"/><w:Security xmlns:w="` + WSSE + `"/><w:Security soap:actor="urn:other" xmlns:w="` + WSSE + `"/></soap:Header>`}, nil},
		"header accepted":        {[]string{"<soap:Header/>", "<soap:Header><x:Action xmlns:x='urn:x' soap:mustUnderstand='0'/></soap:Header>"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := mustRead(t, edit(t, sample(t, "sync-request.xml"), c.edits...))
			if c.check != nil {
				c.check(t, m)
			}
		})
	}
	t.Run("data absent", func(t *testing.T) {
		src := sample(t, "sync-request.xml")
		from, to := strings.Index(src, "<data "), strings.Index(src, "</requestData>")
		same(t, string(mustRead(t, src[:from]+src[to:]).Data().Form), string(NoData))
	})
	t.Run("empty answer to a push", func(t *testing.T) {
		for _, answer := range []string{"", "<response/>", "<response xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:nil='true'/>"} {
			m := mustRead(t, `<s:Envelope xmlns:s="`+Envelope11+`"><s:Body><a:sendMessageResponse xmlns:a="`+AsyncTypes+`">`+answer+`</a:sendMessageResponse></s:Body></s:Envelope>`)
			if p := m.Payload.(*AsyncSendMessageResponse); *p != (AsyncSendMessageResponse{}) {
				t.Errorf("%q: %+v", answer, p)
			}
		}
	})
	t.Run("header signature", func(t *testing.T) {
		for _, header := range []string{`<w:Security xmlns:w="` + WSSE + `" soap:mustUnderstand="1"/>`, `<d:Signature xmlns:d="` + DSig + `"/>`} {
			if m := mustRead(t, edit(t, sample(t, "sync-request.xml"), "<soap:Header/>", "<soap:Header>"+header+"</soap:Header>")); !m.Signed() {
				t.Errorf("%s not seen", header)
			}
		}
	})
}

// TestReadRefuses lists what is wrong and where.
func TestReadRefuses(t *testing.T) {
	const root, request = "Envelope/Body/SendMessage", "Envelope/Body/SendMessage/request"
	const info = request + "/requestInfo"
	for name, c := range map[string]struct {
		edits []string
		code  Code
		path  string
	}{
		"SOAP 1.2":              {[]string{Envelope11, Envelope12}, CodeVersion, "Envelope"},
		"no envelope":           {[]string{Envelope11, "urn:other"}, CodeNotSOAP, "Envelope"},
		"two headers":           {[]string{"<soap:Header/>", "<soap:Header/><soap:Header/>"}, CodeRepeated, "Envelope/Header"},
		"two bodies":            {[]string{"<soap:Header/>", "<soap:Header/><soap:Body/>"}, CodeRepeated, "Envelope/Body"},
		"header after body":     {[]string{"<soap:Header/>", "", "</soap:Body>", "</soap:Body><soap:Header/>"}, CodeUnexpected, "Envelope/Header"},
		"stranger in envelope":  {[]string{"<soap:Header/>", "<x/>"}, CodeUnexpected, "Envelope/x"},
		"text in envelope":      {[]string{"<soap:Header/>", "x"}, CodeText, "Envelope"},
		"two security headers":  {[]string{"<soap:Header/>", `<soap:Header><w:Security xmlns:w="` + WSSE + `"/><w:Security xmlns:w="` + WSSE + `"/></soap:Header>`}, CodeRepeated, "Envelope/Header/Security"},
		"two signatures":        {[]string{"<soap:Header/>", `<soap:Header><w:Signature xmlns:w="` + DSig + `"/><w:Signature xmlns:w="` + DSig + `"/></soap:Header>`}, CodeRepeated, "Envelope/Header/Signature"},
		"must understand":       {[]string{"<soap:Header/>", `<soap:Header><x soap:mustUnderstand="1"/></soap:Header>`}, CodeMustUnderstand, "Envelope/Header/x"},
		"must understand, next": {[]string{"<soap:Header/>", `<soap:Header><x soap:actor="http://schemas.xmlsoap.org/soap/actor/next" soap:mustUnderstand="1"/></soap:Header>`}, CodeMustUnderstand, "Envelope/Header/x"},
		"two messages":          {[]string{"</ns2:SendMessage>", "</ns2:SendMessage><x/>"}, CodeRepeated, "Envelope/Body/x"},
		"unknown wrapper":       {[]string{"ns2:SendMessage xmlns", "ns2:deleteMessages xmlns", "/ns2:SendMessage", "/ns2:deleteMessages"}, CodeOperation, "Envelope/Body/deleteMessages"},
		"wrapper's letter case": {[]string{"ns2:SendMessage xmlns", "ns2:sendMessage xmlns", "/ns2:SendMessage", "/ns2:sendMessage"}, CodeNamespace, "Envelope/Body/sendMessage"},
		"wrapper's namespace":   {[]string{SyncTypes, strings.ToLower(SyncTypes)}, CodeNamespace, root},
		"two requests":          {[]string{"</request>", "</request><request/>"}, CodeRepeated, request},
		"no request":            {[]string{"<request>", "<Request>", "</request>", "</Request>"}, CodeUnexpected, root + "/Request"},
		"qualified request":     {[]string{"<request>", "<ns2:request>", "</request>", "</ns2:request>"}, CodeNamespace, request},
		"inherited namespace":   {[]string{"ns2:SendMessage xmlns:ns2", "SendMessage xmlns", "/ns2:", "/"}, CodeNamespace, request},
		"nil and not nil":       {[]string{"<request>", `<request xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="1">`}, CodeValue, request},
		"two infos":             {[]string{"<requestData>", "<requestInfo/><requestData>"}, CodeRepeated, info},
		"stranger":              {[]string{"<routeId>", "<extra/><routeId>"}, CodeUnexpected, info + "/extra"},
		"text between":          {[]string{"<routeId>", "x<routeId>"}, CodeText, info},
		"two message ids":       {[]string{"<routeId>", "<messageId>m-2</messageId><routeId>"}, CodeRepeated, info + "/messageId"},
		"no message id":         {[]string{"<messageId>m-1</messageId>", ""}, CodeMissing, info + "/messageId"},
		"empty message id":      {[]string{">m-1<", "> <"}, CodeMissing, info + "/messageId"},
		"elements for a value":  {[]string{">m-1<", "><b/><"}, CodeUnexpected, info + "/messageId"},
		"no sender":             {[]string{"<senderId>TEST_SENDER</senderId>", ""}, CodeMissing, info + "/sender/senderId"},
		"two session ids":       {[]string{"</password>", "</password><sessionId/><sessionId/>"}, CodeRepeated, info + "/sender/sessionId"},
		"no date":               {[]string{">2026-01-15T10:00:00.000+05:00<", "><"}, CodeValue, info + "/messageDate"},
		"date alone":            {[]string{">2026-01-15T10:00:00.000+05:00<", ">2026-01-15<"}, CodeValue, info + "/messageDate"},
		"thirteenth month":      {[]string{"2026-01-15T", "2026-13-15T"}, CodeValue, info + "/messageDate"},
		"comma for a point":     {[]string{"00.000+05:00", "00,000+05:00"}, CodeValue, info + "/messageDate"},
		"offset of 15 hours":    {[]string{"+05:00", "+15:00"}, CodeValue, info + "/messageDate"},
		"long key":              {[]string{"SECOND", strings.Repeat("к", 31)}, CodeValue, info + "/properties[2]/key"},
		"long value":            {[]string{">true<", ">" + strings.Repeat("к", 501) + "<"}, CodeValue, info + "/properties[1]/value"},
		"key missing":           {[]string{"<key>SECOND</key>", ""}, CodeMissing, info + "/properties[2]/key"},
		"two data":              {[]string{"</data>", "</data><data/>"}, CodeRepeated, request + "/requestData/data"},
		"two data, namespaces":  {[]string{"</data>", "</data><x:data xmlns:x='urn:x'/>"}, CodeRepeated, request + "/requestData/data"},
		"text beside elements":  {[]string{"</data>", "<x/></data>"}, CodeText, request + "/requestData/data"},
		"nil data with content": {[]string{"xsi:type=", "xsi:nil='true' xsi:type="}, CodeValue, request + "/requestData/data"},
		"nil value with content": {[]string{"<routeId>", `<routeId xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="1">`}, CodeValue,
			info + "/routeId"},
	} {
		t.Run(name, func(t *testing.T) {
			src := edit(t, sample(t, "sync-request.xml"), c.edits...)
			doc, err := xmltree.Parse([]byte(src), xmltree.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			m, err := Read(doc)
			wantError(t, err, c.code, c.path)
			if op := err.(*Error).Operation; (op == SyncSendMessage) != strings.HasPrefix(c.path, root+"/") {
				t.Errorf("operation %s", op)
			}
			if m != nil {
				t.Error("a message beside an error")
			}
			if strings.Contains(err.Error(), "000000000000") || strings.Contains(err.Error(), "secret") {
				t.Errorf("the error quotes the message: %v", err)
			}
		})
	}
	for name, c := range map[string]struct {
		edits []string
		code  Code
		path  string
	}{
		"message type": {[]string{"REQUEST", "Request"}, CodeValue, "Envelope/Body/sendMessage/request/messageInfo/messageType"},
		"no data":      {[]string{"<data><application><iin>000000000000</iin></application></data>", ""}, CodeMissing, "Envelope/Body/sendMessage/request/messageData/data"},
		"nil request":  {[]string{"<request>", "<!--", "</request>", "-->"}, CodeMissing, "Envelope/Body/sendMessage/request/messageInfo"},
	} {
		t.Run("async "+name, func(t *testing.T) {
			doc, err := xmltree.Parse([]byte(edit(t, sample(t, "async-request.xml"), c.edits...)), xmltree.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			_, err = Read(doc)
			wantError(t, err, c.code, c.path)
		})
	}
}

func TestReadFault(t *testing.T) {
	for name, c := range map[string]struct {
		edits   []string
		code    string
		op      Operation
		info    bool
		foreign bool
	}{
		"typed":             {nil, "Server", SyncSendMessage, true, false},
		"client namespace":  {[]string{"SendMessageFault1_SendMessageFault x", "sendMessageFault1_sendMessageFault x", "/f:SendMessageFault1_SendMessageFault", "/f:sendMessageFault1_sendMessageFault", SyncTypes, ClientTypes}, "Server", ClientSendMessage, true, false},
		"own code":          {[]string{"soap:Server", "SCE004"}, "SCE004", SyncSendMessage, true, false},
		"own code, colon":   {[]string{"soap:Server", "a:b"}, "a:b", SyncSendMessage, true, false},
		"subcode":           {[]string{"soap:Server", "x:Client.Auth"}, "Client.Auth", SyncSendMessage, true, false},
		"foreign detail":    {[]string{SyncTypes, "urn:stack"}, "Server", NoOperation, false, true},
		"no faultstring":    {[]string{"<faultstring>text</faultstring>", ""}, "Server", SyncSendMessage, true, false},
		"minimal errorInfo": {[]string{"<errorDate>2026-01-15T10:00:01.000+05:00</errorDate>", ""}, "Server", SyncSendMessage, true, false},
		"nil detail":        {[]string{"<f:S", "<f:SendMessageFault1_SendMessageFault xmlns:f='" + SyncTypes + "' xmlns:i='" + Instance + "' i:nil='true'/><!--f:S", "</detail>", "--></detail>"}, "Server", SyncSendMessage, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := mustRead(t, edit(t, sample(t, "fault.xml"), c.edits...)).Payload.(*Fault)
			if f.Code != c.code || f.Operation != c.op || (f.Info != nil) != c.info || f.Foreign != c.foreign {
				t.Errorf("read %+v", f)
			}
			if c.info && (f.Info.ErrorCode != "SCE004" || f.Info.SubError.ErrorCode != "SUB") {
				t.Errorf("info %+v", f.Info)
			}
		})
	}
	for name, c := range map[string]struct {
		edits []string
		code  Code
		path  string
	}{
		"no code":     {[]string{"<faultcode>soap:Server</faultcode>", ""}, CodeMissing, "Envelope/Body/Fault/faultcode"},
		"two codes":   {[]string{"<faultstring>", "<faultcode>x</faultcode><faultstring>"}, CodeRepeated, "Envelope/Body/Fault/faultcode"},
		"SOAP 1.2":    {[]string{"<faultstring>text</faultstring>", "<Reason/>"}, CodeUnexpected, "Envelope/Body/Fault/Reason"},
		"two details": {[]string{"</detail>", "<f:SendMessageFault1_SendMessageFault xmlns:f='" + SyncTypes + "'/></detail>"}, CodeRepeated, "Envelope/Body/Fault/detail/SendMessageFault1_SendMessageFault"},
		"no error code": {[]string{"<errorCode>SCE004</errorCode>", ""}, CodeMissing,
			"Envelope/Body/Fault/detail/SendMessageFault1_SendMessageFault/errorCode"},
	} {
		t.Run("refused "+name, func(t *testing.T) {
			doc, err := xmltree.Parse([]byte(edit(t, sample(t, "fault.xml"), c.edits...)), xmltree.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			_, err = Read(doc)
			wantError(t, err, c.code, c.path)
		})
	}
}

func TestPasswordIsNotPrinted(t *testing.T) {
	for _, s := range []string{dump(&SenderInfo{Password: "hunter2"})} {
		if strings.Contains(s, "hunter2") {
			t.Errorf("printed: %s", s)
		}
	}
}

func TestFaultAsError(t *testing.T) {
	f := NewFault(SyncSendMessage, "Server", "SCE004", "no person 900101300017\nat line 5 "+strings.Repeat("ы", 300), time.Now())
	got := f.Error()
	if !strings.HasPrefix(got, "soap: fault Server/SCE004: no person 900101****** at line 5 ") || len([]rune(got)) > 240 {
		t.Errorf("%s", got)
	}
	same(t, (&Fault{Code: "SCE1", Info: &ErrorInfo{ErrorCode: "SCE1"}, String: "x"}).Error(), "soap: fault SCE1: x")
}

func same(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
