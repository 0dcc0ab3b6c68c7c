package xmltree

import (
	"slices"
)

// attributesWithInherited writes the attributes of the outermost element of
// an inclusive form, with the xml:* attributes that it inherits from the
// elements around it: all of them in Canonical XML 1.0 (section 2.4); in 1.1
// (section 2.4) only xml:lang and xml:space as they are, and xml:base joined.
func (w *writer) attributesWithInherited(i int32) {
	d := w.d
	n := &d.nodes[i]
	own := d.attrs[n.attr : n.attr+uint32(n.nattr)]
	merged := make([]*attribute, 0, len(own)+4)
	for k := range own {
		merged = append(merged, &own[k])
	}
	var bases []*attribute // xml:base from the inside out
	for e := i; e != none; e = d.nodes[e].parent {
		n := &d.nodes[e]
		for k := n.attr; k < n.attr+uint32(n.nattr); k++ {
			a := &d.attrs[k]
			if d.bindings[a.bind].uri != xmlURI {
				continue
			}
			switch local := string(d.local(a)); {
			case w.m.Kind == Inclusive11 && local == "base":
				bases = append(bases, a)
			case e == i, w.m.Kind == Inclusive11 && local != "lang" && local != "space":
				continue
			}
			if e != i {
				merged = append(merged, a)
			}
		}
	}
	// Stable: of equal names the nearest comes first.
	slices.SortStableFunc(merged, func(a, b *attribute) int { return d.compareAttributes(*a, *b) })
	var last *attribute
	for _, a := range merged {
		if last != nil && d.compareAttributes(*last, *a) == 0 {
			continue
		}
		last = a
		if len(bases) > 0 && d.bindings[a.bind].uri == xmlURI && string(d.local(a)) == "base" {
			w.base(bases, bases[0].name > n.start) // behind its own tag's name: not inherited
			continue
		}
		w.attribute(a)
	}
}

// base writes xml:base as the fix-up of Canonical XML 1.1 wants it: that of
// the element, resolved against those around it. Only a resolved value may be
// empty, and is then not written.
func (w *writer) base(fromInside []*attribute, own bool) {
	value := w.d.valueOf(fromInside[0])
	if len(fromInside) > 1 {
		values := make([][]byte, len(fromInside))
		for i, a := range fromInside {
			values[i] = w.d.valueOf(a)
		}
		value = joinReferences(values)
	}
	if len(value) == 0 && !(own && len(fromInside) == 1) {
		return
	}
	w.dst = append(w.dst, ` xml:base="`...)
	w.dst = appendAttributeValue(w.dst, value)
	w.dst = append(w.dst, '"')
}
