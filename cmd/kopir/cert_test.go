package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kopir/signature/sigtest"
)

// certFiles writes a certificate, its key file, a key file with a foreign
// certificate, and a password file.
func certFiles(t *testing.T) (dir string, person *sigtest.Credential) {
	t.Helper()
	dir = t.TempDir()
	a, err := sigtest.NewAuthority("cert", sigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	issue := func(n int) *sigtest.Credential {
		c, err := a.Issue(sigtest.Profile{Kind: sigtest.Person, IIN: sigtest.IIN(n), Surname: "ТЕСТОВ", GivenName: "ТЕСТ", Patronymic: "ТЕСТОВИЧ"})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	person = issue(1)
	p12, err := person.PKCS12("secret")
	if err != nil {
		t.Fatal(err)
	}
	key, err := person.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"person.cer": person.DER, "person.p12": p12, "person.pem": person.PEM(), "chain.pem": a.ChainPEM(),
		"foreign.pem": append(issue(2).PEM(), key...), "pass": []byte("secret\n"), "wrong": []byte("secreT\n"), "junk": []byte("junk"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, person
}

func runVerb(t *testing.T, args ...string) (code int, out, complaint string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(context.Background(), args, stdio{in: strings.NewReader(""), out: &o, err: &e, env: func(string) string { return "" }})
	return code, o.String(), e.String()
}

func TestCert(t *testing.T) {
	dir, person := certFiles(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	type object struct {
		IIN        string
		Surname    string
		GivenName  string `json:"given_name"`
		Patronymic string
		Kind       string
		Usage      string
		Roles      []string
		Serial     string
		Key        *struct {
			Matches *bool `json:"matches_certificate"`
			Problem string
		}
	}
	for _, c := range []struct {
		name      string
		args      []string
		code      int
		objects   int
		matches   string // of the key: true, false, or empty where there is none
		complaint string
	}{
		{"DER", []string{at("person.cer")}, exitPassed, 1, "", ""},
		{"PEM", []string{at("person.pem")}, exitPassed, 1, "", ""},
		{"several", []string{at("person.pem"), at("chain.pem")}, exitPassed, 3, "", ""},
		{"key file", []string{"-pass-file", at("pass"), at("person.p12")}, exitPassed, 1, "true", ""},
		{"foreign certificate", []string{at("foreign.pem")}, exitFailed, 1, "false", ""},
		{"wrong password", []string{"-pass-file", at("wrong"), at("person.p12")}, exitUsage, 0, "", "password"},
		{"no certificate", []string{at("junk")}, exitUsage, 0, "", "junk"},
		{"no such file", []string{at("absent")}, exitUsage, 0, "", "absent"},
		{"one of two", []string{at("absent"), at("person.cer")}, exitUsage, 1, "", "absent"},
		{"no file", nil, exitUsage, 0, "", "name the files"},
		{"unknown flag", []string{"-nope"}, exitUsage, 0, "", "nope"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, complaint := runVerb(t, append([]string{"cert"}, c.args...)...)
			if code != c.code || !strings.Contains(complaint, c.complaint) || (complaint == "") != (c.complaint == "") {
				t.Fatalf("exit %d, %q", code, complaint)
			}
			if strings.Contains(complaint, "secre") {
				t.Fatalf("the complaint tells the password: %q", complaint)
			}
			var objects []object
			switch {
			case c.objects == 1:
				objects = make([]object, 1)
				if err := json.Unmarshal([]byte(out), &objects[0]); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			case c.objects > 1:
				if err := json.Unmarshal([]byte(out), &objects); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			case out != "":
				t.Fatalf("output %q", out)
			}
			if len(objects) != c.objects {
				t.Fatalf("%d objects", len(objects))
			}
			if c.objects == 0 {
				return
			}
			o := objects[0]
			if c.name != "foreign certificate" && (o.IIN != person.Profile.IIN || o.Serial != person.Serial().Text(16)) {
				t.Errorf("%+v", o)
			}
			if o.Surname != "ТЕСТОВ" || o.GivenName != "ТЕСТ" || o.Patronymic != "ТЕСТОВИЧ" || o.Kind != "individual" || o.Usage != "SIGN" || o.Roles == nil {
				t.Errorf("%+v", o)
			}
			switch {
			case c.matches == "" && o.Key != nil:
				t.Errorf("a key where there is none: %+v", o.Key)
			case c.matches == "":
			case o.Key == nil || o.Key.Matches == nil || *o.Key.Matches != (c.matches == "true") || (o.Key.Problem == "") != *o.Key.Matches:
				t.Errorf("key %+v", o.Key)
			}
		})
	}
}
