package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestConfigFaults reads testdata/config/faults/*.yaml, one fault a file. The
// comment at the head says which sentence must come, and where:
//
//	# want: LINE:COLUMN: key: sentence
func TestConfigFaults(t *testing.T) {
	files, err := filepath.Glob("../../testdata/config/faults/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for line := range strings.Lines(string(src)) {
				if w, ok := strings.CutPrefix(line, "# want: "); ok {
					want = append(want, strings.TrimSpace(w))
				}
			}
			if len(want) == 0 {
				t.Fatal("the file does not say what it wants")
			}
			_, faults := loadConfig(file)
			var got []string
			for _, f := range faults {
				got = append(got, strings.TrimPrefix(f.format(file), file+":"))
			}
			for _, w := range want {
				found := false
				for _, g := range got {
					found = found || strings.Contains(g, w)
				}
				if !found {
					t.Errorf("no %q among:\n  %s", w, strings.Join(got, "\n  "))
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d faults, want %d:\n  %s", len(got), len(want), strings.Join(got, "\n  "))
			}
		})
	}
}

func TestConfigFaultsDoNotShowSecrets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kopir.yaml")
	if err := os.WriteFile(file, []byte("gateway:\n  password: hunter2\n  sync: https://user:hunter2@host/\n\tx: hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, faults := loadConfig(file)
	if len(faults) == 0 {
		t.Fatal("no fault")
	}
	for _, f := range faults {
		if strings.Contains(f.format(file), "hunter2") {
			t.Error(f.format(file))
		}
	}
}

func TestSizesAndTimes(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "512": 512, "512KB": 512 << 10, "25MB": 25 << 20, "1 GB": 1 << 30, "-1": -1, "5XB": -1, "": -1, "99999999GB": -1} {
		var v size
		if err := v.parse(s); err != nil {
			v = -1
		}
		if int64(v) != want {
			t.Errorf("%q: %d, want %d", s, v, want)
		}
	}
	for s, ok := range map[string]bool{"30s": true, "1h30m": true, "30": false, "-5s": false, "": false} {
		var v duration
		if err := v.parse(s); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
	}
}
