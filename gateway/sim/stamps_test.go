package sim

import (
	"bytes"
	"context"
	"io"
	"math/big"
	"net/http"
	"testing"

	"kopir/signature"
	"kopir/signature/cms"
	"kopir/signature/verdict"
)

// TestTimeStamps: a message of a citizen gets a stamp of each authority, and
// both are judged good; a stamp over other bytes is refused.
func TestTimeStamps(t *testing.T) {
	withEveryKeys(t, func(t *testing.T, with func(*Config)) {
		s := newStage(t, with)
		citizen, err := s.Credential("citizen")
		if err != nil {
			t.Fatal(err)
		}
		key, err := citizen.Key()
		if err != nil {
			t.Fatal(err)
		}
		message, err := signature.SignCMS([]byte("a document"), key, signature.CMSOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(url string, body []byte) []byte {
			t.Helper()
			resp, err := http.Post(url, "application/timestamp-query", bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			answer, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatal(resp.Status, err)
			}
			return answer
		}
		judge := func(message []byte) *signature.Verdict {
			return s.verifier.CMS(context.Background(), message, nil, signature.Want{At: s.now()})
		}
		for _, a := range s.Addresses().Authorities {
			request, err := signature.TimestampRequest(message, 0, stampPolicies[a.Keys])
			if err != nil {
				t.Fatal(err)
			}
			raw, err := request.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			stamped, err := signature.AddTimestamp(message, 0, request, ask(a.Stamps, raw))
			if err != nil {
				t.Fatalf("%s: %v", a.Keys, err)
			}
			if v := judge(stamped); v.Outcome != verdict.Passed {
				t.Errorf("stamped by the %s authority: %s %s %s", a.Keys, v.Outcome, v.Reason, v.Detail)
			} else if _, ok := v.Signatures[0].SignedAt(); !ok {
				t.Errorf("the %s stamp tells no time", a.Keys)
			}
			// What is not to be stamped gets an answer without a token.
			short, foreign := *request, *request
			short.Imprint.Digest = short.Imprint.Digest[1:]
			foreign.Policy, foreign.Nonce = "1.2.3", big.NewInt(1)
			for name, wrong := range map[string]cms.Request{"short digest": short, "foreign policy": foreign} {
				raw, err := wrong.Marshal()
				if err != nil {
					t.Fatal(err)
				}
				if r, err := cms.ParseResponse(ask(a.Stamps, raw)); err != nil || r.Status.Granted() || r.Text == "" {
					t.Errorf("%s: %+v %v", name, r, err)
				}
			}
			if r, err := cms.ParseResponse(ask(a.Stamps, []byte("garbage"))); err != nil || r.Status.Granted() {
				t.Errorf("garbage: %+v %v", r, err)
			}
			s.ask("PUT", "/sim/trouble/tsp", `{"status":503}`, http.StatusOK, nil)
			if resp, err := http.Post(a.Stamps, "application/timestamp-query", bytes.NewReader(raw)); err != nil || resp.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("trouble: %v", err)
			} else {
				resp.Body.Close()
			}
			s.ask("DELETE", "/sim/trouble/tsp", "", http.StatusNoContent, nil)
		}
	})
}
