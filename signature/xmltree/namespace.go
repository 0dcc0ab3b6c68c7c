package xmltree

import (
	"bytes"
	"slices"
)

// declare appends the namespace declaration of prefix to those of the element
// that is being read. raw is the attribute's value as it stands.
func (p *parser) declare(at int, prefix, raw []byte, f flags) error {
	d, uri := p.d, raw
	if f&coded != 0 {
		uri = appendValue(nil, raw, true, false)
	}
	number := d.uris.add(uri)
	switch {
	case string(prefix) == "xmlns":
		return p.fail(BadNamespace, at, "the prefix xmlns is declared")
	case string(prefix) == "xml" && number != xmlURI:
		return p.fail(BadNamespace, at, "the prefix xml is declared as another namespace")
	case number == xmlURI && string(prefix) != "xml":
		return p.fail(BadNamespace, at, "the XML namespace is given to another prefix than xml")
	case number == xmlnsURI:
		return p.fail(BadNamespace, at, "the namespace of namespace declarations is declared")
	case number == noURI && len(prefix) > 0:
		return p.fail(BadNamespace, at, "a prefix is declared as no namespace")
	case number != noURI && !hasScheme(uri):
		return p.fail(RelativeNamespace, at, "a namespace name is relative; it has no canonical form and cannot be signed")
	}
	b := binding{prefix: d.prefixes.add(prefix), uri: number, at: uint32(at), outer: none}
	for int(b.prefix) >= len(p.current) {
		p.current = append(p.current, none)
	}
	d.bindings = push(d.bindings, b)
	return nil
}

// hasScheme says whether uri is absolute, RFC 3986 section 3.1.
func hasScheme(uri []byte) bool {
	for i, c := range uri {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		case i > 0 && (c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return c == ':' && i > 0
		}
	}
	return false
}

// settle puts the declarations of a read start-tag into force, resolves its
// prefixes, brings declarations and attributes into canonical order, and
// refuses what occurs twice. The order in which the sender wrote them means
// nothing in XML.
func (p *parser) settle(self int32) error {
	d := p.d
	n := &d.nodes[self]
	own := d.bindings[n.decl:]
	n.ndecl = uint16(len(own))
	if len(own) > 0 {
		if err := p.settleBindings(own); err != nil {
			return err
		}
	}
	bind, err := p.resolve(d.src[n.start:n.start+uint32(n.plen)], int(n.start))
	if err != nil {
		return err
	}
	n.bind = bind
	attrs := d.attrs[n.attr:]
	n.nattr = uint16(len(attrs))
	if len(attrs) > 0 {
		return p.settleAttributes(self, attrs)
	}
	return nil
}

func (p *parser) settleBindings(own []binding) error {
	d := p.d
	byPrefix := func(a, b binding) int { return bytes.Compare(d.prefixes.list[a.prefix], d.prefixes.list[b.prefix]) }
	if len(own) > 1 {
		sortFew(own, byPrefix)
	}
	for i := range own {
		b := &own[i]
		if i > 0 && own[i-1].prefix == b.prefix {
			return p.fail(DuplicateAttribute, int(max(own[i-1].at, b.at)), "a prefix is declared twice in one tag")
		}
		first := len(d.bindings) - len(own)
		b.outer = p.current[b.prefix]
		outer := noURI
		if b.outer != none {
			outer = d.bindings[b.outer].uri
		}
		b.idle = outer == b.uri
		p.current[b.prefix] = int32(first + i)
	}
	return nil
}

// resolve finds the binding of a prefix.
func (p *parser) resolve(prefix []byte, at int) (int32, error) {
	if len(prefix) == 0 {
		return p.current[noPrefix], nil
	}
	number := p.d.prefixes.find(prefix)
	if number < 0 || p.current[number] == none {
		if string(prefix) == "xmlns" {
			return 0, p.fail(BadNamespace, at, "the prefix xmlns is used in a name")
		}
		return 0, p.fail(UndeclaredPrefix, at, "a prefix is used that is not declared")
	}
	return p.current[number], nil
}

func (p *parser) settleAttributes(self int32, attrs []attribute) error {
	d := p.d
	for i := range attrs {
		a := &attrs[i]
		if a.plen == 0 {
			continue // no namespace: noBinding
		}
		bind, err := p.resolve(d.src[a.name:a.name+uint32(a.plen)], int(a.name))
		if err != nil {
			return err
		}
		a.bind = bind
	}
	if len(attrs) > 1 {
		sortFew(attrs, d.compareAttributes)
		for i := 1; i < len(attrs); i++ {
			if d.compareAttributes(attrs[i-1], attrs[i]) == 0 {
				return p.fail(DuplicateAttribute, int(max(attrs[i-1].name, attrs[i].name)), "an attribute stands twice in one tag")
			}
		}
	}
	return p.identify(self, attrs)
}

// compareAttributes orders by namespace name, then by local name.
func (d *Document) compareAttributes(a, b attribute) int {
	if u, v := d.bindings[a.bind].uri, d.bindings[b.bind].uri; u != v {
		return bytes.Compare(d.uris.list[u], d.uris.list[v])
	}
	return bytes.Compare(d.local(&a), d.local(&b))
}

// sortFew sorts; nearly always there are few, and they are in order already.
func sortFew[T any](s []T, compare func(a, b T) int) {
	if len(s) > 16 {
		slices.SortFunc(s, compare)
		return
	}
	for i := 1; i < len(s); i++ {
		for j := i; j > 0 && compare(s[j-1], s[j]) > 0; j-- {
			s[j-1], s[j] = s[j], s[j-1]
		}
	}
}
