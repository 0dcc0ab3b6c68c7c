package gateway_test

import (
	"database/sql"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap/zapcore"

	"kopir/gateway"
)

var link = regexp.MustCompile(`https://kopir\.example/q/([A-Z2-7]{26})`)

// TestQuestionnaire: the link comes with the letter and the notice, its token is
// spent by the first answer, and nothing beside the answers leads to who gave
// them.
func TestQuestionnaire(t *testing.T) {
	w := newTown(t)
	email := &mailbox{}
	o := w.options(zapcore.NewNopCore())
	o.Posts, o.PublicURL = map[gateway.Route]gateway.Post{gateway.ToEmail: email}, "https://kopir.example/"
	var err error
	if w.bridge, err = gateway.New(o); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	app := w.finishWith(map[string]string{"delivery": "email", "email": "citizen@example.kz", "language": "kk"})
	for range 3 {
		w.deliver()
	}
	if len(email.got) != 1 {
		t.Fatalf("%d letters", len(email.got))
	}
	found := link.FindStringSubmatch(email.got[0].Text)
	if found == nil {
		t.Fatalf("no link in the letter: %s", email.got[0].Text)
	}
	if !slices.ContainsFunc(w.post.taken(), func(d gateway.Delivery) bool {
		return d.Route == gateway.ToPortal && strings.Contains(string(d.Body), found[0])
	}) {
		t.Error("no link in the portal's notices")
	}
	token := found[1]
	q, err := w.bridge.Questionnaire(ctx, token)
	if err != nil || q.Service.Kk == "" || len(q.Questions) != 2 || len(q.Scale) != 3 {
		t.Fatalf("%+v %v", q, err)
	}
	for _, bad := range []map[string]int{nil, {"process": 3}, {"process": 3, "information": 4}, {"process": 3, "information": 0}, {"process": 1, "information": 1, "iin": 1}} {
		if err := w.bridge.AnswerQuestionnaire(ctx, token, bad); !errors.Is(err, gateway.Malformed) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	good := map[string]int{"process": 3, "information": 2}
	if err := w.bridge.AnswerQuestionnaire(ctx, token, good); err != nil {
		t.Fatal(err)
	}
	if err := w.bridge.AnswerQuestionnaire(ctx, token, good); !errors.Is(err, gateway.NotFound) {
		t.Errorf("answered twice: %v", err)
	}
	if _, err := w.bridge.Questionnaire(ctx, token); !errors.Is(err, gateway.NotFound) {
		t.Errorf("shown again: %v", err)
	}
	groups, err := w.bridge.QuestionnaireSummary(ctx)
	if err != nil || len(groups) != 1 || !groups[0].Suppressed || groups[0].Questions != nil {
		t.Errorf("one person's answers are shown: %+v %v", groups, err)
	}
	db, err := sql.Open("sqlite", w.storePath)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT * FROM questionnaire_answers")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
		values := make([]any, 6)
		into := make([]any, 6)
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			if s, ok := v.(string); ok && (strings.Contains(s, app.Number) || strings.Contains(s, token) || strings.Contains(s, "2026-11-25")) {
				t.Errorf("what leads to a person: %v", values)
			}
		}
	}
	if n != 2 {
		t.Errorf("%d rows", n)
	}
}

// TestNoQuestionnaire: without an address of our own none is offered.
func TestNoQuestionnaire(t *testing.T) {
	w := newTown(t)
	w.finish()
	for range 3 {
		w.deliver()
	}
	for _, d := range w.post.taken() {
		if strings.Contains(string(d.Body), "Questionnaire") {
			t.Errorf("%s", d.Body)
		}
	}
}
