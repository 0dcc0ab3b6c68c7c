//go:build shared

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/gateway/soap"
	"kopir/mappings"
)

// The identities of `pki init`: its organisation and its person.
const (
	peersBIN = "040640001234"
	peersIIN = "850101350120"
)

// peersTown is a bridge, run by its verb, that trusts the peers' authority and
// nothing of ours.
type peersTown struct {
	t       *testing.T
	pki     string // folder of the RSA authority
	address string
	dir     string
	n       int
}

func newPeersTown(t *testing.T) *peersTown {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command(peer(t, "pki"), "init", dir, "rsa").CombinedOutput(); err != nil {
		t.Fatalf("pki init: %v %s", err, out)
	}
	w := &peersTown{t: t, pki: filepath.Join(dir, "rsa"), dir: dir}
	w.write("password", "Qwerty12\n")
	config := w.write("kopir.yaml", fmt.Sprintf(`
listen: 127.0.0.1:0
store: {driver: sqlite, path: data/kopir.db}
local: {driver: sqlite, path: data/mio.db}
key: {p12: rsa/p12/gateway-legacy.p12, password_file: password}
trust: [rsa/root.crt, rsa/ca.crt]
known: [rsa/certs/org.crt]
revocation: {files: [rsa/crl/ca.crl, rsa/crl/root.crl]}
gateway: {sync: "http://127.0.0.1:9/", async: "http://127.0.0.1:9/", sender_id: MIO, password_file: password, bins: ["%s"]}
senders:
  - {id: PEP, channel: portal, password_file: password, bins: ["%s"]}
officials: ["%s"]
`, peersBIN, peersBIN, peersBIN))
	read, write := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- runServe(t.Context(), []string{"-config", config}, stdio{in: strings.NewReader(""), out: io.Discard, err: write, env: func(string) string { return "" }})
		write.Close()
	}()
	serving := make(chan string, 1)
	drained := make(chan bool)
	go func() {
		defer close(drained)
		for lines := bufio.NewScanner(read); lines.Scan(); {
			var line struct{ Msg, Address string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
				serving <- line.Address
			} else if line.Msg == "" {
				t.Log(lines.Text())
			}
		}
	}()
	select {
	case w.address = <-serving:
	case code := <-ended:
		t.Fatalf("serve ended with %d", code)
	}
	t.Cleanup(func() { <-ended; <-drained })
	return w
}

