package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"html/template"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"kopir/gateway"
	"kopir/mappings"
)

// mountVerify serves the address of the QR code: open to everybody who holds
// it, and for nothing but what the page says.
func (s *Server) mountVerify(r gin.IRouter) {
	open := r.Group("/verify", s.catchPanics(s.writeProblem), s.limitGuests, s.limitConcurrency(s.slots, s.writeProblem), s.limitTime)
	open.GET("/:token", s.verify)
	open.POST("/:token", s.verify)
}

// maxVerified bounds a file that is sent to be compared.
const maxVerified = 16 << 20

var digestPattern = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)

func (s *Server) verify(c *gin.Context) {
	digest, bad := s.digestOf(c)
	if bad == nil {
		var v *gateway.Verification
		var err error
		if v, err = s.doors.Verify(c.Request.Context(), c.Param("token"), digest); err == nil {
			s.writeVerification(c, v)
			return
		}
		bad = failOf(err)
	}
	if !wantsHTML(c.Request) {
		s.writeProblem(c, bad)
		return
	}
	lang := s.pageLanguage(c)
	status := statusOf[bad.code]
	note(c, bad)
	s.writePage(c, status, lang, page{Fault: s.texts().Get(lang, "problem."+bad.code, bad.values...)})
}

// digestOf is the digest to compare: given as such, or of the file sent, as the
// body itself or as a form's. The file is not kept.
func (s *Server) digestOf(c *gin.Context) (string, *fail) {
	if c.Request.Method == http.MethodGet {
		q := readQuery(c, "sha256", "lang")
		if d := q.one("sha256"); d != "" && !digestPattern.MatchString(d) {
			q.bad("sha256", "digest")
		}
		return q.one("sha256"), q.fail()
	}
	var file io.Reader = http.MaxBytesReader(nil, c.Request.Body, maxVerified)
	if media, _, _ := mime.ParseMediaType(c.GetHeader("Content-Type")); media == "multipart/form-data" {
		c.Request.Body = io.NopCloser(file)
		form, err := c.Request.MultipartReader()
		if err != nil {
			return "", &fail{code: codeBadRequest, cause: err}
		}
		for {
			part, err := form.NextPart()
			if err != nil {
				return "", unreadableFile(err)
			}
			if part.FormName() == "file" {
				file = part
				break
			}
		}
	}
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", unreadableFile(err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func unreadableFile(err error) *fail {
	if m := (*http.MaxBytesError)(nil); errors.As(err, &m) {
		return &fail{code: codeTooLarge, values: []any{"limit", maxVerified}}
	}
	return &fail{code: codeBadRequest, cause: err}
}

func wantsHTML(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

func (s *Server) pageLanguage(c *gin.Context) string {
	switch l := c.Query("lang"); l {
	case mappings.Kazakh, mappings.Russian, mappings.English:
		return l
	}
	return languageOf(c.Request)
}

func (s *Server) writeVerification(c *gin.Context, v *gateway.Verification) {
	if !wantsHTML(c.Request) {
		writeJSON(c, http.StatusOK, v)
		return
	}
	lang := s.pageLanguage(c)
	p := page{Rows: [][2]string{
		{s.texts().Get(lang, "verify.number"), v.Number},
		{s.texts().Get(lang, "verify.service"), v.Service.In(lang)},
		{s.texts().Get(lang, "verify.result"), v.Result.In(lang)},
		{s.texts().Get(lang, "verify.outcome"), s.texts().Get(lang, "verify."+v.Outcome)},
		{s.texts().Get(lang, "verify.date"), v.At.In(s.zone).Format("02.01.2006 15:04")},
		{"SHA-256", v.SHA256},
	}, Form: true, Good: v.Match != "nothing"}
	if v.Match != "" {
		p.Match = s.texts().Get(lang, "verify.match-"+v.Match)
	}
	s.writePage(c, http.StatusOK, lang, p)
}

// page is what the page of a result shows.
type page struct {
	Lang, Title, Lead, Choose, Compare, Privacy string
	Fault, Match                                string
	Good, Form                                  bool
	Rows                                        [][2]string
	Languages                                   []string
}

var pageTemplate = template.Must(template.New("verify").Parse(`<!doctype html>
<html lang="{{.Lang}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex"><title>{{.Title}}</title>
<style>body{font:16px/1.45 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}h1{font-size:1.4rem}table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.45rem .6rem .45rem 0;border-bottom:1px solid #ddd;overflow-wrap:anywhere}th{font-weight:400;color:#555;width:34%}.match{padding:.7rem 1rem;border-left:.3rem solid #a00;background:#fbeaea}.good{border-color:#070;background:#eaf6ea}form{margin-top:1.5rem}small{color:#555}nav{float:right}</style></head>
<body><nav>{{range .Languages}}<a href="?lang={{.}}">{{.}}</a> {{end}}</nav><h1>{{.Title}}</h1>
{{if .Fault}}<p class="match">{{.Fault}}</p>{{else}}<p>{{.Lead}}</p>
{{if .Match}}<p class="match{{if .Good}} good{{end}}">{{.Match}}</p>{{end}}
<table>{{range .Rows}}<tr><th>{{index . 0}}</th><td>{{index . 1}}</td></tr>{{end}}</table>{{end}}
{{if .Form}}<form method="post" enctype="multipart/form-data"><p><label>{{.Choose}}<br><input type="file" name="file" required></label></p><p><button>{{.Compare}}</button></p><small>{{.Privacy}}</small></form>{{end}}
</body></html>
`))

func (s *Server) writePage(c *gin.Context, status int, lang string, p page) {
	p.Lang, p.Languages = lang, languages
	p.Title, p.Lead, p.Choose = s.texts().Get(lang, "verify.title"), s.texts().Get(lang, "verify.lead"), s.texts().Get(lang, "verify.choose")
	p.Compare, p.Privacy = s.texts().Get(lang, "verify.compare"), s.texts().Get(lang, "verify.privacy")
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		s.writeProblem(c, &fail{code: codeInternal, cause: err})
		return
	}
	c.Header("Content-Language", lang)
	c.Header("Cache-Control", "no-store")
	c.Header("Referrer-Policy", "no-referrer") // the address is the secret
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	c.Data(status, "text/html; charset=utf-8", b.Bytes())
}

// guests counts the requests of one minute by address, so that nobody can try
// tokens in bulk or have us compute digests all day.
type guests struct {
	mu    sync.Mutex
	since time.Time
	count map[string]int
}

// The limits of a minute: of one address, and of addresses that are counted
// apart; those beyond share one count.
const (
	guestLimit = 60
	maxGuests  = 10000
)

// allow counts one more and says whether it may pass.
func (g *guests) allow(who string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.count == nil || now.Sub(g.since) >= time.Minute || now.Before(g.since) {
		g.since, g.count = now, map[string]int{}
	}
	if _, known := g.count[who]; !known && len(g.count) >= maxGuests {
		who = ""
	}
	g.count[who]++
	return g.count[who] <= guestLimit
}

func (s *Server) limitGuests(c *gin.Context) {
	if !s.guests.allow(c.ClientIP(), s.clock()) {
		s.metrics.refused.WithLabelValues("guest").Inc()
		s.writeProblem(c, &fail{code: codeOverloaded, status: http.StatusTooManyRequests, header: map[string]string{"Retry-After": "60"}})
	}
}
