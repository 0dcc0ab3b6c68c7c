package httpsig

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kopir/signature/sigtest"
)

var at = time.Date(2026, 11, 25, 6, 0, 0, 0, time.UTC)

// keyPair is a system's key of an algorithm, as signer and as verifier.
func keyPair(t *testing.T, a sigtest.Algorithm) (Signer, Key) {
	t.Helper()
	authority, err := sigtest.NewAuthority("", sigtest.Options{Day: at, Algorithm: a})
	if err != nil {
		t.Fatal(err)
	}
	credential, err := authority.Issue(sigtest.Profile{Kind: sigtest.System, BIN: "010140000001", Organization: "ТЕСТ", CommonName: "ТЕСТ"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := credential.Key()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := SignerOf(key)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := KeyOf(key.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	return signer, verifier
}

var covered = []string{"@method", "@target-uri", "content-digest", "content-type"}

var policy = Policy{Covered: covered, MaxAge: 5 * time.Minute, Ahead: time.Minute, Nonce: true}

func signed(t *testing.T, s Signer) *http.Request {
	t.Helper()
	body := `{"number":"1"}`
	r, err := http.NewRequest("POST", "https://Portal.example:443/notices?x=%D0%B0", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if err := Sign(r, []byte(body), covered, s, at, "n-1"); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestKeys signs as a client and verifies as a server, over real HTTP.
func TestKeys(t *testing.T) {
	for _, a := range []sigtest.Algorithm{sigtest.RSA, sigtest.GOST2015, sigtest.GOST2004, sigtest.GOST2015x256} {
		t.Run(a.String(), func(t *testing.T) {
			signer, key := keyPair(t, a)
			var failed error
			var digest error
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				m, err := Incoming(r, "http://"+r.Host)
				if err != nil {
					failed = err
					return
				}
				s, err := Read(m)
				if err == nil {
					err = s.Check(policy, at.Add(time.Minute))
				}
				if err == nil {
					err = s.Verify(key)
				}
				failed, digest = err, CheckDigest(r.Header, []byte("{}"))
			}))
			defer srv.Close()
			r, err := http.NewRequest("POST", srv.URL+"/a%2Fb?q=1", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			if err := Sign(r, []byte("{}"), covered, signer, at, "n"); err != nil {
				t.Fatal(err)
			}
			resp, err := srv.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if failed != nil || digest != nil {
				t.Errorf("%v, %v", failed, digest)
			}
		})
	}
}

// TestRefused changes one thing at a time of a good request.
func TestRefused(t *testing.T) {
	signer, key := keyPair(t, sigtest.RSA)
	_, other := keyPair(t, sigtest.RSA)
	other.Algorithm = "ed25519"
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		at     time.Time
		key    Key
		want   string // empty: passes
	}{
		{"as it is", func(*http.Request) {}, at, key, ""},
		{"method", func(r *http.Request) { r.Method = "PUT" }, at, key, "does not belong"},
		{"host", func(r *http.Request) { r.Host = "other.example" }, at, key, "does not belong"},
		{"query", func(r *http.Request) { r.URL.RawQuery = "x=1" }, at, key, "does not belong"},
		{"content type", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, at, key, "does not belong"},
		{"a second content type", func(r *http.Request) { r.Header.Add("Content-Type", "text/plain") }, at, key, "does not belong"},
		{"content type gone", func(r *http.Request) { r.Header.Del("Content-Type") }, at, key, "not there"},
		{"digest", func(r *http.Request) { r.Header.Set("Content-Digest", Digest([]byte("x"))) }, at, key, "does not belong"},
		{"default port", func(r *http.Request) { r.Host = "portal.example" }, at, key, ""},
		{"too old", func(*http.Request) {}, at.Add(5*time.Minute + time.Second), key, "older than"},
		{"from the future", func(*http.Request) {}, at.Add(-61 * time.Second), key, "ahead"},
		{"another key's algorithm", func(*http.Request) {}, at, other, "alg is"},
		{"no signature", func(r *http.Request) { r.Header.Del("Signature") }, at, key, "Signature is missing"},
		{"no input", func(r *http.Request) { r.Header.Del("Signature-Input") }, at, key, "Signature-Input is missing"},
		{"two signatures", func(r *http.Request) {
			r.Header.Add("Signature", "b=:AA==:")
			r.Header.Add("Signature-Input", `b=("@method");created=1`)
		}, at, key, "exactly one"},
		{"another label", func(r *http.Request) { r.Header.Set("Signature", "b=:AA==:") }, at, key, "exactly one"},
		{"covers less", func(r *http.Request) {
			if err := Sign(r, nil, covered[:3], signer, at, "n"); err != nil {
				t.Fatal(err)
			}
		}, at, key, `"content-type" must be covered`},
		{"no nonce", func(r *http.Request) {
			if err := Sign(r, nil, covered, signer, at, ""); err != nil {
				t.Fatal(err)
			}
		}, at, key, "nonce is missing"},
		{"covered twice", func(r *http.Request) { input(r, `("@method" "@method");created=1`) }, at, key, "covered twice"},
		{"unknown component", func(r *http.Request) { input(r, `("@status");created=1`) }, at, key, "not one of a request"},
		{"unknown component parameter", func(r *http.Request) { input(r, `("content-type";sf);created=1`) }, at, key, "not supported"},
		{"unknown parameter", func(r *http.Request) { input(r, `("@method");created=1;hint="x"`) }, at, key, "not known"},
		{"created is a string", func(r *http.Request) { input(r, `("@method");created="1"`) }, at, key, "wrong value"},
		{"created missing", func(r *http.Request) {
			input(r, `("@method" "@target-uri" "content-digest" "content-type");keyid="a"`)
		}, at, key, "created is missing"},
		{"expired", func(r *http.Request) {
			input(r, `("@method" "@target-uri" "content-digest" "content-type");created=1795586400;expires=1795586400;keyid="a"`)
		}, at, key, "has expired"},
		{"not a structured field", func(r *http.Request) { r.Header.Set("Signature-Input", `kopir=("@method`) }, at, key, "no dictionary"},
		{"upper case", func(r *http.Request) { input(r, `("Content-Type");created=1`) }, at, key, "lower case"},
		{"a label twice", func(r *http.Request) { r.Header.Add("Signature", "kopir=:AA==:") }, at, key, "stands twice"},
		{"a parameter twice", func(r *http.Request) { input(r, `("@method");created=1;created=2`) }, at, key, "stands twice"},
		{"too long", func(r *http.Request) { r.Header.Set("Signature", strings.Repeat("x", maxField+1)) }, at, key, "longer than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := signed(t, signer)
			c.change(r)
			s, err := Read(Outgoing(r))
			if err == nil {
				err = s.Check(policy, c.at)
			}
			if err == nil {
				err = s.Verify(c.key)
			}
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func input(r *http.Request, list string) { r.Header.Set("Signature-Input", "kopir="+list) }

func TestDigests(t *testing.T) {
	for _, c := range []struct{ field, want string }{
		{Digest([]byte("body")), ""},
		{Digest([]byte("other")), "not that of the body"},
		{"md5=:AAAA:", "neither"},
		{"unixsum=1, " + Digest([]byte("body")), ""},
		{Digest([]byte("body")) + ", sha-512=:AAAA:", "not that of the body"},
		{"sha-256=AAAA", "no dictionary"},
		{"sha-256=1", "not a byte sequence"},
		{"", "missing"},
		{"=", "no dictionary"},
	} {
		h := http.Header{}
		if c.field != "" {
			h.Set("Content-Digest", c.field)
		}
		err := CheckDigest(h, []byte("body"))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q: got %v, want %q", c.field, err, c.want)
		}
	}
}

// TestFields holds what the structured fields must not be.
func TestFields(t *testing.T) {
	for _, bad := range []string{"=", "a=", "a,", "a b", "A=1", "a=(", "a=(@", `a=("x""y")`, `a=("x"`, `a="x`, `a="\x"`, "a=\"\x7f\"", "a=:A:", "a=:AA=", "a=:AA==", "a=1.5", "a=1234567890123456",
		"a=-", "a=?2", "a=tok", `a=(1)`, "a;b=", "a;", "a=1, a=2", "a;x;x", "a=@1", "a=:QQ\n==:"} {
		if m, err := (&reader{text: bad}).dictionary(); err == nil {
			t.Errorf("%q reads as %+v", bad, m)
		}
	}
	for _, good := range []string{"", " a=1", "a=-15 ,\tb", `a=();x=?0;y="\\\"", b=:QQ==:`, `a=( "x"  "y";k )`, "*a_-.9=?1;k"} {
		if _, err := (&reader{text: good}).dictionary(); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":     "",
		"private key": "-----BEGIN PRIVATE KEY-----\n" + edPrivate + "\n-----END PRIVATE KEY-----\n",
		"garbage":     "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
	} {
		if _, err := ParseKey([]byte(text), ""); err == nil {
			t.Errorf("%s is taken for a key", name)
		}
	}
}

// FuzzRead: whatever stands in the fields, nothing panics and nothing passes
// without the key.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		`sig=("@method" "@target-uri" "content-digest" "content-type");created=1795586400;keyid="a";alg="ed25519";nonce="n"`,
		`sig=("@query-param";name="x");created=1`, `sig=();created=1`, `a=1, a=()`, `sig=("@method";req)`, `sig=("x"`,
	} {
		f.Add(s, "sig=:AAAA:", "sha-256=:AAAA:")
	}
	key, err := ParseKey([]byte(edKey), "")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in, value, digest string) {
		r := httptest.NewRequest("POST", "http://example.com/a?x=1", nil)
		r.Header["Signature-Input"], r.Header["Signature"], r.Header["Content-Digest"] = []string{in}, []string{value}, []string{digest}
		if CheckDigest(r.Header, []byte("a body that nobody hashed: 5b0c9e")) == nil {
			t.Error("a digest passes")
		}
		s, err := Read(Outgoing(r))
		if err != nil {
			return
		}
		if s.Verify(key) == nil {
			t.Error("a signature passes")
		}
		s.Check(policy, at)
	})
}

