package mappings

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestTermsAddUp: between two states several people work, each for a term of
// his own in the hours of his office; a refusal is another way out.
func TestTermsAddUp(t *testing.T) {
	set := builtinSet(t)
	s, ok := set.Service("almaty-unemployed-registration")
	if !ok {
		t.Fatal("no service")
	}
	office, _ := s.Channel("office")
	from := almaty(t, set.Calendar, "2026-11-25 17:59") // a Wednesday, a minute before the end
	for _, k := range []struct {
		state string
		steps []int
		due   string
	}{
		// Two minutes of forwarding end on Thursday morning, two working days after it.
		{Received, []int{2, 3}, "2026-11-30 18:00"},
		{InProgress, []int{2, 3}, "2026-11-30 18:00"},
		{Completed, nil, "0001-01-01 00:00"},
	} {
		run := office.Running(k.state)
		var nos []int
		for _, step := range run {
			nos = append(nos, step.No)
		}
		due, _, err := set.Due(run, "", from)
		if got := due.Format("2006-01-02 15:04"); err != nil || got != k.due || !reflect.DeepEqual(nos, k.steps) {
			t.Errorf("%s: steps %v until %s (%v), want %v until %s", k.state, nos, got, err, k.steps, k.due)
		}
	}
}

// TestWorkOfAnotherChannel: the portal's own steps have no terms; those of the
// provider's work run.
func TestWorkOfAnotherChannel(t *testing.T) {
	s, ok := builtinSet(t).Service("almaty-job-seeker-registration")
	if !ok {
		t.Fatal("no service")
	}
	office, _ := s.Channel("office")
	for _, id := range []string{"portal", "csc"} {
		c, _ := s.Channel(id)
		step, ok := c.Open(Received)
		if !ok || step.No != 3 || step.Actor != "provider-head" || c.Terms() != office {
			t.Errorf("%s: step %d of %s", id, step.No, step.Actor)
		}
	}
	if office.Terms() != office {
		t.Error("the office's work is its own")
	}
	if got := s.SignerFields("csc"); !reflect.DeepEqual(got, []string{"operator_iin", "applicant_iin"}) {
		t.Errorf("who signs at the State Corporation: %v", got)
	}
	if got := s.SignerFields("office"); !reflect.DeepEqual(got, []string{"operator_iin"}) {
		t.Errorf("who signs in the office: %v", got)
	}
}

// TestPowerOfAttorney: its data belong to a representative, and only when it is notarised.
func TestPowerOfAttorney(t *testing.T) {
	day := Date{2026, 10, 1}
	for _, k := range []struct {
		what   string
		values map[string]any
		broken string
	}{
		{"nobody represents", nil, ""},
		{"notarised", map[string]any{"representative_iin": IIN("1"), "poa_notarised": true, "poa_number": "1", "poa_date": day}, ""},
		{"not notarised", map[string]any{"representative_iin": IIN("1"), "poa_notarised": false}, ""},
		{"not said which", map[string]any{"representative_iin": IIN("1")}, "poa_notarised"},
		{"of nobody", map[string]any{"poa_notarised": true, "poa_number": "1", "poa_date": day}, "poa_notarised"},
		{"notarised without number", map[string]any{"representative_iin": IIN("1"), "poa_notarised": true, "poa_date": day}, "poa_number"},
		{"notarised without date", map[string]any{"representative_iin": IIN("1"), "poa_notarised": true, "poa_number": "1"}, "poa_date"},
		{"not notarised, with a number", map[string]any{"representative_iin": IIN("1"), "poa_notarised": false, "poa_number": "1"}, "poa_number"},
		{"a number of nobody", map[string]any{"poa_number": "1"}, "poa_number"},
	} {
		r := &Row{}
		for name, v := range k.values {
			r.Values = append(r.Values, Value{Field: name, Data: v})
		}
		rule, _ := crossRuleByName("power-of-attorney")
		if got := rule.check(r); got != k.broken {
			t.Errorf("%s: %q, want %q", k.what, got, k.broken)
		}
	}
	rule, _ := crossRuleByName("representative-is-not-applicant")
	same := &Row{Values: []Value{{Field: "applicant_iin", Data: IIN("1")}, {Field: "representative_iin", Data: IIN("1")}}}
	if rule.check(same) != "representative_iin" || rule.check(&Row{Values: same.Values[:1]}) != "" {
		t.Error("an applicant represents himself")
	}
}

