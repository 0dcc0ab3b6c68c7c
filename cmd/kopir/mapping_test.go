package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func runMappingVerb(t *testing.T, in string, env map[string]string, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	s := stdio{in: strings.NewReader(in), out: &stdout, err: &stderr, env: func(k string) string { return env[k] }}
	code = run(context.Background(), append([]string{"mapping"}, args...), s)
	return code, stdout.String(), stderr.String()
}

func TestMappingList(t *testing.T) {
	code, out, _ := runMappingVerb(t, "", map[string]string{"LANG": "kk_KZ.UTF-8"}, "list")
	if code != exitPassed || !regexp.MustCompile(`(?m)^almaty-unemployed-certificate +ALMATY_UNEMPLOYED_CERTIFICATE +portal,csc,office +2012-03-30-1-231 +… +Жұмыссыз азаматтарға анықтама беру$`).MatchString(out) {
		t.Errorf("%d %s", code, out)
	}
}

func TestMappingShowGroups(t *testing.T) {
	code, out, errs := runMappingVerb(t, "", nil, "show", "-lang", "ru", "karaganda-targeted-social-assistance")
	for _, want := range []string{"Член семьи family/member [0…30]: social_assistance_family", "incomes.amount", "аким сельского округа подписывает сопроводительное письмо"} {
		if code != exitPassed || !strings.Contains(out, want) {
			t.Errorf("%d: no %q in %s %s", code, want, out, errs)
		}
	}
}

func TestMappingCheck(t *testing.T) {
	if code, out, _ := runMappingVerb(t, "", nil, "check"); code != exitPassed || !regexp.MustCompile(`^The descriptions are in order: \d+ services`).MatchString(out) {
		t.Errorf("built-in: %d %s", code, out)
	}
	dir := t.TempDir()
	good, err := os.ReadFile("../../testdata/mappings/good/smallest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	bad := strings.Replace(string(good), "form: paper", "form: clay", 1)
	if err := os.WriteFile(filepath.Join(dir, "smallest.yaml"), []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	for lang, want := range map[string]string{
		"en": "smallest.yaml:6:7: form: clay is not possible here. one of paper, partly_automated, fully_automated.\n",
		"ru": "smallest.yaml:6:7: form: clay здесь не бывает. одно из: paper, partly_automated, fully_automated.\n",
		"kk": "smallest.yaml:6:7: form: мұнда clay болмайды. мыналардың бірі: paper, partly_automated, fully_automated.\n",
	} {
		code, out, errs := runMappingVerb(t, "", nil, "check", "-dir", dir, "-lang", lang)
		if code != exitFailed || out != "" || !strings.HasPrefix(errs, filepath.Join(dir, want)) {
			t.Errorf("%s: %d %q %q", lang, code, out, errs)
		}
	}
	// Stories lie in the folder by default, and are asked for when they do.
	if err := os.WriteFile(filepath.Join(dir, "smallest.yaml"), good, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := runMappingVerb(t, "", nil, "check", "-dir", dir); code != exitPassed {
		t.Errorf("without stories: %d %s", code, errs)
	}
	if err := os.MkdirAll(filepath.Join(dir, "stories", "smallest"), 0o700); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := runMappingVerb(t, "", nil, "check", "-dir", dir, "-lang", "en"); code != exitFailed || !strings.Contains(errs, "there is no accepted story in smallest") {
		t.Errorf("with an empty folder of stories: %d %s", code, errs)
	}
}

func TestMappingShow(t *testing.T) {
	for lang, want := range map[string][]string{
		"ru": {"Выдача справок безработным гражданам", "районный отдел  10 раб. мин", "не указан", "1 раб. дн"},
		"kk": {"Жұмыссыз азаматтарға анықтама беру", "аудандық бөлім  10 жұмыс мин", "көрсетілмеген"},
		"en": {"Issue of certificates to unemployed citizens", "3 working d", "not stated"},
	} {
		code, out, errs := runMappingVerb(t, "", nil, "show", "-lang", lang, "almaty-unemployed-certificate")
		if code != exitPassed {
			t.Fatalf("%s: %d %s", lang, code, errs)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%s lacks %q", lang, w)
			}
		}
		if strings.Contains(out, "[mapping.") {
			t.Errorf("%s lacks a text:\n%s", lang, out)
		}
	}
}

func TestMappingTest(t *testing.T) {
	var got struct {
		Accepted bool
		Row      map[string]any
		Faults   []struct {
			Path, Rule string
			Text       struct{ Ru, Kk string }
		}
	}
	code, out, errs := runMappingVerb(t, `<application><applicant><iin>12</iin></applicant></application>`, nil, "test", "-at", "2026-03-11T10:00:00+05:00", "almaty-unemployed-certificate", "-")
	if code != exitFailed {
		t.Fatalf("%d %s", code, errs)
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Accepted || len(got.Faults) != 8 || got.Faults[0].Path != "applicant/iin" || got.Faults[0].Rule != "iin" || got.Faults[0].Text.Kk != "Өтініш берушінің ЖСН: ЖСН 12 цифрдан тұрады" {
		t.Errorf("%s", out)
	}
}

func TestMappingWrongUse(t *testing.T) {
	for _, args := range [][]string{
		{}, {"frob"}, {"-x"}, {"list", "extra"}, {"show"}, {"show", "no-such-service"}, {"list", "-lang", "de"}, {"list", "-dir", "no/such/folder"},
		{"test", "almaty-unemployed-certificate"}, {"test", "almaty-unemployed-certificate", "no-such-file.xml"}, {"test", "-at", "today", "almaty-unemployed-certificate", "-"},
		{"test", "-channel", "post", "almaty-unemployed-certificate", "-"}, {"test", "almaty-unemployed-certificate", "-"}, // not XML
		{"check", "-stories", "no/such/folder"},
	} {
		code, out, errs := runMappingVerb(t, "not XML", nil, args...)
		if code != exitUsage || out != "" || errs == "" {
			t.Errorf("%v: %d %q %q", args, code, out, errs)
		}
	}
	if code, out, _ := runMappingVerb(t, "", nil, "-h"); code != exitPassed || !strings.Contains(out, "check") {
		t.Errorf("help: %d %s", code, out)
	}
}
