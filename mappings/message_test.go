package mappings

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const kindsFolder = "../testdata/stories/resident-card"

// kinds is a service with everything that partners send beside the application.
func kinds(t *testing.T) *Service {
	t.Helper()
	set, faults := load(layer{fsys: few()}, layer{fsys: os.DirFS(kindsFolder)})
	for _, f := range faults {
		t.Fatal(f.Error())
	}
	s, ok := set.Service("resident-card")
	if !ok {
		t.Fatal("no service")
	}
	for _, f := range set.CheckStories(os.DirFS(filepath.Dir(kindsFolder))) {
		t.Error(f.Error())
	}
	return s
}

// TestKindsBothWays: what the description of a kind writes is told to be of
// that kind in every channel by which it comes, and read by its rules; every
// rule broken is found.
func TestKindsBothWays(t *testing.T) {
	s := kinds(t)
	seen := map[string]bool{}
	for _, k := range s.Kinds() {
		for _, c := range s.Channels {
			if k.message != nil && !k.message.In(c.ID) {
				continue
			}
			seen[k.KindName()] = true
			for seed := range uint64(4) {
				form, err := k.Fill(Filling{Channel: c.ID, At: fillAt, Seed: seed, Whole: seed == 3})
				if err != nil {
					t.Fatal(err)
				}
				root := parse(t, document(t, k, c.ID, form.Values))
				if got := s.Kind(c.ID, root); got != k || k.Kind(c.ID, root) != k {
					t.Fatalf("%s at %s is taken for %s", k.KindName(), c.ID, got.KindName())
				}
				if got := k.Read(root, c.ID, fillAt); len(got.Faults)+len(got.Drift) > 0 || len(got.Row.Values) != len(form.Values) {
					t.Errorf("%s at %s: %v %v", k.KindName(), c.ID, rules(got.Faults), got.Drift)
				}
			}
			how := Filling{Channel: c.ID, At: fillAt, Whole: true}
			form, err := k.Fill(how)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range k.Breaches(how) {
				doc, err := k.Break(c.ID, form, b)
				if err != nil {
					t.Fatal(err)
				}
				if got := k.Read(parse(t, doc), c.ID, fillAt); !slices.ContainsFunc(got.Faults, func(f FieldFault) bool { return b.Rule == f.Rule }) {
					t.Errorf("%s: %s broken and not found: %v", k.KindName(), b.Name(), rules(got.Faults))
				}
			}
		}
	}
	if len(seen) != len(s.Messages)+1 {
		t.Errorf("tried %v", seen)
	}
}

// TestNoKind: what is of no kind is refused and told, never read as another.
func TestNoKind(t *testing.T) {
	s := kinds(t)
	for name, c := range map[string]struct{ channel, doc, kind, rule, drift string }{
		"unknown value":            {"portal", `<c:request xmlns:c="urn:test:card"><c:kind>COMPLAINT</c:kind></c:request>`, "application", "unknown-kind", "code c:kind"},
		"no value":                 {"portal", `<c:request xmlns:c="urn:test:card"/>`, "application", "unknown-kind", "code c:kind"},
		"two values":               {"portal", `<c:request xmlns:c="urn:test:card"><c:kind>NEW</c:kind><c:kind>WITHDRAWAL</c:kind></c:request>`, "application", "unknown-kind", "code c:kind"},
		"unknown root":             {"portal", `<complaint><iin>1</iin></complaint>`, "application", "unknown-root", "element /complaint"},
		"a kind of the portal's":   {"csc", `<duplicateRequest><number>1</number></duplicateRequest>`, "application", "unknown-root", "element /duplicateRequest"},
		"another namespace":        {"portal", `<s:statusRequest xmlns:s="urn:new"><number>1</number></s:statusRequest>`, "inquiry", "", "namespace /statusRequest"},
		"another namespace of two": {"portal", `<request xmlns="urn:new"><kind>NEW</kind></request>`, "application", "unknown-kind", "code c:kind"},
	} {
		root := parse(t, []byte(c.doc))
		k := s.Kind(c.channel, root)
		got := k.Read(root, c.channel, fillAt)
		if k.KindName() != c.kind || got.NoKind != (c.rule != "") || c.rule != "" && (len(got.Faults) != 1 || got.Faults[0].Rule != c.rule) || c.rule == "" && len(got.Faults) > 0 {
			t.Errorf("%s: %s %v", name, k.KindName(), rules(got.Faults))
		}
		if len(got.Drift) == 0 || string(got.Drift[0].Kind)+" "+got.Drift[0].Path != c.drift {
			t.Errorf("%s: %v, want %s", name, got.Drift, c.drift)
		}
	}
}

