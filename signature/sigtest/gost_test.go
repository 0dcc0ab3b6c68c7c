package sigtest

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kopir/signature/algorithm"
	"kopir/signature/keystore"
	"kopir/signature/nuc"
	judge "kopir/signature/revocation"
	"kopir/signature/verdict"
)

var every = []Algorithm{RSA, GOST2015, GOST2004, GOST2015x256}

func authorityOf(t *testing.T, a Algorithm, name string) *Authority {
	t.Helper()
	authority, err := NewAuthority(name, Options{Algorithm: a})
	if err != nil {
		t.Fatal(err)
	}
	return authority
}

func read(t *testing.T, der []byte) *nuc.Certificate {
	t.Helper()
	c, err := nuc.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func outline(c *x509.Certificate) string {
	var list []string
	for _, e := range c.Extensions {
		list = append(list, fmt.Sprintf("%v=%v", e.Id[len(e.Id)-1], e.Critical))
	}
	return strings.Join(list, " ")
}

// TestNationalProfile: what tells a certificate of GOST R 34.10-2015 apart from
// an RSA one stands in it as in the real ones.
func TestNationalProfile(t *testing.T) {
	for alg, want := range map[Algorithm]struct {
		usage, policy, order string
		point                int // bytes of the BIT STRING
	}{
		// 03 02 03 C8: digitalSignature, nonRepudiation, keyAgreement.
		GOST2015: {"030203c8", "1.2.398.3.3.2", "32=false 1=false 31=false 46=false 37=false 15=true 14=false 35=false 5=false", 131},
		GOST2004: {"030206c0", "1.2.398.3.3.2.3", "15=true 14=false 35=false 1=false 31=false 37=false 32=false 46=false", 66},
	} {
		t.Run(alg.String(), func(t *testing.T) {
			a := authorityOf(t, alg, "")
			c := issue(t, a, person())
			cert := c.Certificate
			var whole struct {
				TBS struct {
					Version   int `asn1:"explicit,tag:0"`
					Serial    *big.Int
					Algorithm asn1.RawValue
					Issuer    asn1.RawValue
					Validity  asn1.RawValue
					Subject   asn1.RawValue
					Key       publicKeyInfo
					Rest      asn1.RawValue `asn1:"explicit,tag:3"`
				}
				Algorithm asn1.RawValue
				Value     asn1.BitString
			}
			if rest, err := asn1.Unmarshal(c.DER, &whole); err != nil || len(rest) != 0 {
				t.Fatal(err, rest)
			}
			if !bytes.HasSuffix(whole.Algorithm.FullBytes, []byte{5, 0}) || !bytes.Equal(whole.Algorithm.FullBytes, whole.TBS.Algorithm.FullBytes) {
				t.Errorf("the signature algorithm has no explicit NULL: %x", whole.Algorithm.FullBytes)
			}
			ski := sha1.Sum(whole.TBS.Key.Key.Bytes)
			if len(whole.TBS.Key.Key.Bytes) != want.point || !bytes.Equal(ski[:], cert.SubjectKeyId) {
				t.Errorf("%d bytes in the BIT STRING, identifier %x of %x", len(whole.TBS.Key.Key.Bytes), cert.SubjectKeyId, ski)
			}
			ski[0] &= 0x7f
			if new(big.Int).SetBytes(ski[:]).Cmp(cert.SerialNumber) != 0 {
				t.Errorf("serial number %x, key identifier %x", cert.SerialNumber, ski)
			}
			if got := outline(cert); got != want.order {
				t.Errorf("extensions %s, want %s", got, want.order)
			}
			for _, e := range cert.Extensions {
				if e.Id.Equal(oidKeyUsage) && fmt.Sprintf("%x", e.Value) != want.usage {
					t.Errorf("key usage %x", e.Value)
				}
				if e.Id.Equal(oidTokenKind) && fmt.Sprintf("%x", e.Value) != "300a06082a830e0303050101" {
					t.Errorf("kind of token %x", e.Value)
				}
			}
			if len(cert.PolicyIdentifiers) != 1 || cert.PolicyIdentifiers[0].String() != want.policy {
				t.Errorf("policies %v", cert.PolicyIdentifiers)
			}
			ours := read(t, c.DER)
			if usage := ours.Usage(); alg == GOST2015 && usage != nuc.UsageBoth || alg == GOST2004 && usage != nuc.UsageSign {
				t.Errorf("usage %s", usage)
			}
			if ours.Subject.IIN != IIN(1) || ours.PublicKey == nil || ours.PublicKey.Kind().String() == "unknown" {
				t.Errorf("%+v %v", ours.Subject, ours.PublicKey)
			}
			if !strings.Contains(read(t, a.Root()).Subject.CN, "(GOST)") || a.Algorithm() != alg {
				t.Error("the authority does not bear the name of its algorithm")
			}
		})
	}
}

// TestEveryAlgorithm: with each, root, issuing CA, leaf, lists and answers are
// judged by the bridge's own code, and every damage to a signature is seen.
func TestEveryAlgorithm(t *testing.T) {
	for _, alg := range every {
		t.Run(alg.String(), func(t *testing.T) {
			a := authorityOf(t, alg, "")
			good, bad, fresh := issue(t, a, person()), issue(t, a, person()), issue(t, a, person())
			if again := authorityOf(t, alg, ""); !bytes.Equal(again.Root(), a.Root()) || !bytes.Equal(again.Issuing(), a.Issuing()) || !bytes.Equal(issue(t, again, person()).DER, good.DER) {
				t.Error("the same calls give other bytes")
			}
			if other := authorityOf(t, alg, "B"); bytes.Equal(other.root.cert.RawSubjectPublicKeyInfo, a.root.cert.RawSubjectPublicKeyInfo) {
				t.Error("a named authority has the keys of the unnamed one")
			}
			trust := nuc.NewTrust()
			if err := trust.AddRoot(read(t, a.Root())); err != nil {
				t.Fatal(err)
			}
			trust.AddIntermediate(read(t, a.Issuing()))
			chained := func(c *nuc.Certificate) bool {
				chain, checks := trust.Chain(c, Noon())
				for _, check := range checks {
					if check.Outcome != verdict.Passed {
						return false
					}
				}
				return len(chain) == 3
			}
			if !chained(read(t, good.DER)) {
				t.Fatal("the leaf has no chain")
			}
			damaged := bytes.Clone(good.DER)
			damaged[len(damaged)-1] ^= 1
			if chained(read(t, damaged)) {
				t.Error("a leaf with a damaged signature has a chain")
			}

			a.Revoke(bad, Noon().Add(-time.Hour), ReasonSuperseded)
			a.Revoke(fresh, Noon().Add(time.Minute), ReasonKeyCompromise)
			issuing := read(t, a.Issuing())
			full := must(a.CRL(Noon(), Noon().AddDate(0, 0, 180)))
			delta := must(a.DeltaCRL(Noon(), Noon().Add(time.Hour), Noon().AddDate(0, 0, 1)))
			rootList := must(a.RootCRL(Noon(), Noon().AddDate(0, 0, 180)))
			for name, one := range map[string]struct {
				der    []byte
				issuer *nuc.Certificate
				serial *big.Int // of who must stand in it; nil: nobody
			}{"full": {full, issuing, bad.Serial()}, "delta": {delta, issuing, fresh.Serial()}, "root": {rootList, read(t, a.Root()), nil}} {
				crl, err := judge.ParseCRL(one.der)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if check := crl.Verify(one.issuer); check.Outcome != verdict.Passed {
					t.Errorf("%s: %s", name, check.Detail)
				}
				if one.serial != nil {
					if _, _, ok := crl.Find(one.serial); !ok {
						t.Errorf("%s: nobody is in it", name)
					}
				}
				if _, _, ok := crl.Find(good.Serial()); ok {
					t.Errorf("%s: the good one is in it", name)
				}
				broken := bytes.Clone(one.der)
				broken[len(broken)-1] ^= 1
				if crl, err := judge.ParseCRL(broken); err == nil && crl.Verify(one.issuer).Outcome == verdict.Passed {
					t.Errorf("%s: a damaged signature passes", name)
				}
			}

			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				request := new(bytes.Buffer)
				_, _ = request.ReadFrom(r.Body)
				answer, err := a.OCSP(request.Bytes(), Noon(), OCSPOptions{})
				if err != nil {
					t.Error(err)
				}
				_, _ = w.Write(answer)
			}))
			defer server.Close()
			checker := judge.NewChecker(judge.Options{Now: Noon, Sources: []judge.Source{{OCSP: []string{server.URL}}}})
			for name, one := range map[string]struct {
				c    *Credential
				want judge.Status
			}{"good": {good, judge.Good}, "revoked": {bad, judge.Revoked}} {
				if answer := checker.Ask(context.Background(), read(t, one.c.DER), issuing, Noon()); answer.Status != one.want {
					t.Errorf("%s by OCSP: %v %s", name, answer.Status, answer.Detail)
				}
			}
		})
	}
}

