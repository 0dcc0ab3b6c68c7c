package signer

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"kopir/signature/sigtest"
)

// TestCertificate: every member of the answer, by name and form.
func TestCertificate(t *testing.T) {
	each(t, options{}, func(tn *town) {
		c := tn.issue(sigtest.Profile{Kind: sigtest.Head, BIN: sigtest.BIN(1), Organization: `ТОО "РОГА, КОПЫТА"`, Email: "test@example.com"})
		from509 := tn.do("/x509/info", object{"certs": []string{b64(c.DER)}, "revocationCheck": []string{}})
		fromP12 := tn.do("/pkcs12/info", object{"keys": []object{tn.signer(c)}})
		for _, r := range []reply{from509, fromP12} {
			tn.verdictIs(r, true, "TOTAL_PASSED")
			one := r.signers(t)[0]
			names := []string{}
			for name := range one {
				names = append(names, name)
			}
			slices.Sort(names)
			if got := strings.Join(names, " "); got != "issuer keyUsage keyUser notAfter notBefore publicKey revocations serialNumber signAlg signature subject valid" {
				tn.Errorf("members: %s", got)
			}
			alg := map[sigtest.Algorithm]string{sigtest.RSA: "SHA256WithRSAEncryption", sigtest.GOST2004: "ECGOST34310", sigtest.GOST2015: "ECGOST3410-2015-512"}[tn.authority.Algorithm()]
			for name, want := range map[string]any{
				"valid": true, "keyUsage": "SIGN", "signAlg": alg, "serialNumber": c.Serial().Text(16),
				"notBefore": c.Certificate.NotBefore.UTC().Format("2006-01-02T15:04:05.000+00:00"),
				"notAfter":  c.Certificate.NotAfter.UTC().Format("2006-01-02T15:04:05.000+00:00"),
				"publicKey": b64(tn.certificate(c.DER).RawSPKI), "signature": b64(tn.certificate(c.DER).SignatureValue),
			} {
				if one[name] != want {
					tn.Errorf("%s: %v, due %v", name, one[name], want)
				}
			}
			users, _ := json.Marshal(one["keyUser"])
			if !strings.Contains(string(users), `"ORGANIZATION"`) || !strings.Contains(string(users), `"CEO"`) {
				tn.Errorf("keyUser: %s", users)
			}
			subject := one["subject"].(object)
			for name, want := range map[string]string{
				"commonName": "ТЕСТОВ ТЕСТ", "surName": "ТЕСТОВ", "lastName": "ТЕСТОВИЧ", "iin": sigtest.IIN(7), "bin": sigtest.BIN(1),
				"country": "KZ", "organization": `ТОО "РОГА, КОПЫТА"`, "email": "test@example.com", "gender": genderOf(sigtest.IIN(7)),
				"dn": `EMAILADDRESS=test@example.com, GIVENNAME=ТЕСТОВИЧ, OU=BIN` + sigtest.BIN(1) + `, O="ТОО \"РОГА, КОПЫТА\"", C=KZ, SERIALNUMBER=IIN` + sigtest.IIN(7) + `, SURNAME=ТЕСТОВ, CN=ТЕСТОВ ТЕСТ`,
			} {
				if subject[name] != want {
					tn.Errorf("subject.%s: %v, due %s", name, subject[name], want)
				}
			}
			if issuer := one["issuer"].(object); issuer["commonName"] == nil || issuer["country"] != "KZ" || issuer["iin"] != nil {
				tn.Errorf("issuer: %v", issuer)
			}
		}
	})
}

