package sketch

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"kopir/mappings"
	"kopir/signature/xmltree"
)

const nsXSD = "http://www.w3.org/2001/XMLSchema"

// schema is all schema documents that one leads to.
type schema struct {
	open     func(location string) ([]byte, error)
	seen     map[string]bool
	elements map[qname]xmltree.Node
	types    map[qname]xmltree.Node
	groups   map[qname]xmltree.Node
	order    []qname // of the global elements that may be the document
	first    string  // target namespace of the first file
	target   map[*xmltree.Document]string
	formed   map[*xmltree.Document]bool // local elements are qualified
	count    int
	notes    []string
}

type qname struct{ space, local string }

// FromXSD reads a schema. open gives the bytes of a file by the name that
// schemaLocation has; nothing else is ever fetched. root names the global
// element of the document; empty where there is one only.
func FromXSD(open func(location string) ([]byte, error), file, root string) (*Sketch, error) {
	s := &schema{open: open, seen: map[string]bool{}, elements: map[qname]xmltree.Node{}, types: map[qname]xmltree.Node{}, groups: map[qname]xmltree.Node{},
		target: map[*xmltree.Document]string{}, formed: map[*xmltree.Document]bool{}}
	if err := s.load(file, ""); err != nil {
		return nil, err
	}
	var found []qname
	for _, q := range s.order {
		if root == "" || q.local == root {
			found = append(found, q)
		}
	}
	if len(found) != 1 {
		var names []string
		for _, q := range s.order {
			names = append(names, q.local)
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("%s declares no element: name the schema of the document itself", file)
		}
		return nil, fmt.Errorf("the root is one of %s: name it by -root", strings.Join(names, ", "))
	}
	e, err := s.element(s.elements[found[0]], nil)
	if err != nil {
		return nil, err
	}
	if e.leaf() {
		return nil, fmt.Errorf("the element %s has no elements inside", e.Local)
	}
	slices.SortFunc(s.notes, less)
	return &Sketch{Root: e, Notes: slices.Compact(s.notes)}, nil
}

func (s *schema) note(n xmltree.Node, format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...)+fmt.Sprintf(" (line %d of the schema)", n.Line()))
}

// load reads one schema document and those that it includes and imports.
func (s *schema) load(location, chameleon string) error {
	if s.seen[location] {
		return nil
	}
	s.seen[location] = true
	src, err := s.open(location)
	if err != nil {
		return err
	}
	doc, err := xmltree.Parse(src, xmltree.DefaultLimits())
	if err != nil {
		return fmt.Errorf("%s: %w", location, err)
	}
	top := doc.Root()
	if !top.Is(nsXSD, "schema") {
		return fmt.Errorf("%s is not an XML schema", location)
	}
	target, ok := top.Attr("", "targetNamespace")
	if !ok {
		target = chameleon
	}
	form, _ := top.Attr("", "elementFormDefault")
	s.target[doc], s.formed[doc] = target, form == "qualified"
	if len(s.seen) == 1 {
		s.first = target
	}
	for n := range top.Elements() {
		name, _ := n.Attr("", "name")
		q := qname{target, name}
		switch n.Local() {
		case "element":
			s.elements[q] = n
			if target == s.first {
				s.order = append(s.order, q)
			}
		case "complexType", "simpleType":
			s.types[q] = n
		case "group":
			s.groups[q] = n
		case "include", "import", "redefine":
			where, ok := n.Attr("", "schemaLocation")
			if !ok {
				continue // a namespace without a file: its names are missed when they are used
			}
			if err := s.load(where, target); err != nil {
				return err
			}
		}
	}
	return nil
}

// resolve expands a prefixed name that stands in an attribute.
func (s *schema) resolve(n xmltree.Node, name string) qname {
	prefix, local, ok := strings.Cut(name, ":")
	if !ok {
		prefix, local = "", name
	}
	space, _ := n.Namespace(prefix)
	if space == "" && prefix == "" {
		space = s.target[n.Document()]
	}
	return qname{space, local}
}

func occurs(n xmltree.Node, low, high int) (int, int) {
	if v, ok := n.Attr("", "minOccurs"); ok {
		low, _ = strconv.Atoi(v)
	}
	if v, ok := n.Attr("", "maxOccurs"); ok {
		if high, _ = strconv.Atoi(v); v == "unbounded" {
			high = Many
		}
	}
	return low, high
}

