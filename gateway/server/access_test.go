package server

import (
	"context"
	"errors"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"kopir/gateway"
)

// TestAccessIsRecorded: who reads which application, or which list by which
// filter, without what a filter may hold of a person.
func TestAccessIsRecorded(t *testing.T) {
	var read []Access
	broken := false
	b := setup(t, func(o *Options) {
		o.Access = func(_ context.Context, a Access) error {
			if broken {
				return errors.New("the store is away")
			}
			read = append(read, a)
			return nil
		}
	})
	b.doors.application = func(n string) (*gateway.Application, error) {
		if n == "T-1" {
			return someApplication(1), nil
		}
		return nil, &gateway.Error{Code: gateway.NotFound}
	}
	b.doors.applications = func(gateway.Filter, string, int) (gateway.Page, error) { return gateway.Page{}, nil }
	for _, c := range []struct {
		path   string
		status int
		want   *Access
	}{
		{"/applications/T-1", 200, &Access{Application: "T-1", What: "GET /applications/:number"}},
		{"/applications/900101300123", 404, nil},
		{"/applications", 200, &Access{What: "GET /applications"}},
		{"/applications?state=received&state=held&office=o-1&overdue=true&limit=3&cursor=abc", 200, &Access{What: "GET /applications", Filter: "office=o-1&overdue=true&state=received&state=held"}},
		{"/applications?received_from=2026-11-01T00:00:00%2B05:00", 200, &Access{What: "GET /applications", Filter: "received_from=2026-11-01T00:00:00+05:00"}},
		{"/applications?number=900101300123", 200, &Access{What: "GET /applications", Filter: "number=?"}},
		{"/applications?number=%D0%A2%D0%95%D0%A1%D0%A2%D0%9E%D0%92", 200, &Access{What: "GET /applications", Filter: "number=?"}},
		{"/applications?900101300123=x&service=s", 400, &Access{What: "GET /applications", Filter: "service=s"}},
	} {
		read = nil
		w := b.call("", b.request(Reader, "GET", c.path, ""))
		if w.Code != c.status || (c.want == nil) != (len(read) == 0) {
			t.Errorf("%s: %d %+v", c.path, w.Code, read)
			continue
		}
		if c.want != nil {
			if c.want.Who = "test-reader"; len(read) != 1 || read[0] != *c.want {
				t.Errorf("%s: %+v, want %+v", c.path, read, c.want)
			}
		}
	}
	broken = true // what cannot be recorded is not given
	for _, path := range []string{"/applications/T-1", "/applications"} {
		if w := b.call("", b.request(Reader, "GET", path, "")); w.Code != 503 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// TestEveryRouteIsRecordedOrListed: a reading is recorded unless it is listed
// here, with the reason why not; so is a route that is added.
func TestEveryRouteIsRecordedOrListed(t *testing.T) {
	const nobody, history = "shows nothing of a person", "a change, which stands in the history with who made it"
	unrecorded := map[string]string{
		"GET /services": nobody, "GET /offices": nobody, "GET /deadlines": nobody, "GET /drift": nobody, "GET /deliveries/groups": nobody,
		"GET /questionnaire/summary": nobody, "GET /questionnaire/:token": nobody, "POST /questionnaire/:token": nobody,
		"POST /applications": history, "POST /deliveries/groups/retry": history, "POST /deliveries/groups/drop": history, "POST /deliveries/:id/retry": history, "POST /deliveries/:id/drop": history,
	}
	for _, what := range []string{"result/handover", "result/return", "take", "return", "handover", "forward", "decision", "refusal", "extension", "suspension", "resumption"} {
		unrecorded["POST /applications/:number/"+what] = history
	}
	var read []Access
	b := setup(t, func(o *Options) {
		o.Access = func(_ context.Context, a Access) error { read = append(read, a); return nil }
	})
	b.doors.application = func(string) (*gateway.Application, error) { return someApplication(1), nil }
	for _, row := range b.routes() {
		name := row.method + " " + row.path
		c, _ := gin.CreateTestContext(httptest.NewRecorder())
		c.Request = httptest.NewRequest(row.method, "/", nil)
		c.Set(keyPrincipal, Principal{Name: "desk"})
		want := Access{Who: "desk", What: name}
		if strings.Contains(row.path, ":number") {
			c.Params, want.Application = gin.Params{{Key: "number", Value: "T-1"}}, "T-1"
		} else if row.path == "/history" {
			want.Filter = "iin"
		}
		read = nil
		b.noteAccess(row)(c)
		switch why, listed := unrecorded[name]; {
		case listed && len(read) > 0:
			t.Errorf("%s is recorded, and listed: %s", name, why)
		case !listed && !slices.Equal(read, []Access{want}):
			t.Errorf("%s: %+v; it is to be recorded, or listed above", name, read)
		}
		delete(unrecorded, name)
	}
	if len(unrecorded) > 0 {
		t.Errorf("listed, and no route: %v", slices.Collect(maps.Keys(unrecorded)))
	}
}