// The parts of the target address may be covered instead of the whole.
func TestTargetInParts(t *testing.T) {
	signer, _ := keyPair(t, sigtest.RSA)
	for _, c := range []struct {
		address string
		parts   []string
		good    bool
	}{
		{"https://a.example/x?q=1", []string{"@authority", "@path", "@query"}, true},
		{"https://a.example/x?q=1", []string{"@authority", "@request-target"}, true},
		{"https://a.example/x", []string{"@authority", "@path"}, true},
		{"https://a.example/x?q=1", []string{"@authority", "@path"}, false},
		{"https://a.example/x?q=1", []string{"@path", "@query"}, false},
		{"https://a.example/x?q=1", []string{"@request-target"}, false},
	} {
		r, err := http.NewRequest("GET", c.address, nil)
		if err == nil {
			err = Sign(r, nil, append([]string{"@method"}, c.parts...), signer, at, "n")
		}
		if err != nil {
			t.Fatal(err)
		}
		s, err := Read(Outgoing(r))
		if err != nil {
			t.Fatal(err)
		}
		var e *Error
		err = s.Check(Policy{Covered: []string{"@method", "@target-uri"}, MaxAge: time.Minute}, at)
		if c.good != (err == nil) || err != nil && (!errors.As(err, &e) || e.Reason != NotCovered || e.What != "@target-uri") {
			t.Errorf("%s %v: %v", c.address, c.parts, err)
		}
	}
}

