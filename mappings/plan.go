package mappings

import (
	"regexp"
	"slices"
	"strings"
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
