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
	"testing"
)

// startSim runs the verb on a free port and gives what it printed and its
// base address; stop ends it and gives the exit status.
func startSim(t *testing.T, args ...string) (printed, base string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, into := io.Pipe()
	var complaints bytes.Buffer
	status := make(chan int, 1)
	go func() {
		status <- run(ctx, append([]string{"sim", "-addr", "127.0.0.1:0"}, args...), stdio{out: into, err: &complaints, env: os.Getenv})
		into.Close()
	}()
	var text strings.Builder
	buffer := make([]byte, 4096)
	for !strings.Contains(text.String(), "try: curl") {
		n, err := out.Read(buffer)
		text.Write(buffer[:n])
		if err != nil {
			cancel()
			t.Fatalf("it ended with %d: %s%s", <-status, text.String(), complaints.String())
		}
	}
	go io.Copy(io.Discard, out)
	found := regexp.MustCompile(`control +(http://\S+)/sim/`).FindStringSubmatch(text.String())
	if found == nil {
		t.Fatalf("no control address in\n%s", text.String())
	}
	return text.String(), found[1], func() int { cancel(); return <-status }
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: HTTP %d %v", url, resp.StatusCode, err)
	}
	return string(b)
}

func TestSimKeepsItsAuthorityInAFolder(t *testing.T) {
	dir := t.TempDir()
	printed, base, stop := startSim(t, "-data", dir)
	root, err := os.ReadFile(filepath.Join(dir, "root.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(fetch(t, base+"/ca/chain.pem"), string(root)) || !strings.Contains(printed, filepath.Join(dir, "keys", "bridge.p12")) {
		t.Errorf("the folder's root is not the served one, or is not announced:\n%s", printed)
	}
	first := fetch(t, base+"/sim/certificates/citizen/cert.pem")
	if got := stop(); got != exitPassed {
		t.Errorf("exit %d", got)
	}
	// The address is part of a certificate, so what must stay is key and name.
	if _, err := os.Stat(filepath.Join(dir, "keys", "citizen.p12")); err != nil {
		t.Error(err)
	}
	_, _, stop = startSim(t, "-data", dir, "-url", base)
	again, err := os.ReadFile(filepath.Join(dir, "root.pem"))
	if err != nil || !bytes.Equal(again, root) {
		t.Errorf("another authority after a restart: %v", err)
	}
	cert, err := os.ReadFile(filepath.Join(dir, "keys", "citizen.pem"))
	if err != nil || string(cert) != first {
		t.Errorf("another certificate after a restart: %v", err)
	}
	stop()
}

func TestSimRefusesWrongUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "authority-day"), []byte("yesterday"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"argument":     {[]string{"here"}, "takes flags only"},
		"flag":         {[]string{"-port", "1"}, "not defined"},
		"port in use":  {[]string{"-addr", taken.Addr().String()}, "choose another -addr"},
		"address":      {[]string{"-addr", "127.0.0.1:0", "-url", "ftp://x"}, "BaseURL"},
		"broken day":   {[]string{"-addr", "127.0.0.1:0", "-data", broken}, "delete it"},
		"data is file": {[]string{"-addr", "127.0.0.1:0", "-data", filepath.Join(broken, "authority-day")}, "-data"},
	} {
		var complaints bytes.Buffer
		if got := run(context.Background(), append([]string{"sim"}, c.args...), stdio{out: io.Discard, err: &complaints, env: os.Getenv}); got != exitUsage || !strings.Contains(complaints.String(), c.says) {
			t.Errorf("%s: exit %d, %s", name, got, complaints.String())
		}
	}
}
