package main

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// Two authorities with sources of their own, an https gateway with a root of
// its own, and a proxy: check finds no fault, and goes where it must.
func TestCheckGoesTheConfiguredWays(t *testing.T) {
	s := newSite(t)
	s.edit("# public_url:", "public_url:")
	other := s.other()
	gate := httptest.NewTLSServer(http.NotFoundHandler())
	defer gate.Close()
	s.write("tls/gateway.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: gate.Certificate().Raw}))
	s.edit("  # ca: [tls/gateway.pem]", "  ca: [tls/gateway.pem]")
	s.edit("/bip-async/", "/bip-async/\n  sync: "+gate.URL)
	s.edit("  sync: http", "  # sync: http")
	at := s.serve(other)
	s.edit("  # authorities:\n", "  authorities:\n    - certificate: other.pem\n      ocsp: [\"http://"+at+"/ca/ocsp\"]\n      crl: [\"http://"+at+"/ca/crl/nca.crl\"]\n      delta: [\"http://"+at+"/ca/crl/nca_d.crl\"]\n")
	s.edit("  # poll:\n", "  poll: [{service_id: ALMATY_UNEMPLOYED_CERTIFICATE, every: 10s, amount: 5}]\n")
	s.local("CREATE TABLE of_somebody_else (id TEXT)")
	if code, out, errs := kopir(t, "check", "-config", filepath.Join(s.dir, "kopir.yaml")); code != exitPassed || errs != "" {
		t.Fatalf("%d\n%s%s", code, out, errs)
	}
	var through atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		through.Add(1)
		http.Error(w, "no", http.StatusBadGateway)
	}))
	defer proxy.Close()
	s.edit("# proxy: none", "proxy: "+proxy.URL)
	code, _, errs := kopir(t, "check", "-config", filepath.Join(s.dir, "kopir.yaml"))
	if code != exitFailed || !strings.Contains(errs, "HTTP status 502") || through.Load() == 0 {
		t.Errorf("%d, through the proxy %d\n%s", code, through.Load(), errs)
	}
}
