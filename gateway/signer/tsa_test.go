package signer

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/zap"

	"kopir/signature"
	"kopir/signature/cms"
	"kopir/signature/sigtest"
)

// TestTimeStampTrouble: an authority that answers wrongly gives no stamp, and
// the caller no half-stamped message.
func TestTimeStampTrouble(t *testing.T) {
	tn := newTown(t, options{})
	key := tn.signer(tn.issue(sigtest.Profile{}))
	tsa, err := tn.tsa.Key()
	if err != nil {
		t.Fatal(err)
	}
	stamp := func(w http.ResponseWriter, r *http.Request, change func(*cms.TSTInfo)) {
		body, _ := io.ReadAll(r.Body)
		q, err := cms.ParseRequest(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		info := cms.TSTInfo{Policy: q.Policy, Imprint: q.Imprint, Serial: q.Nonce, Time: sigtest.Noon(), Nonce: q.Nonce}
		change(&info)
		token, err := signature.SignTimestamp(info, tsa)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Write(cms.MarshalGranted(token))
	}
	for name, h := range map[string]http.HandlerFunc{
		"an error page": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", http.StatusBadGateway) },
		"a page":        func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>OK</html>") },
		"a refusal":     func(w http.ResponseWriter, _ *http.Request) { w.Write(cms.MarshalRejected("no")) },
		"too much":      func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1<<20)) },
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other", http.StatusTemporaryRedirect)
		},
		"other bytes": func(w http.ResponseWriter, r *http.Request) {
			stamp(w, r, func(i *cms.TSTInfo) { i.Imprint.Digest = make([]byte, len(i.Imprint.Digest)) })
		},
		"an old answer": func(w http.ResponseWriter, r *http.Request) {
			stamp(w, r, func(i *cms.TSTInfo) { i.Nonce = nil })
		},
		"another policy": func(w http.ResponseWriter, r *http.Request) {
			stamp(w, r, func(i *cms.TSTInfo) { i.Policy = "1.2.3" })
		},
	} {
		t.Run(name, func(t *testing.T) {
			mux := http.NewServeMux()
			mux.HandleFunc("/tsp", h)
			mux.HandleFunc("/other", func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") })
			server := httptest.NewServer(mux)
			defer server.Close()
			authority, err := NewAuthority(map[string]string{"": server.URL + "/tsp"}, func(*http.Request) (*url.URL, error) { return nil, nil })
			if err != nil {
				t.Fatal(err)
			}
			s, err := New(Options{Trust: tn.trust, Authority: authority, Clock: sigtest.Noon, Log: zap.NewNop()})
			if err != nil {
				t.Fatal(err)
			}
			door := httptest.NewServer(s.Handler())
			defer door.Close()
			tn := &town{T: t, url: door.URL}
			r := tn.post("/cms/sign", object{"data": "dGVzdA==", "withTsp": true, "tsaPolicy": PolicyGOST2015, "signers": []object{key}})
			if r.code != http.StatusInternalServerError || !strings.Contains(r.message(), "time stamp authority") || r.body["cms"] != nil {
				t.Errorf("%v", r.body)
			}
		})
	}
	for _, bad := range []map[string]string{{"OTHER": "http://a/"}, {"": "ftp://a/"}, {"": "nowhere"}, {"": ""}} {
		if _, err := NewAuthority(bad, nil); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}
