package xmltree

// The namespaces of WS-Security whose Id attributes identify elements.
const (
	wsuNamespace  = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	wsseNamespace = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
)

// idKind ranks an attribute as identifier.
type idKind uint8

const (
	// lookalike: spelled like one, so that another program may follow it. It
	// makes a value ambiguous, but finds nothing.
	lookalike idKind = iota + 1
	// plain: Id, ID, id without a namespace. Whether it identifies is a matter
	// of the vocabulary; business data repeats row numbers under this name.
	plain
	// typed: wsu:Id, wsse:Id, xml:id, which their standards give the type ID.
	// A value that two elements bear makes the document invalid.
	typed
)

// identifier says who bears a value.
type identifier struct {
	node  int32  // the first element that does
	other uint32 // the attribute of a second one, 0 if there is none
	kind  idKind // the highest among the attributes of the first
	typed bool   // a typed one is among all
}

// isID says how an attribute identifies, 0 if it does not.
func (d *Document) isID(a *attribute) idKind {
	local, uri := d.local(a), d.uri(a.bind)
	switch string(local) {
	case "Id":
		if string(uri) == wsuNamespace || string(uri) == wsseNamespace {
			return typed
		}
	case "ID":
	case "id":
		if string(uri) == XMLNamespace {
			return typed
		}
	case "iD", "AssertionID":
		return lookalike
	default:
		return 0
	}
	if len(uri) == 0 {
		return plain
	}
	return lookalike
}

// identify notes the identifiers among the attributes of the element self.
func (p *parser) identify(self int32, attrs []attribute) error {
	d := p.d
	for i := range attrs {
		a := &attrs[i]
		if a.nlen < 2 || d.src[a.name+uint32(a.nlen)-1]|0x20 != 'd' {
			continue
		}
		kind := d.isID(a)
		if kind == 0 || a.vlen == 0 {
			continue
		}
		number := int(d.idValues.add(d.valueOf(a)))
		if number == len(d.ids) {
			d.ids = push(d.ids, identifier{node: self, kind: kind, typed: kind == typed})
			continue
		}
		id := &d.ids[number]
		if id.node == self {
			id.kind = max(id.kind, kind) // one element with two spellings of one value
		} else {
			if kind == typed && id.typed {
				return p.fail(DuplicateID, int(a.name), "an identifier that must be unique (wsu:Id, wsse:Id, xml:id) is borne by two elements")
			}
			id.other = a.name
		}
		id.typed = id.typed || kind == typed
	}
	return nil
}

// ByID is the one element that bears the identifier value as wsu:Id, wsse:Id,
// xml:id, or as Id, ID or id without a namespace. It is an error with the
// code NoSuchID if no element does, AmbiguousID if several do, where an
// attribute spelled id, in any case and any namespace, or AssertionID counts
// as well: other programs may follow that one.
func (d *Document) ByID(value string) (Node, error) {
	number := d.idValues.find([]byte(value))
	if number >= 0 && d.ids[number].other != 0 {
		return Node{}, d.fail(AmbiguousID, int(d.ids[number].other), "more than one element bears the identifier that is referred to")
	}
	if number < 0 || d.ids[number].kind == lookalike {
		return Node{}, &Error{Code: NoSuchID, Line: 1, Column: 1, Message: "no element bears the identifier that is referred to"}
	}
	return Node{d, d.ids[number].node}, nil
}
