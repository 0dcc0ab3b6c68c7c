package sketch

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"kopir/mappings"
)

// Frame is what stands around the document.
type Frame struct {
	Service   string // id, and name of the file
	ServiceID string // of the gateway; empty: not known
	Form      string // escaped, cdata, nested; empty: not known
	Envelope  bool   // the document is known not to be signed by itself
}

//go:embed template.yaml
var template string

// writer puts a description together.
type writer struct {
	frame    Frame
	spaces   []string // namespaces in the order of their prefixes
	prefixes []string
	names    map[string]bool
	columns  map[string]bool
	signer   string
	notes    []string
	fields   strings.Builder
	groups   strings.Builder
	files    strings.Builder
	codes    strings.Builder
	lists    map[string]string // code lists by their content
}

// YAML writes the description.
func (s *Sketch) YAML(f Frame) []byte {
	w := &writer{frame: f, names: map[string]bool{}, lists: map[string]string{}, notes: slices.Clone(s.Notes), columns: map[string]bool{
		"application_no": true, "status_code": true, "status_changed_at": true, "status_reason": true, "channel": true, "received_at": true, "edition": true}}
	w.space(s.Root)
	for _, c := range s.Root.Children {
		w.place(c, "", "", false)
	}
	table := strings.ReplaceAll(f.Service, "-", "_")
	root := "name: " + s.Root.Local
	if s.Root.Space != "" {
		root = fmt.Sprintf("ns: %s, prefix: %s, name: %s", quote(s.Root.Space), w.prefix(s.Root), s.Root.Local)
	}
	var spaces []string
	for i, p := range w.prefixes {
		spaces = append(spaces, fmt.Sprintf("%s: {ns: %s}", p, quote(w.spaces[i])))
	}
	namespaces := ""
	if len(spaces) > 0 {
		namespaces = "\n    namespaces: {" + strings.Join(spaces, ", ") + "}"
	}
	decide := func(known bool, value, otherwise, what string) string {
		if known {
			return value
		}
		return otherwise + " # DECIDE: " + what
	}
	signer := decide(w.signer != "", w.signer+" # DECIDE: whose number must be that of the certificate", "none", "no required iin or bin field was found; name the field whose number must be that of the certificate")
	signed := "inner # a person signs inside the document"
	if f.Envelope {
		signed = "envelope # the sample has no signature inside. DECIDE: inner, if a person signs the document by itself"
	}
	for i, n := range w.notes {
		w.notes[i] = "# DECIDE: " + n + "\n"
	}
	section := func(head string, b *strings.Builder) string {
		if b.Len() == 0 {
			return ""
		}
		return head + "\n" + b.String()
	}
	files := ""
	if w.files.Len() > 0 {
		files = "  files: {table: " + clip(table+"_file") + ", key: application_no, kind: kind, name: file_name, type: media_type, sha256: sha256, content: content}\n"
	}
	fields := "\n" + w.fields.String()
	if w.fields.Len() == 0 {
		fields = " [] # DECIDE: nothing in the document is one value\n"
	}
	out := strings.NewReplacer(
		"@service@", f.Service, "@notes@", strings.Join(w.notes, ""), "@number@", numberPrefix(f.Service), "@table@", clip(table),
		"@gateway@", decide(f.ServiceID != "", quote(f.ServiceID), quote(strings.ToUpper(table)), "the serviceId of the envelopes"),
		"@form@", decide(f.Form != "", f.Form, "escaped", "escaped, cdata or nested: how the partner carries the document in data"),
		"@signed@", signed, "@root@", root, "@namespaces@", namespaces, "@signer@", signer,
		"@fields@", fields, "@groups@", section("  groups:", &w.groups), "@attachments@", section("  attachments:", &w.files),
		"@files@", files, "@codes@", section("code_lists:", &w.codes),
	).Replace(template)
	return []byte(out)
}

func (w *writer) note(format string, args ...any) {
	w.notes = append(w.notes, fmt.Sprintf(format, args...))
}

// space gives every namespace below an element a prefix.
func (w *writer) space(e *Element) {
	if e.Space != "" && !slices.Contains(w.spaces, e.Space) {
		p := e.Prefix
		if p == "" || slices.Contains(w.prefixes, p) {
			p = "n" + strconv.Itoa(len(w.prefixes)+1)
		}
		w.spaces, w.prefixes = append(w.spaces, e.Space), append(w.prefixes, p)
	}
	for _, c := range e.Children {
		w.space(c)
	}
}

func (w *writer) prefix(e *Element) string { return w.prefixes[slices.Index(w.spaces, e.Space)] }

func (w *writer) segment(e *Element) string {
	if e.Space == "" {
		return e.Local
	}
	return w.prefix(e) + ":" + e.Local
}

