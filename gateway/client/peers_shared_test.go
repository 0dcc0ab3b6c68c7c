//go:build shared

package client

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"kopir/gateway/soap"
	"kopir/signature"
	"kopir/signature/keystore"
	"kopir/signature/nuc"
)

// peer finds a program of the peers, by PATH or in KOPIR_PEERS.
func peer(t *testing.T, name string) string {
	t.Helper()
	if dir := os.Getenv("KOPIR_PEERS"); dir != "" {
		return filepath.Join(dir, "bin", name)
	}
	at, err := exec.LookPath(name)
	if err != nil {
		t.Skip("no", name, "here")
	}
	return at
}

// serve starts a peer that listens on a port, and gives its address.
func serve(t *testing.T, name string, args ...string) string {
	t.Helper()
	program := peer(t, name)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address, port := l.Addr().String(), l.Addr().(*net.TCPAddr).Port
	l.Close()
	cmd := exec.Command(program, append(args, "--port", strconv.Itoa(port))...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for range 100 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return "http://" + address + "/"
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal(name, "does not listen")
	return ""
}

// TestMockGateway meets a gateway that somebody else wrote, with its faults
// and oddities.
func TestMockGateway(t *testing.T) {
	p := unsigned(serve(t, "mock-shep", "--wsdl", filepath.Join("..", "..", "wsdl", "SyncChannel.wsdl")))
	p.Timeout = 2 * time.Second
	s := newSync(t, p)
	for service, c := range map[string]struct {
		outcome Outcome // empty: answered
		form    soap.Form
		holds   string
	}{
		"ANY":            {"", soap.Untyped, "echo:"},
		"XSISTRING":      {"", soap.Escaped, "строка"},
		"ESCAPED":        {"", soap.Untyped, "<n>Тест &amp; ко</n>"},
		"CDATA":          {"", soap.Untyped, "<n>Тест &amp; ко</n>"},
		"NESTED":         {"", soap.Nested, ""},
		"FAULT":          {Refused, "", "fault"},
		"FAULT200":       {Refused, "", "fault"},
		"FAULTPLAIN":     {Refused, "", "fault"},
		"HTML502":        {Unknown, "", "502"},
		"GARBAGE":        {Unknown, "", "XML"},
		"EMPTY":          {Unknown, "", ""},
		"MUSTUNDERSTAND": {Unknown, "", "must_understand"},
		"SLOW":           {Unknown, "", "deadline"},
	} {
		t.Run(service, func(t *testing.T) {
			info := syncInfo
			info.ServiceID = service
			r, _, err := s.SendMessage(context.Background(), info, document)
			if c.outcome != "" {
				wantFailure(t, err, c.outcome, err.(*Error).Temporary)
				if !strings.Contains(err.Error(), c.holds) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := r.ResponseData.Data; d.Form != c.form || !strings.Contains(string(d.Document()), c.holds) || r.ResponseInfo.Status.Code != "SCSS001" {
				t.Errorf("%+v, data %q %s", r.ResponseInfo, d.Form, d.Document())
			}
		})
	}
}

// TestWSS4J lets WSS4J judge what we send and sign what it answers, in three
// forms of naming its certificate.
func TestWSS4J(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command(peer(t, "pki"), "init", dir, "rsa").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	dir = filepath.Join(dir, "rsa")
	open := func(name string) *keystore.Key {
		src, err := os.ReadFile(filepath.Join(dir, "p12", name+".p12"))
		if err != nil {
			t.Fatal(err)
		}
		key, err := keystore.OpenPKCS12(src, "Qwerty12")
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	trust, err := nuc.LoadTrust(filepath.Join(dir, "ca-bundle.pem"))
	if err != nil {
		t.Fatal(err)
	}
	its := open("gateway")
	trust.AddKnown(its.Certificate)
	judge := &signature.Verifier{Trust: trust, Revocation: nothingRevoked{}}

	for _, keyID := range []string{"X509KeyIdentifier", "BST", "IssuerSerial"} {
		t.Run(keyID, func(t *testing.T) {
			p := unsigned(serve(t, "wss4j", "serve", "--ca", filepath.Join(dir, "ca-bundle.pem"), "--p12", filepath.Join(dir, "p12", "gateway.p12"), "--pass", "Qwerty12", "--keyid", keyID))
			p.Now = time.Now
			p.Answers, p.Judge, p.BINs = Always, judge, []string{its.Certificate.Subject.BIN}
			p.Sign = sign(open("org"))
			r, a, err := newSync(t, p).SendMessage(context.Background(), syncInfo, document)
			if err != nil {
				t.Fatalf("%v\n%s", err, a.Raw)
			}
			if r.ResponseInfo.Status.Code != "SCSS001" || r.ResponseInfo.CorrelationID != "m-1" || a.Verdict == nil {
				t.Errorf("answered %+v", r.ResponseInfo)
			}
			if keyID != "X509KeyIdentifier" {
				return
			}
			// What is changed on its way is refused, and so is its answer to
			// a peer that is told to be another organisation.
			p.Sign = func(envelope []byte) ([]byte, error) {
				signed, err := sign(open("org"))(envelope)
				return []byte(strings.Replace(string(signed), ">m-1<", ">m-2<", 1)), err
			}
			if _, _, err := newSync(t, p).SendMessage(context.Background(), syncInfo, document); err == nil {
				t.Error("a changed message was taken")
			}
			p.Sign, p.BINs = sign(open("org")), []string{akimatBIN}
			if _, _, err := newSync(t, p).SendMessage(context.Background(), syncInfo, document); err == nil || !strings.Contains(err.Error(), "not the peer's") {
				t.Errorf("%v", err)
			}
		})
	}
}
