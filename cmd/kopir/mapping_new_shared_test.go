//go:build shared

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/mappings"
)

// TestMappingNewOfRealMessages: every found message with a business document
// becomes a description whose only faults stand in lines that are marked, and
// which reads that document.
func TestMappingNewOfRealMessages(t *testing.T) {
	shared := os.Getenv("KOPIR_SHARED")
	if shared == "" {
		shared = "../../../shared"
	}
	files, err := filepath.Glob(filepath.Join(shared, "shep", "samples", "*.xml"))
	if err != nil || len(files) < 20 {
		t.Fatal(err, len(files))
	}
	written := 0
	for _, file := range files {
		dir := t.TempDir()
		code, _, errs := runMappingVerb(t, "", nil, "new", "-sample", file, "-service", "test-real", "-out", dir)
		if code != exitPassed {
			t.Logf("%s: %s", filepath.Base(file), strings.TrimSpace(errs))
			continue
		}
		written++
		lines := strings.Split(string(readAll(t, filepath.Join(dir, "test-real.yaml"))), "\n")
		s, faults := loadedService(t, dir, "test-real")
		for _, f := range faults {
			if f.Line < 1 || !strings.Contains(lines[f.Line-1], "DECIDE") {
				t.Errorf("%s: %s", filepath.Base(file), f.Error())
			}
		}
		if len(faults) > 0 {
			continue
		}
		d, err := unwrap(readAll(t, file))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Read(d.root, "portal", sampleTime); len(got.Faults) > 0 || len(got.Row.Values) == 0 {
			t.Errorf("%s: %+v", filepath.Base(file), got.Faults)
		}
	}
	if written < 15 {
		t.Errorf("only %d of %d messages became a description", written, len(files))
	}
	for file, root := range map[string]string{"shep-sync-types.xsd": "SendMessage", "shep-async-types.xsd": "sendMessage"} {
		dir := t.TempDir()
		if code, _, errs := runMappingVerb(t, "", nil, "new", "-xsd", filepath.Join(shared, "shep", "wsdl", file), "-root", root, "-service", "test-real", "-out", dir); code != exitPassed {
			t.Errorf("%s: %s", file, errs)
			continue
		}
		lines := strings.Split(string(readAll(t, filepath.Join(dir, "test-real.yaml"))), "\n")
		_, faults := loadedService(t, dir, "test-real")
		for _, f := range faults {
			if !strings.Contains(lines[f.Line-1], "DECIDE") {
				t.Errorf("%s: %s", file, f.Error())
			}
		}
	}
}

var sampleTime = time.Date(2026, 3, 11, 5, 0, 0, 0, time.UTC)

func loadedService(t *testing.T, dir, id string) (*mappings.Service, []mappings.Fault) {
	t.Helper()
	set, faults := mappings.LoadDir(dir)
	s, ok := set.Service(id)
	if !ok && len(faults) == 0 {
		t.Fatal("no service")
	}
	return s, faults
}
