package mappings

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var fillAt = time.Date(2026, 11, 25, 4, 0, 0, 0, time.UTC)

// eachChannel goes through every channel of every built-in service.
func eachChannel(t *testing.T, do func(t *testing.T, s *Service, channel string)) {
	for _, s := range builtinSet(t).Services() {
		for _, c := range s.Channels {
			t.Run(s.ID+"/"+c.ID, func(t *testing.T) {
				t.Parallel()
				do(t, s, c.ID)
			})
		}
	}
}

// TestFill: forms of every service and channel, small, whole and in between,
// read without a fault, leave nothing unknown, and come out the same again.
func TestFill(t *testing.T) {
	eachChannel(t, func(t *testing.T, s *Service, channel string) {
		sizes := map[int]bool{}
		for seed := range uint64(12) {
			how := Filling{Channel: channel, At: fillAt, Seed: seed, Whole: seed == 11}
			form, err := s.Fill(how)
			if err != nil {
				t.Fatal(err)
			}
			again, err := s.Fill(how)
			if err != nil || fmt.Sprint(again) != fmt.Sprint(form) {
				t.Fatalf("seed %d gives another form the second time: %v", seed, err)
			}
			got := s.Read(parse(t, document(t, s, channel, form.Values, form.Files...)), channel, fillAt)
			if len(got.Unknown) > 0 || len(got.Remarks) > 0 {
				t.Errorf("seed %d: unknown %v, remarks %v", seed, got.Unknown, rules(got.Remarks))
			}
			sizes[len(form.Values)] = true
			if seed != 11 {
				continue
			}
			for _, f := range s.Request.Fields {
				if _, ok := got.Row.Get(f.Name); f.In(channel) && !ok {
					t.Errorf("the whole form lacks %s", f.Name)
				}
			}
			if len(got.Row.Groups) < len(s.Request.Groups) || len(got.Attachments) < len(s.Request.Attachments) {
				t.Errorf("the whole form lacks groups or enclosures")
			}
		}
		if len(sizes) < 3 {
			t.Errorf("twelve seeds give forms of %d sizes", len(sizes))
		}
	})
}

