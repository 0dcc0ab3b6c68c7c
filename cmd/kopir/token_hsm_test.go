//go:build hsm && cgo

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kopir/signature/keystore"
	"kopir/signature/sigtest"
)

// The bridge and the commands with a key on a token: checked, signed with,
// verified, and wrong PIN, key and certificate told apart.
func TestTokenEverywhere(t *testing.T) {
	h, err := sigtest.NewSoftHSM(t.TempDir())
	if errors.Is(err, sigtest.ErrNoSoftHSM) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", h.Config)
	s, uri := newTokenSite(t, h)
	at := func(name string) string { return filepath.Join(s.dir, name) }
	s.write("a.xml", []byte("<a/>"))
	s.write("wrong.pin", []byte("9876\n"))

	for _, format := range []string{"xmldsig", "cms"} {
		code, out, complaint := runVerb(t, "sign", "-format", format, "-pkcs11", uri, "-cert", at("keys/bridge.cer"), "-pass-file", at("keys/token.pin"), at("a.xml"))
		if code != exitPassed {
			t.Fatalf("%s: %d %s", format, code, complaint)
		}
		s.write("signed", []byte(out))
		if code, out, complaint := runVerb(t, "verify", "-trust", at("trust"), "-revocation", "off", at("signed")); code != exitPassed {
			t.Errorf("%s: %d %s%s", format, code, out, complaint)
		}
	}
	if code, _, complaint := runVerb(t, "sign", "-format", "cms", "-pkcs11", uri, "-cert", at("keys/bridge.cer"), "-pass-file", at("wrong.pin"), at("a.xml")); code != exitUsage || !strings.Contains(complaint, "does not take the PIN") {
		t.Errorf("wrong PIN: %d %s", code, complaint)
	}
	if code, _, complaint := runVerb(t, "cert", "-pass-file", at("keys/token.pin"), uri); code != exitUsage || !strings.Contains(complaint, "no certificate beside it") {
		t.Errorf("no certificate: %d %s", code, complaint)
	}

	check := func() (int, string) {
		code, out, errs := kopir(t, "check", "-config", at("kopir.yaml"))
		return code, out + errs
	}
	if code, out := check(); code != exitPassed {
		t.Fatalf("%d\n%s", code, out)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"key":         {"label: signing", "label: nobody", "key.pkcs11: token \"bridge\", key \"nobody\": there is no such private key"},
		"token":       {"token_label: bridge", "token_label: other", "key.pkcs11: token \"other\", key \"signing\": there is no such token"},
		"certificate": {"keys/bridge.cer", "trust/authority.pem", "key.pkcs11.certificate: token \"bridge\", key \"signing\": the private key does not belong to the certificate"},
		"PIN":         {"keys/token.pin", "wrong.pin", "key.pkcs11.pin_file: token \"bridge\", key \"signing\": the token does not take the PIN"},
	} {
		was, err := os.ReadFile(at("kopir.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		s.edit(c.old, c.new)
		if code, out := check(); code != exitFailed || !strings.Contains(out, c.want) || strings.Contains(out, "9876") {
			t.Errorf("%s: %d, no %q in\n%s", name, code, c.want, out)
		}
		s.write("kopir.yaml", was)
	}
}

// newTokenSite is a site whose bridge signs with a key on a token.
func newTokenSite(t *testing.T, h *sigtest.SoftHSM) (s *site, uri string) {
	t.Helper()
	s = newSite(t)
	c, err := s.authority.Issue(sigtest.Profile{Kind: sigtest.System, BIN: sigtest.BIN(1), CommonName: "BRIDGE"})
	if err == nil {
		err = h.Add("bridge", "1234")
	}
	if err == nil {
		err = h.Import("bridge", "1234", "signing", []byte{1}, c)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.write("keys/token.pin", []byte("1234\n"))
	s.write("keys/bridge.cer", c.DER)
	s.edit(exampleKey, "  pkcs11: {module: "+h.Module+", token_label: bridge, label: signing, pin_file: keys/token.pin, certificate: keys/bridge.cer}\n")
	return s, keystore.TokenScheme + "token=bridge;object=signing?module-path=" + h.Module
}
