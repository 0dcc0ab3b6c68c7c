package mappings

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"kopir/signature/xmltree"
)

// Group is an element that repeats (a family member, an income): its values
// become rows of a table of their own, numbered from 1 in the order of the
// document.
type Group struct {
	Name     string   `yaml:"name,required"`
	Path     string   `yaml:"path,required"` // of the repeated element
	Label    Text     `yaml:"label,required"`
	Channels []string `yaml:"channels"`
	MinCount int      `yaml:"min_count"`
	MaxCount int      `yaml:"max_count,required"`
	Table    string   `yaml:"table,required"`
	Key      string   `yaml:"key,required"`    // application number, or what key_is says
	KeyIs    string   `yaml:"key_is"`          // number, id (of the row of local.table)
	Number   string   `yaml:"number,required"` // the row's number in the application
	Fields   []Field  `yaml:"fields,required"` // paths from below the repeated element
}

// In says whether the group belongs to a channel.
func (g *Group) In(channel string) bool {
	return len(g.Channels) == 0 || slices.Contains(g.Channels, channel)
}

// Field finds a field of the group by name.
func (g *Group) Field(name string) (*Field, bool) {
	i := slices.IndexFunc(g.Fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return nil, false
	}
	return &g.Fields[i], true
}

// Group finds a group by name.
func (s *Service) Group(name string) (*Group, bool) {
	i := slices.IndexFunc(s.Request.Groups, func(g Group) bool { return g.Name == name })
	if i < 0 {
		return nil, false
	}
	return &s.Request.Groups[i], true
}

// GroupRow is one repetition of a group in a document.
type GroupRow struct {
	Group  string
	Number int // from 1
	Values []Value
}

// groupPlan is a group as prepared for reading.
type groupPlan struct {
	*Group
	fields []*compiled
	births [][2]int
	inside *branch
}

func newGroupPlan(s *Service, g *Group) *groupPlan {
	p := &groupPlan{Group: g, fields: compileFields(s, g.Fields)}
	p.births = birthPairs(p.fields)
	p.inside = &branch{path: g.Path, field: -1, attachment: -1, group: -1}
	for i := range g.Fields {
		p.inside.grow(s.Request.Data, g.Fields[i].Path).field = i
	}
	return p
}

// group reads one repetition. Its faults name it by its number: family.2.iin
// at family/member[2]/iin.
func (r *reader) group(e xmltree.Node, b *branch) {
	g := r.s.plan.groups[b.group]
	r.groups[b.group]++
	no := r.groups[b.group]
	if no > g.MaxCount {
		return // told once, when the document has ended
	}
	one := &reader{s: r.s, at: r.at, out: r.out, fields: g.fields, births: g.births, number: no, of: g,
		seen: make([]int, len(g.fields)), value: make([]any, len(g.fields))}
	one.walk(e, g.inside, false)
	values, _ := one.collect(r.out.Row.Channel)
	one.birthDate()
	r.out.Row.Groups = append(r.out.Row.Groups, GroupRow{g.Name, no, values})
}

// groupCounts finds groups that repeat too often or too seldom.
func (r *reader) groupCounts(channel string) {
	for i, g := range r.s.plan.groups {
		if n := r.groups[i]; g.In(channel) && (n < g.MinCount || n > g.MaxCount) {
			r.fault(g.Name, g.Path, "group-count", g.Label, "min", g.MinCount, "max", g.MaxCount)
		}
	}
}

// place says where in a document a field stands, with its label: in a group
// with the number of the repetition.
func (r *reader) place(name, path string, label Text) (string, string, Text) {
	if r.of == nil {
		return name, path, label
	}
	no := strconv.Itoa(r.number)
	with := func(group, field string) string {
		if group == "" || field == "" {
			return field
		}
		return group + " " + no + ", " + field
	}
	return r.of.Name + "." + no + "." + name, r.of.Path + "[" + no + "]/" + path,
		Text{Ru: with(r.of.Label.Ru, label.Ru), Kk: with(r.of.Label.Kk, label.Kk), En: with(r.of.Label.En, label.En)}
}

// groups checks the groups of a description.
func (k *checker) groups() {
	r := &k.s.Request
	names, paths, tables := map[string]bool{}, map[string]bool{}, map[string]bool{strings.ToLower(k.s.Local.Table): true}
	if f := k.s.Local.Files; f != nil {
		tables[strings.ToLower(f.Table)] = true
	}
	for _, f := range r.Fields {
		names[f.Name], paths[f.Path] = true, true
	}
	for i := range r.Groups {
		g := &r.Groups[i]
		at := fmt.Sprintf("request.groups[%d]", i)
		k.name(at+".name", g.Name)
		k.repeated(names, at+".name", "name", g.Name)
		k.path(at+".path", g.Path, r.Data)
		k.repeated(paths, at+".path", "path", g.Path)
		k.channelNames(at+".channels", g.Channels)
		k.identifier(at+".table", g.Table, true)
		k.repeated(tables, at+".table", "table", strings.ToLower(g.Table))
		k.identifier(at+".key", g.Key, false)
		k.keyIs(at, g.KeyIs)
		k.identifier(at+".number", g.Number, false)
		if g.MinCount < 0 || g.MaxCount < 1 || g.MinCount > g.MaxCount {
			k.fault(at+".max_count", "bad-bounds")
		}
		own := map[string]bool{strings.ToLower(g.Key): true}
		k.repeated(own, at+".number", "column", strings.ToLower(g.Number))
		k.fieldList(at+".fields", g.Fields, map[string]columnSet{"": own})
		for j, f := range g.Fields {
			if len(f.Channels) > 0 { // the group has them
				k.fault(fmt.Sprintf("%s.fields[%d].channels", at, j), "unknown-key", "key", "channels", "known", at+".channels")
			}
		}
	}
}

// groupValue checks a name such as family.2.iin of a document to be written.
func (s *Service) groupValue(channel, name string) error {
	parts := strings.Split(name, ".")
	if g, ok := s.Group(parts[0]); ok && g.In(channel) && len(parts) == 3 {
		no, err := strconv.Atoi(parts[1])
		if _, known := g.Field(parts[2]); known && err == nil && no >= 1 {
			return nil
		}
	}
	return fmt.Errorf("mappings: %s has no value %q in channel %s; in groups it is GROUP.NUMBER.FIELD", s.ID, name, channel)
}

// group writes the repetitions of a group, from 1 to the first without a value.
func (b *builder) group(g *Group, values map[string]string) {
	for no := 1; ; no++ {
		prefix := g.Name + "." + strconv.Itoa(no) + "."
		given := false
		for _, f := range g.Fields {
			v, ok := values[prefix+f.Name]
			if !ok {
				continue
			}
			if !given {
				b.add(g.Path)
				given = true
			}
			b.set(g.Path+"/"+f.Path, v)
		}
		if !given {
			return
		}
	}
}
