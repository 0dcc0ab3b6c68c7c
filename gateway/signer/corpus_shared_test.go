//go:build shared

package signer

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"kopir/signature/nuc"
	"kopir/signature/revocation"
)

// realItem is what the list of real objects says of one.
type realItem struct {
	File      string `json:"file"`
	Kind      string `json:"kind"`
	Password  string `json:"password"`
	Alias     string `json:"alias"`
	Serial    string `json:"serial"`
	KeyUsage  string `json:"key_usage"`
	Signature string `json:"expected_signature"`
	Chain     string `json:"expected_chain"`
	Content   string `json:"content_file"`
	Verdicts  []struct {
		At     time.Time `json:"at"`
		Status string    `json:"status"`
	} `json:"verdicts"`
	Details struct {
		Detached bool `json:"detached"`
	} `json:"details"`
}

func corpus(t *testing.T, parts ...string) string {
	t.Helper()
	dir := os.Getenv("KOPIR_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	return filepath.Join(append([]string{dir, "nuc", "corpus"}, parts...)...)
}

func corpusFile(t *testing.T, parts ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(corpus(t, parts...))
	if err != nil {
		t.Fatalf("the shared material is needed for the tag `shared`: %v", err)
	}
	return b
}

// realDoor is a door that trusts the real test authorities, with a clock to set.
func realDoor(t *testing.T) (tn *town, clock *time.Time, items []realItem) {
	t.Helper()
	trust, err := nuc.LoadTrust(corpus(t, "visible", "ca"))
	if err != nil {
		t.Fatal(err)
	}
	clock = new(time.Time)
	checker := revocation.NewChecker(revocation.Options{})
	for _, pattern := range []string{"crl", "ocsp"} {
		files, err := filepath.Glob(corpus(t, "visible", pattern, "*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s: %v", pattern, err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			// The damaged ones among them do not read; that is tried elsewhere.
			if l, err := revocation.ParseCRL(raw); err == nil {
				checker.AddCRL(l)
			} else if r, err := revocation.ParseOCSP(raw); err == nil {
				checker.AddOCSP(r)
			}
		}
	}
	s, err := New(Options{Trust: trust, Revocation: checker, Clock: func() time.Time { return *clock }, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	door := httptest.NewServer(s.Handler())
	t.Cleanup(door.Close)
	var list struct{ Items []realItem }
	if err := json.Unmarshal(corpusFile(t, "MANIFEST.json"), &list); err != nil {
		t.Fatal(err)
	}
	return &town{T: t, url: door.URL}, clock, list.Items
}

// TestRealKeys: each real key file opens, is what the list says, and signs in
// every form; what it signed is judged by the certificate's dates and use.
func TestRealKeys(t *testing.T) {
	tn, clock, items := realDoor(t)
	seen := 0
	for _, item := range items {
		if item.Kind != "p12" {
			continue
		}
		seen++
		t.Run(filepath.Base(item.File), func(t *testing.T) {
			tn.T = t
			key := object{"key": b64(corpusFile(t, filepath.FromSlash(item.File))), "password": item.Password, "keyAlias": item.Alias}
			if got, _ := json.Marshal(tn.do("/pkcs12/aliases", object{"keys": []object{key}}).body["aliases"]); string(got) != `[["`+item.Alias+`"]]` {
				t.Errorf("aliases: %s", got)
			}
			if r := tn.post("/pkcs12/info", object{"keys": []object{{"key": key["key"], "password": item.Password + "x"}}}); r.code != 400 || !strings.Contains(r.message(), "password") {
				t.Errorf("a wrong password: %v", r.body)
			}
			signs := strings.Contains(item.KeyUsage, "nonRepudiation")
			for _, v := range item.Verdicts {
				*clock = v.At
				info := tn.do("/pkcs12/info", object{"keys": []object{key}})
				if one := info.signers(t)[0]; info.valid() != (v.Status == "valid") || one["serialNumber"] != item.Serial {
					t.Errorf("at %s: valid %v, due %s; %v", v.At, info.valid(), v.Status, info.verdict)
				}
				wsse := object{"xml": envelope, "key": key["key"], "password": item.Password}
				for name, judged := range map[string]reply{
					"xml":  tn.do("/xml/verify", object{"xml": tn.do("/xml/sign", object{"xml": document, "signers": []object{key}}).text("xml")}),
					"wsse": tn.do("/wsse/verify", object{"xml": tn.do("/wsse/sign", wsse).text("xml")}),
					"cms":  tn.do("/cms/verify", object{"cms": tn.do("/cms/sign", object{"data": "dGVzdA==", "signers": []object{key}}).text("cms")}),
				} {
					if want := v.Status == "valid" && signs; judged.valid() != want {
						t.Errorf("%s at %s: valid %v, due %v: %s", name, v.At, judged.valid(), want, judged.verdict)
					}
				}
			}
		})
	}
	if seen == 0 {
		t.Fatal("no key file")
	}
}

// asidesOf: the list speaks of the value and of one signer's dates. It does not
// ask whether the key was for signing, nor about the others' dates.
func asidesOf(verdict string) bool {
	return slices.Contains([]string{"TOTAL_FAILED KEY_USAGE", "TOTAL_FAILED EXPIRED", "TOTAL_FAILED NOT_YET_VALID"}, verdict)
}

// TestRealSignatures: real and damaged documents and messages, each at each of
// its times.
func TestRealSignatures(t *testing.T) {
	tn, clock, items := realDoor(t)
	seen := map[string]int{}
	for _, item := range items {
		path, member := "/"+item.Kind+"/verify", item.Kind
		switch {
		case !slices.Contains([]string{"xml", "wsse", "cms"}, item.Kind), item.Details.Detached && item.Content == "":
			continue
		case item.Kind == "wsse":
			member = "xml"
		}
		t.Run(filepath.Base(item.File), func(t *testing.T) {
			tn.T = t
			raw := corpusFile(t, filepath.FromSlash(item.File))
			request := object{member: string(raw)}
			if item.Kind == "cms" {
				request["cms"] = b64(raw)
				if item.Content != "" {
					request["data"] = b64(corpusFile(t, filepath.FromSlash(item.Content)))
				}
			}
			times := item.Verdicts
			if len(times) == 0 {
				times = append(times, struct {
					At     time.Time `json:"at"`
					Status string    `json:"status"`
				}{time.Date(2020, 6, 1, 0, 0, 0, 0, time.UTC), "invalid"})
			}
			for _, v := range times {
				*clock = v.At
				r := tn.post(path, request)
				want := item.Signature == "valid" && item.Chain == "valid" && v.Status == "valid"
				if want && !r.valid() && asidesOf(r.verdict) {
					continue
				}
				if r.valid() != want {
					t.Errorf("at %s: valid %v, due %v: %s %s", v.At, r.valid(), want, r.verdict, r.message())
				}
				if want {
					seen[item.Kind]++
				}
			}
		})
	}
	for _, kind := range []string{"xml", "wsse", "cms"} {
		if seen[kind] == 0 {
			t.Errorf("no valid item of kind %s", kind)
		}
	}
}
