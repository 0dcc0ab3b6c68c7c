package signer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"kopir/signature/nuc"
	"kopir/signature/sigtest"
)

// TestBadInput: what is wrong, where, and what to do; in the form of all
// answers, with the caller's status.
func TestBadInput(t *testing.T) {
	tn := newTown(t, options{})
	c := tn.issue(sigtest.Profile{})
	good, der := tn.signer(c), b64(c.DER)
	with := func(changes object) []object {
		k := object{}
		for name, v := range good {
			k[name] = v
		}
		for name, v := range changes {
			k[name] = v
		}
		return []object{k}
	}
	signed := tn.do("/cms/sign", object{"data": "dGVzdA==", "signers": with(nil)}).text("cms")
	for name, c := range map[string]struct {
		path    string
		request object
		says    []string
	}{
		"nothing":              {"/xml/sign", object{}, []string{"xml: is required"}},
		"everything at once":   {"/xml/sign", object{"xml": 7, "trimXml": "yes", "clearSignatures": 1, "signers": "x"}, []string{"xml: must be a string", "trimXml: must be true or false", "clearSignatures", "signers: must be a list"}},
		"no signers":           {"/xml/sign", object{"xml": "<a/>", "signers": []object{}}, []string{"signers: is required and must not be empty"}},
		"a signer of nothing":  {"/xml/sign", object{"xml": "<a/>", "signers": []any{7}}, []string{"signers[0]: is not a JSON object"}},
		"no key":               {"/xml/sign", object{"xml": "<a/>", "signers": with(object{"key": nil})}, []string{"signers[0].key: is required"}},
		"key not base64":       {"/xml/sign", object{"xml": "<a/>", "signers": with(object{"key": "%%%"})}, []string{"signers[0].key: is not base64"}},
		"key no key file":      {"/xml/sign", object{"xml": "<a/>", "signers": with(object{"key": "dGVzdA=="})}, []string{"signers[0].key: "}},
		"no password":          {"/xml/sign", object{"xml": "<a/>", "signers": with(object{"password": nil})}, []string{"signers[0].password: is required"}},
		"wrong password":       {"/wsse/sign", object{"xml": envelope, "key": good["key"], "password": "guess"}, []string{"password: does not open this key file"}},
		"alias":                {"/pkcs12/info", object{"keys": with(object{"keyAlias": "a"})}, []string{"keys[0].keyAlias: "}},
		"broken XML":           {"/xml/sign", object{"xml": "<a><b></a>", "signers": with(nil)}, []string{"XML", "line 1"}},
		"broken XML to judge":  {"/xml/verify", object{"xml": "<a"}, []string{"xml: ", "line 1"}},
		"broken XML to clear":  {"/xml/sign", object{"xml": "<a", "clearSignatures": true, "signers": with(nil)}, []string{"xml: "}},
		"broken XML to trim":   {"/wsse/sign", object{"xml": "<a", "trimXml": true, "key": good["key"], "password": password}, []string{"xml: "}},
		"no envelope":          {"/wsse/sign", object{"xml": "<a/>", "key": good["key"], "password": password}, []string{"Envelope"}},
		"half a surrogate":     {"/xml/verify", object{"xml": json.RawMessage(`"<a>\ud800</a>"`)}, []string{"xml: ", "surrogate"}},
		"methods":              {"/xml/verify", object{"xml": "<a/>", "revocationCheck": []string{"DNS"}}, []string{"revocationCheck", "OCSP"}},
		"methods in a word":    {"/xml/verify", object{"xml": "<a/>", "revocationCheck": "OCSP"}, []string{"revocationCheck: must be a list"}},
		"no data":              {"/cms/sign", object{"signers": with(nil)}, []string{"data: is required"}},
		"policy":               {"/cms/sign", object{"data": "dGVzdA==", "tsaPolicy": "OTHER", "signers": with(nil)}, []string{"tsaPolicy: must be TSA_GOST_POLICY"}},
		"no cms":               {"/cms/verify", object{"data": "dGVzdA=="}, []string{"cms: is required"}},
		"cms broken":           {"/cms/verify", object{"cms": signed[:400]}, []string{"cms: "}},
		"cms with a tail":      {"/cms/extract", object{"cms": b64(append(decode(t, signed), 0))}, []string{"cms: "}},
		"cms to add to broken": {"/cms/sign/add", object{"cms": "MIIB", "signers": with(nil)}, []string{"CMS", "offset"}},
		"other content":        {"/cms/sign/add", object{"cms": signed, "data": "b3RoZXI=", "signers": with(nil)}, []string{"content"}},
		"no certs":             {"/x509/info", object{"certs": []string{}}, []string{"certs: is required"}},
		"cert broken":          {"/x509/info", object{"certs": []string{der, der[:100]}}, []string{"certs[1]: "}},
		"cert no string":       {"/x509/info", object{"certs": []any{7}}, []string{"certs[0]: must be a string"}},
		"too many keys":        {"/pkcs12/aliases", object{"keys": make([]object, 33)}, []string{"keys: has more than 32 members"}},
	} {
		t.Run(name, func(t *testing.T) {
			tn.T = t
			r := tn.post(c.path, c.request)
			if r.code != http.StatusBadRequest || len(r.body) != 2 {
				t.Errorf("HTTP %d: %v", r.code, r.body)
			}
			for _, word := range c.says {
				if !strings.Contains(r.message(), word) {
					t.Errorf("%q is not in %q", word, r.message())
				}
			}
			if strings.Contains(r.message(), password) || strings.Contains(r.message(), "guess") {
				t.Errorf("the password is in %q", r.message())
			}
		})
	}
	tn.T = t
	for name, c := range map[string]struct {
		media, body string
		code        int
	}{
		"not JSON":      {"application/json", `{"xml": "<a/>", "password": "` + password, 400},
		"a list":        {"application/json", `[]`, 400},
		"two":           {"application/json", `{} {}`, 400},
		"empty":         {"application/json", ``, 400},
		"not UTF-8":     {"application/json", "{\"xml\":\"\xff\"}", 400},
		"a member":      {"application/json", `{"xml":"<a/>","xml":"<b/>"}`, 400},
		"in a signer":   {"application/json", `{"xml":"<a/>","signers":[{"key":"","key":""}]}`, 400},
		"many members":  {"application/json", `{"xml":"<a/>"` + manyMembers + `}`, 400},
		"a form":        {"application/x-www-form-urlencoded", `{"xml":"<a/>"}`, 415},
		"plain text":    {"text/plain", `{"xml":"<a/>"}`, 415},
		"nothing said":  {"", `{"xml":"<a/>"}`, 415},
		"with charset":  {"application/json; charset=UTF-8", `{"xml":"<a/>"}`, 200},
		"unknown names": {"application/json", `{"xml":"<a/>","other":{"x":[1]},"revocationCheck":null}`, 200},
	} {
		r := tn.send("/xml/verify", c.media, []byte(c.body))
		if strings.Contains(name, "signer") {
			r = tn.send("/xml/sign", c.media, []byte(c.body))
		}
		if r.code != c.code || strings.Contains(r.message(), password) {
			t.Errorf("%s: HTTP %d %q", name, r.code, r.message())
		}
	}
	if r := tn.post("/xml/none", object{}); r.code != http.StatusNotFound {
		t.Errorf("an unknown address: %v", r.body)
	}
	res, err := http.Get(tn.url + "/xml/verify")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", res.StatusCode)
	}
}

