//go:build shared

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"kopir/signature"
)

// peer finds a program of the peers, by PATH or in KOPIR_PEERS.
func peer(t *testing.T, name string) string {
	if dir := os.Getenv("KOPIR_PEERS"); dir != "" {
		return filepath.Join(dir, "bin", name)
	}
	at, err := exec.LookPath(name)
	if err != nil {
		t.Skip("no", name, "here")
	}
	return at
}

// relay stands where the gateway stands: it signs what a member system sends
// without a signature, names itself in the contract, and hands everything else
// through.
func relay(t *testing.T, p *play, m *syncMaker, sign bool) *httptest.Server {
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil && r.Method == http.MethodPost && sign {
			body, err = signature.SignWSSE(body, m.key, signature.SignOptions{})
		}
		if err != nil {
			t.Error(err)
		}
		out, err := http.NewRequestWithContext(r.Context(), r.Method, p.bridge+r.URL.RequestURI(), bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		out.Host, out.Header = r.Host, r.Header.Clone()
		out.Header.Del("Accept-Encoding")
		a, err := http.DefaultTransport.RoundTrip(out)
		if err != nil {
			t.Error(err)
			return
		}
		defer a.Body.Close()
		answer, err := io.ReadAll(a.Body)
		if err != nil {
			t.Error(err)
		}
		if r.Method == http.MethodGet {
			answer = bytes.ReplaceAll(answer, []byte(p.bridge), []byte("http://"+r.Host))
		}
		w.Header().Set("Content-Type", a.Header.Get("Content-Type"))
		w.WriteHeader(a.StatusCode)
		w.Write(answer)
	}))
	t.Cleanup(r.Close)
	return r
}

// TestPeersCallTheDoor: SOAP clients of three languages know nothing but the
// address of the contract, call SendMessage, and read answer and fault.
func TestPeersCallTheDoor(t *testing.T) {
	p, end := testPlay(t)
	defer end()
	p.start(t.Context())
	m := newSyncMaker(t, p)
	document := filepath.Join(t.TempDir(), "application.xml")
	if err := os.WriteFile(document, m.documents[0], 0o600); err != nil {
		t.Fatal(err)
	}
	signed, plain := relay(t, p, m, true), relay(t, p, m, false)
	for _, name := range []string{"call-zeep", "call-php", "call-node"} {
		t.Run(name, func(t *testing.T) {
			call := func(at, service string) (out struct {
				OK       bool
				Response json.RawMessage
				Fault    struct {
					Code, String string
					Detail       json.RawMessage
				}
				Error string
			}) {
				t.Helper()
				b, err := exec.Command(peer(t, name), "--wsdl", at+"/shep/sync?wsdl", "--service-id", service, "--message-id", t.Name()+at+service,
					"--sender-id", m.portal.Sender, "--password", m.portal.Password, "--data-file", document).Output()
				if jsonErr := json.Unmarshal(b, &out); jsonErr != nil {
					t.Fatalf("%v, %v: %s", err, jsonErr, b)
				}
				return out
			}
			if a := call(signed.URL, m.service); !a.OK || !strings.Contains(string(a.Response), "UC-") {
				t.Errorf("answer: %+v %s", a, a.Response)
			}
			if a := call(signed.URL, "NOTHING"); a.OK || !strings.Contains(string(a.Fault.Detail), "unknown_service") {
				t.Errorf("fault: %+v %s", a, a.Fault.Detail)
			}
			if a := call(plain.URL, m.service); a.OK || !strings.Contains(string(a.Fault.Detail), "signature_missing") {
				t.Errorf("unsigned: %+v %s", a, a.Fault.Detail)
			}
		})
	}
}

// TestPeersVerifyOurAnswers: the door's answer carries a signature that WSS4J,
// xmlsec1 and two others confirm, and the repeated answer is the same bytes.
// Faults are not signed: anybody could make us sign.
func TestPeersVerifyOurAnswers(t *testing.T) {
	p, end := testPlay(t)
	defer end()
	p.start(t.Context())
	m := newSyncMaker(t, p)
	ca := filepath.Join(p.dir, "trust", "authority.pem")
	raw := m.message(nil)
	_, body := post(t, p.bridge+"/shep/sync", raw)
	if _, again := post(t, p.bridge+"/shep/sync", raw); again != body {
		t.Error("the repeated answer differs")
	}
	file := filepath.Join(t.TempDir(), "answer.xml")
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, verify := range [][]string{{"wss4j", "verify"}, {"xs1", "verify-soap"}, {"pyxmlsec", "verify-soap"}, {"nxc", "verify-soap"}} {
		b, err := exec.Command(peer(t, verify[0]), verify[1], "--ca", ca, file).CombinedOutput()
		if err != nil || !strings.Contains(strings.ReplaceAll(string(b), " ", ""), `"valid":true`) {
			t.Errorf("%s: %v %s", verify[0], err, b)
		}
	}
}
