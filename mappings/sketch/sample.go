package sketch

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"kopir/mappings"
	"kopir/signature/xmltree"
)

const (
	nsXMLDSig = "http://www.w3.org/2000/09/xmldsig#"
	nsXSI     = "http://www.w3.org/2001/XMLSchema-instance"
)

// maxElements bounds a description; the largest real form has some hundred.
const maxElements = 3000

// FromSamples reads the documents of several messages of one kind. An element
// that one of them lacks, or has empty, is optional.
func FromSamples(roots []xmltree.Node) (*Sketch, error) {
	s := &Sketch{}
	for i, n := range roots {
		if i > 0 && !n.Is(s.Root.Space, s.Root.Local) {
			return nil, fmt.Errorf("the samples are of different documents: {%s}%s and {%s}%s", s.Root.Space, s.Root.Local, n.Space(), n.Local())
		}
		one, err := s.sample(n, new(int))
		if err != nil {
			return nil, err
		}
		if i == 0 {
			s.Root = one
		} else {
			merge(s.Root, one)
		}
	}
	if s.Root == nil {
		return nil, errors.New("there is no sample")
	}
	if s.Root.leaf() {
		return nil, fmt.Errorf("the document %s has no elements inside", s.Root.Local)
	}
	judge(s.Root)
	slices.SortFunc(s.Notes, less)
	s.Notes = slices.Compact(s.Notes)
	return s, nil
}

// sample reads one element; repeated children become one that repeats.
func (s *Sketch) sample(n xmltree.Node, count *int) (*Element, error) {
	if *count++; *count > maxElements {
		return nil, fmt.Errorf("more than %d elements: give a sample with less in it", maxElements)
	}
	e := &Element{Space: n.Space(), Local: n.Local(), Prefix: n.Prefix(), Min: 1, Max: 1}
	for a := range n.Attrs() {
		if a.Space != nsXSI {
			s.Notes = append(s.Notes, "the attribute "+a.Local+" of "+n.Path()+" is not read: the language reads elements")
		}
	}
	for c := range n.Elements() {
		if c.Is(nsXMLDSig, "Signature") {
			e.Signed = true
			continue
		}
		one, err := s.sample(c, count)
		if err != nil {
			return nil, err
		}
		if same := e.child(one); same == nil {
			e.Children = append(e.Children, one)
		} else {
			merge(same, one)
			same.Max = Many
		}
	}
	if e.leaf() {
		if text := strings.TrimSpace(n.Text()); text == "" {
			e.Min = 0
		} else {
			e.values = append(e.values, text)
		}
	}
	return e, nil
}

func (e *Element) child(like *Element) *Element {
	i := slices.IndexFunc(e.Children, func(c *Element) bool { return c.Space == like.Space && c.Local == like.Local })
	if i < 0 {
		return nil
	}
	return e.Children[i]
}

// merge adds what another sample of an element shows.
func merge(a, b *Element) {
	a.Min, a.Signed = min(a.Min, b.Min), a.Signed || b.Signed
	if b.Max == Many {
		a.Max = Many
	}
	a.values = append(a.values, b.values...)
	for _, c := range a.Children {
		if b.child(c) == nil {
			c.Min = 0
		}
	}
	for _, c := range b.Children {
		if same := a.child(c); same != nil {
			merge(same, c)
		} else {
			c.Min = 0
			a.Children = append(a.Children, c)
		}
	}
}

// judge finds the kinds of leaves by their values.
func judge(e *Element) {
	for _, c := range e.Children {
		judge(c)
	}
	if e.leaf() {
		e.Kind, e.Guessed = kindOf(e.Local, e.values), true
		for _, v := range e.values {
			e.MaxLen = max(e.MaxLen, len([]rune(v)))
		}
	}
}

var (
	wholePattern   = regexp.MustCompile(`^(?:0|-?[1-9][0-9]{0,17})$`)
	decimalPattern = regexp.MustCompile(`^-?[0-9]{1,15}\.[0-9]{1,6}$`)
	phonePattern   = regexp.MustCompile(`^(?:\+[0-9][0-9 ()-]{7,18}|[78][ (-]?[0-9][0-9 ()-]{8,15})$`)
	datePattern    = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:Z|[+-][0-9]{2}:[0-9]{2})?$`)
	momentPattern  = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}`)
	twelvePattern  = regexp.MustCompile(`^[0-9]{12}$`)
)

// kindOf is the narrowest kind that all values and the name allow.
func kindOf(local string, values []string) string {
	every := func(ok func(string) bool) bool {
		return len(values) > 0 && !slices.ContainsFunc(values, func(v string) bool { return !ok(v) })
	}
	named := hint(local)
	switch {
	case len(values) == 0:
		return "string"
	case every(twelvePattern.MatchString):
		return numberKind(named, values)
	case every(func(v string) bool { return v == "true" || v == "false" }):
		return "bool"
	case every(datePattern.MatchString) && every(func(v string) bool { _, err := mappings.ParseDate(v[:10]); return err == nil }):
		return "date"
	case every(momentPattern.MatchString) && every(func(v string) bool { _, err := time.Parse("2006-01-02T15:04:05", v[:19]); return err == nil }):
		return "datetime"
	case every(func(v string) bool {
		a, err := mail.ParseAddress(v)
		return err == nil && a.Address == v && strings.Contains(v, "@")
	}):
		return "email"
	case every(phonePattern.MatchString) && (named == "phone" || every(func(v string) bool { return v[0] == '+' })):
		return "phone"
	case every(isFile):
		return "base64"
	case every(decimalPattern.MatchString):
		return "decimal"
	case every(func(v string) bool { return wholePattern.MatchString(v) && len(v) < 10 }):
		return "int"
	}
	return "string"
}

// numberKind tells the number of a person from that of an organisation: by the
// name, else by the fifth digit (4, 5 or 6 is an organisation) and by check
// digit and date of birth.
func numberKind(named string, values []string) string {
	if named == "iin" || named == "bin" {
		return named
	}
	organisation, person := true, true
	for _, v := range values {
		month, _ := strconv.Atoi(v[2:4])
		day, _ := strconv.Atoi(v[4:6])
		organisation = organisation && v[4] >= '4' && v[4] <= '6' && mappings.CheckDigit(v)
		person = person && month >= 1 && month <= 12 && day >= 1 && day <= 31 && v[6] >= '0' && v[6] <= '6' && mappings.CheckDigit(v)
	}
	switch {
	case organisation:
		return "bin"
	case person:
		return "iin"
	}
	return "string"
}

// isFile says whether a text is the base64 of something that begins like a file.
func isFile(v string) bool {
	content, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(v), ""))
	return err == nil && mappings.MediaType(content) != ""
}
