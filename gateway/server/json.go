package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
)

// decodeJSON reads one JSON object strictly into the struct that into points
// at: no unknown and no repeated members, nothing after it, UTF-8. All
// unknown and mistyped members of the top level are reported at once.
func decodeJSON(r *http.Request, body []byte, into any) *fail {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return &fail{code: codeMediaType, values: []any{"expected", "application/json"}}
	}
	if !utf8.Valid(body) {
		return &fail{code: codeBadJSON, cause: errors.New("not UTF-8")}
	}
	members, err := objectMembers(body)
	if err != nil {
		return &fail{code: codeBadJSON, cause: err}
	}
	var faults []inputFault
	seen := map[string]bool{}
	v := reflect.ValueOf(into).Elem()
	fields := jsonFields(v)
	for _, m := range members {
		f, known := fields[m.name]
		switch {
		case !known:
			faults = append(faults, inputFault{pointer: pointer(m.name), rule: "unknown_member", values: []any{"known", knownNames(fields)}})
		case seen[m.name]:
			faults = append(faults, inputFault{pointer: pointer(m.name), rule: "repeated_member"})
		default:
			d := json.NewDecoder(bytes.NewReader(m.value))
			d.DisallowUnknownFields()
			if err := d.Decode(f.Addr().Interface()); err != nil {
				faults = append(faults, inputFault{pointer: pointer(m.name), rule: "wrong_type"})
			}
		}
		seen[m.name] = true
	}
	if len(faults) > 0 {
		return &fail{code: codeBadInput, faults: faults}
	}
	return nil
}

type member struct {
	name  string
	value json.RawMessage
}

// objectMembers splits an object into its members and keeps repeated ones,
// which encoding/json would silently overwrite.
func objectMembers(body []byte) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	if t != json.Delim('{') {
		return nil, errors.New("not an object")
	}
	var out []member
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, err
		}
		out = append(out, member{name.(string), raw})
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more text after the object")
	}
	return out, nil
}

func jsonFields(v reflect.Value) map[string]reflect.Value {
	out := map[string]reflect.Value{}
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" {
			out[name] = v.Field(i)
		}
	}
	return out
}

func knownNames(fields map[string]reflect.Value) string {
	var names []string
	for n := range fields {
		names = append(names, n)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// writeJSON answers with a document.
func writeJSON(c *gin.Context, status int, doc any) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(doc); err != nil {
		panic(fmt.Sprintf("server: encode %T: %v", doc, err)) // our own types always encode
	}
	c.Header("Cache-Control", "no-store")
	c.Data(status, "application/json", buf.Bytes())
}
