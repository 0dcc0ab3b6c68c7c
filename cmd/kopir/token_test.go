package main

import (
	"path/filepath"
	"strings"
	"testing"
)

const exampleKey = "  p12: keys/bridge.p12\n  password_file: keys/bridge.password\n"

// What can be said of a token's key without the token.
func TestCheckToken(t *testing.T) {
	for name, c := range map[string]struct{ table, want string }{
		"beside a file": {exampleKey + "  pkcs11: {module: /m.so, token_label: t, label: k, pin_file: keys/bridge.password}\n", "key.pkcs11: stands beside p12; name one key"},
		"no token":      {"  pkcs11: {module: /m.so, label: k, pin_file: keys/bridge.password}\n", "key.pkcs11: name the token either by its label or by its slot"},
		"bad slot":      {"  pkcs11: {module: /m.so, slot: x, label: k, pin_file: keys/bridge.password}\n", `key.pkcs11: "x" is not the number of a slot`},
		"bad id":        {"  pkcs11: {module: /m.so, slot: 1, id: xyz, pin_file: keys/bridge.password}\n", `key.pkcs11: "xyz" is not an id in hex digits`},
		"no PIN":        {"  pkcs11: {module: /m.so, slot: 1, id: 0A}\n", "key.pkcs11.pin_file: is missing"},
		"no PIN file":   {"  pkcs11: {module: /m.so, slot: 1, id: 0A, pin_file: keys/none}\n", "key.pkcs11.pin_file: keys/none: no such file"},
		"no cert file":  {"  pkcs11: {module: /m.so, slot: 1, id: 0A, pin_file: keys/bridge.password, certificate: none.cer}\n", "key.pkcs11.certificate: "},
		"no module":     {"  pkcs11: {module: /nowhere/m.so, slot: 1, id: 0A, pin_file: keys/bridge.password}\n", "key.pkcs11"},
		"in next":       {exampleKey + "  next: {pkcs11: {module: /m.so, slot: 1, id: 0A}}\n", "key.next.pkcs11.pin_file: is missing"},
	} {
		s := newSite(t)
		s.edit(exampleKey, c.table)
		code, _, errs := kopir(t, "check", "-config", filepath.Join(s.dir, "kopir.yaml"))
		if code != exitFailed || !strings.Contains(errs, c.want) || strings.Contains(errs, "Qwerty12") {
			t.Errorf("%s: %d, no %q in:\n%s", name, code, c.want, errs)
		}
	}
}

func TestSignTokenWrongUse(t *testing.T) {
	dir, _ := certFiles(t)
	const uri = "pkcs11:token=t;object=k?module-path=/nowhere/m.so"
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no key":        {nil, "name the key"},
		"two keys":      {[]string{"-p12", filepath.Join(dir, "person.p12"), "-pkcs11", uri}, "name the key"},
		"cert of a p12": {[]string{"-p12", filepath.Join(dir, "person.p12"), "-cert", filepath.Join(dir, "person.cer")}, "-cert belongs to -pkcs11"},
		"not a URI":     {[]string{"-pkcs11", "token"}, "PKCS#11 URI"},
		"PIN in it":     {[]string{"-pkcs11", uri + "&pin-value=1"}, "the PIN does not belong here"},
		"no library":    {[]string{"-pkcs11", uri}, `token "t", key "k": `},
	} {
		if code, _, complaint := runVerb(t, append(append([]string{"sign", "-format", "cms"}, c.args...), filepath.Join(dir, "junk"))...); code != exitUsage || !strings.Contains(complaint, c.want) {
			t.Errorf("%s: %d %s", name, code, complaint)
		}
	}
	if code, _, complaint := runVerb(t, "cert", uri); code != exitUsage || !strings.Contains(complaint, `token "t", key "k": `) {
		t.Errorf("cert: %d %s", code, complaint)
	}
}
