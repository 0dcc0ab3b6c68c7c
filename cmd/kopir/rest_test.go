package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"kopir/gateway"
	"kopir/gateway/server"
)

// desk calls the REST door of a running bridge with a key.
type restDesk struct {
	t   *testing.T
	p   *play
	key string
}

type restAnswer struct {
	status  int
	header  http.Header
	body    []byte
	app     gateway.Application
	page    gateway.Page
	problem server.Problem
}

func (d *restDesk) call(method, path, body string, headers ...string) restAnswer {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.p.bridge+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+d.key)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	a := restAnswer{status: resp.StatusCode, header: resp.Header}
	if a.body, err = io.ReadAll(resp.Body); err != nil {
		d.t.Fatal(err)
	}
	switch {
	case resp.StatusCode >= 400:
		err = json.Unmarshal(a.body, &a.problem)
	case bytes.Contains(a.body, []byte(`"applications":`)):
		err = json.Unmarshal(a.body, &a.page)
	case bytes.HasPrefix(a.body, []byte(`{"number":`)):
		err = json.Unmarshal(a.body, &a.app)
	}
	if err != nil {
		d.t.Fatalf("%s %s: %v in %s", method, path, err, a.body)
	}
	return a
}

// want fails unless the answer has the status and, for a refusal, the code.
func (d *restDesk) want(a restAnswer, status int, code string) restAnswer {
	d.t.Helper()
	if a.status != status || a.problem.Code != code {
		d.t.Errorf("%d %s, want %d %s: %s", a.status, a.problem.Code, status, code, a.body)
	}
	return a
}

