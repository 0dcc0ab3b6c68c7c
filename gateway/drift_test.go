package gateway_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"kopir/gateway"
	"kopir/gateway/soap"
	"kopir/signature"
)

// drifting sends a document of the portal, changed before the citizen signs it.
func (w *town) drifting(id string, nested bool, change func(doc string) string) gateway.Reply {
	w.t.Helper()
	doc := change(string(w.document("portal", form("portal"), "")))
	signed, err := signature.SignEnveloped([]byte(doc), w.keys["citizen"], signature.SignOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	r := syncRequest(id, signed, w.clock())
	if nested {
		r.RequestData.Data, err = soap.InForm(soap.Nested, signed)
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return w.send(gateway.SyncDoor, w.envelope(r, "portal"))
}

// TestDrift: what comes otherwise than described is taken, counted, told to
// the log once, and kept beside the application; nothing of it holds a value.
func TestDrift(t *testing.T) {
	w := newTown(t)
	change := func(doc string) string {
		return strings.NewReplacer("<purpose>", "<purpose>", "</applicant>", "<citizenship>SECRET</citizenship></applicant>", "<consent>", `<consent given="SECRET">`,
			"<address>", `<address xmlns="urn:new">`).Replace(doc)
	}
	for _, id := range []string{"m-1", "m-2"} {
		if r := w.drifting(id, true, change); r.Code != "" {
			t.Fatalf("%s %s", r.Code, r.Bytes)
		}
	}
	apps := w.all()
	if len(apps) != 2 || apps[0].State != gateway.Received {
		t.Fatalf("%+v", apps)
	}
	all, err := w.bridge.Drift(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var places []string
	for _, d := range all {
		if d.Service != certificate || d.Partner != "PEP" || d.Times != 2 || d.Message == "" {
			t.Errorf("%+v", d)
		}
		places = append(places, string(d.Kind)+" "+d.Path)
	}
	if want := []string{"attribute consent/@given", "element applicant/citizenship", "form data", "namespace residence/address"}; !slices.Equal(places, want) {
		t.Errorf("%q, want %q", places, want)
	}
	if n := len(w.logs.FilterMessage("contract drift").All()); n != 4 {
		t.Errorf("%d lines of the log for 4 places", n)
	}
	line, err := w.bridge.Timeline(t.Context(), apps[0].Number)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(line.Events, func(e gateway.Event) bool { return e.Kind == gateway.EventDrift })
	if i < 0 || !strings.Contains(line.Events[i].Detail, "element applicant/citizenship") || strings.Contains(line.Events[i].Detail, "SECRET") {
		t.Errorf("%+v", line.Events)
	}
	kept, err := w.store.Evidence(t.Context(), apps[0].Number)
	if err != nil || !slices.ContainsFunc(kept, func(e gateway.Evidence) bool {
		return e.Kind == gateway.ByDrift && string(e.Document) == "<citizenship>SECRET</citizenship>\n"
	}) {
		t.Errorf("the unknown element is not kept: %v", err)
	}
	if apps[0].Fields[slices.IndexFunc(apps[0].Fields, func(f gateway.Field) bool { return f.Name == "address" })].Value != form("portal")["address"] {
		t.Error("an element in another namespace was not read")
	}
}

// TestDriftOfARefusal: an unknown code is refused, as the field says, and told.
func TestDriftOfARefusal(t *testing.T) {
	w := newTown(t)
	w.drifting("m-1", false, func(doc string) string { return strings.Replace(doc, "<delivery>in_person", "<delivery>by_drone", 1) })
	if len(w.all()) != 0 {
		t.Fatal("an unknown code was taken")
	}
	all, err := w.bridge.Drift(t.Context())
	if err != nil || len(all) != 1 || all[0].Kind != "code" || all[0].Path != "delivery" {
		t.Errorf("%v %+v", err, all)
	}
}

// TestDriftIsBounded: a partner who invents names fills neither the table nor the log.
func TestDriftIsBounded(t *testing.T) {
	w := newTown(t)
	for i := range 4 {
		r := w.drifting(fmt.Sprintf("m-%d", i), false, func(doc string) string {
			var b strings.Builder
			for k := range 300 {
				fmt.Fprintf(&b, "<x%d-%d/>", i, k)
			}
			return strings.Replace(doc, "</application>", b.String()+"<"+strings.Repeat("y", 900)+"/></application>", 1)
		})
		if r.Code != "" {
			t.Fatalf("%s", r.Bytes)
		}
	}
	all, err := w.bridge.Drift(t.Context())
	if err != nil || len(all) > 201 {
		t.Fatalf("%v: %d places", err, len(all))
	}
	if n := len(w.logs.FilterMessage("contract drift").All()); n != len(all) {
		t.Errorf("%d lines of the log for %d places", n, len(all))
	}
	i := slices.IndexFunc(all, func(d gateway.Drift) bool { return d.Path == "(others)" })
	if i < 0 || all[i].Times != 2 {
		t.Errorf("the others are not counted: %+v", all[max(i, 0)])
	}
}

// TestUnknownLocalCode: a code that the local system invents is told, and moves nothing.
func TestUnknownLocalCode(t *testing.T) {
	w := newTown(t)
	w.apply("m-1")
	w.deliver()
	w.localSQL(t, `UPDATE unemployed_certificate SET status_code = '77', status_changed_at = '2026-11-25 05:00:00'`)
	if _, err := w.bridge.Watch(t.Context(), certificate); err != nil {
		t.Fatal(err)
	}
	all, err := w.bridge.Drift(t.Context())
	if err != nil || len(all) != 1 || all[0].Partner != "local" || all[0].Kind != "code" || w.only().State != gateway.Received {
		t.Errorf("%v %+v", err, all)
	}
}