// place finds what an element below the root is in a description. path is
// that of its parent, with a slash at its end; above is the parent's name.
func (w *writer) place(e *Element, path, above string, optional bool) {
	path += w.segment(e)
	optional = optional || e.Min == 0
	many := e.Max == Many || e.Max > 1
	switch {
	case e.leaf() && e.Kind == "base64":
		w.attachment(e, path, parts{content: "."}, optional, e.Max)
	case e.leaf() && many:
		w.note("%s repeats and has nothing inside; groups have elements inside, so only one is read", path)
		w.field(&w.fields, e, path, above, optional, w.names, w.columns, true)
	case e.leaf():
		w.field(&w.fields, e, path, above, optional, w.names, w.columns, true)
	case w.file(e, path, optional):
	case many:
		w.group(e, path, optional)
	default:
		for _, c := range e.Children {
			w.place(c, path+"/", e.Local, optional)
		}
	}
}

// group writes an element that repeats; what repeats inside it is told.
func (w *writer) group(e *Element, path string, optional bool) {
	name := unique(w.names, plain(e.Local), "")
	low, high := e.Min, e.Max
	comment := ""
	if high == Many {
		high, comment = 100, " # DECIDE: how many there may be"
	}
	if optional {
		low = 0
	}
	table := clip(strings.ReplaceAll(w.frame.Service, "-", "_") + "_" + name)
	fmt.Fprintf(&w.groups, "    - name: %s\n      path: %s\n      label: %s\n      min_count: %d\n      max_count: %d%s\n      table: %s\n      key: application_no\n      number: row_no\n      fields:\n",
		name, quote(path), w.label(e), low, high, comment, table)
	names, columns := map[string]bool{}, map[string]bool{"application_no": true, "row_no": true}
	var inside strings.Builder
	w.members(&inside, e, "", "", false, names, columns)
	if inside.Len() == 0 {
		w.note("%s has nothing inside that a row could hold", path)
	}
	for line := range strings.Lines(inside.String()) {
		w.groups.WriteString("    " + line)
	}
}

func (w *writer) members(b *strings.Builder, e *Element, path, above string, optional bool, names, columns map[string]bool) {
	for _, c := range e.Children {
		at, opt := path+w.segment(c), optional || c.Min == 0
		if c.Max != 1 || c.Kind == "base64" {
			w.note("%s inside the repeated %s repeats itself or is a file; rows of rows and files of rows are not in the language", at, e.Local)
			if c.Max != 1 {
				continue
			}
		}
		switch {
		case c.Kind == "base64":
		case c.leaf():
			w.field(b, c, at, above, opt, names, columns, false)
		default:
			w.members(b, c, at+"/", c.Local, opt, names, columns)
		}
	}
}

// field writes one line.
func (w *writer) field(b *strings.Builder, e *Element, path, above string, optional bool, names, columns map[string]bool, top bool) {
	name := unique(names, plain(e.Local), plain(above))
	column := unique(columns, clip(strings.ReplaceAll(name, "-", "_")), "c")
	kind, keys, comments := e.Kind, "", []string(nil)
	if len(e.Codes) > 0 && kind == "string" {
		kind = "code"
		keys += ", codes: " + w.list(name, e)
	}
	if kind == "string" {
		if e.MinLen > 0 && !e.Guessed {
			keys += ", min_len: " + strconv.Itoa(e.MinLen)
		}
		length := e.MaxLen
		if e.Guessed || length == 0 {
			length = 250
			if e.MaxLen > length {
				length = 2000
			}
			comments = append(comments, "how long it may be")
		}
		keys += ", max_len: " + strconv.Itoa(length)
		if e.Pattern != "" {
			keys += ", pattern: " + quote(e.Pattern)
		}
	}
	if kind == "int" || kind == "decimal" || kind == "date" {
		if e.Low != "" {
			keys += ", min: " + quote(e.Low)
		}
		if e.High != "" {
			keys += ", max: " + quote(e.High)
		}
	}
	if e.Guessed && kind != "string" {
		comments = append(comments, "the type was taken from name or value")
	}
	if optional {
		keys += ", optional: true"
	} else if top && (kind == "iin" || kind == "bin") && w.signer == "" {
		w.signer = name
	}
	label := w.label(e)
	if e.Label.Ru == "" || e.Label.Kk == "" {
		comments = append(comments, "the label in ru and kk")
	}
	comment := ""
	if len(comments) > 0 {
		comment = " # DECIDE: " + strings.Join(comments, "; ")
	}
	fmt.Fprintf(b, "    - {name: %s, path: %s, type: %s%s, column: %s, label: %s}%s\n", name, quote(path), kind, keys, column, label, comment)
}

// list writes a code list once and gives its name.
func (w *writer) list(name string, e *Element) string {
	var b strings.Builder
	for _, c := range e.Codes {
		ru, kk, comment := c.Ru, c.Kk, ""
		if ru == "" || kk == "" {
			ru, kk, comment = or(ru, or(kk, or(c.En, c.Value))), or(kk, or(ru, or(c.En, c.Value))), " # DECIDE: its name in ru and kk"
		}
		fmt.Fprintf(&b, "      %s: {ru: %s, kk: %s}%s\n", quote(c.Value), quote(ru), quote(kk), comment)
	}
	if known, ok := w.lists[b.String()]; ok {
		return known
	}
	list := w.frame.Service + "-" + name
	w.lists[b.String()] = list
	fmt.Fprintf(&w.codes, "  %s:\n    codes:\n%s", list, b.String())
	return list
}

