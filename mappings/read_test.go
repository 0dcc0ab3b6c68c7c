package mappings

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"kopir/signature/xmltree"
)

const certificateService = "almaty-unemployed-certificate"

var filedAt = time.Date(2026, 3, 11, 5, 0, 0, 0, time.UTC)

func certificate(t testing.TB) *Service {
	t.Helper()
	s, ok := builtinSet(t).Service(certificateService)
	if !ok {
		t.Fatal("the first service is missing")
	}
	return s
}

// goodValues is an application without a fault: every field of the portal.
func goodValues() map[string]string {
	return map[string]string{
		"partner_number": "10109001292987", "applicant_iin": "900101300017", "surname": "ТЕСТОВ", "given_name": "ТЕСТ",
		"patronymic": "ТЕСТОВИЧ", "applicant_birth_date": "1990-01-01", "phone": "8 (701) 000-00-00", "email": "test@example.kz",
		"district": "almaty-alatau-district-department", "address": "г. Алматы, ул. Тестовая, 1 & 2", "purpose": "по месту требования",
		"delivery": "email", "language": "kk", "consent": "true",
	}
}

func parse(t testing.TB, src []byte) xmltree.Node {
	t.Helper()
	doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
	if err != nil {
		t.Fatalf("%v in %s", err, src)
	}
	return doc.Root()
}

