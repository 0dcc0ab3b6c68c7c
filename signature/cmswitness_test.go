package signature

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/signature/cms"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

// openssl runs the witness in a folder. Its absence is no fault.
func openssl(t *testing.T, dir string, args ...string) ([]byte, error) {
	t.Helper()
	tool, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	command := exec.CommandContext(t.Context(), tool, args...)
	command.Dir = dir
	var complaint bytes.Buffer
	command.Stderr = &complaint
	out, err := command.Output()
	if err != nil {
		err = fmt.Errorf("openssl %s: %w\n%s", strings.Join(args, " "), err, complaint.String())
	}
	return out, err
}

// opensslWorld writes the authority's and a signer's files for the witness.
func opensslWorld(t *testing.T, p sigtest.Profile) (w *nationalWorld, dir string, credential *sigtest.Credential) {
	t.Helper()
	w, dir = newNationalWorld(t), t.TempDir()
	if p.Kind == 0 {
		p = sigtest.Profile{Kind: sigtest.Person, IIN: testIIN, Surname: "ТЕСТОВ", GivenName: "ТЕСТ"}
	}
	credential = must2(w.authority.Issue(p))(t)
	put(t, dir, "chain.pem", w.authority.ChainPEM())
	put(t, dir, "leaf.pem", credential.PEM())
	put(t, dir, "key.pem", must2(credential.KeyPEM())(t))
	put(t, dir, "content", []byte(text))
	return w, dir, credential
}

