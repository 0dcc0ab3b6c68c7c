package mappings

import (
	"slices"
	"strings"
	"time"

	"kopir/signature/xmltree"
)

// FieldFault is one thing wrong in a document: where, which rule, and the
// sentence for the applicant. It never holds the value.
type FieldFault struct {
	Field string `json:"field"`
	Path  string `json:"path"` // of the description, without positions
	Rule  string `json:"rule"`
	Label Text   `json:"label"`
	Text  Text   `json:"text"`
}

// Reading is what one document gave. With any fault, Row and Attachments must
// not be used further.
type Reading struct {
	Row         Row
	Attachments []Attachment
	Faults      []FieldFault
	Remarks     []FieldFault // worth telling, never a ground for refusal
	// Unknown are the paths of elements and attributes that the description
	// does not know, and Strange those elements themselves, one after the other
	// in exclusive canonical form. Drift is every departure from the
	// description: an alarm that the contract drifts.
	Unknown []string
	Drift   []Drift
	Strange []byte
	// NoKind: the document is of no kind that the service knows.
	NoKind bool
}

// maxUnknown bounds the list of unknown paths of one document.
const maxUnknown = 100

const (
	nsXMLDSig = "http://www.w3.org/2000/09/xmldsig#"
	nsXSI     = "http://www.w3.org/2001/XMLSchema-instance"
)

// CodeList finds the list behind a field's codes key; offices means the
// offices of the service's own kind. A list of the local database is as it was
// read last.
func (s *Service) CodeList(name string) (*CodeList, bool) {
	if live, ok := s.live[name]; ok {
		return live.list(), true
	}
	if name == CodesOfOffices {
		name += ":" + s.Provider.Offices
	}
	for i := range s.CodeLists {
		if s.CodeLists[i].Name == name {
			return &s.CodeLists[i], true
		}
	}
	l, ok := s.codes[name]
	return l, ok
}

// reader walks one document along the plan of its channel.
type reader struct {
	s      *Service
	at     time.Time
	fields []*compiled
	births [][2]int
	seen   []int // by field, how many elements
	value  []any // by field
	files  []int // by attachment kind
	groups []int // by group
	out    *Reading

	// Of a reader that reads one repetition of a group.
	of     *groupPlan
	number int
}

// Read turns the root element of a verified document into a row and
// attachments. channel is the way it came by, at the time of receipt. All
// faults are found at once.
func (s *Service) Read(root xmltree.Node, channel string, at time.Time) *Reading {
	r := &reader{s: s, at: at, out: &Reading{Row: Row{Service: s.ID, Edition: s.Edition, Channel: channel}}}
	top, ok := s.plan.channels[channel]
	switch {
	case !ok:
		r.fault("", "", "unknown-channel", Text{}, "value", channel)
		return r.out
	case root.IsZero() || root.Local() != top.local:
		r.noKind("/"+top.local, "unknown-root", root)
		return r.out
	case !s.Request.marked(root):
		r.noKind(s.Request.When.Path, "unknown-kind", root)
		return r.out
	}
	r.fields, r.births = s.plan.fields, s.plan.births
	r.seen = make([]int, len(r.fields))
	r.value = make([]any, len(r.fields))
	r.groups = make([]int, len(s.plan.groups))
	r.files = make([]int, len(s.Request.Attachments))
	if root.Space() != top.space {
		r.drift(DriftNamespace, "/"+top.local, root)
	}
	r.walk(root, top, true)
	r.finish(channel)
	return r.out
}

// noKind refuses a document that is of no kind that the description knows.
func (r *reader) noKind(path, rule string, root xmltree.Node) {
	r.out.NoKind = true
	r.fault("", path, rule, Text{}, "value", r.s.Request.Data.Root.Name)
	switch {
	case root.IsZero():
	case rule == "unknown-kind":
		r.drift(DriftCode, path, root)
	default:
		r.unknown("/"+root.Local(), root)
	}
}

// walk reads the children of one element.
func (r *reader) walk(n xmltree.Node, b *branch, isRoot bool) {
	for e := range n.Elements() {
		var known *branch
		for _, c := range b.children {
			if e.Is(c.space, c.local) {
				known = c
				break
			}
		}
		if known == nil && (!isRoot || !e.Is(nsXMLDSig, "Signature")) {
			if known = renamed(n, e, b); known != nil {
				r.drift(DriftNamespace, known.path, e)
			} else {
				r.unknown(join2(b.path, e.Local()), e)
			}
		}
		switch {
		case known == nil:
			continue
		case known.attachment >= 0:
			r.attachment(e, known)
		case known.group >= 0:
			r.group(e, known)
		case known.field >= 0:
			r.leaf(e, known)
		default:
			r.walk(e, known, false)
		}
		for a := range e.Attrs() {
			if a.Space != nsXSI {
				path := known.path + "/@" + a.Local
				r.drift(DriftAttribute, path, e)
				r.list(path)
			}
		}
	}
}