// TestKeyFiles: the bridge opens the exported files of every algorithm, and
// OpenSSL reads at least the certificate in them.
func TestKeyFiles(t *testing.T) {
	openssl, _ := exec.LookPath("openssl")
	for alg, prefix := range map[Algorithm]string{RSA: "RSA256_", GOST2015: "GOST512_", GOST2004: "GOSTKNCA_", GOST2015x256: "GOST256_"} {
		t.Run(alg.String(), func(t *testing.T) {
			a := authorityOf(t, alg, "")
			c, other := issue(t, a, person()), issue(t, a, person())
			file := must(c.PKCS12("Qwerty12"))
			key, err := keystore.OpenPKCS12(file, "Qwerty12")
			if err != nil {
				t.Fatal(err)
			}
			ski := fmt.Sprintf("%x", c.Certificate.SubjectKeyId)
			if !bytes.Equal(key.Certificate.Raw, c.DER) || key.Name != ski || c.FileName() != prefix+ski+".p12" {
				t.Errorf("%q, %q", key.Name, c.FileName())
			}
			digest := key.Algorithm.Digest.Sum([]byte("signed"))
			value, err := key.Sign(digest)
			if err != nil {
				t.Fatal(err)
			}
			if err := key.Algorithm.Verify(read(t, c.DER).PublicKey, digest, value); err != nil {
				t.Error(err)
			}
			if err := key.Algorithm.Verify(read(t, other.DER).PublicKey, digest, value); err == nil {
				t.Error("another key verifies it")
			}
			if _, err := keystore.OpenPKCS12(file, "qwerty12"); !errors.Is(err, keystore.ErrPassword) {
				t.Errorf("wrong password: %v", err)
			}
			// The same key by PEM, and straight.
			if key, err := keystore.Open(append(must(c.KeyPEM()), c.PEM()...), ""); err != nil || key.Algorithm.Key != read(t, c.DER).PublicKey.Kind() {
				t.Errorf("PEM: %v", err)
			}
			if key, err := c.Key(); err != nil || key.Algorithm.Name == "" {
				t.Error(err)
			}
			if openssl == "" {
				return
			}
			path := filepath.Join(t.TempDir(), "key.p12")
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			out, _ := exec.Command(openssl, "pkcs12", "-legacy", "-in", path, "-passin", "pass:Qwerty12", "-nokeys").Output()
			if block, _ := pem.Decode(out[max(0, bytes.Index(out, []byte("-----BEGIN"))):]); block == nil || !bytes.Equal(block.Bytes, c.DER) {
				t.Errorf("OpenSSL reads %s", out)
			}
		})
	}
}

