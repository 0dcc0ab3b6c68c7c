package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/signature"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

// TestExplainSpeaks: the same verdict in three languages, the JSON untouched.
func TestExplainSpeaks(t *testing.T) {
	dir, _, _ := verifyFiles(t)
	f := func(name string) string { return filepath.Join(dir, name) }
	_, signed, _ := command(t, "", "sign", "-p12", f("key.p12"), "-pass-file", f("pass"), f("message.xml"))
	changed := strings.Replace(signed, "900101300120", "900101300121", 1)
	args := []string{"-trust", f("trust.pem"), "-crl", f("list.crl"), "-at", sigtest.Noon().Format(time.RFC3339), "-"}
	var plain string
	for _, c := range []struct {
		name  string
		flags []string
		env   map[string]string
		words []string
	}{
		{"default", nil, nil, []string{"The content was changed after signing", "The signature is not confirmed"}},
		{"ru", []string{"-lang", "ru"}, nil, []string{"Подпись не подтверждена", "Содержание изменено после подписания", "НЕТ", "да "}},
		{"kk", []string{"-lang", "kk"}, nil, []string{"Қолтаңба расталмады", "Мазмұны қол қойылғаннан кейін өзгертілген", "ЖОҚ"}},
		{"LANG", nil, map[string]string{"LANG": "kk_KZ.UTF-8"}, []string{"Қолтаңба расталмады"}},
		{"flag before LANG", []string{"-lang", "en"}, map[string]string{"LANG": "ru_RU.UTF-8"}, []string{"The signature is not confirmed"}},
		{"foreign LANG", nil, map[string]string{"LANG": "de_DE.UTF-8"}, []string{"The signature is not confirmed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, words bytes.Buffer
			line := append(append([]string{"verify", "-explain"}, c.flags...), args...)
			code := run(context.Background(), line, stdio{in: strings.NewReader(changed), out: &out, err: &words, env: func(k string) string { return c.env[k] }})
			if code != exitFailed {
				t.Fatalf("status %d: %s", code, words.String())
			}
			for _, w := range append(c.words, "HASH_FAILURE", "TOTAL_FAILED", "(digest)") {
				if !strings.Contains(words.String(), w) {
					t.Errorf("no %q in:\n%s", w, words.String())
				}
			}
			if plain == "" {
				plain = out.String()
			} else if out.String() != plain {
				t.Errorf("the JSON hangs on the language:\n%s", out.String())
			}
		})
	}
	if code, _, complaint := command(t, "", "verify", "-lang", "de", f("message.xml")); code != exitUsage || !strings.Contains(complaint, "known: ru, kk, en") {
		t.Errorf("%d %s", code, complaint)
	}
}

// TestExplainHasEveryWord: no name and no reason comes out as a lost key.
func TestExplainHasEveryWord(t *testing.T) {
	var s signature.SignatureVerdict
	for i, name := range verdict.Names() {
		s.Checks = append(s.Checks, verdict.Pass(name, ""), verdict.Fail(name, verdict.Reasons()[i%len(verdict.Reasons())], "detail"))
	}
	for _, r := range verdict.Reasons() {
		s.Checks = append(s.Checks, verdict.Unsure(verdict.CheckChain, r, ""))
	}
	s.Checks = append(s.Checks, verdict.Check{Name: verdict.CheckRevocation, Skipped: true})
	for _, lang := range []string{"ru", "kk", "en"} {
		for _, o := range []verdict.Outcome{verdict.Passed, verdict.Failed, verdict.Undetermined} {
			var w bytes.Buffer
			if err := explainVerdict(&w, &signature.Verdict{Outcome: o, Signatures: []signature.SignatureVerdict{s}}, lang); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(w.String(), "[") {
				t.Errorf("%s: a text is lost:\n%s", lang, w.String())
			}
		}
	}
}
