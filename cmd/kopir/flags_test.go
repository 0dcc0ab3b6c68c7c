package main

import (
	"bytes"
	"strings"
	"testing"
)

// Every verb explains itself on standard output with status 0, and answers a
// flag that it does not have with one sentence and status 2.
func TestEveryVerbHelpsAndRefusesUnknownFlags(t *testing.T) {
	calls := [][]string{
		{"mapping", "list"}, {"mapping", "check"}, {"mapping", "show"}, {"mapping", "test"},
		{"outbox", "list"}, {"outbox", "retry"}, {"outbox", "drop"},
	}
	for _, v := range verbs {
		calls = append(calls, []string{v.name})
	}
	for _, call := range calls {
		name := strings.Join(call, " ")
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			s := stdio{in: strings.NewReader(""), out: &out, err: &errs, env: func(string) string { return "" }}
			if code := run(t.Context(), append(call, "-h"), s); code != exitPassed {
				t.Errorf("-h: status %d, want 0", code)
			}
			if !strings.HasPrefix(out.String(), "usage: kopir "+name) || errs.Len() > 0 {
				t.Errorf("-h: standard output %q, standard error %q", out.String(), errs.String())
			}
			out.Reset()
			if code := run(t.Context(), append(call, "-no-such-flag"), s); code != exitUsage {
				t.Errorf("unknown flag: status %d, want 2", code)
			}
			if line := errs.String(); !strings.HasPrefix(line, "kopir: ") || strings.Count(line, "\n") != 1 || out.Len() > 0 {
				t.Errorf("unknown flag: standard output %q, standard error %q", out.String(), line)
			}
		})
	}
}