func TestFillKnown(t *testing.T) {
	s, _ := builtinSet(t).Service("karaganda-child-allowance-under-18")
	form, err := s.Fill(Filling{Channel: "csc", At: fillAt, Known: map[string]string{
		"surname": "ПРОБОВ", "representative_iin": "800321300002", "family.2.given_name": "ПРОБА", "akim_office": "passed over in this channel",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if v := form.Values; v["surname"] != "ПРОБОВ" || v["poa_notarised"] != "true" || v["poa_number"] == "" || v["family.2.given_name"] != "ПРОБА" || v["family.1.iin"] == "" || v["akim_office"] != "" {
		t.Errorf("%v", v)
	}
	for name, how := range map[string]Filling{
		"channel": {Channel: "portal", At: fillAt},
		"value":   {Channel: "csc", At: fillAt, Known: map[string]string{"consent": "false"}},
		"rule":    {Channel: "csc", At: fillAt, Known: map[string]string{"applicant_iin": "800321300002", "operator_iin": "800321300002"}},
	} {
		if form, err := s.Fill(how); err == nil {
			t.Errorf("%s: no error for %v", name, form.Values)
		}
	}
}

// TestSamplesCoverTheTables: a new type or rule needs a way to keep and to break it.
func TestSamplesCoverTheTables(t *testing.T) {
	for _, name := range fieldTypeNames() {
		if typeSamples[name].good == nil || typeSamples[name].bad == "" && name != "string" {
			t.Errorf("type %s has no row in typeSamples", name)
		}
	}
	for _, name := range namedRuleNames() {
		if ruleBreakers[name] == nil {
			t.Errorf("rule %s has no row in ruleBreakers", name)
		}
	}
	for _, name := range crossRuleNames() {
		if crossSamples[name].violate == nil || crossSamples[name].fault == "" {
			t.Errorf("cross rule %s has no row in crossSamples", name)
		}
	}
	for _, media := range medias {
		if got := mediaOf(SampleFile(media.name, 0)); got != media.name {
			t.Errorf("the sample of %s is %q", media.name, got)
		}
	}
}

// TestEveryRuleOfEveryService breaks each rule of each field, group and
// enclosure alone, then one of every field at once, and last each cross rule:
// every fault is told, with its path, its rule and a text in each language.
func TestEveryRuleOfEveryService(t *testing.T) {
	seen := map[string]bool{}
	t.Run("services", func(t *testing.T) {
		eachChannel(t, func(t *testing.T, s *Service, channel string) {
			how := Filling{Channel: channel, At: fillAt, Whole: true}
			form, err := s.Fill(how)
			if err != nil {
				t.Fatal(err)
			}
			breaches := s.Breaches(how)
			for _, b := range slices.Concat(breaches, s.CrossBreaches(channel)) {
				if b.Rule == "attachment-too-big" && channel != s.Channels[0].ID {
					continue // megabytes are the same in every channel
				}
				tellsFaults(t, s, channel, form, b)
			}
			for round := 0; ; round++ {
				var one []Breach
				of := map[string]int{}
				for _, b := range breaches {
					// The count of a group is about the fields of others.
					if of[b.Field]++; of[b.Field] == round+1 && b.Rule != "group-count" && b.Rule != "attachment-too-big" {
						one = append(one, b)
					}
				}
				if len(one) == 0 {
					break
				}
				tellsFaults(t, s, channel, form, one...)
			}
		})
	})
	for _, s := range builtinSet(t).Services() {
		for _, c := range s.Channels {
			for _, b := range slices.Concat(s.Breaches(Filling{Channel: c.ID, At: fillAt}), s.CrossBreaches(c.ID)) {
				seen[b.Rule] = true
			}
		}
	}
	// What no built-in description has is tried by the tests of reading.
	elsewhere := []string{"string", "unknown-channel", "unknown-root", "too-short", "max", "check-digit", "birth-date", "bin", "unknown-value", "datetime", "other-office", "unknown-element", "unknown-kind", "unknown-application", "not-now", "unknown-code"}
	for _, rule := range RuleNames() {
		if !seen[rule] && !slices.Contains(elsewhere, rule) {
			t.Errorf("rule %s was not broken", rule)
		}
	}
}

func tellsFaults(t *testing.T, s *Service, channel string, form Form, breaches ...Breach) {
	t.Helper()
	src, err := s.Break(channel, form, breaches...)
	if err != nil {
		t.Error(err)
		return
	}
	got := s.Read(parse(t, src), channel, fillAt)
	want := map[string]string{}
	for _, b := range breaches {
		want[b.Path+" "+b.Rule] = b.Field
	}
	for _, f := range got.Faults {
		if field, ok := want[f.Path+" "+f.Rule]; !ok || field != f.Field {
			t.Errorf("%s %s was not broken, and is told", f.Path, f.Rule)
			continue
		}
		delete(want, f.Path+" "+f.Rule)
		for _, said := range []struct{ label, text string }{{f.Label.Ru, f.Text.Ru}, {f.Label.Kk, f.Text.Kk}, {f.Label.In(English), f.Text.En}} {
			if !strings.HasPrefix(said.text, said.label+":") || len(said.text) < len(said.label)+5 || strings.ContainsAny(said.text, "{[<") && !strings.ContainsAny(said.label, "{[<") {
				t.Errorf("%s %s: %q", f.Path, f.Rule, said.text)
			}
		}
		if f.Text.Ru == f.Text.Kk || f.Text.Ru == f.Text.En {
			t.Errorf("%s %s: one text for two languages: %s", f.Path, f.Rule, f.Text.Ru)
		}
	}
	for missing := range want {
		t.Errorf("%s was broken, and is not told", missing)
	}
}