func TestAliases(t *testing.T) {
	each(t, options{}, func(tn *town) {
		c := tn.issue(sigtest.Profile{})
		alias := hex.EncodeToString(c.Certificate.SubjectKeyId)
		r := tn.do("/pkcs12/aliases", object{"keys": []object{tn.signer(c), tn.signer(c)}})
		got, _ := json.Marshal(r.body["aliases"])
		if want := `[["` + alias + `"],["` + alias + `"]]`; string(got) != want {
			tn.Errorf("aliases: %s, due %s", got, want)
		}
		key := tn.signer(c)
		key["keyAlias"] = alias
		tn.do("/xml/sign", object{"xml": document, "signers": []object{key}})
		key["keyAlias"] = "other"
		if r := tn.post("/xml/sign", object{"xml": document, "signers": []object{key}}); r.code != http.StatusBadRequest || !strings.Contains(r.message(), "keyAlias") {
			tn.Errorf("a key under another alias: %v", r.body)
		}
	})
}

func TestGender(t *testing.T) {
	for iin, want := range map[string]string{
		"900101300120": "MALE", "900101400120": "FEMALE", "010101500120": "MALE", "010101600120": "FEMALE",
		"900101000120": "NONE", "900101700120": "NONE", "": "NONE",
	} {
		if got := genderOf(iin); got != want {
			t.Errorf("%s: %s", iin, got)
		}
	}
}

func TestHealth(t *testing.T) {
	tn := newTown(t, options{})
	get := func(h http.Handler) (int, string) {
		res, err := http.Get(tn.url + "/actuator/health")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return res.StatusCode, strings.TrimSpace(string(b))
	}
	if code, body := get(nil); code != http.StatusOK || body != `{"status":"UP"}` {
		t.Errorf("%d %s", code, body)
	}
}

// TestPartialNames: a system has no person's fields, and they are left out.
func TestPartialNames(t *testing.T) {
	tn := newTown(t, options{})
	c, err := tn.authority.Issue(sigtest.Profile{Kind: sigtest.System, BIN: sigtest.BIN(2), CommonName: `ИС "ТЕСТ"`})
	if err != nil {
		t.Fatal(err)
	}
	subject := tn.do("/x509/info", object{"certs": []string{b64(c.DER)}}).signers(t)[0]["subject"].(object)
	for _, name := range []string{"iin", "gender", "surName", "lastName", "email", "locality", "state"} {
		if v, there := subject[name]; there {
			t.Errorf("%s: %v", name, v)
		}
	}
	if subject["bin"] != sigtest.BIN(2) {
		t.Errorf("%v", subject)
	}
}

// TestNotValid: certificates are judged by chain and dates, and the list by
// the worst of it.
func TestNotValid(t *testing.T) {
	each(t, options{}, func(tn *town) {
		good := tn.issue(sigtest.Profile{})
		expired := tn.issue(sigtest.Profile{NotBefore: sigtest.Noon().AddDate(-1, 0, 0), NotAfter: sigtest.Noon().AddDate(0, 0, -1)})
		stranger, err := sigtest.NewAuthority("stranger", sigtest.Options{Algorithm: tn.authority.Algorithm()})
		if err != nil {
			tn.Fatal(err)
		}
		foreign, err := stranger.Issue(sigtest.Profile{Kind: sigtest.Person, IIN: sigtest.IIN(9)})
		if err != nil {
			tn.Fatal(err)
		}
		r := tn.do("/x509/info", object{"certs": []string{b64(good.DER), b64(expired.DER), b64(foreign.DER)}})
		tn.verdictIs(r, false, "TOTAL_FAILED EXPIRED")
		for i, want := range []bool{true, false, false} {
			if r.signers(t)[i]["valid"] != want {
				tn.Errorf("certificate %d: %v", i, r.signers(t)[i]["valid"])
			}
		}
		// An authentication certificate is valid as such, and says what it is.
		auth := tn.issue(sigtest.Profile{Usage: sigtest.Auth})
		r = tn.do("/x509/info", object{"certs": []string{b64(auth.DER)}})
		if tn.verdictIs(r, true, "TOTAL_PASSED"); r.signers(t)[0]["keyUsage"] != "AUTH" {
			tn.Errorf("keyUsage: %v", r.signers(t)[0]["keyUsage"])
		}
	})
}
