package httpsig

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// The keys, messages and signatures of RFC 9421, appendix B.
const (
	pssKey = `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2
+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+
oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq
gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W
Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4
aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI
2wIDAQAB
-----END PUBLIC KEY-----`
	ecKey = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf
w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==
-----END PUBLIC KEY-----`
	edKey = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----`
	edPrivate = `MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF`
	shared    = `uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==`

	testDigest = `sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:`
	clientCert = `:MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:`
)

func message(t *testing.T, method, address string, fields ...string) Message {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	m := Message{Method: method, URL: u, Header: http.Header{}}
	for i := 0; i < len(fields); i += 2 {
		m.Header.Add(fields[i], fields[i+1])
	}
	return m
}

// request is B.2's test-request.
func request(t *testing.T) Message {
	return message(t, "POST", "https://example.com/foo?param=Value&Pet=dog", "Host", "example.com", "Date", "Tue, 20 Apr 2021 02:07:55 GMT",
		"Content-Type", "application/json", "Content-Digest", testDigest, "Content-Length", "18")
}

// answerDigest is of {"message": "good dog"} and a line end.
const answerDigest = `sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:`

// response is B.2's test-response.
func response(t *testing.T) Message {
	m := message(t, "", "", "Date", "Tue, 20 Apr 2021 02:07:56 GMT", "Content-Type", "application/json", "Content-Digest", answerDigest, "Content-Length", "23")
	m.Status, m.URL = 200, nil
	return m
}

func proxied(t *testing.T) Message { // B.3
	return message(t, "POST", "https://service.internal.example/foo?param=Value&Pet=dog", "Date", "Tue, 20 Apr 2021 02:07:55 GMT",
		"Content-Type", "application/json", "Content-Length", "18", "Client-Cert", clientCert)
}

func transformed(t *testing.T) Message { // B.4
	return message(t, "GET", "https://example.org/demo?name1=Value1&Name2=value2", "Date", "Fri, 15 Jul 2022 14:24:55 GMT", "Accept", "application/json", "Accept", "*/*")
}

func parsed(t *testing.T, text, alg string) Key {
	t.Helper()
	k, err := ParseKey([]byte(text), alg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// sharedSecret is an algorithm that the bridge does not use.
func sharedSecret(t *testing.T) Key {
	t.Helper()
	secret, err := base64.StdEncoding.DecodeString(shared)
	if err != nil {
		t.Fatal(err)
	}
	return Key{Algorithm: "hmac-sha256", Verify: func(base, value []byte) error {
		h := hmac.New(sha256.New, secret)
		h.Write(base)
		return truth(hmac.Equal(h.Sum(nil), value))
	}}
}

func TestVectors(t *testing.T) {
	for _, v := range []struct {
		name         string
		message      Message
		key          Key
		input, value string
		base         []string // the lines but the last
	}{
		{"B.2.1", request(t), parsed(t, pssKey, "rsa-pss-sha512"), `();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"`,
			`d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==`, nil},
		{"B.2.2", request(t), parsed(t, pssKey, "rsa-pss-sha512"), `("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example"`,
			`LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==`,
			[]string{`"@authority": example.com`, `"content-digest": ` + testDigest, `"@query-param";name="Pet": dog`}},
		{"B.2.3", request(t), parsed(t, pssKey, "rsa-pss-sha512"), `("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss"`,
			`bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==`,
			[]string{`"date": Tue, 20 Apr 2021 02:07:55 GMT`, `"@method": POST`, `"@path": /foo`, `"@query": ?param=Value&Pet=dog`, `"@authority": example.com`,
				`"content-type": application/json`, `"content-digest": ` + testDigest, `"content-length": 18`}},
		{"B.2.4", response(t), parsed(t, ecKey, ""), `("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256"`,
			`wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==`,
			[]string{`"@status": 200`, `"content-type": application/json`, `"content-digest": ` + answerDigest, `"content-length": 23`}},
		{"B.2.5", request(t), sharedSecret(t), `("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"`,
			`pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=`,
			[]string{`"date": Tue, 20 Apr 2021 02:07:55 GMT`, `"@authority": example.com`, `"content-type": application/json`}},
		{"B.2.6", request(t), parsed(t, edKey, ""), `("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"`,
			`wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==`,
			[]string{`"date": Tue, 20 Apr 2021 02:07:55 GMT`, `"@method": POST`, `"@path": /foo`, `"@authority": example.com`, `"content-type": application/json`, `"content-length": 18`}},
		{"B.3", proxied(t), parsed(t, ecKey, ""), `("@path" "@query" "@method" "@authority" "client-cert");created=1618884473;keyid="test-key-ecc-p256"`,
			`xVMHVpawaAC/0SbHrKRs9i8I3eOs5RtTMGCWXm/9nvZzoHsIg6Mce9315T6xoklyy0yzhD9ah4JHRwMLOgmizw==`,
			[]string{`"@path": /foo`, `"@query": ?param=Value&Pet=dog`, `"@method": POST`, `"@authority": service.internal.example`, `"client-cert": ` + clientCert}},
		{"B.4", transformed(t), parsed(t, edKey, ""), `("@method" "@path" "@authority" "accept");created=1618884473;keyid="test-key-ed25519"`,
			`ZT1kooQsEHpZ0I1IjCqtQppOmIqlJPeo7DHR3SoMn0s5JZ1eRGS0A+vyYP9t/LXlh5QMFFQ6cpLt2m0pmj3NDA==`,
			[]string{`"@method": GET`, `"@path": /demo`, `"@authority": example.org`, `"accept": application/json, */*`}},
	} {
		t.Run(v.name, func(t *testing.T) {
			v.message.Header.Set("Signature-Input", "sig="+v.input)
			v.message.Header.Set("Signature", "sig=:"+v.value+":")
			s, err := Read(v.message)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Join(append(v.base, `"@signature-params": `+v.input), "\n")
			if string(s.Base) != want {
				t.Errorf("base:\n%s\nwant:\n%s", s.Base, want)
			}
			if err := s.Verify(v.key); err != nil {
				t.Error(err)
			}
			s.Base[0] ^= 1
			if s.Verify(v.key) == nil {
				t.Error("a changed base passes")
			}
		})
	}
	if err := CheckDigest(request(t).Header, []byte(`{"hello": "world"}`)); err != nil {
		t.Error(err)
	}
}

// Ed25519 gives one value only, so the vector must come out byte for byte.
func TestSignedLikeTheVector(t *testing.T) {
	der, err := base64.StdEncoding.DecodeString(edPrivate)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	m := request(t)
	m.Header.Set("Signature-Input", `a=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"`)
	m.Header.Set("Signature", "a=:AA==:")
	s, err := Read(m)
	if err != nil {
		t.Fatal(err)
	}
	got := base64.StdEncoding.EncodeToString(ed25519.Sign(private.(ed25519.PrivateKey), s.Base))
	if want := "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
