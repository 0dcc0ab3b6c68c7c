package mappings

import (
	"regexp"
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

// compiled is a field with what was prepared when it was loaded.
type compiled struct {
	*Field
	kind     fieldType
	rules    []namedRule
	pattern  *regexp.Regexp
	codes    map[string]struct{}
	live     *liveCodes // instead of codes: a list of the local database
	min, max any
}

// plan is the tree of element names that a channel's document may have.
type plan struct {
	channels map[string]*branch
	fields   []*compiled
	groups   []*groupPlan
	cross    []crossRule
	births   [][2]int // fields x_iin and x_birth_date
}

type branch struct {
	space, local string
	path         string
	children     []*branch
	field        int // index of plan.fields, or -1
	attachment   int // index of Request.Attachments, or -1
	group        int // index of Request.Groups, or -1
}

func newPlan(s *Service) *plan {
	p := &plan{channels: map[string]*branch{}}
	p.fields = compileFields(s, s.Request.Fields)
	p.births = birthPairs(p.fields)
	for i := range s.Request.Groups {
		p.groups = append(p.groups, newGroupPlan(s, &s.Request.Groups[i]))
	}
	for _, name := range s.Request.Cross {
		r, _ := crossRuleByName(name)
		p.cross = append(p.cross, r)
	}
	for _, c := range s.Channels {
		root := &branch{space: s.Request.Data.Root.NS, local: s.Request.Data.Root.Name, field: -1, attachment: -1, group: -1}
		for i := range s.Request.Fields {
			if f := &s.Request.Fields[i]; f.In(c.ID) {
				root.grow(s.Request.Data, f.Path).field = i
			}
		}
		for i := range s.Request.Groups {
			if g := &s.Request.Groups[i]; g.In(c.ID) {
				root.grow(s.Request.Data, g.Path).group = i
			}
		}
		for i := range s.Request.Attachments {
			if a := &s.Request.Attachments[i]; a.In(c.ID) {
				root.grow(s.Request.Data, a.Path).attachment = i
			}
		}
		if w := s.Request.When; w != nil {
			root.grow(s.Request.Data, w.Path)
		}
		p.channels[c.ID] = root
	}
	return p
}

// compileFields prepares fields for reading.
func compileFields(s *Service, fields []Field) []*compiled {
	var all []*compiled
	for i := range fields {
		f := &fields[i]
		c := &compiled{Field: f}
		c.kind, _ = fieldTypeByName(f.Type)
		for _, name := range f.Rules {
			r, _ := namedRuleByName(name)
			c.rules = append(c.rules, r)
		}
		if f.Pattern != "" {
			c.pattern = regexp.MustCompile(`^(?:` + f.Pattern + `)$`)
		}
		if f.Min != "" {
			c.min, _ = c.kind.read(c, f.Min)
		}
		if f.Max != "" {
			c.max, _ = c.kind.read(c, f.Max)
		}
		if c.live = s.live[f.Codes]; c.live != nil {
			// asked when a document is read
		} else if list, ok := s.CodeList(f.Codes); ok {
			c.codes = map[string]struct{}{}
			for _, code := range list.Codes {
				c.codes[code.Value] = struct{}{}
			}
		}
		all = append(all, c)
	}
	return all
}

// birthPairs finds the fields x_iin and x_birth_date (in groups also iin and birth_date).
func birthPairs(fields []*compiled) (pairs [][2]int) {
	for i, f := range fields {
		whose, ok := strings.CutSuffix(f.Name, "iin")
		for j, d := range fields {
			if ok && f.Type == "iin" && d.Type == "date" && d.Name == whose+"birth_date" {
				pairs = append(pairs, [2]int{i, j})
			}
		}
	}
	return pairs
}

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

// grow finds or adds the branch of a path.
func (b *branch) grow(d Data, path string) *branch {
	for seg := range strings.SplitSeq(path, "/") {
		space, local := d.resolve(seg)
		i := slices.IndexFunc(b.children, func(c *branch) bool { return c.space == space && c.local == local })
		if i < 0 {
			i = len(b.children)
			b.children = append(b.children, &branch{space: space, local: local, path: join2(b.path, seg), field: -1, attachment: -1, group: -1})
		}
		b = b.children[i]
	}
	return b
}

// resolve gives the expanded name of one step of a path.
func (d Data) resolve(seg string) (space, local string) {
	prefix, local, ok := strings.Cut(seg, ":")
	if !ok {
		return "", seg
	}
	for _, p := range d.Namespaces {
		if p.Prefix == prefix {
			return p.NS, local
		}
	}
	return "", local
}

func join2(path, seg string) string {
	if path == "" {
		return seg
	}
	return path + "/" + seg
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
