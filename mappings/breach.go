package mappings

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// Breach is one rule of a form and the way to break it: for trying that every
// rule is kept and told.
type Breach struct {
	Field string // as a fault names it: surname, family.1.iin, id_document
	Path  string
	Rule  string

	values func(v map[string]string)
	files  func(files []Attachment) []Attachment
	xml    func(root *etree.Element)
}

// Name is how an order names a breach: FIELD:RULE.
func (b *Breach) Name() string { return b.Field + ":" + b.Rule }

// Break writes the document of a form with rules broken: each of them, if no
// two are of the same field.
func (s *Service) Break(channel string, form Form, breaches ...Breach) ([]byte, error) {
	form = form.Clone()
	for _, b := range breaches {
		if b.values != nil {
			b.values(form.Values)
		}
		if b.files != nil {
			form.Files = b.files(form.Files)
		}
	}
	src, err := s.Document(channel, form.Values, form.Files)
	if err != nil || !slices.ContainsFunc(breaches, func(b Breach) bool { return b.xml != nil }) {
		return src, err
	}
	doc := etree.NewDocument()
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
	if err := doc.ReadFromBytes(src); err != nil {
		return nil, fmt.Errorf("mappings: break: %w", err)
	}
	for _, b := range breaches {
		if b.xml != nil {
			b.xml(doc.Root())
		}
	}
	return doc.WriteToBytes()
}

// Breaches lists every rule of the fields, groups and attachments of a
// channel, each with a way to break it in a form that was filled in whole.
// Cross rules come apart: they are judged only where every field is right.
func (s *Service) Breaches(how Filling) []Breach {
	l := &breachList{s: s, how: how}
	l.fields("", "", s.Request.Fields)
	for i := range s.Request.Groups {
		if g := &s.Request.Groups[i]; g.In(how.Channel) {
			l.group(g)
		}
	}
	for i := range s.Request.Attachments {
		if a := &s.Request.Attachments[i]; a.In(how.Channel) {
			l.attachment(a)
		}
	}
	return l.all
}

// OneBreachOfEach gives the first breach of every field and enclosure outside
// groups, without the fields of who signs: those are compared with the
// certificate before the others are judged.
func (s *Service) OneBreachOfEach(how Filling) (one []Breach) {
	seen := map[string]bool{}
	for _, name := range s.SignerFields(how.Channel) {
		seen[name] = true
	}
	for _, b := range s.Breaches(how) {
		if _, group := s.Group(b.Field); !group && !seen[b.Field] && !strings.Contains(b.Field, ".") {
			seen[b.Field] = true
			one = append(one, b)
		}
	}
	return one
}

// CrossBreaches lists the cross rules that the channel can break.
func (s *Service) CrossBreaches(channel string) (all []Breach) {
	for _, name := range s.Request.Cross {
		rule, _ := crossRuleByName(name)
		in := func(field string) bool { f, ok := s.Field(field); return ok && f.In(channel) }
		if sample := crossSamples[name]; !slices.ContainsFunc(rule.needs, func(n string) bool { return !in(n) }) && sample.violate != nil {
			f, _ := s.Field(sample.fault)
			all = append(all, Breach{Field: f.Name, Path: f.Path, Rule: name, values: sample.violate})
		}
	}
	return all
}

type breachList struct {
	s   *Service
	how Filling
	all []Breach
}

// fields lists the rules of fields; prefix and path are those of a group's
// first repetition.
func (l *breachList) fields(prefix, path string, list []Field) {
	for i := range list {
		f := &list[i]
		if !f.In(l.how.Channel) {
			continue
		}
		name := prefix + f.Name
		set := func(rule, bad string) {
			l.all = append(l.all, Breach{Field: name, Path: path + f.Path, Rule: rule, values: func(v map[string]string) { v[name] = bad }})
		}
		change := func(rule string, do func(e *etree.Element)) {
			l.all = append(l.all, Breach{Field: name, Path: path + f.Path, Rule: rule, xml: func(root *etree.Element) { at(root, path+f.Path, do) }})
		}
		if !f.Optional {
			change("required", func(e *etree.Element) { e.Parent().RemoveChild(e) })
		}
		change("repeated", twice)
		change("has-elements", nested)
		for _, w := range wrongValues(f, l.how.At) {
			set(w.rule, w.value)
		}
	}
}

// wrongValue is a value that breaks a rule and nothing else.
type wrongValue struct{ rule, value string }

