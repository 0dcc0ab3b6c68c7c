package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

const rulesFile = "../../testdata/monitoring/kopir.rules.yaml"

// TestAlertRules: every rule reads, names metrics that a bridge has, and has its
// row in the README.
func TestAlertRules(t *testing.T) {
	src, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalWithOptions(src, &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	p, end := testPlay(t)
	defer end()
	p.start(t.Context())
	m := newSyncMaker(t, p)
	if status, body := post(t, p.bridge+"/shep/sync", m.message(nil)); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	b, err := p.fetch(t.Context(), p.bridge+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]string{} // series by name
	for line := range strings.Lines(string(b)) {
		if name, rest, ok := strings.Cut(strings.ReplaceAll(line, " ", "{"), "{"); ok && !strings.HasPrefix(line, "#") {
			have[name] += rest
		}
	}
	metric, label := regexp.MustCompile(`kopir_[a-z0-9_]+`), regexp.MustCompile(`([a-z_]+)="([^"]+)"`)
	seen := 0
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			seen++
			if r.Labels["severity"] == "" || r.Annotations["summary"] == "" {
				t.Errorf("%s has no severity or no summary", r.Alert)
			}
			if !strings.Contains(string(readme), "| `"+r.Alert+"` |") {
				t.Errorf("%s has no row in README", r.Alert)
			}
			for _, name := range metric.FindAllString(r.Expr, -1) {
				series, ok := have[name]
				if !ok {
					t.Errorf("%s: there is no metric %s", r.Alert, name)
				}
				for _, l := range label.FindAllStringSubmatch(r.Expr, -1) {
					if strings.ContainsAny(l[2], "|.*") || strings.Contains(r.Expr, l[1]+`!="`) {
						continue
					}
					if !strings.Contains(series, l[1]+`="`+l[2]+`"`) {
						t.Errorf("%s: no series of %s has %s", r.Alert, name, l[0])
					}
				}
			}
		}
	}
	if seen < 15 {
		t.Errorf("only %d rules", seen)
	}
}

// TestPromtool lets Prometheus' own program read the rules.
func TestPromtool(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not here (Debian package prometheus)")
	}
	if out, err := exec.Command(tool, "check", "rules", rulesFile).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
