package nuc_test

import (
	"strings"
	"testing"

	"kopir/signature/nuc"
)

func mustName(t testing.TB, text string) nuc.Name {
	t.Helper()
	n, err := nuc.ParseName(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return n
}

// TestNamesAsText: the spellings in which programs print one name.
func TestNamesAsText(t *testing.T) {
	want := mustName(t, `C=KZ,O=АО "ТЕСТ"\, филиал,CN=ҰКО 3.0 (RSA TEST),1.2.840.113549.1.9.1=a@b.kz`)
	for _, text := range []string{
		`C=KZ, O=АО "ТЕСТ"\, филиал, CN=ҰКО 3.0 (RSA TEST), E=a@b.kz`,
		`EMAILADDRESS=a@b.kz,CN=ҰКО 3.0 (RSA TEST),O=АО \"ТЕСТ\"\, филиал,C=KZ`,
		`emailAddress=a@b.kz; cn=ҰКО 3.0 (RSA TEST); o=АО \"ТЕСТ\"\2C филиал; c=KZ`,
		`CN = "ҰКО 3.0 (RSA TEST)" , O = "АО \"ТЕСТ\", филиал" , OID.2.5.4.6=KZ, E=a@b.kz`,
		`1.2.840.113549.1.9.1=#160661406227` + `2e`, // malformed on purpose, see below
		`2.5.4.3=ҰКО  3.0 (RSA  TEST),2.5.4.10=АО "тест"\, филиал,2.5.4.6=kz,1.2.840.113549.1.9.1=#1606614062` + `2e6b7a`,
		"CN=\\d2\\b0\\d0\\9a\\d0\\9e 3.0 (RSA TEST)+E=a@b.kz,O=АО \"ТЕСТ\"\\, филиал,C=KZ",
	} {
		n, err := nuc.ParseName(text)
		if strings.HasPrefix(text, "1.2.840") {
			if err == nil {
				t.Errorf("%s: a value cut off was read", text)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if !n.Equal(want) || !want.Equal(n) {
			t.Errorf("%s: read as %s", text, n)
		}
	}
	for _, other := range []string{
		`C=KZ,CN=ҰКО 3.0 (RSA TEST),E=a@b.kz`,
		`C=KZ,O=АО "ТЕСТ",CN=ҰКО 3.0 (RSA TEST),E=a@b.kz`,
		`C=KZ,O=АО "ТЕСТ"\, филиал,CN=ҰКО 3.0 (RSA TEST),E=a@b.kz,E=a@b.kz`,
		`C=KZ,OU=АО "ТЕСТ"\, филиал,CN=ҰКО 3.0 (RSA TEST),E=a@b.kz`,
	} {
		if mustName(t, other).Equal(want) {
			t.Errorf("%s was taken for %s", other, want)
		}
	}
}

func TestNamesThatAreNone(t *testing.T) {
	for _, text := range []string{
		`CN`, `=KZ`, `CN=a,`, `CN=a;;C=KZ`, `CN=a+`, `XX=a`, `CN="a`, `CN="a"b`, `CN=#zz`, `CN=#`, `CN=#0c05aa`, `CN=a\`, "CN=\xff", `CN=\ff`,
		strings.Repeat("CN=a,", 70) + "CN=a", strings.Repeat("x", 9000),
	} {
		if n, err := nuc.ParseName(text); err == nil {
			t.Errorf("%.40q was read as %s", text, n)
		}
	}
}

// TestRFC4514RoundTrip: what we write for X509IssuerName is read back as the
// same name, whatever the values hold.
func TestRFC4514RoundTrip(t *testing.T) {
	for _, value := range []string{"ТЕСТ", ` leading`, `trailing `, `#hash`, `a,b+c;d<e>f\g"h`, `=`, `a=b`, "", "ә\u00a0і"} {
		n := nuc.Name{{{Type: "2.5.4.6", Value: "KZ"}}, {{Type: "2.5.4.3", Value: value}, {Type: "2.5.4.4", Value: "ФАМИЛИЯ"}}, {{Type: "2.5.4.10", Value: "АО"}}}
		text := n.RFC4514()
		back, err := nuc.ParseName(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if !back.Equal(n) || len(back) != 3 || len(back[1]) != 2 || back[1][0].Value != value && back[1][1].Value != value {
			t.Errorf("%q became %q", text, back.RFC4514())
		}
		if !strings.HasPrefix(text, "O=АО,CN=") || !strings.HasSuffix(text, ",C=KZ") || !strings.Contains(text, "2.5.4.4=") {
			t.Errorf("%q is not as RFC 4514 writes it", text)
		}
	}
}
