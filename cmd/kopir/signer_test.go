package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/signature/sigtest"
)

// signerFiles writes an authority of today and a person's key.
func signerFiles(t *testing.T, a sigtest.Algorithm) (dir string, key []byte, certificate []byte) {
	t.Helper()
	dir = t.TempDir()
	now := time.Now().UTC()
	authority, err := sigtest.NewAuthority("", sigtest.Options{Algorithm: a, Day: now})
	if err != nil {
		t.Fatal(err)
	}
	who, err := authority.Issue(sigtest.Profile{Kind: sigtest.Person, IIN: "900101300120", Surname: "ТЕСТОВ", GivenName: "ТЕСТ"})
	if err != nil {
		t.Fatal(err)
	}
	if key, err = who.PKCS12("secret"); err != nil {
		t.Fatal(err)
	}
	crl, err := authority.CRL(now.Add(-time.Hour), now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"trust.pem": authority.ChainPEM(), "list.crl": crl} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, key, who.DER
}

// startSigner runs the verb on a free port; stop ends it and gives the exit
// status and what it complained of.
func startSigner(t *testing.T, args ...string) (base string, stop func() (int, string)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, into := io.Pipe()
	var complaints bytes.Buffer
	status := make(chan int, 1)
	go func() {
		status <- run(ctx, append([]string{"signer", "-addr", "127.0.0.1:0"}, args...), stdio{out: into, err: &complaints, env: os.Getenv})
		into.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		cancel()
		t.Fatalf("it ended with %d: %s", <-status, complaints.String())
	}
	base, ok := strings.CutPrefix(strings.TrimSpace(line), "signer ")
	if !ok {
		t.Fatalf("it said %q", line)
	}
	return base, func() (int, string) { cancel(); return <-status, complaints.String() }
}

