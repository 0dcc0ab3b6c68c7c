package nuc_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kopir/signature/der"
	"kopir/signature/nuc"
	"kopir/signature/sigtest"
	"kopir/signature/verdict"
)

func TestSubjectOfThePerson(t *testing.T) {
	h := newHierarchy(t)
	s := h.person.Subject
	want := nuc.Subject{IIN: "800101300126", CN: "ТЕСТОВ ТЕСТ", Surname: "ТЕСТОВ", GivenName: "ТЕСТ", Patronymic: "ТЕСТОВИЧ"}
	if s != want {
		t.Errorf("%+v", s)
	}
	if h.person.Kind() != nuc.Individual || h.person.Usage() != nuc.UsageSign || len(h.person.Roles()) != 0 {
		t.Errorf("%s %s %v", h.person.Kind(), h.person.Usage(), h.person.Roles())
	}
	if h.ca.Usage() != nuc.UsageOther || h.ca.Kind() != "" || h.ca.CheckUsage().Reason == "" {
		t.Errorf("authority: %s %s", h.ca.Usage(), h.ca.Kind())
	}
}

// TestSubjectsRead: one attribute list at a time, as a certificate may have it.
func TestSubjectsRead(t *testing.T) {
	for _, c := range []struct {
		name    string
		subject []pkix.AttributeTypeAndValue
		want    nuc.Subject
		refused bool
	}{
		{"legal entity", []pkix.AttributeTypeAndValue{
			attr(typeCN, "ИВАНОВА АННА МАРИЯ"), attr(typeSurname, "ИВАНОВА"), attr(typeSerial, "IIN800101300126"), attr(typeO, `АО "ТЕСТ", филиал`), attr(typeOU, "BIN000140000003"),
		}, nuc.Subject{IIN: "800101300126", BIN: "000140000003", CN: "ИВАНОВА АННА МАРИЯ", Surname: "ИВАНОВА", GivenName: "АННА МАРИЯ", Organization: `АО "ТЕСТ", филиал`}, false},
		{"BIN in serialNumber", []pkix.AttributeTypeAndValue{attr(typeCN, "Сервис"), attr(typeSerial, "BIN000140000003")}, nuc.Subject{BIN: "000140000003", CN: "Сервис"}, false},
		{"other units beside the BIN", []pkix.AttributeTypeAndValue{attr(typeCN, "А"), attr(typeOU, "Отдел"), attr(typeOU, "BIN000140000003")}, nuc.Subject{BIN: "000140000003", CN: "А"}, false},
		{"the same IIN twice", []pkix.AttributeTypeAndValue{attr(typeCN, "А"), attr(typeSerial, "IIN800101300126"), attr(typeSerial, "IIN800101300126")}, nuc.Subject{IIN: "800101300126", CN: "А"}, false},
		{"two IINs", []pkix.AttributeTypeAndValue{attr(typeCN, "А"), attr(typeSerial, "IIN800101300126"), attr(typeSerial, "IIN800101300137")}, nuc.Subject{}, true},
		{"two BINs", []pkix.AttributeTypeAndValue{attr(typeCN, "А"), attr(typeOU, "BIN000140000003"), attr(typeOU, "BIN000240000004")}, nuc.Subject{}, true},
		{"an IIN within a CN is none", []pkix.AttributeTypeAndValue{attr(typeCN, "SERIALNUMBER=IIN800101300126")}, nuc.Subject{CN: "SERIALNUMBER=IIN800101300126"}, false},
		{"eleven digits", []pkix.AttributeTypeAndValue{attr(typeCN, "А"), attr(typeSerial, "IIN80010130012")}, nuc.Subject{CN: "А"}, false},
		{"thirteen digits", []pkix.AttributeTypeAndValue{attr(typeCN, "А"), attr(typeSerial, "IIN8001013001260")}, nuc.Subject{CN: "А"}, false},
		{"small letters", []pkix.AttributeTypeAndValue{attr(typeCN, "А"), attr(typeSerial, "iin800101300126")}, nuc.Subject{CN: "А"}, false},
		{"digits of another script", []pkix.AttributeTypeAndValue{attr(typeCN, "А"), attr(typeSerial, "IIN80010130012٦")}, nuc.Subject{CN: "А"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := person()
			m.subject = c.subject
			got, err := nuc.ParseCertificate(makeDER(t, m))
			if c.refused {
				var fault *der.Error
				if !errors.As(err, &fault) || fault.Field != "subject" {
					t.Fatalf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Subject != c.want {
				t.Errorf("%+v", got.Subject)
			}
		})
	}
}

func TestUsageAndRoles(t *testing.T) {
	role := func(last ...int) asn1.ObjectIdentifier {
		return append(asn1.ObjectIdentifier{1, 2, 398, 3, 3, 4, 1}, last...)
	}
	const sign = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	mail, client := []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	for _, c := range []struct {
		name    string
		usage   x509.KeyUsage
		purpose []x509.ExtKeyUsage
		other   []asn1.ObjectIdentifier
		want    nuc.Usage
		kind    nuc.Kind
		roles   string
	}{
		{"signing", sign, mail, []asn1.ObjectIdentifier{role(1)}, nuc.UsageSign, nuc.Individual, ""},
		{"authentication", x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, client, []asn1.ObjectIdentifier{role(1)}, nuc.UsageAuth, nuc.Individual, ""},
		{"both, 2023", sign | x509.KeyUsageKeyAgreement, mail, []asn1.ObjectIdentifier{role(2), role(2, 1)}, nuc.UsageBoth, nuc.LegalEntity, "head"},
		{"both, 2022", sign | x509.KeyUsageKeyEncipherment, mail, []asn1.ObjectIdentifier{role(2), role(2, 5)}, nuc.UsageBoth, nuc.LegalEntity, "employee"},
		{"information system", sign | x509.KeyUsageKeyAgreement, nil, []asn1.ObjectIdentifier{role(2), role(2, 6, 3)}, nuc.UsageBoth, nuc.LegalEntity, "information_system"},
		{"key usage before purposes", x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, mail, nil, nuc.UsageAuth, nuc.Individual, ""},
		{"purposes where key usage is silent", 0, mail, nil, nuc.UsageSign, nuc.Individual, ""},
		{"digitalSignature alone, client", x509.KeyUsageDigitalSignature, client, nil, nuc.UsageAuth, nuc.Individual, ""},
		{"digitalSignature alone", x509.KeyUsageDigitalSignature, nil, nil, nuc.UsageOther, nuc.Individual, ""},
		{"responder", sign, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}, nil, nuc.UsageOther, nuc.Individual, "ocsp_responder"},
		{"time stamps", sign, []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}, nil, nuc.UsageOther, nuc.Individual, "time_stamping"},
		{"two roles", sign, mail, []asn1.ObjectIdentifier{role(2), role(2, 2), role(2, 3)}, nuc.UsageSign, nuc.LegalEntity, "signer financial_signer"},
		{"encipherment alone", x509.KeyUsageKeyEncipherment, nil, nil, nuc.UsageAuth, nuc.Individual, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := person()
			m.template.KeyUsage, m.template.ExtKeyUsage, m.template.UnknownExtKeyUsage = c.usage, c.purpose, c.other
			got := make509(t, m)
			if got.Usage() != c.want || got.Kind() != c.kind || strings.Join(got.Roles(), " ") != c.roles {
				t.Errorf("%s %s %q", got.Usage(), got.Kind(), got.Roles())
			}
			if ok := got.CheckUsage().Reason == ""; ok != (c.want == nuc.UsageSign || c.want == nuc.UsageBoth) {
				t.Errorf("%+v", got.CheckUsage())
			}
		})
	}
}

