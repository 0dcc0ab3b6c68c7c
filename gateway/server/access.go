package server

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"kopir/gateway"
)

// Access is one reading of a person's data.
type Access struct {
	Who         string // name of the API key, or partner/SENDER
	What        string // method and path of the call
	Application string // number; empty with lists
	Filter      string // what a list was asked for; nothing of a person
}

// impersonal are the readings that show nothing of a person: descriptions,
// counts, and what belongs to a token that names nobody.
var impersonal = []string{"/services", "/offices", "/deadlines", "/questionnaire/summary", "/questionnaire/:token", "/drift", "/deliveries/groups"}

// personal says whether a call reads a person's data. Whoever changes something
// stands in the history of the application with what was changed.
func (r route) personal() bool {
	if r.method == "GET" {
		return !slices.Contains(impersonal, r.path)
	}
	return r.path == "/history" || r.path == "/applications/:number/result/draft"
}

// noteAccess has it recorded who reads a person's data, before it is read: what
// cannot be recorded is not given. Who asks for what is not there reads nothing.
func (s *Server) noteAccess(row route) gin.HandlerFunc {
	if s.access == nil || !row.personal() {
		return func(*gin.Context) {}
	}
	what := row.method + " " + row.path
	return func(c *gin.Context) {
		p, _ := principalOf(c)
		a := Access{Who: p.Name, What: what, Application: c.Param("number")}
		if a.Application == "" {
			a.Filter = filterOf(row, c.Request.URL.Query())
		} else if _, err := s.doors.Application(c.Request.Context(), a.Application); gateway.CodeOf(err) == gateway.NotFound {
			return // the handler says so
		}
		if err := s.access(c.Request.Context(), a); err != nil {
			s.writeProblem(c, &fail{code: string(gateway.TryLater), cause: err})
			c.Abort()
		}
	}
}

// Values of a filter that are recorded as they are; a name, or a personal
// number, is in none of them.
var (
	plainValue = regexp.MustCompile(`^[A-Za-z0-9:.+_-]{1,64}$`)
	longNumber = regexp.MustCompile(`[0-9]{12}`)
)

// filterOf is what a list was asked for, in the order of the names. A page is no
// filter; what came in a body is named alone.
func filterOf(row route, asked url.Values) string {
	if row.path == "/history" {
		return "iin"
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		if name == "cursor" || name == "after" || name == "limit" {
			continue
		}
		for _, v := range asked[name] {
			if !plainValue.MatchString(v) || longNumber.MatchString(v) {
				v = "?"
			}
			if plainValue.MatchString(name) && !longNumber.MatchString(name) && len(all) < 16 {
				all = append(all, name+"="+v)
			}
		}
	}
	return strings.Join(all, "&")
}
