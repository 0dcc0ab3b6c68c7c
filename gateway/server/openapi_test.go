package server

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// spec is the OpenAPI document as plain JSON, with just enough of JSON Schema
// to hold the examples and the answers of the tests against it.
type spec map[string]any

func loadSpec(t testing.TB) spec {
	t.Helper()
	var s spec
	if err := json.Unmarshal(openAPIDocument, &s); err != nil {
		t.Fatalf("openapi.json: %v", err)
	}
	return s
}

func (s spec) resolve(v any) map[string]any {
	m, _ := v.(map[string]any)
	for m != nil {
		ref, ok := m["$ref"].(string)
		if !ok {
			return m
		}
		var at any = map[string]any(s)
		for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
			at = at.(map[string]any)[part]
		}
		m, _ = at.(map[string]any)
		if m == nil {
			panic("openapi.json: reference to nothing: " + ref)
		}
	}
	return m
}

// validate returns every place where v does not fit the schema.
func (s spec) validate(schema, v any, at string) []string {
	m := s.resolve(schema)
	var bad []string
	fault := func(format string, args ...any) { bad = append(bad, at+": "+fmt.Sprintf(format, args...)) }
	for k := range m {
		if !slices.Contains([]string{"type", "properties", "required", "additionalProperties", "items", "enum", "pattern", "format",
			"minimum", "maximum", "maxLength", "description", "default", "contentEncoding"}, k) {
			fault("the test does not know the schema word %q", k)
		}
	}
	if !fitsType(m["type"], v) {
		fault("is %T, not %v", v, m["type"])
		return bad
	}
	if e, ok := m["enum"].([]any); ok && !slices.Contains(e, v) {
		fault("%v is not one of %v", v, e)
	}
	switch v := v.(type) {
	case map[string]any:
		props, _ := m["properties"].(map[string]any)
		if req, ok := m["required"].([]any); ok {
			for _, r := range req {
				if _, ok := v[r.(string)]; !ok {
					fault("%s is missing", r)
				}
			}
		}
		for k, x := range v {
			if p, ok := props[k]; ok {
				bad = append(bad, s.validate(p, x, at+"/"+k)...)
			} else if m["additionalProperties"] == false {
				fault("%s is not in the schema", k)
			}
		}
	case []any:
		for i, x := range v {
			bad = append(bad, s.validate(m["items"], x, fmt.Sprintf("%s/%d", at, i))...)
		}
	case string:
		if p, ok := m["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(v) {
			fault("%q does not match %s", v, p)
		}
		if m["format"] == "date-time" {
			if _, err := time.Parse(time.RFC3339, v); err != nil {
				fault("%q is no date-time", v)
			}
		}
	case float64:
		if lo, ok := m["minimum"].(float64); ok && v < lo {
			fault("%v is under %v", v, lo)
		}
		if hi, ok := m["maximum"].(float64); ok && v > hi {
			fault("%v is over %v", v, hi)
		}
	}
	return bad
}

func fitsType(t, v any) bool {
	switch t := t.(type) {
	case []any:
		return slices.ContainsFunc(t, func(x any) bool { return fitsType(x, v) })
	case string:
		switch v := v.(type) {
		case map[string]any:
			return t == "object"
		case []any:
			return t == "array"
		case string:
			return t == "string"
		case bool:
			return t == "boolean"
		case float64:
			return t == "number" || t == "integer" && v == math.Trunc(v)
		case nil:
			return t == "null"
		}
	}
	return false
}

// operations gives every operation as "METHOD /path/:in/gin's/notation".
func (s spec) operations() map[string]map[string]any {
	out := map[string]map[string]any{}
	for path, item := range s["paths"].(map[string]any) {
		gin := regexp.MustCompile(`\{(\w+)\}`).ReplaceAllString(path, ":$1")
		for method, op := range item.(map[string]any) {
			out[strings.ToUpper(method)+" "+gin] = op.(map[string]any)
		}
	}
	return out
}

// answer holds a body against what the document says of an operation's status.
func (s spec) answer(op string, status int, contentType string, body []byte) []string {
	o, ok := s.operations()[op]
	if !ok {
		return []string{op + " is not in openapi.json"}
	}
	r, ok := o["responses"].(map[string]any)[fmt.Sprint(status)]
	if !ok {
		return []string{fmt.Sprintf("%s: status %d is not in openapi.json", op, status)}
	}
	content, _ := s.resolve(r)["content"].(map[string]any)
	if content["*/*"] != nil {
		return nil
	}
	if len(content) == 0 {
		if len(body) > 0 {
			return []string{fmt.Sprintf("%s: status %d has a body that openapi.json does not know", op, status)}
		}
		return nil
	}
	media, ok := content[contentType].(map[string]any)
	if !ok {
		return []string{fmt.Sprintf("%s: status %d comes as %s", op, status, contentType)}
	}
	if schema, _ := media["schema"].(map[string]any); schema["format"] == "binary" {
		return nil
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return []string{fmt.Sprintf("%s: %v", op, err)}
	}
	return s.validate(media["schema"], v, op)
}

func TestOpenAPIHasEveryRouteAndNoOther(t *testing.T) {
	ops := loadSpec(t).operations()
	for _, r := range (&Server{}).routes() {
		name := r.method + " " + r.path
		op, ok := ops[name]
		if !ok {
			t.Errorf("%s is not in openapi.json", name)
			continue
		}
		want := "Least role: " + r.role.String() + "."
		switch {
		case r.partner && r.role == NoRole:
			want = "Partners alone."
		case r.partner:
			want += " Partners too."
		case r.role == NoRole:
			want = "No key is asked for."
		}
		if op["description"] != want {
			t.Errorf("%s: openapi.json says %q, the table of routes %q", name, op["description"], want)
		}
		if (r.read == nil) == (r.change == nil) {
			t.Errorf("%s must either read or change", name)
		}
		delete(ops, name)
	}
	for name := range ops {
		t.Errorf("%s is in openapi.json only", name)
	}
}

func TestOpenAPIExamplesFitTheirSchemas(t *testing.T) {
	s, seen := loadSpec(t), 0
	var walk func(v any, at string)
	walk = func(v any, at string) {
		switch v := v.(type) {
		case map[string]any:
			s.resolve(v) // panics on a reference to nothing
			if example, ok := v["example"]; ok && v["schema"] != nil {
				seen++
				for _, bad := range s.validate(v["schema"], example, at) {
					t.Error(bad)
				}
			}
			for k, x := range v {
				walk(x, at+"/"+k)
			}
		case []any:
			for i, x := range v {
				walk(x, fmt.Sprintf("%s/%d", at, i))
			}
		}
	}
	walk(map[string]any(s), "")
	if seen < 20 {
		t.Errorf("only %d examples were found", seen)
	}
}

// The JSON that the bridge's own nouns give must be what the document says,
// member by member, with every member filled.
func TestOpenAPIKnowsEveryMemberOfTheNouns(t *testing.T) {
	s := loadSpec(t)
	for name, v := range filledNouns() {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := json.Unmarshal(b, &doc); err != nil {
			t.Fatal(err)
		}
		for _, bad := range s.validate(map[string]any{"$ref": "#/components/schemas/" + name}, doc, name) {
			t.Error(bad)
		}
	}
}