// TestFaultsSayWhere: cut, lengthened or bent, a certificate is refused with
// the place.
func TestFaultsSayWhere(t *testing.T) {
	raw := newHierarchy(t).person.Raw
	for n := range raw {
		var fault *der.Error
		if _, err := nuc.ParseCertificate(raw[:n]); !errors.As(err, &fault) || fault.Object != "certificate" {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	var fault *der.Error
	if _, err := nuc.ParseCertificate(append(bytes.Clone(raw), 0)); !errors.As(err, &fault) || fault.Offset != len(raw) {
		t.Errorf("a byte behind it: %v", err)
	}
	if _, err := nuc.ParseCertificate(make([]byte, nuc.MaxCertificate+1)); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("too long: %v", err)
	}
	m := person()
	same := pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 9}, Value: []byte{5, 0}}
	m.template.ExtraExtensions = []pkix.Extension{same}
	once := makeDER(t, m)
	// The other key usage gets the identifier of the first: the same extension twice.
	twice := bytes.Replace(once, []byte{0x06, 0x03, 0x55, 0x1d, 0x25}, []byte{0x06, 0x03, 0x55, 0x1d, 0x0f}, 1)
	if _, err := nuc.ParseCertificate(twice); !errors.As(err, &fault) || !strings.Contains(fault.Message, "twice") {
		t.Errorf("an extension twice: %v", err)
	}
}