func TestKeysOfOneNumber(t *testing.T) {
	for _, alg := range every {
		one, err := TestKey(alg, 7)
		if err != nil {
			t.Fatal(err)
		}
		same, _ := TestKey(alg, 7)
		next, _ := TestKey(alg, 8)
		a, b, c := must(marshalPublic(one)), must(marshalPublic(same)), must(marshalPublic(next))
		if !bytes.Equal(a, b) || bytes.Equal(a, c) {
			t.Errorf("%v: the number does not make the key", alg)
		}
		if key, err := algorithm.ParsePublicKey(a); err != nil || key.Kind() == algorithm.KeyUnknown {
			t.Errorf("%v: %v", alg, err)
		}
		// A key that is brought along may have several certificates; their numbers differ.
		authority := authorityOf(t, alg, "")
		p := person()
		p.Key = one
		if first, second := issue(t, authority, p), issue(t, authority, p); first.Serial().Cmp(second.Serial()) == 0 {
			t.Errorf("%v: two certificates have one number", alg)
		}
	}
	if _, err := TestKey(Algorithm(9), 1); err == nil {
		t.Error("there is no ninth algorithm")
	}
	if _, err := NewAuthority("", Options{Algorithm: Algorithm(9)}); err == nil {
		t.Error("there is no ninth algorithm")
	}
}
