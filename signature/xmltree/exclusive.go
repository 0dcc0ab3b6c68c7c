package xmltree

// prepare sets up what Exclusive needs to know.
func (w *writer) prepare() {
	if w.m.Kind != Exclusive {
		return
	}
	d := w.d
	w.rendered = w.room[:]
	if len(d.prefixes.list) > len(w.room) {
		w.rendered = make([]int32, len(d.prefixes.list))
	}
	w.undo, w.fresh = w.undoRoom[:0], w.freshRoom[:0]
	w.rendered[xmlPrefix] = xmlURI
	for _, p := range w.m.Prefixes {
		switch p {
		case "":
			continue // an empty PrefixList, split; not the default namespace
		case "#default":
			p = ""
		}
		if number := d.prefixes.find([]byte(p)); number >= 0 && number != xmlPrefix {
			if w.inclusive == nil {
				w.inclusive = make([]bool, len(d.prefixes.list))
			}
			w.inclusive[number], w.listed = true, true
		}
	}
}

// exclusiveDeclarations writes the declarations that element i needs: of the
// prefixes that it uses visibly, and of those in the PrefixList as inclusive
// canonicalisation has them; each only if the output around says otherwise.
func (w *writer) exclusiveDeclarations(i int32) {
	d, n := w.d, &w.d.nodes[i]
	w.fresh = w.fresh[:0]
	w.need(i, n.bind)
	for k := n.attr; k < n.attr+uint32(n.nattr); k++ {
		if a := &d.attrs[k]; a.plen > 0 {
			w.need(i, a.bind)
		}
	}
	if w.listed {
		if i == w.apex {
			for _, k := range d.inScope(i, w.inclusive) {
				w.need(i, k)
			}
		} else {
			for k := n.decl; k < n.decl+uint32(n.ndecl); k++ {
				if w.inclusive[d.bindings[k].prefix] {
					w.need(i, int32(k))
				}
			}
		}
	}
	if len(w.fresh) > 1 {
		sortFew(w.fresh, d.comparePrefixes)
	}
	for _, k := range w.fresh {
		w.declaration(&d.bindings[k])
	}
}

// need notes that the output at element i must have the binding k in force.
func (w *writer) need(i, k int32) {
	b := &w.d.bindings[k]
	if w.rendered[b.prefix] == b.uri {
		return
	}
	w.undo = append(w.undo, rendering{i, b.prefix, w.rendered[b.prefix]})
	w.rendered[b.prefix] = b.uri
	w.fresh = append(w.fresh, k)
}
