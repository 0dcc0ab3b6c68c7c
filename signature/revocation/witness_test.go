package revocation_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/signature/nuc"
	"kopir/signature/revocation"
	"kopir/signature/verdict"
)

// TestOpenSSL: an authority run with OpenSSL makes lists and answers in the
// forms that the national one does not use (responder named by its key, the
// authority answering itself, SHA-1 certificate ids, lists without numbers),
// and reads our requests.
func TestOpenSSL(t *testing.T) {
	tool, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed; lists and answers of the other tests come from another writer")
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command(tool, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	write := func(name, text string) {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) []byte {
		t.Helper()
		raw, err := os.ReadFile(at(name))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	write("ca.cnf", `
[ca]
default_ca = it
[it]
database = index.txt
serial = serial
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_days = 30
default_crl_days = 7
policy = any
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
keyUsage = critical,digitalSignature,nonRepudiation
[responder]
extendedKeyUsage = OCSPSigning
noCheck = ignored
[checked]
extendedKeyUsage = OCSPSigning
[numbered]
authorityKeyIdentifier = keyid
`)
	write("index.txt", "")
	write("serial", "0A11\n")
	run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=OpenSSL CA", "-days", "60", "-config", "ca.cnf", "-extensions", "root")
	issue := func(name, extensions string) {
		run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", name+".key", "-out", name+".csr", "-subj", "/CN="+name, "-config", "ca.cnf")
		run("ca", "-config", "ca.cnf", "-batch", "-notext", "-in", name+".csr", "-out", name+".pem", "-extensions", extensions)
	}
	issue("good", "leaf")
	issue("revoked", "leaf")
	issue("responder", "responder")
	issue("checked", "checked")
	run("ca", "-config", "ca.cnf", "-revoke", "revoked.pem", "-crl_reason", "keyCompromise")
	run("ca", "-config", "ca.cnf", "-gencrl", "-out", "plain.crl")
	write("crlnumber", "07\n")
	write("numbered.cnf", strings.Replace(string(read("ca.cnf")), "[it]", "[it]\ncrlnumber = crlnumber\ncrl_extensions = numbered", 1))
	run("ca", "-config", "numbered.cnf", "-gencrl", "-out", "numbered.crl")

	cert := func(name string) *nuc.Certificate {
		t.Helper()
		list, err := nuc.ParsePEMOrDER(read(name + ".pem"))
		if err != nil {
			t.Fatal(err)
		}
		return list[0]
	}
	ca, good, revoked := cert("ca"), cert("good"), cert("revoked")
	now := time.Now().Add(time.Minute)
	ask := func(c *nuc.Certificate, lists []string, answers ...string) revocation.Answer {
		t.Helper()
		checker := revocation.NewChecker(revocation.Options{})
		for _, name := range lists {
			checker.AddCRL(parseCRL(t, read(name)))
		}
		for _, name := range answers {
			r, err := revocation.ParseOCSP(read(name))
			if err != nil {
				t.Fatal(err)
			}
			checker.AddOCSP(r)
		}
		return checker.Ask(context.Background(), c, ca, now)
	}
	for _, list := range []string{"plain.crl", "numbered.crl"} {
		if a := ask(good, []string{list}); a.Status != revocation.Good {
			t.Errorf("%s: %+v", list, a)
		}
		if a := ask(revoked, []string{list}); a.Status != revocation.Revoked || a.Why != "keyCompromise" {
			t.Errorf("%s: %+v", list, a)
		}
	}
	trust := nuc.NewTrust()
	if err := trust.AddRoot(ca); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		signer string
		extra  []string
		want   revocation.Status
	}{
		{"responder by name", "responder", nil, revocation.Good},
		{"responder by key", "responder", []string{"-resp_key_id"}, revocation.Good},
		{"the authority itself", "ca", nil, revocation.Good},
		{"the authority itself, by key", "ca", []string{"-resp_key_id", "-resp_no_certs"}, revocation.Good},
		{"with an end", "responder", []string{"-nmin", "30"}, revocation.Good},
		{"a responder that would have to be checked", "checked", nil, revocation.Unknown},
		{"a certificate that may not answer", "good", nil, revocation.Unknown},
	} {
		for _, digest := range []string{"-sha1", "-sha256"} {
			for name, leaf := range map[string]*nuc.Certificate{"good": good, "revoked": revoked} {
				args := append([]string{"ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", c.signer + ".pem", "-rkey", c.signer + ".key"}, c.extra...)
				args = append(args, digest, "-issuer", "ca.pem", "-cert", name+".pem", "-respout", "answer.der", "-no_nonce")
				run(args...)
				want := c.want
				if want == revocation.Good && name == "revoked" {
					want = revocation.Revoked
				}
				if a := ask(leaf, nil, "answer.der"); a.Status != want {
					t.Errorf("%s, %s, %s: %+v", c.name, digest, name, a)
				}
				r, err := revocation.ParseOCSP(read("answer.der"))
				if err != nil {
					t.Fatal(err)
				}
				outcome, _ := verdict.Sum(revocation.JudgeOCSP(context.Background(), r, trust, nil, now))
				if (outcome == verdict.Passed) != (want == revocation.Good) || (outcome == verdict.Failed && want == revocation.Good) {
					t.Errorf("%s, %s, %s: judged %v", c.name, digest, name, outcome)
				}
			}
		}
	}
	// The unchecked responder is believed once a list shows that it stands.
	run("ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", "checked.pem", "-rkey", "checked.key", "-issuer", "ca.pem", "-cert", "good.pem", "-respout", "answer.der")
	if a := ask(good, []string{"plain.crl"}, "answer.der"); a.Status != revocation.Good {
		t.Errorf("%+v", a)
	}
	// Our request, read by OpenSSL, and its answer, read by us.
	nonce := revocation.NewNonce()
	request, err := revocation.NewOCSPRequest(revoked, ca, nonce)
	if err != nil {
		t.Fatal(err)
	}
	write("request.der", string(request))
	run("ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", "responder.pem", "-rkey", "responder.key", "-reqin", "request.der", "-respout", "answer.der")
	r, err := revocation.ParseOCSP(read("answer.der"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(r.Nonce, nonce) || len(r.Nonce) != len(nonce)+2 {
		t.Errorf("nonce %x came back as %x", nonce, r.Nonce)
	}
	if a := ask(revoked, nil, "answer.der"); a.Status != revocation.Revoked {
		t.Errorf("%+v", a)
	}
}
