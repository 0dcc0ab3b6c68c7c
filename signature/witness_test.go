package signature

import (
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

// goxmldsig is the foreign hand: what we sign it takes, what it signs we take.
func TestGoxmldsig(t *testing.T) {
	w := newWorld(t)
	credential, err := w.authority.Issue(sigtest.Profile{Kind: sigtest.Person, IIN: testIIN, Surname: "ТЕСТОВ", GivenName: "ТЕСТ"})
	if err != nil {
		t.Fatal(err)
	}
	const src = `<application xmlns:a="urn:a"><a:iin>900101300120</a:iin><note>Ә &amp; Ұ</note></application>`
	t.Run("ours under theirs", func(t *testing.T) {
		key := w.key(t, sigtest.Profile{Kind: sigtest.Person})
		out, err := SignEnveloped([]byte(src), key, SignOptions{})
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(key.Certificate.Raw)
		if err != nil {
			t.Fatal(err)
		}
		theirs := func(src []byte) error {
			doc := etree.NewDocument()
			if err := doc.ReadFromBytes(src); err != nil {
				t.Fatal(err)
			}
			ctx := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{cert}})
			ctx.Clock = dsig.NewFakeClockAt(sigtest.Noon())
			_, err := ctx.Validate(doc.Root())
			return err
		}
		if err := theirs(out); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		out[len("<application xmlns:a=\"urn:a\"><a:iin>")] ^= 1
		if theirs(out) == nil {
			t.Error("the witness passes a changed document")
		}
	})
	t.Run("theirs under ours", func(t *testing.T) {
		doc := etree.NewDocument()
		if err := doc.ReadFromString(src); err != nil {
			t.Fatal(err)
		}
		ctx, err := dsig.NewSigningContext(credential.Signer, [][]byte{credential.DER})
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]dsig.Canonicalizer{
			"exclusive": dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(""),
			"inclusive": dsig.MakeC14N10RecCanonicalizer(),
			"1.1":       dsig.MakeC14N11Canonicalizer(),
		} {
			ctx.Canonicalizer = c
			signed, err := ctx.SignEnveloped(doc.Root())
			if err != nil {
				t.Fatal(err)
			}
			out := etree.NewDocument()
			out.SetRoot(signed)
			out.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
			raw, err := out.WriteToBytes()
			if err != nil {
				t.Fatal(err)
			}
			if v := w.xmldsig(t, raw, now()); v.Outcome != verdict.Passed {
				t.Errorf("%s: %s\n%s", name, explain(v), raw)
			}
		}
	})
}

// xmlsec1 judges what we sign, where it is installed.
func TestXmlsec1(t *testing.T) {
	tool, err := exec.LookPath("xmlsec1")
	if err != nil {
		t.Skip("witness not present: xmlsec1 (Debian: apt-get install xmlsec1)")
	}
	w := newWorld(t)
	key := w.key(t, sigtest.Profile{})
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	anchors := write("ca.pem", w.authority.ChainPEM())
	leaf := write("leaf.der", key.Certificate.Raw)
	run := func(path string) error {
		cmd := exec.Command(tool, "--verify", "--trusted-pem", anchors, "--pubkey-cert-der", leaf,
			"--verification-time", sigtest.Noon().Format("2006-01-02 15:04:05"),
			"--id-attr:Id", nsSOAP+":Body", "--id-attr:Id", "Body", path)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Logf("%s", out)
		}
		return err
	}
	enveloped, err := SignEnveloped([]byte("<r xmlns=\"urn:r\">\r\n<a b='&#9;'>Ә<!-- c --></a></r><!-- d -->"), key, SignOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := run(write("enveloped.xml", enveloped)); err != nil {
		t.Errorf("%v\n%s", err, enveloped)
	}
	for _, form := range []KeyInfo{KeyInfoKeyIdentifier, KeyInfoBST, KeyInfoIssuerSerial} {
		out, err := SignWSSE([]byte(envelope), key, SignOptions{KeyInfo: form})
		if err != nil {
			t.Fatal(err)
		}
		if err := run(write("soap.xml", out)); err != nil {
			t.Errorf("form %d: %v\n%s", form, err, out)
		}
	}
}
