package sketch

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"kopir/mappings"
	"kopir/signature/xmltree"
)

const testData = "../../testdata/mappings/sketch"

var filedAt = time.Date(2026, 3, 11, 5, 0, 0, 0, time.UTC)

func tree(t *testing.T, src []byte) xmltree.Node {
	t.Helper()
	doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return doc.Root()
}

func file(t *testing.T, name string) []byte {
	t.Helper()
	src, err := os.ReadFile(filepath.Join(testData, name))
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// description loads what was written as an akimat's folder would be, without
// the services of the binary.
func description(t *testing.T, text []byte, id string) *mappings.Service {
	t.Helper()
	set, faults := mappings.Load(fstest.MapFS{id + ".yaml": {Data: text}})
	for _, f := range faults {
		t.Errorf("%v", f)
	}
	if t.Failed() {
		t.Fatalf("%s", text)
	}
	s, _ := set.Service(id)
	return s
}

// values lists what a reading has, by name.
func values(r *mappings.Reading) map[string]string {
	all := map[string]string{}
	for _, v := range r.Row.Values {
		all[v.Field] = v.Text()
	}
	for _, g := range r.Row.Groups {
		for _, v := range g.Values {
			all[g.Group+"."+string(rune('0'+g.Number))+"."+v.Field] = v.Text()
		}
	}
	for _, a := range r.Attachments {
		all["file "+a.Kind] = a.Name
	}
	return all
}

var benefitValues = map[string]string{
	"request_number": "10109001292987", "iin": "900101300017", "surname": "ТЕСТОВ", "birth_date": "1990-01-01", "filed_at": "2026-03-11T10:00:00+05:00",
	"kind": "001", "account": "KZ000000000000000001", "email": "test@example.kz", "consent": "true", "months": "6", "employer_bin": "990140000007",
	"member.1.iin": "800331300007", "member.1.surname": "ТЕСТОВА", "member.1.income": "120000.50", "member.2.iin": "160312500003", "member.2.surname": "ТЕСТОВ",
	"file scan": "скан.pdf", "file photo": "photo",
}

// TestRoundTripXSD: a schema becomes a description without a fault, which
// reads every value of a document of that schema.
func TestRoundTripXSD(t *testing.T) {
	s, err := FromXSD(func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(testData, name)) }, "benefit.xsd", "")
	if err != nil {
		t.Fatal(err)
	}
	text := s.YAML(Frame{Service: "test-benefit"})
	d := description(t, text, "test-benefit")
	got := d.Read(tree(t, file(t, "benefit.xml")), "portal", filedAt)
	if len(got.Faults)+len(got.Unknown) > 0 {
		t.Errorf("%+v %v", got.Faults, got.Unknown)
	}
	have := values(got)
	for name, want := range benefitValues {
		if have[name] != want {
			t.Errorf("%s is %q, want %q", name, have[name], want)
		}
	}
	if len(have) != len(benefitValues) {
		t.Errorf("%v", have)
	}
	for name, want := range map[string]string{"iin": "iin", "filed_at": "datetime", "kind": "code", "months": "int", "email": "email", "phone": "phone", "employer_bin": "bin", "birth_date": "date"} {
		if f, ok := d.Field(name); !ok || f.Type != want {
			t.Errorf("%s: %+v", name, f)
		}
	}
	kind, _ := d.Field("kind")
	list, ok := d.CodeList(kind.Codes)
	if !ok || len(list.Codes) != 2 || list.Codes[0].Ru != "на ребёнка" || list.Codes[0].Kk != "балаға" || kind.Label.Kk != "Жәрдемақы түрі" {
		t.Errorf("%+v %+v", list, kind)
	}
	account, _ := d.Field("account")
	months, _ := d.Field("months")
	born, _ := d.Field("birth_date")
	member, _ := d.Group("member")
	scan := d.Request.Attachments[0]
	if account.Pattern != "KZ[0-9A-Z]{18}" || account.MinLen != 20 || account.MaxLen != 20 || months.Min != "1" || !born.Optional || member.MaxCount != 30 || member.MinCount != 0 || scan.MaxCount != 5 || !scan.Optional {
		t.Errorf("%+v %+v %+v %+v %+v", account, months, born, member, scan)
	}
	for _, want := range []string{"the attribute version", "is a choice", "fractionDigits 2 of income"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("not told: %s", want)
		}
	}
	// What the schema forbids, the description refuses.
	bad := strings.NewReplacer("<b:kind>001", "<b:kind>003", "KZ0000", "RU0000", "<b:months>6", "<b:months>0").Replace(string(file(t, "benefit.xml")))
	var rules []string
	for _, f := range d.Read(tree(t, []byte(bad)), "portal", filedAt).Faults {
		rules = append(rules, f.Field+" "+f.Rule)
	}
	if slices.Sort(rules); !slices.Equal(rules, []string{"account pattern", "kind code", "months min"}) {
		t.Errorf("%q", rules)
	}
}

