package client

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"kopir/gateway"
)

// nasty holds what each kind of body has to escape.
const nasty = "Нәтиже \"дайын\"\n</t>&phone=1,\\"

// TestSMS: whatever stands in the text, it arrives as it was, in every kind of
// body.
func TestSMS(t *testing.T) {
	for _, c := range []struct {
		kind, body string
		read       func(string) (phone, text, secret string)
	}{
		{"application/json", `{"to":"{phone}","text":"{text}","id":"{id}","key":"{secret}"}`, func(b string) (string, string, string) {
			var v struct{ To, Text, ID, Key string }
			if err := json.Unmarshal([]byte(b), &v); err != nil {
				t.Error(err)
			}
			return v.To, v.Text, v.Key
		}},
		{"application/x-www-form-urlencoded", "phones={phone}&mes={text}&psw={secret}&id={id}", func(b string) (string, string, string) {
			v, err := url.ParseQuery(b)
			if err != nil || len(v["phones"]) != 1 || len(v) != 4 {
				t.Error(err, v)
			}
			return v.Get("phones"), v.Get("mes"), v.Get("psw")
		}},
		{"text/xml; charset=utf-8", "<m><to>{phone}</to><t>{text}</t><k>{secret}</k></m>", func(b string) (string, string, string) {
			var v struct {
				To string   `xml:"to"`
				T  []string `xml:"t"`
				K  string   `xml:"k"`
			}
			if err := xml.Unmarshal([]byte(b), &v); err != nil || len(v.T) != 1 {
				t.Error(err)
			}
			return v.To, v.T[0], v.K
		}},
	} {
		t.Run(c.kind, func(t *testing.T) {
			var got *http.Request
			var body []byte
			srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got = r
				body, _ = io.ReadAll(r.Body)
			}))
			defer srv.Close()
			s := &SMS{Address: srv.URL + "/send", Type: c.kind, Body: c.body, Secret: "s&\"<", Headers: [][2]string{{"Authorization", "Bearer {secret}"}}}
			if err := s.Check(); err != nil {
				t.Fatal(err)
			}
			if err := s.Post(t.Context(), gateway.Letter{ID: "id-1", To: "+77010000000", Text: nasty}); err != nil {
				t.Fatal(err)
			}
			phone, text, secret := c.read(string(body))
			if phone != "+77010000000" || text != nasty || secret != "s&\"<" {
				t.Errorf("%q %q %q", phone, text, secret)
			}
			if got.Header.Get("Authorization") != "Bearer s&\"<" || got.Header.Get("Content-Type") != c.kind || got.Header.Get("Idempotency-Key") != "id-1" || got.URL.RawQuery != "" {
				t.Errorf("%+v", got.Header)
			}
		})
	}
}

// TestSMSAnswers is the table of what each answer means.
func TestSMSAnswers(t *testing.T) {
	var mu sync.Mutex // a try that was broken off may still be at work
	var status int
	var answer string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Retry-After", "60")
		w.Header().Set("Location", "/other")
		w.WriteHeader(status)
		io.WriteString(w, answer)
	}))
	defer srv.Close()
	s := &SMS{Address: srv.URL, Type: "text/plain", Body: "{phone} {text}", Statuses: []int{200, 202}, Contains: `"ok"`}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		status             int
		answer             string
		done, dead, unsure bool
		pause              time.Duration
	}{
		{status: 200, answer: `{"status":"ok"}`, done: true}, {status: 202, answer: `"ok"`, done: true},
		{status: 200, answer: `{"error":7}`, dead: true}, {status: 201, answer: `"ok"`, dead: true},
		{status: 400, dead: true}, {status: 401, dead: true}, {status: 302, dead: true},
		{status: 429, pause: time.Minute}, {status: 503, pause: time.Minute}, {status: 0, unsure: true},
	} {
		mu.Lock()
		status, answer = c.status, c.answer
		mu.Unlock()
		err := s.Post(t.Context(), gateway.Letter{ID: "1", To: "+77010000000", Text: "x"})
		var se *gateway.SendError
		if c.done != (err == nil) || err != nil && (!errors.As(err, &se) || se.Permanent != c.dead || se.Unknown != c.unsure || se.RetryAfter != c.pause) {
			t.Errorf("%d %s: %+v", c.status, c.answer, err)
		}
		if err != nil && strings.Contains(err.Error(), "77010000000") {
			t.Errorf("the error quotes the number: %v", err)
		}
	}
}

func TestSMSCheck(t *testing.T) {
	good := SMS{Address: "https://sms.example/send", Type: "application/json", Body: `{"a":"{phone}","b":"{text}"}`}
	for name, change := range map[string]func(*SMS){
		"":                      func(*SMS) {},
		"no absolute":           func(s *SMS) { s.Address = "sms.example" },
		"must be POST or PUT":   func(s *SMS) { s.Method = "GET" },
		"no media type":         func(s *SMS) { s.Type = "" },
		"how to escape":         func(s *SMS) { s.Type = "application/octet-stream" },
		"the body has no {text": func(s *SMS) { s.Body = "{phone}" },
		"no control character":  func(s *SMS) { s.Headers = [][2]string{{"A", "b\r\nC: d"}} },
		"may hold {secret}":     func(s *SMS) { s.Headers = [][2]string{{"A", "{phone}"}} },
	} {
		s := good
		change(&s)
		if err := s.Check(); name == "" && err != nil || name != "" && (err == nil || !strings.Contains(err.Error(), name)) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