func (s *schema) element(n xmltree.Node, within []qname) (*Element, error) {
	if s.count++; s.count > maxElements {
		return nil, fmt.Errorf("more than %d elements: name a smaller root", maxElements)
	}
	e := &Element{}
	e.Min, e.Max = occurs(n, 1, 1)
	if ref, ok := n.Attr("", "ref"); ok {
		q := s.resolve(n, ref)
		global, ok := s.elements[q]
		if !ok {
			return nil, fmt.Errorf("line %d: the element %s is declared nowhere: put its schema beside, under the name of its schemaLocation", n.Line(), ref)
		}
		one, err := s.element(global, within)
		if err == nil {
			one.Min, one.Max = e.Min, e.Max
		}
		return one, err
	}
	e.Local, _ = n.Attr("", "name")
	form, _ := n.Attr("", "form")
	if n.Parent().Is(nsXSD, "schema") || form == "qualified" || form == "" && s.formed[n.Document()] {
		e.Space = s.target[n.Document()]
	}
	e.Label = documentation(n)
	var err error
	if name, ok := n.Attr("", "type"); ok {
		err = s.named(e, n, name, within)
	} else {
		err = s.inline(e, n, within)
	}
	return e, err
}

// inline reads an anonymous type.
func (s *schema) inline(e *Element, n xmltree.Node, within []qname) error {
	for c := range n.Elements() {
		switch c.Local() {
		case "complexType":
			return s.complex(e, c, within)
		case "simpleType":
			return s.simple(e, c, within)
		}
	}
	s.note(n, "%s may hold anything; it is taken for text", e.Local)
	e.Kind, e.Guessed = "string", true
	return nil
}

func (s *schema) named(e *Element, n xmltree.Node, name string, within []qname) error {
	q := s.resolve(n, name)
	if q.space == nsXSD {
		return s.builtin(e, n, q.local)
	}
	t, ok := s.types[q]
	if !ok {
		return fmt.Errorf("line %d: the type %s is declared nowhere: put its schema beside, under the name of its schemaLocation", n.Line(), name)
	}
	if slices.Contains(within, q) {
		s.note(n, "%s holds itself; it is left out below here", e.Local)
		e.Kind, e.Guessed = "string", true
		return nil
	}
	within = append(slices.Clone(within), q)
	if e.Label.IsZero() {
		e.Label = documentation(t)
	}
	if t.Is(nsXSD, "complexType") {
		return s.complex(e, t, within)
	}
	return s.simple(e, t, within)
}

func (s *schema) complex(e *Element, n xmltree.Node, within []qname) error {
	for c := range n.Elements() {
		var err error
		switch c.Local() {
		case "sequence", "all", "choice", "group":
			err = s.content(e, c, within, false)
		case "complexContent", "simpleContent":
			for d := range c.Elements() {
				base, _ := d.Attr("", "base")
				if d.Local() == "extension" || c.Local() == "simpleContent" {
					if base != "" && s.resolve(d, base) != (qname{nsXSD, "anyType"}) {
						err = s.named(e, d, base, within)
					}
				}
				if err == nil && d.Local() != "annotation" {
					err = s.complex(e, d, within)
				}
			}
		case "attribute":
			name, _ := c.Attr("", "name")
			s.note(c, "the attribute %s of %s is not read: the language reads elements", name, e.Local)
		}
		if err != nil {
			return err
		}
	}
	if e.leaf() && e.Kind == "" {
		e.Kind, e.Guessed = "string", true
	}
	return nil
}

// content reads a model group. What stands in a choice, or in a group that may
// be missing, is optional.
func (s *schema) content(e *Element, n xmltree.Node, within []qname, optional bool) error {
	low, high := occurs(n, 1, 1)
	optional = optional || low == 0 || n.Local() == "choice"
	if n.Local() == "choice" {
		s.note(n, "%s is a choice: each of its elements is optional, and that one is there is not checked", e.Local)
	}
	if ref, ok := n.Attr("", "ref"); ok && n.Local() == "group" {
		q := s.resolve(n, ref)
		g, ok := s.groups[q]
		if !ok {
			return fmt.Errorf("line %d: the group %s is declared nowhere", n.Line(), ref)
		}
		if slices.Contains(within, q) {
			return errors.New("the group " + ref + " holds itself")
		}
		n, within = g, append(slices.Clone(within), q)
	}
	for c := range n.Elements() {
		switch c.Local() {
		case "element":
			one, err := s.element(c, within)
			if err != nil {
				return err
			}
			if optional {
				one.Min = 0
			}
			if high != 1 {
				one.Max = high
			}
			if one.Max == 0 {
				continue // forbidden
			}
			if same := e.child(one); same != nil {
				s.note(c, "%s stands twice in %s; it is described once", one.Local, e.Local)
				continue
			}
			e.Children = append(e.Children, one)
		case "sequence", "choice", "all", "group":
			if err := s.content(e, c, within, optional); err != nil {
				return err
			}
		case "any":
			s.note(c, "%s may hold further elements, which are reported as unknown", e.Local)
		}
	}
	return nil
}