func document(t testing.TB, s *Service, channel string, values map[string]string, files ...Attachment) []byte {
	t.Helper()
	src, err := s.Document(channel, values, files)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func rules(faults []FieldFault) []string {
	var out []string
	for _, f := range faults {
		out = append(out, f.Field+" "+f.Rule)
	}
	slices.Sort(out)
	return out
}

var pdf = Attachment{Kind: "id_document", Name: "удостоверение.pdf", Type: "application/pdf", Content: []byte("%PDF-1.4 test")}

func TestReadRow(t *testing.T) {
	s := certificate(t)
	got := s.Read(parse(t, document(t, s, "portal", goodValues(), pdf)), "portal", filedAt)
	if len(got.Faults) > 0 || len(got.Unknown) > 0 || len(got.Remarks) > 0 {
		t.Fatalf("faults %+v, remarks %v, unknown %v", got.Faults, rules(got.Remarks), got.Unknown)
	}
	row, err := json.Marshal(got.Row)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"partner_number":"10109001292987","applicant_iin":"900101300017","surname":"ТЕСТОВ","given_name":"ТЕСТ",` +
		`"patronymic":"ТЕСТОВИЧ","birth_date":"1990-01-01","phone":"+77010000000","email":"test@example.kz",` +
		`"office_id":"almaty-alatau-district-department","address":"г. Алматы, ул. Тестовая, 1 \u0026 2","purpose":"по месту требования",` +
		`"delivery_code":"email","lang":"kk","consent":true}`
	if string(row) != want {
		t.Errorf("row\n%s\nwant\n%s", row, want)
	}
	if len(got.Attachments) != 1 || !bytes.Equal(got.Attachments[0].Content, pdf.Content) || got.Attachments[0].Name != pdf.Name {
		t.Errorf("attachments %+v", got.Attachments)
	}
	if v, _ := got.Row.Get("applicant_iin"); v.(IIN).String() != "900101******" {
		t.Errorf("an IIN prints as %v", v)
	}
}

func TestOptionalFieldsMayBeMissingOrEmpty(t *testing.T) {
	s := certificate(t)
	values := goodValues()
	for name := range maps.Clone(values) {
		if f, _ := s.Field(name); f.Optional {
			delete(values, name)
		}
	}
	values["delivery"] = "in_person"
	values["purpose"] = "  "
	got := s.Read(parse(t, document(t, s, "portal", values)), "portal", filedAt)
	if len(got.Faults) > 0 {
		t.Errorf("faults %v", rules(got.Faults))
	}
	if _, ok := got.Row.Get("purpose"); ok {
		t.Error("an empty element became a value")
	}
}

// TestEveryRule breaks one rule at a time; what else a broken value brings is listed.
func TestEveryRule(t *testing.T) {
	s := certificate(t)
	for _, c := range []struct{ field, value, want string }{
		{"applicant_iin", "90010130001", "applicant_iin iin"},
		{"applicant_iin", "90010130001x", "applicant_iin iin"},
		{"applicant_iin", "", "applicant_iin required"},
		{"surname", strings.Repeat("Ы", 121), "surname too-long"},
		{"surname", "Тест0в", "surname person-name"},
		{"given_name", "Те\u0085ст", "given_name characters"},
		{"applicant_birth_date", "1990-02-30", "applicant_birth_date date"},
		{"applicant_birth_date", "01.01.1990", "applicant_birth_date date"},
		{"applicant_birth_date", "1899-12-31", "applicant_birth_date min"},
		{"applicant_birth_date", "2026-03-12", "applicant_birth_date not-in-future"},
		{"phone", "112", "phone phone"},
		{"phone", "+7701abc0000", "phone phone"},
		{"email", "test", "email email"},
		{"email", "Test <test@example.kz>", "email email"},
		{"email", "", "email email-for-delivery"},
		{"district", "almaty-employment-department", "district residence"},
		{"district", "medeu", "district residence"},
		{"delivery", "pigeon", "delivery code"},
		{"consent", "false", "consent is-true"},
		{"consent", "yes", "consent bool"},
		{"partner_number", "a b", "partner_number pattern"},
	} {
		values := goodValues()
		values[c.field] = c.value
		got := s.Read(parse(t, document(t, s, "portal", values)), "portal", filedAt)
		if have := strings.Join(rules(got.Faults), "; "); have != c.want {
			t.Errorf("%s=%q: %s, want %s", c.field, c.value, have, c.want)
			continue
		}
		f := got.Faults[0]
		label, _ := s.Field(c.field)
		if !strings.HasPrefix(f.Text.Ru, label.Label.Ru) || !strings.HasPrefix(f.Text.Kk, label.Label.Kk) || f.Path != label.Path {
			t.Errorf("%s: %+v", c.want, f)
		}
		if strings.Contains(f.Text.Ru+f.Text.Kk+f.Text.En, "{") {
			t.Errorf("%s: a placeholder is left in %+v", c.want, f.Text)
		}
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	s := certificate(t)
	src := `<application><applicant><iin>1</iin><surname>A<b/></surname><name>Б</name><name>В</name></applicant></application>`
	got := rules(s.Read(parse(t, []byte(src)), "portal", filedAt).Faults)
	want := []string{"address required", "applicant_birth_date required", "applicant_iin iin", "consent required", "delivery required", "district required", "given_name repeated", "surname has-elements"}
	if !slices.Equal(got, want) {
		t.Errorf("faults %v\nwant %v", got, want)
	}
}

func TestChannelsDiffer(t *testing.T) {
	s := certificate(t)
	values := goodValues()
	got := s.Read(parse(t, document(t, s, "portal", values)), "csc", filedAt)
	if have := rules(got.Faults); !slices.Equal(have, []string{"operator_iin required"}) {
		t.Errorf("service centre without its operator: %v", have)
	}
	values["operator_iin"] = values["applicant_iin"]
	got = s.Read(parse(t, document(t, s, "csc", values)), "csc", filedAt)
	if have := rules(got.Faults); !slices.Equal(have, []string{"operator_iin operator-is-not-applicant"}) {
		t.Errorf("an operator for himself: %v", have)
	}
	got = s.Read(parse(t, document(t, s, "csc", values)), "portal", filedAt)
	if len(got.Faults) > 0 || !slices.Equal(got.Unknown, []string{"operator"}) {
		t.Errorf("an operator in the portal channel: %v, unknown %v", rules(got.Faults), got.Unknown)
	}
	if have := rules(s.Read(parse(t, document(t, s, "portal", goodValues())), "akim", filedAt).Faults); !slices.Equal(have, []string{" unknown-channel"}) {
		t.Errorf("a channel the service does not have: %v", have)
	}
}

func TestRoot(t *testing.T) {
	s := certificate(t)
	if have := rules(s.Read(parse(t, []byte(`<request/>`)), "portal", filedAt).Faults); !slices.Equal(have, []string{" unknown-root"}) {
		t.Errorf("another root: %v", have)
	}
}

// TestOtherNamespaces: a form whose namespaces changed is read, and told. An
// element beside the one that is meant is not taken for it.
func TestOtherNamespaces(t *testing.T) {
	s := certificate(t)
	src := string(document(t, s, "portal", goodValues()))
	moved := s.Read(parse(t, []byte(strings.Replace(src, "<application>", `<application xmlns="urn:x">`, 1))), "portal", filedAt)
	if len(moved.Faults) > 0 || len(moved.Unknown) > 0 || moved.Row.Text("surname") != "ТЕСТОВ" {
		t.Errorf("%v %v", rules(moved.Faults), moved.Unknown)
	}
	if !slices.Contains(moved.Drift, Drift{DriftNamespace, "/application"}) || !slices.Contains(moved.Drift, Drift{DriftNamespace, "applicant/iin"}) {
		t.Errorf("%v", moved.Drift)
	}
	beside := s.Read(parse(t, []byte(strings.Replace(src, "<purpose>", `<purpose xmlns="urn:x">чужое</purpose><purpose>`, 1))), "portal", filedAt)
	if len(beside.Faults) > 0 || beside.Row.Text("purpose") != goodValues()["purpose"] || !slices.Equal(beside.Drift, []Drift{{DriftElement, "purpose"}}) {
		t.Errorf("%v %q %v", rules(beside.Faults), beside.Row.Text("purpose"), beside.Drift)
	}
	if want := `<purpose xmlns="urn:x">чужое</purpose>` + "\n"; string(beside.Strange) != want {
		t.Errorf("kept %q", beside.Strange)
	}
}

// TestStrictAndOpen: what departs from the description is refused, and an
// unknown code kept, where the description says so.
func TestStrictAndOpen(t *testing.T) {
	strict := *certificate(t)
	strict.Request.Strict = true
	strict.Request.Fields = slices.Clone(strict.Request.Fields)
	for i := range strict.Request.Fields {
		strict.Request.Fields[i].Open = strict.Request.Fields[i].Name == "delivery"
	}
	strict.plan = newPlan(&strict)
	src := string(document(t, &strict, "portal", goodValues()))
	src = strings.NewReplacer("<delivery>email", "<delivery>drone", "<consent>", `<consent a="1">`, "</application>", "<x/></application>").Replace(src)
	got := strict.Read(parse(t, []byte(src)), "portal", filedAt)
	var told []string
	for _, f := range got.Faults {
		told = append(told, f.Path+" "+f.Rule)
	}
	if slices.Sort(told); !slices.Equal(told, []string{"consent/@a unknown-element", "x unknown-element"}) || got.Row.Text("delivery") != "drone" {
		t.Errorf("%q %q", told, got.Row.Text("delivery"))
	}
	if !slices.Contains(got.Drift, Drift{DriftCode, "delivery"}) {
		t.Errorf("%v", got.Drift)
	}
}

func TestUnknownElementsAreTold(t *testing.T) {
	s := certificate(t)
	src := string(document(t, s, "portal", goodValues()))
	src = strings.Replace(src, "<applicant>", `<applicant kind="new"><nickname>x</nickname>`, 1)
	src = strings.Replace(src, "</application>", `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/><extra/></application>`, 1)
	got := s.Read(parse(t, []byte(src)), "portal", filedAt)
	if want := []string{"applicant/nickname", "applicant/@kind", "extra"}; len(got.Faults) > 0 || !slices.Equal(got.Unknown, want) {
		t.Errorf("unknown %v, want %v; faults %v", got.Unknown, want, rules(got.Faults))
	}
}

func TestNumbersThatDoNotFitAreRemarksOnly(t *testing.T) {
	s := certificate(t)
	values := goodValues()
	values["applicant_iin"] = "910101300018"
	got := s.Read(parse(t, document(t, s, "portal", values)), "portal", filedAt)
	if len(got.Faults) > 0 {
		t.Errorf("faults %v", rules(got.Faults))
	}
	if have := rules(got.Remarks); !slices.Equal(have, []string{"applicant_iin birth-date", "applicant_iin check-digit"}) {
		t.Errorf("remarks %v", have)
	}
}

// The vectors follow the published rule, worked out by hand on made-up digits.
func TestCheckDigit(t *testing.T) {
	for number, want := range map[string]bool{
		"900101300017": true, "900101300018": false, // first weights
		"123456789011": false, "123456789012": false, "123456789021": false, "940229400158": false, // named in the SDK
		"12345678901": false, "1234567890123": false, "90010130001a": false, "": false,
	} {
		if CheckDigit(number) != want {
			t.Errorf("%s: %v", number, !want)
		}
	}
	// Every eleven digits have at most one digit that fits, and some have none.
	none := 0
	for n := range 3000 {
		fits := 0
		for d := range 10 {
			b := []byte("800101300000")
			for i, x := 10, n; i > 5; i, x = i-1, x/10 {
				b[i] = byte('0' + x%10)
			}
			b[11] = byte('0' + d)
			if CheckDigit(string(b)) {
				fits++
			}
		}
		switch fits {
		case 0:
			none++
		case 1:
		default:
			t.Fatalf("%d check digits fit one number", fits)
		}
	}
	if none == 0 || none > 100 {
		t.Errorf("%d of 3000 numbers have no check digit; about one in 121 should", none)
	}
}

func TestAttachments(t *testing.T) {
	s := certificate(t)
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	element := func(inner string) string { return "<attachments><idDocument>" + inner + "</idDocument></attachments>" }
	for name, c := range map[string]struct{ inner, want string }{
		"right":       {"<name>a.pdf</name><content>" + b64("%PDF-1.7") + "</content>", ""},
		"line breaks": {"<name>a.pdf</name><content>\n JVBE\n Ri0x\n</content>", ""},
		"claim lies":  {"<name>a.pdf</name><type>application/pdf</type><content>" + b64("MZ\x90") + "</content>", "id_document attachment-type"},
		"no content":  {"<name>a.pdf</name>", "id_document attachment-empty"},
		"no name":     {"<content>" + b64("%PDF-1.7") + "</content>", "id_document attachment-name"},
		"path name":   {"<name>../a.pdf</name><content>" + b64("%PDF-1.7") + "</content>", "id_document attachment-name"},
		"not base64":  {"<name>a.pdf</name><content>%%%</content>", "id_document attachment-base64"},
		"bad digest":  {"<name>a.pdf</name><sha256>00</sha256><content>" + b64("%PDF-1.7") + "</content>", "id_document attachment-digest"},
		"two names":   {"<name>a.pdf</name><name>b.pdf</name><content>" + b64("%PDF-1.7") + "</content>", "id_document repeated"},
		"too big":     {"<name>a.pdf</name><content>" + b64("%PDF-"+strings.Repeat("x", 5<<20)) + "</content>", "id_document attachment-too-big"},
		"twice":       {"<name>a.pdf</name><content>" + b64("%PDF-1.7") + "</content></idDocument><idDocument><name>b</name>", "id_document attachment-count"},
	} {
		src := strings.Replace(string(document(t, s, "portal", goodValues())), "</application>", element(c.inner)+"</application>", 1)
		got := s.Read(parse(t, []byte(src)), "portal", filedAt)
		if have := strings.Join(rules(got.Faults), "; "); have != c.want {
			t.Errorf("%s: %q, want %q", name, have, c.want)
		}
		for _, f := range got.Faults {
			if strings.Contains(f.Text.Ru+f.Text.Kk+f.Text.En, "{") {
				t.Errorf("%s: a placeholder is left in %+v", name, f.Text)
			}
		}
	}
	if got := s.Read(parse(t, document(t, s, "portal", goodValues(), pdf, Attachment{Kind: "required_document", Name: "1.png", Content: []byte("\x89PNG\r\n\x1a\n1")}, Attachment{Kind: "required_document", Name: "2.jpg", Content: []byte("\xff\xd8\xff2")})), "portal", filedAt); len(got.Faults) > 0 || len(got.Attachments) != 3 {
		t.Errorf("three attachments: %v, %d read", rules(got.Faults), len(got.Attachments))
	}
}

func BenchmarkRead(b *testing.B) {
	s := certificate(b)
	values := goodValues()
	values["operator_iin"], values["operator_name"], values["csc_office"] = "850505400002", "ТЕСТОВА ТЕСТ", "almaty-csc-alatau"
	src := document(b, s, "csc", values)
	root := parse(b, src)
	if got := s.Read(root, "csc", filedAt); len(got.Faults) > 0 {
		b.Fatal(rules(got.Faults))
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Read(root, "csc", filedAt)
	}
}

func TestDateTime(t *testing.T) {
	for in, want := range map[string]string{
		"2026-03-11T10:00:00+05:00": "2026-03-11T10:00:00+05:00", "2026-03-11T10:00:00.123Z": "2026-03-11T10:00:00Z", "2023-03-11T10:00:00+0600": "2023-03-11T10:00:00+06:00",
		"2026-03-11T10:00:00": "2026-03-11T10:00:00+05:00", "2023-03-11T10:00:00": "2023-03-11T10:00:00+06:00",
		"2026-03-11": "", "2026-02-30T10:00:00": "", "10:00": "", "2026-03-11T25:00:00Z": "",
	} {
		got, broken := readDateTime(nil, in)
		if want == "" && broken != "datetime" || want != "" && got != want {
			t.Errorf("%s: %v %s, want %q", in, got, broken, want)
		}
	}
}
