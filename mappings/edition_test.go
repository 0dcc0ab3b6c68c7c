package mappings

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// exampleEdition is the example with another edition and in_force.
func exampleEdition(t *testing.T, edition, inForce string) *fstest.MapFile {
	t.Helper()
	src, err := os.ReadFile(filepath.Join(mappingData, "good", "example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(src), `edition: "2026-1"`, `edition: "`+edition+`"`, 1)
	text = strings.Replace(text, "in_force: {from: 2026-01-01}", inForce, 1)
	return &fstest.MapFile{Data: []byte(text)}
}

// TestEditions: the edition is that of the day of receipt in Almaty; the one
// before ends by itself; an application finds its own for good.
func TestEditions(t *testing.T) {
	set, faults := load(layer{fsys: few()}, layer{fsys: fstest.MapFS{
		"example@2027-01-01.yaml": exampleEdition(t, "2027-1", "in_force: {from: 2027-01-01, to: 2027-12-31}"),
		"example.yaml":            exampleEdition(t, "2026-1", ""),
	}})
	for _, f := range faults {
		t.Fatal(f.Error())
	}
	almaty := set.Calendar.Zone()
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(1999, 1, 1, 0, 0, 0, 0, almaty), "2026-1"},
		{time.Date(2026, 12, 31, 23, 59, 59, 0, almaty), "2026-1"},
		{time.Date(2026, 12, 31, 19, 0, 0, 0, time.UTC), "2027-1"}, // midnight in Almaty
		{time.Date(2027, 12, 31, 23, 59, 59, 0, almaty), "2027-1"},
		{time.Date(2028, 1, 1, 0, 0, 0, 0, almaty), ""},
	} {
		got, ok := set.Offered("EXAMPLE_OLD", c.at)
		if ok != (c.want != "") || ok && got.Edition != c.want {
			t.Errorf("%s: %v, want %s", c.at, got, c.want)
		}
		if again, _ := set.InForce("example", c.at); again != got {
			t.Errorf("%s: by id %v, by serviceId %v", c.at, again, got)
		}
		if has := slices.Contains(set.Offers(c.at), got); has != ok {
			t.Errorf("%s: offered %t", c.at, has)
		}
	}
	first, _ := set.Edition("example", "2026-1")
	second, _ := set.Edition("example", "2027-1")
	if first == nil || second == nil || first.Until() != (Date{2026, 12, 31}) || second.Name() != "example@2027-01-01" {
		t.Fatalf("%+v %+v", first, second)
	}
	if _, ok := set.Edition("example", "2028-1"); ok {
		t.Error("an edition that is nowhere was found")
	}
	for name, want := range map[string]*Service{"example": first, "example@2027-01-01": second} {
		if got, ok := set.Service(name); !ok || got != want {
			t.Errorf("%s is %v", name, got)
		}
	}
	if got, ok := set.ByGateway("EXAMPLE"); !ok || got != first {
		t.Errorf("by its serviceId: %v", got)
	}
	// Both write one table: it is watched once.
	if n := len(slices.DeleteFunc(set.Watched(), func(s *Service) bool { return s.ID != "example" })); n != 1 {
		t.Errorf("the table is watched %d times", n)
	}
	if second.plan == nil || first.plan == nil {
		t.Error("an edition cannot read")
	}
}

func TestBrokenEditions(t *testing.T) {
	for _, c := range []struct {
		name  string
		files fstest.MapFS
		want  string // file, path and code of the one fault
	}{
		{"overlap", fstest.MapFS{
			"example.yaml":            exampleEdition(t, "a", "in_force: {to: 2027-01-01}"),
			"example@2027-01-01.yaml": exampleEdition(t, "b", "in_force: {from: 2027-01-01}"),
		}, "example@2027-01-01.yaml in_force.from editions-overlap"},
		{"two of one day", fstest.MapFS{
			"example.yaml":            exampleEdition(t, "a", "in_force: {from: 2027-01-01}"),
			"example@2027-01-01.yaml": exampleEdition(t, "b", "in_force: {from: 2027-01-01}"),
		}, "example@2027-01-01.yaml in_force.from editions-overlap"},
		{"gap", fstest.MapFS{
			"example.yaml":            exampleEdition(t, "a", "in_force: {to: 2026-12-30}"),
			"example@2027-01-01.yaml": exampleEdition(t, "b", "in_force: {from: 2027-01-01}"),
		}, "example@2027-01-01.yaml in_force.from editions-gap"},
		{"one name for two", fstest.MapFS{
			"example.yaml":            exampleEdition(t, "a", ""),
			"example@2027-01-01.yaml": exampleEdition(t, "a", "in_force: {from: 2027-01-01}"),
		}, "example@2027-01-01.yaml edition edition-taken"},
		{"the file's day", fstest.MapFS{
			"example.yaml":            exampleEdition(t, "a", ""),
			"example@2027-01-01.yaml": exampleEdition(t, "b", "in_force: {from: 2027-02-01}"),
		}, "example@2027-01-01.yaml in_force.from edition-file"},
		{"another service", fstest.MapFS{
			"other@2027-01-01.yaml": exampleEdition(t, "b", "in_force: {from: 2027-01-01}"),
		}, "other@2027-01-01.yaml service file-name"},
	} {
		_, faults := load(layer{fsys: few()}, layer{fsys: c.files})
		if len(faults) != 1 || faults[0].File+" "+faults[0].Path+" "+faults[0].Code != c.want || faults[0].Line < 2 {
			t.Errorf("%s: %v, want %s", c.name, faults, c.want)
			continue
		}
		for _, lang := range []string{English, Russian, Kazakh} {
			if line := faults[0].In(lang); hasHole(line) || strings.Contains(line, "{last}") || strings.Contains(line, "[fault.") {
				t.Errorf("%s: %s", c.name, line)
			}
		}
	}
}
