package mappings

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// What a description says of foreign tables is checked where it stands.
func TestForeignTables(t *testing.T) {
	src := exampleSource(t)
	for _, c := range []struct{ old, new, code, path string }{
		{"", "", "", ""},
		{"  id: ID ", "  # ", "missing-key", "local.files.key_is"},
		{"files: {key_is: id", "files: {key_is: row", "not-one-of", "local.files.key_is"},
		{"entity: person, column: FAMILIYA", "entity: nobody, column: FAMILIYA", "unknown-name", "request.fields[1].entity"},
		{"entity: person, column: FAMILIYA", "entity: person, column: iin", "repeated", "request.fields[1].column"},
		{"key: IIN, id: ID, column: LICO_ID", "key: NOMER, id: ID, column: LICO_ID", "no-key-field", "local.entities[0].key"},
		{"column: LICO_ID", "column: STATUS", "repeated", "local.entities[0].column"},
		{"column: ISTOCHNIK", "column: KANAL", "repeated", "local.constants[0].column"},
		{"column: ISTOCHNIK", "column: \"A B\"", "bad-identifier", "local.constants[0].column"},
		{"lookups: [{column: RAYON", "lookups: [{column: RAION", "unknown-name", "local.lookups[0].column"},
		{"code: KOD, id: ID}]", "code: \"KOD;\", id: ID}]", "bad-identifier", "local.lookups[0].code"},
		{"codes: education_kinds,", "codes: education_types,", "unknown-name", "request.fields[7].codes"},
		{"education_kinds: {table: SOC.SPR_OBRAZ", "education: {table: SOC.SPR_OBRAZ", "repeated", "local.codes.education"},
		{"title_ru: NAIM_RU,", "title: NAIM_RU,", "unknown-key", "local.codes.education_kinds.title"},
		{"yes: \"Y\", no: \"N\"", "yes: \"Y\"", "words-and-type", ""},
	} {
		if c.old != "" && !strings.Contains(src, c.old) {
			t.Fatalf("no %q in the example", c.old)
		}
		_, faults := load(layer{fsys: few()}, layer{fsys: fstest.MapFS{"example.yaml": {Data: []byte(strings.Replace(src, c.old, c.new, 1))}}})
		if c.code == "" {
			if len(faults) > 0 {
				t.Errorf("%v", faults)
			}
			continue
		}
		found := false
		for _, f := range faults {
			found = found || f.Code == c.code && strings.HasPrefix(f.Path, c.path) && f.Line > 1 && f.Column > 0
		}
		if !found {
			t.Errorf("%q: no %s at %s: %v", c.new, c.code, c.path, faults)
		}
	}
}

func exampleSource(t *testing.T) string {
	t.Helper()
	src, err := os.ReadFile(mappingData + "/good/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(src)
}

// A code list of the local database judges documents as it was read last.
func TestCodesOfTheLocalDatabase(t *testing.T) {
	set, faults := load(layer{fsys: few()}, layer{fsys: fstest.MapFS{"example.yaml": {Data: []byte(exampleSource(t))}}})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	s, _ := set.Service("example")
	code := func() string {
		r := s.Read(parse(t, []byte(`<e:application xmlns:e="urn:example"><e:education>17</e:education></e:application>`)), "portal", filedAt)
		for _, f := range r.Faults {
			if f.Field == "education" {
				return f.Rule
			}
		}
		return ""
	}
	if got := s.MissingCodes(); len(got) != 1 || got[0] != "education_kinds" {
		t.Errorf("missing: %v", got)
	}
	if code() != "code" {
		t.Error("a list that was never read lets a code through")
	}
	if s.SetCodes("education_kinds", nil) == nil || s.SetCodes("others", []Code{{Value: "1"}}) == nil {
		t.Error("an empty list, or one of another name, was taken")
	}
	if err := s.SetCodes("education_kinds", []Code{{Value: "17", Ru: "высшее", Kk: "жоғары"}}); err != nil {
		t.Fatal(err)
	}
	if got := code(); got != "" || len(s.MissingCodes()) != 0 {
		t.Errorf("a code of the list: %s", got)
	}
	if err := s.SetCodes("education_kinds", []Code{{Value: "18", Ru: "среднее", Kk: "орта"}}); err != nil {
		t.Fatal(err)
	}
	if list, ok := s.CodeList("education_kinds"); !ok || len(list.Codes) != 1 || list.Codes[0].Value != "18" || code() != "code" {
		t.Errorf("the list was not replaced: %v", list)
	}
}
