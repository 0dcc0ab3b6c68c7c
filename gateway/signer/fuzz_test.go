package signer

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"

	"kopir/signature/nuc"
	"kopir/signature/sigtest"
)

// FuzzDoor: whatever is sent, the answer is JSON with its own status, nothing
// is valid to a door that trusts nobody, and nothing is a defect of ours.
func FuzzDoor(f *testing.F) {
	paths := []string{"/xml/sign", "/xml/verify", "/wsse/sign", "/wsse/verify", "/cms/sign", "/cms/sign/add", "/cms/verify", "/cms/extract", "/x509/info", "/pkcs12/info", "/pkcs12/aliases"}
	for i, body := range []string{
		`{"xml":"<a/>","signers":[{"key":"MIIB","password":"","keyAlias":null,"referenceUri":"#a"}],"clearSignatures":true,"trimXml":true}`,
		`{"xml":"<a><ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"/></a>","revocationCheck":["OCSP","CRL"]}`,
		`{"xml":"<a/>","key":"MIIB","password":"x"}`,
		`{"xml":"` + strings.ReplaceAll(envelope, `"`, `\"`) + `"}`,
		`{"data":"dGVzdA==","signers":[{}],"withTsp":true,"tsaPolicy":"TSA_GOST_POLICY","detached":true}`,
		`{"cms":"MIIB","data":"","signers":null}`, `{"cms":"MIAGCSqGSIb3DQEHAqCAMIA="}`, `{"cms":""}`,
		`{"certs":["MIIB"]}`, `{"keys":[{"key":"MIIB","password":"x"}]}`, `{"keys":[[]]}`,
	} {
		f.Add(uint8(i), body)
	}
	s, err := New(Options{Trust: nuc.NewTrust(), Clock: sigtest.Noon, Log: zap.NewNop()})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path uint8, body string) {
		r := httptest.NewRequest(http.MethodPost, paths[int(path)%len(paths)], strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		var out struct {
			Status  int    `json:"status"`
			Message string `json:"message"`
			Valid   bool   `json:"valid"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		noAuthority := strings.Contains(out.Message, "no time stamp authority")
		if out.Status != w.Code || out.Message == "" || out.Valid || w.Code >= 500 && !noAuthority {
			t.Fatalf("HTTP %d: %s", w.Code, w.Body)
		}
	})
}