func signerPost(t *testing.T, url string, request map[string]any) map[string]any {
	t.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSignerServes(t *testing.T) {
	for _, a := range []sigtest.Algorithm{sigtest.RSA, sigtest.GOST2015} {
		t.Run(a.String(), func(t *testing.T) {
			dir, key, certificate := signerFiles(t, a)
			base, stop := startSigner(t, "-trust", filepath.Join(dir, "trust.pem"), "-crl", filepath.Join(dir, "list.crl"))
			k := base64.StdEncoding.EncodeToString(key)
			signed := signerPost(t, base+"/xml/sign", map[string]any{"xml": "<a>1</a>", "signers": []any{map[string]any{"key": k, "password": "secret"}}})
			if signed["status"] != 200.0 {
				t.Fatalf("%v", signed)
			}
			v := signerPost(t, base+"/xml/verify", map[string]any{"xml": signed["xml"], "revocationCheck": []string{"CRL"}})
			if v["valid"] != true {
				t.Errorf("%v", v)
			}
			if v := signerPost(t, base+"/x509/info", map[string]any{"certs": []string{base64.StdEncoding.EncodeToString(certificate)}, "revocationCheck": []string{"OCSP"}}); v["valid"] != false {
				t.Errorf("without a responder: %v", v)
			}
			if wrong := signerPost(t, base+"/pkcs12/info", map[string]any{"keys": []any{map[string]any{"key": k, "password": "hunter2"}}}); wrong["status"] != 400.0 {
				t.Errorf("%v", wrong)
			}
			code, said := stop()
			if code != exitPassed {
				t.Errorf("status %d", code)
			}
			for _, secret := range []string{"secret", "hunter2", k[:40], "900101300120", "<a>1</a>"} {
				if strings.Contains(said, secret) {
					t.Errorf("the log holds %s", secret)
				}
			}
			if strings.Count(said, `"route":"/xml/sign"`) != 1 || strings.Contains(said, "WARNING") {
				t.Errorf("the log:\n%s", said)
			}
		})
	}
}

func TestSignerConfiguration(t *testing.T) {
	dir, _, _ := signerFiles(t, sigtest.RSA)
	write := func(text string) string {
		file := filepath.Join(dir, "signer.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	_, stop := startSigner(t, "-config", write("trust: [trust.pem]\nrevocation:\n  files: [list.crl]\ntsa:\n  - {policy: TSA_GOST2015_POLICY, url: http://127.0.0.1:9/tsp}\nlimits: {body: 1MB, request_timeout: 5s}\nlog: {level: warn, format: console}\n"))
	if code, said := stop(); code != exitPassed || said != "" {
		t.Errorf("status %d: %s", code, said)
	}
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	trust := filepath.Join(dir, "trust.pem")
	for name, c := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"port in use":   {[]string{"-addr", busy.Addr().String(), "-trust", trust}, exitFailed, []string{busy.Addr().String(), "in use"}},
		"no trust":      {nil, exitUsage, []string{"trust", "-trust PATH"}},
		"no such file":  {[]string{"-trust", filepath.Join(dir, "none")}, exitUsage, []string{"no such file"}},
		"a list for CA": {[]string{"-trust", filepath.Join(dir, "list.crl")}, exitUsage, []string{"trust"}},
		"a CA for list": {[]string{"-trust", trust, "-crl", trust}, exitUsage, []string{"neither a CRL nor an OCSP answer"}},
		"tsa":           {[]string{"-trust", trust, "-tsa", "TSA=http://a/"}, exitUsage, []string{"tsa[0].policy", "TSA_GOST2015_POLICY"}},
		"tsa address":   {[]string{"-trust", trust, "-tsa", "ftp://a/"}, exitUsage, []string{"tsa[0].url"}},
		"tsa twice":     {[]string{"-trust", trust, "-tsa", "http://a/", "-tsa", "http://b/"}, exitUsage, []string{"tsa[1].policy"}},
		"address":       {[]string{"-trust", trust, "-addr", "nowhere"}, exitUsage, []string{"listen", "host:port"}},
		"words":         {[]string{"-trust", trust, "file"}, exitUsage, []string{"flags only"}},
		"unknown key":   {[]string{"-config", write("trust: [trust.pem]\ntrusted: 1\nrevocation: {ocsp: [nowhere]}\n")}, exitUsage, []string{"signer.yaml:2:1", "trusted", "revocation.ocsp[0]"}},
		"no config":     {[]string{"-config", filepath.Join(dir, "none.yaml")}, exitUsage, []string{"no such file"}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			var out, complaint bytes.Buffer
			code := run(ctx, append([]string{"signer"}, c.args...), stdio{out: &out, err: &complaint, env: os.Getenv})
			if code != c.code || out.Len() > 0 {
				t.Errorf("status %d, due %d; %s%s", code, c.code, out.String(), complaint.String())
			}
			for _, word := range c.says {
				if !strings.Contains(complaint.String(), word) {
					t.Errorf("%q is not in: %s", word, complaint.String())
				}
			}
		})
	}
}

// TestSignerWarns: whoever opens the door to the network is told.
func TestSignerWarns(t *testing.T) {
	for address, loud := range map[string]bool{"127.0.0.1:1": false, "[::1]:1": false, "0.0.0.0:1": true, "192.0.2.1:1": true, "[::]:1": true} {
		var b bytes.Buffer
		at, err := net.ResolveTCPAddr("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		warnSigner(stdio{err: &b}, at)
		if (b.Len() > 0) != loud {
			t.Errorf("%s: %q", address, b.String())
		}
	}
}

// TestSignerBundle: the door believes a signed bundle as the bridge does, and
// no older issue of it after a restart.
func TestSignerBundle(t *testing.T) {
	dir, key, _ := signerFiles(t, sigtest.RSA)
	at := func(name string) string { return filepath.Join(dir, name) }
	pin := strings.TrimSpace(must(t, exitPassed, "trust", "key", at("operator.pem")))
	must(t, exitPassed, "trust", "add", "-sign", at("operator.pem"), "-out", at("1.trust"), at("trust.pem"))
	base, stop := startSigner(t, "-bundle", at("1.trust"), "-bundle-key", pin)
	signed := signerPost(t, base+"/xml/sign", map[string]any{"xml": "<a/>", "signers": []any{map[string]any{"key": base64.StdEncoding.EncodeToString(key), "password": "secret"}}})
	judged := signerPost(t, base+"/xml/verify", map[string]any{"xml": signed["xml"]})
	if code, said := stop(); code != exitPassed || judged["valid"] != true {
		t.Fatalf("status %d: %s %v", code, said, judged)
	}

	other, err := sigtest.NewAuthority("OTHER", sigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("other.cer"), other.Root(), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, exitPassed, "trust", "add", "-bundle", at("1.trust"), "-sign", at("operator.pem"), "-out", at("2.trust"), "-candidate", at("other.cer"))
	config := func(issue string) string {
		text := "trust_bundle:\n  file: " + issue + "\n  keys: [\"" + pin + "\"]\n  kept: kept.trust\n"
		if err := os.WriteFile(at("signer.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return at("signer.yaml")
	}
	_, stop = startSigner(t, "-config", config("2.trust"))
	if code, said := stop(); code != exitPassed {
		t.Fatalf("status %d: %s", code, said)
	}
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"older issue":  {[]string{"-config", config("1.trust")}, "lower than one that was already accepted"},
		"no pin":       {[]string{"-bundle", at("1.trust")}, "trust_bundle.keys: is missing"},
		"pin alone":    {[]string{"-trust", at("trust.pem"), "-bundle-key", pin}, "trust_bundle.file: is missing"},
		"another pin":  {[]string{"-bundle", at("1.trust"), "-bundle-key", strings.Repeat("0", 64)}, "trust_bundle"},
		"not a bundle": {[]string{"-bundle", at("trust.pem"), "-bundle-key", pin}, "trust_bundle.file"},
	} {
		if code, _, complaint := command(t, "", append([]string{"signer", "-addr", "127.0.0.1:0"}, c.args...)...); code != exitUsage || !strings.Contains(complaint, c.says) {
			t.Errorf("%s: %d %s", name, code, complaint)
		}
	}
}