func (w *peersTown) write(name, content string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// sign lets a peer sign a file with a key of its authority.
func (w *peersTown) sign(t *testing.T, tool, verb, who, content string, more ...string) string {
	t.Helper()
	in, out := w.write("in.xml", content), filepath.Join(w.dir, "out.xml")
	args := append([]string{verb, "--p12", filepath.Join(w.pki, "p12", who+".p12"), "--pass", "Qwerty12", "--in", in, "--out", out}, more...)
	if said, err := exec.Command(peer(t, tool), args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v %s", tool, verb, err, said)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// document is an application that a peer signs as one of its people.
func (w *peersTown) document(t *testing.T, tool, who string) string {
	return w.sign(t, tool, "sign-enveloped", who, `<?xml version="1.0" encoding="UTF-8"?><application><applicant><iin>`+peersIIN+`</iin><surname>Тестов</surname><name>Тест</name><birthDate>1985-01-01</birthDate></applicant><residence><district>almaty-almaly-district-department</district><address>город Алматы, улица Тестовая, дом 1</address></residence><purpose>по месту требования</purpose><delivery>in_person</delivery><language>ru</language><consent>true</consent></application>`)
}

// send puts a document into an envelope that a peer signs, and gives the
// status and the body of the door's answer.
func (w *peersTown) send(t *testing.T, tool, who, keyID, document string, more ...string) (int, string) {
	t.Helper()
	w.n++
	e, err := soap.Build(&soap.SyncSendMessageRequest{
		RequestInfo: soap.SyncMessageInfo{
			MessageID: fmt.Sprintf("peer-%d", w.n), ServiceID: "ALMATY_UNEMPLOYED_CERTIFICATE", MessageDate: time.Now(),
			Sender: soap.SenderInfo{SenderID: "PEP", Password: "Qwerty12"},
		},
		RequestData: soap.RequestData{Data: soap.EscapedData([]byte(document))},
	})
	if err != nil {
		t.Fatal(err)
	}
	verb := "sign-soap"
	if tool == "wss4j" {
		verb = "sign"
	}
	return post(t, "http://"+w.address+"/shep/sync", []byte(w.sign(t, tool, verb, who, string(e), append([]string{"--keyid", keyID}, more...)...)))
}

// TestPeersSendMessages: what four other implementations sign, in every form of
// naming the certificate, the running bridge takes, with a document that a
// fifth may have signed; and what their authority did not mean for it, it
// refuses for that reason.
func TestPeersSendMessages(t *testing.T) {
	w := newPeersTown(t)
	document := w.document(t, "xs1", "person")
	const accepted, rejected = "CurrentStatus&gt;ACCEPTED&lt;", "CurrentStatus&gt;REJECTED&lt;"
	x509 := "X509KeyIdentifier"

	for tool, forms := range map[string][]string{
		"wss4j": {"BST", x509, "IssuerSerial", "SKI", "Thumbprint"}, "xs1": {"BST", x509, "IssuerSerial"},
		"pyxmlsec": {"BST", x509, "IssuerSerial"}, "nxc": {"BST", x509},
	} {
		for _, form := range forms {
			t.Run("envelope/"+tool+"/"+form, func(t *testing.T) {
				if status, body := w.send(t, tool, "org", form, document); status != 200 || !strings.Contains(body, accepted) {
					t.Errorf("%d %.3000s", status, body)
				}
			})
		}
	}
	for _, tool := range []string{"santuario", "pyxmlsec", "nxc"} {
		t.Run("document/"+tool, func(t *testing.T) {
			if status, body := w.send(t, "xs1", "org", x509, w.document(t, tool, "person")); status != 200 || !strings.Contains(body, accepted) {
				t.Errorf("%d %.3000s", status, body)
			}
		})
	}
	for name, more := range map[string][]string{
		"no prefix list": {"--no-prefix-list"}, "timestamp": {"--timestamp", "300"}, "signed timestamp": {"--timestamp", "300", "--sign-timestamp"},
		"SHA-512": {"--sigalg", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", "--digest", "http://www.w3.org/2001/04/xmlenc#sha512"},
	} {
		t.Run("wss4j/"+name, func(t *testing.T) {
			if status, body := w.send(t, "wss4j", "org", "BST", document, more...); status != 200 || !strings.Contains(body, accepted) {
				t.Errorf("%d %.3000s", status, body)
			}
		})
	}

	// Refused at the door. Reason: what the fault's data tells the engineer.
	refusals := []struct{ who, form, code, reason string }{
		{"person", x509, "unknown_sender", ""}, {"gateway", x509, "unknown_sender", ""},
		{"expired", x509, "signature_refused", "EXPIRED"}, {"notyet", x509, "signature_refused", "NOT_YET_VALID"},
		{"revoked", x509, "signature_refused", "REVOKED"},
		{"unknown-issuer", x509, "signature_refused", "NO_CERTIFICATE_CHAIN_FOUND"}, {"self-signed", x509, "signature_refused", "NO_CERTIFICATE_CHAIN_FOUND"},
		{"forged-issuer", x509, "signature_refused", "SIG_CRYPTO_FAILURE"},
		{"org-auth", x509, "signature_refused", "KEY_USAGE"}, {"tls-server", x509, "signature_refused", "KEY_USAGE"},
		{"weak1024", x509, "signature_refused", "CRYPTO_CONSTRAINTS_FAILURE"},
		{"org-employee", "IssuerSerial", "signature_refused", "NO_SIGNING_CERTIFICATE_FOUND"},
	}
	for _, c := range refusals {
		t.Run("refused/"+c.who+"/"+c.form, func(t *testing.T) {
			tool := "xs1"
			if c.form == "IssuerSerial" {
				tool = "wss4j"
			}
			status, body := w.send(t, tool, c.who, c.form, document)
			if status != 500 || !strings.Contains(body, "<errorCode>"+c.code+"</errorCode>") || !strings.Contains(body, c.reason) {
				t.Errorf("%d, no %s %s in %s", status, c.code, c.reason, body)
			}
		})
	}
	for name, more := range map[string][]string{
		"RSA-SHA1": {"--sigalg", "http://www.w3.org/2000/09/xmldsig#rsa-sha1"}, "SHA-1": {"--digest", "http://www.w3.org/2000/09/xmldsig#sha1"},
	} {
		t.Run("refused/"+name, func(t *testing.T) {
			if status, body := w.send(t, "wss4j", "org", "BST", document, more...); status != 500 || !strings.Contains(body, "CRYPTO_CONSTRAINTS_FAILURE") {
				t.Errorf("%d %s", status, body)
			}
		})
	}

	// Refused by the service: the person's own certificate.
	set, faults := mappings.Builtin()
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for who, reason := range map[string]string{
		"expired": "EXPIRED", "notyet": "NOT_YET_VALID", "revoked": "REVOKED", "unknown-issuer": "NO_CERTIFICATE_CHAIN_FOUND", "self-signed": "NO_CERTIFICATE_CHAIN_FOUND",
		"forged-issuer": "SIG_CRYPTO_FAILURE", "wrong-iin": "IIN_MISMATCH", "bad-iin": "IIN_MISMATCH", "no-iin": "IIN_MISMATCH",
		"auth-only": "KEY_USAGE", "org-auth": "KEY_USAGE", "tls-server": "KEY_USAGE", "weak1024": "CRYPTO_CONSTRAINTS_FAILURE",
	} {
		t.Run("person/"+who, func(t *testing.T) {
			status, body := w.send(t, "xs1", "org", x509, w.document(t, "xs1", who))
			if why := set.Texts.Text("reason." + reason).Ru; status != 200 || !strings.Contains(body, rejected) || why == "" || !strings.Contains(body, why) {
				t.Errorf("%d, not rejected for %q: %.3000s", status, why, body)
			}
		})
	}

	_, answer := w.send(t, "wss4j", "org", "IssuerSerial", document)
	file := w.write("answer.xml", answer)
	for _, verify := range [][]string{{"wss4j", "verify", "--crl", filepath.Join(w.pki, "crl", "all.pem")}, {"xs1", "verify-soap"}, {"pyxmlsec", "verify-soap"}, {"nxc", "verify-soap"}} {
		out, err := exec.Command(peer(t, verify[0]), append(verify[1:], "--ca", filepath.Join(w.pki, "ca-bundle.pem"), file)...).Output()
		var said struct{ Valid bool }
		if json.Unmarshal(out, &said) != nil || err != nil || !said.Valid {
			t.Errorf("%s on our answer: %v %s", verify[0], err, out)
		}
	}
}
