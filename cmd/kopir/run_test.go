package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"kopir/gateway/sim"
	"kopir/mappings"
	"kopir/signature/keystore"
	"kopir/signature/nuc"
	"kopir/signature/sigtest"
)

// TestRunOnce plays the whole story, and a second one on the same folder.
func TestRunOnce(t *testing.T) {
	dir := t.TempDir()
	last := ""
	for _, lang := range []string{"kk", "ru", "en"} {
		code, out, errs := kopir(t, "run", "-once", "-addr", "127.0.0.1:0", "-data", dir, "-lang", lang)
		if code != exitPassed || errs != "" {
			t.Fatalf("%s: %d\n%s\n%s", lang, code, out, errs)
		}
		if n := strings.Count(out, "✓"); n != 19 || strings.ContainsAny(out, "✗\x1b\r") || strings.Contains(out, "[run.") || regexp.MustCompile(`\{[a-z]+\}`).MatchString(out) {
			t.Errorf("%s: %d steps\n%s", lang, n, out)
		}
		number := regexp.MustCompile(`UC-\d{4}-\d{6}`).FindString(out)
		if number <= last {
			t.Errorf("%s: the run on the same folder does not go on after %s: %s\n%s", lang, last, number, out)
		}
		last = number
		if strings.Contains(out, "900101300017") {
			t.Errorf("%s: a whole IIN is on the screen", lang)
		}
	}
	log, err := os.ReadFile(filepath.Join(dir, "kopir.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"900101300017", sim.DefaultPassword, "<application", "kopir_"} {
		if bytes.Contains(log, []byte(secret)) {
			t.Errorf("%q stands in the log", secret)
		}
	}
}

// TestRunKeys plays the story with national keys, and with systems that sign
// with RSA for people who sign with national keys.
func TestRunKeys(t *testing.T) {
	for _, keys := range []string{"gost", "mixed"} {
		t.Run(keys, func(t *testing.T) {
			dir := t.TempDir()
			code, out, errs := kopir(t, "run", "-once", "-keys", keys, "-addr", "127.0.0.1:0", "-data", dir, "-lang", "en")
			if code != exitPassed || errs != "" || strings.Count(out, "✓") != 19 || strings.Contains(out, "✗") {
				t.Fatalf("%d\n%s\n%s", code, out, errs)
			}
			// The bridge's own key, and what it trusts, are of the kind asked for.
			key, err := os.ReadFile(filepath.Join(dir, "keys", "bridge.p12"))
			if err != nil {
				t.Fatal(err)
			}
			opened, err := keystore.Open(key, sim.DefaultPassword)
			if err != nil {
				t.Fatal(err)
			}
			trust, err := nuc.LoadTrust(filepath.Join(dir, "trust"))
			if err != nil {
				t.Fatal(err)
			}
			kinds := map[string]int{}
			for _, root := range trust.Roots() {
				kinds[root.PublicKey.Kind().String()]++
			}
			want := map[string]string{"gost": "GOST R 34.10-2015 512", "mixed": "RSA with SHA-256"}[keys]
			if opened.Algorithm.Name != want || kinds["GOST R 34.10-2015 512"] != 1 || kinds["RSA"] != strings.Count(keys, "mixed") {
				t.Errorf("the bridge signs with %s, the roots are %v", opened.Algorithm.Name, kinds)
			}
			config := filepath.Join(dir, "kopir.yaml")
			if text, err := os.ReadFile(config); err != nil || strings.Contains(string(text), "authorities:") != (keys == "mixed") {
				t.Errorf("%v\n%s", err, text)
			}
		})
	}
	if code, _, errs := kopir(t, "run", "-once", "-keys", "dsa"); code != exitUsage || !strings.Contains(errs, `"dsa" is none of rsa, gost, mixed`) {
		t.Errorf("%d %s", code, errs)
	}
}

// A step that does not happen must be seen not to happen.
func TestRunSeesWhatDoesNotHappen(t *testing.T) {
	for part, want := range map[sim.Part]string{
		sim.PartPush: "a citizen signed an application",
		// Nobody knows about revocation: the bridge asks to send again, and once it has found that out it is not ready.
		sim.PartOCSP: "(a citizen signed an application|the bridge and the certification authority are ready)",
		sim.PartCSC:  "the service centre has learnt: received",
	} {
		t.Run(string(part), func(t *testing.T) {
			p, err := newPlay(t.Context(), "", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := p.end(); err != nil {
					t.Error(err)
				}
				if _, err := os.Stat(p.dir); err == nil {
					t.Error("the temporary folder stays")
				}
			}()
			p.patience = 1500 * time.Millisecond
			var out bytes.Buffer
			p.stage = newStage(stdio{out: &out, env: func(string) string { return "" }}, mappings.English, p.materials.set.Texts)
			if err := p.sim.SetTrouble(part, sim.Trouble{Down: true}); err != nil {
				t.Fatal(err)
			}
			if part == sim.PartOCSP {
				if err := p.sim.SetTrouble(sim.PartCRL, sim.Trouble{Down: true}); err != nil {
					t.Fatal(err)
				}
			}
			p.start(t.Context())
			sc, err := newScene(p.materials.set, sim.DefaultService, "")
			if err != nil {
				t.Fatal(err)
			}
			if p.tell(t.Context(), sc) || !strings.Contains(out.String(), "✗") || !regexp.MustCompile(`✗ +\d+  `+want).MatchString(out.String()) {
				t.Errorf("no lost step %q in\n%s", want, &out)
			}
		})
	}
}

func TestRunOnAllAddresses(t *testing.T) {
	code, out, errs := kopir(t, "run", "-once", "-addr", ":0", "-lang", "en")
	if code != exitPassed || errs != "" || !strings.Contains(out, "http://127.0.0.1:") || strings.Contains(out, "[::]") {
		t.Errorf("%d\n%s\n%s", code, out, errs)
	}
}

func TestRunWrongUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-lang", "de"}, exitUsage, `unknown language "de"`},
		{[]string{"-colour"}, exitUsage, "colour"},
		{[]string{"more"}, exitUsage, "takes no arguments"},
		{[]string{"-once", "-addr", l.Addr().String()}, exitFailed, "is in use by another program"},
		{[]string{"-once", "-addr", "127.0.0.1:0", "-data", filepath.Join(file, "x")}, exitFailed, "file"},
	} {
		if code, out, errs := kopir(t, append([]string{"run"}, c.args...)...); code != c.code || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%v: %d %q %q", c.args, code, out, errs)
		}
	}
}