func put(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func attime() string { return fmt.Sprint(sigtest.Noon().Unix()) }

// TestOpenSSLReadsOurs: what we sign with RSA, OpenSSL passes; what is changed
// it does not.
func TestOpenSSLReadsOurs(t *testing.T) {
	_, dir, credential := opensslWorld(t, sigtest.Profile{})
	key := must2(credential.Key())(t)
	attached := must2(SignCMS([]byte(text), key, CMSOptions{SigningTime: sigtest.Noon()}))(t)
	detached := must2(SignCMS([]byte(text), key, CMSOptions{Detached: true}))(t)
	broken := bytes.Replace(attached, []byte("справки"), []byte("справкы"), 1)
	put(t, dir, "attached", attached)
	put(t, dir, "detached", detached)
	put(t, dir, "broken", broken)
	verify := func(args ...string) ([]byte, error) {
		return openssl(t, dir, append([]string{"cms", "-verify", "-binary", "-cades", "-inform", "DER", "-CAfile", "chain.pem", "-purpose", "any", "-attime", attime()}, args...)...)
	}
	for _, args := range [][]string{{"-in", "attached"}, {"-in", "detached", "-content", "content"}} {
		if out, err := verify(args...); err != nil || string(out) != text {
			t.Errorf("%v %q", err, out)
		}
	}
	if _, err := verify("-in", "broken"); err == nil {
		t.Error("the witness passes a changed message")
	}
	if _, err := verify("-in", "detached", "-content", "key.pem"); err == nil {
		t.Error("the witness passes other content")
	}
}

// TestOpenSSLSigns: what OpenSSL signs, in all its ways, we pass.
func TestOpenSSLSigns(t *testing.T) {
	w, dir, _ := opensslWorld(t, sigtest.Profile{})
	sign := func(args ...string) []byte {
		t.Helper()
		return must2(openssl(t, dir, append([]string{"cms", "-sign", "-binary", "-in", "content", "-signer", "leaf.pem", "-inkey", "key.pem", "-outform", "DER"}, args...)...))(t)
	}
	for _, args := range [][]string{
		{"-nodetach"}, {"-nodetach", "-md", "sha512"}, {"-nodetach", "-keyid"}, {"-nodetach", "-cades"}, {"-nodetach", "-cades", "-md", "sha384"},
		{"-nodetach", "-stream"}, {"-nodetach", "-stream", "-keyid"}, {"-nodetach", "-nosmimecap", "-certfile", "chain.pem"},
	} {
		v := w.cms(t, sign(args...), nil, now())
		decides(t, v, verdict.Passed, verdict.None)
		if content, ok := v.Content(); !ok || string(content.Bytes()) != text {
			t.Errorf("%v: content %v", args, ok)
		}
	}
	detached := sign()
	decides(t, w.cms(t, detached, []byte(text), now()), verdict.Passed, verdict.None)
	decides(t, w.cms(t, detached, []byte("other"), now()), verdict.Failed, verdict.HashFailure)
	decides(t, w.cms(t, sign("-nodetach", "-noattr"), nil, now()), verdict.Failed, verdict.SigConstraintsFailure)
	decides(t, w.cms(t, sign("-nodetach", "-md", "sha1"), nil, now()), verdict.Failed, verdict.CryptoConstraintsFailure)
	decides(t, w.cms(t, sign("-nodetach", "-keyopt", "rsa_padding_mode:pss"), nil, now()), verdict.Failed, verdict.CryptoConstraintsFailure)
	decides(t, w.cms(t, sign("-nodetach", "-nocerts"), nil, now()), verdict.Failed, verdict.NoSigningCertificate)

	// We add a signer to theirs, also to a streamed one, and they to ours.
	ours := w.key(t, sigtest.Profile{})
	for _, args := range [][]string{{"-nodetach"}, {"-nodetach", "-stream"}} {
		both := must2(AddCMS(sign(args...), nil, ours, CMSOptions{}))(t)
		v := w.cms(t, both, nil, now())
		if decides(t, v, verdict.Passed, verdict.None); len(v.Signatures) != 2 {
			t.Errorf("%d signatures", len(v.Signatures))
		}
		put(t, dir, "both", both)
		must2(openssl(t, dir, "cms", "-verify", "-binary", "-inform", "DER", "-in", "both", "-CAfile", "chain.pem", "-purpose", "any", "-attime", attime()))(t)
	}
	put(t, dir, "ours", must2(SignCMS([]byte(text), ours, CMSOptions{}))(t))
	resigned := must2(openssl(t, dir, "cms", "-resign", "-binary", "-inform", "DER", "-outform", "DER", "-in", "ours", "-signer", "leaf.pem", "-inkey", "key.pem"))(t)
	v := w.cms(t, resigned, nil, now())
	if decides(t, v, verdict.Passed, verdict.None); len(v.Signatures) != 2 {
		t.Errorf("%d signatures", len(v.Signatures))
	}
}

const tsaConfig = `[tsa]
default_tsa = stamps
[stamps]
serial = serial
crypto_device = builtin
signer_cert = tsa.pem
signer_key = tsakey.pem
signer_digest = sha256
default_policy = 1.2.398.3.3.2.6.2
digests = sha256, sha512
accuracy = secs:1, millisecs:500, microsecs:100
clock_precision_digits = 3
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = %s
`

// TestOpenSSLTimestamps: its stamps under us, ours under it, and our request.
func TestOpenSSLTimestamps(t *testing.T) {
	w, dir, credential := opensslWorld(t, sigtest.Profile{Kind: sigtest.Timestamps, CommonName: "TSA"})
	message := must2(SignCMS([]byte(text), w.key(t, sigtest.Profile{}), CMSOptions{}))(t)
	request := must2(TimestampRequest(message, 0, "1.2.398.3.3.2.6.2"))(t)
	request.Nonce = newInt(9)
	put(t, dir, "request", must2(request.Marshal())(t))

	// It stamps by the clock of the day, so its authority is of the day.
	today := must2(sigtest.NewAuthority("today", sigtest.Options{Day: time.Now()}))(t)
	if err := w.trust.AddRoot(certificate(t, today.Root())); err != nil {
		t.Fatal(err)
	}
	w.trust.AddIntermediate(certificate(t, today.Issuing()))
	stamper := must2(today.Issue(sigtest.Profile{Kind: sigtest.Timestamps, CommonName: "TSA", IIN: testIIN}))(t)
	put(t, dir, "tsa.pem", stamper.PEM())
	put(t, dir, "tsakey.pem", must2(stamper.KeyPEM())(t))
	put(t, dir, "serial", []byte("0A"))
	for _, digest := range []string{"sha1", "sha256"} { // version 1 and version 2 of the certificate's identifier
		put(t, dir, "tsa.cnf", fmt.Appendf(nil, tsaConfig, digest))
		answer := must2(openssl(t, dir, "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "request"))(t)
		r := must2(cms.ParseResponse(answer))(t)
		token := must2(cms.ParseToken(r.Token))(t)
		if token.Info.Nonce.Int64() != 9 || token.Info.Accuracy.Microseconds() != 1500100 || token.Info.Authority == nil || !token.Info.Ordering {
			t.Errorf("%+v", token.Info)
		}
		stampedMessage := must2(AddTimestamp(message, 0, request, answer))(t)
		v := w.cms(t, stampedMessage, nil, now())
		decides(t, v, verdict.Passed, verdict.None)
		if s := v.Signatures[0].Stamp; s == nil || !s.At.Equal(token.Info.Time) {
			t.Errorf("stamp %+v", s)
		}
		alone := w.tsp(t, answer, token.Signers[0].Value, now())
		decides(t, alone, verdict.Failed, verdict.HashFailure)
	}

	key := must2(credential.Key())(t)
	put(t, dir, "token", must2(SignTimestamp(stampInfo(key, []byte(text), sigtest.Noon()), key))(t))
	verify := func(data string) error {
		_, err := openssl(t, dir, "ts", "-verify", "-in", "token", "-token_in", "-data", data, "-CAfile", "chain.pem", "-attime", attime())
		return err
	}
	if err := verify("content"); err != nil {
		t.Error(err)
	}
	if verify("leaf.pem") == nil {
		t.Error("the witness passes a stamp over other bytes")
	}
}