// TestAnswer: an answer is bound to its request, and to no other.
func TestAnswer(t *testing.T) {
	signer, key := keyPair(t, sigtest.RSA)
	request := Outgoing(signed(t, signer))
	h := http.Header{"Content-Type": {"application/json"}}
	covered := []string{"@status", "content-digest", "content-type", "@method;req", "@target-uri;req", "signature;req"}
	if err := SignAnswer(Answer(201, h, request), []byte("{}"), covered, signer, at); err != nil {
		t.Fatal(err)
	}
	verify := func(m Message) error {
		s, err := Read(m)
		if err == nil {
			err = s.Check(Policy{Covered: covered, MaxAge: time.Minute}, at)
		}
		if err == nil {
			err = s.Verify(key)
		}
		return err
	}
	if err := verify(Answer(201, h, request)); err != nil {
		t.Error(err)
	}
	other := Outgoing(signed(t, signer))
	other.Header.Set("Signature", "kopir=:AAAA:")
	for name, m := range map[string]Message{"another status": Answer(200, h, request), "another request": Answer(201, h, other), "no request": {Status: 201, Header: h}} {
		if verify(m) == nil {
			t.Errorf("%s passes", name)
		}
	}
}

// An address with a path stands before that of the request.
func TestIncomingBehindAPath(t *testing.T) {
	r := httptest.NewRequest("GET", "/api/v1/x%2Fy?a=1", nil)
	for origin, want := range map[string]string{"https://k.example": "https://k.example/api/v1/x%2Fy?a=1", "https://k.example/bridge/": "https://k.example/bridge/api/v1/x%2Fy?a=1"} {
		m, err := Incoming(r, origin)
		if err != nil {
			t.Fatal(err)
		}
		if got := derived["@target-uri"](m); got != want {
			t.Errorf("%s: %s", origin, got)
		}
	}
}