func (r *reader) unknown(path string, e xmltree.Node) {
	r.drift(DriftElement, path, e)
	r.list(path)
}

// list tells a path that the description lacks.
func (r *reader) list(path string) {
	if len(r.out.Unknown) < maxUnknown && !slices.Contains(r.out.Unknown, path) {
		r.out.Unknown = append(r.out.Unknown, path)
	}
}

func (r *reader) leaf(e xmltree.Node, b *branch) {
	f := r.fields[b.field]
	r.seen[b.field]++
	switch {
	case r.seen[b.field] == 2:
		r.field(f, "repeated")
		return
	case r.seen[b.field] > 2:
		return
	case e.HasElements():
		r.field(f, "has-elements")
		return
	}
	text := strings.TrimSpace(e.Text())
	if text == "" {
		// An empty element says no more than a missing one.
		r.seen[b.field] = 0
		return
	}
	v, broken := f.kind.read(f, text)
	if broken == "code" {
		_, path, _ := r.place(f.Name, f.Path, f.Label)
		r.drift(DriftCode, path, e)
		if f.Open {
			v, broken = text, ""
		}
	}
	if broken == "" {
		switch {
		case f.min != nil && compare(v, f.min) < 0:
			broken = "min"
		case f.max != nil && compare(v, f.max) > 0:
			broken = "max"
		}
	}
	if broken != "" {
		r.field(f, broken)
		return
	}
	for _, rule := range f.rules {
		if !rule.ok(v, r.at) {
			r.field(f, rule.name)
		}
	}
	if number, ok := v.(IIN); ok && !CheckDigit(string(number)) || f.Type == "bin" && !CheckDigit(text) {
		r.remark(f, "check-digit")
	}
	r.value[b.field] = v
}

// collect gives the values that were read and finds those that are missing;
// whole says that none is at fault.
func (r *reader) collect(channel string) (values []Value, whole bool) {
	values, whole = make([]Value, 0, len(r.fields)), true
	for i, f := range r.fields {
		if r.value[i] != nil {
			values = append(values, Value{f.Name, f.Column, f.Label, r.value[i]})
		} else if r.seen[i] == 0 && !f.Optional && f.In(channel) {
			r.field(f, "required")
		}
		whole = whole && (r.value[i] != nil || r.seen[i] == 0)
	}
	return values, whole
}

// finish finds what is missing, and what several fields say together.
func (r *reader) finish(channel string) {
	var whole bool
	r.out.Row.Values, whole = r.collect(channel)
	r.groupCounts(channel)
	for i := range r.s.Request.Attachments {
		if a := &r.s.Request.Attachments[i]; r.files[i] == 0 && !a.Optional && a.In(channel) {
			r.file(a, "required")
		}
	}
	for _, rule := range r.s.plan.cross {
		// A rule about a field that is itself at fault would only confuse.
		if !whole {
			break
		}
		if name := rule.check(&r.out.Row); name != "" {
			if i := slices.IndexFunc(r.fields, func(f *compiled) bool { return f.Name == name }); i >= 0 {
				r.field(r.fields[i], rule.name)
			}
		}
	}
	r.birthDate()
}

// birthDate compares the digits of an IIN with the date of birth beside it.
// They are no longer tied to personal data, so this is a remark.
func (r *reader) birthDate() {
	for _, pair := range r.births {
		number, ok := r.value[pair[0]].(IIN)
		d, isDate := r.value[pair[1]].(Date)
		if ok && isDate && !bornOn(number, d) {
			r.remark(r.fields[pair[0]], "birth-date")
		}
	}
}

// bornOn says whether a number begins with a day, as yymmdd.
func bornOn(number IIN, d Date) bool {
	two := func(i int) int { return int(number[i]-'0')*10 + int(number[i+1]-'0') }
	return two(0) == d.Year%100 && two(2) == int(d.Month) && two(4) == d.Day
}

func (r *reader) field(f *compiled, rule string) {
	name, path, label := r.place(f.Name, f.Path, f.Label)
	r.fault(name, path, rule, label, "min", or(f.Min, f.MinLen), "max", or(f.Max, f.MaxLen))
}

func or(s string, n int) any {
	if s != "" {
		return s
	}
	return n
}

func (r *reader) remark(f *compiled, rule string) {
	name, path, label := r.place(f.Name, f.Path, f.Label)
	r.out.Remarks = append(r.out.Remarks, r.s.fieldFault(name, path, rule, label))
}

func (r *reader) fault(field, path, rule string, label Text, pairs ...any) {
	r.out.Faults = append(r.out.Faults, r.s.fieldFault(field, path, rule, label, pairs...))
}

func (s *Service) fieldFault(field, path, rule string, label Text, pairs ...any) FieldFault {
	text := s.texts.Text("rule."+rule, pairs...).FillText("label", label)
	return FieldFault{Field: field, Path: path, Rule: rule, Label: label, Text: text}
}
