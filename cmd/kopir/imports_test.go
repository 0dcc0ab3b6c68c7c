package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// arrows says which of our own packages a package may import (tests of a
// package may also use sigtest and the standard testing rooms). A package that
// is not listed may import nothing of ours: add it here with its reason.
var arrows = map[string][]string{
	"cmd/kopir": {"*"},

	"gateway": {"gateway/soap", "gateway/paper", "gateway/failpoint", "signature", "signature/*", "mappings"},
	// Draws what a result document says as pages; it knows nothing of applications.
	"gateway/paper": {"mappings"},
	"gateway/soap":  {"signature/xmltree"},
	// HTTP requests signed by RFC 9421: headers and keys, nothing of messages.
	"gateway/httpsig": {"signature/*"},
	"gateway/server":  {"gateway", "gateway/failpoint", "gateway/httpsig", "gateway/soap", "mappings", "wsdl"},
	"gateway/client":  {"gateway", "gateway/failpoint", "gateway/httpsig", "gateway/soap", "signature", "signature/*", "mappings"},
	// A door for the clients of another program. It has no part in the bridge:
	// it judges and signs, so it knows signature and nothing of gateway.
	"gateway/signer": {"signature", "signature/*"},
	"gateway/store":  {"gateway", "gateway/failpoint", "gateway/journal", "mappings", "signature/verdict"},
	// Moments at which a test build lets itself be killed; empty in all others.
	"gateway/failpoint": {},
	// Kills bridges and looks at what is left, from outside: it knows processes,
	// the simulator, envelopes and tables, and nothing of the rules.
	"gateway/crash": {"gateway/failpoint", "gateway/sim", "gateway/soap", "signature", "signature/*", "mappings"},
	// The chain of records knows nothing of what it records.
	"gateway/journal": {},
	// Evidence of one application for whoever has no store: what is recorded,
	// judged again.
	"gateway/bundle": {"gateway", "gateway/httpsig", "gateway/journal", "gateway/soap", "signature", "signature/*", "mappings"},
	"gateway/mio":    {"gateway", "mappings"},
	"gateway/sim":    {"gateway/soap", "gateway/httpsig", "signature", "signature/*", "wsdl", "mappings"},

	"signature":         {"signature/*"},
	"signature/verdict": {},
	// Spans of questions to authorities, for whoever asks them.
	"signature/hop":        {},
	"signature/xmltree":    {},
	"signature/gost":       {},
	"signature/algorithm":  {"signature/verdict", "signature/gost"},
	"signature/der":        {},
	"signature/nuc":        {"signature/verdict", "signature/algorithm", "signature/der"},
	"signature/revocation": {"signature/hop", "signature/verdict", "signature/algorithm", "signature/der", "signature/nuc"},
	"signature/cms":        {"signature/der", "signature/nuc"},
	"signature/keystore":   {"signature/verdict", "signature/algorithm", "signature/gost", "signature/der", "signature/nuc"},
	"signature/sigtest":    {"signature/*"},

	"mappings":        {"signature/xmltree"},
	"mappings/sketch": {"mappings", "signature/xmltree"},
	"wsdl":            {},
	"wsdl/shep/sync":  {},
	"wsdl/shep/async": {},
}

// onlyIn names libraries that belong to some rooms only: the rules of the
// bridge know no web framework, no SQL and no HTTP.
var onlyIn = map[string][]string{
	"github.com/gin-gonic/gin":           {"gateway/server", "gateway/signer", "gateway/sim"},
	"github.com/ThalesGroup/crypto11":    {"signature/keystore"},
	"database/sql":                       {"gateway/store", "gateway/mio", "cmd/kopir", "gateway/sim", "gateway/crash"},
	"codeberg.org/go-pdf/fpdf":           {"gateway/paper"},
	"go.opentelemetry.io/otel/sdk/trace": {"cmd/kopir"},
	"net/http":                           {"gateway/server", "gateway/httpsig", "gateway/signer", "gateway/client", "gateway/sim", "gateway/crash", "signature/revocation", "cmd/kopir"},
	"go.uber.org/zap":                    {"gateway", "gateway/server", "gateway/signer", "gateway/client", "gateway/store", "gateway/mio", "gateway/sim", "cmd/kopir"},
	"kopir/signature/sigtest":            {"gateway/sim", "cmd/kopir"},
}

func allowed(rules []string, pkg string) bool {
	for _, r := range rules {
		if r == "*" || r == pkg || strings.HasSuffix(r, "/*") && strings.HasPrefix(pkg, strings.TrimSuffix(r, "*")) {
			return true
		}
	}
	return false
}

// TestImports fails on any import line that points against the arrows.
func TestImports(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := 0
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && file != root) {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(file, ".go") {
			return nil
		}
		src, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		pkg, isTest := filepath.ToSlash(rel), strings.HasSuffix(file, "_test.go")
		rules, known := arrows[pkg]
		if !known {
			t.Errorf("%s: package %s is not in the table of arrows", file, pkg)
			return nil
		}
		for _, imp := range parsed.Imports {
			seen++
			p, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				return err
			}
			if own, ok := strings.CutPrefix(p, "kopir/"); ok && !isTest && !allowed(rules, own) {
				t.Errorf("%s imports %s: no arrow from %s to %s", file, p, pkg, own)
			}
			if rooms, ok := onlyIn[p]; ok && !isTest && !allowed(rooms, pkg) {
				t.Errorf("%s imports %s, which belongs to %s", file, p, path.Join(rooms...))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Fatal("no import line was read: the walk is broken")
	}
}
