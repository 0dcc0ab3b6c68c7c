//go:build shared

package signature

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

// peers are programs that share no code with us. Each says how it signs and
// verifies a SOAP message and a document; empty: it does not.
var peers = []struct {
	tool, signSOAP, verifySOAP, signDocument, verifyDocument string
	keyIDs                                                   []string
}{
	{"wss4j", "sign", "verify", "", "", []string{"BST", "X509KeyIdentifier", "IssuerSerial", "SKI", "Thumbprint"}},
	{"xs1", "sign-soap", "verify-soap", "sign-enveloped", "verify", []string{"BST", "X509KeyIdentifier", "IssuerSerial"}},
	{"pyxmlsec", "sign-soap", "verify-soap", "sign-enveloped", "verify", []string{"BST", "X509KeyIdentifier", "IssuerSerial"}},
	{"nxc", "sign-soap", "verify-soap", "sign-enveloped", "verify", []string{"BST", "X509KeyIdentifier"}},
	{"santuario", "", "", "sign-enveloped", "verify", nil},
}

// TestPeers: what WSS4J, xmlsec, Santuario and xml-crypto sign, we take; what
// we sign, they take; and nobody takes it changed.
func TestPeers(t *testing.T) {
	// The peers judge by the machine's clock.
	authority, err := sigtest.NewAuthority("", sigtest.Options{Day: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldOf(t, authority)
	credential, err := authority.Issue(sigtest.Profile{Kind: sigtest.Head, IIN: testIIN, BIN: testBIN, Surname: "ТЕСТОВ", GivenName: "ТЕСТ"})
	if err != nil {
		t.Fatal(err)
	}
	key := keyOfCredential(t, credential)
	w.trust.AddKnown(key.Certificate)
	want := Want{At: time.Now(), IIN: testIIN}

	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	p12, err := credential.PKCS12("Qwerty12")
	if err != nil {
		t.Fatal(err)
	}
	ca, leaf, store := file("ca.pem", authority.ChainPEM()), file("leaf.pem", credential.PEM()), file("key.p12", p12)
	flat := strings.ReplaceAll(envelope, "\n", "")
	const document = `<application xmlns:a="urn:a"><a:iin>900101300120</a:iin><note>Ә &amp; Ұ</note></application>`

	valid := func(t *testing.T, tool, verb, path string) bool {
		out, _ := exec.Command(tool, verb, "--ca", ca, "--certs", leaf, path).Output()
		var answer struct{ Valid bool }
		if err := json.Unmarshal(out, &answer); err != nil {
			t.Fatalf("%s %s: %v in %s", tool, verb, err, out)
		}
		return answer.Valid
	}
	ran := 0
	for _, peer := range peers {
		t.Run(peer.tool, func(t *testing.T) {
			if _, err := exec.LookPath(peer.tool); err != nil {
				t.Skipf("witness not present: %s (the shared folder's peers/install.sh makes it)", peer.tool)
			}
			ran++
			sign := func(verb, in string, more ...string) []byte {
				out := filepath.Join(dir, "signed.xml")
				_ = os.Remove(out)
				args := append([]string{verb, "--p12", store, "--pass", "Qwerty12", "--in", in, "--out", out}, more...)
				if text, err := exec.Command(peer.tool, args...).CombinedOutput(); err != nil {
					t.Fatalf("%v: %v %s", args, err, text)
				}
				return read(t, out)
			}
			for _, id := range peer.keyIDs {
				src := sign(peer.signSOAP, file("in.xml", []byte(flat)), "--keyid", id)
				if v := w.wsse(t, src, want); v.Outcome != verdict.Passed {
					t.Errorf("theirs, %s: %s\n%s", id, explain(v), src)
				}
				if v := w.wsse(t, []byte(strings.Replace(string(src), "message-7f1c", "message-7f1d", 1)), want); v.Outcome != verdict.Failed || v.Reason != verdict.HashFailure {
					t.Errorf("theirs, %s, changed: %s", id, explain(v))
				}
			}
			if peer.signDocument != "" {
				src := sign(peer.signDocument, file("in.xml", []byte(document)))
				if v := w.xmldsig(t, src, want); v.Outcome != verdict.Passed {
					t.Errorf("their document: %s\n%s", explain(v), src)
				}
				ours, err := SignEnveloped([]byte(document), key, SignOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if !valid(t, peer.tool, peer.verifyDocument, file("ours.xml", ours)) {
					t.Errorf("our document is refused\n%s", ours)
				}
				if valid(t, peer.tool, peer.verifyDocument, file("ours.xml", []byte(strings.Replace(string(ours), "900101", "800101", 1)))) {
					t.Error("the witness takes our document changed")
				}
			}
			if peer.verifySOAP == "" {
				return
			}
			for word, form := range map[string]KeyInfo{"keyidentifier": KeyInfoKeyIdentifier, "bst": KeyInfoBST, "issuerserial": KeyInfoIssuerSerial, "x509data": KeyInfoX509Data} {
				ours, err := SignWSSE([]byte(envelope), key, SignOptions{KeyInfo: form})
				if err != nil {
					t.Fatal(err)
				}
				if !valid(t, peer.tool, peer.verifySOAP, file("ours.xml", ours)) {
					t.Errorf("ours, %s, is refused\n%s", word, ours)
				}
				if valid(t, peer.tool, peer.verifySOAP, file("ours.xml", []byte(strings.Replace(string(ours), "message-7f1c", "message-7f1d", 1)))) {
					t.Errorf("the witness takes ours, %s, changed", word)
				}
			}
		})
	}
	t.Logf("%d of %d peers", ran, len(peers))
}