// parts are the names of an attachment's children.
type parts struct{ name, kind, sha256, content string }

// file says whether an element is a file with its name beside it, and writes it.
func (w *writer) file(e *Element, path string, optional bool) bool {
	var p parts
	var others []string
	for _, c := range e.Children {
		words := strings.Split(snake(c.Local), "_")
		has := func(any ...string) bool {
			return slices.ContainsFunc(any, func(x string) bool { return slices.Contains(words, x) })
		}
		switch {
		case !c.leaf() || c.Max != 1 || c.Kind == "base64" && p.content != "":
			return false
		case c.Kind == "base64":
			p.content = w.segment(c)
		case p.name == "" && has("name", "filename"):
			p.name = w.segment(c)
		case p.kind == "" && has("type", "mime", "mimetype"):
			p.kind = w.segment(c)
		case p.sha256 == "" && has("sha256", "hash", "digest"):
			p.sha256 = w.segment(c)
		default:
			others = append(others, c.Local)
		}
	}
	if p.content == "" {
		return false
	}
	if len(others) > 0 {
		w.note("of the file %s these elements are not read: %s", path, strings.Join(others, ", "))
	}
	w.attachment(e, path, p, optional, e.Max)
	return true
}

func (w *writer) attachment(e *Element, path string, p parts, optional bool, high int) {
	name := unique(w.names, plain(e.Local), "file")
	keys := ""
	for _, k := range [][2]string{{"name", p.name}, {"type", p.kind}, {"sha256", p.sha256}, {"content", p.content}} {
		if k[1] != "" {
			keys += ", " + k[0] + ": " + quote(k[1])
		}
	}
	more := ""
	if optional {
		more += ", optional: true"
	}
	if high == Many {
		more += ", max_count: 10"
	} else if high > 1 {
		more += ", max_count: " + strconv.Itoa(high)
	}
	fmt.Fprintf(&w.files, "    - {name: %s, path: %s, parts: {%s}%s, types: [application/pdf, image/jpeg, image/png], max_size: 5MB, label: %s} # DECIDE: types, size, how many, the label in ru and kk\n",
		name, quote(path), strings.TrimPrefix(keys, ", "), more, w.label(e))
}

func (w *writer) label(e *Element) string {
	t := mappings.Text{Ru: or(e.Label.Ru, or(e.Label.Kk, or(e.Label.En, e.Local))), Kk: or(e.Label.Kk, or(e.Label.Ru, or(e.Label.En, e.Local))), En: e.Label.En}
	clean := strings.NewReplacer("{", "(", "}", ")") // braces are for values
	s := fmt.Sprintf("{ru: %s, kk: %s", quote(clean.Replace(t.Ru)), quote(clean.Replace(t.Kk)))
	if t.En != "" {
		s += ", en: " + quote(clean.Replace(t.En))
	}
	return s + "}"
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// quote writes a YAML scalar that reads as text whatever it holds.
func quote(s string) string {
	b := new(strings.Builder)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// plain makes a name of the language out of an element's.
func plain(local string) string {
	var b strings.Builder
	for _, r := range snake(local) {
		switch latin, ok := letters[r]; {
		case r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) || r == '_':
			b.WriteRune(r)
		case ok:
			b.WriteString(latin)
		}
	}
	name := strings.Trim(b.String(), "_")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "f" + name
	}
	return clip(name)
}

func unique(taken map[string]bool, name, above string) string {
	for n, try := 2, name; ; n++ {
		if !taken[try] {
			taken[try] = true
			return try
		}
		switch {
		case n == 2 && above != "" && above != "f":
			try = clip(above + "_" + name)
		default:
			try = clip(name) + strconv.Itoa(n)
		}
	}
}

// clip keeps a name within what every database takes.
func clip(s string) string { return strings.Trim(s[:min(len(s), 58)], "_") }

// numberPrefix is the initials of a service's id.
func numberPrefix(service string) string {
	var b strings.Builder
	for p := range strings.SplitSeq(service, "-") {
		if p != "" {
			b.WriteByte(p[0])
		}
	}
	return strings.ToUpper(b.String())
}

// letters are the Latin ones for those of Russian and Kazakh.
var letters = transliteration()

func transliteration() map[rune]string {
	all := map[rune]string{
		'\u0451': "e", '\u04d9': "a", '\u0493': "g", '\u049b': "q", '\u04a3': "n", '\u04e9': "o", '\u04b1': "u", '\u04af': "u", '\u04bb': "h", '\u0456': "i",
	}
	for i, s := range strings.Split("a b v g d e zh z i y k l m n o p r s t u f kh ts ch sh shch  y  e yu ya", " ") {
		all['\u0430'+rune(i)] = s
	}
	return all
}