func TestSignerJSON(t *testing.T) {
	out, err := json.Marshal(newHierarchy(t).person.Signer())
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(out, &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"iin", "bin", "cn", "surname", "given_name", "patronymic", "organization", "email", "serial", "issuer", "not_before", "not_after", "kind", "roles", "usage"} {
		if _, ok := fields[name]; !ok {
			t.Errorf("no %s in %s", name, out)
		}
	}
	if fields["issuer"] != "C=KZ, CN=ҰКО ТЕСТ (RSA)" || fields["not_before"] != "2026-01-01T00:00:00Z" {
		t.Errorf("%s", out)
	}
	if empty, err := json.Marshal(nuc.Signer{}); err != nil || !bytes.Contains(empty, []byte(`"roles":[]`)) {
		t.Errorf("%s %v", empty, err)
	}
}

func TestKnownCertificates(t *testing.T) {
	h := newHierarchy(t)
	trust := trustOf(t, h.root, h.ca)
	if _, err := trust.ByIssuerSerial(h.person.IssuerName.RFC4514(), h.person.Serial); !errors.Is(err, nuc.ErrUnknownCertificate) {
		t.Fatalf("%v", err)
	}
	trust.AddKnown(h.person)
	trust.AddKnown(h.person)
	for _, issuer := range []string{h.person.IssuerName.RFC4514(), h.person.IssuerName.String(), "CN=ҰКО ТЕСТ (RSA),C=KZ", "c=KZ; cn=ұко тест (RSA)"} {
		if c, err := trust.ByIssuerSerial(issuer, h.person.Serial); err != nil || c != h.person {
			t.Errorf("%s: %v", issuer, err)
		}
	}
	for issuer, serial := range map[string]*big.Int{
		"CN=ҰКО ТЕСТ (RSA)":        h.person.Serial,
		"CN=ҰКО ТЕСТ (RSA), C=KZ":  new(big.Int).Add(h.person.Serial, big.NewInt(5000)),
		"CN=ҰКО ТЕСТ (RSA), C=KZ ": new(big.Int).Neg(h.person.Serial),
	} {
		if _, err := trust.ByIssuerSerial(issuer, serial); !errors.Is(err, nuc.ErrUnknownCertificate) {
			t.Errorf("%s %s: %v", issuer, serial, err)
		}
	}
	thumb := h.person.Thumbprint()
	if c, err := trust.ByThumbprint(thumb[:]); err != nil || c != h.person {
		t.Errorf("thumbprint: %v", err)
	}
	if _, err := trust.ByThumbprint(thumb[:19]); !errors.Is(err, nuc.ErrUnknownCertificate) {
		t.Errorf("short thumbprint: %v", err)
	}
	if c, err := trust.ByKeyID(h.ca.SubjectKeyID); err != nil || c != h.ca {
		t.Errorf("key identifier: %v", err)
	}
	if _, err := trust.ByKeyID(nil); !errors.Is(err, nuc.ErrUnknownCertificate) {
		t.Errorf("no key identifier: %v", err)
	}
	// A second certificate of the same key: which is meant cannot be told.
	again := make509(t, made{template: authority(caUsage), subject: name("ҰКО ТЕСТ (RSA)"), key: testKeys()[1], issuer: h.root, issuerSigner: testKeys()[0]})
	trust.AddIntermediate(again)
	if _, err := trust.ByKeyID(h.ca.SubjectKeyID); !errors.Is(err, nuc.ErrAmbiguousCertificate) {
		t.Errorf("two of a key: %v", err)
	}
}

