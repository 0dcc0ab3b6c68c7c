package sigtest

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

func authority(t *testing.T) *Authority {
	t.Helper()
	a, err := NewAuthority("", Options{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func issue(t *testing.T, a *Authority, p Profile) *Credential {
	t.Helper()
	c, err := a.Issue(p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func person() Profile {
	return Profile{Kind: Person, IIN: IIN(1), Surname: "Тестов", GivenName: "Тест", Patronymic: "Тестович"}
}

func TestNumbersHaveTheRightCheckDigit(t *testing.T) {
	// The weights of the rule, written out.
	right := func(s string) bool {
		for _, weights := range [][]int{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2}} {
			sum := 0
			for i, w := range weights {
				sum += int(s[i]-'0') * w
			}
			if sum%11 != 10 {
				return sum%11 == int(s[11]-'0')
			}
		}
		return false
	}
	// A real organisation's number, published on its certificates.
	if s, err := Number("00074000072"); err != nil || s != "000740000728" {
		t.Fatalf("got %q, %v", s, err)
	}
	seen := map[string]bool{}
	for n := range 20000 {
		for _, s := range []string{IIN(n), BIN(n)} {
			if len(s) != 12 || !right(s) {
				t.Fatalf("%d: %s is not right", n, s)
			}
		}
		if seen[IIN(n)] {
			t.Fatalf("%d: %s again", n, IIN(n))
		}
		seen[IIN(n)] = true
	}
	if _, err := Number("123"); err == nil {
		t.Fatal("a short number passes")
	}
}

func TestSameCallsGiveSameBytes(t *testing.T) {
	a, b := authority(t), authority(t)
	if !bytes.Equal(a.Root(), b.Root()) || !bytes.Equal(issue(t, a, person()).DER, issue(t, b, person()).DER) {
		t.Fatal("two default authorities differ")
	}
	other, err := NewAuthority("B", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(other.root.cert.RawSubjectPublicKeyInfo, a.root.cert.RawSubjectPublicKeyInfo) || bytes.Equal(other.root.cert.RawSubject, a.root.cert.RawSubject) {
		t.Fatal("a named authority is not another one")
	}
	if err := other.issuing.cert.CheckSignatureFrom(a.root.cert); err == nil {
		t.Fatal("authority B was issued by A")
	}
}

func TestChainAndProfile(t *testing.T) {
	a := authority(t)
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(a.root.cert)
	between.AddCert(a.issuing.cert)
	cases := map[string]struct {
		profile Profile
		subject string // attribute order and string types: oid=tag, in order
		usage   x509.KeyUsage
	}{
		"person": {person(), "3=12 4=12 5=19 6=19 42=12", x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment},
		"person auth": {func() Profile { p := person(); p.Usage = Auth; return p }(), "3=12 4=12 5=19 6=19 42=12",
			x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment},
		"employee": {Profile{Kind: Employee, IIN: IIN(2), BIN: BIN(1), Surname: "Тестов", GivenName: "Тест"}, "3=12 4=12 5=19 6=19 10=12 11=12",
			x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment},
		"system": {Profile{Kind: System, BIN: BIN(1), CommonName: `ИС "Тест"`}, "1=12 3=12 6=19 10=12 11=12",
			x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment},
		"responder": {Profile{Kind: Responder, BIN: BIN(1), IIN: IIN(1), CommonName: "OCSP"}, "6=19 11=12 3=12 5=19 10=12", 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cert := issue(t, a, c.profile).Certificate
			if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: Noon(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
				t.Error(err)
			}
			if cert.KeyUsage != c.usage {
				t.Errorf("key usage %b", cert.KeyUsage)
			}
			if !bytes.Equal(cert.RawIssuer, a.issuing.cert.RawSubject) {
				t.Error("issuer is not the CA's subject, byte for byte")
			}
			if got := shape(t, cert.RawSubject); got != c.subject {
				t.Errorf("subject %s, want %s", got, c.subject)
			}
		})
	}
	if _, err := a.Issue(Profile{}); err == nil {
		t.Error("a profile without a kind is issued")
	}
}

// shape prints the last arc of each attribute and its string type.
func shape(t *testing.T, name []byte) string {
	t.Helper()
	var sets []asn1.RawValue
	if _, err := asn1.Unmarshal(name, &sets); err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, s := range sets {
		var one struct {
			Type  asn1.ObjectIdentifier
			Value asn1.RawValue
		}
		if _, err := asn1.Unmarshal(s.Bytes, &one); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, big.NewInt(int64(one.Type[len(one.Type)-1])).String()+"="+big.NewInt(int64(one.Value.Tag)).String())
	}
	return strings.Join(parts, " ")
}

func TestCRLAndDelta(t *testing.T) {
	a := authority(t)
	old, held, fresh := issue(t, a, person()), issue(t, a, person()), issue(t, a, person())
	base := Noon()
	a.Revoke(old, base.Add(-time.Hour), ReasonKeyCompromise)
	a.Revoke(held, base.Add(-time.Hour), ReasonHold)
	a.Revoke(fresh, base.Add(time.Hour), ReasonUnspecified)
	if err := a.Release(held, base.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := a.Release(old, base); err == nil {
		t.Error("a compromised key was released")
	}
	full := parseCRL(t, a, must(a.CRL(base, base.AddDate(0, 0, 180))))
	if got := reasons(full); got[old.Serial().String()] != ReasonKeyCompromise || got[held.Serial().String()] != ReasonHold || len(got) != 2 {
		t.Errorf("full list: %v", got)
	}
	delta := parseCRL(t, a, must(a.DeltaCRL(base, base.Add(3*time.Hour), base.AddDate(0, 0, 1))))
	if got := reasons(delta); got[held.Serial().String()] != ReasonRemoved || len(got) != 2 {
		t.Errorf("delta: %v", got)
	}
	indicator := false
	for _, e := range delta.Extensions {
		indicator = indicator || e.Id.Equal(oidDeltaCRL) && e.Critical
	}
	if !indicator {
		t.Error("no critical delta indicator")
	}
	if later := parseCRL(t, a, must(a.CRL(old.Certificate.NotAfter.Add(time.Hour), old.Certificate.NotAfter.AddDate(0, 1, 0)))); len(later.RevokedCertificateEntries) != 0 {
		t.Error("expired certificates stay in the list")
	}
}

func must(der []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return der
}

func parseCRL(t *testing.T, a *Authority, der []byte) *x509.RevocationList {
	t.Helper()
	crl, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := crl.CheckSignatureFrom(a.issuing.cert); err != nil {
		t.Fatal(err)
	}
	return crl
}

func reasons(crl *x509.RevocationList) map[string]int {
	m := map[string]int{}
	for _, e := range crl.RevokedCertificateEntries {
		m[e.SerialNumber.String()] = e.ReasonCode
	}
	return m
}

func TestOCSPIsReadByAnotherHand(t *testing.T) {
	a := authority(t)
	good, bad := issue(t, a, person()), issue(t, a, person())
	a.Revoke(bad, Noon().Add(-time.Hour), ReasonSuperseded)
	stranger := *good.Certificate
	stranger.SerialNumber = big.NewInt(77)
	for name, c := range map[string]struct {
		cert   *x509.Certificate
		status int
		at     time.Time
		reason int
	}{
		"good":    {good.Certificate, ocsp.Good, time.Time{}, 0},
		"revoked": {bad.Certificate, ocsp.Revoked, Noon().Add(-time.Hour), ReasonSuperseded},
		"never":   {&stranger, ocsp.Revoked, time.Unix(0, 0).UTC(), ReasonHold},
	} {
		request, err := ocsp.CreateRequest(c.cert, a.issuing.cert, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := ocsp.ParseResponseForCert(must(a.OCSP(request, Noon(), OCSPOptions{})), c.cert, a.issuing.cert)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if answer.Status != c.status || !answer.RevokedAt.Equal(c.at) || answer.RevocationReason != c.reason {
			t.Errorf("%s: %d %v %d", name, answer.Status, answer.RevokedAt, answer.RevocationReason)
		}
		if !answer.NextUpdate.IsZero() || !answer.ThisUpdate.Equal(Noon()) {
			t.Errorf("%s: updates %v %v", name, answer.ThisUpdate, answer.NextUpdate)
		}
	}
	if _, err := ocsp.ParseResponse(must(a.OCSP([]byte("garbage"), Noon(), OCSPOptions{})), nil); err == nil || !strings.Contains(err.Error(), "malformed") {
		t.Errorf("garbage: %v", err)
	}
	if _, err := ocsp.ParseResponse(must(a.OCSP(nil, Noon(), OCSPOptions{Status: OCSPTryLater})), nil); err == nil {
		t.Error("tryLater reads as an answer")
	}
}

// TestOpenSSLAgrees puts chain, lists, OCSP with nonce and PKCS#12 before OpenSSL.
func TestOpenSSLAgrees(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("witness tool openssl is not installed")
	}
	a := authority(t)
	good, bad := issue(t, a, person()), issue(t, a, Profile{Kind: Employee, IIN: IIN(2), BIN: BIN(1), Surname: "Тестов", GivenName: "Тест"})
	a.Revoke(bad, Noon().Add(-time.Hour), ReasonKeyCompromise)
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	run := func(want string, args ...string) {
		t.Helper()
		out, err := exec.Command(openssl, args...).CombinedOutput()
		if !strings.Contains(string(out), want) {
			t.Errorf("openssl %s: %v\n%s\nwants %q", strings.Join(args, " "), err, out, want)
		}
	}
	roots, nca := write("root.pem", a.RootsPEM()), write("nca.pem", certPEM(a.Issuing()))
	goodPEM, badPEM := write("good.pem", good.PEM()), write("bad.pem", bad.PEM())
	crl := write("crl.pem", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: must(a.CRL(Noon(), Noon().AddDate(0, 0, 180)))}))
	at := []string{"-attime", big.NewInt(Noon().Unix()).String()}
	run("good.pem: OK", append([]string{"verify", "-CAfile", roots, "-untrusted", nca, "-CRLfile", crl, "-crl_check"}, append(at, goodPEM)...)...)
	run("certificate revoked", append([]string{"verify", "-CAfile", roots, "-untrusted", nca, "-CRLfile", crl, "-crl_check"}, append(at, badPEM)...)...)
	for _, hash := range []string{"-sha1", "-sha256"} {
		for file, want := range map[string]string{goodPEM: "good.pem: good", badPEM: "bad.pem: revoked"} {
			request := filepath.Join(dir, "request.der")
			run("", "ocsp", hash, "-issuer", nca, "-cert", file, "-reqout", request)
			der, err := os.ReadFile(request)
			if err != nil {
				t.Fatal(err)
			}
			response := write("response.der", must(a.OCSP(der, Noon(), OCSPOptions{})))
			args := append([]string{"ocsp", hash, "-issuer", nca, "-cert", file, "-reqin", request, "-respin", response, "-CAfile", roots, "-verify_other", nca, "-no_nonce", "-validity_period", "999999999"}, at...)
			run(want, args...)
			run("Response verify OK", args...)
		}
	}
	p12 := write("key.p12", must(good.PKCS12("Qwerty12")))
	run("BEGIN CERTIFICATE", "pkcs12", "-legacy", "-in", p12, "-passin", "pass:Qwerty12", "-nokeys")
	run("friendlyName: "+hex.EncodeToString(good.Certificate.SubjectKeyId), "pkcs12", "-legacy", "-in", p12, "-passin", "pass:Qwerty12", "-nodes")
	run("BEGIN PRIVATE KEY", "pkcs12", "-legacy", "-in", p12, "-passin", "pass:Qwerty12", "-nodes")
	run("invalid password", "pkcs12", "-legacy", "-in", p12, "-passin", "pass:other", "-nodes")
	run("pbeWithSHA1And40BitRC2-CBC, Iteration 1024", "pkcs12", "-legacy", "-in", p12, "-passin", "pass:Qwerty12", "-noout", "-info")
}
