package gateway_test

import (
	"bytes"
	"encoding/xml"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"kopir/gateway"
	"kopir/gateway/soap"
	"kopir/mappings"
	"kopir/signature"
	"kopir/signature/xmltree"
)

// formTown is a town whose service carries its request, and its notices to the
// portal, as said. Empty: as smallest.yaml says.
func formTown(t *testing.T, data, notice string) (*town, *mappings.Service) {
	t.Helper()
	src, err := os.ReadFile("../testdata/mappings/good/smallest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(src)
	head, rest, ok := strings.Cut(text, "  data: {form: escaped, root: {name: application}, signed: inner}\n")
	before, after, ok2 := strings.Cut(rest, "  portal:\n    data: {form: escaped, root: {name: response}, signed: inner}\n    elements:\n      - {path: number, value: number}\n      - {path: status/code, value: code}\n")
	if !ok || !ok2 {
		t.Fatal("smallest.yaml has another shape")
	}
	if data == "" {
		data = "{form: escaped, root: {name: application}, signed: inner}"
	}
	if notice == "" {
		notice = "    data: {form: escaped, root: {name: response}, signed: inner}\n    elements: [{path: number, value: number}, {path: status/code, value: code}]\n"
	}
	if strings.Contains(data, "envelope") { // a system alone signs: its number is compared
		before = strings.Replace(before, "signer: applicant_iin\n  fields:\n", "signer: sender_bin\n  fields:\n    - {name: sender_bin, path: sender, type: bin, column: sender_bin, label: {ru: \"БИН\", kk: \"БСН\"}}\n", 1)
	}
	set, faults := mappings.Load(fstest.MapFS{"smallest.yaml": {Data: []byte(head + "  data: " + data + "\n" + before + "  portal:\n" + notice + after)}})
	for _, f := range faults {
		t.Fatal(f.Error())
	}
	w := newTownOf(t, set)
	s, _ := set.Service("smallest")
	return w, s
}

// carry sends a document in a data element that is written here byte by byte,
// in an envelope that the portal's system signs.
func (w *town) carry(s *mappings.Service, id, data string) gateway.Reply {
	w.t.Helper()
	p := syncRequest(id, []byte("PLACE"), w.clock())
	p.RequestInfo.ServiceID = s.Gateway.ServiceID
	raw, err := soap.Build(p)
	if err != nil {
		w.t.Fatal(err)
	}
	start, end := bytes.Index(raw, []byte("<data")), bytes.Index(raw, []byte("</requestData>"))
	if start < 0 || end < start {
		w.t.Fatalf("%s", raw)
	}
	raw = []byte(string(raw[:start]) + data + string(raw[end:]))
	raw = bytes.Replace(raw, []byte("<requestData></requestData>"), []byte("<requestData/>"), 1)
	signed, err := signature.SignWSSE(raw, w.keys["portal"], signature.SignOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.send(gateway.SyncDoor, signed)
}

func escapedText(doc string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(doc))
	return b.String()
}

const (
	schemas  = `xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"`
	typed    = `<data ` + schemas + ` xsi:type="xs:string">`
	declared = `<?xml version="1.0" encoding="UTF-8" standalone="no"?>`
)

// TestFormsOfRequests: every form in which CONTRACT.md, sections 5 and 7, saw
// data carried, from the bytes of the element through the reader of envelopes,
// the signatures and the mapping to the row of the local database.
func TestFormsOfRequests(t *testing.T) {
	const nested, envelope = "{form: nested, root: {name: application}, signed: inner}", "{form: nested, root: {name: application}, signed: envelope}"
	by := func(names ...string) func(w *town, doc []byte) string {
		return func(w *town, doc []byte) string {
			for _, n := range names {
				var err error
				if doc, err = signature.SignEnveloped(doc, w.keys[n], signature.SignOptions{}); err != nil {
					w.t.Fatal(err)
				}
			}
			return string(doc)
		}
	}
	lessOnly := strings.NewReplacer("&", "&amp;", "<", "&lt;")
	for _, c := range []struct {
		section, seen, form string
		data                string // of the description
		signed              func(w *town, doc []byte) string
		carried             func(doc string) string
	}{
		{"5", "kit, S4, S9, S10", "xs:string, escaped", "", by("citizen"), func(d string) string { return typed + escapedText(d) + "</data>" }},
		{"5", "S4", "with a declaration of its own, > left bare", "", by("citizen"), func(d string) string { return typed + lessOnly.Replace(declared+d) + "</data>" }},
		{"5", "S13", "escaped, untyped, xs and xsi declared and unused", "", by("citizen"), func(d string) string { return `<data ` + schemas + `>` + escapedText(d) + "</data>" }},
		{"5", "S2, S9", "CDATA", "{form: cdata, root: {name: application}, signed: inner}", by("citizen"), func(d string) string { return typed + "<![CDATA[" + declared + d + "]]></data>" }},
		{"5", "S2, S4, S5, S6, S11, S13, S16, S17, S21", "nested, no namespace", nested, by("citizen"), func(d string) string { return "<data>" + d + "</data>" }},
		{"5", "S3, S9", "nested, in its own namespace", `{form: nested, root: {ns: "urn:test:own", prefix: o, name: application}, signed: inner}`, by("citizen"), func(d string) string { return "<data>" + d + "</data>" }},
		{"5", "S3, S9", "nested, its own namespace in every element", `{form: nested, root: {ns: "urn:test:own", prefix: o, name: application}, signed: inner, namespaces: {o: {ns: "urn:test:own"}}}`, by("citizen"),
			func(d string) string { return "<data>" + d + "</data>" }},
		{"5", "S7, S3, S8", "xsi:type names a foreign schema type", "{form: nested, root: {name: data}, signed: envelope}", by(),
			func(d string) string {
				return strings.Replace(d, "<data>", `<data xmlns:cs="http://message.persistence.interactive.nat" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="cs:Request">`, 1)
			}},
		{"5", "S6", "the type says string, and there are elements", nested, by("citizen"), func(d string) string { return typed + d + "</data>" }},
		{"5", "S7", "data in the namespace SyncChannel/v10/Interfaces", "", by("citizen"),
			func(d string) string {
				return `<ns4:data xmlns:ns4="http://bip.bee.kz/SyncChannel/v10/Interfaces" ` + schemas + ` xsi:type="xs:string">` + escapedText(d) + "</ns4:data>"
			}},
		{"5", "a live answer of 2023", "data in the instance namespace, type without a prefix", "", by("citizen"),
			func(d string) string {
				return `<data xmlns="http://www.w3.org/2001/XMLSchema-instance" type="xsd:string">` + escapedText(d) + "</data>"
			}},
		{"5", "allowed by the schema", "empty data", "", nil, func(string) string { return "<data/>" }},
		{"5", "allowed by the schema", "data of white space", "", nil, func(string) string { return typed + " \n </data>" }},
		{"5", "allowed by the schema", "no data", "", nil, func(string) string { return " " }},
		{"5", "allowed by the schema", "empty requestData", "", nil, func(string) string { return "" }},

		{"7", "two real ones verified", "enveloped signature, last child of the inner root", "", by("citizen"), func(d string) string { return typed + escapedText(d) + "</data>" }},
		{"7", "S16, S21", "data itself is the signed root", "{form: nested, root: {name: data}, signed: inner}", by("citizen"), func(d string) string { return d }},
		{"7", "S6", "the business element below data is signed", nested, by("citizen"), func(d string) string { return `<data ` + schemas + `>` + d + "</data>" }},
		{"7", "S7", "two signers on one root", "", by("neighbour", "citizen"), func(d string) string { return typed + escapedText(d) + "</data>" }},
		{"7", "S3", "CMS in base64", "", func(w *town, doc []byte) string {
			return string(inBase64(w.cms(doc, w.keys["citizen"], signature.CMSOptions{SigningTime: w.now})))
		}, func(d string) string { return typed + d + "</data>" }},
		{"7", "S9", "not signed inside: the transport signature decides", envelope, by(), func(d string) string { return "<data>" + d + "</data>" }},
	} {
		t.Run(c.section+"/"+c.form, func(t *testing.T) {
			t.Parallel()
			w, s := formTown(t, c.data, "")
			if strings.Contains(c.data, "namespaces:") {
				// In this form the paths are the partner's: with its prefix.
				w, s = formTownPrefixed(t, c.data)
			}
			doc := ""
			if c.signed != nil {
				values := filled(s, "portal")
				if _, ok := s.Field("sender_bin"); ok {
					values["sender_bin"] = portalBIN
				}
				doc = c.signed(w, w.documentOf(s, "portal", values, ""))
			}
			r := w.carry(s, "m-1", c.carried(doc))
			if c.signed == nil {
				if r.Code != gateway.Malformed || len(w.all()) != 0 {
					t.Errorf("seen in %s: %s %s", c.seen, r.Code, r.Bytes)
				}
				return
			}
			if r.Code != "" || len(w.all()) != 1 {
				t.Fatalf("seen in %s: %s %s", c.seen, r.Code, r.Bytes)
			}
			w.deliver()
			if got, want := w.one(t, "SELECT applicant_iin || ' ' || surname || ' ' || status_code FROM test_x"), form("portal")["applicant_iin"]+" ТЕСТОВ 10"; got != want {
				t.Errorf("the row has %s, want %s", got, want)
			}
			if drift, err := w.bridge.Drift(t.Context()); err != nil || len(drift) != 0 {
				t.Errorf("what is described is told as drift: %v %+v", err, drift)
			}
		})
	}
}

// formTownPrefixed is formTown with the paths of the request under a prefix o.
func formTownPrefixed(t *testing.T, data string) (*town, *mappings.Service) {
	t.Helper()
	src, err := os.ReadFile("../testdata/mappings/good/smallest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("data: {form: escaped, root: {name: application}, signed: inner}", "data: "+data,
		"path: applicant/iin", `path: "o:applicant/o:iin"`, "path: applicant/surname", `path: "o:applicant/o:surname"`,
		"path: filed", `path: "o:filed"`, "path: district", `path: "o:district"`).Replace(string(src))
	set, faults := mappings.Load(fstest.MapFS{"smallest.yaml": {Data: []byte(text)}})
	for _, f := range faults {
		t.Fatal(f.Error())
	}
	s, _ := set.Service("smallest")
	return newTownOf(t, set), s
}

// TestNotTakenForms: what section 7 tells of and must not pass.
func TestNotTakenForms(t *testing.T) {
	for name, c := range map[string]struct {
		data    string
		carried func(w *town, doc []byte) string
		want    string // in the answer
	}{
		"7: signed inside is asked for, and is not": {"", func(_ *town, doc []byte) string { return typed + escapedText(string(doc)) + "</data>" }, "REJECTED"},
		"7: two documents below data": {"{form: nested, root: {name: application}, signed: inner}", func(w *town, doc []byte) string {
			return "<data>" + string(doc) + string(doc) + "</data>"
		}, "more than one document"},
		"5: text beside elements": {"{form: nested, root: {name: application}, signed: inner}", func(_ *town, doc []byte) string { return "<data>text" + string(doc) + "</data>" }, "malformed"},
		"5: escaped twice":        {"", func(_ *town, doc []byte) string { return typed + escapedText(escapedText(string(doc))) + "</data>" }, "malformed"},
	} {
		w, s := formTown(t, c.data, "")
		r := w.carry(s, "m-1", c.carried(w, w.documentOf(s, "portal", filled(s, "portal"), "")))
		if !strings.Contains(string(r.Bytes), strings.ReplaceAll(c.want, "REJECTED", "Отказ")) && !strings.Contains(string(r.Bytes), c.want) || len(w.all()) != 0 {
			t.Errorf("%s: %s %s", name, r.Code, r.Bytes)
		}
	}
}

// TestFormsOfNotices: the families of section 10, each in each form of section
// 5 that is sent, signed inside or not (section 7): built, carried in an
// envelope, read by the reader of envelopes, verified, and read back by value.
func TestFormsOfNotices(t *testing.T) {
	const portal = `{ns: "http://newshep.card.egov.kz", prefix: p, name: responseMessage}`
	said := &mappings.Notice{Number: "T-000001", PartnerNumber: "002026", Correlation: "2516623", IIN: "900101300017"}
	for _, c := range []struct {
		section, seen, family, form, signed string
		shape                               string // root and elements
		state, want                         string
	}{
		{"10", "S4, sample 10", "portal service, a status", "escaped", "inner", `root: {name: responseMessage}, namespaces: {p: {ns: "http://newshep.card.egov.kz"}}`,
			"in_progress", `<responseMessage xmlns:p="http://newshep.card.egov.kz"><p:SystemInfo><p:RequestNumber>002026</p:RequestNumber><p:ChainId>2516623</p:ChainId></p:SystemInfo>` +
				`<p:ResponseData><p:RequestNumber>002026</p:RequestNumber><p:CurrentStatus>B</p:CurrentStatus><p:CurrentStatusText>В работе</p:CurrentStatusText></p:ResponseData></responseMessage>`},
		{"10", "S4, sample 11", "portal service, the act in the place of the text", "escaped", "inner", `root: {name: responseMessage}, namespaces: {p: {ns: "http://newshep.card.egov.kz"}}`,
			"completed", `<responseMessage xmlns:p="http://newshep.card.egov.kz"><p:SystemInfo><p:RequestNumber>002026</p:RequestNumber><p:ChainId>2516623</p:ChainId></p:SystemInfo>` +
				`<p:ResponseData><p:RequestNumber>002026</p:RequestNumber><p:CurrentStatus>C</p:CurrentStatus><p:FirstStepResponse><p:Act><p:FileName>act.xml</p:FileName><p:FileType>ActReconcilation</p:FileType></p:Act></p:FirstStepResponse></p:ResponseData></responseMessage>`},
		{"10", "S4, sample 08", "land cadastre: two codes, three languages", "escaped", "inner", `root: {ns: "http://newshep.land.egov.kz", prefix: l, name: responseMessage}, namespaces: {l: {ns: "http://newshep.land.egov.kz"}}`,
			"refused", `<l:responseMessage xmlns:l="http://newshep.land.egov.kz"><l:SystemInfo><l:ResponseCode>ACCEPTED</l:ResponseCode></l:SystemInfo><l:CodeStatus><l:ResultCode>45</l:ResultCode>` +
				`<l:ResultMessageRu>Отказ: причина</l:ResultMessageRu><l:ResultMessageKz>Бас тартылды: себебі</l:ResultMessageKz><l:ResultMessageEn>a reason</l:ResultMessageEn></l:CodeStatus></l:responseMessage>`},
		{"10", "S5, sample 14", "education: nested, kkValue and ruValue", "nested", "envelope", `root: {name: typedRequestFormImportData}`,
			"in_progress", `<typedRequestFormImportData><importSource>ORLEU</importSource><updatedValues><code>status</code><values><domainItemData><code>B</code><kkValue>Жұмыста</kkValue><ruValue>В работе</ruValue></domainItemData></values></updatedValues>` +
				`<externalRequestChainId>2516623</externalRequestChainId><processingStatus>IN_PROGRESS</processingStatus><requesterIin>900101300017</requesterIin><resolutionType>NO_RESOLUTION</resolutionType></typedRequestFormImportData>`},
		{"10", "S1, S2, sample 02", "kit: the root prefixed, the children not", "escaped", "inner", `root: {ns: "http://shep.nitec.kz/", prefix: ns2, name: response}`,
			"received", `<ns2:response xmlns:ns2="http://shep.nitec.kz/"><requestNumber>002026</requestNumber><status><code>A</code><messageRu>Принято: T-000001</messageRu><messageKz>Қабылданды: T-000001</messageKz></status></ns2:response>`},
		{"10", "other services", "suffixes Rus and Kaz", "escaped", "envelope", `root: {name: answer}`,
			"received", `<answer><number>T-000001</number><textRus>Принято: T-000001</textRus><textKaz>Қабылданды: T-000001</textKaz></answer>`},
		{"5, 7", "S2", "the kit's in CDATA, signed inside", "cdata", "inner", `root: {ns: "http://shep.nitec.kz/", prefix: ns2, name: response}`, "received", ""},
		{"5, 7", "S9", "the kit's in CDATA, not signed inside", "cdata", "envelope", `root: {ns: "http://shep.nitec.kz/", prefix: ns2, name: response}`, "received", ""},
		{"5, 7", "S6", "the kit's nested and signed inside", "nested", "inner", `root: {ns: "http://shep.nitec.kz/", prefix: ns2, name: response}`, "received", ""},
		{"5, 7", "S9", "the portal's nested, in its namespace", "nested", "inner", `root: ` + portal + `, namespaces: {p: {ns: "http://newshep.card.egov.kz"}}`, "in_progress", ""},
	} {
		t.Run(c.section+"/"+c.family, func(t *testing.T) {
			t.Parallel()
			w, s := formTown(t, "", "    data: {form: "+c.form+", "+c.shape+", signed: "+c.signed+"}\n    elements: ["+elementsOf(c.shape)+"]\n")
			n := *said
			n.State = c.state
			if c.state == "completed" {
				n.Result = &mappings.ResultFile{ID: "paper", Name: "act.xml", Content: []byte("<act/>")}
			}
			if c.state == "refused" {
				n.Reason = mappings.Text{Ru: "причина", Kk: "себебі", En: "a reason"}
			}
			doc, err := s.Notice("portal", &n)
			if err != nil || c.want != "" && string(doc) != c.want {
				t.Fatalf("seen in %s: %v\n got %s\nwant %s", c.seen, err, doc, c.want)
			}
			plain, err := s.ReadNotice("portal", treeOf(t, doc).Root())
			if err != nil {
				t.Fatal(err)
			}
			if c.signed == "inner" {
				if doc, err = signature.SignEnveloped(doc, w.keys["bridge"], signature.SignOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			data, err := soap.InForm(soap.Form(c.form), doc)
			if err != nil {
				t.Fatal(err)
			}
			p := asyncRequest("m-1", nil, w.clock())
			p.MessageInfo.MessageType, p.MessageData.Data = soap.TypeNotification, data
			m, err := soap.Read(treeOf(t, w.envelope(p, "bridge")))
			if err != nil {
				t.Fatal(err)
			}
			got := m.Data()
			var inner *signature.Document
			if want := map[string]soap.Form{"escaped": soap.Escaped, "cdata": soap.Escaped, "nested": soap.Nested}[c.form]; got.Form != want {
				t.Errorf("carried as %s, want %s", got.Form, want)
			} else if want == soap.Nested {
				for e := range got.Node.Elements() {
					inner = signature.ElementDocument(e)
				}
			} else if inner, err = signature.ReadDocument(got.Document()); err != nil {
				t.Fatal(err)
			}
			root := inner.Root
			if c.signed == "inner" {
				v := w.verifier.Document(t.Context(), inner, signature.Want{At: w.clock()})
				content, ok := v.Content()
				if !ok {
					t.Fatalf("%s %s", v.Outcome, v.Reason)
				}
				tree, err := content.Tree()
				if err != nil {
					t.Fatal(err)
				}
				root = tree.Root()
			}
			back, err := s.ReadNotice("portal", root)
			if err != nil || len(back) != len(plain) || len(back) < 2 {
				t.Fatalf("read back: %v %v, said %v", err, back, plain)
			}
			for name, v := range plain {
				if back[name] != v {
					t.Errorf("%s is %q, said %q", name, back[name], v)
				}
			}
		})
	}
}

func treeOf(t *testing.T, src []byte) *xmltree.Document {
	t.Helper()
	doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
	if err != nil {
		t.Fatalf("%v: %s", err, src)
	}
	return doc
}

// elementsOf are the elements of a family, by its root.
func elementsOf(shape string) string {
	switch {
	case strings.Contains(shape, "land"):
		return `{path: "l:SystemInfo/l:ResponseCode", text: ACCEPTED}, {path: "l:CodeStatus/l:ResultCode", codes: [{state: completed, code: "40"}, {state: refused, code: "45"}]}, ` +
			`{path: "l:CodeStatus/l:ResultMessageRu", value: text_ru}, {path: "l:CodeStatus/l:ResultMessageKz", value: text_kk}, {path: "l:CodeStatus/l:ResultMessageEn", value: reason_en}`
	case strings.Contains(shape, "responseMessage"):
		return `{path: "p:SystemInfo/p:RequestNumber", value: partner_number}, {path: "p:SystemInfo/p:ChainId", value: correlation}, {path: "p:ResponseData/p:RequestNumber", value: partner_number}, ` +
			`{path: "p:ResponseData/p:CurrentStatus", value: code}, {path: "p:ResponseData/p:CurrentStatusText", value: text_ru, on: [received, in_progress]}, ` +
			`{path: "p:ResponseData/p:FirstStepResponse/p:Act/p:FileName", value: result_name}, {path: "p:ResponseData/p:FirstStepResponse/p:Act/p:FileType", codes: [{state: completed, code: ActReconcilation}, {state: refused, code: RefuseAct}]}`
	case strings.Contains(shape, "typedRequest"):
		return `{path: importSource, text: ORLEU}, {path: updatedValues/code, text: status}, {path: updatedValues/values/domainItemData/code, value: code}, ` +
			`{path: updatedValues/values/domainItemData/kkValue, value: text_kk}, {path: updatedValues/values/domainItemData/ruValue, value: text_ru}, {path: externalRequestChainId, value: correlation}, ` +
			`{path: processingStatus, codes: [{state: in_progress, code: IN_PROGRESS}]}, {path: requesterIin, value: iin}, {path: resolutionType, codes: [{state: in_progress, code: NO_RESOLUTION}]}`
	case strings.Contains(shape, "answer"):
		return `{path: number, value: number}, {path: textRus, value: text_ru}, {path: textKaz, value: text_kk}`
	}
	return `{path: requestNumber, value: partner_number}, {path: status/code, value: code}, {path: status/messageRu, value: text_ru}, {path: status/messageKz, value: text_kk}`
}
