//go:build shared

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"kopir/gateway/sim"
)

// BenchmarkSyncChannelBesideWSS4J puts the same signed messages through our
// SyncChannel door and through WSS4J behind the JDK's HTTP server, one after
// the other in one run, with a load generator of other hands: WSS4J verifies
// signature and chain and signs its answer; ours also asks about revocation,
// judges the citizen's signature, and keeps the application on disk.
func BenchmarkSyncChannelBesideWSS4J(b *testing.B) {
	dir := os.Getenv("KOPIR_PEERS")
	if dir == "" {
		b.Skip("KOPIR_PEERS is not set")
	}
	p, err := newPlay(b.Context(), b.TempDir(), "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer p.end()
	m := newSyncMaker(b, p)
	const warm = 600
	messages := b.TempDir()
	for i := range b.N + warm {
		if err := os.WriteFile(filepath.Join(messages, fmt.Sprintf("%06d.xml", i)), m.message(nil), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	p12, err := p.fetch(b.Context(), p.simulator+"/sim/certificates/gateway/key.p12")
	if err != nil {
		b.Fatal(err)
	}
	key := filepath.Join(b.TempDir(), "gateway.p12")
	if err := os.WriteFile(key, p12, 0o600); err != nil {
		b.Fatal(err)
	}
	load := func(address string) (good float64) {
		out, err := exec.Command(filepath.Join(dir, "bin", "loadgen"), "-url", address, "-dir", messages, "-c", "64", "-n", fmt.Sprint(b.N), "-warmup", fmt.Sprint(warm), "-json").CombinedOutput()
		var report map[string]any
		if jsonErr := json.Unmarshal(out, &report); err != nil || jsonErr != nil {
			b.Fatalf("%v %v %s", err, jsonErr, out)
		}
		b.Logf("%s %s", address, out)
		for _, name := range []string{"good_per_s", "good_per_second", "rate"} {
			if v, ok := report[name].(float64); ok {
				return v
			}
		}
		b.Fatalf("no rate in %s", out)
		return 0
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	door := &http.Server{Handler: p.node.server.Handler()}
	go door.Serve(l)
	ours := load("http://" + l.Addr().String() + "/shep/sync")
	door.Close()

	const port = "18594"
	peer := exec.Command(filepath.Join(dir, "bin", "wss4j"), "serve", "--port", port, "--threads", "2",
		"--ca", filepath.Join(p.dir, "trust", "authority.pem"), "--p12", key, "--pass", sim.DefaultPassword)
	if err := peer.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { peer.Process.Kill(); peer.Wait() }()
	for range 200 {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			c.Close()
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	theirs := load("http://127.0.0.1:" + port + "/")
	b.ReportMetric(ours, "kopir/s")
	b.ReportMetric(theirs, "wss4j/s")
	b.ReportMetric(ours/theirs, "ratio")
}
