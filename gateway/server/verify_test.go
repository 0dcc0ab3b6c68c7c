package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
)

func (d *scripted) Verify(_ context.Context, token, digest string) (*gateway.Verification, error) {
	if token != "secret" {
		return nil, &gateway.Error{Code: gateway.NotFound, Say: "there is no result with this token"}
	}
	v := &gateway.Verification{Number: "T-1", Service: gateway.Text{RU: "услуга <b>", KK: "қызмет"}, Result: gateway.Text{RU: "справка", KK: "анықтама"}, Outcome: "positive",
		At: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), SHA256: strings.Repeat("0", 64), Match: digest}
	if digest != "" {
		v.Match = "nothing"
		sum := sha256.Sum256([]byte("the paper"))
		if digest == hex.EncodeToString(sum[:]) {
			v.Match = "paper"
		}
	}
	return v, nil
}

// guest is a request of somebody without a key.
func guest(method, path string, body []byte, header ...string) *http.Request {
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func TestVerifyPage(t *testing.T) {
	b := setup(t)
	get := func(r *http.Request) (int, string) {
		t.Helper()
		w := b.call("", r)
		if h := w.Header(); strings.HasPrefix(h.Get("Content-Type"), "text/html") && (h.Get("Referrer-Policy") != "no-referrer" || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") || h.Get("Cache-Control") != "no-store") {
			t.Errorf("headers %v", h)
		}
		return w.Code, w.Body.String()
	}
	for lang, want := range map[string]string{"ru": "Проверка подлинности", "kk": "түпнұсқалығын тексеру", "en": "Verification of a document"} {
		code, page := get(guest("GET", "/verify/secret", nil, "Accept", "text/html", "Accept-Language", lang))
		if code != 200 || !strings.Contains(page, want) || !strings.Contains(page, "T-1") || strings.Contains(page, "<b>") || strings.Contains(page, "[verify.") {
			t.Errorf("%s: %d %s", lang, code, page)
		}
	}
	code, body := get(guest("GET", "/verify/secret", nil))
	var v gateway.Verification
	if err := json.Unmarshal([]byte(body), &v); code != 200 || err != nil || v.Number != "T-1" || v.Match != "" {
		t.Errorf("JSON: %d %s", code, body)
	}
	if code, body := get(guest("GET", "/verify/other", nil, "Accept", "text/html")); code != 404 || strings.Contains(body, "<form") {
		t.Errorf("an unknown token: %d %s", code, body)
	}
	if code, body := get(guest("GET", "/verify/other", nil)); code != 404 || !strings.Contains(body, "urn:kopir:problem:not_found") {
		t.Errorf("an unknown token in JSON: %d %s", code, body)
	}
	if code, _ := get(guest("GET", "/verify/secret?sha256=zz", nil)); code != 400 {
		t.Errorf("a digest that is none: %d", code)
	}
	if code, body := get(guest("POST", "/verify/secret", []byte("the paper"), "Content-Type", "application/pdf")); code != 200 || !strings.Contains(body, `"match":"paper"`) {
		t.Errorf("the file as the body: %d %s", code, body)
	}
	for content, want := range map[string]string{"the paper": "Файл совпадает", "another": "НЕ совпадает"} {
		var form bytes.Buffer
		w := multipart.NewWriter(&form)
		part, err := w.CreateFormFile("file", "a.pdf")
		if err == nil {
			_, err = part.Write([]byte(content))
		}
		if err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		if code, page := get(guest("POST", "/verify/secret", form.Bytes(), "Content-Type", w.FormDataContentType(), "Accept", "text/html")); code != 200 || !strings.Contains(page, want) {
			t.Errorf("%s: %d %s", content, code, page)
		}
	}
	if code, _ := get(guest("POST", "/verify/secret", make([]byte, maxVerified+1), "Content-Type", "application/pdf")); code != 413 {
		t.Errorf("too much: %d", code)
	}
	if code, _ := get(guest("POST", "/verify/secret", []byte("--x\r\n\r\n"), "Content-Type", "multipart/form-data; boundary=x")); code != 400 {
		t.Errorf("a form without a file: %d", code)
	}
}

// TestGuestsAreLimited: one address cannot try tokens in bulk; another, and
// the next minute, can.
func TestGuestsAreLimited(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	b := setup(t, func(o *Options) { o.Clock = func() time.Time { return now } })
	from := func(address string) int {
		r := guest("GET", "/verify/other", nil)
		r.RemoteAddr = address + ":1234"
		w := b.call("", r)
		if w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
			t.Error("not told when")
		}
		return w.Code
	}
	for i := range guestLimit {
		if code := from("192.0.2.1"); code != 404 {
			t.Fatalf("request %d: %d", i, code)
		}
	}
	if code := from("192.0.2.1"); code != 429 {
		t.Errorf("one too many: %d", code)
	}
	if code := from("192.0.2.2"); code != 404 {
		t.Errorf("another address: %d", code)
	}
	now = now.Add(time.Minute)
	if code := from("192.0.2.1"); code != 404 {
		t.Errorf("a minute later: %d", code)
	}
}
