package mappings_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"kopir/gateway"
	"kopir/mappings"
	"kopir/signature/verdict"
)

// TestEveryCodeHasAText: reasons, error codes, states and rules are closed
// lists in Go; each has a sentence in every language.
func TestEveryCodeHasAText(t *testing.T) {
	set, faults := mappings.Builtin()
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	var want []string
	for _, r := range verdict.Reasons() {
		want = append(want, "reason."+string(r))
	}
	for _, n := range verdict.Names() {
		want = append(want, "check."+n)
	}
	for _, o := range []verdict.Outcome{verdict.Passed, verdict.Failed, verdict.Undetermined} {
		if !set.Texts.Has("explain." + o.String()) {
			t.Errorf("no text explain.%s", o)
		}
	}
	for _, c := range gateway.Codes() {
		want = append(want, "error."+string(c))
	}
	for _, s := range mappings.States() {
		want = append(want, "state."+s)
	}
	for _, r := range mappings.RuleNames() {
		want = append(want, "rule."+r)
	}
	for _, key := range want {
		if !set.Texts.Has(key) {
			t.Errorf("no text %s", key)
		}
	}
	// And no text outlives its code.
	for _, key := range set.Texts.Keys() {
		group, _, _ := strings.Cut(key, ".")
		if slices.Contains([]string{"reason", "check", "error", "state", "rule"}, group) && !slices.Contains(want, key) {
			t.Errorf("the text %s belongs to nothing", key)
		}
		for _, lang := range []string{mappings.Russian, mappings.Kazakh, mappings.English} {
			if strings.TrimSpace(set.Texts.Get(lang, key)) == "" {
				t.Errorf("%s is empty in %s", key, lang)
			}
		}
	}
}

// TestLanguagesAreNotMixedUp: Kazakh sentences of any length hold a letter
// that Russian lacks, Russian ones none, English ones no Cyrillic.
func TestLanguagesAreNotMixedUp(t *testing.T) {
	set, _ := mappings.Builtin()
	kazakh := regexp.MustCompile(`[әіңғүұқөһӘІҢҒҮҰҚӨҺ]`)
	cyrillic := regexp.MustCompile(`\p{Cyrillic}`)
	for _, key := range set.Texts.Keys() {
		text := set.Texts.Text(key)
		if kazakh.MatchString(text.Ru) {
			t.Errorf("%s: Kazakh letters in Russian: %s", key, text.Ru)
		}
		if cyrillic.MatchString(text.En) {
			t.Errorf("%s: Cyrillic in English: %s", key, text.En)
		}
		if len(cyrillic.FindAllString(text.Kk, -1)) > 35 && !kazakh.MatchString(text.Kk) {
			t.Errorf("%s: no Kazakh letter in %s", key, text.Kk)
		}
	}
}

// TestEveryFaultCodeHasAText reads the codes out of the Go source.
func TestEveryFaultCodeHasAText(t *testing.T) {
	set, _ := mappings.Builtin()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`\b(?:fault\([^,\n]+, |Code: |code(?: :?=|, names :=) |return )"([a-z][a-z0-9]*(?:-[a-z0-9]+)+)"`)
	seen := 0
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") || f == "rule.go" || f == "read.go" || f == "attachment.go" {
			continue
		}
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range call.FindAllStringSubmatch(string(src), -1) {
			seen++
			if !set.Texts.Has("fault."+m[1]) || !set.Texts.Has("fault."+m[1]+"-remedy") {
				t.Errorf("%s: the fault %s lacks its two sentences", f, m[1])
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d codes were found: the pattern is out of date", seen)
	}
}