// wrongValues gives one for each rule of the field's own.
func wrongValues(f *Field, at time.Time) (all []wrongValue) {
	add := func(rule, value string) { all = append(all, wrongValue{rule, value}) }
	if row := typeSamples[f.Type]; row.bad != "" {
		rule := f.Type
		if f.Codes == CodesOfOffices {
			rule = "residence"
		}
		add(rule, row.bad)
	}
	if f.Type == "string" {
		add("characters", "A\u0085A"+strings.Repeat("A", f.MinLen))
		if f.MinLen > 1 {
			add("too-short", strings.Repeat("A", f.MinLen-1))
		}
		if f.MaxLen > 0 {
			add("too-long", strings.Repeat("A", f.MaxLen+1))
		}
		if f.Pattern != "" {
			add("pattern", strings.Repeat("#", max(f.MinLen, 1)))
		}
	}
	switch f.Type {
	case "date":
		if d, err := ParseDate(f.Min); err == nil {
			add("min", d.time().AddDate(0, 0, -1).Format(time.DateOnly))
		}
		if d, err := ParseDate(f.Max); err == nil {
			add("max", d.time().AddDate(0, 0, 1).Format(time.DateOnly))
		}
	case "int", "decimal":
		if n, ok := new(big.Rat).SetString(f.Min); ok {
			add("min", n.Sub(n, big.NewRat(1, 1)).FloatString(0))
		}
		if n, ok := new(big.Rat).SetString(f.Max); ok {
			add("max", n.Add(n, big.NewRat(1, 1)).FloatString(0))
		}
	}
	for _, rule := range f.Rules {
		if bad, ok := ruleBreakers[rule]; ok {
			add(rule, bad(at))
		}
	}
	return all
}

// ruleBreakers has a row for each row of namedRules.
var ruleBreakers = map[string]func(at time.Time) string{
	"not-in-future": func(at time.Time) string { return at.AddDate(0, 0, 2).Format(time.DateOnly) },
	"is-true":       func(time.Time) string { return "false" },
	"person-name":   func(time.Time) string { return "TEST 1" },
}

func (l *breachList) group(g *Group) {
	l.fields(g.Name+".1.", g.Path+"[1]/", g.Fields)
	count := func(do func(v map[string]string)) {
		l.all = append(l.all, Breach{Field: g.Name, Path: g.Path, Rule: "group-count", values: do})
	}
	if g.MinCount > 0 {
		count(func(v map[string]string) {
			for name := range v {
				if strings.HasPrefix(name, g.Name+".") {
					delete(v, name)
				}
			}
		})
	}
	count(func(v map[string]string) {
		for no := 2; no <= g.MaxCount+1; no++ {
			for _, f := range g.Fields {
				if first, ok := v[g.Name+".1."+f.Name]; ok {
					v[g.Name+"."+strconv.Itoa(no)+"."+f.Name] = first
				}
			}
		}
	})
}

func (l *breachList) attachment(a *AttachmentKind) {
	first := func(rule string, do func(x *Attachment)) {
		l.all = append(l.all, Breach{Field: a.Name, Path: a.Path, Rule: rule, files: func(files []Attachment) []Attachment {
			for i := range files {
				if files[i].Kind == a.Name {
					do(&files[i])
					break
				}
			}
			return files
		}})
	}
	if !a.Optional {
		l.all = append(l.all, Breach{Field: a.Name, Path: a.Path, Rule: "required", files: func(files []Attachment) []Attachment {
			return slices.DeleteFunc(files, func(x Attachment) bool { return x.Kind == a.Name })
		}})
	}
	l.all = append(l.all, Breach{Field: a.Name, Path: a.Path, Rule: "attachment-count", files: func(files []Attachment) []Attachment {
		for range max(a.MaxCount, 1) {
			files = append(files, SampleAttachment(a))
		}
		return files
	}})
	first("attachment-name", func(x *Attachment) { x.Name = "../" + x.Name })
	first("attachment-empty", func(x *Attachment) { x.Content, x.SHA256 = nil, "" })
	first("attachment-type", func(x *Attachment) { x.Content, x.SHA256 = []byte("MZ\x90\x00"), "" })
	first("attachment-digest", func(x *Attachment) { x.SHA256 = strings.Repeat("0", 64) })
	first("attachment-too-big", func(x *Attachment) {
		x.Content = append(slices.Clone(x.Content), make([]byte, int(a.MaxSize)+1-len(x.Content))...)
		x.SHA256 = ""
	})
	for rule, do := range map[string]func(e *etree.Element){
		"attachment-base64": func(e *etree.Element) { e.SetText("%%%") },
		"has-elements":      nested,
		"repeated":          twice,
	} {
		l.all = append(l.all, Breach{Field: a.Name, Path: a.Path, Rule: rule, xml: func(root *etree.Element) { at(root, contentPath(a.Path), do) }})
	}
}

// contentPath is where the content of an attachment stands, in the namespace
// of its element.
func contentPath(path string) string {
	last := path[strings.LastIndexByte(path, '/')+1:]
	if prefix, _, ok := strings.Cut(last, ":"); ok {
		return path + "/" + prefix + ":content"
	}
	return path + "/content"
}

// at does something with the first element of a path such as a/b[1]/p:c.
func at(e *etree.Element, path string, do func(e *etree.Element)) {
	for seg := range strings.SplitSeq(strings.ReplaceAll(path, "[1]", ""), "/") {
		prefix, local, ok := strings.Cut(seg, ":")
		if !ok {
			prefix, local = "", seg
		}
		i := slices.IndexFunc(e.ChildElements(), func(c *etree.Element) bool { return c.Space == prefix && c.Tag == local })
		if i < 0 {
			return
		}
		e = e.ChildElements()[i]
	}
	do(e)
}

// twice puts an element there once more.
func twice(e *etree.Element) { e.Parent().InsertChildAt(e.Index(), e.Copy()) }

// nested puts an element where a value should stand.
func nested(e *etree.Element) { e.CreateElement("x") }
