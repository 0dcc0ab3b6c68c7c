package server

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"kopir/gateway"
)

func (d *scripted) Deadlines(_ context.Context, f gateway.DueFilter, by []gateway.DueKey) ([]gateway.DueGroup, error) {
	d.asked, d.by = f, by
	return []gateway.DueGroup{fill[gateway.DueGroup]()}, nil
}

func (d *scripted) Dues(_ context.Context, f gateway.DueFilter, _ string, _ int) (gateway.DuePage, error) {
	d.asked = f
	due := fill[gateway.Due]()
	due.State, due.Channel = gateway.Suspended, gateway.Portal
	return gateway.DuePage{Dues: []gateway.Due{due}, Next: "c"}, nil
}

func (d *scripted) Suspend(_ context.Context, _ string, _ gateway.Actor, s gateway.Suspension) (*gateway.Application, error) {
	a := someApplication(s.Version + 1)
	a.State = gateway.Suspended
	return a, nil
}

func (d *scripted) Resume(_ context.Context, _ string, _ gateway.Actor, version int64) (*gateway.Application, error) {
	a := someApplication(version + 1)
	a.State = gateway.Extended
	return a, nil
}

func TestDeadlines(t *testing.T) {
	var eastKey string
	b := setup(t, func(o *Options) {
		key, hash := NewKey()
		if err := o.Keys.Add(hash, Principal{Name: "east", Role: Reader, Office: "east"}); err != nil {
			t.Fatal(err)
		}
		eastKey = key
	})
	if w := b.call("GET /deadlines", b.request(Reader, "GET", "/deadlines?group=step,office&service=svc&overdue=true", "")); w.Code != http.StatusOK {
		t.Fatal(w.Body)
	}
	if !slices.Equal(b.doors.by, []gateway.DueKey{gateway.ByStep, gateway.ByOffice}) || b.doors.asked.Service != "svc" || !*b.doors.asked.Overdue {
		t.Errorf("asked %+v by %v", b.doors.asked, b.doors.by)
	}
	if w := b.call("GET /deadlines", b.request(Reader, "GET", "/deadlines", "")); w.Code != http.StatusOK || !slices.Equal(b.doors.by, []gateway.DueKey{gateway.ByOffice, gateway.ByService}) {
		t.Errorf("%d, by %v", w.Code, b.doors.by)
	}
	if w := b.call("GET /deadlines/next", b.request(Reader, "GET", "/deadlines/next?limit=5", "")); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"next":"c"`) {
		t.Error(w.Code, w.Body)
	}
	for _, bad := range []string{"group=person", "group=office,office", "group=", "overdue=perhaps", "limit=5"} {
		w := b.call("GET /deadlines", b.request(Reader, "GET", "/deadlines?"+bad, ""))
		if want := map[bool]int{true: http.StatusOK, false: http.StatusBadRequest}[bad == "group="]; w.Code != want {
			t.Errorf("%s: %d", bad, w.Code)
		}
	}
	// A key of an office counts and lists that office's only.
	r := b.request(Reader, "GET", "/deadlines/next", "")
	r.Header.Set("Authorization", "Bearer "+eastKey)
	if w := b.call("GET /deadlines/next", r); w.Code != http.StatusOK || b.doors.asked.Office != "east" {
		t.Errorf("%d, office %q", w.Code, b.doors.asked.Office)
	}
	r = b.request(Reader, "GET", "/deadlines?office=west", "")
	r.Header.Set("Authorization", "Bearer "+eastKey)
	if w := b.call("GET /deadlines", r); w.Code != http.StatusBadRequest {
		t.Errorf("another office: %d", w.Code)
	}
}

func TestSuspensionByREST(t *testing.T) {
	b := setup(t)
	b.doors.application = func(string) (*gateway.Application, error) { return someApplication(1), nil }
	const ok = `{"days":10,"reason":{"ru":"ждём","kk":"күтудеміз"}}`
	for _, k := range []struct {
		role       Role
		path, body string
		want       int
	}{
		{Official, "suspension", ok, http.StatusOK}, {Specialist, "suspension", ok, http.StatusForbidden},
		{Official, "suspension", `{"days":0,"reason":{"ru":"а","kk":"а"}}`, http.StatusUnprocessableEntity},
		{Official, "suspension", `{"days":1,"reason":{"ru":"а"}}`, http.StatusUnprocessableEntity},
		{Specialist, "resumption", "", http.StatusOK}, {Reader, "resumption", "", http.StatusForbidden},
	} {
		w := b.call("POST /applications/:number/"+k.path, b.request(k.role, "POST", "/applications/N-1/"+k.path, k.body))
		if w.Code != k.want {
			t.Errorf("%s %s %s: %d, want %d: %s", k.role, k.path, k.body, w.Code, k.want, w.Body)
		}
	}
}
