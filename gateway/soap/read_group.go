package soap

import (
	"bytes"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"kopir/signature/xmltree"
)

// space is white space in the sense of XML.
const space = " \t\r\n"

func refuse(code Code, n xmltree.Node, path, detail string) *Error {
	return &Error{Code: code, Path: path, Line: n.Line(), Detail: detail}
}

// elementsOnly gives the child elements of a node that may hold elements only;
// text between them that is more than white space is an error.
func elementsOnly(n xmltree.Node, path string) iter.Seq2[xmltree.Node, *Error] {
	return func(yield func(xmltree.Node, *Error) bool) {
		for child := range n.Children() {
			switch child.Kind() {
			case xmltree.KindElement:
				if !yield(child, nil) {
					return
				}
			case xmltree.KindText:
				if !child.IsBlank() {
					yield(xmltree.Node{}, refuse(CodeText, n, path, "text where only elements may be"))
					return
				}
			}
		}
	}
}

// isNil reports whether an element says to be absent.
func isNil(n xmltree.Node) bool {
	v, _ := n.Attr(Instance, "nil")
	v = strings.Trim(v, space)
	return v == "true" || v == "1"
}

// isBlank reports whether an element holds nothing but white space.
func isBlank(n xmltree.Node) bool {
	return !n.HasElements() && len(bytes.Trim(n.TextBytes(), space)) == 0
}

func expectLocal(child xmltree.Node, name, path string) *Error {
	switch {
	case child.Is("", name):
		return nil
	case child.Local() == name:
		return refuse(CodeNamespace, child, path, "must be in no namespace")
	default:
		return refuse(CodeUnexpected, child, strings.TrimSuffix(path, name)+child.Local(), "expected "+name)
	}
}

// readGroup reads the elements of a wire type in whatever order they come.
func readGroup(parent xmltree.Node, v reflect.Value, path string) *Error {
	fields := plan(v.Type())
	seen := make([]int, len(fields))
	for child, err := range elementsOnly(parent, path) {
		if err != nil {
			return err
		}
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == child.Local() })
		at := path + "/" + child.Local()
		if i < 0 {
			return refuse(CodeUnexpected, child, at, "the contract has no such element here")
		}
		f := fields[i]
		if child.Space() != "" && f.shape != dataShape {
			return refuse(CodeNamespace, child, at, "must be in no namespace")
		}
		seen[i]++
		if seen[i] > 1 && !f.repeated {
			return refuse(CodeRepeated, child, at, "one at most")
		}
		if f.repeated {
			at = fmt.Sprintf("%s[%d]", at, seen[i])
		}
		if err := readField(child, f, v, at); err != nil {
			return err
		}
	}
	for i, f := range fields {
		if seen[i] == 0 && !f.optional && !f.tolerate {
			return refuse(CodeMissing, parent, path+"/"+f.name, "exactly one")
		}
	}
	return nil
}

// readField puts one element into its field of v.
func readField(child xmltree.Node, f field, v reflect.Value, path string) *Error {
	if f.shape == ignoredShape {
		return nil
	}
	target := v.Field(f.index)
	if f.shape == dataShape {
		d, err := readData(child, path)
		if err != nil {
			return err
		}
		target.Set(reflect.ValueOf(d))
		return nil
	}
	if isNil(child) && !isBlank(child) {
		return refuse(CodeValue, child, path, "says to be nil and holds something")
	}
	if isBlank(child) && (f.optional || f.tolerate) {
		return nil // empty is absent
	}
	if f.shape == groupShape {
		switch {
		case f.repeated:
			element := reflect.New(f.group).Elem()
			if err := readGroup(child, element, path); err != nil {
				return err
			}
			target.Set(reflect.Append(target, element))
			return nil
		case target.Kind() == reflect.Pointer:
			target.Set(reflect.New(f.group))
			target = target.Elem()
		}
		return readGroup(child, target, path)
	}
	return readValue(child, f, target, path)
}

// readValue reads an element of simple type.
func readValue(child xmltree.Node, f field, target reflect.Value, path string) *Error {
	if child.HasElements() {
		return refuse(CodeUnexpected, child, path, "a value is expected, not elements")
	}
	s := child.Text()
	if !f.exact {
		s = strings.Trim(s, space)
	}
	switch f.shape {
	case timeShape:
		t, ok := ParseDateTime(s)
		if !ok {
			return refuse(CodeValue, child, path, "must be a date and time such as 2026-01-15T10:00:00.000+05:00")
		}
		target.Set(reflect.ValueOf(t))
		return nil
	case intShape:
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return refuse(CodeValue, child, path, "must be a whole number of 32 bits")
		}
		target.SetInt(n)
		return nil
	case enumShape:
		if !slices.Contains(f.values, s) {
			return refuse(CodeValue, child, path, "must be one of "+strings.Join(f.values, ", "))
		}
	}
	switch {
	case f.filled && s == "":
		return refuse(CodeMissing, child, path, "must not be empty")
	case f.max > 0 && utf8.RuneCountInString(s) > f.max:
		return refuse(CodeValue, child, path, fmt.Sprintf("longer than %d characters", f.max))
	}
	target.SetString(s)
	return nil
}
