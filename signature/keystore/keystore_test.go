package keystore_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kopir/signature/der"
	"kopir/signature/keystore"
	"kopir/signature/nuc"
	"kopir/signature/sigtest"
)

const password = "Qwerty12-пароль"

func credential(t testing.TB) *sigtest.Credential {
	t.Helper()
	a, err := sigtest.NewAuthority("keystore", sigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return issue(t, a, 1)
}

func issue(t testing.TB, a *sigtest.Authority, n int) *sigtest.Credential {
	t.Helper()
	c, err := a.Issue(sigtest.Profile{Kind: sigtest.Person, IIN: sigtest.IIN(n), Surname: "ТЕСТОВ", GivenName: "ТЕСТ", Patronymic: "ТЕСТОВИЧ"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func p12(t testing.TB, c *sigtest.Credential, password string) []byte {
	t.Helper()
	raw, err := c.PKCS12(password)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// signs is the proof that a key is usable: its signature verifies under the
// certificate.
func signs(t *testing.T, k *keystore.Key) {
	t.Helper()
	digest := k.Algorithm.Digest.Sum([]byte("bytes"))
	sig, err := k.Sign(digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Algorithm.Verify(k.Certificate.PublicKey, digest, sig); err != nil {
		t.Fatal(err)
	}
}

func TestOpenPKCS12(t *testing.T) {
	c := credential(t)
	k, err := keystore.OpenPKCS12(p12(t, c, password), password)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(k.Certificate.Raw, c.DER) {
		t.Fatal("another certificate came out")
	}
	signs(t, k)
	end := k.Certificate.NotAfter
	if d := k.DaysLeft(end.AddDate(0, 0, -10)); d != 10 {
		t.Errorf("%d days left, want 10", d)
	}
	if d := k.DaysLeft(end.AddDate(0, 0, 1)); d != -1 {
		t.Errorf("%d days left, want -1", d)
	}
}

func TestWrongPasswordIsToldFromDamage(t *testing.T) {
	raw := p12(t, credential(t), password)
	for _, wrong := range []string{"", "Qwerty12", password + " ", strings.ToUpper(password)} {
		if _, err := keystore.OpenPKCS12(raw, wrong); !errors.Is(err, keystore.ErrPassword) {
			t.Errorf("password %q: %v", wrong, err)
		}
	}
	cut := 0
	for n := range len(raw) {
		if n%7 != 0 { // each takes two key derivations
			continue
		}
		if _, err := keystore.OpenPKCS12(raw[:n], password); err == nil || errors.Is(err, keystore.ErrPassword) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
		cut++
	}
	if cut == 0 {
		t.Fatal("nothing was cut")
	}
	// One byte changed anywhere: never a key, and with the right password never
	// called a wrong one as long as some part still opens.
	blamed := 0
	for n := 40; n < len(raw); n += 23 {
		bad := bytes.Clone(raw)
		bad[n] ^= 0x20
		_, err := keystore.OpenPKCS12(bad, password)
		if err == nil {
			t.Fatalf("byte %d changed, and the file opened", n)
		}
		if errors.Is(err, keystore.ErrPassword) {
			blamed++
		}
	}
	if blamed > 2 {
		t.Errorf("the password was blamed for %d damaged files", blamed)
	}
	var fault *der.Error
	if _, err := keystore.OpenPKCS12([]byte("not a key file"), password); !errors.As(err, &fault) {
		t.Errorf("error %T %v", err, err)
	}
}

// TestOpenSSLFiles: files as OpenSSL writes them, with each of its ciphers,
// with a chain, without a MAC, and with a foreign certificate.
func TestOpenSSLFiles(t *testing.T) {
	tool, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed; the files of TestOpenPKCS12 come from another writer")
	}
	a, err := sigtest.NewAuthority("keystore", sigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	mine := issue(t, a, 1)
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	keyPEM, err := mine.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	key, cert := write("key.pem", keyPEM), write("cert.pem", mine.PEM())
	chain := write("chain.pem", a.ChainPEM())
	run := func(args ...string) []byte {
		t.Helper()
		cmd := exec.Command(tool, args...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			if slices.Contains(args, "-legacy") {
				t.Skipf("this openssl has no legacy ciphers: %s", stderr.String())
			}
			t.Fatalf("openssl %s: %v: %s", args, err, stderr.String())
		}
		return out
	}
	export := []string{"pkcs12", "-export", "-inkey", key, "-in", cert, "-passout", "pass:" + password, "-name", "подпись"}
	for _, extra := range [][]string{
		nil,
		{"-legacy"},
		{"-legacy", "-certpbe", "PBE-SHA1-RC2-40", "-keypbe", "PBE-SHA1-3DES"},
		{"-legacy", "-certpbe", "PBE-SHA1-RC2-128", "-keypbe", "PBE-SHA1-2DES"},
		{"-certpbe", "AES-128-CBC", "-keypbe", "AES-192-CBC", "-macalg", "sha512"},
		{"-certpbe", "NONE", "-keypbe", "NONE"},
		{"-certfile", chain},
		{"-nomac"},
		{"-iter", "100000"},
		{"-legacy", "-descert", "-macalg", "sha1", "-nomaciter"},
	} {
		t.Run(strings.Join(append([]string{"export"}, extra...), " "), func(t *testing.T) {
			raw := run(append(export, extra...)...)
			k, err := keystore.OpenPKCS12(raw, password)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(k.Certificate.Raw, mine.DER) || k.Name != "подпись" {
				t.Fatalf("name %q", k.Name)
			}
			if len(extra) > 0 && extra[0] == "-certfile" && len(k.Chain) != 2 {
				t.Fatalf("%d certificates beside", len(k.Chain))
			}
			signs(t, k)
			if _, err := keystore.OpenPKCS12(raw, "wrong"); !errors.Is(err, keystore.ErrPassword) && !strings.Contains(strings.Join(extra, " "), "NONE") {
				t.Errorf("wrong password: %v", err)
			}
		})
	}
	t.Run("encrypted PEM", func(t *testing.T) {
		raw := append(run("pkcs8", "-topk8", "-in", key, "-passout", "pass:"+password), mine.PEM()...)
		k, err := keystore.Open(raw, password)
		if err != nil {
			t.Fatal(err)
		}
		signs(t, k)
		if _, err := keystore.Open(raw, "wrong"); !errors.Is(err, keystore.ErrPassword) {
			t.Errorf("wrong password: %v", err)
		}
	})
	t.Run("EC key", func(t *testing.T) {
		ec := write("ec.pem", run("ecparam", "-name", "prime256v1", "-genkey", "-noout"))
		ecCert := write("ec-cert.pem", run("req", "-x509", "-new", "-key", ec, "-subj", "/CN=EC", "-days", "10"))
		raw := run("pkcs12", "-export", "-inkey", ec, "-in", ecCert, "-passout", "pass:x")
		_, err := keystore.OpenPKCS12(raw, "x")
		var unsupported *keystore.UnsupportedKeyError
		if !errors.As(err, &unsupported) || unsupported.OID != "1.2.840.10045.2.1" || unsupported.Certificate == nil {
			t.Fatalf("%v", err)
		}
	})
}

func TestPEM(t *testing.T) {
	a, err := sigtest.NewAuthority("keystore", sigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	mine, other := issue(t, a, 1), issue(t, a, 2)
	keyPEM, err := mine.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	k, err := keystore.Open(append(append(mine.PEM(), a.ChainPEM()...), keyPEM...), "")
	if err != nil {
		t.Fatal(err)
	}
	signs(t, k)
	if len(k.Chain) != 2 {
		t.Errorf("%d certificates beside", len(k.Chain))
	}
	var mismatch *keystore.MismatchError
	if _, err := keystore.Open(append(other.PEM(), keyPEM...), ""); !errors.As(err, &mismatch) || mismatch.Certificate == nil {
		t.Errorf("foreign certificate: %v", err)
	}
	if _, err := keystore.Open(keyPEM, ""); !errors.As(err, &mismatch) || mismatch.Certificate != nil {
		t.Errorf("no certificate: %v", err)
	}
	if _, err := keystore.Open(mine.PEM(), ""); !errors.Is(err, keystore.ErrNoKey) {
		t.Errorf("no key: %v", err)
	}
	if _, err := keystore.Open(append(append(mine.PEM(), keyPEM...), keyPEM...), ""); err == nil {
		t.Error("two keys were accepted")
	}
}

func TestNewKey(t *testing.T) {
	c := credential(t)
	cert, err := nuc.ParseCertificate(c.DER)
	if err != nil {
		t.Fatal(err)
	}
	k, err := keystore.NewKey(cert, c.Signer)
	if err != nil {
		t.Fatal(err)
	}
	signs(t, k)
}

// TestWorkCeiling: a file that asks for too many iterations is refused before
// the work is done.
func TestWorkCeiling(t *testing.T) {
	raw := p12(t, credential(t), password)
	if _, err := keystore.OpenBounded(raw, password, 3000); err == nil || errors.Is(err, keystore.ErrPassword) || !strings.Contains(err.Error(), "iterations") {
		t.Errorf("error %v", err)
	}
}

// storedFile is a file of the national form with a pool key, kept so that the
// form that is read today is read tomorrow: go test -run StoredFile -update.
const storedFile = "testdata/person.p12"

var update = flag.Bool("update", false, "write testdata anew")

func TestStoredFile(t *testing.T) {
	if *update {
		if err := os.WriteFile(storedFile, p12(t, credential(t), password), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(storedFile)
	if err != nil {
		t.Fatal(err)
	}
	k, err := keystore.OpenPKCS12(raw, password)
	if err != nil {
		t.Fatal(err)
	}
	signs(t, k)
	if got := k.Certificate.Subject.CN; got != "ТЕСТОВ ТЕСТ" {
		t.Errorf("subject %q", got)
	}
}

// FuzzPKCS12: whatever the bytes, an error or a key that signs; no panic, no
// endless work.
func FuzzPKCS12(f *testing.F) {
	raw, err := os.ReadFile(storedFile)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw, password)
	f.Add([]byte{0x30, 0x80, 0x02, 0x01, 0x03, 0, 0}, "")
	f.Fuzz(func(t *testing.T, raw []byte, password string) {
		k, err := keystore.OpenBounded(raw, password, 20_000)
		if (err == nil) == (k == nil) {
			t.Fatalf("key %v with error %v", k, err)
		}
		if k != nil {
			signs(t, k)
		}
	})
}
