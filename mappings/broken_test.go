package mappings

import (
	"flag"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

var update = flag.Bool("update", false, "rewrite the expected messages of testdata/mappings/broken")

const mappingData = "../testdata/mappings"

// loadOne reads a file over what is shared and the first service; the other
// services would be read again for every file and have nothing to do with it.
func loadOne(t testing.TB, name string, src []byte) []Fault {
	t.Helper()
	_, faults := load(layer{fsys: few()}, layer{fsys: fstest.MapFS{name: {Data: src}}})
	return faults
}

var few = sync.OnceValue(func() fs.FS {
	some := fstest.MapFS{}
	files, _ := collect([]layer{{fsys: builtin}})
	for _, f := range files {
		if strings.HasPrefix(f.name, "shared/") || f.name == certificateService+".yaml" {
			some[f.name] = &fstest.MapFile{Data: f.data}
		}
	}
	return some
})

// TestBroken: one file a fault, named for its code; beside it the lines that
// `kopir mapping check` prints, in three languages. The first of them must be
// the fault that the file is named for.
func TestBroken(t *testing.T) {
	seen := map[string]bool{}
	var files []string
	for _, pattern := range []string{"*.yaml", "shared/*.yaml"} {
		found, err := filepath.Glob(filepath.Join(mappingData, "broken", pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 70 {
		t.Fatalf("only %d files", len(files))
	}
	for _, file := range files {
		code := strings.TrimSuffix(filepath.Base(file), ".yaml")
		name := filepath.Base(file)
		if target, fault, ok := strings.Cut(code, "@"); ok {
			code, name = fault, path.Join("shared", target+".yaml")
		}
		seen[code] = true
		t.Run(code, func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			faults := loadOne(t, name, src)
			if len(faults) == 0 {
				t.Fatal("nothing was found wrong")
			}
			var got strings.Builder
			named := false
			for _, f := range faults {
				named = named || f.Code == code
				if f.File != name && f.File != "shared/actors.yaml" {
					t.Errorf("%s blames %s", f.Code, f.File)
				}
				for _, lang := range []string{English, Russian, Kazakh} {
					line := f.In(lang)
					got.WriteString(line + "\n")
					if strings.ContainsAny(line, "[") && strings.Contains(line, "[fault.") || hasHole(line) {
						t.Errorf("a text or a value is missing: %s", line)
					}
				}
			}
			if !named {
				t.Errorf("no fault has the code %s", code)
			}
			want := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(want, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if expected, err := os.ReadFile(want); err != nil || string(expected) != got.String() {
				t.Errorf("%v\n%s\nwant\n%s", err, got.String(), expected)
			}
		})
	}
	// Every code that has a text has a file; the rest needs a disk or a database.
	elsewhere := map[string]string{
		"no-folder": "TestLoadDir", "unreadable": "an unreadable disk", "missing-file": "a layer without the built-in files", "file-ending": "TestLoadDir",
		"too-big": "TestTooBig", "too-many-lines": "TestTooBig", "more-faults": "TestTooBig", "no-yaml": "TestLoadDir",
		"edition-file": "TestBrokenEditions", "edition-taken": "TestBrokenEditions", "editions-overlap": "TestBrokenEditions", "editions-gap": "TestBrokenEditions",
		"no-story": "TestStories", "no-table": "TestSchema", "no-column": "TestSchema", "shape-lacks": "TestShapeFaults",
		"column-type": "TestSchemaFits", "column-short": "TestSchemaFits", "column-letters": "TestSchemaFits", "column-not-null": "TestSchemaFits",
		"column-unfilled": "TestSchemaFits", "key-not-unique": "TestSchemaFits", "no-rollback": "TestSchemaFits", "no-right": "TestSchemaFits",
	}
	texts := faultTexts()
	for _, key := range texts.Keys() {
		code, ok := strings.CutPrefix(key, "fault.")
		if !ok || strings.HasSuffix(code, "-remedy") {
			continue
		}
		if !texts.Has(key + "-remedy") {
			t.Errorf("%s has no remedy", code)
		}
		if _, known := elsewhere[code]; !seen[code] && !known {
			t.Errorf("no broken file shows the fault %s", code)
		}
	}
	for code := range seen {
		if !texts.Has("fault." + code) {
			t.Errorf("the fault %s has no text", code)
		}
	}
}

// TestOtherEncodings: what editors and other systems write is either read or
// named.
func TestOtherEncodings(t *testing.T) {
	src, err := os.ReadFile(filepath.Join(mappingData, "good", "smallest.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	good := string(src)
	for name, c := range map[string]struct{ src, want string }{
		"byte order mark": {"\ufeff" + good, ""},
		"CRLF":            {strings.ReplaceAll(good, "\n", "\r\n"), ""},
		"windows-1251":    {"service: smallest\ntitle: {ru: \xcf\xf0\xe8}\n", "not-utf8"},
		"UTF-16":          {"\xff\xfes\x00e\x00", "not-utf8"},
		"UTF-16 unmarked": {"s\x00e\x00r\x00", "control-character"},
		"an alias bomb":   {"service: &a [x, x]\nedition: &b [*a, *a]\nact: [*b, *b]\n", "not-plain"},
		"a scalar":        {"smallest", "not-a-description"},
		"nothing":         {"\n# nothing\n", "empty"},
		"many dashes":     {strings.Repeat("- ", 20000) + "a", "too-deep"},
		"two documents":   {good + "---\n" + good, "two-documents"},
		"twice a key":     {good + "service: smallest\n", "repeated-key"},
	} {
		faults := loadOne(t, "smallest.yaml", []byte(c.src))
		if c.want == "" && len(faults) > 0 || c.want != "" && !slices.ContainsFunc(faults, func(f Fault) bool { return f.Code == c.want && f.Line > 0 && f.Column > 0 }) {
			t.Errorf("%s: %v, want %q", name, faults, c.want)
		}
	}
}

// hasHole says whether a placeholder was left; texts of descriptions that are
// quoted in a message may hold theirs.
func hasHole(line string) bool {
	for _, name := range placeholders(line) {
		switch name {
		case "path", "value", "known", "detail", "key", "what", "want", "allowed", "type", "field", "channel", "state", "no", "actor", "other", "bytes", "limit", "names", "times", "longest", "folder", "table", "off", "work":
			return true
		}
	}
	return false
}

func TestSmallestService(t *testing.T) {
	files, err := fs.Glob(os.DirFS(mappingData), "good/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(err, len(files))
	}
	for _, f := range files {
		src, err := os.ReadFile(filepath.Join(mappingData, f))
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range loadOne(t, path.Base(f), src) {
			t.Error(fault.Error())
		}
	}
}

func TestTooBig(t *testing.T) {
	for want, src := range map[string]string{
		"too-big":        strings.Repeat("# a comment of a line of a file that is too big by any measure of mine\n# "+strings.Repeat("x", 1000)+"\n", 1000),
		"too-many-lines": strings.Repeat("k: v\n", maxFileLines+1),
	} {
		faults := loadOne(t, "big.yaml", []byte(src))
		if len(faults) != 1 || faults[0].Code != want || hasHole(faults[0].In(Russian)) || strings.Contains(faults[0].In(Russian), "{") {
			t.Errorf("%s: %v", want, faults)
		}
	}
	faults := loadOne(t, "big.yaml", []byte(strings.Repeat("k: v\n", 200)))
	if len(faults) != maxFileFaults+1 || !slices.ContainsFunc(faults, func(f Fault) bool { return f.Code == "more-faults" && strings.Contains(f.In(Kazakh), "100") }) {
		t.Errorf("of 200 faults %d are told", len(faults))
	}
}

func TestAllFaultsOfAFileAtOnce(t *testing.T) {
	src, err := os.ReadFile(filepath.Join(mappingData, "good", "smallest.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	bad := strings.NewReplacer("form: paper", "from: paper", "type: date", "type: 7", "within: 1wd", "within: soon").Replace(string(src))
	var codes []string
	for _, f := range loadOne(t, "smallest.yaml", []byte(bad)) {
		codes = append(codes, f.Code)
	}
	if got := strings.Join(codes, " "); got != "missing-key unknown-key quote-it bad-term" {
		t.Errorf("%s", got)
	}
}

func TestLoadDir(t *testing.T) {
	if set, faults := LoadDir(filepath.Join(t.TempDir(), "none")); set != nil || len(faults) != 1 || faults[0].Code != "no-folder" {
		t.Errorf("%v %v", set, faults)
	}
	dir := t.TempDir()
	if _, faults := LoadDir(dir); len(faults) != 1 || faults[0].Code != "no-yaml" || !strings.Contains(faults[0].In(Russian), dir) {
		t.Errorf("a folder without descriptions: %v", faults)
	}
	src, err := os.ReadFile(filepath.Join(mappingData, "good", "smallest.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "smallest.yaml"), src, 0o600); err != nil {
		t.Fatal(err)
	}
	set, faults := LoadDir(dir)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if _, ok := set.Service("smallest"); !ok {
		t.Error("the folder's service is missing")
	}
	if _, ok := set.Service(certificateService); !ok {
		t.Error("the built-in service is missing")
	}
	if err := os.WriteFile(filepath.Join(dir, "lost.yml"), src, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, faults = LoadDir(dir); len(faults) != 1 || faults[0].Code != "file-ending" {
		t.Errorf("a .yml file: %v", faults)
	}
}

func TestStories(t *testing.T) {
	set := builtinSet(t)
	stories := fstest.MapFS{certificateService + "/accepted/in.xml": {}, certificateService + "/accepted/row.json": {}}
	for _, s := range set.Services() {
		if s.ID != certificateService {
			for _, name := range []string{"/a/in.xml", "/a/row.json", "/r/in.xml", "/r/verdict.json"} {
				stories[s.ID+name] = &fstest.MapFile{}
			}
		}
	}
	if faults := set.CheckStories(stories); len(faults) != 1 || !strings.Contains(faults[0].Error(), "no refused story") {
		t.Errorf("without a refused story: %v", faults)
	}
	stories[certificateService+"/try-later/in.xml"] = &fstest.MapFile{}
	if faults := set.CheckStories(stories); len(faults) != 1 {
		t.Errorf("a message without a verdict is no refusal: %v", faults)
	}
	stories[certificateService+"/refused/in.xml"] = &fstest.MapFile{}
	stories[certificateService+"/refused/verdict.json"] = &fstest.MapFile{}
	if faults := set.CheckStories(stories); len(faults) != 0 {
		t.Errorf("with both: %v", faults)
	}
	// The services in the binary have theirs.
	for _, f := range set.CheckStories(os.DirFS("../testdata/stories")) {
		t.Error(f.Error())
	}
}

// FuzzLoad: whatever a file holds, Load ends, and either says what is wrong or
// gives a set that reads documents.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"good/*.yaml", "broken/*.yaml"} {
		files, err := filepath.Glob(filepath.Join(mappingData, pattern))
		if err != nil || len(files) == 0 {
			f.Fatal(err, pattern)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	set := builtinSet(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		s, faults := set.readService(source{"smallest.yaml", "smallest.yaml", src})
		for _, fault := range faults {
			if fault.Code == "" || fault.File == "" || strings.HasPrefix(fault.Message(English), "[") {
				t.Errorf("a fault without words: %+v", fault)
			}
		}
		if len(faults) > 0 {
			return
		}
		s.linkKinds()
		for _, c := range s.Channels {
			root := parse(t, []byte(`<application><applicant><iin>1</iin></applicant></application>`))
			s.Kind(c.ID, root).Read(root, c.ID, filedAt)
		}
	})
}
