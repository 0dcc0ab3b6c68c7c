package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
)

// TestReloadMappings: a running bridge takes over descriptions when their
// files change; what is broken, or would take an edition from a running
// application, changes nothing and is told.
func TestReloadMappings(t *testing.T) {
	s := newSite(t)
	at := func(name string) string { return filepath.Join(s.dir, name) }
	good := string(readAll(t, "../../testdata/mappings/good/smallest.yaml"))
	s.write("mappings/smallest.yaml", []byte(good))
	s.edit("# mappings: mappings", "mappings: mappings")
	s.edit("services: [almaty-unemployed-certificate]", "services: [almaty-unemployed-certificate, smallest]")
	s.edit(`ocsp: ["`, `# ocsp: ["`)
	s.edit(`  delta: ["`, `  # delta: ["`)
	n, book := openNode(t, at("kopir.yaml"))
	serveNode(t, n, book, listen(t))
	watchFiles(t, n)
	has := func(name string) bool { _, ok := n.services.Load().Service(name); return ok }

	second := strings.NewReplacer("edition: \"2026-1\"", "edition: \"2030-1\"\nin_force: {from: 2030-01-01}").Replace(good)
	if second == good {
		t.Fatal("the edition of smallest.yaml is not where it was")
	}
	s.write("mappings/smallest@2030-01-01.yaml", []byte(second))
	waitFor(t, "the second edition", func() bool { return has("smallest@2030-01-01") })
	waitFor(t, "its line", func() bool { return strings.Contains(book.String(), `"new":["smallest@2030-01-01 (2030-1)"]`) })

	s.write("mappings/smallest@2030-01-01.yaml", []byte(strings.Replace(second, "form: paper", "form: clay", 1)))
	waitFor(t, "the fault", func() bool { return strings.Contains(book.String(), "form: clay is not possible here") })
	if !has("smallest@2030-01-01") {
		t.Error("a broken file took an edition away")
	}

	app := &gateway.Application{Number: "S-1", Service: "smallest", Edition: "2030-1", Channel: gateway.Office, State: gateway.Received, ReceivedAt: time.Now(), Version: 1}
	if err := n.store.Commit(t.Context(), gateway.Change{Application: app}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(at("mappings/smallest@2030-01-01.yaml")); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the refusal", func() bool {
		return strings.Contains(book.String(), `1 applications of smallest were filed under the edition \"2030-1\"`)
	})
	if !has("smallest@2030-01-01") {
		t.Error("an edition that is needed was taken away")
	}
	// Nor does `kopir check` let a start without it pass.
	if errs := must(t, exitFailed, "check", "-config", at("kopir.yaml")); !strings.Contains(errs, `filed under the edition "2030-1"`) {
		t.Error(errs)
	}
	s.write("mappings/smallest@2030-01-01.yaml", []byte(second))
	waitFor(t, "the last exchange", func() bool { return strings.Count(book.String(), "service descriptions reloaded") >= 2 })

	// The sentences of problems are those of the descriptions as well.
	const ours = "Адрес изменён"
	problems := strings.Replace(string(readAll(t, "../../mappings/shared/texts-problem.yaml")), "no_route: {ru: \"", "no_route: {ru: \""+ours+": ", 1)
	s.write("mappings/shared/texts-problem.yaml", []byte(problems))
	waitFor(t, "the new sentence", func() bool {
		w := httptest.NewRecorder()
		n.server.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/api/v1/nowhere", nil))
		return strings.Contains(w.Body.String(), ours)
	})
}
