package mappings

import (
	"os"
	"strings"
	"testing"

	"kopir/signature/xmltree"
)

func exampleShape(t *testing.T) string {
	t.Helper()
	src, err := os.ReadFile("../gateway/sim/testdata/enis.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(src)
}

// What one side writes by a shape, the other reads by it.
func TestShape(t *testing.T) {
	s, faults := ReadShape("enis.yaml", []byte(exampleShape(t)))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	question, err := s.Question(map[string]string{"number": "A<1>", "date": "2026-01-12", "sender_bin": "010540000009", "message_id": "q-1"})
	if err != nil {
		t.Fatal(err)
	}
	values, err := s.ReadQuestion(parsed(t, question))
	if err != nil || values["number"] != "A<1>" || values["sender_bin"] != "010540000009" || values["message_id"] != "q-1" || !strings.Contains(string(question), "<version>1</version>") {
		t.Errorf("%v %v\n%s", values, err, question)
	}
	answer, err := s.AnswerDocument("2", map[string]string{"number": "A<1>", "principal_iin": "900101300017"})
	if err != nil {
		t.Fatal(err)
	}
	code, facts, err := s.ReadAnswer(parsed(t, answer))
	if err != nil || s.Answer.Says(code) != "revoked" || facts["number"] != "A<1>" || facts["principal_iin"] != "900101300017" || facts["valid_until"] != "" {
		t.Errorf("%s %v %v\n%s", code, facts, err, answer)
	}
	if s.Answer.Says("9") != "" {
		t.Error("a code that nobody knows means something")
	}
	if _, _, err := s.ReadAnswer(parsed(t, []byte("<other/>"))); err == nil {
		t.Error("a document with another root was read")
	}
	twice := strings.Replace(string(answer), "</status>", "</status><status><code>1</code></status>", 1)
	if _, _, err := s.ReadAnswer(parsed(t, []byte(twice))); err == nil {
		t.Error("two codes were read")
	}
}

func parsed(t *testing.T, document []byte) xmltree.Node {
	t.Helper()
	doc, err := xmltree.Parse(document, xmltree.DefaultLimits())
	if err != nil {
		t.Fatalf("%v\n%s", err, document)
	}
	return doc.Root()
}

// Every fault of a shape comes with its line, and all at once.
func TestShapeFaults(t *testing.T) {
	good := exampleShape(t)
	for name, x := range map[string]struct{ from, to, want string }{
		"unknown key":   {"service_id:", "service:", "unknown-key"},
		"no number":     {"value: number}", "value: date}", "shape-lacks"},
		"unknown value": {"value: sender_bin", "value: shoe_size", "not-one-of"},
		"unknown fact":  {"fact: notary", "fact: weather", "not-one-of"},
		"fact twice":    {"fact: notary", "fact: scope", "repeated"},
		"code twice":    {`expired: ["3"]`, `expired: ["2"]`, "repeated"},
		"no end":        {"fact: valid_until", "fact: valid_from", "shape-lacks"},
		"bad path":      {"code: status/code", "code: //code", "bad-path"},
		"form":          {"form: escaped", "form: pigeon", "not-one-of"},
		"no scope":      {"    - {fact: scope, path: powerOfAttorney/scope}\n", "", "shape-lacks"},
		"syntax":        {"request:\n", "request: [\n", "syntax"},
	} {
		src := strings.Replace(good, x.from, x.to, 1)
		if src == good {
			t.Fatalf("%s: the example has no %q", name, x.from)
		}
		s, faults := ReadShape("mine.yaml", []byte(src))
		found := false
		for _, f := range faults {
			found = found || f.Code == x.want
			if f.Line == 0 || !strings.HasPrefix(f.In(English), "mine.yaml:") || strings.Contains(f.In(Russian), "[fault.") {
				t.Errorf("%s: %s", name, f.In(Russian))
			}
		}
		if s != nil || !found {
			t.Errorf("%s: %v, want %s", name, faults, x.want)
		}
	}
	if _, faults := LoadShape("no such file.yaml"); len(faults) != 1 || faults[0].Code != "unreadable" {
		t.Errorf("%v", faults)
	}
}

// TestRegistryGrounds: every refusal that a registry leads to says why, in every
// channel in which it is asked.
func TestRegistryGrounds(t *testing.T) {
	asked := 0
	for _, s := range builtinSet(t).Services() {
		for _, u := range s.Registries {
			for _, ch := range u.Channels {
				for _, id := range []string{u.NoData, u.Invalid} {
					if id == "" {
						continue
					}
					asked++
					text, ok := s.Refusal(id, ch, Text{})
					bare, _ := s.Refusal(id, ch, Text{Ru: "-", Kk: "-"})
					if !ok || len(text.Ru) <= len(bare.Ru) || len(text.Kk) <= len(bare.Kk) {
						t.Errorf("%s %s: the refusal %s has no ground: %q", s.ID, ch, id, text.Ru)
					}
				}
			}
		}
	}
	if asked < 13 {
		t.Errorf("only %d refusals looked at", asked)
	}
}