func TestLoadTrust(t *testing.T) {
	a, err := sigtest.NewAuthority("trust", sigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	root, both := write("root.cer", a.Root()), write("both.pem", append([]byte("a remark\n"), a.ChainPEM()...))
	write("README.txt", []byte("not a certificate"))
	write("key.pem", []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	for _, c := range []struct {
		paths              []string
		roots, authorities int
	}{
		{[]string{root}, 1, 0}, {[]string{both}, 1, 1}, {[]string{dir}, 1, 1}, {[]string{root, both, dir}, 1, 1},
	} {
		trust, err := nuc.LoadTrust(c.paths...)
		if err != nil || len(trust.Roots()) != c.roots || len(trust.Authorities()) != c.authorities {
			t.Errorf("%v: %d roots, %d authorities, %v", c.paths, len(trust.Roots()), len(trust.Authorities()), err)
		}
	}
	broken := write("broken.cer", a.Root()[:100])
	missing := filepath.Join(dir, "missing")
	if _, err := nuc.LoadTrust(broken, missing); err == nil || !strings.Contains(err.Error(), "broken.cer") || !strings.Contains(err.Error(), "missing") {
		t.Errorf("both faults at once: %v", err)
	}
	leafOnly := write("issuing.cer", a.Issuing())
	if _, err := nuc.LoadTrust(leafOnly); err == nil || !strings.Contains(err.Error(), "root") {
		t.Errorf("no root: %v", err)
	}
}

func FuzzCertificate(f *testing.F) {
	raw, err := os.ReadFile("testdata/person.cer")
	if err != nil {
		f.Fatal(err)
	}
	ca, err := os.ReadFile("testdata/issuing.cer")
	if err != nil {
		f.Fatal(err)
	}
	issuer, err := nuc.ParseCertificate(ca)
	if err != nil {
		f.Fatal(err)
	}
	person, err := nuc.ParseCertificate(raw)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(ca)
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := nuc.ParseCertificate(in)
		if err != nil {
			var fault *der.Error
			if !errors.As(err, &fault) {
				t.Fatalf("an error without a place: %T %v", err, err)
			}
			return
		}
		if len(c.Subject.IIN) != 0 && len(c.Subject.IIN) != 12 {
			t.Fatalf("IIN %q", c.Subject.IIN)
		}
		c.Signer()
		if back, err := nuc.ParseName(c.IssuerName.RFC4514()); err != nil || !back.Equal(c.IssuerName) {
			t.Fatalf("%q is not read back: %v", c.IssuerName.RFC4514(), err)
		}
		if issuer.CheckSigned("fuzz", "it", c.Algorithm, c.RawTBS, c.SignatureValue).Outcome == verdict.Passed && !bytes.Equal(c.RawTBS, person.RawTBS) {
			t.Fatalf("a changed certificate verifies: %x", in)
		}
	})
}

// What is no certificate at all is told so in words, not in octets.
func TestParsePEMOrDEROfSomethingElse(t *testing.T) {
	for _, data := range []string{"", "hello", "\x00\x01", "<a/>"} {
		if c, err := nuc.ParsePEMOrDER([]byte(data)); err == nil || c != nil || strings.Contains(err.Error(), "offset") {
			t.Errorf("%q: %v, %v", data, c, err)
		}
	}
}