// document has the office's specialist sign an application.
func (d *restDesk) document(order string) string {
	d.t.Helper()
	b, err := d.p.send(d.t.Context(), "POST", d.p.simulator+"/sim/documents", "application/json", []byte(order), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(b)
}

const intake = "/applications?service=almaty-unemployed-certificate"

// TestRESTOverTheRealStore walks every way of the REST door on a running bridge.
func TestRESTOverTheRealStore(t *testing.T) {
	p, end := testPlay(t)
	defer end()
	p.start(t.Context())
	specialist, admin := &restDesk{t, p, p.key}, &restDesk{t, p, p.admin}
	xml := []string{"Content-Type", "application/xml"}

	// Intake of the office channel.
	good := specialist.document(`{"channel":"office","person":"citizen2"}`)
	first := specialist.want(specialist.call("POST", intake+"&id=office-1", good, xml...), 201, "")
	if first.header.Get("Location") != "/api/v1/applications/"+first.app.Number || first.header.Get("ETag") != `"v1"` || first.app.Channel != gateway.Office {
		t.Errorf("%v %+v", first.header, first.app)
	}
	if again := specialist.want(specialist.call("POST", intake+"&id=office-1", good, xml...), 201, ""); again.app.Number != first.app.Number {
		t.Errorf("the same document made %s beside %s", again.app.Number, first.app.Number)
	}
	specialist.want(specialist.call("POST", intake+"&id=office-1", specialist.document(`{"channel":"office","person":"citizen3"}`), xml...), 409, "duplicate_id")
	specialist.want(specialist.call("POST", "/applications?service=nothing&id=x", good, xml...), 422, "unknown_service")
	specialist.want(specialist.call("POST", intake+"&id=office-2", "<not xml", xml...), 400, "malformed")
	for id, order := range map[string]string{
		"unsigned": `{"channel":"office","person":"citizen2","tweaks":{"unsigned":true}}`,
		"tampered": `{"channel":"office","person":"citizen2","tweaks":{"tampered":true}}`,
		"revoked":  `{"channel":"office","person":"citizen2","tweaks":{"certificate":"revoked"}}`,
	} {
		a := specialist.call("POST", intake+"&id="+id, specialist.document(order), append(xml, "Accept-Language", "kk")...)
		if a.status != 422 || a.header.Get("Content-Language") != "kk" || len(a.problem.Faults) == 0 {
			t.Errorf("%s: %d %s", id, a.status, a.body)
		}
	}
	faulty := specialist.call("POST", intake+"&id=faulty", specialist.document(`{"channel":"office","person":"citizen2","tweaks":{"set":{"delivery":"pigeon","applicant/birthDate":"yesterday"},"drop":["applicant/surname"]}}`), xml...)
	if faulty.status != 422 || len(faulty.problem.Faults) < 3 {
		t.Errorf("every field fault at once: %d %s", faulty.status, faulty.body)
	}
	for _, f := range faulty.problem.Faults {
		if f.Message == "" || strings.HasPrefix(f.Message, "[") {
			t.Errorf("a fault without a sentence: %+v", f)
		}
	}

	// Work on it.
	at := "/applications/" + url.PathEscape(first.app.Number)
	specialist.want(specialist.call("POST", at+"/take", "", "If-Match", `"v99"`), 412, "stale_version")
	taken := specialist.want(specialist.call("POST", at+"/take", `{"actor":{"name":"A"}}`, "Idempotency-Key", "take-1"), 200, "")
	replayed := specialist.want(specialist.call("POST", at+"/take", `{"actor":{"name":"A"}}`, "Idempotency-Key", "take-1"), 200, "")
	if !bytes.Equal(taken.body, replayed.body) || replayed.header.Get("Idempotency-Replayed") != "true" || replayed.header.Get("ETag") != taken.header.Get("ETag") {
		t.Errorf("replayed %v %s", replayed.header, replayed.body)
	}
	specialist.want(specialist.call("POST", at+"/take", `{"actor":{"name":"B"}}`, "Idempotency-Key", "take-1"), 422, "idempotency_key_reused")
	specialist.want(specialist.call("POST", at+"/take", `{"actor":{"name":"B"}}`), 409, "move_not_allowed")
	handed := specialist.want(specialist.call("POST", at+"/handover", `{"actor":{"name":"A"},"to":{"name":"B"}}`), 200, "")
	if handed.app.Executor.Name != "B" {
		t.Errorf("handed over to %+v", handed.app.Executor)
	}
	why := `{"ru":"нужна справка","kk":"анықтама қажет"}`
	specialist.want(specialist.call("POST", at+"/extension", `{"actor":{"name":"B"},"days":3,"reason":`+why+`}`), 403, "forbidden")
	extended := admin.want(admin.call("POST", at+"/extension", `{"actor":{"name":"B"},"days":3,"reason":`+why+`}`, "If-Match", handed.header.Get("ETag")), 200, "")
	if !extended.app.Extended || !extended.app.DueAt.After(handed.app.DueAt) {
		t.Errorf("extended from %s to %s", handed.app.DueAt, extended.app.DueAt)
	}
	returned := specialist.want(specialist.call("POST", at+"/return", `{"actor":{"name":"B"},"reason":`+why+`}`), 200, "")
	if returned.app.State != gateway.Received {
		t.Errorf("returned to %s", returned.app.State)
	}
	specialist.want(specialist.call("POST", at+"/take", `{"actor":{"name":"C"}}`), 200, "")
	specialist.want(specialist.call("POST", at+"/decision", good, append(xml, "If-Match", `"v1"`)...), 412, "stale_version")
	if a := specialist.call("POST", at+"/decision", "<result>unsigned</result>", xml...); a.status != 422 {
		t.Errorf("an unsigned result: %d %s", a.status, a.body)
	}
	if a := specialist.call("GET", at+"/result", ""); a.status != 404 {
		t.Errorf("a result before there is one: %d %s", a.status, a.body)
	}
	refused := specialist.want(specialist.call("POST", at+"/refusal", `{"actor":{"name":"C"},"ground":{"text":`+why+`}}`), 200, "")
	if refused.app.State != gateway.Refused || refused.app.Refusal == nil {
		t.Errorf("refused: %+v", refused.app)
	}
	specialist.want(specialist.call("POST", at+"/refusal", `{"actor":{"name":"C"},"ground":{"text":`+why+`}}`), 409, "move_not_allowed")
	specialist.want(specialist.call("GET", "/applications/UC-0000-000000", ""), 404, "not_found")
	specialist.want(specialist.call("POST", "/applications/UC-0000-000000/take", ""), 404, "not_found")

	// Lists.
	for _, person := range []string{"citizen", "citizen3"} {
		specialist.want(specialist.call("POST", intake, specialist.document(`{"channel":"office","person":"`+person+`"}`), xml...), 201, "")
	}
	seen := map[string]bool{}
	for next := ""; ; {
		a := specialist.want(specialist.call("GET", "/applications?limit=1&channel=office&cursor="+url.QueryEscape(next), ""), 200, "")
		for _, x := range a.page.Applications {
			if seen[x.Number] {
				t.Errorf("%s is on two pages", x.Number)
			}
			seen[x.Number] = true
		}
		if next = a.page.Next; next == "" {
			break
		}
	}
	if len(seen) < 3 {
		t.Errorf("%d applications on all pages", len(seen))
	}
	specialist.want(specialist.call("GET", "/applications?cursor=nonsense", ""), 400, "malformed")
	if a := specialist.call("GET", "/applications?state=refused&office=almaty-medeu-district-department&overdue=false", ""); len(a.page.Applications) == 0 || a.page.Applications[0].Number != first.app.Number {
		t.Errorf("by state and office: %d %s", a.status, a.body)
	}
	if a := specialist.call("POST", "/history", `{"iin":"850505400028"}`); len(a.page.Applications) == 0 || a.page.Applications[0].Applicant.IIN != "850505400028" {
		t.Errorf("history: %d %s", a.status, a.body)
	}
	if a := specialist.call("GET", "/services", ""); !bytes.Contains(a.body, []byte("ALMATY_UNEMPLOYED_CERTIFICATE")) {
		t.Errorf("services: %s", a.body)
	}

	// What it told.
	var tl gateway.Timeline
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err := json.Unmarshal(specialist.call("GET", at+"/timeline", "").body, &tl); err != nil {
			t.Fatal(err)
		}
		open := 0
		for _, d := range tl.Deliveries {
			if d.State != gateway.Done {
				open++
			}
		}
		if len(tl.Deliveries) > 0 && open == 0 {
			break
		}
	}
	for _, d := range tl.Deliveries {
		if d.State != gateway.Done {
			t.Errorf("delivery to %s is %s: %s", d.Route, d.State, d.Error)
		}
	}
	if len(tl.Events) < 6 || len(tl.Dues) == 0 || len(tl.Evidence) == 0 {
		t.Errorf("timeline: %d events, %d dues, %d verdicts", len(tl.Events), len(tl.Dues), len(tl.Evidence))
	}
	list := admin.call("GET", "/deliveries?state=done&application="+url.QueryEscape(first.app.Number), "")
	var page gateway.DeliveryPage
	if err := json.Unmarshal(list.body, &page); err != nil || len(page.Deliveries) != len(tl.Deliveries) {
		t.Errorf("deliveries: %v %d", err, len(page.Deliveries))
	}
	specialist.want(specialist.call("POST", "/deliveries/x/retry", ""), 403, "forbidden")
	admin.want(admin.call("POST", "/deliveries/x/retry", ""), 404, "not_found")
	admin.want(admin.call("POST", "/deliveries/"+page.Deliveries[0].ID+"/retry", ""), 409, "move_not_allowed")
}