// TestLanguagesOfDescriptions: a Kazakh text of any length holds a letter that
// Russian lacks, a Russian one none, an English one no Cyrillic.
func TestLanguagesOfDescriptions(t *testing.T) {
	kazakh := regexp.MustCompile(`[әіңғүұқөһӘІҢҒҮҰҚӨҺ]`)
	cyrillic := regexp.MustCompile(`\p{Cyrillic}`)
	seen := 0
	var walk func(v reflect.Value, at string)
	walk = func(v reflect.Value, at string) {
		switch {
		case v.Kind() == reflect.Pointer && !v.IsNil():
			walk(v.Elem(), at)
		case v.Kind() == reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i), at)
			}
		case v.Kind() == reflect.Struct && v.Type() == textType:
			text := v.Interface().(Text)
			seen++
			if utf8.RuneCountInString(text.Kk) > 60 && !kazakh.MatchString(text.Kk) {
				t.Errorf("%s: not Kazakh: %s", at, text.Kk)
			}
			if kazakh.MatchString(text.Ru) {
				t.Errorf("%s: not Russian: %s", at, text.Ru)
			}
			if cyrillic.MatchString(text.En) {
				t.Errorf("%s: not English: %s", at, text.En)
			}
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.IsExported() {
					walk(v.Field(i), at+"."+f.Name)
				}
			}
		}
	}
	for _, s := range builtinSet(t).Services() {
		walk(reflect.ValueOf(*s), s.ID)
	}
	if seen < 400 {
		t.Errorf("only %d texts", seen)
	}
}

// TestStoriesOfChannels: every channel of every service has an accepted and a
// refused story.
func TestStoriesOfChannels(t *testing.T) {
	for _, s := range builtinSet(t).Services() {
		for _, c := range s.Channels {
			have := map[string]bool{}
			stories, err := filepath.Glob(filepath.Join("..", "testdata", "stories", s.ID, "*", "story.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range stories {
				src, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				channel := "portal"
				if m := regexp.MustCompile(`channel: (\w+)`).FindSubmatch(src); m != nil {
					channel = string(m[1])
				}
				if channel != c.ID {
					continue
				}
				_, err = os.Stat(filepath.Join(filepath.Dir(f), "row.json"))
				have[map[bool]string{true: "accepted", false: "refused"}[err == nil]] = true
			}
			if !have["accepted"] || !have["refused"] {
				t.Errorf("%s %s: stories %v", s.ID, c.ID, have)
			}
		}
	}
}

// TestStoriesOfGrounds: every ground of every service ends a story. A login at
// the portal or the service centre is theirs; the simulator's tests refuse it.
func TestStoriesOfGrounds(t *testing.T) {
	channelOf := regexp.MustCompile(`channel: (\w+)`)
	for _, s := range builtinSet(t).Services() {
		said := map[string]string{} // what was said in stories, by channel
		stories, err := filepath.Glob(filepath.Join("..", "testdata", "stories", s.ID, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range stories {
			channel := "portal"
			files, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			var all strings.Builder
			for _, f := range files {
				src, err := os.ReadFile(filepath.Join(dir, f.Name()))
				if err != nil {
					t.Fatal(err)
				}
				if m := channelOf.FindSubmatch(src); f.Name() == "story.yaml" && m != nil {
					channel = string(m[1])
				}
				if f.Name() != "story.yaml" && f.Name() != "in.xml" {
					all.Write(src)
				}
			}
			said[channel] += all.String()
		}
		for _, r := range s.Refusals {
			seen, ours := false, true
			for _, c := range s.Channels {
				text, _ := s.Refusal(r.ID, c.ID, Text{})
				seen = seen || strings.Contains(said[c.ID], strings.TrimSpace(text.Ru)) && strings.Contains(said[c.ID], strings.TrimSpace(text.Kk))
				for _, k := range c.Conditions {
					ours = ours && (k.Refusal != r.ID || k.Actor != "pep" && k.Actor != "is-con")
				}
			}
			if office, ok := s.Channel("office"); ok { // whose login is the bridge's
				for _, k := range office.Conditions {
					ours = ours || k.Refusal == r.ID
				}
			}
			if ours && !seen {
				t.Errorf("%s: no story ends with %s", s.ID, r.ID)
			}
		}
	}
}
