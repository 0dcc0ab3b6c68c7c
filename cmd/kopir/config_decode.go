package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// fault is one thing wrong with the configuration: where it stands, what is
// wrong, and the way out. Line 0 means the file as a whole.
type fault struct {
	Line, Column int
	Key          string // dotted, such as store.path
	Problem      string
	Remedy       string
}

func (f fault) format(file string) string {
	var b strings.Builder
	b.WriteString(file)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", f.Line, f.Column)
	}
	b.WriteString(": ")
	if f.Key != "" {
		b.WriteString(f.Key + ": ")
	}
	b.WriteString(f.Problem)
	if f.Remedy != "" {
		b.WriteString("; " + f.Remedy)
	}
	return b.String()
}

// place is where a key stands, so that checks made after decoding can point
// at a line too.
type place struct{ line, column int }

// decoder fills a struct from YAML and collects every fault on the way
// instead of stopping at the first: unknown keys, repeated keys, values of
// the wrong kind. Struct fields name their key with `yaml:"key"`.
type decoder struct {
	faults []fault
	places map[string]place
}

// maxConfig is the size up to which a configuration is read, in bytes: a thousand
// senders. The YAML library is quadratic in places.
const maxConfig = 256 << 10

// decodeStrict reads one YAML document into the struct that into points at.
// places holds the position of every key that was written.
func decodeStrict(src []byte, into any) (places map[string]place, faults []fault) {
	d := &decoder{places: map[string]place{}}
	if len(src) > maxConfig {
		return d.places, []fault{{Problem: fmt.Sprintf("the file has %d bytes; at most %d are read", len(src), maxConfig), Remedy: "start from testdata/config/kopir.yaml"}}
	}
	file, err := parser.ParseBytes(src, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return d.places, []fault{syntaxFault(err)}
	}
	var docs []*ast.DocumentNode
	for _, doc := range file.Docs {
		if doc.Body != nil {
			docs = append(docs, doc)
		}
	}
	switch len(docs) {
	case 0:
		return d.places, []fault{{Problem: "the file is empty", Remedy: "start from testdata/config/kopir.yaml"}}
	case 1:
	default:
		return d.places, []fault{{Problem: "more than one YAML document", Remedy: "keep one and remove the `---` lines"}}
	}
	d.value(docs[0].Body, reflect.ValueOf(into).Elem(), "")
	return d.places, d.faults
}

// syntaxFault keeps the position and the sentence of a parser error and drops
// the excerpt of the source: it may hold what must not be printed.
func syntaxFault(err error) fault {
	f := fault{Problem: "not YAML", Remedy: "indent with spaces, and quote values that hold `: ` or `#`"}
	var y yaml.Error
	if ok := asYAMLError(err, &y); ok {
		f.Problem = "not YAML: " + y.GetMessage()
		if t := y.GetToken(); t != nil && t.Position != nil {
			f.Line, f.Column = t.Position.Line, t.Position.Column
		}
	}
	return f
}

func asYAMLError(err error, y *yaml.Error) bool {
	e, ok := err.(yaml.Error)
	if ok {
		*y = e
	}
	return ok
}

func (d *decoder) fail(n ast.Node, key, problem, remedy string) {
	f := fault{Key: key, Problem: problem, Remedy: remedy}
	if t := n.GetToken(); t != nil && t.Position != nil {
		f.Line, f.Column = t.Position.Line, t.Position.Column
	}
	d.faults = append(d.faults, f)
}

func (d *decoder) value(n ast.Node, v reflect.Value, key string) {
	if t := n.GetToken(); t != nil && t.Position != nil && key != "" {
		if _, ok := d.places[key]; !ok {
			d.places[key] = place{t.Position.Line, t.Position.Column}
		}
	}
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		d.fail(n, key, "anchors, aliases and tags are not read here", "write the value out")
		return
	case *ast.NullNode:
		return // "key:" with nothing behind it is the default
	}
	if u, ok := v.Addr().Interface().(textValue); ok {
		d.text(n, u, key)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(n, v, key)
	case reflect.Slice:
		seq, ok := n.(*ast.SequenceNode)
		if !ok {
			d.fail(n, key, "must be a list", "write `- value` lines or [a, b]")
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values)))
		for i, item := range seq.Values {
			d.value(item, v.Index(i), fmt.Sprintf("%s[%d]", key, i))
		}
	default:
		d.scalar(n, v, key)
	}
}

// textValue is a value with a notation of its own (durations, sizes).
type textValue interface{ parse(string) error }

func (d *decoder) text(n ast.Node, u textValue, key string) {
	s, ok := n.(ast.ScalarNode)
	if !ok {
		d.fail(n, key, "must be one value", "")
		return
	}
	if err := u.parse(fmt.Sprint(s.GetValue())); err != nil {
		d.fail(n, key, err.Error(), "")
	}
}

func (d *decoder) scalar(n ast.Node, v reflect.Value, key string) {
	s, ok := n.(ast.ScalarNode)
	if !ok {
		d.fail(n, key, "must be one value, not a list or a table", "")
		return
	}
	switch v.Kind() {
	case reflect.String:
		// A bare number or word is text here: sender ids may be digits only.
		if t := n.GetToken(); t != nil && s.GetValue() != nil {
			switch s.(type) {
			case *ast.StringNode, *ast.LiteralNode:
				v.SetString(fmt.Sprint(s.GetValue()))
			default:
				v.SetString(t.Value)
			}
		}
	case reflect.Bool:
		b, ok := s.(*ast.BoolNode)
		if !ok {
			d.fail(n, key, "must be true or false", "")
			return
		}
		v.SetBool(b.Value)
	case reflect.Int:
		if err := yaml.NodeToValue(n, v.Addr().Interface()); err != nil {
			d.fail(n, key, "must be a whole number", "")
		}
	default:
		panic("config: field of kind " + v.Kind().String())
	}
}

func (d *decoder) mapping(n ast.Node, v reflect.Value, key string) {
	m, ok := n.(ast.MapNode)
	if !ok {
		d.fail(n, key, "must be a table of keys", "")
		return
	}
	fields := map[string]int{}
	var names []string
	for i := range v.NumField() {
		if name := v.Type().Field(i).Tag.Get("yaml"); name != "" {
			fields[name] = i
			names = append(names, name)
		}
	}
	seen := map[string]bool{}
	for it := m.MapRange(); it.Next(); {
		k := it.KeyValue()
		name := k.Key.GetToken().Value
		full := strings.TrimPrefix(key+"."+name, ".")
		i, known := fields[name]
		switch {
		case !known:
			d.fail(k.Key, full, "unknown key", nearest(name, names))
			continue
		case seen[name]:
			d.fail(k.Key, full, "written twice", "keep one of them")
			continue
		}
		seen[name] = true
		if t := k.Key.GetToken(); t != nil && t.Position != nil {
			d.places[full] = place{t.Position.Line, t.Position.Column}
		}
		d.value(k.Value, v.Field(i), full)
	}
}

// nearest is the advice for an unknown key: the one that looks most like it,
// or the list.
func nearest(name string, names []string) string {
	best, at := "", 3
	for _, n := range names {
		if d := distance(name, n); d < at {
			best, at = n, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	sorted := slices.Sorted(slices.Values(names))
	return "known here: " + strings.Join(sorted, ", ")
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diag
			if a[i] != b[j] {
				cost++
			}
			diag = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
