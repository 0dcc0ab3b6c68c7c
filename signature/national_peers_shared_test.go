//go:build shared

package signature

import (
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

// TestNationalPeers: what we sign with GOST R 34.10-2015, OpenSSL's gost engine
// and Bouncy Castle take, certificate and all; what they sign in the national
// layout, we take; what they sign in another layout, we refuse.
func TestNationalPeers(t *testing.T) {
	w := newWorldWith(t, sigtest.GOST2015)
	credential, err := w.authority.Issue(sigtest.Profile{Kind: sigtest.Head, IIN: testIIN, BIN: testBIN, Surname: "ТЕСТОВ", GivenName: "ТЕСТ"})
	if err != nil {
		t.Fatal(err)
	}
	key := keyOfCredential(t, credential)
	keyPEM, err := credential.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	leaf, issuer := file("leaf.pem", credential.PEM()), file("nca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.authority.Issuing()}))
	const document = `<application xmlns:a="urn:a"><a:iin>900101300120</a:iin><note>Ә &amp; Ұ</note></application>`
	for tool, signer := range map[string]struct {
		key    string
		orders map[string][]string // by what the signature must be
	}{
		"gostdsig": {file("ru.pem", russian(t, keyPEM)), map[string][]string{
			"good": {"--swap", "reversed"}, "as-is": {"--swap", "as-is"}, "swapped": {"--swap", "swapped"}, "half": {"--swap", "half-reversed"},
		}},
		"bcgost": {file("ru.pem", russian(t, keyPEM)), map[string][]string{"good": nil}},
	} {
		t.Run(tool, func(t *testing.T) {
			if _, err := exec.LookPath(tool); err != nil {
				t.Skipf("witness not present: %s (the shared folder's peers/install.sh makes it)", tool)
			}
			judge := func(src []byte, more ...string) (valid bool, whole string) {
				args := append(append([]string{"verify", "--cert", leaf, "--issuer", issuer}, more...), file("ours.xml", src))
				out, err := exec.Command(tool, args...).CombinedOutput()
				var answer any
				if json.Unmarshal(out, &answer) != nil {
					t.Fatalf("%v: %v %s", args, err, out)
				}
				return err == nil, string(out)
			}
			message, err := SignWSSE([]byte(envelope), key, SignOptions{})
			if err != nil {
				t.Fatal(err)
			}
			signedDocument, err := SignEnveloped([]byte(document), key, SignOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for name, ours := range map[string]struct {
				src         []byte
				more        []string
				old, change string
			}{"message": {message, []string{"--soap"}, "message-7f1c", "message-7f1d"}, "document": {signedDocument, nil, "900101", "800101"}} {
				if ok, out := judge(ours.src, ours.more...); !ok || !strings.Contains(out, `"reversed"`) && tool == "gostdsig" {
					t.Errorf("our %s: %s", name, out)
				}
				if ok, out := judge([]byte(strings.Replace(string(ours.src), ours.old, ours.change, 1)), ours.more...); ok {
					t.Errorf("the witness takes our %s changed: %s", name, out)
				}
			}
			if out, err := exec.Command(tool, "cert", leaf, "--issuer", issuer).CombinedOutput(); err != nil {
				t.Errorf("our certificate: %v %s", err, out)
			}
			for order, more := range signer.orders {
				out := filepath.Join(dir, "theirs.xml")
				_ = os.Remove(out)
				verb := map[string]string{"gostdsig": "sign", "bcgost": "sign-enveloped"}[tool]
				args := append([]string{verb, "--key", signer.key, "--cert", leaf, "--in", file("in.xml", []byte(document)), "--out", out, "--alg", "kz-gost2015-512"}, more...)
				if text, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
					t.Fatalf("%v: %v %s", args, err, text)
				}
				v := w.xmldsig(t, read(t, out), Want{At: now().At, IIN: testIIN})
				if order == "good" && v.Outcome != verdict.Passed {
					t.Errorf("theirs: %s\n%s", explain(v), read(t, out))
				}
				if order != "good" && (v.Outcome != verdict.Failed || v.Reason != verdict.SigCryptoFailure) {
					t.Errorf("theirs, %s: %s", order, explain(v))
				}
				if v := w.xmldsig(t, []byte(strings.Replace(string(read(t, out)), "900101", "800101", 1)), now()); v.Reason != verdict.HashFailure {
					t.Errorf("theirs, %s, changed: %s", order, explain(v))
				}
			}
		})
	}
}

// russian gives a PKCS#8 key of GOST R 34.10-2015 the identifiers under which
// OpenSSL's gost engine knows curve and hash (RFC 9215).
func russian(t *testing.T, key []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(key)
	var k struct {
		Version   int
		Algorithm struct {
			OID    asn1.ObjectIdentifier
			Params []asn1.ObjectIdentifier
		}
		Key []byte
	}
	if _, err := asn1.Unmarshal(block.Bytes, &k); err != nil {
		t.Fatal(err)
	}
	k.Algorithm.OID = asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 2}
	k.Algorithm.Params = []asn1.ObjectIdentifier{{1, 2, 643, 7, 1, 2, 1, 2, 1}, {1, 2, 643, 7, 1, 1, 2, 3}}
	block.Bytes = encode(t, k)
	return pem.EncodeToMemory(block)
}
