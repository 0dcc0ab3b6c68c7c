package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"kopir/gateway"
	"kopir/mappings"
)

var builtin = sync.OnceValues(mappings.Builtin)

// asked is a bridge with one questionnaire, under the token "good".
type asked struct {
	gateway.Doors
	t        *testing.T
	answered []map[string]int
}

func (a *asked) QuestionnaireTexts() *mappings.Questionnaire {
	set, faults := builtin()
	if len(faults) > 0 {
		a.t.Fatal(faults)
	}
	return set.Questionnaire
}

func (a *asked) Questionnaire(_ context.Context, token string) (*gateway.Questions, error) {
	if token != "good" || len(a.answered) > 0 {
		return nil, &gateway.Error{Code: gateway.NotFound, Field: "token"}
	}
	return &gateway.Questions{Service: mappings.Text{Ru: "Услуга <1>", Kk: "Қызмет <1>"}, Questionnaire: a.QuestionnaireTexts()}, nil
}

func (a *asked) AnswerQuestionnaire(_ context.Context, token string, answers map[string]int) error {
	if _, err := a.Questionnaire(context.Background(), token); err != nil {
		return err
	}
	a.answered = append(a.answered, answers)
	return nil
}

func (a *asked) QuestionnaireSummary(context.Context) ([]gateway.QuestionnaireGroup, error) {
	return []gateway.QuestionnaireGroup{{Service: "s", Channel: gateway.Portal, Suppressed: true}}, nil
}

// TestQuestionnairePage: the page asks in the reader's language, takes the
// answers once, and tells nobody where he came from.
func TestQuestionnairePage(t *testing.T) {
	doors := &asked{t: t}
	b := setup(t, func(o *Options) { o.Doors = doors })
	get := func(path, lang string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Accept-Language", lang)
		w := httptest.NewRecorder()
		b.Handler().ServeHTTP(w, r)
		return w
	}
	post := func(path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		b.Handler().ServeHTTP(w, r)
		return w
	}
	for lang, want := range map[string]string{"kk": "қанағаттанамын", "ru": "удовлетворен", "en": "satisfied"} {
		for _, w := range []*httptest.ResponseRecorder{get("/q/good", lang), get("/q/good?lang="+lang, "de")} {
			if body := w.Body.String(); w.Code != 200 || !strings.Contains(body, want) || strings.Count(body, `type="radio"`) != 6 || strings.Contains(body, "<1>") {
				t.Errorf("%s: %d %s", lang, w.Code, body)
			}
			if w.Header().Get("Referrer-Policy") != "no-referrer" || w.Header().Get("Cache-Control") != "no-store" || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("headers %v", w.Header())
			}
		}
	}
	for _, bad := range []string{"", "process=3", "process=3&information=9", "process=3&process=2&information=1", "process=x&information=1", "process=3&information=1&iin=1"} {
		if w := post("/q/good?lang=ru", bad); w.Code != 200 || !strings.Contains(w.Body.String(), "Ответьте на все вопросы") || len(doors.answered) > 0 {
			t.Errorf("%q: %d", bad, w.Code)
		}
	}
	if w := post("/q/good?lang=ru", "process=3&information=1"); w.Code != 200 || !strings.Contains(w.Body.String(), "Спасибо") || strings.Contains(w.Body.String(), "radio") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if len(doors.answered) != 1 || doors.answered[0]["process"] != 3 || doors.answered[0]["information"] != 1 {
		t.Errorf("%v", doors.answered)
	}
	for _, w := range []*httptest.ResponseRecorder{get("/q/good", "ru"), get("/q/other", "ru"), get("/q/"+strings.Repeat("x", 100), "ru"), post("/q/good", "process=3&information=1")} {
		if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "уже заполнена") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

// TestQuestionnaireREST is the same for machines; the sums ask for a key.
func TestQuestionnaireREST(t *testing.T) {
	doors := &asked{t: t}
	b := setup(t, func(o *Options) { o.Doors = doors })
	call := func(method, path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/api/v1"+path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		b.Handler().ServeHTTP(w, r)
		return w
	}
	if w := call("GET", "/questionnaire/good", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"id":"information"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := call("POST", "/questionnaire/good", `{"answers":{"process":"3"}}`); w.Code != 422 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := call("POST", "/questionnaire/good", `{"answers":{"process":3,"information":2}}`); w.Code != 204 || len(doors.answered) != 1 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := call("POST", "/questionnaire/good", `{"answers":{"process":3,"information":2}}`); w.Code != 404 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := call("GET", "/questionnaire/summary", ""); w.Code != 401 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w := b.call("GET /questionnaire/summary", b.request(Reader, "GET", "/questionnaire/summary", ""))
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"suppressed":true`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
