package mappings

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits of one description file. The largest real one is a fifth of it.
const (
	maxFileBytes  = 256 << 10
	maxFileLines  = 5000 // the library takes time with the square of the keys
	maxNesting    = 32
	maxFileFaults = 100 // told of one file; whoever mends those sees the others
)

// place is where a node stands in its file.
type place struct{ line, column int }

// decoder walks the syntax tree that goccy/go-yaml parses, by the Go type that
// it must fill, and goes on after a fault, so that an author sees all of them.
// (The library's own strict decoding stops at the first.) Of YAML it takes
// mappings, sequences and scalars: anchors, aliases, merge keys and tags would
// let one line mean what another says.
type decoder struct {
	file   string
	faults []Fault
	places map[string]place
}

// decode fills the struct that v points to. The faults are all that was found;
// v is filled as far as it could be.
func decode(file string, src []byte, v any) (map[string]place, []Fault) {
	d := &decoder{file: file, places: map[string]place{}}
	d.whole(src, reflect.ValueOf(v).Elem())
	return d.places, d.faults
}

func (d *decoder) whole(src []byte, v reflect.Value) {
	if len(src) > maxFileBytes {
		d.fault(place{1, 1}, "too-big", "", "bytes", len(src), "limit", maxFileBytes)
		return
	}
	if n := bytes.Count(src, []byte{'\n'}); n > maxFileLines {
		d.fault(place{1, 1}, "too-many-lines", "", "lines", n, "limit", maxFileLines)
		return
	}
	if !utf8.Valid(src) {
		d.fault(place{1, 1}, "not-utf8", "")
		return
	}
	src = bytes.TrimPrefix(src, []byte("\ufeff")) // some editors write it
	if i := bytes.IndexFunc(src, isControl); i >= 0 {
		d.fault(placeOf(src, i), "control-character", "", "value", fmt.Sprintf("U+%04X", src[i]))
		return
	}
	if at, deep := tooDeep(src); deep {
		d.fault(at, "too-deep", "")
		return
	}
	tree, err := parseYAML(src)
	if err != nil {
		at := place{1, 1}
		message := err.Error()
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) {
			at, message = tokenPlace(syntax.Token), syntax.Message
		}
		if tab, ok := indentedByTab(src, at.line); ok {
			d.fault(tab, "tab", "")
			return
		}
		d.fault(at, "syntax", "", "detail", strings.TrimSpace(firstLine(message)))
		return
	}
	var body ast.Node
	for _, doc := range tree.Docs {
		if doc == nil || doc.Body == nil {
			continue
		}
		if body != nil {
			d.fault(nodePlace(doc.Body), "two-documents", "")
			return
		}
		body = doc.Body
	}
	if body == nil {
		d.fault(place{1, 1}, "empty", "")
		return
	}
	switch body.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		d.value(body, v, "")
	default:
		d.fault(nodePlace(body), "not-a-description", "")
	}
}

// isControl finds what no text file holds. Line breaks and tabs are looked at
// by the parser.
func isControl(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f }

// placeOf gives line and column of a byte.
func placeOf(src []byte, i int) place {
	start := bytes.LastIndexByte(src[:i], '\n') + 1
	return place{1 + bytes.Count(src[:i], []byte{'\n'}), 1 + utf8.RuneCount(src[start:i])}
}

// indentedByTab finds the tab by which a line, or the one before it, is indented.
func indentedByTab(src []byte, line int) (place, bool) {
	lines := bytes.Split(src, []byte{'\n'})
	for n := max(1, line-1); n <= min(line, len(lines)); n++ {
		text := lines[n-1]
		indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]
		if i := bytes.IndexByte(indent, '\t'); i >= 0 {
			return place{n, i + 1}, true
		}
	}
	return place{}, false
}

// tooDeep finds brackets nested deeper than any description needs: the library
// takes time with the square of the depth.
func tooDeep(src []byte) (place, bool) {
	if i := bytes.Index(src, bytes.Repeat([]byte("- "), maxNesting)); i >= 0 {
		return placeOf(src, i), true
	}
	depth, line, start := 0, 1, 0
	quote, last := byte(0), byte(' ')
	for i, c := range src {
		opens := last == ' ' || last == '[' || last == '{' || last == ',' || last == ':'
		switch {
		case c == '\n':
			line, start = line+1, i+1
			c = ' '
			if quote == '#' {
				quote = 0
			}
		case quote == '"' && last == '\\':
			c = ' ' // escaped, whatever it is
		case quote != 0:
			if c == quote && c != '#' {
				quote = 0
			}
		case (c == '"' || c == '\'' || c == '#') && opens:
			quote = c
		case c == '[' || c == '{':
			if depth++; depth > maxNesting {
				return place{line, 1 + utf8.RuneCount(src[start:i])}, true
			}
		case c == ']' || c == '}':
			depth = max(0, depth-1)
		}
		last = c
	}
	return place{}, false
}

// parseYAML calls the library; a panic of it on hostile input is a syntax error.
func parseYAML(src []byte) (f *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			f, err = nil, fmt.Errorf("%v", r)
		}
	}()
	return parser.ParseBytes(src, 0, parser.AllowDuplicateMapKey())
}

func (d *decoder) fault(at place, code, path string, args ...any) {
	switch n := len(d.faults); {
	case n == maxFileFaults:
		code, path, args = "more-faults", "", []any{"limit", maxFileFaults}
	case n > maxFileFaults:
		return
	}
	d.faults = append(d.faults, Fault{File: d.file, Line: at.line, Column: at.column, Code: code, Path: path, args: args})
}