// buffer is a bytes.Buffer for several writers.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestServe starts the bridge on the example configuration, asks its doors,
// and stops it as a supervisor would.
func TestServe(t *testing.T) {
	s := newSite(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	s.edit("listen: 127.0.0.1:0", "listen: "+address)
	ctx, stop := context.WithCancel(t.Context())
	var errs buffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"serve", "-config", filepath.Join(s.dir, "kopir.yaml")}, stdio{out: io.Discard, err: &errs, env: func(string) string { return "" }})
	}()
	get := func(path string) (int, string) {
		for {
			r, err := http.Get("http://" + address + path)
			if err == nil {
				defer r.Body.Close()
				b, _ := io.ReadAll(r.Body)
				return r.StatusCode, string(b)
			}
			select {
			case code := <-ended:
				t.Fatalf("serve ended with %d: %s", code, errs.String())
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	for path, want := range map[string]string{
		"/healthz": "alive", "/readyz": `"ready":true`, "/metrics": "kopir_requests_in_flight 1", "/api/v1/openapi.json": `"openapi": "3.1.0"`,
		"/shep/sync?wsdl": `location="http://` + address + `/shep/sync"`, "/shep/async?wsdl": `location="http://` + address + `/shep/async"`,
		"/shep/sync?xsd=shep-common.xsd": "schema",
	} {
		if code, body := get(path); code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d, no %s in %.300s", path, code, want, body)
		}
	}
	stop()
	if code := <-ended; code != exitPassed || !strings.Contains(errs.String(), `"stopped"`) {
		t.Errorf("%d\n%s", code, errs.String())
	}
}

func TestServeDoesNotStartOnFaults(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*site)
		want   string
	}{
		"configuration":  {func(s *site) { s.edit("level: info", "level: loud") }, "log.level"},
		"wrong password": {func(s *site) { s.write("keys/bridge.password", []byte("wrong\n")) }, "the password does not open"},
		"port in use":    {func(s *site) { a := s.listen(); s.edit("listen: 127.0.0.1:0", "listen: "+a) }, "is in use by another program"},
		"not a database": {func(s *site) { s.write("data/kopir.db", []byte(strings.Repeat("not a database ", 100))) }, "kopir.db"},
		"expired key": {func(s *site) {
			s.key("keys/bridge.p12", sigtest.Profile{Kind: sigtest.System, BIN: sigtest.BIN(1), CommonName: "OLD", NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}, "Qwerty12")
		}, "expired on"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			c.change(s)
			code, out, errs := kopir(t, "serve", "-config", filepath.Join(s.dir, "kopir.yaml"))
			if code != exitFailed || out != "" || !strings.Contains(errs, c.want) {
				t.Errorf("%d, no %q in:\n%s%s", code, c.want, out, errs)
			}
		})
	}
	if code, _, errs := kopir(t, "serve", "-config", "/nowhere/kopir.yaml"); code != exitUsage || !strings.Contains(errs, "no such file") {
		t.Errorf("%d %s", code, errs)
	}
}