var manyMembers = func() string {
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, `,"m%d":0`, i)
	}
	return b.String()
}()

func decode(t *testing.T, s string) []byte {
	t.Helper()
	f, err := readObject([]byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	return f.decode("x", s)
}

// TestBodyLimit: a large body is refused by what it says of itself, and by
// what it is.
func TestBodyLimit(t *testing.T) {
	tn := newTown(t, options{limits: Limits{Body: 2000}})
	large, err := json.Marshal(object{"xml": "<a>" + strings.Repeat("x", 3000) + "</a>"})
	if err != nil {
		t.Fatal(err)
	}
	if r := tn.send("/xml/verify", "application/json", large); r.code != http.StatusRequestEntityTooLarge {
		t.Errorf("HTTP %d", r.code)
	}
	res, err := http.Post(tn.url+"/xml/verify", "application/json", io.MultiReader(bytes.NewReader(large))) // no length
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("without a length: HTTP %d", res.StatusCode)
	}
}

// TestNothingLeaks: with everything logged that can be, no key, password,
// document or number of a person is in the log.
func TestNothingLeaks(t *testing.T) {
	tn := newTown(t, options{})
	key := tn.signer(tn.issue(sigtest.Profile{}))
	signed := tn.do("/xml/sign", object{"xml": "<a>" + sigtest.IIN(7) + "</a>", "signers": []object{key}}).text("xml")
	tn.do("/xml/verify", object{"xml": signed})
	tn.do("/pkcs12/info", object{"keys": []object{key}})
	tn.post("/xml/sign", object{"xml": "<" + sigtest.IIN(7) + ">", "signers": []object{key}})
	tn.post("/wsse/sign", object{"xml": envelope, "key": key["key"], "password": "guess-of-somebody"})
	tn.post("/"+sigtest.IIN(7)+"?password="+password, object{})
	log := tn.log.String()
	if strings.Count(log, `"msg":"request"`) != 6 {
		t.Fatalf("the log:\n%s", log)
	}
	for _, secret := range []string{password, "guess-of-somebody", key["key"].(string)[:60], sigtest.IIN(7), "SignatureValue"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %.40s", secret)
		}
	}
}