// TestRoundTripSample: the same from a message alone, where what cannot be
// known is text.
func TestRoundTripSample(t *testing.T) {
	second := strings.Replace(string(file(t, "benefit.xml")), "<b:requestNumber>10109001292987</b:requestNumber>", "", 1)
	s, err := FromSamples([]xmltree.Node{tree(t, file(t, "benefit.xml")), tree(t, []byte(second))})
	if err != nil {
		t.Fatal(err)
	}
	d := description(t, s.YAML(Frame{Service: "test-benefit", ServiceID: "TEST_BENEFIT", Form: "nested", Envelope: true}), "test-benefit")
	got := d.Read(tree(t, file(t, "benefit.xml")), "portal", filedAt)
	if len(got.Faults)+len(got.Unknown) > 0 {
		t.Errorf("%+v %v", got.Faults, got.Unknown)
	}
	have := values(got)
	for name, want := range benefitValues {
		if have[name] != want {
			t.Errorf("%s is %q, want %q", name, have[name], want)
		}
	}
	for name, want := range map[string]string{"iin": "iin", "filed_at": "datetime", "kind": "string", "months": "int", "email": "email", "employer_bin": "bin", "birth_date": "date", "consent": "bool"} {
		if f, ok := d.Field(name); !ok || f.Type != want {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if f, _ := d.Field("request_number"); !f.Optional {
		t.Error("what one sample lacks is optional")
	}
	if data := d.Request.Data; data.Form != "nested" || data.Signed != "envelope" || d.Gateway.ServiceID != "TEST_BENEFIT" || d.Request.Signer != "iin" {
		t.Errorf("%+v %+v", data, d.Gateway)
	}
	if b, err := d.Document("portal", map[string]string{"iin": "900101300017"}, []mappings.Attachment{{Kind: "scan", Name: "a.pdf", Content: []byte("%PDF-1.4")}, {Kind: "photo", Content: []byte("\xff\xd8\xff")}}); err != nil || !strings.Contains(string(b), "<FileContent>") || !strings.Contains(string(b), ">/9j/</b:photo>") {
		t.Errorf("%v %s", err, b)
	}
}

func TestKinds(t *testing.T) {
	for _, c := range []struct{ local, value, want string }{
		{"uin", "900101300017", "iin"}, {"number", "900101300017", "iin"}, {"organization", "990140000007", "bin"}, {"code", "123456789012", "string"},
		{"date", "2026-03-11", "date"}, {"date", "2026-13-11", "string"}, {"date", "2026-03-11T10:00:00.000+06:00", "datetime"}, {"x", "2026-03-11T25:00:00", "string"},
		{"flag", "true", "bool"}, {"flag", "1", "int"}, {"sum", "12.50", "decimal"}, {"code", "007", "string"}, {"x", "a@b.kz", "email"},
		{"phone", "87010000000", "phone"}, {"x", "+77010000000", "phone"}, {"number", "87010000000", "string"}, {"doc", "JVBERi0xLjQ=", "base64"}, {"x", "", "string"},
	} {
		var all []string
		if c.value != "" {
			all = []string{c.value}
		}
		if got := kindOf(c.local, all); got != c.want {
			t.Errorf("%s %s is %s, want %s", c.local, c.value, got, c.want)
		}
	}
}

func TestNames(t *testing.T) {
	for in, want := range map[string]string{
		"requesterIin": "requester_iin", "RequesterIIN": "requester_iin", "BIN": "bin", "IINCode": "iin_code", "request-number": "request_number",
		"ФамилияЗаявителя": "familiya_zayavitelya", "Өтініш": "otinish", "2nd": "f2nd", "___": "f", "a.b": "a_b",
	} {
		if got := plain(in); got != want {
			t.Errorf("%s is %s, want %s", in, got, want)
		}
	}
}

func TestBadSources(t *testing.T) {
	open := func(src string) func(string) ([]byte, error) {
		return func(name string) ([]byte, error) {
			if name != "a.xsd" {
				return nil, os.ErrNotExist
			}
			return []byte(src), nil
		}
	}
	const head = `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">`
	for name, c := range map[string]struct{ src, want string }{
		"not XML":         {"<a", "a.xsd"},
		"not a schema":    {"<a/>", "not an XML schema"},
		"no element":      {head + `</xs:schema>`, "declares no element"},
		"two roots":       {head + `<xs:element name="a"/><xs:element name="b"/></xs:schema>`, "a, b: name it by -root"},
		"an unknown type": {head + `<xs:element name="a" type="B"/></xs:schema>`, "the type B is declared nowhere"},
		"a missing file":  {head + `<xs:include schemaLocation="b.xsd"/></xs:schema>`, "not exist"},
		"a leaf":          {head + `<xs:element name="a" type="xs:string"/></xs:schema>`, "no elements inside"},
		"a group in itself": {head + `<xs:group name="g"><xs:sequence><xs:group ref="g"/></xs:sequence></xs:group><xs:element name="a"><xs:complexType><xs:group ref="g"/></xs:complexType></xs:element></xs:schema>`,
			"holds itself"},
	} {
		if _, err := FromXSD(open(c.src), "a.xsd", ""); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A type that holds itself ends.
	s, err := FromXSD(open(head+`<xs:complexType name="T"><xs:sequence><xs:element name="x" type="xs:int"/><xs:element name="t" type="T" minOccurs="0"/></xs:sequence></xs:complexType><xs:element name="a" type="T"/></xs:schema>`), "a.xsd", "")
	if err != nil || len(s.Notes) != 1 {
		t.Errorf("%v %+v", err, s)
	}
	if _, err := FromSamples(nil); err == nil {
		t.Error("no sample")
	}
	if _, err := FromSamples([]xmltree.Node{tree(t, []byte("<a><b/></a>")), tree(t, []byte("<b><b/></b>"))}); err == nil {
		t.Error("samples of two documents")
	}
}
