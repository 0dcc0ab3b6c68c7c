package xmltree

import (
	"bytes"
	"slices"
)

// The namespaces of WS-Security whose Id attributes identify elements.
const (
	wsuNamespace  = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	wsseNamespace = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
)

// idKind ranks an attribute as identifier.
type idKind uint8

const (
	lookalike idKind = iota + 1 // spelled like one: makes a value ambiguous, but finds nothing
	plain                       // Id, ID, id without a namespace
	typed                       // wsu:Id, wsse:Id, xml:id
)

type identifier struct {
	node, attr int32
	kind       idKind
}

type idValue struct {
	value []byte
	identifier
}

// isID says how an attribute identifies, 0 if it does not.
func (d *Document) isID(a *attribute) idKind {
	local := d.local(a)
	if len(local) != 2 || local[0]|0x20 != 'i' || local[1]|0x20 != 'd' {
		return 0
	}
	switch uri := d.uri(a.bind); string(local) {
	case "Id":
		if len(uri) == 0 {
			return plain
		}
		if string(uri) == wsuNamespace || string(uri) == wsseNamespace {
			return typed
		}
	case "ID":
		if len(uri) == 0 {
			return plain
		}
	case "id":
		if len(uri) == 0 {
			return plain
		}
		if string(uri) == XMLNamespace {
			return typed
		}
	}
	return lookalike
}

// ByID is the one element that bears the identifier value as wsu:Id, wsse:Id,
// xml:id, or as Id, ID or id without a namespace. It is an error with the
// code NoSuchID if no element does, AmbiguousID if several do, where an
// attribute called id, in any case and any namespace, counts as well: other
// programs may follow that one.
func (d *Document) ByID(value string) (Node, error) {
	d.sortIDs.Do(d.indexIDs)
	i, _ := slices.BinarySearchFunc(d.idValues, value, func(v idValue, s string) int { return bytes.Compare(v.value, []byte(s)) })
	found, usable := none, false
	for ; value != "" && i < len(d.idValues) && string(d.idValues[i].value) == value; i++ {
		v := &d.idValues[i]
		if found != none && found != v.node {
			return Node{}, d.fail(AmbiguousID, int(d.attrs[v.attr].name), "more than one element bears the identifier that is referred to")
		}
		found = v.node
		usable = usable || v.kind != lookalike
	}
	if !usable {
		return Node{}, &Error{Code: NoSuchID, Line: 1, Column: 1, Message: "no element bears the identifier that is referred to"}
	}
	return Node{d, found}, nil
}

// indexIDs orders the identifiers by value, then by place.
func (d *Document) indexIDs() {
	d.idValues = make([]idValue, len(d.ids))
	for i, id := range d.ids {
		d.idValues[i] = idValue{d.valueOf(&d.attrs[id.attr]), id}
	}
	slices.SortStableFunc(d.idValues, func(a, b idValue) int { return bytes.Compare(a.value, b.value) })
}