// TestPanic: a defect of ours is an answer and a stack, without what the
// panic says.
func TestPanic(t *testing.T) {
	var log bytes.Buffer
	s, err := New(Options{Trust: nuc.NewTrust(), Clock: sigtest.Noon, Log: zap.New(zapcore.NewCore(
		zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&log), zapcore.DebugLevel))})
	if err != nil {
		t.Fatal(err)
	}
	for path, value := range map[string]any{"/boom": "the password is " + password, "/nil": nil} {
		s.engine.POST(path, s.serve(func(context.Context, *fields) (any, *fail) {
			if value == nil {
				var c *gin.Context
				_ = c.Request // a nil pointer: the runtime's own words
			}
			panic(value)
		}))
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader("{}"))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), `"status":500`) {
			t.Errorf("HTTP %d %s", w.Code, w.Body)
		}
	}
	if said := log.String(); strings.Contains(said, password) || !strings.Contains(said, "nil pointer") || !strings.Contains(said, "stack") {
		t.Errorf("the log: %s", said)
	}
}

// TestManyAtOnce: requests beside each other do not disturb one another, and
// too many are told so.
func TestManyAtOnce(t *testing.T) {
	tn := newTown(t, options{algorithm: sigtest.GOST2015, addresses: true})
	key := tn.signer(tn.issue(sigtest.Profile{}))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			signed := tn.do("/xml/sign", object{"xml": document, "signers": []object{key}}).text("xml")
			tn.verdictIs(tn.do("/xml/verify", object{"xml": signed, "revocationCheck": []string{"OCSP", "CRL"}}), true, "TOTAL_PASSED")
		})
	}
	wg.Wait()

	stop := make(chan struct{})
	asked := make(chan struct{}, 1)
	one := newTown(t, options{addresses: true, limits: Limits{Concurrent: 1, Wait: 10 * time.Millisecond}, ocspTrouble: func(w http.ResponseWriter) bool {
		asked <- struct{}{}
		<-stop
		return true
	}})
	c := one.issue(sigtest.Profile{})
	wg.Go(func() {
		one.post("/x509/info", object{"certs": []string{b64(c.DER)}, "revocationCheck": []string{"OCSP"}})
	})
	<-asked
	if r := one.post("/x509/info", object{"certs": []string{b64(c.DER)}}); r.code != http.StatusServiceUnavailable {
		t.Errorf("one too many: %v", r.body)
	}
	close(stop)
	wg.Wait()
}

// TestStops: told to stop, the door says so to its watchdog and ends.
func TestStops(t *testing.T) {
	tn := newTown(t, options{})
	s, err := New(Options{Trust: tn.trust, Clock: sigtest.Noon, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	s.draining.Store(true)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/actuator/health", nil))
	if w.Code != http.StatusServiceUnavailable || strings.TrimSpace(w.Body.String()) != `{"status":"OUT_OF_SERVICE"}` {
		t.Errorf("HTTP %d %s", w.Code, w.Body)
	}
	if _, err := New(Options{}); err == nil {
		t.Error("a door without trust, log and clock")
	}
}
