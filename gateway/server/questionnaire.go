package server

import (
	"bytes"
	_ "embed"
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strconv"

	"github.com/gin-gonic/gin"

	"kopir/gateway"
	"kopir/mappings"
)

//go:embed questionnaire.html
var questionnaireHTML string

var questionnairePage = template.Must(template.New("questionnaire").Parse(questionnaireHTML))

// maxToken is longer than any token.
const maxToken = 64

func (s *Server) mountQuestionnaire(e *gin.Engine) {
	q := e.Group("/q", s.catchPanics(s.writeProblem), s.limitConcurrency(s.slots, s.writeProblem), s.limitTime)
	q.GET("/:token", s.showQuestionnaire)
	q.POST("/:token", s.takeQuestionnaire)
}

// pageLanguage is the one asked for by ?lang, else by the browser.
func pageLanguage(c *gin.Context) string {
	if l := c.Query("lang"); slices.Contains(languages, l) {
		return l
	}
	return languageOf(c.Request)
}

func (s *Server) showQuestionnaire(c *gin.Context) {
	q, err := s.questions(c)
	s.writeQuestionnaire(c, q, err, "")
}

func (s *Server) questions(c *gin.Context) (*gateway.Questions, error) {
	if len(c.Param("token")) > maxToken {
		return nil, &gateway.Error{Code: gateway.NotFound, Field: "token"}
	}
	return s.doors.Questionnaire(c.Request.Context(), c.Param("token"))
}

// takeQuestionnaire takes the form of the page.
func (s *Server) takeQuestionnaire(c *gin.Context) {
	q, err := s.questions(c)
	if err != nil {
		s.writeQuestionnaire(c, q, err, "")
		return
	}
	lang := pageLanguage(c)
	answers, ok := formAnswers(c)
	if !ok || !q.Fits(answers) {
		s.writeQuestionnaire(c, q, nil, q.Incomplete.In(lang))
		return
	}
	if err = s.doors.AnswerQuestionnaire(c.Request.Context(), c.Param("token"), answers); err == nil {
		thanks := q.Thanks.In(lang)
		q.Questionnaire = &mappings.Questionnaire{Title: q.Title, Send: q.Send}
		s.writeQuestionnaire(c, q, nil, thanks)
		return
	}
	s.writeQuestionnaire(c, q, err, "")
}

func formAnswers(c *gin.Context) (map[string]int, bool) {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, 8<<10)
	if err := c.Request.ParseForm(); err != nil {
		return nil, false
	}
	answers := map[string]int{}
	for name, values := range c.Request.PostForm {
		n, err := strconv.Atoi(values[0])
		if err != nil || len(values) != 1 {
			return nil, false
		}
		answers[name] = n
	}
	return answers, true
}

type pageQuestion struct {
	ID, Text string
	Grades   []pageGrade
}

type pageGrade struct {
	Value int
	Text  string
}

// writeQuestionnaire writes the page: the form, or a note in its place. The
// address holds the token, so that nobody is told where the reader came from.
func (s *Server) writeQuestionnaire(c *gin.Context, q *gateway.Questions, err error, note string) {
	lang, status := pageLanguage(c), http.StatusOK
	page := struct {
		Lang, Title, Service, Note, Send string
		Questions                        []pageQuestion
	}{Lang: lang, Note: note}
	switch {
	case errors.Is(err, gateway.NotFound):
		all := s.doors.QuestionnaireTexts()
		status, page.Title, page.Note = http.StatusNotFound, all.Title.In(lang), all.Gone.In(lang)
	case err != nil:
		s.writeProblem(c, failOf(err))
		return
	default:
		page.Title, page.Service, page.Send = q.Title.In(lang), q.Service.In(lang), q.Send.In(lang)
		for _, one := range q.Questions {
			p := pageQuestion{ID: one.ID, Text: one.Text.In(lang)}
			for _, g := range q.Scale {
				p.Grades = append(p.Grades, pageGrade{g.Value, g.Text.In(lang)})
			}
			page.Questions = append(page.Questions, p)
		}
	}
	var b bytes.Buffer
	if err := questionnairePage.Execute(&b, page); err != nil {
		s.writeProblem(c, &fail{code: codeInternal, cause: err})
		return
	}
	c.Header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	c.Header("Referrer-Policy", "no-referrer")
	c.Header("Cache-Control", "no-store")
	c.Header("Content-Language", lang)
	c.Data(status, "text/html; charset=utf-8", b.Bytes())
}

// readQuestionnaire is the same for machines.
func (s *Server) readQuestionnaire(c *gin.Context) *fail {
	q, err := s.questions(c)
	if err != nil {
		return failOf(err)
	}
	type grade struct {
		Value int           `json:"value"`
		Text  mappings.Text `json:"text"`
	}
	type question struct {
		ID   string        `json:"id"`
		Text mappings.Text `json:"text"`
	}
	out := struct {
		Service   mappings.Text `json:"service"`
		Title     mappings.Text `json:"title"`
		Questions []question    `json:"questions"`
		Scale     []grade       `json:"scale"`
	}{Service: q.Service, Title: q.Title}
	for _, one := range q.Questions {
		out.Questions = append(out.Questions, question{one.ID, one.Text})
	}
	for _, g := range q.Scale {
		out.Scale = append(out.Scale, grade{g.Value, g.Text})
	}
	writeJSON(c, http.StatusOK, out)
	return nil
}

func (s *Server) answerQuestionnaire(c *gin.Context, body []byte) *fail {
	var in struct {
		Answers map[string]int `json:"answers"`
	}
	if bad := decodeJSON(c.Request, body, &in); bad != nil {
		return bad
	}
	if _, err := s.questions(c); err != nil {
		return failOf(err)
	}
	if err := s.doors.AnswerQuestionnaire(c.Request.Context(), c.Param("token"), in.Answers); err != nil {
		return failOf(err)
	}
	c.Status(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
	return nil
}

func (s *Server) questionnaireSummary(c *gin.Context) *fail {
	q := readQuery(c)
	if bad := q.fail(); bad != nil {
		return bad
	}
	if p, _ := principalOf(c); p.Office != "" { // the sums are of all offices
		return &fail{code: codeForbidden, values: []any{"role", p.Role.String() + "@" + p.Office, "needed", p.Role}}
	}
	groups, err := s.doors.QuestionnaireSummary(c.Request.Context())
	if err != nil {
		return failOf(err)
	}
	writeJSON(c, http.StatusOK, map[string]any{"groups": groups})
	return nil
}