// simple reads the facets of a simple type over those of its base.
func (s *schema) simple(e *Element, n xmltree.Node, within []qname) error {
	for c := range n.Elements() {
		switch c.Local() {
		case "restriction":
			if base, ok := c.Attr("", "base"); ok {
				if err := s.named(e, c, base, within); err != nil {
					return err
				}
			} else if err := s.inline(e, c, within); err != nil {
				return err
			}
			return s.facets(e, c)
		case "list", "union":
			s.note(c, "%s is a %s; it is taken for text", e.Local, c.Local())
			e.Kind, e.Guessed = "string", true
		}
	}
	return nil
}

func (s *schema) facets(e *Element, n xmltree.Node) error {
	own := false
	for f := range n.Elements() {
		v, _ := f.Attr("", "value")
		number, _ := strconv.Atoi(v)
		switch f.Local() {
		case "enumeration":
			if !own {
				e.Codes, own = nil, true
			}
			label := documentation(f)
			e.Codes = append(e.Codes, mappings.Code{Value: v, Ru: label.Ru, Kk: label.Kk, En: label.En})
		case "pattern":
			if _, err := regexp.Compile(v); err != nil || strings.Contains(v, `\i`) || strings.Contains(v, `\c`) {
				s.note(f, "the pattern %s of %s is not one of this language", v, e.Local)
			} else if e.Pattern = v; e.Kind == "string" && (v == `\d{12}` || v == `[0-9]{12}`) {
				if k := hint(e.Local); k == "iin" || k == "bin" {
					e.Kind, e.Pattern = k, ""
				}
			}
		case "length":
			e.MinLen, e.MaxLen = number, number
		case "minLength":
			e.MinLen = number
		case "maxLength":
			e.MaxLen = number
		case "minInclusive":
			e.Low = v
		case "maxInclusive":
			e.High = v
		case "minExclusive", "maxExclusive", "totalDigits", "fractionDigits":
			s.note(f, "%s %s of %s is not checked", f.Local(), v, e.Local)
		}
	}
	if e.MinLen == 12 && e.MaxLen == 12 && e.Kind == "string" {
		if k := hint(e.Local); k == "iin" || k == "bin" {
			e.Kind = k
		}
	}
	return nil
}

// builtins are the types of XML Schema as kinds, with their least value.
var builtins = map[string][2]string{
	"date": {"date"}, "dateTime": {"datetime"}, "boolean": {"bool"}, "base64Binary": {"base64"},
	"decimal": {"decimal"}, "double": {"decimal"}, "float": {"decimal"},
	"int": {"int"}, "integer": {"int"}, "long": {"int"}, "short": {"int"}, "byte": {"int"},
	"nonNegativeInteger": {"int", "0"}, "positiveInteger": {"int", "1"},
	"unsignedInt": {"int", "0"}, "unsignedLong": {"int", "0"}, "unsignedShort": {"int", "0"}, "unsignedByte": {"int", "0"},
}

func (s *schema) builtin(e *Element, n xmltree.Node, local string) error {
	if b, ok := builtins[local]; ok {
		e.Kind, e.Low = b[0], b[1]
		return nil
	}
	switch local {
	case "string", "normalizedString", "token":
	case "anyType", "anySimpleType":
		s.note(n, "%s may hold anything; it is taken for text", e.Local)
	default:
		s.note(n, "%s is an xs:%s; it is taken for text", e.Local, local)
	}
	e.Kind = "string"
	if k := hint(e.Local); k != "" {
		e.Kind, e.Guessed = k, true
	}
	return nil
}

// documentation reads the labels: by xml:lang, else the text for the language
// whose letters it has.
func documentation(n xmltree.Node) (t mappings.Text) {
	for a := range n.Elements() {
		if !a.Is(nsXSD, "annotation") {
			continue
		}
		for d := range a.Elements() {
			if !d.Is(nsXSD, "documentation") {
				continue
			}
			text := strings.Join(strings.Fields(d.Text()), " ")
			lang, _ := d.Attr("http://www.w3.org/XML/1998/namespace", "lang")
			lang, _, _ = strings.Cut(strings.ToLower(lang), "-")
			switch {
			case text == "":
			case lang == "kk" || lang == "kz" || lang == "" && strings.ContainsAny(strings.ToLower(text), kazakhLetters):
				t.Kk = text
			case lang == "ru" || lang == "" && strings.ContainsFunc(text, func(r rune) bool { return r >= '\u0400' && r <= '\u04ff' }):
				t.Ru = text
			default:
				t.En = text
			}
		}
	}
	return t
}

// kazakhLetters are those that Russian lacks.
const kazakhLetters = "\u04d9\u0493\u049b\u04a3\u04e9\u04b1\u04af\u04bb\u0456"
