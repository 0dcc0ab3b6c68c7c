package main

import (
	"bytes"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"kopir/gateway"
	"kopir/gateway/soap"
)

// TestRefusalsWithinABudget: a partner whose messages are refused fills no disk.
// Beyond its budget digest, size, verdict and answer are kept, it is told, and
// what it sends rightly is taken as ever.
func TestRefusalsWithinABudget(t *testing.T) {
	p, end := testPlay(t)
	defer end()
	p.rewrite(t, "kopir.yaml", "live.yaml", "store: {path: data/kopir.db}", "store: {path: data/live.db}",
		"limits: {drain_notice: 0s}", "limits: {drain_notice: 0s, body: 16KB, refused_per_day: 16KB}")
	config := filepath.Join(p.dir, "live.yaml")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n, stop := startNode(t, config, l)
	m := newSyncMaker(t, p)
	door := reachable(l) + "/shep/sync"
	type exchange struct{ raw, answer string }
	var all []exchange
	for range 5 {
		raw := m.message(func(r *soap.SyncSendMessageRequest) {
			r.RequestData.Data = soap.EscapedData(bytes.Replace(m.documents[0], []byte("<surname>"), []byte("<surname>X"), 1))
		})
		status, answer := post(t, door, raw)
		if status != 200 || !strings.Contains(answer, "SendMessageResponse") {
			t.Fatalf("%d %s", status, answer)
		}
		all = append(all, exchange{string(raw), answer})
	}
	for _, x := range all {
		if status, answer := post(t, door, []byte(x.raw)); status != 200 || answer != x.answer {
			t.Errorf("%d: another answer to the same message", status)
		}
	}
	if status, answer := post(t, door, m.message(nil)); status != 200 {
		t.Errorf("%d %s", status, answer)
	}
	page, err := n.store.Applications(t.Context(), gateway.Filter{}, "", 10)
	if err != nil || len(page.Applications) != 1 {
		t.Fatal(page, err)
	}
	b, err := p.fetch(t.Context(), reachable(l)+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	sender := `{sender="` + m.portal.Sender + `"} `
	if !strings.Contains(string(b), "kopir_refused_unkept_messages"+sender) || strings.Contains(string(b), "kopir_refused_unkept_messages"+sender+"0") || strings.Contains(string(b), "kopir_refused_kept_bytes"+sender+"0") {
		t.Errorf("the metrics do not tell:\n%s", b)
	}
	whole, bare := 0, ""
	for _, x := range all {
		id := between(x.answer, "<messageId>", "</messageId>")
		out := filepath.Join(t.TempDir(), "bundle.asice")
		must(t, exitPassed, "journal", "export", "-config", config, "-o", out, "message/"+id)
		if m := p.judged(t, out); strings.Contains(m, "was not kept") {
			bare = out
		} else if strings.HasPrefix(m, "PASSED") {
			whole++
		} else {
			t.Error(m)
		}
	}
	if whole == 0 || bare == "" {
		t.Fatalf("%d kept whole, one without content: %q", whole, bare)
	}
	for lang, word := range map[string]string{"ru": "не сохранено", "kk": "сақталмаған"} {
		if said := must(t, exitIndeterminate, "journal", "verify", "-trust", filepath.Join(p.dir, "trust"), "-lang", lang, bare); !strings.Contains(said, word) {
			t.Error(said)
		}
	}
	stop()
	if said := must(t, exitPassed, "journal", "verify", "-config", config); !strings.Contains(said, "intact") {
		t.Error(said)
	}
}

// judged is what is said of a bundle, whatever the outcome.
func (p *play) judged(t *testing.T, path string) string {
	t.Helper()
	var out strings.Builder
	run(t.Context(), []string{"journal", "verify", "-lang", "en", "-trust", filepath.Join(p.dir, "trust"), path}, stdio{out: &out, err: &out, env: func(string) string { return "" }})
	return out.String()
}
