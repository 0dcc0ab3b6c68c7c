package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"kopir/mappings"
)

func TestLanguage(t *testing.T) {
	for _, c := range []struct{ flag, all, lang, want string }{
		{"", "", "", "en"}, {"", "", "C", "en"}, {"", "", "ru_RU.UTF-8", "ru"}, {"", "", "kk_KZ", "kk"}, {"", "kk_KZ.UTF-8", "ru_RU", "kk"},
		{"", "C.UTF-8", "ru_RU", "en"}, {"", "", "rue_XX", "en"}, {"ru", "", "kk_KZ", "ru"}, {"en", "", "ru_RU", "en"}, {"de", "", "", "error"},
	} {
		got, err := langOf(c.flag, func(name string) string { return map[string]string{"LC_ALL": c.all, "LANG": c.lang}[name] })
		if err != nil {
			got = "error"
		}
		if got != c.want {
			t.Errorf("-lang %q LC_ALL=%q LANG=%q: %s, want %s", c.flag, c.all, c.lang, got, c.want)
		}
	}
}

func TestStageIsPlainInAPipe(t *testing.T) {
	set, _ := mappings.Builtin()
	var out bytes.Buffer
	s := newStage(stdio{out: &out, env: func(string) string { return "" }}, mappings.Russian, set.Texts)
	s.clock = func() time.Time { return time.Unix(0, 0) }
	s.begin("step-take")
	s.seen("step-take")
	s.begin("step-take")
	s.lost("step-take", errors.New("why"))
	if strings.ContainsAny(out.String(), "\x1b\r") || !strings.Contains(out.String(), "✓  1  ") || !strings.Contains(out.String(), "✗  2  ") || !strings.Contains(out.String(), "why") || len(s.failed) != 1 {
		t.Errorf("%q", out.String())
	}
	out.Reset()
	s.terminal, s.colour = true, true
	s.begin("step-take")
	s.seen("step-take")
	if !strings.Contains(out.String(), "\r\x1b[K") || !strings.Contains(out.String(), "\x1b[32m✓") {
		t.Errorf("%q", out.String())
	}
}
