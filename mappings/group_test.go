package mappings

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func assistance(t *testing.T) *Service {
	t.Helper()
	s, ok := builtinSet(t).Service("karaganda-targeted-social-assistance")
	if !ok {
		t.Fatal("no service")
	}
	return s
}

// TestGroups: what repeats becomes numbered rows, and its faults bear the
// number; nothing of one repetition spills into the next.
func TestGroups(t *testing.T) {
	s := assistance(t)
	doc, err := s.Document("office", map[string]string{
		"family.1.iin": "800331300007", "family.1.surname": "ТЕСТОВА", "family.1.given_name": "ТЕСТ", "family.1.birth_date": "1980-03-31", "family.1.relation": "spouse",
		"family.2.iin": "12", "family.2.surname": "ТЕСТ0ВА", "family.2.given_name": "ТЕСТ", "family.2.birth_date": "2016-03-12", "family.2.relation": "child",
		"incomes.1.person_iin": "800331300007", "incomes.1.kind": "wages",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := s.Read(parse(t, []byte(strings.Replace(string(doc), "</family>", "<member><iin>800331300007</iin><age>5</age></member></family>", 1))), "office", filedAt)
	var faults []string
	for _, f := range got.Faults {
		if strings.Contains(f.Field, ".") {
			faults = append(faults, f.Field+" "+f.Path+" "+f.Rule)
		}
	}
	want := []string{
		"family.2.iin family/member[2]/iin iin", "family.2.surname family/member[2]/surname person-name",
		"family.3.surname family/member[3]/surname required", "family.3.given_name family/member[3]/name required",
		"family.3.birth_date family/member[3]/birthDate required", "family.3.relation family/member[3]/relation required",
		"incomes.1.amount incomes/income[1]/amount required",
	}
	if !slices.Equal(faults, want) {
		t.Errorf("%q\nwant %q", faults, want)
	}
	if !slices.Equal(got.Unknown, []string{"family/member/age"}) {
		t.Errorf("unknown: %v", got.Unknown)
	}
	if len(got.Row.Groups) != 4 || got.Row.Groups[0].Number != 1 || len(got.Row.Groups[0].Values) != 5 || got.Row.Groups[0].Values[0].Text() != "800331300007" {
		t.Errorf("%+v", got.Row.Groups)
	}
	for _, name := range []string{"family.0.iin", "family.1.age", "family.x.iin", "friends.1.iin", "family.iin"} {
		if _, err := s.Document("office", map[string]string{name: "1"}, nil); err == nil {
			t.Errorf("%s was written", name)
		}
	}
}

func TestGroupCount(t *testing.T) {
	s := assistance(t)
	for n, broken := range map[int]bool{0: false, 30: false, 31: true, 5000: true} {
		doc := "<application><family>" + strings.Repeat("<member/>", n) + "</family></application>"
		got := s.Read(parse(t, []byte(doc)), "office", filedAt)
		told := slices.ContainsFunc(got.Faults, func(f FieldFault) bool { return f.Field == "family" && f.Rule == "group-count" })
		if told != broken || len(got.Row.Groups) > 30 {
			t.Errorf("%d members: told %t, %d rows", n, told, len(got.Row.Groups))
		}
	}
}

// TestBrokenGroups: each fault of a group is found at its place.
func TestBrokenGroups(t *testing.T) {
	src, err := os.ReadFile(filepath.Join(mappingData, "good", "example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct{ old, bad, code, path string }{
		{"max_count: 30", "max_count: 0", "bad-bounds", "request.groups[0].max_count"},
		{"min_count: 0", "min_count: 31", "bad-bounds", "request.groups[0].max_count"},
		{"table: SOC.SPRAVKI_SEMYA", "table: SOC.SPRAVKI", "repeated", "request.groups[0].table"},
		{"table: SOC.SPRAVKI_SEMYA", "table: unemployed_certificate", "table-taken", ""},
		{"number: N ", "number: nomer ", "repeated", "request.groups[0].number"},
		{"column: DOHOD", "column: iin", "repeated", "request.groups[0].fields[1].column"},
		{`path: "e:income", type: decimal`, `path: "x:income", type: decimal`, "unknown-prefix", "request.groups[0].fields[1].path"},
		{`path: "e:income", type: decimal`, `path: "e:income", channels: [csc], type: decimal`, "unknown-key", "request.groups[0].fields[1].channels"},
		{"- name: family", "- name: surname", "repeated", "request.groups[0].name"},
	} {
		bad := strings.Replace(string(src), k.old, k.bad, 1)
		if bad == string(src) {
			t.Fatalf("%s is not there", k.old)
		}
		faults := loadOne(t, "example.yaml", []byte(bad))
		if !slices.ContainsFunc(faults, func(f Fault) bool { return f.Code == k.code && (k.path == "" || f.Path == k.path && f.Line > 1) }) {
			t.Errorf("%s: %v", k.bad, faults)
		}
	}
}