func (d *decoder) value(n ast.Node, v reflect.Value, path string) {
	at := nodePlace(n)
	if path != "" {
		d.places[path] = at
	}
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		d.fault(at, "not-plain", path)
		return
	}
	if v.Kind() == reflect.Pointer {
		if _, null := n.(*ast.NullNode); null {
			d.fault(at, "no-value", path)
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if _, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.scalar(n, v, path, at)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(n, v, path)
	case reflect.Slice:
		d.list(n, v, path)
	default:
		d.scalar(n, v, path, at)
	}
}

// entries gives the key-value pairs of a mapping, with repeated keys reported.
func (d *decoder) entries(n ast.Node, path string) ([]*ast.MappingValueNode, bool) {
	var pairs []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		pairs = m.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{m}
	default:
		d.fault(nodePlace(n), "not-a-mapping", path)
		return nil, false
	}
	seen := map[string]bool{}
	kept := make([]*ast.MappingValueNode, 0, len(pairs))
	for _, p := range pairs {
		key, ok := keyText(p.Key)
		if !ok {
			d.fault(nodePlace(p.Key), "not-plain", path)
			continue
		}
		if seen[key] {
			d.fault(nodePlace(p.Key), "repeated-key", path, "key", key)
			continue
		}
		seen[key] = true
		kept = append(kept, p)
	}
	return kept, true
}

func (d *decoder) mapping(n ast.Node, v reflect.Value, path string) {
	pairs, ok := d.entries(n, path)
	if !ok {
		return
	}
	t := v.Type()
	given := map[string]bool{}
	for _, p := range pairs {
		key, _ := keyText(p.Key)
		i, found := fieldByKey(t, key)
		if !found {
			d.fault(nodePlace(p.Key), "unknown-key", join(path, key), "key", key, "known", strings.Join(keysOf(t), ", "))
			continue
		}
		given[key] = true
		if p.Value == nil {
			d.fault(nodePlace(p.Key), "no-value", join(path, key))
			continue
		}
		d.value(p.Value, v.Field(i), join(path, key))
	}
	for i := range t.NumField() {
		if name, required, _ := keyTag(t.Field(i)); required && !given[name] {
			d.fault(nodePlace(n), "missing-key", join(path, name), "key", name)
		}
	}
}

// list fills a slice from a sequence; a slice whose element has a field tagged
// ",key" is filled from a mapping, in the order of the file.
func (d *decoder) list(n ast.Node, v reflect.Value, path string) {
	elem := v.Type().Elem()
	if elem.Kind() == reflect.Struct {
		for i := range elem.NumField() {
			if _, _, isKey := keyTag(elem.Field(i)); isKey {
				d.keyed(n, v, i, path)
				return
			}
		}
	}
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.fault(nodePlace(n), "not-a-list", path)
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values)))
	for i, item := range seq.Values {
		p := path + "[" + strconv.Itoa(i) + "]"
		if item == nil {
			d.fault(nodePlace(n), "no-value", p)
			continue
		}
		d.value(item, v.Index(i), p)
	}
}

func (d *decoder) keyed(n ast.Node, v reflect.Value, keyField int, path string) {
	pairs, ok := d.entries(n, path)
	if !ok {
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(pairs), len(pairs)))
	for i, p := range pairs {
		key, _ := keyText(p.Key)
		v.Index(i).Field(keyField).SetString(key)
		if p.Value == nil {
			d.fault(nodePlace(p.Key), "no-value", join(path, key))
			continue
		}
		d.value(p.Value, v.Index(i), join(path, key))
	}
}

func (d *decoder) scalar(n ast.Node, v reflect.Value, path string, at place) {
	text, kind, ok := scalarText(n)
	if !ok {
		code := "not-a-scalar"
		if kind == "null" {
			code = "no-value"
		}
		d.fault(at, code, path)
		return
	}
	if u, is := v.Addr().Interface().(encoding.TextUnmarshaler); is {
		if err := u.UnmarshalText([]byte(text)); err != nil {
			d.fault(at, "bad-"+strings.ToLower(v.Type().Name()), path, "value", text)
		}
		return
	}
	switch v.Kind() {
	case reflect.String:
		// A bare 10 or true would be read differently by other tools.
		if kind != "string" {
			d.fault(at, "quote-it", path, "value", text)
			return
		}
		v.SetString(text)
	case reflect.Int:
		i, err := strconv.Atoi(text)
		if err != nil || kind != "int" {
			d.fault(at, "bad-int", path, "value", text)
			return
		}
		v.SetInt(int64(i))
	case reflect.Bool:
		if kind != "bool" {
			d.fault(at, "bad-bool", path, "value", text)
			return
		}
		v.SetBool(text == "true")
	default:
		panic("mappings: no way to read a " + v.Type().String())
	}
}

// scalarText gives the characters of a scalar as they stand in the file.
func scalarText(n ast.Node) (text, kind string, ok bool) {
	switch s := n.(type) {
	case *ast.StringNode:
		return s.Value, "string", true
	case *ast.LiteralNode:
		return s.Value.Value, "string", true
	case *ast.IntegerNode:
		return s.Token.Value, "int", true
	case *ast.FloatNode:
		return s.Token.Value, "float", true
	case *ast.BoolNode:
		return strconv.FormatBool(s.Value), "bool", true
	case *ast.NullNode:
		return "", "null", false
	}
	return "", "", false
}

func keyText(k ast.MapKeyNode) (string, bool) {
	n, ok := k.(ast.Node)
	if !ok {
		return "", false
	}
	text, _, ok := scalarText(n)
	return text, ok
}

func nodePlace(n ast.Node) place {
	if n == nil {
		return place{1, 1}
	}
	// A mapping's own token is its first colon; its first key is where people look.
	switch m := n.(type) {
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			return nodePlace(m.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return nodePlace(m.Key)
	}
	return tokenPlace(n.GetToken())
}

func tokenPlace(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{t.Position.Line, t.Position.Column}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
