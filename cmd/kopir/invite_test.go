package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"kopir/mappings"
)

// What `kopir run` invites to try works as it is printed, in the order in
// which it is printed.
func TestInvitationWorksAsPrinted(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("witness tool curl is not installed")
	}
	p, end := testPlay(t)
	defer end()
	p.start(t.Context())
	var screen bytes.Buffer
	p.stage = newStage(stdio{out: &screen, env: func(string) string { return "" }}, mappings.English, p.materials.set.Texts)
	p.invite()

	// Something to take: what the second line does, done once before.
	m := newSyncMaker(t, p)
	if status, body := post(t, p.bridge+"/shep/sync", m.message(nil)); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	list, err := p.fetch(t.Context(), p.bridge+"/api/v1/applications")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(list), `"number":"`)
	number, _, _ := strings.Cut(rest, `"`)

	want := []string{`{"applications":[{`, `"number": "PEP-`, `"state":"in_progress"`, `"number": "PEP-`, `{"deliveries":[`, "<wsdl:definitions"}
	for _, line := range strings.Split(screen.String(), "\n") {
		command, quoted := strings.CutPrefix(line, "    ")
		if !quoted || !strings.HasPrefix(command, "curl ") {
			if quoted && !strings.HasPrefix(command, "    ") {
				t.Errorf("a command that a bare machine has not: %s", command)
			}
			continue
		}
		if len(want) == 0 {
			t.Fatalf("not expected: %s", command)
		}
		out, err := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(command, "NUMBER", number)).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want[0]) {
			t.Errorf("%s: %v, no %s in %.500s", command, err, want[0], out)
		}
		want = want[1:]
	}
	if len(want) > 0 {
		t.Errorf("not printed: %s", want)
	}
}
