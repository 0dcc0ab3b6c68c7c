package sim

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ocsp"

	"kopir/signature"
)

func want() signature.Want { return signature.Want{} }

func TestListsFollowPublication(t *testing.T) {
	s := newStage(t, nil)
	list := func(path string) map[string]bool {
		t.Helper()
		crl, err := x509.ParseRevocationList([]byte(s.ask("GET", path, "", http.StatusOK, nil)))
		if err != nil {
			t.Fatal(err)
		}
		serials := map[string]bool{}
		for _, e := range crl.RevokedCertificateEntries {
			serials[e.SerialNumber.String()] = true
		}
		return serials
	}
	c, err := s.Credential("citizen")
	if err != nil {
		t.Fatal(err)
	}
	serial := c.Serial().String()
	s.ask("POST", "/sim/certificates/citizen/revoke", `{"reason":"superseded"}`, http.StatusOK, nil)
	// A list speaks in whole seconds, so it may hold what was revoked in the
	// second of its publication; the delta holds it in any case or the list does.
	if !list("/ca/crl/nca.crl")[serial] && !list("/ca/crl/nca_d.crl")[serial] {
		t.Error("neither list nor delta list knows of it")
	}
	s.ask("POST", "/sim/crl/publish", "", http.StatusNoContent, nil)
	if !list("/ca/crl/nca.crl")[serial] || list("/ca/crl/nca_d.crl")[serial] {
		t.Error("the published list lacks it, or the delta still has it")
	}
	if block, _ := pem.Decode([]byte(s.ask("GET", "/ca/crl/root.crl?pem", "", http.StatusOK, nil))); block == nil || block.Type != "X509 CRL" {
		t.Error("no PEM")
	}
	s.ask("PUT", "/sim/trouble/crl", `{"age":"4400h"}`, http.StatusOK, nil)
	crl, err := x509.ParseRevocationList([]byte(s.ask("GET", "/ca/crl/nca.crl", "", http.StatusOK, nil)))
	if err != nil || !crl.NextUpdate.Before(s.now()) {
		t.Errorf("a list of 4400 hours ago has not lapsed: %v", err)
	}
}

func TestOCSPDoor(t *testing.T) {
	s := newStage(t, nil)
	issuer, err := x509.ParseCertificate([]byte(s.ask("GET", "/ca/cert/nca.cer", "", http.StatusOK, nil)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Credential("citizen")
	if err != nil {
		t.Fatal(err)
	}
	request, err := ocsp.CreateRequest(c.Certificate, issuer, nil)
	if err != nil {
		t.Fatal(err)
	}
	post := func() ([]byte, error) {
		resp, err := http.Post(s.url+"/ca/ocsp", "application/ocsp-request", bytes.NewReader(request))
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		return io.ReadAll(resp.Body)
	}
	judge := func(answer []byte) int {
		t.Helper()
		parsed, err := ocsp.ParseResponseForCert(answer, c.Certificate, issuer)
		if err != nil {
			t.Fatal(err)
		}
		return parsed.Status
	}
	answer, err := post()
	if err != nil || judge(answer) != ocsp.Good {
		t.Fatal(err)
	}
	// RFC 6960, appendix A.1; a request whose base64 holds "//" must arrive whole.
	for _, path := range []string{url.PathEscape(base64.StdEncoding.EncodeToString(request)), base64.StdEncoding.EncodeToString(request)} {
		if judge([]byte(s.ask("GET", "/ca/ocsp/"+path, "", http.StatusOK, nil))) != ocsp.Good {
			t.Error("not good by GET")
		}
	}
	if _, err := ocsp.ParseResponse([]byte(s.ask("GET", "/ca/ocsp/AAAA//8=", "", http.StatusOK, nil)), nil); err == nil || !strings.Contains(err.Error(), "malformed") {
		t.Errorf("a wrong request: %v", err)
	}
	if err := s.Revoke("citizen", "hold"); err != nil {
		t.Fatal(err)
	}
	if answer, _ = post(); judge(answer) != ocsp.Revoked {
		t.Error("not revoked")
	}
	if err := s.Release("citizen"); err != nil {
		t.Fatal(err)
	}
	if answer, _ = post(); judge(answer) != ocsp.Good {
		t.Error("still on hold")
	}
	if err := s.SetTrouble(PartOCSP, Trouble{TryLater: true}); err != nil {
		t.Fatal(err)
	}
	answer, _ = post()
	if _, err := ocsp.ParseResponse(answer, issuer); err == nil || !strings.Contains(err.Error(), "try later") {
		t.Errorf("try later: %v", err)
	}
}

// TestOpenSSLAsksTheResponder lets OpenSSL talk to the door with a nonce.
func TestOpenSSLAsksTheResponder(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("witness tool openssl is not installed")
	}
	s := newStage(t, nil)
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	nca := write("nca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.authorities[0].Issuing()}))
	cert := write("citizen.pem", []byte(s.ask("GET", "/sim/certificates/citizen/cert.pem", "", http.StatusOK, nil)))
	root := write("root.pem", s.RootsPEM())
	ask := func(want ...string) {
		t.Helper()
		out, err := exec.Command(openssl, "ocsp", "-sha256", "-issuer", nca, "-cert", cert, "-url", s.url+"/ca/ocsp", "-CAfile", root, "-verify_other", nca, "-resp_text").CombinedOutput()
		for _, w := range want {
			if !strings.Contains(string(out), w) {
				t.Errorf("%v\n%s\nwants %q", err, out, w)
			}
		}
	}
	ask("Response verify OK", ": good", "OCSP Nonce")
	if err := s.Revoke("citizen", ""); err != nil {
		t.Fatal(err)
	}
	ask("Response verify OK", ": revoked", "Reason: keyCompromise")
	if err := s.SetTrouble(PartOCSP, Trouble{WrongNonce: true}); err != nil {
		t.Fatal(err)
	}
	ask("Nonce Verify error")
	if err := s.SetTrouble(PartOCSP, Trouble{WrongSigner: true}); err != nil {
		t.Fatal(err)
	}
	ask("missing ocspsigning usage")
}
