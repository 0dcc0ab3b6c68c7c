package soap

import (
	"bytes"
	"strings"

	"kopir/signature/xmltree"
)

// readData reads the business document's element. Its own namespace is
// whatever the partner put there; what lies below is the business of others.
func readData(n xmltree.Node, path string) (Data, *Error) {
	d := Data{Space: n.Space(), Type: xsiType(n), Node: n}
	if !n.HasElements() {
		text := n.TextBytes()
		switch {
		case len(bytes.Trim(text, space)) == 0:
			d.Form = Empty
		case d.Type.IsZero():
			d.Form, d.Text = Untyped, text
		default:
			d.Form, d.Text = Escaped, text
		}
	} else {
		for _, err := range elementsOnly(n, path) {
			if err != nil {
				return Data{}, err
			}
		}
		d.Form = Nested
	}
	if d.Form != Empty && isNil(n) {
		return Data{}, refuse(CodeValue, n, path, "says to be nil and holds something")
	}
	return d, nil
}

// xsiType reads xsi:type. One gateway puts data itself into the instance
// namespace by default and leaves the attribute without a prefix.
func xsiType(n xmltree.Node) TypeName {
	value, ok := n.Attr(Instance, "type")
	if !ok && n.Space() == Instance {
		value, ok = n.Attr("", "type")
	}
	value = strings.Trim(value, space)
	if !ok || value == "" {
		return TypeName{}
	}
	prefix, local, found := strings.Cut(value, ":")
	if !found {
		prefix, local = "", value
	}
	uri, _ := n.Namespace(prefix)
	return TypeName{Space: uri, Prefix: prefix, Local: local}
}