// TestInward: a code means what its own partner's table says.
func TestInward(t *testing.T) {
	s := kinds(t)
	for _, c := range []struct{ from, code, does string }{
		{"portal", "WITHDRAWN", Withdraw}, {"portal", "VIEWED", Note}, {"csc", "70", HandedOver}, {"csc", "71", NotCollected},
		{"csc", "WITHDRAWN", ""}, {"portal", "70", ""}, {"portal", "withdrawn", ""}, {"portal", "", ""},
	} {
		if r, ok := s.InwardOf(c.from, c.code); r.Does != c.does || ok != (c.does != "") {
			t.Errorf("%s from %s: %q", c.code, c.from, r.Does)
		}
	}
}

// TestKindsNeed: what a kind must name is asked for by line and column.
func TestKindsNeed(t *testing.T) {
	src, err := os.ReadFile(filepath.Join(kindsFolder, "resident-card.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"no number":                            {"    number: number\n    applicant: iin\n    refusal", "    applicant: iin\n    refusal", "missing-key messages[1]"},
		"no applicant":                         {"    applicant: iin\n    refusal", "    refusal", "missing-key messages[1]"},
		"no refusal":                           {"    refusal: withdrawn\n", "", "unknown-name messages[1].refusal"},
		"no code":                              {"    code: code\n", "", "missing-key messages[5]"},
		"a number that is no field":            {"    number: number\n    code: code", "    number: nomer\n    code: code", "unknown-name messages[5].number"},
		"no signer inside":                     {"      signer: iin\n      fields:\n        - {name: number, path: \"c:", "      fields:\n        - {name: number, path: \"c:", "bad-signer messages[1].request.signer"},
		"an unknown move":                      {"does: inquire", "does: ask", "not-one-of messages[4].does"},
		"a kind twice":                         {"kind: inquiry", "kind: duplicate", "repeated messages[4].kind"},
		"the application's name":               {"kind: inquiry", "kind: application", "repeated messages[4].kind"},
		"an unknown channel":                   {"from: csc, code: \"70\"", "from: pep, code: \"70\"", "unknown-name inward[2].from[0]"},
		"a move of messages only":              {"code: VIEWED, does: note", "code: VIEWED, does: correct", "not-one-of inward[1].does"},
		"a path with a prefix that is unknown": {"when: {path: \"c:kind\", value: WITHDRAWAL}", "when: {path: \"x:kind\", value: WITHDRAWAL}", "unknown-prefix messages[1].request.when.path"},
		"a field that is not described":        {"path: \"c:surname\"", "paht: \"c:surname\"", "unknown-key request.fields[1].paht"},
		"no column in a form":                  {"column: old_card, ", "", "missing-key messages[0].request.fields[1]"},
	} {
		text := strings.Replace(string(src), c.old, c.new, 1)
		if text == string(src) {
			t.Fatalf("%s: nothing to change", name)
		}
		var got []string
		for _, f := range loadOne(t, "resident-card.yaml", []byte(text)) {
			got = append(got, f.Code+" "+f.Path)
			if f.Line < 2 || f.Column < 1 || hasHole(f.In(English)) {
				t.Errorf("%s: %s", name, f.In(English))
			}
		}
		if !slices.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
